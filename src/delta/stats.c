/* SPDX-License-Identifier: MIT */
#include "delta/stats.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/time.h"
#include "base/utf8.h"

static bool is_short_text(struct slice text)
{
    return text.len <= STORE_STATS_TEXT_MAX && utf8_valid(text);
}

static bool has_bounds(const struct column_spec *spec, const struct store_column_stats *c)
{
    if (!c->bounded)
        return false;
    if (spec->type == COLUMN_INT64)
        return true;
    return spec->meaning == COLUMN_TEXT && is_short_text(c->text_min) && is_short_text(c->text_max);
}

/* Microseconds in the form that Delta wants. A time that has no such form in nanoseconds is as good
 * as the nearest one that has. */
static void append_time(struct buf *out, int64_t micros)
{
    const int64_t limit = INT64_MAX / 1000;
    int64_t ns = micros > limit ? limit * 1000 : micros < -limit ? -limit * 1000 : micros * 1000;
    char text[TIME_TEXT_MAX];
    time_format(ns, 3, text);
    buf_printf(out, "\"%s\"", text);
}

static void append_bound(struct buf *out, const struct column_spec *spec,
                         const struct store_column_stats *c, bool upper)
{
    if (spec->type == COLUMN_BYTES)
        json_append_string(out, upper ? c->text_max : c->text_min);
    else if (spec->meaning == COLUMN_TIME_MICROS)
        append_time(out, upper ? c->max : c->min);
    else
        buf_printf(out, "%" PRId64, upper ? c->max : c->min);
}

static void append_bounds(struct buf *out, const struct schema *schema,
                          const struct store_column_stats *columns, size_t count, bool upper)
{
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        const struct column_spec *spec = &schema->columns[columns[i].column];
        if (!has_bounds(spec, &columns[i]))
            continue;
        buf_printf(out, "%s\"%s\":", first ? "" : ",", spec->name);
        append_bound(out, spec, &columns[i], upper);
        first = false;
    }
}

void store_stats_write(struct buf *out, const struct schema *schema, uint64_t rows,
                       const struct store_column_stats *columns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ASSERT(columns[i].column < schema->count);
    buf_printf(out, "{\"numRecords\":%" PRIu64 ",\"minValues\":{", rows);
    append_bounds(out, schema, columns, count, false);
    buf_append_text(out, "},\"maxValues\":{");
    append_bounds(out, schema, columns, count, true);
    buf_append_text(out, "},\"nullCount\":{");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",",
                   schema->columns[columns[i].column].name, columns[i].nulls);
    }
    buf_append_text(out, "}}");
}
