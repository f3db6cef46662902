/* SPDX-License-Identifier: MIT */
#include "delta/checkpoint.h"

#include "delta/object_file.h"
#include "parquet/read/records.h"

static void get_text(const struct parquet_value *value, const char *name, struct slice *out)
{
    (void)parquet_value_text(value, name, out); /* else it stays a NULL pointer */
}

static size_t count_entries(const struct parquet_value *list)
{
    size_t count = 0;
    for (const struct parquet_value *e = list->first; e != NULL; e = e->next)
        count++;
    return count;
}

static struct delta_map get_map(struct arena *arena, const struct parquet_value *value,
                                const char *name)
{
    struct delta_map map = {0};
    const struct parquet_value *entries = parquet_value_member(value, name);
    if (entries == NULL || entries->first == NULL)
        return map;
    struct delta_pair *list = arena_calloc(arena, count_entries(entries), sizeof(*list));
    for (const struct parquet_value *e = entries->first; e != NULL; e = e->next) {
        const struct parquet_value *key = e->first;
        const struct parquet_value *text = key == NULL ? NULL : key->next;
        if (key == NULL || key->null)
            continue;
        list[map.count].key = key->bytes;
        if (text != NULL && !text->null)
            list[map.count].value = text->bytes;
        map.count++;
    }
    map.list = list;
    return map;
}

static struct delta_strings get_strings(struct arena *arena, const struct parquet_value *value,
                                        const char *name)
{
    struct delta_strings strings = {0};
    const struct parquet_value *elements = parquet_value_member(value, name);
    if (elements == NULL || elements->first == NULL)
        return strings;
    struct slice *list = arena_calloc(arena, count_entries(elements), sizeof(*list));
    for (const struct parquet_value *e = elements->first; e != NULL; e = e->next) {
        if (!e->null)
            list[strings.count++] = e->bytes;
    }
    strings.list = list;
    return strings;
}

static uint64_t get_vector(const struct parquet_value *value)
{
    const struct parquet_value *vector = parquet_value_member(value, "deletionVector");
    struct slice storage = {0}, text = {0};
    int64_t offset = -1;
    if (vector == NULL)
        return 0;
    get_text(vector, "storageType", &storage);
    get_text(vector, "pathOrInlineDv", &text);
    (void)parquet_value_i64(vector, "offset", &offset);
    return delta_vector(storage, text, offset);
}

static bool get_add(struct delta_add *a, struct arena *arena, const struct parquet_value *value)
{
    int64_t size = 0;
    get_text(value, "path", &a->path);
    get_text(value, "stats", &a->stats);
    (void)parquet_value_i64(value, "modificationTime", &a->modification_time);
    (void)parquet_value_bool(value, "dataChange", &a->data_change);
    a->partition_values = get_map(arena, value, "partitionValues");
    a->tags = get_map(arena, value, "tags");
    a->vector = get_vector(value);
    bool sized = parquet_value_i64(value, "size", &size) && size >= 0;
    a->size = (uint64_t)size;
    return sized && a->path.data != NULL;
}

static bool get_remove(struct delta_remove *r, struct arena *arena,
                       const struct parquet_value *value)
{
    int64_t size = 0;
    get_text(value, "path", &r->path);
    r->has_deletion_timestamp =
        parquet_value_i64(value, "deletionTimestamp", &r->deletion_timestamp);
    (void)parquet_value_bool(value, "dataChange", &r->data_change);
    r->extended = parquet_value_i64(value, "size", &size) && size >= 0;
    r->size = (uint64_t)size;
    r->partition_values = get_map(arena, value, "partitionValues");
    r->vector = get_vector(value);
    return r->path.data != NULL && size >= 0;
}

static bool get_metadata(struct delta_metadata *m, struct arena *arena,
                         const struct parquet_value *value)
{
    const struct parquet_value *format = parquet_value_member(value, "format");
    get_text(value, "id", &m->id);
    get_text(value, "name", &m->name);
    get_text(value, "description", &m->description);
    get_text(value, "schemaString", &m->schema_string);
    get_text(format, "provider", &m->provider);
    m->format_options = get_map(arena, format, "options");
    m->partition_columns = get_strings(arena, value, "partitionColumns");
    m->configuration = get_map(arena, value, "configuration");
    m->has_created_time = parquet_value_i64(value, "createdTime", &m->created_time);
    return m->id.data != NULL && m->schema_string.data != NULL;
}

static bool get_protocol(struct delta_protocol *p, struct arena *arena,
                         const struct parquet_value *value)
{
    p->reader_features = get_strings(arena, value, "readerFeatures");
    p->writer_features = get_strings(arena, value, "writerFeatures");
    return parquet_value_i64(value, "minReaderVersion", &p->reader) &&
           parquet_value_i64(value, "minWriterVersion", &p->writer);
}

static bool get_txn(struct delta_txn *t, const struct parquet_value *value)
{
    t->has_last_updated = parquet_value_i64(value, "lastUpdated", &t->last_updated);
    return parquet_value_text(value, "appId", &t->app_id) &&
           parquet_value_i64(value, "version", &t->version);
}

static const char sidecar[] = "sidecar";

/* The action that a row is; its kind is DELTA_OTHER if it is none of those that count. */
static int get_action(struct delta_action *out, struct arena *arena,
                      const struct parquet_value *row, struct err *err)
{
    const struct parquet_value *value = row->first;
    bool ok = true;
    *out = (struct delta_action){.kind = DELTA_OTHER};
    while (value != NULL && value->null)
        value = value->next;
    if (value == NULL)
        return 0;
    struct slice name = value->field->name;
    if (slice_is(name, delta_kind_name(DELTA_ADD))) {
        out->kind = DELTA_ADD;
        ok = get_add(&out->add, arena, value);
    } else if (slice_is(name, delta_kind_name(DELTA_REMOVE))) {
        out->kind = DELTA_REMOVE;
        ok = get_remove(&out->remove, arena, value);
    } else if (slice_is(name, delta_kind_name(DELTA_TXN))) {
        out->kind = DELTA_TXN;
        ok = get_txn(&out->txn, value);
    } else if (slice_is(name, delta_kind_name(DELTA_METADATA))) {
        out->kind = DELTA_METADATA;
        ok = get_metadata(&out->metadata, arena, value);
    } else if (slice_is(name, delta_kind_name(DELTA_PROTOCOL))) {
        out->kind = DELTA_PROTOCOL;
        ok = get_protocol(&out->protocol, arena, value);
    } else {
        return err_set(err, ERR_UNSUPPORTED,
                       "its actions are in other files (v2Checkpoint), which varve does not read");
    }
    if (!ok)
        return err_set(err, ERR_FORMAT, "an action %.*s does not follow the protocol",
                       (int)name.len, (const char *)name.data);
    return 0;
}

static int read_rows(const struct parquet_file *file, delta_visit *visit, void *context,
                     struct err *err)
{
    static const char *const wanted[] = {"txn", "add", "remove", "metaData", "protocol", sidecar};
    const struct parquet_field *fields[sizeof(wanted) / sizeof(wanted[0])];
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const struct parquet_field *field = parquet_field_child(file->root, slice_of(wanted[i]));
        if (field != NULL)
            fields[count++] = field;
    }
    if (count == 0)
        return err_set(err, ERR_FORMAT, "it has no column add");
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_records *records = parquet_records_new(file, fields, count, codec);
    const struct parquet_value *row;
    struct arena arena = {0};
    int result;
    while ((result = parquet_records_next(records, &row, err)) == 1) {
        struct delta_action action;
        arena_reset(&arena);
        result = get_action(&action, &arena, row, err);
        if (result == 0 && action.kind != DELTA_OTHER)
            result = visit(context, &action, err);
        if (result != 0)
            break;
    }
    arena_free(&arena);
    parquet_records_free(records);
    parquet_codec_free(codec);
    return result;
}

int delta_checkpoint_read(struct object_store *store, const struct delta_checkpoint *checkpoint,
                          delta_visit *visit, void *context, bool *found, struct err *err)
{
    struct delta_object_file part;
    struct buf name = {0};
    uint32_t parts = checkpoint->parts > 0 ? checkpoint->parts : 1;
    int result = 0;
    *found = true;
    for (uint32_t i = 1; i <= parts && result == 0 && *found; i++) {
        buf_reset(&name);
        delta_checkpoint_name(&name, checkpoint, i);
        result = delta_object_file_open(&part, store, buf_text(&name), found, err);
        if (result == 0 && *found)
            result = read_rows(&part.file, visit, context, err);
        if (result == 0 && *found)
            delta_object_file_close(&part);
    }
    if (result != 0) {
        (void)err_prefix(err, "%s", buf_text(&name));
        delta_object_file_close(&part);
    }
    buf_free(&name);
    return result;
}
