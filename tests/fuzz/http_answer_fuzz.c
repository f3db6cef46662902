/* SPDX-License-Identifier: MIT */
/* What an object store answers: a head, and behind it a body, perhaps in chunks. */
#include "net/http_client.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct slice part, struct slice whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

/* All of a body, given in pieces of `step` bytes; the length of its data, or -1. */
static int64_t take_chunks(struct slice body, size_t step)
{
    struct http_chunks chunks = {0};
    int64_t len = 0;
    size_t start = 0, end = 0;
    while (end < body.len) {
        end = body.len - end < step ? body.len : end + step;
        for (size_t taken = 1; taken > 0;) {
            struct slice in = {body.data + start, end - start}, part = {0};
            if (!http_chunks_take(&chunks, in, &taken, &part))
                return -1;
            ASSERT(taken <= in.len && is_within(part, in));
            start += taken;
            len += (int64_t)part.len;
        }
    }
    return chunks.at == HTTP_CHUNK_OVER ? len : -2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_answer answer;
    struct slice all = {data, size}, value;
    size_t used = 0;
    if (http_answer_parse(all, &answer, &used) == HTTP_HEAD_WHOLE) {
        ASSERT(used <= size && used <= HTTP_ANSWER_HEAD_MAX);
        ASSERT(answer.status >= 100 && answer.status <= 999);
        ASSERT(is_within(answer.fields, (struct slice){data, used}));
        if (http_answer_field(&answer, "etag", &value))
            ASSERT(is_within(value, answer.fields));
        all = (struct slice){data + used, size - used};
    }
    /* However it arrives, it says the same. */
    ASSERT(take_chunks(all, SIZE_MAX / 2) == take_chunks(all, 1));
    return 0;
}
