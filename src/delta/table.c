/* SPDX-License-Identifier: MIT */
#include "delta/table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/clock.h"
#include "delta/schema.h"
#include "delta/stats.h"

enum {
    READER_VERSION = 1,
    WRITER_VERSION = 2,
    /* Versions up to these ask nothing of a writer who only appends, if the table uses none of what
     * they added: PROTOCOL.md, "Requirements for Writers". */
    WRITER_VERSION_MAX = 4,
    READER_FEATURES = 3, /* from these on features are listed one by one */
    WRITER_FEATURES = 7,
};

#define STATS_COLUMNS "delta.dataSkippingStatsColumns"
#define APPEND_ONLY "delta.appendOnly"

/* What earlier versions of varve had bounds of in the log, before tables said so. */
static const char first_stats_columns[] = "timestamp_ns,simulation_id,stream_seq";

static bool has_stats_columns(const struct delta_metadata *metadata)
{
    for (size_t i = 0; i < metadata->configuration.count; i++) {
        if (slice_is(metadata->configuration.list[i].key, STATS_COLUMNS))
            return true;
    }
    return false;
}

static void append_stats_columns(struct buf *out, const struct schema *schema)
{
    size_t start = out->len;
    for (uint32_t i = 0; i < schema->count; i++) {
        if (!schema->columns[i].bounds || !delta_stats_bound(&schema->columns[i]))
            continue;
        buf_append_text(out, out->len == start ? "" : ",");
        buf_append_text(out, schema->columns[i].name);
    }
}

static void append_commit_info(struct buf *out, const char *operation, const char *engine,
                               int64_t wall_time)
{
    struct delta_action action = {.kind = DELTA_COMMIT_INFO};
    action.commit_info = (struct delta_commit_info){
        .timestamp = wall_time / CLOCK_MILLISECOND,
        .operation = operation,
        .parameters = "{}",
        .engine = engine,
    };
    delta_action_write(out, &action);
}

void delta_table_create(struct buf *out, const struct schema *schema, const char *id,
                        const char *engine, int64_t wall_time)
{
    append_commit_info(out, "CREATE TABLE", engine, wall_time);
    delta_table_describe(out, schema, id, wall_time);
}

void delta_table_describe(struct buf *out, const struct schema *schema, const char *id,
                          int64_t wall_time)
{
    struct buf columns = {0};
    struct buf stats = {0};
    struct delta_action action = {.kind = DELTA_PROTOCOL};
    delta_schema_write(&columns, schema);
    append_stats_columns(&stats, schema);
    action.protocol = (struct delta_protocol){.reader = READER_VERSION, .writer = WRITER_VERSION};
    delta_action_write(out, &action);
    const struct delta_pair configuration[] = {
        {slice_of(APPEND_ONLY), slice_of("true")},
        {slice_of(STATS_COLUMNS), slice_of(buf_text(&stats))}, /* may be empty */
    };
    action.kind = DELTA_METADATA;
    action.metadata = (struct delta_metadata){
        .id = slice_of(id),
        .schema_string = buf_slice(&columns),
        .configuration = {configuration, sizeof(configuration) / sizeof(configuration[0])},
        .has_created_time = true,
        .created_time = wall_time / CLOCK_MILLISECOND,
    };
    delta_action_write(out, &action);
    buf_free(&columns);
    buf_free(&stats);
}

static int check_features(const struct delta_strings *features, const char *const *known,
                          size_t known_count, const char *what, struct err *err)
{
    for (size_t i = 0; i < features->count; i++) {
        struct slice name = features->list[i];
        bool found = false;
        for (size_t j = 0; j < known_count; j++)
            found |= slice_is(name, known[j]);
        if (!found)
            return err_set(err, ERR_UNSUPPORTED,
                           "it needs the Delta %s feature %.*s, which varve does not support", what,
                           (int)(name.len < 100 ? name.len : 100), (const char *)name.data);
    }
    return 0;
}

static int check_protocol(const struct delta_protocol *p, struct err *err)
{
    /* Each asks something of a writer only where the metaData makes use of it. */
    static const char *const writer[] = {"appendOnly", "invariants", "checkConstraints",
                                         "generatedColumns", "changeDataFeed"};
    bool reader_ok = p->reader <= READER_VERSION ||
                     (p->reader == READER_FEATURES && p->writer >= WRITER_FEATURES);
    bool writer_ok = p->writer <= WRITER_VERSION_MAX || p->writer == WRITER_FEATURES;
    if (p->writer == WRITER_FEATURES &&
        (check_features(&p->reader_features, NULL, 0, "reader", err) != 0 ||
         check_features(&p->writer_features, writer, sizeof(writer) / sizeof(writer[0]), "writer",
                        err) != 0))
        return -1;
    if (reader_ok && writer_ok)
        return 0;
    return err_set(err, ERR_UNSUPPORTED,
                   "it needs Delta reader version %" PRId64 " and writer version %" PRId64
                   ", varve has %d and %d",
                   p->reader, p->writer, READER_VERSION, WRITER_VERSION);
}

static int check_configuration(const struct delta_map *configuration, struct err *err)
{
    for (size_t i = 0; i < configuration->count; i++) {
        struct slice key = configuration->list[i].key;
        struct slice value = configuration->list[i].value;
        int shown = (int)(key.len < 100 ? key.len : 100);
        if (slice_starts_with(key, "delta.constraints."))
            return err_set(err, ERR_UNSUPPORTED,
                           "it has a CHECK constraint (%.*s), which varve can't keep", shown,
                           (const char *)key.data);
        if (slice_is(key, "delta.setTransactionRetentionDuration"))
            return err_set(err, ERR_UNSUPPORTED,
                           "its property %.*s makes it forget varve's positions", shown,
                           (const char *)key.data);
        if (slice_is(key, "delta.columnMapping.mode") && !slice_is(value, "none"))
            return err_set(err, ERR_UNSUPPORTED,
                           "its columns have different names in the files (%.*s)", shown,
                           (const char *)key.data);
    }
    return 0;
}

int delta_table_check_state(const struct delta_protocol *protocol,
                            const struct delta_metadata *metadata, struct err *err)
{
    if (check_protocol(protocol, err) != 0)
        return -1;
    if (metadata->partition_columns.count > 0)
        return err_set(err, ERR_UNSUPPORTED, "it has partition columns, which varve can't write");
    if (metadata->provider.data != NULL && !slice_is(metadata->provider, "parquet"))
        return err_set(err, ERR_UNSUPPORTED, "its files are not Parquet");
    return check_configuration(&metadata->configuration, err);
}

int delta_table_check(const struct delta_protocol *protocol, const struct delta_metadata *metadata,
                      const struct schema *schema, bool *evolve, struct err *err)
{
    *evolve = false;
    if (delta_table_check_state(protocol, metadata, err) != 0 ||
        delta_schema_check(metadata->schema_string, schema, evolve, err) != 0)
        return -1;
    *evolve |= !has_stats_columns(metadata);
    return 0;
}

void delta_table_evolve(struct buf *out, const struct delta_metadata *metadata,
                        const struct schema *schema, const char *engine, int64_t wall_time)
{
    struct delta_action action = {.kind = DELTA_METADATA, .metadata = *metadata};
    struct buf columns = {0};
    size_t count = metadata->configuration.count;
    delta_schema_extend(&columns, metadata->schema_string, schema);
    action.metadata.schema_string = buf_slice(&columns);
    struct delta_pair *configuration = calloc(count + 1, sizeof(*configuration));
    if (configuration == NULL)
        out_of_memory((count + 1) * sizeof(*configuration));
    for (size_t i = 0; i < count; i++)
        configuration[i] = metadata->configuration.list[i];
    if (!has_stats_columns(metadata))
        configuration[count++] =
            (struct delta_pair){slice_of(STATS_COLUMNS), slice_of(first_stats_columns)};
    action.metadata.configuration = (struct delta_map){configuration, count};
    append_commit_info(out, "CHANGE COLUMNS", engine, wall_time);
    delta_action_write(out, &action);
    free(configuration);
    buf_free(&columns);
}

bool delta_table_is_append_only(const struct delta_metadata *metadata)
{
    return slice_is(delta_map_get(&metadata->configuration, APPEND_ONLY), "true");
}

void delta_table_allow_removal(struct buf *out, const struct delta_metadata *metadata,
                               const char *engine, int64_t wall_time)
{
    struct delta_action action = {.kind = DELTA_METADATA, .metadata = *metadata};
    size_t count = metadata->configuration.count;
    struct delta_pair *configuration = calloc(count + 1, sizeof(*configuration));
    if (configuration == NULL)
        out_of_memory((count + 1) * sizeof(*configuration));
    for (size_t i = 0; i < count; i++) {
        configuration[i] = metadata->configuration.list[i];
        if (slice_is(configuration[i].key, APPEND_ONLY))
            configuration[i].value = slice_of("false");
    }
    action.metadata.configuration = (struct delta_map){configuration, count};
    append_commit_info(out, "SET TBLPROPERTIES", engine, wall_time);
    delta_action_write(out, &action);
    free(configuration);
}

int delta_table_check_entry(struct slice entry, const struct schema *schema, struct err *err)
{
    struct arena arena = {0};
    struct delta_action action;
    struct delta_protocol protocol = {0};
    struct delta_metadata metadata = {0};
    struct slice line;
    bool evolve;
    int result = 0;
    while (result == 0 && delta_next_line(&entry, &line)) {
        if (line.len == 0)
            continue; /* some writers end with an empty line */
        result = delta_action_parse(&action, &arena, line, err);
        if (result == 0 && action.kind == DELTA_PROTOCOL)
            protocol = action.protocol;
        if (result == 0 && action.kind == DELTA_METADATA)
            metadata = action.metadata;
    }
    if (result == 0 && (protocol.writer == 0 || metadata.id.data == NULL))
        result = err_set(err, ERR_FORMAT, "it has no protocol or no metaData");
    if (result == 0)
        result = delta_table_check(&protocol, &metadata, schema, &evolve, err);
    arena_free(&arena);
    return result;
}
