/* SPDX-License-Identifier: MIT */
/* Answers of an object store: whatever the bytes are, they are elements within the limits, or none.
 */
#include "object/s3_xml.h"

#include <string.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    char first[XML_PATH_MAX + 1];
    struct buf text; /* of the first */
    size_t count;
};

static bool visit(void *context, const char *path, struct slice text)
{
    struct seen *s = context;
    ASSERT(strlen(path) > 0 && strlen(path) <= XML_PATH_MAX && text.len <= XML_TEXT_MAX);
    if (s->count++ == 0) {
        memcpy(s->first, path, strlen(path) + 1);
        buf_append_slice(&s->text, text);
    }
    return s->count < 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {0};
    struct buf found = {0};
    struct err err = {0};
    int result = xml_walk((struct slice){data, size}, visit, &seen, &err);
    ASSERT((result != 0) == err_is_set(&err));
    if (seen.count > 0) {
        ASSERT(xml_find((struct slice){data, size}, seen.first, &found));
        ASSERT(slice_equal(buf_slice(&found), buf_slice(&seen.text)));
    }
    buf_free(&found);
    buf_free(&seen.text);
    return 0;
}
