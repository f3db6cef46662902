/* SPDX-License-Identifier: MIT */
#include "follow/series_point.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/num.h"
#include "event/event.h"
#include "follow/line_protocol.h"

enum { SOURCES_MAX = 256 };

static const char *const types[] = {
    [SERIES_DOUBLE] = "double",
    [SERIES_INTEGER] = "integer",
    [SERIES_BOOLEAN] = "boolean",
    [SERIES_LABEL] = "text",
};

/* Cut what stands in front of the next blank off; empty: there is no more. */
static struct slice next_word(struct slice *rest)
{
    struct slice word = *rest;
    const uint8_t *blank = rest->len > 0 ? memchr(rest->data, ' ', rest->len) : NULL;
    word.len = blank != NULL ? (size_t)(blank - rest->data) : rest->len;
    size_t gone = word.len + (blank != NULL);
    *rest = (struct slice){rest->data + gone, rest->len - gone};
    return word;
}

/* In a line: escaped, and with `end` behind it. */
static struct slice keep_name(struct series_point *p, struct slice name, const char *end)
{
    struct buf text = {0};
    line_append_key(&text, name);
    buf_append_text(&text, end);
    struct slice kept = {(const uint8_t *)arena_text(&p->arena, text.data, text.len), text.len};
    buf_free(&text);
    return kept;
}

/* What is in a column of the row differs from one event to the next, or is no text. */
static int check_tag(const char *name, struct err *err)
{
    static const char *const wrong[] = {"event_id",   "correlation_id", "event_payload",
                                        "headers",    "unknown_fields", "timestamp_ns",
                                        "event_time", "stream_time"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (strcmp(name, wrong[i]) == 0)
            return err_set(err, ERR_USAGE, "%s has too many values for a tag", name);
    return 0;
}

bool series_source_fits(const struct series_source *s, const struct column_spec *spec)
{
    bool text = spec->type == COLUMN_BYTES && spec->meaning != COLUMN_RAW;
    bool whole = spec->type == COLUMN_INT64 || spec->type == COLUMN_INT32;
    switch (s->type) {
    case SERIES_DOUBLE:
        return whole || spec->type == COLUMN_DOUBLE || spec->type == COLUMN_FLOAT;
    case SERIES_INTEGER:
        return whole;
    case SERIES_BOOLEAN:
        return spec->type == COLUMN_BOOLEAN;
    case SERIES_LABEL:
        return text || (s->is_tag && (whole || spec->type == COLUMN_BOOLEAN));
    }
    return false;
}

/* Where it comes from: "row.COLUMN", "$.PATH", "PATH"; as a tag also "COLUMN". */
static int find_source(struct series_point *p, struct series_source *s, struct slice path,
                       struct err *err)
{
    const char *text = arena_text(&p->arena, path.data, path.len);
    const char *row = slice_starts_with(path, "row.") ? text + strlen("row.")
                      : s->is_tag                     ? text
                                                      : "";
    s->column = schema_find(&event_schema, row);
    if (s->column < 0 && row != text && row[0] != '\0')
        return err_set(err, ERR_USAGE, "%s: the row has no such column", text);
    if (s->column >= 0) {
        if (!series_source_fits(s, &event_schema.columns[s->column]))
            return err_set(err, ERR_USAGE, "%s is no %s", row, types[s->type]);
        return s->is_tag ? check_tag(row, err) : 0;
    }
    s->path = text;
    return 0;
}

static struct slice last_step(struct slice path)
{
    size_t at = path.len;
    while (at > 0 && path.data[at - 1] != '.')
        at--;
    return (struct slice){path.data + at, path.len - at};
}

static int add_source(struct series_point *p, struct slice name, struct slice type,
                      struct slice path, bool is_tag, struct err *err)
{
    size_t known = 0;
    while (known < sizeof(types) / sizeof(types[0]) && !slice_is(type, types[known]))
        known++;
    if (known == sizeof(types) / sizeof(types[0]))
        return err_set(err, ERR_USAGE, "\"%.*s\": a field is double, integer, boolean or text",
                       (int)type.len, (const char *)type.data);
    if (path.len == 0 || !line_name_ok(name))
        return err_set(err, ERR_USAGE, "\"%.*s\" can't be the name of a tag or field",
                       (int)name.len, (const char *)name.data);
    if (p->sources.count == SOURCES_MAX)
        return err_set(err, ERR_USAGE, "more than %d tags and fields", SOURCES_MAX);
    struct series_source s = {.name = keep_name(p, name, "="),
                              .type = (enum series_type)known,
                              .is_tag = is_tag,
                              .seen.account = p->account};
    if (find_source(p, &s, path, err) != 0)
        return -1;
    size_t at = p->sources.count;
    for (size_t i = 0; i < at; i++)
        if (slice_equal(p->sources.list[i].name, s.name))
            return err_set(err, ERR_USAGE, "two tags or fields are called %.*s", (int)name.len,
                           (const char *)name.data);
    (void)array_add(&p->sources);
    /* Servers are quicker where tags are in this order. */
    for (; is_tag && at > 0 && slice_compare(p->sources.list[at - 1].name, s.name) > 0; at--)
        p->sources.list[at] = p->sources.list[at - 1];
    p->sources.list[at] = s;
    return 0;
}

static int parse_part(struct series_point *p, struct slice *rest, struct err *err)
{
    struct slice word = next_word(rest), name = next_word(rest);
    if (slice_is(word, "tag") && p->counts)
        return add_source(p, last_step(name), slice_of("text"), name, true, err);
    if (slice_is(word, "field")) {
        struct slice type = next_word(rest);
        p->counts = false;
        return add_source(p, name, type, next_word(rest), false, err);
    }
    bool by_stream = slice_is(name, "stream_time");
    if (slice_is(word, "timestamp") && rest->len == 0 &&
        (by_stream || slice_is(name, "timestamp_ns"))) {
        p->by_stream_time = by_stream;
        return 0;
    }
    return err_set(err, ERR_USAGE,
                   "a point is \"EVENT_TYPE MEASUREMENT\", then \"tag SOURCE\", then \"field NAME "
                   "TYPE SOURCE\", then \"timestamp timestamp_ns\" or \"timestamp stream_time\"");
}

int series_point_init(struct series_point *p, const struct config *config, const char *text,
                      uint64_t max_tag_values, struct account *account, struct err *err)
{
    struct slice rest = slice_of(text);
    struct slice type = next_word(&rest), measurement = next_word(&rest);
    p->account = p->series.account = p->fields.account = p->reason.account = account;
    p->event_type = arena_text(&p->arena, type.data, type.len);
    p->any = slice_is(type, "*");
    p->counts = true;
    p->max_tag_values = max_tag_values;
    p->measurement = keep_name(p, measurement, "");
    if (!line_name_ok(measurement))
        return err_set(err, ERR_USAGE, "\"%.*s\" can't be the name of a measurement",
                       (int)measurement.len, (const char *)measurement.data);
    while (rest.len > 0)
        if (parse_part(p, &rest, err) != 0)
            return -1;
    return series_payload_init(p, config, err);
}

static int64_t whole_of(const struct column_spec *spec, struct slice value)
{
    return spec->type == COLUMN_INT32 ? (int32_t)load_u32le(value.data)
                                      : (int64_t)load_u64le(value.data);
}

static double real_of(const struct column_spec *spec, struct slice value)
{
    double wide;
    float narrow;
    if (spec->type == COLUMN_DOUBLE) {
        uint64_t bits = load_u64le(value.data);
        memcpy(&wide, &bits, sizeof(wide));
        return wide;
    }
    if (spec->type == COLUMN_FLOAT) {
        uint32_t bits = load_u32le(value.data);
        memcpy(&narrow, &bits, sizeof(narrow));
        return (double)narrow;
    }
    return (double)whole_of(spec, value);
}

static void append_whole(struct buf *out, int64_t value)
{
    buf_printf(out, "%" PRId64, value);
}

static bool append_tag(struct buf *out, const struct column_spec *spec, struct slice value)
{
    if (spec->type == COLUMN_BYTES)
        line_append_key(out, value);
    else if (spec->type == COLUMN_BOOLEAN)
        buf_append_text(out, value.data[0] != 0 ? "true" : "false");
    else
        append_whole(out, whole_of(spec, value));
    return value.len > 0;
}

bool series_append_value(const struct series_source *s, const struct column_spec *spec,
                         struct slice value, struct buf *out)
{
    switch (s->type) {
    case SERIES_DOUBLE: {
        double real = real_of(spec, value);
        if (!isfinite(real))
            return false;
        num_append_real(out, real, false);
        return true;
    }
    case SERIES_INTEGER:
        append_whole(out, whole_of(spec, value));
        buf_append_byte(out, 'i');
        return true;
    case SERIES_BOOLEAN:
        buf_append_text(out, value.data[0] != 0 ? "true" : "false");
        return true;
    case SERIES_LABEL:
        if (s->is_tag)
            return append_tag(out, spec, value);
        line_append_string(out, value);
        return true;
    }
    return false;
}

/* When it was, by the stream where the event's own clock can't be right. False: nobody knows. */
static bool find_time(struct series_point *p, const struct follow_event *row)
{
    struct slice own = row->values[EVENT_COLUMN_TIMESTAMP_NS];
    struct slice came = row->values[EVENT_COLUMN_STREAM_TIME];
    bool suspect = row->values[EVENT_COLUMN_EVENT_TIME].data == NULL || own.data == NULL;
    if (!p->by_stream_time && !suspect) {
        p->time = (int64_t)load_u64le(own.data);
        return true;
    }
    if (came.data == NULL)
        return false;
    return !__builtin_mul_overflow((int64_t)load_u64le(came.data), INT64_C(1000), &p->time);
}

/* Each value of a tag is one more series. */
static int guard(struct series_point *p, struct series_source *s, struct slice value,
                 struct err *err)
{
    uint64_t hash = map_hash(value);
    struct slice key = {(const uint8_t *)&hash, sizeof(hash)};
    bool added;
    if (p->max_tag_values == 0 || map_find(&s->seen, key) >= 0)
        return 0;
    if (s->seen.count >= p->max_tag_values)
        return err_set(err, ERR_LIMIT,
                       "tag %.*s of %.*s has more than %" PRIu64
                       " values, each of which is a series: take it out, or raise max_tag_values",
                       (int)s->name.len - 1, (const char *)s->name.data, (int)p->measurement.len,
                       (const char *)p->measurement.data, p->max_tag_values);
    (void)map_put(&s->seen, key, &added);
    return 0;
}

/* Append a tag with ',' in front, or a field with ',' between; nothing where there is no value. */
static int append_source(struct series_point *p, const struct follow_event *row,
                         const struct series_reading *reading, size_t number, bool *missing,
                         struct err *err)
{
    struct series_source *s = &p->sources.list[number];
    struct buf *out = s->is_tag ? &p->series : &p->fields;
    size_t before = out->len;
    bool has;
    if (s->is_tag || before > 0)
        buf_append_byte(out, ',');
    buf_append_slice(out, s->name);
    size_t start = out->len;
    if (s->column >= 0)
        has = row->values[s->column].data != NULL &&
              series_append_value(s, &event_schema.columns[s->column], row->values[s->column], out);
    else
        has = series_append_read(p, reading, number, out);
    if (!has) {
        out->len = before;
        *missing = *missing || s->column < 0;
        return 0;
    }
    struct slice value = {out->data + start, out->len - start};
    return s->is_tag ? guard(p, s, value, err) : 0;
}

int series_point_make(struct series_point *p, const struct follow_event *row, bool *made,
                      struct err *err)
{
    const struct series_reading *reading = NULL;
    bool missing = false;
    *made = false;
    buf_reset(&p->series);
    buf_reset(&p->fields);
    buf_reset(&p->reason);
    if (!p->any && !slice_is(row->values[EVENT_COLUMN_EVENT_TYPE_KEY], p->event_type))
        return 0;
    if (!find_time(p, row)) {
        buf_append_text(&p->reason, "it has no time");
        return 0;
    }
    if (p->settings != NULL && (reading = series_payload_read(p, row)) == NULL)
        return 0;
    buf_append_slice(&p->series, p->measurement);
    for (size_t i = 0; i < p->sources.count; i++)
        if (append_source(p, row, reading, i, &missing, err) != 0)
            return -1;
    if (!missing)
        buf_reset(&p->reason); /* what is wrong is nothing that was asked for */
    *made = p->counts || p->fields.len > 0;
    return 0;
}

void series_point_free(struct series_point *p)
{
    series_payload_free(p);
    for (size_t i = 0; i < p->sources.count; i++)
        map_free(&p->sources.list[i].seen);
    array_free(&p->sources);
    buf_free(&p->series);
    buf_free(&p->fields);
    buf_free(&p->reason);
    arena_free(&p->arena);
}
