/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"

/* True if the byte stands in a JSON string as it is. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static void append_escaped(struct buf *out, uint32_t code)
{
    static const char controls[] = "\b\t\n\f\r\"\\";
    static const char names[] = "btnfr\"\\";
    const char *found = code == 0 || code > 0x7F ? NULL : strchr(controls, (int)code);
    if (found != NULL) {
        buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)names[found - controls]);
    } else {
        buf_printf(out, "\\u%04x", (unsigned)code);
    }
}

void json_append_string(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    for (size_t at = 0; at < text.len;) {
        size_t plain = at;
        while (plain < text.len && is_plain(text.data[plain]))
            plain++;
        buf_append(out, text.data + at, plain - at);
        at = plain;
        if (at == text.len)
            break;
        uint32_t code;
        size_t len = utf8_decode((struct slice){text.data + at, text.len - at}, &code);
        if (len == 0) {
            buf_append_text(out, "\xEF\xBF\xBD");
            len = 1;
        } else if (len > 1) {
            buf_append(out, text.data + at, len);
        } else {
            append_escaped(out, code);
        }
        at += len;
    }
    buf_append_byte(out, '"');
}

struct buf *json_put_raw(struct json_writer *w, const char *name)
{
    if (name != NULL)
        json_put_name(w, slice_of(name));
    if (w->comma)
        buf_append_byte(w->out, ',');
    w->comma = true;
    return w->out;
}

void json_put_name(struct json_writer *w, struct slice name)
{
    if (w->comma)
        buf_append_byte(w->out, ',');
    json_append_string(w->out, name);
    buf_append_byte(w->out, ':');
    w->comma = false;
}

static void open(struct json_writer *w, const char *name, char bracket)
{
    ASSERT(w->depth++ < JSON_DEPTH_MAX);
    buf_append_byte(json_put_raw(w, name), (uint8_t)bracket);
    w->comma = false;
}

static void close(struct json_writer *w, char bracket)
{
    ASSERT(w->depth-- > 0);
    buf_append_byte(w->out, (uint8_t)bracket);
    w->comma = true;
}

void json_open_object(struct json_writer *w, const char *name)
{
    open(w, name, '{');
}

void json_close_object(struct json_writer *w)
{
    close(w, '}');
}

void json_open_array(struct json_writer *w, const char *name)
{
    open(w, name, '[');
}

void json_close_array(struct json_writer *w)
{
    close(w, ']');
}

void json_put_slice(struct json_writer *w, const char *name, struct slice value)
{
    json_append_string(json_put_raw(w, name), value);
}

void json_put_text(struct json_writer *w, const char *name, const char *value)
{
    json_put_slice(w, name, slice_of(value));
}

void json_put_u64(struct json_writer *w, const char *name, uint64_t value)
{
    buf_append_decimal(json_put_raw(w, name), value);
}

void json_put_i64(struct json_writer *w, const char *name, int64_t value)
{
    buf_printf(json_put_raw(w, name), "%" PRId64, value);
}

void json_put_bool(struct json_writer *w, const char *name, bool value)
{
    buf_append_text(json_put_raw(w, name), value ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *name)
{
    buf_append_text(json_put_raw(w, name), "null");
}

static void put_children(struct json_writer *w, const struct json *parent)
{
    for (const struct json *child = parent->first; child != NULL; child = child->next) {
        if (parent->type == JSON_OBJECT)
            json_put_name(w, child->key);
        json_put_value(w, NULL, child);
    }
}

void json_put_value(struct json_writer *w, const char *name, const struct json *value)
{
    switch (value->type) {
    case JSON_NULL:
        json_put_null(w, name);
        break;
    case JSON_BOOL:
        json_put_bool(w, name, value->boolean);
        break;
    case JSON_NUMBER:
        buf_append_slice(json_put_raw(w, name), value->text);
        break;
    case JSON_STRING:
        json_put_slice(w, name, value->text);
        break;
    case JSON_ARRAY:
        json_open_array(w, name);
        put_children(w, value);
        json_close_array(w);
        break;
    case JSON_OBJECT:
        json_open_object(w, name);
        put_children(w, value);
        json_close_object(w);
        break;
    }
}
