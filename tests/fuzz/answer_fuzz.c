/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/assert.h"
#include "net/http_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A whole body in chunks that comes in pieces of `step` bytes; false: it is refused, or goes on. */
static bool decode(struct slice in, size_t step, struct buf *out)
{
    struct http_chunks c = {0};
    size_t at = 0, end = 0;
    while (c.at != HTTP_CHUNK_OVER) {
        struct slice piece;
        size_t taken;
        if (!http_chunks_take(&c, (struct slice){in.data + at, end - at}, &taken, &piece))
            return false;
        ASSERT(taken <= end - at && piece.len <= taken);
        buf_append_slice(out, piece);
        at += taken;
        if (taken == 0 && end == in.len)
            return false;
        if (taken == 0)
            end = step < in.len - end ? end + step : in.len;
    }
    return true;
}

/* What a server of HTTP/1.1 may send: a head, which means the same whatever follows it, and a body
 * in chunks, which is the same in pieces of any size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_answer answer, alone;
    struct slice value;
    struct buf whole = {0};
    struct buf pieces = {0};
    size_t used = 0, again = 0;
    enum http_head head = http_answer_parse((struct slice){data, size}, &answer, &used);
    if (head == HTTP_HEAD_WHOLE) {
        ASSERT(used <= size && used <= HTTP_ANSWER_HEAD_MAX);
        ASSERT(answer.status >= 100 && answer.status <= 999);
        ASSERT(!answer.chunked || !answer.has_length);
        ASSERT(answer.fields.data >= data && answer.fields.data + answer.fields.len <= data + used);
        ASSERT(http_answer_parse((struct slice){data, used}, &alone, &again) == HTTP_HEAD_WHOLE);
        ASSERT(again == used && alone.status == answer.status && alone.length == answer.length);
        ASSERT(http_answer_parse((struct slice){data, used - 1}, &alone, &again) == HTTP_HEAD_PART);
        if (http_answer_field(&answer, "etag", &value))
            ASSERT(value.data >= data && value.data + value.len <= data + used);
    }
    struct slice body = {data + used, size - used};
    bool sound = decode(body, size + 1, &whole);
    ASSERT(sound == decode(body, 3, &pieces));
    ASSERT(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
