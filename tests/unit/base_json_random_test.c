/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <stdlib.h>

#include "test.h"

/* A random document, and beside it what the tree must show, in a form of the test's own. */
struct document {
    struct buf text;
    struct buf shown;
};

static void blanks(struct document *d)
{
    while (test_random() % 3 == 0)
        buf_append_byte(&d->text, (uint8_t) " \t\r\n"[test_random() % 4]);
}

static void random_string(struct document *d)
{
    buf_append_text(&d->text, "\"");
    buf_append_text(&d->shown, "s");
    for (uint64_t left = test_random() % 6; left > 0; left--) {
        switch (test_random() % 5) {
        case 0:
            buf_append_text(&d->text, "\\u00E9");
            buf_append_text(&d->shown, ":C3A9");
            break;
        case 1:
            buf_append_text(&d->text, "\\n");
            buf_append_text(&d->shown, ":0A");
            break;
        case 2:
            buf_append_text(&d->text, "\\ud83d\\ude00");
            buf_append_text(&d->shown, ":F09F9880");
            break;
        case 3:
            buf_append_text(&d->text, "\xE2\x82\xAC");
            buf_append_text(&d->shown, ":E282AC");
            break;
        case 4:
            buf_append_text(&d->text, "]");
            buf_append_text(&d->shown, ":5D");
            break;
        }
    }
    buf_append_text(&d->text, "\"");
}

static void random_value(struct document *d, int depth)
{
    static const char *const scalars[] = {"null", "true", "false", "0", "-1.5e+9", "12345678901"};
    uint64_t what = test_random() % (depth < 5 ? 9 : 7);
    if (what == 6) {
        random_string(d);
    } else if (what < 6) {
        buf_append_text(&d->text, scalars[what]);
        buf_append_text(&d->shown, scalars[what]);
    } else {
        bool object = what == 7;
        buf_append_text(&d->text, object ? "{" : "[");
        buf_append_text(&d->shown, object ? "{" : "[");
        uint64_t count = test_random() % 4;
        for (uint64_t i = 0; i < count; i++) {
            blanks(d);
            if (object) {
                random_string(d);
                blanks(d);
                buf_append_text(&d->text, ":");
                buf_append_text(&d->shown, "=");
                blanks(d);
            }
            random_value(d, depth + 1);
            blanks(d);
            if (i + 1 < count)
                buf_append_text(&d->text, ",");
            buf_append_text(&d->shown, ";");
        }
        blanks(d);
        buf_append_text(&d->text, object ? "}" : "]");
        buf_append_text(&d->shown, object ? "}" : "]");
    }
}

static void show_string(struct buf *out, struct slice text)
{
    buf_append_text(out, "s");
    for (size_t i = 0; i < text.len; i++)
        buf_printf(out, text.data[i] / 64 == 2 ? "%02X" : ":%02X", text.data[i]);
}

static void show(struct buf *out, const struct json *value)
{
    switch (value->type) {
    case JSON_NULL:
        buf_append_text(out, "null");
        return;
    case JSON_BOOL:
        buf_append_text(out, value->boolean ? "true" : "false");
        return;
    case JSON_NUMBER:
        buf_append_slice(out, value->text);
        return;
    case JSON_STRING:
        show_string(out, value->text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    bool object = value->type == JSON_OBJECT;
    buf_append_text(out, object ? "{" : "[");
    for (const struct json *child = value->first; child != NULL; child = child->next) {
        if (object) {
            show_string(out, child->key);
            buf_append_text(out, "=");
        }
        show(out, child);
        buf_append_text(out, ";");
    }
    buf_append_text(out, object ? "}" : "]");
}

/* What is written of a tree has the same tree. */
static void expect_written_the_same(const struct json *root, struct buf *shown)
{
    struct buf text = {0}, again = {0};
    struct arena arena = {0};
    struct err err = {0};
    struct json_writer w = {.out = &text};
    json_put_value(&w, NULL, root);
    EXPECT_I64(w.depth, 0);
    const struct json *written = json_parse(&arena, buf_slice(&text), &err);
    EXPECT_TEXT(err.text, "");
    show(&again, written);
    EXPECT_TEXT(buf_text(&again), buf_text(shown));
    buf_free(&text);
    buf_free(&again);
    arena_free(&arena);
}

TEST(json_random_documents_parse_to_what_was_meant)
{
    struct document d = {0};
    struct buf shown = {0};
    struct arena arena = {0};
    for (int round = 0; round < 5000; round++) {
        buf_reset(&d.text);
        buf_reset(&d.shown);
        buf_reset(&shown);
        blanks(&d);
        random_value(&d, 0);
        blanks(&d);
        struct err err = {0};
        const struct json *root = json_parse(&arena, buf_slice(&d.text), &err);
        EXPECT_TEXT(err.text, "");
        show(&shown, root);
        EXPECT_TEXT(buf_text(&shown), buf_text(&d.shown));
        expect_written_the_same(root, &shown);
        arena_reset(&arena);
    }
    buf_free(&d.text);
    buf_free(&d.shown);
    buf_free(&shown);
    arena_free(&arena);
}

/* On the heap and of exactly this size, so that a read past the end is seen. */
static bool accepts(const uint8_t *text, size_t len)
{
    uint8_t *copy = malloc(len + (len == 0));
    EXPECT(copy != NULL);
    memcpy(copy, text, len);
    struct arena arena = {0};
    struct err err = {0};
    bool ok = json_parse(&arena, (struct slice){copy, len}, &err) != NULL;
    EXPECT(err_is_set(&err) == !ok);
    arena_free(&arena);
    free(copy);
    return ok;
}

TEST(json_damaged_documents_never_read_past_the_end)
{
    struct document d = {0};
    for (int round = 0; round < 400; round++) {
        buf_reset(&d.text);
        buf_reset(&d.shown);
        buf_append_text(&d.text, "[");
        random_value(&d, 0);
        buf_append_text(&d.text, "]");
        for (size_t cut = 0; cut < d.text.len; cut++)
            EXPECT(!accepts(d.text.data, cut));
        for (int i = 0; i < 50; i++) {
            d.text.data[test_random() % d.text.len] = (uint8_t)test_random();
            (void)accepts(d.text.data, d.text.len);
        }
    }
    buf_free(&d.text);
    buf_free(&d.shown);
}
