/* SPDX-License-Identifier: MIT */
#include "verify/rows.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/num.h"
#include "verify/sequences.h"
#include "store/route.h"
#include "store/writer.h"
#include "batch/seqset.h"

/* The columns that are looked at, if they are there. */
enum {
    STREAM_SEQ,
    TIMESTAMP_NS,
    STREAM_TIME,
    SIMULATION_ID,
    EVENT_TYPE_KEY,
    WORKER_ID,
    COLUMNS,
};

static const struct {
    const char *name;
    enum parquet_type type;
} expected[COLUMNS] = {
    [STREAM_SEQ] = {"stream_seq", PARQUET_TYPE_INT64},
    [TIMESTAMP_NS] = {"timestamp_ns", PARQUET_TYPE_INT64},
    [STREAM_TIME] = {"stream_time", PARQUET_TYPE_INT64},
    [SIMULATION_ID] = {"simulation_id", PARQUET_TYPE_BYTE_ARRAY},
    [EVENT_TYPE_KEY] = {"event_type_key", PARQUET_TYPE_BYTE_ARRAY},
    [WORKER_ID] = {"worker_id", PARQUET_TYPE_BYTE_ARRAY},
};

/* A time that is more than this ahead of the clock that filed it is not believed; the clock was not
 * before stream_time, but for what the clocks of server and writer differ. */
#define AHEAD_MAX (24 * 3600 * CLOCK_SECOND)
#define SKEW_MAX (3600 * CLOCK_SECOND)

struct check {
    const struct parquet_file *file;
    struct report *report;
    uint32_t columns[COLUMNS];
    uint32_t count; /* of the columns that are read: only the first, or all */
    struct store_path path_template;
    struct store_path_values values; /* what all rows have in common */
    struct store_kind kind;          /* with that path: for `placed` */
    struct routes placed;            /* what rows had that may be where they are */
    struct slice stem;               /* where the file is, without its ending */
    struct slice plain_stem;         /* and without "-<digits>": see object_name_numbered */
    uint64_t first_seq, last_seq;
    struct buf key, wanted;
    uint64_t misplaced; /* rows */
};

bool verify_rows_applies(const struct parquet_file *file)
{
    return parquet_file_value(file, "varve.stream").data != NULL;
}

bool verify_rows_are_numbered(const struct parquet_file *file)
{
    int64_t leaf = parquet_file_leaf(file, slice_of(expected[STREAM_SEQ].name));
    return leaf >= 0 && file->leaves[leaf].type.type == expected[STREAM_SEQ].type;
}

static struct slice or_empty(struct slice value)
{
    return value.data != NULL ? value : (struct slice){(const uint8_t *)"", 0};
}

static bool find_columns(struct check *c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t leaf = parquet_file_leaf(c->file, slice_of(expected[i].name));
        if (leaf < 0 || c->file->leaves[leaf].type.type != expected[i].type)
            return false;
        c->columns[i] = (uint32_t)leaf;
    }
    return true;
}

static bool ends_with_path(struct slice path, struct slice end)
{
    if (path.len < end.len || memcmp(path.data + path.len - end.len, end.data, end.len) != 0)
        return false;
    return path.len == end.len || path.data[path.len - end.len - 1] == '/';
}

/* True if the file may be where it is for a row of this time and these names. */
static bool fits(struct check *c, struct store_path_values *values, int64_t time)
{
    values->time = time;
    if (routes_find(&c->placed, &c->kind, 0, values) >= 0)
        return true;
    buf_reset(&c->key);
    store_path_key(&c->key, &c->path_template, values);
    buf_reset(&c->wanted);
    store_path_name(&c->wanted, buf_slice(&c->key), c->first_seq, c->last_seq);
    struct slice wanted = {c->wanted.data, c->wanted.len - strlen(".parquet")};
    if (!ends_with_path(c->stem, wanted) && !ends_with_path(c->plain_stem, wanted))
        return false;
    routes_add(&c->placed, &c->kind, 0, values, 0);
    return true;
}

static void check_place(struct check *c, const struct slice *row)
{
    int64_t time = (int64_t)load_u64le(row[TIMESTAMP_NS].data), stream_time = 0;
    struct store_path_values values = c->values;
    values.simulation_id = or_empty(row[SIMULATION_ID]);
    values.event_type_key = or_empty(row[EVENT_TYPE_KEY]);
    values.worker_id = or_empty(row[WORKER_ID]);
    if (time > 0 && fits(c, &values, time))
        return;
    if (__builtin_mul_overflow((int64_t)load_u64le(row[STREAM_TIME].data), 1000, &stream_time))
        stream_time = 0;
    bool absurd = time <= 0 || time - AHEAD_MAX > stream_time - SKEW_MAX;
    if (absurd && fits(c, &values, stream_time))
        return;
    if (c->misplaced++ == 0)
        report_found(c->report, "path", "the row with sequence %" PRIu64 " belongs in %s",
                     load_u64le(row[STREAM_SEQ].data), buf_text(&c->wanted));
}

/* Between which values a column of a row group is, as its statistics say, which parquet_verify has
 * compared with the values. False if they don't say so of each row. */
static bool read_bounds(const struct check *c, const struct parquet_row_group *group, int column,
                        struct slice *low, struct slice *high)
{
    const struct parquet_statistics *s = &group->columns[c->columns[column]].statistics;
    bool text = expected[column].type == PARQUET_TYPE_BYTE_ARRAY;
    *low = s->min;
    *high = s->max;
    if (text && s->has_null_count && s->null_count == group->num_rows) {
        *low = *high = or_empty((struct slice){0});
        return true;
    }
    return s->has_null_count && s->null_count == 0 && s->has_min && s->has_max &&
           parquet_file_is_ordered(c->file, c->columns[column]);
}

/* The least and the greatest of what the rows of the group have in columns that are in the path. */
static bool read_extremes(const struct check *c, const struct parquet_row_group *group,
                          struct store_path_values *low, struct store_path_values *high)
{
    uint32_t fields = c->path_template.fields;
    struct slice first, last;
    if ((fields & 1U << STORE_PATH_SIMULATION_ID) != 0 &&
        !read_bounds(c, group, SIMULATION_ID, &low->simulation_id, &high->simulation_id))
        return false;
    if ((fields & 1U << STORE_PATH_EVENT_TYPE_KEY) != 0 &&
        !read_bounds(c, group, EVENT_TYPE_KEY, &low->event_type_key, &high->event_type_key))
        return false;
    if ((fields & 1U << STORE_PATH_WORKER_ID) != 0 &&
        !read_bounds(c, group, WORKER_ID, &low->worker_id, &high->worker_id))
        return false;
    if (!read_bounds(c, group, STREAM_TIME, &first, &last) ||
        !read_bounds(c, group, TIMESTAMP_NS, &first, &last))
        return false;
    low->time = (int64_t)load_u64le(first.data);
    high->time = (int64_t)load_u64le(last.data);
    return low->time > 0;
}

/* True if the statistics show already that each row may be where it is, which is so in most files:
 * then the columns that say so need not be read once more. */
static bool all_are_placed(struct check *c)
{
    const struct parquet_file_metadata *m = &c->file->metadata;
    for (uint32_t i = 0; i < m->row_groups_count; i++) {
        struct store_path_values low = c->values, high = low;
        if (m->row_groups[i].num_rows == 0)
            continue;
        if (!read_extremes(c, &m->row_groups[i], &low, &high) ||
            !store_path_same(&c->path_template, &low, &high) || !fits(c, &low, low.time))
            return false;
    }
    return true;
}

/* The path can be checked if the footer has its template, its sequences and the instance, and the
 * rows have all that templates can name. */
static void prepare_path(struct check *c, const char *path)
{
    struct err err = {0};
    struct slice template = parquet_file_value(c->file, "varve.path_template");
    char text[STORE_PATH_TEMPLATE_MAX + 1];
    size_t ending = strlen(".parquet");
    if (template.data == NULL || template.len >= sizeof(text) || path == NULL ||
        strlen(path) < ending ||
        !num_parse_u64(parquet_file_value(c->file, "varve.first_seq"), &c->first_seq) ||
        !num_parse_u64(parquet_file_value(c->file, "varve.last_seq"), &c->last_seq))
        return;
    memcpy(text, template.data, template.len);
    text[template.len] = '\0';
    if (store_path_parse(&c->path_template, text, &err) != 0) {
        report_found(c->report, "footer", "varve.path_template: %s", err.text);
        return;
    }
    c->values.stream = or_empty(parquet_file_value(c->file, "varve.stream"));
    c->values.instance = parquet_file_value(c->file, "varve.instance");
    if ((c->values.instance.data == NULL &&
         (c->path_template.fields & 1U << STORE_PATH_INSTANCE) != 0) ||
        !find_columns(c, COLUMNS))
        return;
    c->values.instance = or_empty(c->values.instance);
    c->count = COLUMNS;
    c->kind.path = &c->path_template;
    c->stem = (struct slice){(const uint8_t *)path, strlen(path) - ending};
    c->plain_stem = c->stem;
    while (c->plain_stem.len > 0 && c->stem.data[c->plain_stem.len - 1] >= '0' &&
           c->stem.data[c->plain_stem.len - 1] <= '9')
        c->plain_stem.len--;
    if (c->plain_stem.len > 0 && c->stem.data[c->plain_stem.len - 1] == '-')
        c->plain_stem.len--;
    if (all_are_placed(c))
        c->count = 1;
}

static bool note_sequence(struct check *c, struct seqset *set, uint64_t sequence)
{
    if (set->count > 0) {
        struct seqrange *last = &set->list[set->count - 1];
        if (last->last != UINT64_MAX && sequence == last->last + 1) {
            last->last = sequence;
            return true;
        }
    }
    if (set->count == VERIFY_RANGES_MAX) {
        report_found(c->report, "unsupported", "the sequences of the rows form more than %d ranges",
                     (int)VERIFY_RANGES_MAX);
        return false;
    }
    *array_add(set) = (struct seqrange){sequence, sequence};
    return true;
}

static bool read_rows(struct check *c, struct parquet_codec *codec, struct parquet_rows **memory,
                      struct seqset *set)
{
    struct parquet_rows *rows = parquet_rows_renew(*memory, c->file, c->columns, c->count, codec);
    struct slice row[COLUMNS];
    struct err err = {0};
    int more = 0;
    *memory = rows;
    while ((more = parquet_rows_next(rows, row, &err)) == 1) {
        bool null = row[STREAM_SEQ].data == NULL;
        if (c->count == COLUMNS)
            null = null || row[TIMESTAMP_NS].data == NULL || row[STREAM_TIME].data == NULL;
        if (null) {
            report_found(c->report, "sequence", "a row has no sequence, or no time");
            break;
        }
        if (!note_sequence(c, set, load_u64le(row[STREAM_SEQ].data)))
            break;
        if (c->count == COLUMNS)
            check_place(c, row);
    }
    if (c->misplaced > 1)
        report_found(c->report, "path", "%" PRIu64 " rows in total belong elsewhere", c->misplaced);
    return more == 0;
}

static void check_number(struct check *c, const char *key, uint64_t actual)
{
    struct slice text = parquet_file_value(c->file, key);
    uint64_t stated = 0;
    if (text.data == NULL)
        return;
    if (!num_parse_u64(text, &stated) || stated != actual)
        report_found(c->report, "footer", "%s is %.*s, the rows say %" PRIu64, key, (int)text.len,
                     (const char *)text.data, actual);
}

static void check_footer(struct check *c, const struct seqset *set)
{
    struct slice text = parquet_file_value(c->file, "varve.sequences");
    struct seqset stated = {0};
    check_number(c, "varve.rows", (uint64_t)c->file->metadata.num_rows);
    check_number(c, "varve.first_seq", set->list[0].first);
    check_number(c, "varve.last_seq", set->list[set->count - 1].last);
    if (text.data != NULL && (!seqset_parse_text(&stated, text) || stated.count != set->count ||
                              memcmp(stated.list, set->list, set->count * sizeof(*set->list)) != 0))
        report_found(c->report, "footer", "varve.sequences are not those of the rows");
    seqset_free(&stated);
}

bool verify_rows(const struct parquet_file *file, const char *path, bool shared,
                 struct parquet_codec *codec, struct parquet_rows **memory, struct report *report,
                 struct seqset *sequences)
{
    struct check c = {.file = file, .report = report, .count = 1};
    uint64_t twice = 0;
    seqset_reset(sequences);
    if (!find_columns(&c, 1)) {
        report_found(report, "footer", "a file written by varve has no column stream_seq");
        return false;
    }
    prepare_path(&c, path);
    bool whole = read_rows(&c, codec, memory, sequences);
    sequences_normalize(sequences, &twice);
    if (twice != 0 && !shared)
        report_found(report, "duplicate", "sequence %" PRIu64 " is in the file twice", twice);
    if (whole && sequences->count > 0)
        check_footer(&c, sequences);
    buf_free(&c.key);
    routes_free(&c.placed);
    buf_free(&c.wanted);
    return whole;
}
