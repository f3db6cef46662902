/* SPDX-License-Identifier: MIT */
#include "store/writer.h"

#include <glob.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "parquet/read/rows.h"
#include "parquet/verify/verify.h"
#include "store_fixture.h"
#include "test.h"

/* A writer over a store in the directory "root": without threads, unless it is given a waker. */
struct stage {
    struct store *store;
    struct store_path path;
    struct store_kind table, beside;
    struct store_writer *writer;
    struct account account;
    struct position position;
    struct seqset no_dead_letters;
    uint64_t sealed;
    char dir[64];
};

#define HOUR (3600 * CLOCK_SECOND)
#define BASE (INT64_C(1764000000) / 3600 * 3600 * CLOCK_SECOND) /* the start of an hour */

static const struct column_spec columns[] = {
    {.name = "seq", .type = COLUMN_INT64, .bounds = true, .ordered = true},
    {.name = "payload", .type = COLUMN_BYTES},
};
static const struct schema narrow = {"narrow", columns, 2};
static const struct store_origin origin = {"S", "C", "D"};

static const struct store_writer_limits generous = {
    .batch_bytes = 4 << 20, .open_memory = UINT64_MAX, .row_group_bytes = 0};

static void start_with(struct stage *s, const struct schema *schema, struct parquet_options options,
                       struct store_writer_limits limits, struct waker waker)
{
    struct err err = {0};
    struct store_config config = {
        .root = "root", .instance = "i", .engine = "varve/0", .schema = schema};
    *s = (struct stage){.position = fixture_position(0)};
    fixture_begin_fast(s->dir);
    s->store = store_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    EXPECT(store_path_parse(&s->path,
                            "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet",
                            &err) == 0);
    s->table = (struct store_kind){.schema = schema, .path = &s->path};
    s->beside = (struct store_kind){.schema = schema};
    s->writer = store_writer_new(&(struct store_writer_options){.store = s->store,
                                                                .instance = "i",
                                                                .parquet = options,
                                                                .account = &s->account,
                                                                .waker = waker,
                                                                .stepped = waker.wake == NULL},
                                 &err);
    EXPECT(s->writer != NULL);
    store_writer_set_limits(s->writer, &limits);
}

static void start(struct stage *s, struct store_writer_limits limits)
{
    start_with(s, &narrow, parquet_options_default(), limits, (struct waker){0});
}

static void stop(struct stage *s)
{
    store_writer_free(s->writer);
    EXPECT_U64(account_bytes(&s->account), 0);
    store_close(s->store);
    fixture_end_fast(s->dir);
}

static struct store_row row_of(struct stage *s, uint64_t seq, const char *simulation, int64_t time)
{
    return (struct store_row){.kind = &s->table,
                              .origin = &origin,
                              .sequence = seq,
                              .values = {.simulation_id = slice_of(simulation), .time = time}};
}

static uint8_t payload[200 * 1024];

static void append(struct stage *s, const struct store_row *row, size_t len)
{
    struct batch *b = store_writer_begin_row(s->writer, row);
    batch_put_int64(b, 0, (int64_t)row->sequence);
    batch_put_bytes(b, 1, (struct slice){payload, len});
    batch_end_row(b);
    EXPECT(store_writer_end_row(s->writer) >= len);
}

static void add(struct stage *s, uint64_t seq, const char *simulation, int64_t time)
{
    struct store_row row = row_of(s, seq, simulation, time);
    append(s, &row, 7);
}

static void add_large(struct stage *s, uint64_t seq, const char *simulation, size_t len)
{
    struct store_row row = row_of(s, seq, simulation, BASE);
    append(s, &row, len);
}

static struct store_committed commit(struct stage *s)
{
    struct store_committed how;
    store_writer_seal(s->writer, &(struct store_seal){.number = ++s->sealed,
                                                      .positions = &s->position,
                                                      .dead_letters = &s->no_dead_letters,
                                                      .position_count = 1});
    EXPECT(!store_writer_committed(s->writer, &how));
    while (!store_writer_committed(s->writer, &how))
        EXPECT_I64(store_writer_turn(s->writer, 0), 0); /* there is more to do */
    EXPECT_U64(how.number, s->sealed);
    EXPECT(!store_writer_committed(s->writer, &how));
    return how;
}

static int read_file(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    (void)err;
    EXPECT(pread(*(int *)context, data, len, (off_t)offset) == (ssize_t)len);
    return 0;
}

/* The sequences of a file in their order; how many. `out` may be NULL. */
static uint64_t read_sequences(const char *path, uint64_t *out, uint32_t *row_groups)
{
    struct err err = {0};
    struct parquet_file f = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && fstat(fd, &st) == 0);
    struct parquet_source source = {
        .read = read_file, .context = &fd, .size = (uint64_t)st.st_size};
    EXPECT(parquet_file_open(&f, &source, &err) == 0);
    if (row_groups != NULL)
        *row_groups = (uint32_t)f.metadata.row_groups_count;
    struct parquet_codec *codec = parquet_codec_new(NULL);
    uint32_t column = 0;
    struct parquet_rows *rows = parquet_rows_new(&f, &column, 1, codec);
    struct slice value;
    uint64_t count = 0;
    while (parquet_rows_next(rows, &value, &err) > 0) {
        if (out != NULL)
            out[count] = load_u64le(value.data);
        count++;
    }
    EXPECT_TEXT(err.text, "");
    parquet_rows_free(rows);
    parquet_codec_free(codec);
    parquet_file_close(&f);
    EXPECT(close(fd) == 0);
    return count;
}

static glob_t find(const char *pattern)
{
    glob_t found;
    int result = glob(pattern, 0, NULL, &found);
    EXPECT(result == 0 || result == GLOB_NOMATCH);
    return found;
}

/* The files that an entry of the log adds to the table. */
static uint32_t count_adds(const char *text)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, "{\"add\":")) != NULL; at++)
        count++;
    return count;
}

#define TABLE_FILES "root/*/*/*/*.parquet"

TEST(store_writer_gives_each_simulation_and_hour_a_file)
{
    struct stage s;
    uint64_t rows[64];
    start(&s, generous);
    for (uint64_t seq = 1; seq <= 60; seq++)
        add(&s, seq,
            seq % 3 == 0   ? "a"
            : seq % 3 == 1 ? "b"
                           : "../c",
            BASE + (int64_t)(seq % 2) * HOUR);
    EXPECT_U64(store_writer_partitions(s.writer), 6);
    EXPECT_U64(commit(&s).files, 6);
    EXPECT_U64(store_writer_partitions(s.writer), 0);
    glob_t found = find(TABLE_FILES);
    EXPECT_U64(found.gl_pathc, 6);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        EXPECT_U64(read_sequences(found.gl_pathv[i], rows, NULL), 10);
        for (uint64_t row = 1; row < 10; row++)
            EXPECT_U64(rows[row], rows[0] + row * 6); /* same simulation, same hour */
    }
    globfree(&found);
    stop(&s);
}

TEST(store_writer_writes_rows_in_stream_order_whatever_order_they_come_in)
{
    enum { ROWS = 3 * BATCH_ROWS_MAX };
    struct stage s;
    uint64_t *rows = calloc(ROWS, sizeof(*rows));
    EXPECT(rows != NULL);
    start(&s, generous);
    /* A redelivery comes last within the batch, another one long after its batch was encoded. */
    for (uint64_t seq = 1; seq <= ROWS; seq++)
        if (seq != 100 && seq != 200)
            add(&s, seq, "a", BASE);
        else if (seq == 200)
            add(&s, 100, "a", BASE);
    add(&s, 200, "a", BASE);
    EXPECT_U64(commit(&s).files, 2); /* the late one has a file of its own */
    glob_t found = find(TABLE_FILES);
    uint64_t total = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        uint64_t count = read_sequences(found.gl_pathv[i], rows, NULL);
        for (uint64_t row = 1; row < count; row++)
            EXPECT(rows[row] > rows[row - 1]);
        total += count;
    }
    EXPECT_U64(total, ROWS);
    globfree(&found);
    free(rows);
    stop(&s);
}

/*
 * A file of 60 columns may have 2,000 row groups, fewer than its rows would make here. The rest
 * goes into more files of the same partition, in the same commit.
 */
TEST(store_writer_begins_another_file_when_one_is_full)
{
    enum { COLUMNS = 60, ROWS = 5000 };
    static struct column_spec wide_columns[COLUMNS];
    static char names[COLUMNS][8];
    static const struct schema wide = {"wide", wide_columns, COLUMNS};
    struct parquet_options options = parquet_options_default();
    struct stage s;
    options.row_group_rows = 1;
    for (int i = 0; i < COLUMNS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "c%d", i);
        wide_columns[i] =
            (struct column_spec){.name = names[i], .type = COLUMN_INT64, .ordered = i == 0};
    }
    start_with(&s, &wide, options, generous, (struct waker){0});
    for (uint64_t seq = 1; seq <= ROWS; seq++) {
        struct store_row row = row_of(&s, seq, "a", BASE);
        struct batch *b = store_writer_begin_row(s.writer, &row);
        for (uint32_t i = 0; i < COLUMNS; i++)
            batch_put_int64(b, i, (int64_t)seq);
        batch_end_row(b);
        (void)store_writer_end_row(s.writer);
    }
    EXPECT(commit(&s).files >= 3);
    glob_t found = find("root/a/*/*/*.parquet");
    EXPECT(found.gl_pathc >= 3);
    uint8_t seen[ROWS + 1] = {0};
    uint64_t total = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        uint64_t rows[ROWS];
        uint64_t count = read_sequences(found.gl_pathv[i], rows, NULL);
        for (uint64_t row = 0; row < count; row++)
            EXPECT(seen[rows[row]]++ == 0);
        total += count;
    }
    EXPECT_U64(total, ROWS);
    globfree(&found);
    char *text = fixture_read("root/_delta_log/00000000000000000001.json");
    EXPECT(count_adds(text) >= 3);
    free(text);
    stop(&s);
}

TEST(store_writer_keeps_row_groups_as_small_as_asked)
{
    struct parquet_options options = parquet_options_default();
    struct stage s;
    uint32_t row_groups;
    options.row_group_rows = 10;
    start_with(&s, &narrow, options, generous, (struct waker){0});
    for (uint64_t seq = 1; seq <= 35; seq++)
        add(&s, seq, "a", BASE);
    (void)commit(&s);
    glob_t found = find(TABLE_FILES);
    EXPECT_U64(found.gl_pathc, 1);
    EXPECT_U64(read_sequences(found.gl_pathv[0], NULL, &row_groups), 35);
    EXPECT_U64(row_groups, 4);
    globfree(&found);
    stop(&s);
}

TEST(store_writer_counts_all_memory_and_gets_it_back)
{
    struct stage s;
    start(&s, generous);
    uint64_t before = account_bytes(&s.account);
    for (uint64_t seq = 1; seq <= 30000; seq++)
        add_large(&s, seq, seq % 2 ? "a" : "b", 100);
    EXPECT(account_bytes(&s.account) > before + 1000000);
    (void)commit(&s);
    EXPECT_U64(store_writer_queued(s.writer), 0);
    /* What is left are batches and a file's buffers for the next time. */
    EXPECT(account_bytes(&s.account) < before + (UINT64_C(12) << 20));
    stop(&s);
}

TEST(store_writer_compresses_the_largest_batches_early)
{
    struct stage s;
    struct store_writer_limits limits = generous;
    limits.open_memory = 450 * 1024;
    start(&s, limits);
    add_large(&s, 1, "large", 200 * 1024);
    add_large(&s, 2, "half", 110 * 1024);
    add_large(&s, 3, "less", 90 * 1024);
    add_large(&s, 4, "small", 1024);
    (void)store_writer_turn(s.writer, 0);
    EXPECT_U64(store_writer_queued(s.writer), 0); /* some 400 KiB: it is not time yet */
    add_large(&s, 5, "more", 95 * 1024);
    (void)store_writer_turn(s.writer, 0);
    uint64_t queued = store_writer_queued(s.writer);
    EXPECT(queued > 310 * 1024 && queued < 320 * 1024); /* the two largest */
    EXPECT_U64(commit(&s).files, 5);                    /* the rows are one commit all the same */
    stop(&s);
}

TEST(store_writer_does_not_compress_small_batches_early)
{
    struct stage s;
    struct store_writer_limits limits = generous;
    limits.open_memory = 100 * 1024;
    start(&s, limits);
    for (uint64_t seq = 1; seq <= 40; seq++) {
        char simulation[8];
        (void)snprintf(simulation, sizeof(simulation), "s%d", (int)seq);
        add_large(&s, seq, simulation, 10 * 1024);
    }
    (void)store_writer_turn(s.writer, 0);
    EXPECT_U64(store_writer_queued(s.writer), 0);
    stop(&s);
}

TEST(store_writer_closes_row_groups_that_are_large_compressed)
{
    struct stage s;
    uint32_t row_groups;
    struct store_writer_limits limits = generous;
    limits.batch_bytes = 100 * 1024;
    limits.row_group_bytes = 1; /* so each batch is one */
    start(&s, limits);
    for (uint64_t seq = 1; seq <= 3; seq++)
        add_large(&s, seq, "a", 100 * 1024);
    (void)commit(&s);
    glob_t found = find(TABLE_FILES);
    EXPECT_U64(read_sequences(found.gl_pathv[0], NULL, &row_groups), 3);
    EXPECT_U64(row_groups, 3);
    globfree(&found);
    stop(&s);
}

static void expect_sound(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && fstat(fd, &st) == 0);
    struct parquet_source source = {
        .read = read_file, .context = &fd, .size = (uint64_t)st.st_size};
    struct parquet_verify verify = {.codec = parquet_codec_new(NULL)};
    parquet_verify(&verify, &source);
    EXPECT_U64(verify.findings, 0);
    parquet_codec_free(verify.codec);
    parquet_verify_free(&verify);
    EXPECT(close(fd) == 0);
}

/* Pages that go to the disk without a copy, beside others that are too few for that, in several row
 * groups and files one after the other. */
TEST(store_writer_hands_large_pages_on)
{
    enum { ROWS = 60 };
    struct stage s;
    uint64_t rows[ROWS];
    uint32_t row_groups;
    struct store_writer_limits limits = generous;
    limits.batch_bytes = 500 * 1024;
    limits.row_group_bytes = 1200 * 1024;
    start(&s, limits);
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        for (uint64_t seq = epoch * ROWS + 1; seq <= (epoch + 1) * ROWS; seq++) {
            for (size_t i = 0; i < sizeof(payload); i++)
                payload[i] = (uint8_t)test_random();
            add_large(&s, seq, "a", 50 * 1024 + seq);
        }
        (void)commit(&s);
        glob_t found = find(TABLE_FILES);
        EXPECT_U64(found.gl_pathc, epoch + 1);
        for (size_t i = 0; i < found.gl_pathc; i++) {
            expect_sound(found.gl_pathv[i]);
            EXPECT_U64(read_sequences(found.gl_pathv[i], rows, &row_groups), ROWS);
            EXPECT(rows[ROWS - 1] == rows[0] + ROWS - 1 && row_groups > 1);
        }
        globfree(&found);
    }
    memset(payload, 0, sizeof(payload));
    stop(&s);
}

static void unpack_row(struct batch *b, struct slice packed)
{
    batch_put_int64(b, 0, (int64_t)load_u64le(packed.data));
    batch_put_bytes(b, 1, (struct slice){packed.data + 8, packed.len - 8});
    batch_end_row(b);
}

static void add_packed(struct stage *s, uint64_t seq, const char *simulation, size_t len)
{
    struct store_row row = row_of(s, seq, simulation, BASE);
    uint64_t bytes = 8 + 4 + len;
    if (s->table.unpack != NULL) {
        row.packed = 8 + len;
        row.bytes = bytes;
    }
    struct batch *b = store_writer_begin_row(s->writer, &row);
    if (b != NULL) {
        batch_put_int64(b, 0, (int64_t)seq);
        batch_put_bytes(b, 1, (struct slice){payload, len});
        batch_end_row(b);
    } else {
        uint8_t *room = store_writer_room(s->writer);
        store_u64le(room, seq);
        memcpy(room + 8, payload, len);
    }
    EXPECT_U64(store_writer_end_row(s->writer), bytes);
}

/* The log entry has the name, size and SHA-256 of each file. */
static char *entry_of(bool packed, uint64_t batch_bytes, size_t most)
{
    struct stage s;
    struct store_writer_limits limits = generous;
    limits.batch_bytes = batch_bytes;
    start(&s, limits);
    s.table.unpack = packed ? unpack_row : NULL;
    for (uint64_t seq = 1, bytes = 0; bytes < (8 << 20); seq++) {
        /* Of one simulation the rows come in no order. */
        const char simulation[] = {(char)('a' + seq % 7), '\0'};
        add_packed(&s, seq % 7 == 6 ? seq ^ 64 * 7 : seq, simulation, seq * seq % most);
        bytes += seq * seq % most;
    }
    (void)commit(&s);
    glob_t found = find(TABLE_FILES);
    EXPECT(found.gl_pathc >= 7);
    for (size_t i = 0; i < found.gl_pathc; i++)
        expect_sound(found.gl_pathv[i]);
    globfree(&found);
    char *text = fixture_read("root/_delta_log/00000000000000000001.json");
    stop(&s);
    return text;
}

/* The sums of the files, in order. */
static void expect_same_files(const char *a, const char *b)
{
    static const char key[] = "sha256";
    int files = 0;
    while ((a = strstr(a, key)) != NULL && (b = strstr(b, key)) != NULL) {
        EXPECT_BYTES((const uint8_t *)a, sizeof(key) + SHA256_TEXT_MAX, (const uint8_t *)b,
                     sizeof(key) + SHA256_TEXT_MAX);
        a++;
        b++;
        files++;
    }
    EXPECT(files >= 7);
}

/* Few rows of a partition, which are packed until they are sealed; so many that it gets batches;
 * and some that are too large to be packed. */
TEST(store_writer_makes_the_same_files_of_packed_rows)
{
    static const struct {
        uint64_t batch_bytes;
        size_t most;
    } cases[] = {{4 << 20, 100}, {4 << 20, 1000}, {64 * 1024, 1000}, {4 << 20, 20000}};
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)test_random();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *packed = entry_of(true, cases[i].batch_bytes, cases[i].most);
        char *direct = entry_of(false, cases[i].batch_bytes, cases[i].most);
        expect_same_files(packed, direct);
        free(packed);
        free(direct);
    }
    memset(payload, 0, sizeof(payload));
}

/* Of so many partitions the rows stay packed until the encoder has them. Some come late: within
 * what is packed, or long after it was encoded, for which there is another file. */
TEST(store_writer_encodes_packed_rows_of_many_partitions)
{
    enum { ROWS = 20000, SIMULATIONS = 3 * STORE_PARTITIONS_FEW };
    struct stage s;
    struct store_writer_limits limits = generous;
    uint8_t *seen = calloc(ROWS + 1, 1);
    uint64_t *rows = calloc(ROWS, sizeof(*rows)), total = 0;
    EXPECT(seen != NULL && rows != NULL);
    limits.batch_bytes = 64 * 1024;
    start(&s, limits);
    s.table.unpack = unpack_row;
    for (uint64_t at = 1; at <= ROWS; at++) {
        /* Rows 10 and 11 of a hundred change places; rows 40 come with the last ones. */
        uint64_t seq = at % 100 == 10 ? at + 1 : at % 100 == 11 ? at - 1 : at;
        if (at % 2000 == 40 || at % 2000 == 1940)
            seq = at % 2000 == 40 ? at + 1900 : at - 1900;
        char simulation[] = {(char)('a' + seq * 7919 % SIMULATIONS), '\0'};
        add_packed(&s, seq, simulation, seq * seq % 1000);
    }
    EXPECT(store_writer_queued(s.writer) > 1000000);
    EXPECT(commit(&s).files > SIMULATIONS);
    EXPECT_U64(store_writer_queued(s.writer), 0);
    glob_t found = find(TABLE_FILES);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        uint64_t count = read_sequences(found.gl_pathv[i], rows, NULL);
        expect_sound(found.gl_pathv[i]);
        for (uint64_t row = 0; row < count; row++) {
            EXPECT(row == 0 || rows[row] > rows[row - 1]);
            EXPECT_U64(seen[rows[row]]++, 0);
        }
        total += count;
    }
    EXPECT_U64(total, ROWS);
    globfree(&found);
    free(rows);
    free(seen);
    stop(&s);
}

TEST(store_writer_keeps_what_is_no_row_beside_the_table)
{
    struct stage s;
    start(&s, generous);
    add(&s, 1, "a", BASE);
    struct store_row row = row_of(&s, 2, "a", BASE);
    row.kind = &s.beside;
    append(&s, &row, 3);
    EXPECT_U64(commit(&s).files, 2);
    char *text = fixture_read("root/_delta_log/00000000000000000001.json");
    EXPECT_U64(count_adds(text), 1);
    EXPECT(strstr(text, "_quarantine/S-2-2") != NULL);
    free(text);
    stop(&s);
}

/* Sources do not share files, and a commit may have no rows at all. */
TEST(store_writer_keeps_sources_apart)
{
    struct stage s;
    start(&s, generous);
    for (uint32_t source = 0; source < 2; source++) {
        struct store_row row = row_of(&s, 1, "a", BASE);
        row.source = source;
        append(&s, &row, 1);
    }
    EXPECT_U64(commit(&s).files, 2);
    EXPECT_U64(commit(&s).files, 0);
    stop(&s);
}

TEST(store_writer_gives_up_what_is_not_committed)
{
    struct stage s;
    start(&s, generous);
    add(&s, 1, "a", BASE);
    store_writer_seal(s.writer, &(struct store_seal){.number = 1});
    add(&s, 2, "a", BASE);
    stop(&s); /* the leak checker has the last word */
    EXPECT(true);
}

/* Thousands of simulations with a few rows each take little more than these rows, and are one
 * commit. */
TEST(store_writer_holds_many_small_partitions)
{
    enum { SIMULATIONS = 3000, ROWS = 5 };
    struct stage s;
    uint64_t rows[ROWS];
    start(&s, generous);
    uint64_t before = account_bytes(&s.account);
    for (uint64_t seq = 1; seq <= (uint64_t)ROWS * SIMULATIONS; seq++) {
        char simulation[16];
        (void)snprintf(simulation, sizeof(simulation), "s%04d", (int)(seq % SIMULATIONS));
        /* The last two of each come the wrong way round. */
        uint64_t last = (uint64_t)(ROWS - 2) * SIMULATIONS;
        uint64_t mirrored = seq > last + SIMULATIONS ? seq - SIMULATIONS : seq + SIMULATIONS;
        add_large(&s, seq > last ? mirrored : seq, simulation, 100);
    }
    EXPECT_U64(store_writer_partitions(s.writer), SIMULATIONS);
    EXPECT(account_bytes(&s.account) - before < SIMULATIONS * (ROWS * 200 + 6 * 1024));
    EXPECT_U64(commit(&s).files, SIMULATIONS);
    glob_t found = find("root/s0007/*/*/*.parquet");
    EXPECT_U64(found.gl_pathc, 1);
    EXPECT_U64(read_sequences(found.gl_pathv[0], rows, NULL), ROWS);
    for (uint64_t row = 0; row < ROWS; row++)
        EXPECT_U64(rows[row], 7 + row * SIMULATIONS);
    globfree(&found);
    stop(&s);
}

static void wake(int handle)
{
    EXPECT(write(handle, "", 1) == 1);
}

/* Its name and its bytes. */
static void append_file(struct buf *out, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && fstat(fd, &st) == 0);
    buf_append_text(out, path);
    buf_reserve(out, (size_t)st.st_size);
    EXPECT(read(fd, out->data + out->len, (size_t)st.st_size) == st.st_size);
    out->len += (size_t)st.st_size;
    EXPECT(close(fd) == 0);
}

enum { THREAD_COMMITS = 3, THREAD_ROWS = 5000 };

/* Some commits of two simulations; then the name and the bytes of each file, one after the other.
 */
static void write_and_collect(const int ends[2], struct buf *out)
{
    struct stage s;
    struct store_committed how;
    struct store_writer_limits limits = generous;
    uint64_t committed = 0, rows = 0;
    char byte;
    limits.batch_bytes = 10000;
    limits.row_group_bytes = 20000;
    start_with(&s, &narrow, parquet_options_default(), limits,
               ends == NULL ? (struct waker){0} : (struct waker){wake, ends[1]});
    for (uint64_t number = 1; number <= THREAD_COMMITS; number++) {
        for (uint64_t seq = (number - 1) * THREAD_ROWS + 1; seq <= number * THREAD_ROWS; seq++) {
            add_large(&s, seq, seq % 2 == 0 ? "a" : "b", seq * 7 % 90);
            (void)store_writer_turn(s.writer, 0);
        }
        store_writer_seal(s.writer, &(struct store_seal){.number = number});
    }
    while (committed < THREAD_COMMITS) {
        if (ends != NULL)
            EXPECT(read(ends[0], &byte, 1) == 1); /* the harness ends what waits for ever */
        (void)store_writer_turn(s.writer, 0);
        while (store_writer_committed(s.writer, &how))
            EXPECT_U64(how.number, ++committed); /* in order */
    }
    glob_t found = find(TABLE_FILES);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        rows += read_sequences(found.gl_pathv[i], NULL, NULL);
        append_file(out, found.gl_pathv[i]);
    }
    EXPECT_U64(rows, (uint64_t)THREAD_COMMITS * THREAD_ROWS);
    globfree(&found);
    stop(&s);
}

TEST(store_writer_writes_the_same_bytes_with_threads_and_without)
{
    struct buf one = {0}, many = {0};
    int ends[2];
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    write_and_collect(NULL, &one);
    write_and_collect(ends, &many);
    EXPECT(one.len > 0);
    EXPECT_BYTES(one.data, one.len, many.data, many.len);
    EXPECT(close(ends[0]) == 0 && close(ends[1]) == 0);
    buf_free(&one);
    buf_free(&many);
}

/* A row with a value that is not copied, between others that are: its file is whole, and theirs go
 * on. */
TEST(store_writer_takes_a_value_that_is_too_large_to_be_copied)
{
    enum { ROOM = 100, LEN = 5 * 1024 * 1024 };
    struct stage s;
    uint64_t rows[64];
    start(&s, generous);
    for (uint64_t seq = 1; seq <= 60; seq++) {
        if (seq != 1 && seq != 30) {
            add(&s, seq, "a", BASE);
            continue;
        }
        struct store_outside outside = {.size = ROOM + LEN, .account = &s.account, .column = 1};
        outside.memory = account_alloc(&s.account, 1, outside.size);
        outside.value = (struct slice){(uint8_t *)outside.memory + ROOM, LEN};
        struct batch *batch = batch_new(&narrow, &s.account);
        batch_put_int64(batch, 0, (int64_t)seq);
        batch_put_bytes(batch, 1, (struct slice){0});
        batch_end_row(batch);
        struct store_row row = row_of(&s, seq, "a", BASE);
        store_writer_add_outside(s.writer, &row, batch, &outside);
        /* Once, and what is known of it. */
        while (store_writer_turn(s.writer, 0) == 0)
            EXPECT(account_bytes(&s.account) < LEN + LEN / 2);
    }
    EXPECT_U64(commit(&s).files, 3);
    glob_t found = find(TABLE_FILES);
    EXPECT_U64(found.gl_pathc, 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        uint64_t count = read_sequences(found.gl_pathv[i], rows, NULL);
        EXPECT(count == 58 ? rows[0] == 2 && rows[28] == 31
                           : count == 1 && (rows[0] == 1 || rows[0] == 30));
    }
    globfree(&found);
    stop(&s);
}
