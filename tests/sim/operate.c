/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#include "world.h"

/* What operators do to a store, a stream and a consumer. */

#define SAVED "/saved"

/* One that has the name of the first, and other messages under the same numbers. */
static void make_again(struct world *w, const struct instance *i)
{
    if (!server_is_up(w->server))
        return;
    world_ask(w, "STREAM.DELETE", i->stream, NULL, "");
    oracle_made_again(w->oracle, i->stream, 0);
    world_make_stream(w, i);
}

static bool is_kept(const struct world *w)
{
    return strcmp(w->plan.retention, "limits") == 0;
}

static void bury_all(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        world_bury(w, &w->list[i]);
}

static void save(struct world *w)
{
    disk_remove_tree(w->disk, SAVED);
    disk_copy_tree(w->disk, ROOT, SAVED);
    w->saved = true;
}

/* In place of what is there comes an older one, or nothing. */
static void replace(struct world *w, bool restore)
{
    bury_all(w);
    if (w->bucket != NULL)
        sim_bucket_settle(w->bucket); /* who restores waits until nobody writes */
    oracle_replaced(w->oracle, is_kept(w));
    disk_remove_tree(w->disk, ROOT);
    if (restore)
        disk_copy_tree(w->disk, SAVED, ROOT);
}

/* Two consumers of a work queue may not want the same. */
static void rename_consumer(struct world *w, struct instance *i)
{
    world_bury(w, i);
    if (!is_kept(w))
        world_delete_consumer(w, i);
    i->consumer = strcmp(i->consumer, "varve") == 0 ? "another" : "varve";
    config_free(&i->config);
    world_configure(w, i);
}

/* The consumer's configuration, as the API tells it; empty if there is none. */
static void read_config(struct world *w, const struct instance *i, struct buf *out)
{
    struct buf call = {0};
    struct err err = {0};
    struct arena arena = {0};
    struct slice raw;
    buf_printf(&call, "CONSUMER.INFO.%s.%s", i->stream, i->consumer);
    struct slice reply = server_ask(w->server, buf_text(&call), (struct slice){0}, w->now);
    const struct json *info = reply.len == 0 ? NULL : json_parse(&arena, reply, &err);
    struct slice begin = slice_of("\"config\":{");
    const uint8_t *at = json_member(info, "config") == NULL
                            ? NULL
                            : memmem(reply.data, reply.len, begin.data, begin.len);
    if (at != NULL) { /* nothing in it has braces */
        raw.data = at + begin.len;
        raw.len = (size_t)((const uint8_t *)memchr(raw.data, '}', reply.len) - raw.data);
        buf_append_slice(out, raw);
    }
    arena_free(&arena);
    buf_free(&call);
}

/* The members of an object but the one with this name, and then this one. */
static void replace_member(struct buf *members, const char *name, const char *member,
                           struct buf *out)
{
    struct buf key = {0};
    buf_printf(&key, "\"%s\":", name);
    const char *text = buf_text(members), *at = strstr(text, buf_text(&key));
    if (at == NULL) {
        buf_append_text(out, text);
    } else {
        size_t skipped = strcspn(at, ",");
        buf_append(out, text, (size_t)(at - text));
        buf_append_text(out, at[skipped] == ',' ? at + skipped + 1 : "\"\":0");
    }
    buf_printf(out, ",%s", member);
    buf_free(&key);
}

static void send_config(struct world *w, const struct instance *i, struct buf *members)
{
    struct buf body = {0};
    buf_printf(&body, "{\"stream_name\":\"%s\",\"action\":\"\",\"config\":{%s}}", i->stream,
               buf_text(members));
    world_ask(w, "CONSUMER.CREATE", i->stream, i->consumer, buf_text(&body));
    buf_free(&body);
}

struct edit {
    const char *name, *member;
    bool anew; /* the server does not let one change it */
};

static void edit_consumer(struct world *w, struct instance *i, uint64_t value)
{
    static const struct edit edits[] = {
        {"headers_only", "\"headers_only\":true", false},
        {"ack_wait", "\"ack_wait\":1000000000", false},
        {"ack_wait", "\"ack_wait\":3600000000000", false},
        {"max_ack_pending", "\"max_ack_pending\":3", false},
        {"max_deliver", "\"max_deliver\":2", false},
        {"filter_subject", "\"filter_subject\":\"events.other\"", false},
        {"filter_subject", "\"description\":\"no filter\"", false},
        {"max_waiting", "\"description\":\"edited\"", false},
        {"ack_policy", "\"ack_policy\":\"none\"", true},
        {"ack_policy", "\"ack_policy\":\"all\"", true},
    };
    const struct edit *edit = &edits[value % (sizeof(edits) / sizeof(edits[0]))];
    struct buf is = {0};
    struct buf wanted = {0};
    read_config(w, i, &is);
    if (is.len == 0 || i->as_made.len > 0) {
        buf_free(&is);
        return;
    }
    if (edit->anew)
        world_delete_consumer(w, i);
    replace_member(&is, edit->name, edit->member, &wanted);
    send_config(w, i, &wanted);
    buf_append_slice(&i->as_made, buf_slice(&is));
    i->made_anew = edit->anew;
    buf_free(&is);
    buf_free(&wanted);
}

void world_mend_consumer(struct world *w, struct instance *i)
{
    if (i->as_made.len == 0 || !server_is_up(w->server))
        return;
    if (i->made_anew) /* varve makes its own */
        world_delete_consumer(w, i);
    else
        send_config(w, i, &i->as_made);
    buf_reset(&i->as_made);
}

void world_operate(struct world *w, struct instance *i, const struct plan_step *step)
{
    switch ((int)step->kind) {
    case PLAN_STREAM_MADE_AGAIN:
        make_again(w, i);
        break;
    case PLAN_DIRECTORY_SAVED:
        save(w);
        break;
    case PLAN_DIRECTORY_RESTORED:
        if (w->saved)
            replace(w, true);
        break;
    case PLAN_DIRECTORY_DELETED:
        replace(w, false);
        break;
    case PLAN_CONSUMER_RENAMED:
        rename_consumer(w, i);
        break;
    case PLAN_CONSUMER_EDITED:
        edit_consumer(w, i, step->value / 64);
        break;
    case PLAN_CONSUMER_MENDED:
        world_mend_consumer(w, i);
        break;
    default:
        world_engine(w, step);
        break;
    }
}
