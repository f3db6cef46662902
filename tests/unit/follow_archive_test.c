/* SPDX-License-Identifier: MIT */
#include "follow/archive.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/text.h"
#include "batch/seqset.h"
#include "delta/checkpoint_make.h"
#include "delta/log.h"
#include "delta/snapshot.h"
#include "delta/table.h"
#include "event/event.h"
#include "object/open.h"
#include "test.h"

/* Whatever happens to a store between two turns of its archive, and wherever a turn is killed: the
 * archive has each row that was ever committed, once, in files that are what its log says, and
 * nothing else. */

struct file {
    char path[32]; /* in the folder of its partition */
    unsigned partition;
    struct seqset rows;
    bool live;
};

struct model {
    struct object_store *store;
    uint64_t next, row; /* version, and sequence, that come next */
    unsigned names;
    ARRAY(struct file *) files;
    struct seqset committed, archived;
    atomic_bool stop;
};

static void ok(int result, const struct err *err)
{
    if (result != 0)
        (void)fprintf(stderr, "%s\n", err->text);
    EXPECT(result == 0);
}

static struct object_store *open_store(const char *root, const char *writer)
{
    struct err err = {0};
    const struct object_config config = {
        .root = root, .entries = DELTA_LOG_FOLDER, .writer = writer, .writer_name = writer};
    struct object_store *store = object_open(&config, &err);
    ok(store == NULL ? -1 : 0, &err);
    return store;
}

static void commit(struct model *m, struct buf *text)
{
    struct err err = {0};
    bool taken = true;
    ok(delta_entry_append(m->store, m->next++, buf_slice(text), &taken, &err), &err);
    EXPECT(!taken);
    buf_free(text);
}

static void put_remove(struct model *m, struct buf *text, struct file *file, bool swap)
{
    struct err err = {0};
    buf_printf(text, "{\"remove\":{\"path\":\"%s\",\"deletionTimestamp\":1,\"dataChange\":%s}}\n",
               file->path, swap ? "false" : "true");
    ok(object_remove(m->store, file->path, &err), &err);
    file->live = false;
}

/* A new file with these rows: its bytes are their text and what it is called. */
static void put_add(struct model *m, struct buf *text, unsigned partition,
                    const struct seqset *rows, bool swap)
{
    struct err err = {0};
    struct buf bytes = {0}, sequences = {0};
    char hash[SHA256_TEXT_MAX];
    struct file *file = calloc(1, sizeof(*file));
    EXPECT(file != NULL);
    *array_add(&m->files) = file;
    file->live = true;
    seqset_add_all(&file->rows, rows);
    file->partition = partition;
    (void)snprintf(file->path, sizeof(file->path), "sim-%u/%u.parquet", partition, m->names++);
    seqset_write_text(&sequences, rows);
    buf_printf(&bytes, "%s %s", file->path, buf_text(&sequences));
    sha256_text(buf_slice(&bytes), hash);
    ok(object_put(m->store, file->path, buf_slice(&bytes), &err), &err);
    buf_printf(text,
               "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":%zu,"
               "\"modificationTime\":7,\"dataChange\":%s,\"stats\":\"{\\\"numRecords\\\":%llu}\","
               "\"tags\":{\"varve.stream\":\"S\",\"varve.created\":\"C\","
               "\"varve.sequences\":\"%s\",\"varve.sha256\":\"%s\"}}}\n",
               file->path, bytes.len, swap ? "false" : "true",
               (unsigned long long)seqset_size(rows), buf_text(&sequences), hash);
    buf_free(&bytes);
    buf_free(&sequences);
}

static void append(struct model *m)
{
    struct buf text = {0};
    struct seqset rows = {0};
    buf_append_text(&text, "{\"commitInfo\":{\"timestamp\":1}}\n");
    for (uint64_t files = test_random() % 3; files < 3; files++) {
        seqset_reset(&rows);
        seqset_add_range(&rows, m->row, m->row + test_random() % 5);
        m->row = rows.list[0].last + 1;
        put_add(m, &text, (unsigned)(test_random() % 3), &rows, false);
        seqset_add_all(&m->committed, &rows);
    }
    commit(m, &text);
    seqset_free(&rows);
}

/* Some files of a partition become one, or two. */
static void swap(struct model *m)
{
    struct buf text = {0};
    struct seqset rows = {0}, half = {0};
    size_t count = m->files.count;
    unsigned partition = (unsigned)(test_random() % 3);
    for (size_t i = 0; i < count; i++) {
        struct file *file = m->files.list[i];
        if (!file->live || file->partition != partition || test_random() % 3 == 0)
            continue;
        seqset_add_all(&rows, &file->rows);
        put_remove(m, &text, file, true);
    }
    if (rows.count > 1 && test_random() % 2 == 0) {
        seqset_add_all(&half, &rows);
        seqset_remove_through(&rows, rows.list[0].last);
        half.count = 1;
        put_add(m, &text, partition, &half, true);
    }
    if (rows.count > 0) {
        put_add(m, &text, partition, &rows, true);
        commit(m, &text);
    }
    seqset_free(&rows);
    seqset_free(&half);
}

/* A retention takes a partition, when the archive has it. */
static void expire(struct model *m)
{
    struct buf text = {0};
    unsigned partition = (unsigned)(test_random() % 3);
    struct seqset rows = {0}, lacking = {0};
    for (size_t i = 0; i < m->files.count; i++)
        if (m->files.list[i]->live && m->files.list[i]->partition == partition)
            seqset_add_all(&rows, &m->files.list[i]->rows);
    seqset_add_new(&lacking, &rows, &m->archived, 0);
    for (size_t i = 0; i < m->files.count && lacking.count == 0; i++)
        if (m->files.list[i]->live && m->files.list[i]->partition == partition)
            put_remove(m, &text, m->files.list[i], false);
    if (text.len > 0)
        commit(m, &text);
    seqset_free(&rows);
    seqset_free(&lacking);
}

/* The log begins with its newest checkpoint now, or a little later. */
static void clean(struct model *m)
{
    struct err err = {0};
    struct delta_checkpoint_made made;
    ok(delta_checkpoint_make(m->store, 1, clock_wall(), NULL, &made, &err), &err);
    for (uint64_t version = 0; version < made.version; version++) {
        struct buf name = {0};
        delta_entry_name(&name, version);
        ok(object_remove(m->store, buf_text(&name), &err), &err);
        buf_free(&name);
    }
}

static void ignore(void *context)
{
    (void)context;
}

static struct follow_target *new_target(bool manifest)
{
    static struct config config = {.output.log_output_directory = "store"};
    static struct config_follower settings = {.name = "vault", .target = "archive"};
    settings.manifest = manifest;
    return follow_archive_new(&config, &settings);
}

static int bring(struct model *m, struct follow_target *target, struct err *err)
{
    struct object_store *store = open_store("store", NULL);
    struct delta_snapshot table = {0};
    ok(delta_snapshot_load(&table, store, err), err);
    struct follow_view view = {.store = store, .table = &table, .stop = &m->stop, .tell = ignore};
    int result = target->bring(target, &view, err);
    delta_snapshot_free(&table);
    object_store_close(store);
    return result;
}

/* A process of its own, which does not come to its end. */
static void bring_killed(struct model *m)
{
    useconds_t time = (useconds_t)(test_random() % 150000);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        struct err err = {0};
        struct follow_target *target = new_target(true);
        if (target->operations->open(target, NULL, &err) == 0)
            (void)!bring(m, target, &err);
        _exit(0);
    }
    (void)usleep(time);
    (void)kill(pid, SIGKILL);
    EXPECT(waitpid(pid, NULL, 0) == pid);
}

static bool count_file(void *context, struct slice name)
{
    size_t *count = context;
    *count += name.len > 8 && memcmp(name.data + name.len - 8, ".parquet", 8) == 0 &&
              !slice_starts_with(name, DELTA_LOG_FOLDER);
    return true;
}

static void check(struct model *m, bool whole)
{
    struct err err = {0};
    struct object_store *store = open_store("archive", NULL);
    struct delta_snapshot table = {.want_files = true};
    struct seqset rows = {0}, lost = {0}, wrong = {0};
    size_t live = 0, there = 0;
    uint64_t size = 0;
    ok(delta_snapshot_load(&table, store, &err), &err);
    for (size_t i = 0; i < table.files.count; i++) {
        const struct delta_file *file = table.files.list[i];
        char hash[SHA256_TEXT_MAX], path[64];
        bool found = false;
        if (file == NULL)
            continue;
        live++;
        (void)snprintf(path, sizeof(path), "%.*s", (int)file->path.len, file->path.data);
        ok(object_hash(store, path, hash, &found, &err), &err);
        EXPECT(found && slice_is(delta_map_get(&file->tags, "varve.sha256"), hash));
        struct seqset own = {0};
        EXPECT(seqset_parse_text(&own, delta_map_get(&file->tags, "varve.sequences")));
        size += seqset_size(&own);
        seqset_add_all(&rows, &own);
        seqset_free(&own);
    }
    EXPECT_U64(seqset_size(&rows), size);
    seqset_add_new(&lost, whole ? &m->committed : &m->archived, &rows, 0);
    seqset_add_new(&wrong, &rows, &m->committed, 0);
    EXPECT(lost.count == 0 && wrong.count == 0);
    ok(object_list(store, "", "", count_file, &there, &err), &err);
    EXPECT(whole ? there == live : there >= live);
    seqset_reset(&m->archived);
    seqset_add_all(&m->archived, &rows);
    seqset_free(&rows);
    seqset_free(&lost);
    seqset_free(&wrong);
    delta_snapshot_free(&table);
    object_store_close(store);
}

static void begin(struct model *m)
{
    struct buf text = {0};
    m->store = open_store("store", "w");
    m->row = 1;
    delta_table_create(&text, &event_schema, "4bb1bd0d-ab3d-4d49-9a3c-1c1fbfbd6ad3", "test", 1);
    commit(m, &text);
    object_store_close(open_store("archive", "w"));
}

static void change(struct model *m, bool cleaned)
{
    for (uint64_t n = test_random() % 4; n < 4; n++) {
        switch (test_random() % 4) {
        case 0:
            swap(m);
            break;
        case 1:
            expire(m);
            break;
        default:
            append(m);
        }
    }
    if (cleaned && test_random() % 4 == 0)
        clean(m);
}

static void end(struct model *m)
{
    for (size_t i = 0; i < m->files.count; i++) {
        seqset_free(&m->files.list[i]->rows);
        free(m->files.list[i]);
    }
    array_free(&m->files);
    seqset_free(&m->committed);
    seqset_free(&m->archived);
    object_store_close(m->store);
}

TEST(follow_archive_has_each_row_once)
{
    for (int run = 0; run < 4; run++) {
        static struct model m;
        struct err err = {0};
        EXPECT(system("rm -rf store archive") == 0);
        m = (struct model){0};
        begin(&m);
        struct follow_target *target = new_target(run % 2 == 0);
        for (int turn = 0; turn < 16; turn++) {
            if (turn % 5 == 0) {
                target->operations->close(target);
                ok(target->operations->open(target, NULL, &err), &err);
            }
            change(&m, run >= 2);
            ok(bring(&m, target, &err), &err);
            check(&m, true);
        }
        target->operations->free(target);
        end(&m);
    }
}

/* Another engine writes an entry of the log anew, with paths in another encoding: the archive's
 * file is the same. */
TEST(follow_archive_keeps_what_comes_in_another_encoding)
{
    static struct model m;
    struct err err = {0};
    struct buf text = {0};
    struct seqset rows = {0};
    m = (struct model){0};
    begin(&m);
    struct follow_target *target = new_target(true);
    ok(target->operations->open(target, NULL, &err), &err);
    seqset_add_range(&rows, 1, 5);
    put_add(&m, &text, 0, &rows, false);
    struct slice add = buf_slice(&text);
    const size_t folder = strlen("{\"add\":{\"path\":\"sim");
    EXPECT(add.data[folder] == '-');
    char *other = text_copy_slice(add);
    commit(&m, &text);
    ok(bring(&m, target, &err), &err);
    buf_printf(&text,
               "{\"remove\":{\"path\":\"%s\",\"deletionTimestamp\":1,\"dataChange\":false}}\n",
               m.files.list[0]->path);
    buf_printf(&text, "%.*s%%2D%s", (int)folder, other, other + folder + 1);
    commit(&m, &text);
    for (int turn = 0; turn < 2; turn++) { /* and when it reads it all anew */
        ok(bring(&m, target, &err), &err);
        struct object_store *archive = open_store("archive", NULL);
        struct delta_snapshot table = {.want_files = true};
        struct object_info info;
        bool found = false;
        ok(object_head(archive, m.files.list[0]->path, &info, &found, &err), &err);
        EXPECT(found);
        ok(delta_snapshot_load(&table, archive, &err), &err);
        EXPECT(delta_snapshot_file(&table, slice_of(m.files.list[0]->path)) != NULL);
        delta_snapshot_free(&table);
        object_store_close(archive);
        target->operations->close(target);
        ok(target->operations->open(target, NULL, &err), &err);
    }
    free(other);
    target->operations->free(target);
    seqset_free(&rows);
    end(&m);
}

TEST(follow_archive_may_be_killed_at_any_time)
{
    static struct model m;
    struct err err = {0};
    begin(&m);
    for (int turn = 0; turn < 30; turn++) {
        change(&m, turn % 20 > 10);
        bring_killed(&m);
        check(&m, false);
        if (turn % 10 < 9)
            continue;
        struct follow_target *target = new_target(true);
        ok(target->operations->open(target, NULL, &err), &err);
        ok(bring(&m, target, &err), &err);
        target->operations->free(target);
        check(&m, true);
    }
    end(&m);
}

/* Nothing was copied yet: it is not begun. */
TEST(follow_archive_begins_nothing_when_it_is_time_to_end)
{
    static struct model m;
    struct err err = {0};
    m = (struct model){0};
    begin(&m);
    append(&m);
    struct follow_target *target = new_target(false);
    ok(target->operations->open(target, NULL, &err), &err);
    atomic_store(&m.stop, true);
    EXPECT(bring(&m, target, &err) != 0 && err.code == ERR_REFUSED);
    EXPECT_TEXT(err.text, "it is time to end");
    struct object_store *archive = open_store("archive", NULL);
    struct delta_snapshot table = {0};
    err_clear(&err);
    ok(delta_snapshot_load(&table, archive, &err), &err);
    EXPECT(!table.found);
    delta_snapshot_free(&table);
    object_store_close(archive);
    atomic_store(&m.stop, false);
    ok(bring(&m, target, &err), &err);
    check(&m, true);
    target->operations->free(target);
    end(&m);
}

static int64_t days; /* that have passed, beside the time that passes */

static int64_t day_later(void *context)
{
    struct timespec t;
    (void)context;
    EXPECT(clock_gettime(CLOCK_REALTIME, &t) == 0);
    return (t.tv_sec + days * 24 * 3600) * CLOCK_SECOND + t.tv_nsec;
}

static void begin_days(struct model *m)
{
    static const struct clock clock = {day_later, day_later, NULL};
    days = 0;
    clock_replace(&clock);
    begin(m);
}

static void end_days(struct model *m, struct follow_target *target)
{
    check(m, true);
    target->operations->free(target);
    end(m);
    clock_replace(NULL);
}

static bool count_entry(void *context, struct slice name)
{
    size_t *count = context;
    *count += name.len == strlen(DELTA_LOG_FOLDER) + 25; /* 20 digits and .json */
    return true;
}

static size_t entries(void)
{
    struct err err = {0};
    size_t count = 0;
    struct object_store *store = open_store("archive", NULL);
    ok(object_list(store, DELTA_LOG_FOLDER, "", count_entry, &count, &err), &err);
    object_store_close(store);
    return count;
}

/* Its log is that of a table: what is a month old goes behind a checkpoint, and nothing with it. */
TEST(follow_archive_keeps_its_log_short)
{
    static struct model m;
    struct err err = {0};
    begin_days(&m);
    struct follow_target *target = new_target(false);
    for (days = 0; days < 30; days += 10) {
        ok(target->operations->open(target, NULL, &err), &err);
        for (int i = 0; i < 110; i++)
            append(&m);
        ok(bring(&m, target, &err), &err);
        check(&m, true);
        target->operations->close(target);
    }
    EXPECT_U64(entries(), 3 * 110 + 1);
    days = 500;
    append(&m);
    ok(target->operations->open(target, NULL, &err), &err);
    ok(bring(&m, target, &err), &err);
    EXPECT(entries() < 110);
    end_days(&m, target);
}

static void expect_report(const char *name, const char *text)
{
    struct err err = {0};
    struct buf found = {0};
    bool there = false;
    struct object_store *store = open_store("archive", NULL);
    ok(object_get_all(store, name, 100, &found, &there, &err), &err);
    EXPECT(there == (text != NULL));
    EXPECT_TEXT(buf_text(&found), text != NULL ? text : "");
    buf_free(&found);
    object_store_close(store);
}

/* They are put beside the table at any time, without a commit, and again with other content. */
TEST(follow_archive_has_the_reports_on_runs)
{
    static struct model m;
    struct err err = {0};
    begin_days(&m);
    append(&m);
    struct follow_target *target = new_target(false);
    ok(object_put(m.store, "_runs/sim-1.json", slice_of("{}"), &err), &err);
    ok(object_put(m.store, "_quality/_state/q/state", slice_of("own"), &err), &err);
    ok(target->operations->open(target, NULL, &err), &err);
    target->keep(target); /* there is no archive yet */
    expect_report("_runs/sim-1.json", NULL);
    ok(bring(&m, target, &err), &err);
    target->keep(target);
    expect_report("_runs/sim-1.json", "{}");
    expect_report("_quality/_state/q/state", NULL);
    ok(object_put(m.store, "_runs/sim-1.json", slice_of("{\"rows\":2}"), &err), &err);
    ok(object_put(m.store, "_quality/sim-1.json", slice_of("{}"), &err), &err);
    target->keep(target); /* they are not due */
    expect_report("_quality/sim-1.json", NULL);
    days = 1;
    target->keep(target);
    expect_report("_quality/sim-1.json", "{}");
    expect_report("_runs/sim-1.json", "{\"rows\":2}");
    ok(object_remove(m.store, "_quality/sim-1.json", &err), &err);
    target->operations->close(target);
    ok(target->operations->open(target, NULL, &err), &err);
    ok(bring(&m, target, &err), &err);
    target->keep(target);
    expect_report("_quality/sim-1.json", "{}"); /* nothing goes */
    end_days(&m, target);
}
