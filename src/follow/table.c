/* SPDX-License-Identifier: MIT */
#include "follow/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "event/descriptor.h"
#include "event/event.h"
#include "event/payload.h"
#include "follow/typed.h"

enum { TABLES_MAX = CONFIG_PAYLOADS_MAX };

/* An entry of `payloads`. */
struct entry {
    const struct config_payload *settings;
    struct payload_types *types; /* not of JSON */
    struct slice message;        /* that all of them have; empty: none */
    bool any;                    /* event type that has no entry of its own */
    bool named;                  /* the event says which message it has */
};

struct table_target {
    struct follow_target target;
    const struct config_follower *follower;
    struct entry *entries;
    size_t entry_count;
    ARRAY(struct typed_table *) tables;
    struct typed_keeping keeping;
    typed_idle_list idle;
    bool looked;              /* for idle ones, since it was opened */
    struct follow_anew *anew; /* NULL: none */
};

/* Where nothing is configured: what the simulation is known to publish. */
static const struct config_payload simulation = {
    .event_type = "*", .format = CONFIG_FORMAT_PROTOBUF, .descriptor_set = "", .message = ""};

static int open_target(struct follow_target *target, const struct delta_follower *done,
                       struct err *err)
{
    struct table_target *t = (struct table_target *)target;
    static const atomic_bool never;
    (void)done;
    (void)err; /* tables are opened with their first rows */
    t->keeping.stop = target->stop != NULL ? target->stop : &never;
    return 0;
}

static const struct entry *entry_of(const struct table_target *t, struct slice event_type)
{
    const struct entry *any = NULL;
    for (size_t i = 0; i < t->entry_count; i++) {
        if (slice_is(event_type, t->entries[i].settings->event_type))
            return &t->entries[i];
        if (t->entries[i].any)
            any = &t->entries[i];
    }
    return any;
}

static struct payload_type *payload_of(const struct entry *e, struct slice message, struct err *err)
{
    switch (e->settings->format) {
    case CONFIG_FORMAT_PROTOBUF:
    case CONFIG_FORMAT_FLATBUFFERS:
        return payload_message_new(e->types, message, e->settings->columns.items,
                                   e->settings->columns.count, err);
    case CONFIG_FORMAT_JSON:
        return payload_json_new(e->settings->columns.items, e->settings->columns.count, err);
    }
    return NULL;
}

/* NULL on errors. */
static struct typed_table *add_table(struct table_target *t, const struct entry *e,
                                     struct slice event_type, struct slice message, struct err *err)
{
    struct payload_type *payload = payload_of(e, message, err);
    if (payload == NULL)
        return NULL;
    struct typed_table *table = calloc(1, sizeof(*table));
    if (table == NULL)
        out_of_memory(sizeof(*table));
    *array_add(&t->tables) = table;
    if (typed_table_init(table, t->follower->target, event_type, t->follower->name, payload,
                         &t->target.account, err) == 0) {
        table->keeping = &t->keeping;
        table->anew = t->anew;
        return table;
    }
    typed_table_free(table);
    free(table);
    t->tables.count--;
    return NULL;
}

/* The table of an event type: the message that it was made for stays its message. */
static struct typed_table *table_of(struct table_target *t, const struct entry *e,
                                    struct slice event_type, struct slice message, struct err *err)
{
    struct buf recorded = {0};
    struct typed_table *table = NULL;
    for (size_t i = 0; i < t->tables.count; i++)
        if (slice_is(event_type, t->tables.list[i]->event_type))
            return t->tables.list[i];
    if (e->named && t->anew == NULL &&
        typed_table_message(t->follower->target, event_type, t->follower->name, &recorded, err) !=
            0)
        goto out;
    if (recorded.len > 0 && payload_types_have(e->types, buf_slice(&recorded)))
        message = buf_slice(&recorded);
    table = add_table(t, e, event_type, message, err);
out:
    buf_free(&recorded);
    return table;
}

/* Whether an entry is for this event at all. */
static bool is_for(const struct table_target *t, const struct entry *e, struct slice event_type,
                   struct slice content_type, struct slice message)
{
    if (e->named && !payload_types_have(e->types, message))
        return false;
    if (e->any && e->settings->format == CONFIG_FORMAT_JSON &&
        !slice_starts_with(content_type, "application/json"))
        return false;
    if (t->tables.count < TABLES_MAX)
        return true;
    for (size_t i = 0; i < t->tables.count; i++)
        if (slice_is(event_type, t->tables.list[i]->event_type))
            return true;
    return false;
}

static int take(struct follow_target *target, const struct follow_event *row, struct err *err)
{
    struct table_target *t = (struct table_target *)target;
    struct slice type = row->values[EVENT_COLUMN_EVENT_TYPE_KEY];
    struct slice content_type = row->values[EVENT_COLUMN_PAYLOAD_FORMAT_HINT];
    const struct entry *e = entry_of(t, type);
    bool refused = false;
    if (e == NULL)
        return 0;
    struct slice message = e->named ? payload_named_message(content_type) : (struct slice){0};
    if (!is_for(t, e, type, content_type, message)) {
        target->counts.refused += !e->any;
        return 0;
    }
    struct typed_table *table = table_of(t, e, type, e->named ? message : e->message, err);
    if (table == NULL || typed_table_take(table, row, message, &refused, err) != 0)
        return -1;
    target->counts.refused += refused;
    return 0;
}

static int commit(struct follow_target *target, const struct delta_follower *done, struct err *err)
{
    struct table_target *t = (struct table_target *)target;
    for (size_t i = 0; i < t->tables.count; i++) {
        struct typed_table *table = t->tables.list[i];
        uint64_t rows = table->rows;
        if (typed_table_commit(table, done, err) != 0)
            return -1;
        target->counts.rows += rows;
        if (rows > 0)
            typed_keep_step(&table->keep);
    }
    return 0;
}

static void keep(struct follow_target *target)
{
    struct table_target *t = (struct table_target *)target;
    if (!t->looked && t->anew == NULL)
        typed_idle_find(&t->idle, &t->keeping, t->follower->target);
    t->looked = true;
    for (size_t i = 0; i < t->tables.count; i++) {
        struct typed_table *table = t->tables.list[i];
        if (table->keep.keeper != NULL)
            typed_idle_forget(&t->idle, table->root);
        typed_keep_step(&table->keep);
    }
    for (size_t i = 0; i < t->idle.count && !atomic_load(t->keeping.stop); i++)
        typed_keep_step(&t->idle.list[i]->keep);
}

static int check(struct follow_target *target, struct buf *says, struct err *err)
{
    struct table_target *t = (struct table_target *)target;
    for (size_t i = 0; i < t->tables.count; i++)
        if (typed_table_check(t->tables.list[i], says, err) != 0)
            return -1;
    struct buf more = {0};
    buf_append_slice(&more, buf_slice(says));
    buf_reset(says);
    buf_printf(says, "its payloads are described, and %s takes them%s", t->follower->target,
               buf_text(&more));
    buf_free(&more);
    return 0;
}

static void close_target(struct follow_target *target)
{
    struct table_target *t = (struct table_target *)target;
    for (size_t i = 0; i < t->tables.count; i++)
        typed_table_close(t->tables.list[i]);
    typed_idle_free(&t->idle);
    t->looked = false;
}

static void free_target(struct follow_target *target)
{
    struct table_target *t = (struct table_target *)target;
    for (size_t i = 0; i < t->tables.count; i++) {
        typed_table_free(t->tables.list[i]);
        free(t->tables.list[i]);
    }
    array_free(&t->tables);
    typed_idle_free(&t->idle);
    for (size_t i = 0; i < t->entry_count; i++)
        payload_types_free(t->entries[i].types);
    free(t->entries);
    free(t);
}

static int read_set(const char *path, struct buf *out, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set_system(err, errno, "%s", path);
    buf_reserve(out, DESCRIPTOR_BYTES_MAX + 1);
    out->len = fread(out->data, 1, DESCRIPTOR_BYTES_MAX + 1, file);
    int result = ferror(file) ? err_set_system(err, errno, "%s", path) : 0;
    (void)fclose(file); /* it was only read */
    return result;
}

struct payload_types *follow_types_read(const struct config_payload *settings, struct err *err)
{
    const char *path = settings->descriptor_set;
    enum payload_format format =
        settings->format == CONFIG_FORMAT_FLATBUFFERS ? PAYLOAD_FLATBUFFERS : PAYLOAD_PROTOBUF;
    struct payload_types *types = NULL;
    struct buf set = {0};
    int result = 0;
    if (path[0] == '\0')
        buf_append_slice(&set, payload_simulation());
    else
        result = read_set(path, &set, err);
    if (result == 0 && (types = payload_types_new(format, buf_slice(&set), err)) == NULL)
        (void)err_prefix(err, "%s", path);
    buf_free(&set);
    return types;
}

int follow_types_hash(const struct config *config, char out[static SHA256_TEXT_MAX],
                      struct err *err)
{
    struct sha256 hash;
    uint8_t bytes[SHA256_BYTES];
    struct buf set = {0};
    int result = 0;
    sha256_begin(&hash);
    for (size_t i = 0; i < config->payload_count && result == 0; i++) {
        const char *path = config->payloads[i].descriptor_set;
        if (path[0] == '\0')
            continue;
        buf_reset(&set);
        result = read_set(path, &set, err);
        uint64_t len = set.len;
        sha256_add(&hash, &len, sizeof(len));
        sha256_add(&hash, set.data, set.len);
    }
    sha256_end(&hash, bytes);
    sha256_format(bytes, out);
    buf_free(&set);
    return result;
}

int follow_types_read_all(const struct config *config, struct payload_types **types,
                          struct err *err)
{
    for (size_t i = 0; i < config->payload_count; i++) {
        const struct config_payload *p = &config->payloads[i];
        if (p->format == CONFIG_FORMAT_JSON)
            continue;
        types[i] = follow_types_read(p, err);
        if (types[i] != NULL && p->message[0] != '\0' &&
            !payload_types_have(types[i], slice_of(p->message)))
            (void)err_set(err, ERR_USAGE, "%s is not in %s", p->message, p->descriptor_set);
        else if (types[i] != NULL)
            continue;
        return err_prefix(err, "payloads[%zu]", i);
    }
    return 0;
}

/* A table whose message is known is made now, so that what is wrong is said at the start. */
static int add_entry(struct table_target *t, const struct config_payload *settings, struct err *err)
{
    struct entry *e = &t->entries[t->entry_count++];
    *e = (struct entry){.settings = settings, .any = strcmp(settings->event_type, "*") == 0};
    if (settings->format != CONFIG_FORMAT_JSON) {
        e->types = follow_types_read(settings, err);
        if (e->types == NULL)
            return -1;
        e->message = payload_types_message(e->types, settings->message, settings->event_type);
        e->named = e->message.len == 0;
    }
    if (e->named || e->any)
        return 0;
    return add_table(t, e, slice_of(settings->event_type), e->message, err) != NULL ? 0 : -1;
}

struct follow_target *follow_table_new(const struct config *config,
                                       const struct config_follower *follower, struct err *err)
{
    static const struct follow_target_operations operations = {
        open_target, take, commit, check, close_target, free_target};
    size_t count = config->payload_count > 0 ? config->payload_count : 1;
    const struct config_payload *payloads =
        config->payload_count > 0 ? config->payloads : &simulation;
    struct table_target *t = calloc(1, sizeof(*t));
    struct entry *entries = calloc(count, sizeof(*entries));
    if (t == NULL || entries == NULL)
        out_of_memory(count * sizeof(*entries));
    *t = (struct table_target){.target = {.operations = &operations, .keep = keep},
                               .follower = follower,
                               .entries = entries};
    t->keeping = (struct typed_keeping){.config = config, .account = &t->target.account};
    for (size_t i = 0; i < count; i++) {
        if (add_entry(t, &payloads[i], err) == 0)
            continue;
        (void)err_prefix(err, "payloads[%zu] (%s)", i, payloads[i].event_type);
        free_target(&t->target);
        return NULL;
    }
    return &t->target;
}

void follow_table_anew(struct follow_target *target, struct follow_anew *anew)
{
    struct table_target *t = (struct table_target *)target;
    t->anew = anew;
    for (size_t i = 0; i < t->tables.count; i++)
        t->tables.list[i]->anew = anew;
}
