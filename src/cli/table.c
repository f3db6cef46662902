/* SPDX-License-Identifier: MIT */
#include "cli/inspect.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"

/* Ends a row in `cells`: no cell begins with it, since it is a control character. */
static const char row_end = '\n';

/* Characters, which are as good as columns for most scripts. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

void table_cell(struct table *t, struct slice text)
{
    ASSERT(t->column < TABLE_COLUMNS_MAX);
    size_t start = t->cells.len;
    for (size_t i = 0; i < text.len; i++) {
        bool control = text.data[i] < 0x20 || text.data[i] == 0x7f;
        buf_append_byte(&t->cells, control ? '?' : text.data[i]);
    }
    buf_append_byte(&t->cells, '\0');
    size_t width = width_of((const char *)t->cells.data + start);
    if (width > t->widths[t->column])
        t->widths[t->column] = width;
    t->column++;
    if (t->column > t->columns)
        t->columns = t->column;
}

void table_text(struct table *t, const char *text)
{
    table_cell(t, slice_of(text));
}

void table_number(struct table *t, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments); /* cut if it is too long */
    va_end(arguments);
    t->right[t->column] = true;
    table_text(t, text);
}

void table_end_row(struct table *t)
{
    buf_append_byte(&t->cells, (uint8_t)row_end);
    t->column = 0;
}

static void pad(size_t count, FILE *out)
{
    while (count-- > 0)
        (void)fputc(' ', out); /* errors of `out` stick, and are looked at in the end */
}

/* How many columns fit side by side: at least two. */
static unsigned columns_shown(const struct table *t, unsigned indent)
{
    size_t width = indent;
    for (unsigned i = 0; i < t->columns; i++) {
        width += t->widths[i] + (i > 0 ? 2 : 0);
        if (i >= 2 && t->room > 0 && width > t->room)
            return i;
    }
    return t->columns;
}

void table_print(struct table *t, unsigned indent, FILE *out)
{
    unsigned shown = columns_shown(t, indent);
    const char *at = (const char *)t->cells.data;
    const char *end = at + t->cells.len;
    while (at < end) {
        size_t blanks = indent; /* due before the next text: none at the end of a line */
        for (unsigned i = 0; *at != row_end; i++) {
            size_t room = t->widths[i] - width_of(at);
            blanks += t->right[i] ? room : 0;
            if (*at != '\0' && i < shown) {
                pad(blanks, out);
                (void)fputs(at, out);
                blanks = 0;
            }
            blanks += (t->right[i] ? 0 : room) + 2;
            at += strlen(at) + 1;
        }
        (void)fputc('\n', out);
        at++;
    }
    buf_free(&t->cells);
    *t = (struct table){0};
}
