/* SPDX-License-Identifier: MIT */
#include "delta/stats.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/time.h"
#include "base/utf8.h"

static bool is_short_text(struct slice text)
{
    return text.len <= STORE_STATS_TEXT_MAX && utf8_valid(text);
}

bool delta_stats_bound(const struct column_spec *spec)
{
    return (spec->type == COLUMN_INT64 && spec->meaning != COLUMN_DECIMAL) ||
           (spec->type == COLUMN_BYTES && spec->meaning == COLUMN_TEXT);
}

static bool has_bounds(const struct column_spec *spec, const struct store_column_stats *c)
{
    if (!c->bounded || !delta_stats_bound(spec))
        return false;
    return spec->type == COLUMN_INT64 || (is_short_text(c->text_min) && is_short_text(c->text_max));
}

/* Microseconds in the form that Delta wants, which has milliseconds: bounds must not become
 * narrower by that. A time that has no such form in nanoseconds is as good as the nearest one that
 * has. */
static void put_time(struct json_writer *w, const char *name, int64_t micros, bool upper)
{
    const int64_t limit = INT64_MAX / 1000 - 1000;
    int64_t cut = micros > limit ? limit : micros < -limit ? -limit : micros;
    int64_t rest = (cut % 1000 + 1000) % 1000; /* above the millisecond below */
    cut += upper && rest > 0 ? 1000 - rest : -rest;
    char text[TIME_TEXT_MAX];
    time_format(cut * 1000, 3, text);
    json_put_text(w, name, text);
}

static void put_bound(struct json_writer *w, const struct column_spec *spec,
                      const struct store_column_stats *c, bool upper)
{
    if (spec->type == COLUMN_BYTES)
        json_put_slice(w, spec->name, upper ? c->text_max : c->text_min);
    else if (spec->meaning == COLUMN_TIME_MICROS)
        put_time(w, spec->name, upper ? c->max : c->min, upper);
    else
        json_put_i64(w, spec->name, upper ? c->max : c->min);
}

static void put_bounds(struct json_writer *w, const char *name, const struct schema *schema,
                       const struct store_column_stats *columns, size_t count, bool upper)
{
    json_open_object(w, name);
    for (size_t i = 0; i < count; i++) {
        const struct column_spec *spec = &schema->columns[columns[i].column];
        if (has_bounds(spec, &columns[i]))
            put_bound(w, spec, &columns[i], upper);
    }
    json_close_object(w);
}

/* Whether a text column of which readers expect bounds has none: no short text is as great as its
 * greatest value. */
static bool lacks_bounds(const struct column_spec *spec, const struct store_column_stats *c,
                         uint64_t rows)
{
    return spec->bounds && spec->meaning == COLUMN_TEXT && c->nulls < rows && !has_bounds(spec, c);
}

void store_stats_write(struct buf *out, const struct schema *schema, uint64_t rows,
                       const struct store_column_stats *columns, size_t count)
{
    struct json_writer w = {.out = out};
    bool lacking = count == 0;
    for (size_t i = 0; i < count; i++) {
        ASSERT(columns[i].column < schema->count);
        lacking |= lacks_bounds(&schema->columns[columns[i].column], &columns[i], rows);
    }
    json_open_object(&w, NULL);
    json_put_u64(&w, "numRecords", rows);
    if (!lacking) {
        put_bounds(&w, "minValues", schema, columns, count, false);
        put_bounds(&w, "maxValues", schema, columns, count, true);
        json_open_object(&w, "nullCount");
        for (size_t i = 0; i < count; i++)
            json_put_u64(&w, schema->columns[columns[i].column].name, columns[i].nulls);
        json_close_object(&w);
    }
    json_close_object(&w);
}
