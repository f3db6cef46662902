/* SPDX-License-Identifier: MIT */
#include "follow/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "event/descriptor.h"
#include "event/event.h"
#include "follow/typed.h"

struct table_target {
    struct follow_target target;
    struct typed_table *tables; /* one for each of config->payloads */
    size_t count;
};

static int open_target(struct follow_target *target, const struct delta_follower *done,
                       struct err *err)
{
    (void)target; /* tables are opened with their first rows */
    (void)done;
    (void)err;
    return 0;
}

static int take(struct follow_target *target, const struct follow_event *row, struct err *err)
{
    struct table_target *t = (struct table_target *)target;
    struct slice type = row->values[EVENT_COLUMN_EVENT_TYPE_KEY];
    for (size_t i = 0; i < t->count; i++) {
        bool refused = false;
        if (!slice_is(type, t->tables[i].event_type))
            continue;
        if (typed_table_take(&t->tables[i], row, &refused, err) != 0)
            return -1;
        target->counts.refused += refused;
        break;
    }
    return 0;
}

static int commit(struct follow_target *target, const struct delta_follower *done, struct err *err)
{
    struct table_target *t = (struct table_target *)target;
    for (size_t i = 0; i < t->count; i++) {
        uint64_t rows = t->tables[i].rows;
        if (typed_table_commit(&t->tables[i], done, err) != 0)
            return -1;
        target->counts.rows += rows;
        if (rows > 0)
            typed_table_keep(&t->tables[i]);
    }
    return 0;
}

static void close_target(struct follow_target *target)
{
    struct table_target *t = (struct table_target *)target;
    for (size_t i = 0; i < t->count; i++)
        typed_table_close(&t->tables[i]);
}

static void free_target(struct follow_target *target)
{
    struct table_target *t = (struct table_target *)target;
    for (size_t i = 0; i < t->count; i++)
        typed_table_free(&t->tables[i]);
    free(t->tables);
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

static struct payload_type *protobuf_of(const struct config_payload *p, struct err *err)
{
    struct buf set = {0};
    struct payload_type *payload = NULL;
    if (read_set(p->descriptor_set, &set, err) == 0) {
        payload = payload_proto_new(buf_slice(&set), p->message, err);
        if (payload == NULL)
            (void)err_prefix(err, "%s", p->descriptor_set);
    }
    buf_free(&set);
    return payload;
}

static struct payload_type *payload_of(const struct config_payload *p, struct err *err)
{
    switch (p->format) {
    case CONFIG_FORMAT_PROTOBUF:
        return protobuf_of(p, err);
    case CONFIG_FORMAT_FLATBUFFERS:
        (void)err_set(err, ERR_UNSUPPORTED, "there is no format flatbuffers yet");
        break;
    case CONFIG_FORMAT_JSON:
        return payload_json_new(p->columns.items, p->columns.count, err);
    }
    return NULL;
}

struct follow_target *follow_table_new(const struct config *config,
                                       const struct config_follower *follower, struct err *err)
{
    static const struct follow_target_operations operations = {open_target, take, commit,
                                                               close_target, free_target};
    struct table_target *t = calloc(1, sizeof(*t));
    struct typed_table *tables = calloc(config->payload_count + 1, sizeof(*tables));
    if (t == NULL || tables == NULL)
        out_of_memory((config->payload_count + 1) * sizeof(*tables));
    *t = (struct table_target){.target = {.operations = &operations}, .tables = tables};
    for (size_t i = 0; i < config->payload_count; i++) {
        const struct config_payload *p = &config->payloads[i];
        struct payload_type *payload = payload_of(p, err);
        if (payload != NULL &&
            typed_table_init(&tables[t->count++], follower->target, p->event_type, follower->name,
                             payload, &t->target.account, err) == 0)
            continue;
        (void)err_prefix(err, "payloads[%zu] (%s)", i, p->event_type);
        free_target(&t->target);
        return NULL;
    }
    return &t->target;
}
