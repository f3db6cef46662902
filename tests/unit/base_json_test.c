/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "test.h"

/* On the heap and of exactly this size, so that a read past the end is seen. */
static bool accepts(const void *text, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    EXPECT(copy != NULL);
    if (len > 0)
        memcpy(copy, text, len);
    struct arena arena = {0};
    struct err err = {0};
    bool ok = json_parse(&arena, (struct slice){copy, len}, &err) != NULL;
    EXPECT(err_is_set(&err) == !ok);
    EXPECT(json_is_valid((struct slice){copy, len}) == ok);
    EXPECT(ok || err.code == ERR_FORMAT);
    arena_free(&arena);
    free(copy);
    return ok;
}

static const struct json *parse(struct arena *arena, const char *text)
{
    struct err err = {0};
    const struct json *root = json_parse(arena, slice_of(text), &err);
    EXPECT_TEXT(err.text, "");
    EXPECT(root != NULL);
    return root;
}

TEST(json_accepts_what_the_grammar_has)
{
    static const char *const good[] = {"null",
                                       " \t\r\n true \n",
                                       "false",
                                       "0",
                                       "-0",
                                       "-0.0",
                                       "10",
                                       "1.25e-7",
                                       "1E+400",
                                       "0e1",
                                       "\"\"",
                                       "[]",
                                       "[ ]",
                                       "{}",
                                       "{ }",
                                       "[1 , [2,{}],\"a\"]",
                                       "{\"\":{\"\":[]}}",
                                       "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20ac\\uD83D\\uDE00\"",
                                       "\"\x7F\"",
                                       "\"\xF0\x9F\x98\x80\"",
                                       "123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        EXPECT(accepts(good[i], strlen(good[i])));
}

TEST(json_refuses_all_else)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "nul",
                                      "nulll",
                                      "True",
                                      "NaN",
                                      "Infinity",
                                      "undefined",
                                      "+1",
                                      "01",
                                      "-01",
                                      "-",
                                      "1.",
                                      ".5",
                                      "1.e5",
                                      "1e",
                                      "1e+",
                                      "0x1",
                                      "1_0",
                                      "1 2",
                                      "\"",
                                      "\"a",
                                      "'a'",
                                      "\"\\\"",
                                      "\"\\",
                                      "\"\\x41\"",
                                      "\"\\u\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"\\U0041\"",
                                      "\"\\ud83d\"",
                                      "\"\\ud83dx\"",
                                      "\"\\ud83d\\n\"",
                                      "\"\\ud83d\\u0041\"",
                                      "\"\\ude00\"",
                                      "\"\\ud83d\\ud83d\"",
                                      "\"\n\"",
                                      "\"\t\"",
                                      "\"\x01\"",
                                      "\"\\\n\"",
                                      "\"\x80\"",
                                      "\"\xED\xA0\x80\"",
                                      "\"\xC0\x80\"",
                                      "\xEF\xBB\xBF{}",
                                      "[",
                                      "]",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "[1}",
                                      "{",
                                      "}",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{a:1}",
                                      "{1:1}",
                                      "{\"a\" 1}",
                                      "{\"a\":1]",
                                      "{\"a\":1 \"b\":2}",
                                      "{\"a\"::1}",
                                      "[]]",
                                      "{}{}",
                                      "[] x",
                                      "// x\n1",
                                      "/**/1",
                                      "[1,\v2]",
                                      "[1,\302\2402]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(!accepts(bad[i], strlen(bad[i])));
    EXPECT(!accepts("1\0", 2));
    EXPECT(!accepts("\0", 1));
    EXPECT(!accepts("[\0]", 3));
    EXPECT(!accepts("\"\\\0\"", 4));
    EXPECT(!accepts("\"a\0b\"", 5));
    struct arena arena = {0};
    struct err err = {0};
    EXPECT(json_parse(&arena, (struct slice){NULL, 0}, &err) == NULL);
    arena_free(&arena);
}

TEST(json_error_names_the_offset)
{
    struct arena arena = {0};
    struct err err = {0};
    EXPECT(json_parse(&arena, slice_of("{\"key\": ?}"), &err) == NULL);
    EXPECT_I64(err.code, ERR_FORMAT);
    EXPECT(strstr(err.text, "byte 8") != NULL);
    err_clear(&err);
    EXPECT(json_parse(&arena, slice_of("[1, \"abc"), &err) == NULL);
    EXPECT(strstr(err.text, "byte 5: an unterminated string") != NULL);
    arena_free(&arena);
}

TEST(json_unescapes)
{
    struct arena arena = {0};
    const struct json *root = parse(
        &arena, "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"a\\u0000b\\u00e9\\u20AC\\uD83D\\uDE00\"]");
    EXPECT_BYTES(root->first->text.data, root->first->text.len, "\"\\/\b\f\n\r\t", 8);
    const struct json *second = root->first->next;
    EXPECT_BYTES(second->text.data, second->text.len, "a\0b\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
                 12);
    EXPECT(second->next == NULL);
    arena_free(&arena);
}

TEST(json_typed_look_ups)
{
    struct arena arena = {0};
    const struct json *root = parse(
        &arena, "{\"t\":\"x\",\"n\":18446744073709551615,\"i\":-9223372036854775808,\"b\":true,"
                "\"f\":1.0,\"e\":1e3,\"z\":null,\"o\":{\"in\":7},\"a\":[1],\"n\":1,\"s\\u0065q\":9,"
                "\"big\":18446744073709551616,\"minus\":-1,\"digits\":\"12\"}");
    struct slice text = slice_of("untouched");
    uint64_t u = 5;
    int64_t i = 5;
    bool b = false;
    EXPECT(json_get_text(root, "t", &text) && slice_is(text, "x"));
    EXPECT(json_get_u64(root, "n", &u)); /* the first of two */
    EXPECT_U64(u, UINT64_MAX);
    EXPECT(json_get_i64(root, "i", &i));
    EXPECT_I64(i, INT64_MIN);
    EXPECT(json_get_bool(root, "b", &b) && b);
    EXPECT(json_get_u64(json_member(root, "o"), "in", &u));
    EXPECT_U64(u, 7);
    EXPECT(json_get_u64(root, "seq", &u)); /* the name is compared unescaped */
    EXPECT_U64(u, 9);
    static const char *const not_numbers[] = {"t", "b",   "f",      "e",       "z", "o",
                                              "a", "big", "digits", "missing", ""};
    for (size_t n = 0; n < sizeof(not_numbers) / sizeof(not_numbers[0]); n++) {
        EXPECT(!json_get_u64(root, not_numbers[n], &u));
        EXPECT(!json_get_i64(root, not_numbers[n], &i));
    }
    EXPECT(!json_get_u64(root, "minus", &u));
    EXPECT(!json_get_i64(root, "n", &i));
    EXPECT(!json_get_text(root, "n", &text));
    EXPECT(!json_get_text(root, "z", &text));
    EXPECT(!json_get_bool(root, "z", &b));
    EXPECT(!json_get_bool(root, "t", &b));
    EXPECT_U64(u, 9);
    EXPECT_I64(i, INT64_MIN);
    EXPECT(slice_is(text, "x") && b);
    EXPECT(json_member(NULL, "x") == NULL);
    EXPECT(json_member(json_member(root, "a"), "x") == NULL);
    EXPECT(json_member(json_member(json_member(root, "none"), "x"), "y") == NULL);
    arena_free(&arena);
}

TEST(json_depth_is_bounded)
{
    char text[4 * JSON_DEPTH_MAX + 2];
    memset(text, '[', JSON_DEPTH_MAX);
    text[JSON_DEPTH_MAX] = '1';
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX);
    EXPECT(accepts(text, 2 * JSON_DEPTH_MAX + 1));
    memset(text, '[', JSON_DEPTH_MAX + 1);
    text[JSON_DEPTH_MAX + 1] = '1';
    memset(text + JSON_DEPTH_MAX + 2, ']', JSON_DEPTH_MAX + 1);
    EXPECT(!accepts(text, 2 * JSON_DEPTH_MAX + 3));
    /* What would overflow the stack of a parser without a bound. */
    struct buf deep = {0};
    for (int i = 0; i < 1000000; i++)
        buf_append_text(&deep, i % 2 ? "{\"\":" : "[");
    EXPECT(!accepts(deep.data, deep.len));
    buf_free(&deep);
}

/* What is parsed can be written again, however deep it is; an empty bracket is one, too. */
TEST(json_as_deep_as_it_may_be_is_written_again)
{
    static const char *const parts[][2] = {{"[", "]"}, {"{\"a\":", "}"}};
    for (size_t i = 0; i < 2; i++) {
        for (int depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
            struct arena arena = {0};
            struct err err = {0};
            struct buf text = {0}, again = {0};
            for (int k = 1; k < depth; k++)
                buf_append_text(&text, parts[i][0]);
            buf_append_text(&text, "{}");
            for (int k = 1; k < depth; k++)
                buf_append_text(&text, parts[i][1]);
            const struct json *value = json_parse(&arena, buf_slice(&text), &err);
            EXPECT((value != NULL) == (depth <= JSON_DEPTH_MAX));
            EXPECT(json_is_valid(buf_slice(&text)) == (value != NULL));
            if (value != NULL)
                json_put_value(&(struct json_writer){.out = &again}, NULL, value);
            EXPECT(value == NULL || slice_equal(buf_slice(&again), buf_slice(&text)));
            arena_free(&arena);
            buf_free(&text);
            buf_free(&again);
        }
    }
}

static bool accepts_array_of(uint32_t values)
{
    struct buf text = {0};
    buf_append_text(&text, "[0");
    for (uint32_t i = 1; i < values; i++)
        buf_append_text(&text, ",0");
    buf_append_text(&text, "]");
    bool ok = accepts(text.data, text.len);
    buf_free(&text);
    return ok;
}

TEST(json_values_are_bounded)
{
    EXPECT(accepts_array_of(JSON_VALUES_MAX - 1)); /* and the array itself */
    EXPECT(!accepts_array_of(JSON_VALUES_MAX));
}

TEST(json_append_string_escapes)
{
    struct buf out = {0};
    json_append_string(&out, (struct slice){NULL, 0});
    EXPECT_TEXT(buf_text(&out), "\"\"");
    buf_reset(&out);
    json_append_string(&out, (struct slice){(const uint8_t *)"a\"\\/\b\f\n\r\t\0\x1F\x7F z", 14});
    EXPECT_TEXT(buf_text(&out), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f z\"");
    buf_reset(&out);
    json_append_string(&out, slice_of("\xE2\x82\xAC\xFF\xE2\x82|\xED\xA0\x80"));
    EXPECT_TEXT(buf_text(&out), "\"\xE2\x82\xAC\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD|"
                                "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    buf_free(&out);
}

TEST(json_writer_puts_commas_where_they_belong)
{
    struct buf out = {0};
    buf_append_text(&out, "CONNECT ");
    struct json_writer w = {.out = &out};
    json_open_object(&w, NULL);
    json_open_object(&w, "empty");
    json_close_object(&w);
    json_put_text(&w, "text", "a \"b\"");
    json_open_array(&w, "list");
    json_put_u64(&w, NULL, UINT64_MAX);
    json_put_i64(&w, NULL, INT64_MIN);
    json_open_array(&w, NULL);
    json_close_array(&w);
    json_open_object(&w, NULL);
    json_put_bool(&w, "yes", true);
    json_put_bool(&w, "no", false);
    json_close_object(&w);
    json_put_slice(&w, NULL, (struct slice){0});
    json_close_array(&w);
    json_put_null(&w, "n");
    buf_append_text(json_put_raw(&w, "raw"), "1.5");
    json_put_name(&w, slice_of("any \n name"));
    json_put_u64(&w, NULL, 0);
    json_close_object(&w);
    EXPECT_TEXT(buf_text(&out),
                "CONNECT {\"empty\":{},\"text\":\"a \\\"b\\\"\",\"list\":[18446744073709551615,"
                "-9223372036854775808,[],{\"yes\":true,\"no\":false},\"\"],\"n\":null,"
                "\"raw\":1.5,\"any \\n name\":0}");
    buf_free(&out);
}

TEST(json_any_bytes_become_a_string_and_come_back)
{
    struct buf out = {0};
    struct arena arena = {0};
    for (int round = 0; round < 20000; round++) {
        uint8_t data[30];
        size_t len = test_random() % sizeof(data);
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)(round % 2 ? test_random() : test_random() % 0x80);
        buf_reset(&out);
        json_append_string(&out, (struct slice){data, len});
        struct err err = {0};
        const struct json *root = json_parse(&arena, buf_slice(&out), &err);
        EXPECT(root != NULL && root->type == JSON_STRING);
        EXPECT(utf8_valid(root->text));
        if (utf8_valid((struct slice){data, len}))
            EXPECT_BYTES(root->text.data, root->text.len, data, len);
        arena_reset(&arena);
    }
    buf_free(&out);
    arena_free(&arena);
}
