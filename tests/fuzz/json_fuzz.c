/* SPDX-License-Identifier: MIT */
/* JSON of any kind: what is accepted can be written again and then says the same. */
#include "base/json.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(struct buf *out, const struct json *v)
{
    switch (v->type) {
    case JSON_NULL:
        buf_append_text(out, "null");
        break;
    case JSON_BOOL:
        buf_append_text(out, v->boolean ? "true" : "false");
        break;
    case JSON_NUMBER:
        buf_append_slice(out, v->text);
        break;
    case JSON_STRING:
        json_append_string(out, v->text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        buf_append_byte(out, v->type == JSON_ARRAY ? '[' : '{');
        for (const struct json *child = v->first; child != NULL; child = child->next) {
            if (child != v->first)
                buf_append_byte(out, ',');
            if (v->type == JSON_OBJECT) {
                json_append_string(out, child->key);
                buf_append_byte(out, ':');
            }
            write_value(out, child);
        }
        buf_append_byte(out, v->type == JSON_ARRAY ? ']' : '}');
        break;
    }
}

static void expect_same(const struct json *a, const struct json *b)
{
    ASSERT(a->type == b->type && a->boolean == b->boolean);
    ASSERT(slice_equal(a->text, b->text) && slice_equal(a->key, b->key));
    const struct json *x = a->first, *y = b->first;
    for (; x != NULL && y != NULL; x = x->next, y = y->next)
        expect_same(x, y);
    ASSERT(x == NULL && y == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct buf out = {0};
    struct err err = {0};
    const struct json *root = json_parse(&arena, (struct slice){data, size}, &err);
    ASSERT((root == NULL) == err_is_set(&err));
    ASSERT((root != NULL) == json_is_valid((struct slice){data, size}));
    if (root != NULL) {
        write_value(&out, root);
        const struct json *again = json_parse(&arena, buf_slice(&out), &err);
        ASSERT(again != NULL);
        expect_same(root, again);
    }
    buf_free(&out);
    arena_free(&arena);
    return 0;
}
