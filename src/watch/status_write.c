/* SPDX-License-Identifier: MIT */
#include "watch/pages.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

/* Of a curve, in the units of its viewBox. */
enum { CURVE_WIDTH = 240, CURVE_HEIGHT = 40 };

static bool is_page(const struct status_writer *w)
{
    return w->form == STATUS_PAGE;
}

static void append_escaped(struct buf *out, const char *text)
{
    static const char *const entities[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;",
    };
    for (; *text != '\0'; text++) {
        const char *entity = entities[(uint8_t)*text];
        if (entity != NULL)
            buf_append_text(out, entity);
        else
            buf_append_byte(out, (uint8_t)*text);
    }
}

void status_begin(struct status_writer *w, struct buf *out, enum status_form form, bool good)
{
    *w = (struct status_writer){.out = out, .form = form, .json.out = out};
    const char *level = good ? "good" : "bad";
    if (is_page(w)) {
        buf_printf(out, "<body data-level=\"%s\">\n", level);
    } else {
        json_open_object(&w->json, NULL);
        json_put_text(&w->json, "level", level);
    }
}

void status_end(struct status_writer *w)
{
    if (is_page(w))
        return;
    json_close_object(&w->json);
    buf_append_byte(w->out, '\n');
}

void status_heading(struct status_writer *w, const char *text)
{
    if (is_page(w))
        buf_printf(w->out, "<h2>%s</h2>\n", text);
}

void status_facts_begin(struct status_writer *w)
{
    buf_append_text(w->out, is_page(w) ? "<dl>\n" : "");
}

void status_facts_end(struct status_writer *w)
{
    buf_append_text(w->out, is_page(w) ? "</dl>\n" : "");
}

/* The text of an element, or the value of a member or of an array (`id` is NULL). */
static void put_text(struct status_writer *w, const char *id, const char *text)
{
    if (is_page(w))
        append_escaped(w->out, text);
    else
        json_put_text(&w->json, id, text);
}

__attribute__((format(printf, 3, 0))) static void put_formatted(struct status_writer *w,
                                                                const char *id, const char *format,
                                                                va_list args)
{
    char text[STATUS_TEXT_MAX];
    (void)vsnprintf(text, sizeof(text), format, args);
    put_text(w, id, text);
}

void status_line(struct status_writer *w, const char *id, const char *text)
{
    if (is_page(w))
        buf_printf(w->out, "<p id=\"%s\">", id);
    put_text(w, id, text);
    buf_append_text(w->out, is_page(w) ? "</p>\n" : "");
}

static void open_fact(struct status_writer *w, const char *id, const char *label)
{
    if (is_page(w))
        buf_printf(w->out, "<div><dt>%s</dt><dd id=\"%s\">", label, id);
}

void status_fact(struct status_writer *w, const char *id, const char *label, const char *format,
                 ...)
{
    va_list args;
    open_fact(w, id, label);
    va_start(args, format);
    put_formatted(w, id, format, args);
    va_end(args);
    buf_append_text(w->out, is_page(w) ? "</dd></div>\n" : "");
}

/* "x,y x,y ...", the newest at the right edge. */
static void append_points(struct buf *out, const struct status_curve *curve)
{
    uint64_t greatest = 1;
    for (size_t i = 0; i < curve->count; i++)
        greatest = curve->values[i] > greatest ? curve->values[i] : greatest;
    for (size_t i = 0; i < curve->count; i++) {
        double back = (double)(curve->count - 1 - i) / (double)(STATUS_CURVE_POINTS - 1);
        double high = (double)curve->values[i] / (double)greatest;
        buf_printf(out, "%s%.1f,%.1f", i > 0 ? " " : "", (double)CURVE_WIDTH * (1 - back),
                   (double)CURVE_HEIGHT * (1 - high));
    }
}

void status_curve_fact(struct status_writer *w, const char *id, const char *label,
                       const struct status_curve *curve, const char *format, ...)
{
    va_list args;
    ASSERT(curve->count <= STATUS_CURVE_POINTS);
    open_fact(w, id, label);
    va_start(args, format);
    put_formatted(w, id, format, args);
    va_end(args);
    if (is_page(w)) {
        buf_printf(w->out,
                   "</dd><dd><svg viewBox=\"0 -1 %d %d\" preserveAspectRatio=\"none\" "
                   "aria-hidden=\"true\"><polyline id=\"%s-curve\" points=\"",
                   CURVE_WIDTH, CURVE_HEIGHT + 2, id);
    } else {
        char name[STATUS_TEXT_MAX];
        (void)snprintf(name, sizeof(name), "%s-curve", id);
        buf_append_byte(json_put_raw(&w->json, name), '"');
    }
    append_points(w->out, curve);
    buf_append_text(w->out, is_page(w) ? "\"/></svg></dd></div>\n" : "\"");
}

void status_table_begin(struct status_writer *w, const char *id, const char *const *headings)
{
    w->row = false;
    if (!is_page(w)) {
        json_open_array(&w->json, id);
        return;
    }
    buf_append_text(w->out, "<div class=\"wide\" tabindex=\"0\"><table><thead><tr>");
    for (; *headings != NULL; headings++)
        buf_printf(w->out, "<th scope=\"col\">%s</th>", *headings);
    buf_printf(w->out, "</tr></thead>\n<tbody id=\"%s\">", id);
}

static void close_row(struct status_writer *w)
{
    if (w->row && is_page(w))
        buf_append_text(w->out, "</tr>\n");
    else if (w->row)
        json_close_array(&w->json);
    w->row = false;
}

void status_row(struct status_writer *w)
{
    close_row(w);
    if (is_page(w))
        buf_append_text(w->out, "<tr>");
    else
        json_open_array(&w->json, NULL);
    w->row = true;
}

void status_cell(struct status_writer *w, const char *format, ...)
{
    va_list args;
    buf_append_text(w->out, is_page(w) ? "<td>" : "");
    va_start(args, format);
    put_formatted(w, NULL, format, args);
    va_end(args);
    buf_append_text(w->out, is_page(w) ? "</td>" : "");
}

void status_table_end(struct status_writer *w)
{
    close_row(w);
    if (is_page(w))
        buf_append_text(w->out, "</tbody></table></div>\n");
    else
        json_close_array(&w->json);
}
