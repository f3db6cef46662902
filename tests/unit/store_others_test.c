/* SPDX-License-Identifier: MIT */
#include "store/known.h"

#include <errno.h>

#include "base/clock.h"
#include "delta/checkpoint_make.h"
#include "store/writer.h"
#include "store_fixture.h"
#include "test.h"

/* Two instances that write to the table in the directory "root" at the same time. */
static const struct column_spec columns[] = {
    {.name = "seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
};
static const struct schema narrow = {"narrow", columns, 1};
static const struct store_origin origin = {"S", "C", "D"};

struct party {
    const char *name;
    struct store *store;
    struct store_writer *writer;
    struct store_path path;
    struct store_kind table;
    struct position position;
    struct seqset rows, no_dead_letters;
    uint64_t sealed;
};

static void enter(struct party *p, const char *name)
{
    struct err err = {0};
    struct store_config config = {
        .root = "root", .instance = name, .engine = "varve/0", .schema = &narrow};
    *p = (struct party){.name = name, .position = fixture_position(0)};
    p->store = store_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    EXPECT(store_path_parse(&p->path, "{simulation_id}/{first_seq}-{last_seq}.parquet", &err) == 0);
    p->table = (struct store_kind){.schema = &narrow, .path = &p->path};
    p->writer =
        store_writer_new(&(struct store_writer_options){.store = p->store,
                                                        .instance = name,
                                                        .parquet = parquet_options_default(),
                                                        .stepped = true},
                         &err);
    EXPECT(p->writer != NULL);
    store_writer_set_limits(
        p->writer, &(struct store_writer_limits){.batch_bytes = 4096, .open_memory = UINT64_MAX});
}

static void leave(struct party *p)
{
    store_writer_free(p->writer);
    store_close(p->store);
    seqset_free(&p->rows);
}

static void seal(struct party *p, uint64_t first, uint64_t last, uint64_t heard)
{
    seqset_reset(&p->rows);
    seqset_add_range(&p->rows, first, last);
    for (uint64_t seq = first; seq <= last; seq++) {
        struct store_row row = {.kind = &p->table,
                                .origin = &origin,
                                .sequence = seq,
                                .values = {.simulation_id = slice_of("x")}};
        struct batch *b = store_writer_begin_row(p->writer, &row);
        batch_put_int64(b, 0, (int64_t)seq);
        batch_end_row(b);
        (void)store_writer_end_row(p->writer);
    }
    store_writer_seal(p->writer, &(struct store_seal){.number = ++p->sealed,
                                                      .heard = heard,
                                                      .positions = &p->position,
                                                      .rows_of = &p->rows,
                                                      .dead_letters = &p->no_dead_letters,
                                                      .position_count = 1});
}

/* What others have stored meanwhile, as text; "no" if it was not committed. */
static const char *settle(struct party *p)
{
    static char text[256];
    struct store_committed how;
    struct buf out = {0};
    for (int turn = 0; turn < 8; turn++)
        (void)store_writer_turn(p->writer, 0);
    if (!store_writer_committed(p->writer, &how))
        return "no";
    for (size_t i = 0; i < how.others.count; i++) {
        EXPECT_TEXT(how.others.list[i].consumer, STORE_ANYBODY);
        seqset_write_text(&out, &how.others.list[i].above);
    }
    (void)snprintf(text, sizeof(text), "%s", buf_text(&out));
    positions_free(&how.others);
    buf_free(&out);
    return text;
}

static void expect_files(const char *const *names, size_t count)
{
    DIR *dir = opendir("root/x");
    size_t found = 0;
    EXPECT(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        found += entry->d_name[0] != '.';
    EXPECT(closedir(dir) == 0);
    EXPECT_U64(found, count);
    for (size_t i = 0; i < count; i++)
        EXPECT(fixture_is_file(names[i]));
}

TEST(store_tells_what_others_have_stored)
{
    struct party a, b;
    enter(&a, "a");
    enter(&b, "b");
    seal(&a, 1, 3, 0);
    EXPECT_TEXT(settle(&a), "");
    seal(&a, 5, 6, 1);
    EXPECT_TEXT(settle(&a), "");
    seal(&b, 8, 9, 0);
    EXPECT_TEXT(settle(&b), "1-3,5-6");
    seal(&b, 10, 10, 1);
    EXPECT_TEXT(settle(&b), ""); /* once is enough */
    seal(&a, 7, 7, 2);
    EXPECT_TEXT(settle(&a), "8-10");
    leave(&a);
    leave(&b);
}

TEST(store_stores_nothing_that_others_have_stored)
{
    static const char *const names[] = {"root/x/1-5.parquet", "root/x/6-8.parquet"};
    struct party a, b;
    enter(&a, "a");
    enter(&b, "b");
    seal(&a, 1, 5, 0);
    EXPECT_TEXT(settle(&a), "");
    seal(&b, 5, 8, 0);
    EXPECT_TEXT(settle(&b), "no");
    struct store_trouble trouble = store_writer_trouble(b.writer);
    EXPECT(trouble.outdated && strstr(trouble.err.text, "sequence 5 of stream S") != NULL);
    leave(&b);
    enter(&b, "b");
    EXPECT(!b.store->recovery.rolled_forward);
    seal(&b, 6, 8, 0);
    EXPECT_TEXT(settle(&b), "");
    expect_files(names, 2);
    leave(&a);
    leave(&b);
}

/* It was sealed before its owner was told. */
TEST(store_knows_for_a_while_what_it_has_told)
{
    struct party a, b;
    enter(&a, "a");
    enter(&b, "b");
    seal(&a, 1, 5, 0);
    EXPECT_TEXT(settle(&a), "");
    seal(&b, 8, 8, 0);
    EXPECT_TEXT(settle(&b), "1-5");
    seal(&b, 9, 9, 0);
    EXPECT_TEXT(settle(&b), "");
    seal(&b, 3, 4, 0);
    EXPECT_TEXT(settle(&b), "no");
    EXPECT(store_writer_trouble(b.writer).outdated);
    leave(&a);
    leave(&b);
}

struct renames {
    int good; /* so many succeed */
};

static int fail_renames(void *context, enum system_call call, bool after)
{
    struct renames *renames = context;
    if (call != SYSTEM_CALL_RENAMEAT2 || after)
        return 0;
    return renames->good-- > 0 ? 0 : EIO;
}

/* Rows 1 to 9: the file has its name, the entry has not. */
static void interrupt(struct party *p)
{
    struct renames renames = {1};
    fixture_hook(p->store, fail_renames, &renames);
    seal(p, 1, 9, 0);
    EXPECT_TEXT(settle(p), "no");
    leave(p);
}

/* The files have their names, the entry has not; then others get the messages. */
TEST(store_takes_an_interrupted_commit_back_where_others_were_faster)
{
    static const char *const names[] = {"root/x/3-5.parquet", "root/x/1-9.parquet"};
    struct party a, b;
    enter(&a, "a");
    enter(&b, "b");
    interrupt(&a);
    expect_files(names + 1, 1);
    seal(&b, 3, 5, 0);
    EXPECT_TEXT(settle(&b), "");
    enter(&a, "a");
    EXPECT(a.store->recovery.withdrawn && !a.store->recovery.rolled_forward);
    expect_files(names, 1);
    EXPECT_U64(fixture_look().hidden, 0);
    leave(&a);
    enter(&a, "a");
    EXPECT(!a.store->recovery.withdrawn);
    leave(&a);
    leave(&b);
}

/* A file of another instance has got the name of one that was taken back already. */
TEST(store_takes_back_no_file_of_others)
{
    static const char *const names[] = {"root/x/1-9.parquet"};
    struct party a, b;
    enter(&a, "a");
    enter(&b, "b");
    interrupt(&a);
    EXPECT(unlink(names[0]) == 0); /* as far as a was when it was killed */
    seal(&b, 1, 9, 0);
    EXPECT_TEXT(settle(&b), "");
    enter(&a, "a");
    EXPECT(a.store->recovery.withdrawn);
    expect_files(names, 1);
    leave(&a);
    leave(&b);
}

/* What somebody has put there is no Parquet file: it stays, and holds nothing up. */
TEST(store_takes_back_nothing_that_is_no_file_of_varve)
{
    static const char *const texts[] = {"", "x", "not Parquet, and longer than a head and a foot",
                                        "PAR1, and a foot that leads nowhere\377\377\377\377PAR1"};
    static const char name[] = "root/x/1-9.parquet";
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct party a, b;
        fixture_remove("root");
        enter(&a, "a");
        enter(&b, "b");
        interrupt(&a);
        seal(&b, 1, 9, 0); /* others were faster, with a file of another name */
        EXPECT_TEXT(settle(&b), "");
        EXPECT(unlink(name) == 0);
        fixture_write(name, texts[i]);
        enter(&a, "a");
        EXPECT(a.store->recovery.withdrawn);
        char *text = fixture_read(name);
        EXPECT_TEXT(text, texts[i]);
        free(text);
        leave(&a);
        leave(&b);
    }
}

struct read_fault {
    int at; /* so many reads later one fails; 0: none does any more */
};

static int fail_read(void *context, enum system_call call, bool after)
{
    struct read_fault *fault = context;
    if (call != SYSTEM_CALL_PREAD || after || fault->at == 0)
        return 0;
    return --fault->at == 0 ? EIO : 0;
}

/* Seconds pass as the test says. */
static int64_t seconds(void *context)
{
    const int *now = context;
    return *now * CLOCK_SECOND;
}

static bool commits_within(struct party *p, int *now, int pause)
{
    struct store_committed how = {0};
    bool done = false;
    for (int end = *now + pause; !done && *now < end; ++*now) {
        (void)store_writer_turn(p->writer, seconds(now));
        done = store_writer_committed(p->writer, &how);
        positions_free(&how.others);
    }
    return done;
}

/* Some of the entries of others were read when the disk failed: that is no log that was set back.
 */
TEST(store_goes_on_where_it_could_not_read_all_that_others_wrote)
{
    struct party a, b;
    struct read_fault fault = {0};
    int now = 1;
    struct clock clock = {seconds, seconds, &now};
    enter(&a, "a");
    enter(&b, "b");
    fixture_hook(a.store, fail_read, &fault);
    clock_replace(&clock);
    uint64_t next = 1;
    for (int at = 1; at < 8; at++) {
        for (uint64_t rows = 1; rows <= 3; next += rows++) {
            seal(&b, next, next + rows - 1, (uint64_t)at * 3);
            EXPECT(commits_within(&b, &now, 1));
        }
        fault.at = at;
        seal(&a, next, next, (uint64_t)at);
        EXPECT(commits_within(&a, &now, 60));
        EXPECT(!store_writer_trouble(a.writer).outdated);
        next++;
    }
    clock_replace(NULL);
    leave(&a);
    leave(&b);
}

static void remove_entries(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "root/_delta_log/%s", names[i]);
        EXPECT(unlink(path) == 0);
    }
}

static const char *const entries[] = {"00000000000000000000.json", "00000000000000000001.json",
                                      "00000000000000000002.json"};

/* What the store knows of who has what, as text. */
static void expect_known(const struct store *store, const char *expected)
{
    const struct position *known = positions_find(&store->positions, "S", "C", STORE_ANYBODY);
    struct buf text = {0};
    if (known != NULL)
        seqset_write_text(&text, &known->above);
    EXPECT_TEXT(buf_text(&text), expected);
    buf_free(&text);
}

static void copy_file(const char *from, const char *to)
{
    char bytes[8192];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    EXPECT(in != NULL && out != NULL);
    size_t len = fread(bytes, 1, sizeof(bytes), in);
    EXPECT(len > 0 && len < sizeof(bytes) && fwrite(bytes, 1, len, out) == len);
    EXPECT(fclose(in) == 0 && fclose(out) == 0);
}

TEST(store_adopts_the_files_of_a_log_that_is_gone)
{
    struct party a;
    enter(&a, "a");
    seal(&a, 1, 3, 0);
    EXPECT_TEXT(settle(&a), "");
    seal(&a, 5, 6, 1);
    EXPECT_TEXT(settle(&a), "");
    leave(&a);
    remove_entries(entries, 3);
    copy_file("root/x/1-3.parquet", "root/x/2-3.parquet"); /* the same rows under another name */
    FILE *other = fopen("root/x/other.parquet", "w");
    EXPECT(other != NULL && fputs("no Parquet", other) >= 0 && fclose(other) == 0);
    enter(&a, "b");
    EXPECT_U64(a.store->table.version, 0);
    expect_known(a.store, "1-3,5-6");
    struct delta_snapshot table = {.want_files = true};
    struct err err = {0};
    EXPECT(delta_snapshot_load(&table, a.store->objects, &err) == 0);
    EXPECT(table.files.count == 2);
    EXPECT(delta_snapshot_file(&table, slice_of("x/1-3.parquet")) != NULL);
    EXPECT(delta_snapshot_file(&table, slice_of("x/5-6.parquet")) != NULL);
    delta_snapshot_free(&table);
    leave(&a);
}

/* An instance was interrupted when its files had their names, and the entries were removed but for
 * what it had begun: another one adopts the files, and they are not for the first to take back. */
TEST(store_takes_back_no_file_that_was_adopted)
{
    static const char *const names[] = {"root/x/1-9.parquet"};
    struct party a, b;
    enter(&a, "a");
    interrupt(&a);
    remove_entries(entries, 1);
    enter(&b, "b");
    expect_known(b.store, "1-9");
    enter(&a, "a");
    EXPECT(a.store->recovery.withdrawn);
    expect_files(names, 1);
    expect_known(a.store, "1-9");
    leave(&a);
    leave(&b);
}

/* A message that is in no file of the table, and behind a checkpoint: that is the file's of the
 * instance to know, also for a consumer that the instance did not have before. */
TEST(store_knows_what_is_in_quarantine_for_another_consumer)
{
    static const struct store_source sources[] = {{"S", "another", .shared = false}};
    struct delta_checkpoint_made made;
    struct err err = {0};
    struct party a;
    enter(&a, "a");
    seal(&a, 1, 2, 0);
    seqset_add(&a.rows, 3); /* what becomes of it is not the table's */
    EXPECT_TEXT(settle(&a), "");
    seal(&a, 4, 5, 1);
    EXPECT_TEXT(settle(&a), "");
    EXPECT(delta_checkpoint_make(a.store->objects, 1, clock_wall(), NULL, &made, &err) == 0);
    EXPECT_U64(made.count, 1);
    leave(&a);
    struct store_config config = {.root = "root",
                                  .instance = "a",
                                  .engine = "varve/0",
                                  .schema = &narrow,
                                  .sources = sources,
                                  .source_count = 1};
    struct store *store = store_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    const struct position *all = positions_find(&store->positions, "S", "C", STORE_ANYBODY);
    struct buf text = {0};
    EXPECT(all != NULL);
    seqset_write_text(&text, &all->above);
    EXPECT_TEXT(buf_text(&text), "1-5");
    buf_free(&text);
    store_close(store);
}
