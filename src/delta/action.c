/* SPDX-License-Identifier: MIT */
#include "delta/action.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/text.h"

static const char *const names[] = {
    [DELTA_COMMIT_INFO] = "commitInfo",
    [DELTA_PROTOCOL] = "protocol",
    [DELTA_METADATA] = "metaData",
    [DELTA_TXN] = "txn",
    [DELTA_ADD] = "add",
    [DELTA_REMOVE] = "remove",
};

enum { KINDS = sizeof(names) / sizeof(names[0]) };

const char *delta_kind_name(enum delta_kind kind)
{
    ASSERT(kind != DELTA_OTHER);
    return names[kind];
}

static size_t count_children(const struct json *json)
{
    size_t count = 0;
    for (const struct json *c = json->first; c != NULL; c = c->next)
        count++;
    return count;
}

/* A list of texts; missing or null is an empty one. */
static bool get_strings(struct delta_strings *out, struct arena *arena, const struct json *object,
                        const char *name)
{
    const struct json *array = json_member(object, name);
    *out = (struct delta_strings){0};
    if (array == NULL || array->type == JSON_NULL)
        return true;
    if (array->type != JSON_ARRAY)
        return false;
    struct slice *list = arena_calloc(arena, count_children(array), sizeof(*list));
    for (const struct json *c = array->first; c != NULL; c = c->next) {
        if (c->type != JSON_STRING)
            return false;
        list[out->count++] = c->text;
    }
    out->list = list;
    return true;
}

/* Texts and nulls by name; missing or null is an empty one. */
static bool get_map(struct delta_map *out, struct arena *arena, const struct json *object,
                    const char *name)
{
    const struct json *map = json_member(object, name);
    *out = (struct delta_map){0};
    if (map == NULL || map->type == JSON_NULL)
        return true;
    if (map->type != JSON_OBJECT)
        return false;
    struct delta_pair *list = arena_calloc(arena, count_children(map), sizeof(*list));
    for (const struct json *c = map->first; c != NULL; c = c->next) {
        if (c->type != JSON_STRING && c->type != JSON_NULL)
            return false;
        list[out->count].key = c->key;
        if (c->type == JSON_STRING)
            list[out->count].value = c->text;
        out->count++;
    }
    out->list = list;
    return true;
}

/* A text that may be missing or null. */
static bool get_optional(struct slice *out, const struct json *object, const char *name)
{
    const struct json *member = json_member(object, name);
    if (member == NULL || member->type == JSON_NULL)
        return true;
    return json_get_text(object, name, out);
}

static bool parse_protocol(struct delta_protocol *p, struct arena *arena, const struct json *json)
{
    return json_get_i64(json, "minReaderVersion", &p->reader) &&
           json_get_i64(json, "minWriterVersion", &p->writer) &&
           get_strings(&p->reader_features, arena, json, "readerFeatures") &&
           get_strings(&p->writer_features, arena, json, "writerFeatures");
}

static bool parse_metadata(struct delta_metadata *m, struct arena *arena, const struct json *json)
{
    const struct json *format = json_member(json, "format");
    m->json = json;
    m->has_created_time = json_get_i64(json, "createdTime", &m->created_time);
    return json_get_text(json, "id", &m->id) &&
           json_get_text(json, "schemaString", &m->schema_string) &&
           get_optional(&m->name, json, "name") &&
           get_optional(&m->description, json, "description") &&
           get_optional(&m->provider, format, "provider") &&
           get_map(&m->format_options, arena, format, "options") &&
           get_strings(&m->partition_columns, arena, json, "partitionColumns") &&
           get_map(&m->configuration, arena, json, "configuration");
}

static bool parse_txn(struct delta_txn *t, const struct json *json)
{
    t->has_last_updated = json_get_i64(json, "lastUpdated", &t->last_updated);
    return json_get_text(json, "appId", &t->app_id) && json_get_i64(json, "version", &t->version);
}

uint64_t delta_vector(struct slice storage, struct slice text, int64_t offset)
{
    struct buf key = {0};
    buf_append_slice(&key, storage);
    buf_append_slice(&key, text);
    buf_printf(&key, "@%lld", (long long)offset);
    uint64_t number = map_hash(buf_slice(&key));
    buf_free(&key);
    return number != 0 ? number : 1;
}

static uint64_t get_vector(const struct json *json)
{
    const struct json *vector = json_member(json, "deletionVector");
    struct slice storage = {0}, text = {0};
    int64_t offset = -1;
    if (vector == NULL || vector->type == JSON_NULL)
        return 0;
    (void)json_get_text(vector, "storageType", &storage);
    (void)json_get_text(vector, "pathOrInlineDv", &text);
    (void)json_get_i64(vector, "offset", &offset);
    return delta_vector(storage, text, offset);
}

static bool parse_add(struct delta_add *a, struct arena *arena, const struct json *json)
{
    a->vector = get_vector(json);
    a->data_change = true;
    (void)json_get_bool(json, "dataChange", &a->data_change);
    (void)json_get_i64(json, "modificationTime", &a->modification_time);
    return json_get_text(json, "path", &a->path) && json_get_u64(json, "size", &a->size) &&
           get_map(&a->partition_values, arena, json, "partitionValues") &&
           get_optional(&a->stats, json, "stats") && get_map(&a->tags, arena, json, "tags");
}

static bool parse_remove(struct delta_remove *r, struct arena *arena, const struct json *json)
{
    r->data_change = true;
    (void)json_get_bool(json, "dataChange", &r->data_change);
    r->has_deletion_timestamp = json_get_i64(json, "deletionTimestamp", &r->deletion_timestamp);
    r->extended = json_get_u64(json, "size", &r->size);
    r->vector = get_vector(json);
    return json_get_text(json, "path", &r->path) &&
           get_map(&r->partition_values, arena, json, "partitionValues");
}

static bool parse_known(struct delta_action *out, struct arena *arena, const struct json *json)
{
    switch (out->kind) {
    case DELTA_COMMIT_INFO:
        out->commit_info.json = json;
        return true;
    case DELTA_PROTOCOL:
        return parse_protocol(&out->protocol, arena, json);
    case DELTA_METADATA:
        return parse_metadata(&out->metadata, arena, json);
    case DELTA_TXN:
        return parse_txn(&out->txn, json);
    case DELTA_ADD:
        return parse_add(&out->add, arena, json);
    case DELTA_REMOVE:
        return parse_remove(&out->remove, arena, json);
    case DELTA_OTHER:
        break;
    }
    return true;
}

int delta_action_parse(struct delta_action *out, struct arena *arena, struct slice line,
                       struct err *err)
{
    *out = (struct delta_action){.kind = DELTA_OTHER};
    const struct json *root = json_parse(arena, line, err);
    if (root == NULL)
        return -1;
    if (root->type != JSON_OBJECT)
        return err_set(err, ERR_FORMAT, "a line is not a JSON object");
    for (int kind = DELTA_COMMIT_INFO; kind < KINDS; kind++) {
        const struct json *json = json_member(root, names[kind]);
        if (json == NULL || json->type == JSON_NULL)
            continue;
        out->kind = (enum delta_kind)kind;
        if (json->type != JSON_OBJECT || !parse_known(out, arena, json))
            return err_set(err, ERR_FORMAT, "its action %s does not follow the protocol",
                           names[kind]);
        break;
    }
    return 0;
}

struct slice delta_map_get(const struct delta_map *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (slice_is(map->list[i].key, key))
            return map->list[i].value;
    }
    return (struct slice){0};
}

bool delta_next_line(struct slice *rest, struct slice *line)
{
    if (!slice_take_line(rest, line))
        return false;
    if (line->len > 0 && line->data[line->len - 1] == '\r')
        line->len--; /* some writers end lines as Windows does */
    return true;
}

void delta_path_encode(struct buf *out, struct slice path)
{
    text_encode_percent(out, path, "-._~/=");
}

/* As in file:/srv/a (RFC 3986, section 3.1). Spark writes it so, with one slash. */
static bool has_scheme(struct slice uri)
{
    for (size_t i = 0; i < uri.len; i++) {
        uint8_t c = uri.data[i], letter = c | 0x20;
        if (c == ':')
            return i > 0;
        if (!(letter >= 'a' && letter <= 'z') &&
            (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return false;
}

bool delta_path_decode(struct buf *out, struct slice uri)
{
    size_t start = out->len;
    if (has_scheme(uri))
        return false;
    for (size_t i = 0; i < uri.len; i++) {
        if (uri.data[i] != '%') {
            buf_append_byte(out, uri.data[i]);
            continue;
        }
        int high = i + 2 < uri.len ? text_hex_digit(uri.data[i + 1]) : -1;
        int low = i + 2 < uri.len ? text_hex_digit(uri.data[i + 2]) : -1;
        if (high < 0 || low < 0) {
            out->len = start;
            return false;
        }
        buf_append_byte(out, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return true;
}

/* Nearly all paths are such. */
static bool has_no_escape(struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.data[i];
        if (!((c >= '-' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '_' || c == '~' || c == '='))
            return false;
    }
    return true;
}

struct slice delta_path_key(struct buf *scratch, struct slice path)
{
    struct buf name = {0};
    if (has_no_escape(path))
        return path;
    buf_reset(scratch);
    bool decoded = delta_path_decode(&name, path);
    if (decoded)
        delta_path_encode(scratch, buf_slice(&name));
    buf_free(&name);
    return decoded ? buf_slice(scratch) : path;
}
