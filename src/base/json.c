/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "base/utf8.h"

struct parser {
    struct arena *arena;
    struct slice text;
    size_t at;
    size_t values;
    struct err *err;
};

static int bad(struct parser *p, const char *what)
{
    return err_set(p->err, ERR_FORMAT, "JSON at byte %zu: %s", p->at, what);
}

static void skip_blanks(struct parser *p)
{
    for (; p->at < p->text.len; p->at++) {
        uint8_t c = p->text.data[p->at];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return;
    }
}

/* The next byte that is not a blank, or 0 at the end. */
static uint8_t peek(struct parser *p)
{
    skip_blanks(p);
    return p->at < p->text.len ? p->text.data[p->at] : 0;
}

static bool take(struct parser *p, char wanted)
{
    if (p->at >= p->text.len || p->text.data[p->at] != (uint8_t)wanted)
        return false;
    p->at++;
    return true;
}

static int parse_hex4(struct parser *p, uint32_t *out)
{
    if (p->text.len - p->at < 4)
        return bad(p, "a \\u escape is cut short");
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p->text.data[p->at++];
        int digit = text_hex_digit(c);
        if (digit < 0)
            return bad(p, "a \\u escape needs four hexadecimal digits");
        value = value << 4 | (uint32_t)digit;
    }
    *out = value;
    return 0;
}

/* After "\u": one code unit, or a surrogate pair. */
static int parse_unicode_escape(struct parser *p, uint8_t *out, size_t *len)
{
    uint32_t code;
    if (parse_hex4(p, &code) != 0)
        return -1;
    if (code >= 0xD800 && code <= 0xDBFF) {
        uint32_t low;
        if (!take(p, '\\') || !take(p, 'u'))
            return bad(p, "a high surrogate without its pair");
        if (parse_hex4(p, &low) != 0)
            return -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return bad(p, "a high surrogate without its pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
        return bad(p, "a low surrogate without its pair");
    }
    *len += utf8_encode(code, out + *len);
    return 0;
}

static int unescape(struct parser *p, uint8_t *out, size_t *len)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    if (p->at >= p->text.len)
        return bad(p, "an unterminated string");
    uint8_t c = p->text.data[p->at++];
    if (c == 'u')
        return parse_unicode_escape(p, out, len);
    const char *found = c == 0 ? NULL : strchr(names, c);
    if (found == NULL)
        return bad(p, "an unknown escape");
    out[(*len)++] = (uint8_t)values[found - names];
    return 0;
}

static int parse_string(struct parser *p, struct slice *out)
{
    if (!take(p, '"'))
        return bad(p, "expected a string");
    size_t start = p->at;
    size_t escapes = 0;
    size_t end = start;
    for (; end < p->text.len && p->text.data[end] != '"'; end++) {
        if (p->text.data[end] < 0x20) {
            p->at = end;
            return bad(p, "a control character in a string");
        }
        if (p->text.data[end] == '\\') {
            escapes++;
            end++;
        }
    }
    if (end >= p->text.len)
        return bad(p, "an unterminated string");
    *out = (struct slice){p->text.data + start, end - start};
    if (escapes == 0) {
        p->at = end + 1;
        return 0;
    }
    const bool kept = p->arena != NULL;
    uint8_t one[4];                                                  /* character */
    uint8_t *copy = kept ? arena_alloc(p->arena, end - start) : one; /* they shrink */
    size_t len = 0;
    while (p->at < end) {
        if (!kept)
            len = 0;
        uint8_t c = p->text.data[p->at++];
        if (c != '\\')
            copy[len++] = c;
        else if (unescape(p, copy, &len) != 0)
            return -1;
    }
    p->at = end + 1;
    if (kept)
        *out = (struct slice){copy, len};
    return 0;
}

static size_t skip_digits(struct parser *p)
{
    size_t start = p->at;
    while (p->at < p->text.len && p->text.data[p->at] >= '0' && p->text.data[p->at] <= '9')
        p->at++;
    return p->at - start;
}

static int parse_number(struct parser *p, struct slice *out)
{
    size_t start = p->at;
    (void)take(p, '-'); /* optional */
    if (!take(p, '0') && skip_digits(p) == 0)
        return bad(p, "expected a value");
    if (take(p, '.') && skip_digits(p) == 0)
        return bad(p, "expected digits after the decimal point");
    if (take(p, 'e') || take(p, 'E')) {
        if (!take(p, '+'))
            (void)take(p, '-'); /* optional */
        if (skip_digits(p) == 0)
            return bad(p, "expected digits in the exponent");
    }
    *out = (struct slice){p->text.data + start, p->at - start};
    return 0;
}

static bool take_word(struct parser *p, const char *word)
{
    size_t len = strlen(word);
    if (p->text.len - p->at < len || memcmp(p->text.data + p->at, word, len) != 0)
        return false;
    p->at += len;
    return true;
}

static int parse_value(struct parser *p, struct json **out, int depth);

static int parse_key(struct parser *p, struct slice *key)
{
    if (peek(p) != '"')
        return bad(p, "expected a member name");
    if (parse_string(p, key) != 0)
        return -1;
    if (peek(p) != ':')
        return bad(p, "expected a colon");
    p->at++;
    return 0;
}

/* The children of an array or object, whose opening bracket has been taken. */
static int parse_children(struct parser *p, struct json *parent, int depth)
{
    char close = parent->type == JSON_ARRAY ? ']' : '}';
    struct json **link = &parent->first;
    if (peek(p) == (uint8_t)close) {
        p->at++;
        return 0;
    }
    for (;;) {
        struct slice key = {0};
        struct json *child = NULL;
        if (parent->type == JSON_OBJECT && parse_key(p, &key) != 0)
            return -1;
        if (parse_value(p, &child, depth + 1) != 0)
            return -1;
        if (child != NULL) {
            child->key = key;
            *link = child;
            link = &child->next;
        }
        uint8_t c = peek(p);
        if (c != ',' && c != (uint8_t)close)
            return bad(p, "expected a comma or a closing bracket");
        p->at++;
        if (c == (uint8_t)close)
            return 0;
    }
}

static int parse_into(struct parser *p, struct json *value, int depth)
{
    uint8_t c = peek(p);
    if (c == '{' || c == '[') {
        if (depth == JSON_DEPTH_MAX) /* an empty one, too: what was read can be written again */
            return bad(p, "nested too deeply");
        value->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        p->at++;
        return parse_children(p, value, depth);
    }
    if (c == '"') {
        value->type = JSON_STRING;
        return parse_string(p, &value->text);
    }
    if (take_word(p, "null"))
        return 0;
    bool is_true = take_word(p, "true");
    if (is_true || take_word(p, "false")) {
        value->type = JSON_BOOL;
        value->boolean = is_true;
        return 0;
    }
    value->type = JSON_NUMBER;
    return parse_number(p, &value->text);
}

/* Without an arena *out stays as it is. */
static int parse_value(struct parser *p, struct json **out, int depth)
{
    struct json unseen = {0};
    if (p->values++ >= JSON_VALUES_MAX)
        return bad(p, "too many values");
    if (p->arena == NULL)
        return parse_into(p, &unseen, depth);
    *out = arena_calloc(p->arena, 1, sizeof(**out));
    return parse_into(p, *out, depth);
}

static int parse_text(struct parser *p, struct json **out)
{
    if (!utf8_valid(p->text))
        return err_set(p->err, ERR_FORMAT, "JSON: the text is not UTF-8");
    if (parse_value(p, out, 0) != 0)
        return -1;
    skip_blanks(p);
    return p->at == p->text.len ? 0 : bad(p, "unexpected text after the value");
}

const struct json *json_parse(struct arena *arena, struct slice text, struct err *err)
{
    struct parser p = {.arena = arena, .text = text, .err = err};
    struct json *value = NULL;
    return parse_text(&p, &value) == 0 ? value : NULL;
}

bool json_is_valid(struct slice text)
{
    struct err ignored = {0};
    struct parser p = {.text = text, .err = &ignored};
    struct json *none = NULL;
    return parse_text(&p, &none) == 0;
}

const struct json *json_member(const struct json *object, const char *name)
{
    if (object == NULL || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *child = object->first; child != NULL; child = child->next)
        if (slice_is(child->key, name))
            return child;
    return NULL;
}

static const struct json *member_of_type(const struct json *object, const char *name,
                                         enum json_type type)
{
    const struct json *member = json_member(object, name);
    return member != NULL && member->type == type ? member : NULL;
}

bool json_get_text(const struct json *object, const char *name, struct slice *out)
{
    const struct json *member = member_of_type(object, name, JSON_STRING);
    if (member == NULL)
        return false;
    *out = member->text;
    return true;
}

bool json_get_u64(const struct json *object, const char *name, uint64_t *out)
{
    const struct json *member = member_of_type(object, name, JSON_NUMBER);
    return member != NULL && num_parse_u64(member->text, out);
}

bool json_get_i64(const struct json *object, const char *name, int64_t *out)
{
    const struct json *member = member_of_type(object, name, JSON_NUMBER);
    return member != NULL && num_parse_i64(member->text, out);
}

bool json_get_bool(const struct json *object, const char *name, bool *out)
{
    const struct json *member = member_of_type(object, name, JSON_BOOL);
    if (member == NULL)
        return false;
    *out = member->boolean;
    return true;
}
