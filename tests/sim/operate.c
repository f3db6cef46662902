/* SPDX-License-Identifier: MIT */
#include <string.h>

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
        world_ask(w, "CONSUMER.DELETE", i->stream, i->consumer, "");
    if (strcmp(w->plan.retention, "interest") == 0)
        oracle_excuse(w->oracle, i->stream, 0, UINT64_MAX);
    i->consumer = strcmp(i->consumer, "varve") == 0 ? "another" : "varve";
    config_free(&i->config);
    world_configure(w, i);
}

/* What OPTIMIZE does, but that one file comes for one: its rows under another name, and an entry
 * that takes the old name away. */
static void optimize(struct world *w, uint64_t value)
{
    struct buf from = {0};
    struct buf to = {0};
    struct buf content = {0};
    struct buf entry = {0};
    struct buf taken = {0};
    uint64_t version = oracle_version(w->oracle);
    buf_printf(&entry, "%s/_delta_log/%020llu.json", ROOT, (unsigned long long)version);
    bool free_number = !disk_read(w->disk, buf_text(&entry), false, &taken);
    buf_reset(&entry);
    buf_free(&taken);
    if (free_number && oracle_next_file(w->oracle, value, &from) &&
        disk_read(w->disk, buf_text(&from), true, &content)) {
        const char *old = buf_text(&from) + strlen(ROOT) + 1;
        buf_printf(&to, "%s/part-%llu.c000.zstd.parquet", ROOT, (unsigned long long)value);
        disk_write(w->disk, buf_text(&to), buf_slice(&content));
        buf_append_text(&entry, "{\"commitInfo\":{\"timestamp\":1700000000000,\"operation\":"
                                "\"OPTIMIZE\",\"engineInfo\":\"another\"}}\n"
                                "{\"remove\":{\"path\":\"");
        for (const char *c = old; *c != '\0'; c++) /* names are percent-encoded once more */
            buf_append_text(&entry, *c == '%' ? "%25" : (char[]){*c, '\0'});
        buf_printf(&entry,
                   "\",\"deletionTimestamp\":1700000000000,\"dataChange\":false}}\n"
                   "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":%zu,"
                   "\"modificationTime\":1700000000000,\"dataChange\":false}}\n",
                   buf_text(&to) + strlen(ROOT) + 1, content.len);
        buf_reset(&from);
        buf_printf(&from, "%s/_delta_log/%020llu.json", ROOT, (unsigned long long)version);
        disk_write(w->disk, buf_text(&from), buf_slice(&entry));
        world_tell(w, "entry %llu: %s", (unsigned long long)version, buf_text(&entry));
    }
    buf_free(&from);
    buf_free(&to);
    buf_free(&content);
    buf_free(&entry);
}

static void remove_file(void *context, const char *path)
{
    struct world *w = context;
    disk_remove_tree(w->disk, path);
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
    case PLAN_OPTIMIZE:
        optimize(w, step->value);
        break;
    case PLAN_VACUUM:
        oracle_removed(w->oracle, remove_file, w);
        break;
    default:
        break;
    }
}
