/* SPDX-License-Identifier: MIT */
#include "follow/line_protocol.h"

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7F;
}

bool line_name_ok(struct slice name)
{
    if (name.len == 0 || name.data[0] == '_' || slice_is(name, "time"))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (is_control(c) || c == '#' || c == '"' || c == '\\')
            return false;
    }
    return true;
}

void line_append_key(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = is_control(text.data[i]) ? ' ' : text.data[i];
        if (c == ',' || c == '=' || c == ' ')
            buf_append_byte(out, '\\');
        buf_append_byte(out, c == '\\' ? '/' : c);
    }
}

void line_append_string(struct buf *out, struct slice text)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '\n') {
            buf_append_text(out, "\\\\n");
            continue;
        }
        if (c == '"' || c == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, is_control(c) ? ' ' : c);
    }
    buf_append_byte(out, '"');
}
