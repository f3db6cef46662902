/* SPDX-License-Identifier: MIT */
#include "follow/quality.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/log.h"
#include "base/text.h"
#include "base/varint.h"
#include "delta/log.h"
#include "event/event.h"
#include "follow/identities.h"
#include "follow/table.h"
#include "object/open.h"
#include "quality/state.h"

#define MAGIC "varve quality 1\n"
enum {
    STATE_BYTES_MAX = 512 * 1024 * 1024, /* far above what the limits of struct quality make */
    CRC_BYTES = 4,
};

struct quality_target {
    struct follow_target target;
    const struct config *config;
    const char *name;
    struct payload_types *types[CONFIG_PAYLOADS_MAX];
    struct buf folder; /* of what it keeps, ending with '/' */

    /* While it is open: */
    struct object_store *store;
    struct quality q;
    struct identities ids;
    struct delta_follower counted; /* rows, as the state has it */
    const char *stream, *created;  /* the generation of the last row since the last commit */
    struct buf key, text;
    uint64_t rows; /* taken since the last commit */
    bool again;    /* rows came that are counted: it ended before its reports were there */
    struct quality_summary summary;
};

static int open_store(struct quality_target *t, struct err *err)
{
    t->store = follow_open_store(t->config->output.log_output_directory, "quality", "quality",
                                 t->name, err);
    return t->store != NULL ? 0 : -1;
}

static void put_slice(struct buf *out, struct slice value)
{
    varint_append(out, value.len);
    buf_append_slice(out, value);
}

static bool get_slice(struct slice bytes, size_t *at, struct slice *value)
{
    uint64_t len;
    if (!varint_read(bytes, at, &len) || len > bytes.len - *at)
        return false;
    *value = (struct slice){bytes.data + *at, (size_t)len};
    *at += (size_t)len;
    return true;
}

static void put_counted(struct buf *out, const struct delta_follower *counted)
{
    struct buf rows = {0};
    varint_append(out, counted->generations.count);
    for (size_t i = 0; i < counted->generations.count; i++) {
        const struct delta_followed *g = &counted->generations.list[i];
        buf_reset(&rows);
        seqset_write_text(&rows, &g->rows);
        put_slice(out, slice_of(g->stream));
        put_slice(out, slice_of(g->created));
        put_slice(out, buf_slice(&rows));
    }
    buf_free(&rows);
}

static int get_counted(struct delta_follower *counted, struct slice bytes, size_t *at,
                       struct err *err)
{
    uint64_t count;
    bool ok = varint_read(bytes, at, &count);
    for (uint64_t i = 0; ok && i < count; i++) {
        struct slice stream, created, rows;
        ok = get_slice(bytes, at, &stream) && get_slice(bytes, at, &created) &&
             get_slice(bytes, at, &rows);
        if (!ok)
            break;
        struct delta_followed *g = array_add(&counted->generations);
        *g = (struct delta_followed){.stream = text_copy_slice(stream),
                                     .created = text_copy_slice(created)};
        ok = seqset_parse_text(&g->rows, rows);
    }
    return ok ? 0 : err_set(err, ERR_FORMAT, "it does not say which rows are counted");
}

static const char *state_name(struct quality_target *t)
{
    buf_reset(&t->key);
    buf_append_slice(&t->key, buf_slice(&t->folder));
    buf_append_text(&t->key, "state");
    return buf_text(&t->key);
}

static int parse_state(struct quality_target *t, struct slice bytes, struct err *err)
{
    size_t at = strlen(MAGIC);
    if (!slice_starts_with(bytes, MAGIC) || bytes.len < at + CRC_BYTES)
        return err_set(err, ERR_FORMAT, "it is no saved state");
    bytes.len -= CRC_BYTES;
    if (crc32_update(0, bytes.data, bytes.len) != load_u32le(bytes.data + bytes.len))
        return err_set(err, ERR_FORMAT, "it is damaged");
    if (quality_get_state(&t->q, bytes, &at, err) != 0 ||
        identities_get(&t->ids, bytes, &at, err) != 0 ||
        get_counted(&t->counted, bytes, &at, err) != 0)
        return -1;
    return at == bytes.len ? 0 : err_set(err, ERR_FORMAT, "something stands behind its end");
}

/* What it knows, for an empty one; *found: there is something. */
static int read_state(struct quality_target *t, bool *found, struct err *err)
{
    struct buf bytes = {.account = &t->target.account};
    const char *name = state_name(t);
    t->ids = (struct identities){
        .store = t->store, .folder = buf_text(&t->folder), .account = &t->target.account};
    int result = object_get_all(t->store, name, STATE_BYTES_MAX, &bytes, found, err);
    if (result == 0 && *found && parse_state(t, buf_slice(&bytes), err) != 0)
        result =
            err_prefix(err, "`varve follow %s --restart` has to count anew: %s", t->name, name);
    buf_free(&bytes);
    return result;
}

/* Whether all that the position has is counted: the rest would never come. A position whose gaps
 * were joined may say more than there is. */
static bool has_all(struct quality_target *t, const struct delta_follower *done)
{
    static const struct seqset nothing;
    bool has = true;
    for (size_t i = 0; i < done->generations.count && has; i++) {
        const struct delta_followed *g = &done->generations.list[i];
        const struct seqset *rows = delta_follower_rows(&t->counted, g->stream, g->created, false);
        struct seqset lacking = {0};
        seqset_add_new(&lacking, &g->rows, rows != NULL ? rows : &nothing, 0);
        has = lacking.count == 0 || g->rows.count >= DELTA_FOLLOWER_RANGES_MAX;
        seqset_free(&lacking);
    }
    return has;
}

/* What was counted by other rules stays counted; it is said since when there are others. */
static void note_rules(struct quality_target *t)
{
    if (!quality_follow_rules(&t->q))
        return;
    struct log_line line;
    log_begin(&line, LOG_WARNING, "quality_rules_changed");
    log_text(&line, "follower", t->name);
    log_text(&line, "hint", "varve follow NAME --restart counts all by the new ones");
    log_end(&line);
}

static void tell(struct quality_target *t, bool fresh)
{
    uint64_t before = t->summary.alarms;
    quality_summarize(&t->q, &t->summary);
    if (fresh)
        t->target.counts.alarms += t->summary.alarms - before;
}

static int open_target(struct follow_target *target, const struct delta_follower *done,
                       struct err *err)
{
    struct quality_target *t = (struct quality_target *)target;
    bool found = false;
    if (open_store(t, err) != 0 || quality_init(&t->q, t->config, t->types, 0, err) != 0)
        return -1;
    t->q.account.parent = &target->account;
    if (read_state(t, &found, err) != 0)
        return -1;
    if (!has_all(t, done))
        return err_set(err, ERR_FORMAT, "`varve follow %s --restart` has to count anew: %s is %s",
                       t->name, state_name(t), found ? "older than its position" : "gone");
    note_rules(t);
    tell(t, false);
    return identities_clean(&t->ids, err);
}

static bool is_counted(struct quality_target *t, const struct follow_event *row)
{
    const struct seqset *rows = delta_follower_rows(&t->counted, row->stream, row->created, false);
    return rows != NULL && seqset_contains(rows, row->sequence);
}

static void set_stream(struct quality_target *t, const struct follow_event *row)
{
    if (t->stream == row->stream && t->created == row->created)
        return;
    buf_reset(&t->key);
    buf_printf(&t->key, "%s\n%s", row->stream, row->created);
    quality_set_stream(&t->q, buf_slice(&t->key));
    t->stream = row->stream;
    t->created = row->created;
}

static int take(struct follow_target *target, const struct follow_event *row, struct err *err)
{
    static const enum event_column columns[QUALITY_COLUMNS] = {
        [QUALITY_TIMESTAMP_NS] = EVENT_COLUMN_TIMESTAMP_NS,
        [QUALITY_EVENT_ID] = EVENT_COLUMN_EVENT_ID,
        [QUALITY_EVENT_TYPE_KEY] = EVENT_COLUMN_EVENT_TYPE_KEY,
        [QUALITY_EVENT_PAYLOAD] = EVENT_COLUMN_EVENT_PAYLOAD,
        [QUALITY_WORKER_ID] = EVENT_COLUMN_WORKER_ID,
        [QUALITY_SIMULATION_ID] = EVENT_COLUMN_SIMULATION_ID,
        [QUALITY_PAYLOAD_FORMAT_HINT] = EVENT_COLUMN_PAYLOAD_FORMAT_HINT,
        [QUALITY_STREAM_SEQ] = EVENT_COLUMN_STREAM_SEQ,
        [QUALITY_STREAM_TIME] = EVENT_COLUMN_STREAM_TIME,
    };
    struct quality_target *t = (struct quality_target *)target;
    struct slice values[QUALITY_COLUMNS];
    (void)err;
    if (is_counted(t, row)) {
        t->again = true;
        return 0;
    }
    set_stream(t, row);
    for (int i = 0; i < QUALITY_COLUMNS; i++)
        values[i] = row->values[columns[i]];
    quality_take(&t->q, values);
    t->rows++;
    return 0;
}

int follow_quality_save(struct quality *q, struct object_store *store, bool changed,
                        struct err *err)
{
    struct buf name = {0}, text = {0};
    uint32_t *order = quality_order(q), groups = (uint32_t)q->groups.count;
    int result = 0;
    for (uint32_t at = 0, count; at < groups && result == 0; at += count) {
        struct json_writer w = {.out = &text};
        uint32_t simulation = q->groups.list[order[at]].simulation;
        count = quality_together(q, order + at, groups - at);
        if (changed && !q->simulation_list.list[simulation].changed)
            continue;
        buf_reset(&name);
        buf_reset(&text);
        buf_append_text(&name, FOLLOW_QUALITY_FOLDER);
        text_escape(&name, map_key(&q->simulations, simulation));
        buf_append_text(&name, ".json");
        quality_put_json(q, &w, order + at, count);
        buf_append_byte(&text, '\n');
        result = object_put(store, buf_text(&name), buf_slice(&text), err);
        q->simulation_list.list[simulation].changed = result != 0;
    }
    quality_order_free(q, order);
    buf_free(&name);
    buf_free(&text);
    return result;
}

/* Once this is there all rows of `done` are counted. */
static int put_state(struct quality_target *t, const struct delta_follower *done, struct err *err)
{
    buf_reset(&t->text);
    buf_append_text(&t->text, MAGIC);
    quality_put_state(&t->q, &t->text);
    identities_put(&t->ids, &t->text);
    put_counted(&t->text, done);
    buf_append_u32le(&t->text, crc32_update(0, t->text.data, t->text.len));
    return object_put(t->store, state_name(t), buf_slice(&t->text), err);
}

static int commit(struct follow_target *target, const struct delta_follower *done, struct err *err)
{
    struct quality_target *t = (struct quality_target *)target;
    if (identities_look_up(&t->ids, &t->q, err) != 0 || identities_write(&t->ids, err) != 0 ||
        put_state(t, done, err) != 0 || identities_tidy(&t->ids, err) != 0 ||
        follow_quality_save(&t->q, t->store, !t->again, err) != 0)
        return -1;
    for (size_t i = 0; i < done->generations.count; i++) {
        const struct delta_followed *g = &done->generations.list[i];
        seqset_add_all(delta_follower_rows(&t->counted, g->stream, g->created, true), &g->rows);
    }
    target->counts.rows += t->rows;
    t->rows = 0;
    t->again = false;
    t->stream = t->created = NULL;
    tell(t, true);
    return 0;
}

static void close_target(struct follow_target *target)
{
    struct quality_target *t = (struct quality_target *)target;
    identities_free(&t->ids);
    quality_free(&t->q);
    delta_follower_free(&t->counted);
    object_store_close(t->store);
    t->store = NULL;
    t->stream = t->created = NULL;
    t->rows = 0;
    t->again = false;
}

/* Whether it can go on. Only reads. */
static int check(struct follow_target *target, struct buf *says, struct err *err)
{
    struct quality_target *t = (struct quality_target *)target;
    struct object_config config = {.root = t->config->output.log_output_directory,
                                   .entries = DELTA_LOG_FOLDER};
    struct err absent = {0}; /* a store that is not there yet is no fault of this one */
    bool found = false;
    int result = 0;
    t->store = object_open(&config, &absent);
    if (t->store != NULL && (result = quality_init(&t->q, t->config, t->types, 0, err)) == 0 &&
        (result = read_state(t, &found, err)) == 0 && found)
        buf_printf(says, "it has counted %" PRIu64 " events", t->q.rows);
    if (result == 0 && !found)
        buf_append_text(says, "it counts from the first event on");
    if (result == 0)
        buf_append_text(says, "; reports are put below _quality/ of the store");
    close_target(target);
    return result;
}

static void free_target(struct follow_target *target)
{
    struct quality_target *t = (struct quality_target *)target;
    close_target(target);
    for (size_t i = 0; i < CONFIG_PAYLOADS_MAX; i++)
        payload_types_free(t->types[i]);
    buf_free(&t->folder);
    buf_free(&t->key);
    buf_free(&t->text);
    free(t);
}

struct follow_target *follow_quality_new(const struct config *config,
                                         const struct config_follower *follower, struct err *err)
{
    static const struct follow_target_operations operations = {
        open_target, take, commit, check, close_target, free_target};
    struct quality_target *t = calloc(1, sizeof(*t));
    if (t == NULL)
        out_of_memory(sizeof(*t));
    *t = (struct quality_target){
        .target = {.operations = &operations}, .config = config, .name = follower->name};
    t->target.counts.quality = &t->summary;
    buf_append_text(&t->folder, FOLLOW_QUALITY_STATE);
    text_escape(&t->folder, slice_of(follower->name));
    buf_append_byte(&t->folder, '/');
    if (follow_types_read_all(config, t->types, err) == 0)
        return &t->target;
    free_target(&t->target);
    return NULL;
}

int follow_quality_restart(const struct config *config, const struct config_follower *follower,
                           struct err *err)
{
    struct quality_target *t = (struct quality_target *)follow_quality_new(config, follower, err);
    if (t == NULL)
        return -1;
    int result = open_store(t, err);
    if (result == 0)
        result = object_remove(t->store, state_name(t), err);
    t->ids = (struct identities){.store = t->store, .folder = buf_text(&t->folder)};
    if (result == 0)
        result = identities_clean(&t->ids, err);
    free_target(&t->target);
    return result;
}
