/* SPDX-License-Identifier: MIT */
#include "net/http.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the bytes are: more, an answer to give, or a path within them; and what follows a whole
 * head changes nothing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request r, prefix;
    if (size > HTTP_HEAD_MAX)
        return 0;
    switch (http_request_parse((struct slice){data, size}, &r)) {
    case HTTP_MORE:
        ASSERT(size < HTTP_HEAD_MAX);
        break;
    case HTTP_BAD:
        ASSERT(r.refusal == 400 || r.refusal == 405 || r.refusal == 431 || r.refusal == 505);
        break;
    case HTTP_WHOLE:
        ASSERT(r.path.len > 0 && r.path.data[0] == '/');
        ASSERT(r.path.data >= data && r.path.data + r.path.len <= data + size);
        break;
    }
    for (size_t len = size; len-- > 0 && len + 16 > size;) {
        enum http_parsed parsed = http_request_parse((struct slice){data, len}, &prefix);
        if (parsed == HTTP_MORE)
            break;
        ASSERT(parsed == http_request_parse((struct slice){data, size}, &r));
        ASSERT(prefix.refusal == r.refusal && slice_equal(prefix.path, r.path));
    }
    return 0;
}
