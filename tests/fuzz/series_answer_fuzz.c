/* SPDX-License-Identifier: MIT */
/* What a time-series database answers: a byte each for the status and the number of lines, a line
 * with Retry-After, and the body. */
#include "follow/series_answer.h"

#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {204, 200, 400, 422, 413, 429, 503, 401};
    struct series_answer answer = {0};
    struct arena arena = {0};
    if (size < 2)
        return 0;
    int status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
    uint32_t lines = data[1];
    struct slice rest = {data + 2, size - 2}, after = {data + 2, 0};
    const uint8_t *end = rest.len > 0 ? memchr(rest.data, '\n', rest.len) : NULL;
    if (end != NULL) {
        after.len = (size_t)(end - rest.data);
        rest = (struct slice){end + 1, rest.len - after.len - 1};
    }
    series_answer_read(&answer, &arena, status, after, rest, lines);
    ASSERT((status < 300) == (answer.verdict == SERIES_STORED));
    ASSERT(answer.verdict != SERIES_REFUSED || status == 400 || status == 422);
    ASSERT(answer.text.len <= SERIES_TEXT_MAX && utf8_valid(answer.text));
    ASSERT(answer.retry_after <= SERIES_RETRY_MAX);
    ASSERT(answer.named.count <= lines);
    for (size_t i = 0; i < answer.named.count; i++) {
        ASSERT(answer.named.list[i].line < lines);
        ASSERT(answer.named.list[i].why.len <= SERIES_TEXT_MAX &&
               utf8_valid(answer.named.list[i].why));
    }
    array_free(&answer.named);
    arena_free(&arena);
    return 0;
}
