/* SPDX-License-Identifier: MIT */
#include "watch/page_part.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of a curve, in the units of its viewBox. */
enum { CURVE_WIDTH = 240, CURVE_HEIGHT = 40 };

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

/* Text of the page, whatever is in the arguments. */
void page_say(struct buf *out, const char *format, ...)
{
    char text[STATUS_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    append_escaped(out, text);
}

const char *page_count(uint64_t n, char out[static NUM_COUNT_TEXT_MAX])
{
    num_format_count(n, out);
    return out;
}

const char *page_size(uint64_t bytes, char out[static NUM_SIZE_TEXT_MAX])
{
    num_format_size(bytes, out);
    return out;
}

/* About how long, in one unit: "3 s", "5 min". */
const char *page_span(int64_t ns, char out[static NUM_SIZE_TEXT_MAX])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{24 * 3600, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t seconds = (ns < 0 ? 0 : ns) / CLOCK_SECOND;
    size_t i = 0;
    while (units[i].seconds > 1 && seconds < 2 * units[i].seconds)
        i++;
    (void)snprintf(out, NUM_SIZE_TEXT_MAX, "%" PRId64 " %s", seconds / units[i].seconds,
                   units[i].name);
    return out;
}

/* A time of clock_wall: the clock alone where it is of today, else the day, too. */
const char *page_clock(int64_t wall, char out[static TIME_TEXT_MAX])
{
    char full[TIME_TEXT_MAX], today[TIME_TEXT_MAX];
    const int day = 10; /* of "2026-11-27T02:30:00Z" */
    time_format(wall, 0, full);
    time_format(clock_wall(), 0, today);
    if (strncmp(full, today, (size_t)day) == 0)
        (void)snprintf(out, TIME_TEXT_MAX, "%.8s", full + day + 1);
    else
        (void)snprintf(out, TIME_TEXT_MAX, "%.*s %.8s", day, full, full + day + 1);
    return out;
}

const char *page_ago(int64_t wall, char out[static NUM_SIZE_TEXT_MAX])
{
    return page_span(clock_wall() - wall, out);
}

void page_curve(struct buf *out, const struct stats_curve *curve)
{
    uint64_t greatest = 1;
    for (size_t i = 0; i < curve->count; i++)
        greatest = curve->values[i] > greatest ? curve->values[i] : greatest;
    buf_printf(out,
               "<svg viewBox=\"0 -1 %d %d\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
               "<polyline points=\"",
               CURVE_WIDTH, CURVE_HEIGHT + 2);
    for (size_t i = 0; i < curve->count; i++) {
        double back = (double)(curve->count - 1 - i) / (double)(STATS_SAMPLES - 1);
        double high = (double)curve->values[i] / (double)greatest;
        buf_printf(out, "%s%.0f,%.1f", i > 0 ? " " : "", (double)CURVE_WIDTH * (1 - back),
                   (double)CURVE_HEIGHT * (1 - high));
    }
    buf_append_text(out, "\"/></svg>");
}
