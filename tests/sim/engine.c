/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "delta/checkpoint_make.h"
#include "object/posix.h"
#include "world.h"

/* What other engines do to the table. */

static void name_entry(struct buf *path, uint64_t version)
{
    buf_reset(path);
    buf_printf(path, "%s/_delta_log/%020llu.json", ROOT, (unsigned long long)version);
}

/* Nobody is about to take the number of the next entry. */
static bool is_free(struct world *w)
{
    struct buf path = {0};
    struct buf taken = {0};
    name_entry(&path, oracle_version(w->oracle));
    bool there = disk_read(w->disk, buf_text(&path), false, &taken);
    buf_free(&path);
    buf_free(&taken);
    return !there;
}

static void commit(struct world *w, struct buf *entry)
{
    struct buf path = {0};
    name_entry(&path, oracle_version(w->oracle));
    disk_write(w->disk, buf_text(&path), buf_slice(entry));
    world_tell(w, "%s: %s", buf_text(&path), buf_text(entry));
    buf_free(&path);
}

/* What OPTIMIZE does, but that one file comes for one: its rows under another name, and an entry
 * that takes the old name away. */
static void optimize(struct world *w, uint64_t value)
{
    struct buf from = {0};
    struct buf to = {0};
    struct buf content = {0};
    struct buf entry = {0};
    if (is_free(w) && oracle_next_file(w->oracle, value, &from) &&
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
        commit(w, &entry);
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

/* A checkpoint in the classic form, which has no commitInfo: nothing that is varve's own but its
 * transactions. */
static void make_checkpoint(struct world *w)
{
    struct disk_process process = {0};
    struct object_posix_config config = {.root = ROOT,
                                         .entries = DELTA_LOG_FOLDER,
                                         .writer = "another engine",
                                         .writer_name = "%another",
                                         .system = disk_system(w->disk)};
    struct delta_checkpoint_made made = {0};
    struct err err = {0};
    oracle_look_at_log(w->oracle);
    if (oracle_version(w->oracle) == 0)
        return;
    disk_switch(w->disk, &process);
    struct object_store *store = object_posix_open(&config, &err);
    if (store != NULL && delta_checkpoint_make(store, 1, world_wall(w), NULL, &made, &err) == 0 &&
        made.count > 0)
        w->checkpoint = made.version;
    world_tell(w, "checkpoint of %llu %s", (unsigned long long)made.version, err.text);
    object_store_close(store);
    disk_close_all(w->disk, &process);
}

/* Whatever an instance of varve may need of it. */
static void clean_log(struct world *w)
{
    struct buf path = {0};
    oracle_look_at_log(w->oracle);
    for (uint64_t v = 0; v < w->checkpoint && v < oracle_version(w->oracle); v++) {
        name_entry(&path, v);
        disk_remove_tree(w->disk, buf_text(&path));
    }
    buf_free(&path);
}

/* ALTER TABLE: a checkpoint after every third commit, and no entries of yesterday. */
static void keep_table(struct world *w)
{
    static const char properties[] = "\"delta.checkpointInterval\":\"3\","
                                     "\"delta.logRetentionDuration\":\"interval 10 seconds\"";
    static const char member[] = "\"configuration\":{";
    struct buf first = {0};
    struct buf path = {0};
    struct buf entry = {0};
    name_entry(&path, 0);
    if (is_free(w) && disk_read(w->disk, buf_text(&path), true, &first)) {
        const char *line = strstr(buf_text(&first), "{\"metaData\":");
        const char *at = line == NULL ? NULL : strstr(line, member);
        if (at != NULL) {
            at += strlen(member);
            buf_append(&entry, line, (size_t)(at - line));
            buf_append_text(&entry, properties);
            buf_append_text(&entry, *at == '}' ? "" : ",");
            buf_append(&entry, at, strcspn(at, "\n"));
            buf_append_byte(&entry, '\n');
            commit(w, &entry);
        }
    }
    buf_free(&first);
    buf_free(&path);
    buf_free(&entry);
}

void world_engine(struct world *w, const struct plan_step *step)
{
    switch ((int)step->kind) {
    case PLAN_OPTIMIZE:
        optimize(w, step->value);
        break;
    case PLAN_VACUUM:
        oracle_removed(w->oracle, remove_file, w);
        break;
    case PLAN_CHECKPOINT:
        make_checkpoint(w);
        break;
    case PLAN_LOG_CLEANED:
        clean_log(w);
        break;
    case PLAN_TABLE_KEPT:
        keep_table(w);
        break;
    default:
        break;
    }
}
