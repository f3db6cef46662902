/* SPDX-License-Identifier: MIT */
#include "follow/ahead.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "batch/batch.h"
#include "object/posix.h"
#include "parquet/write/writer.h"
#include "test.h"

/* Files of a table in the directory "root": each row has its sequence, and a text that follows from
 * it, so that a row can be told from all others. */
static const struct column_spec specs[] = {
    {.name = "note", .type = COLUMN_BYTES, .optional = true},
    {.name = "stream_seq", .type = COLUMN_INT64},
};
static const struct schema schema = {"event", specs, 2};
static const struct follow_column wanted[] = {
    {"missing", PARQUET_TYPE_INT64},
    {"note", PARQUET_TYPE_BYTE_ARRAY},
    {"stream_seq", PARQUET_TYPE_INT64},
};

static int append(void *context, const void *data, size_t len, struct err *err)
{
    (void)err; /* memory can't fail */
    buf_append(context, data, len);
    return 0;
}

/* Bytes of the text of a row; every fifth is null. */
static size_t note_len(uint64_t sequence, size_t len)
{
    return sequence % 5 == 4 ? 0 : 1 + (size_t)sequence * 7919 % len;
}

static void put_row(struct batch *b, uint64_t sequence, size_t len, struct buf *text)
{
    buf_reset(text);
    for (size_t i = 0; i < note_len(sequence, len); i++)
        buf_append_byte(text, (uint8_t)('a' + (sequence + i) % 26));
    if (text->len == 0)
        batch_put_null(b, 0);
    else
        batch_put_bytes(b, 0, buf_slice(text));
    batch_put_int64(b, 1, (int64_t)sequence);
    batch_end_row(b);
}

static void write_file(const char *name, const uint64_t *sequences, size_t count, size_t len)
{
    struct parquet_options options = parquet_options_default();
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct buf bytes = {0}, text = {0}, path = {0};
    struct parquet_sink sink = {.write = append, .context = &bytes};
    struct err err = {0};
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    struct batch *b = batch_new(&schema, NULL);
    for (size_t i = 0; i < count; i++) {
        put_row(b, sequences[i], len, &text);
        if (b->rows < 1000 && i + 1 < count)
            continue;
        EXPECT(parquet_writer_append(w, b, sink, &err) == 0);
        batch_reset(b);
    }
    EXPECT(parquet_writer_finish(w, sink, &err) == 0);
    buf_printf(&path, "root/%s", name);
    (void)mkdir("root", 0777);
    FILE *f = fopen(buf_text(&path), "wb");
    EXPECT(f != NULL && fwrite(bytes.data, 1, bytes.len, f) == bytes.len && fclose(f) == 0);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    batch_free(b);
    buf_free(&bytes);
    buf_free(&text);
    buf_free(&path);
}

static struct object_store *open_root(void)
{
    struct object_posix_config config = {.root = "root", .entries = "_delta_log/"};
    struct err err = {0};
    struct object_store *store = object_posix_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    return store;
}

static void expect_row(const struct follow_row *row, uint64_t sequence, size_t len)
{
    EXPECT_U64(row->sequence, sequence);
    EXPECT(row->values[0].data == NULL);
    EXPECT(row->values[2].len == 8 && load_u64le(row->values[2].data) == sequence);
    EXPECT_U64(row->values[1].len, note_len(sequence, len));
    EXPECT((row->values[1].data == NULL) == (sequence % 5 == 4));
    for (size_t i = 0; i < row->values[1].len; i++)
        EXPECT(row->values[1].data[i] == 'a' + (sequence + i) % 26);
}

/* Read behind `after`: the rows are `expected`, in this order. */
static void expect_rows(const struct follow_file *files, size_t count, uint64_t after,
                        const uint64_t *expected, size_t rows, size_t len)
{
    struct object_store *store = open_root();
    struct follow_reader *r = follow_reader_new(store, files, count, wanted, 3, after, NULL);
    struct follow_row row;
    struct err err = {0};
    size_t first = 0;
    while (first < rows && expected[first] <= after)
        first++;
    for (size_t i = first; i < rows; i++) {
        EXPECT(follow_reader_next(r, &row, &err) == 1);
        expect_row(&row, expected[i], len);
    }
    EXPECT(follow_reader_next(r, &row, &err) == 0);
    EXPECT(follow_reader_next(r, &row, &err) == 0);
    EXPECT_TEXT(err.text, "");
    follow_reader_free(r);
    object_store_close(store);
}

/* What is kept of a row in its place. */
struct note {
    uint64_t sequence, len;
};

static void make_note(void *context, const struct slice *values, void *record)
{
    uint64_t *made = context;
    *(struct note *)record = (struct note){load_u64le(values[2].data), values[1].len};
    ++*made;
}

static void expect_notes(const struct follow_file *files, size_t count, const uint64_t *expected,
                         size_t rows, size_t len)
{
    struct object_store *store = open_root();
    struct follow_reader *r = follow_reader_new(store, files, count, wanted, 3, 0, NULL);
    struct follow_row row;
    struct err err = {0};
    uint64_t made = 0;
    follow_reader_set_record(r, sizeof(struct note), make_note, &made);
    for (size_t i = 0; i < rows; i++) {
        EXPECT(follow_reader_next(r, &row, &err) == 1);
        const struct note *note = row.record;
        EXPECT_U64(row.sequence, expected[i]);
        EXPECT_U64(note->sequence, expected[i]);
        EXPECT_U64(note->len, note_len(expected[i], len));
    }
    EXPECT(follow_reader_next(r, &row, &err) == 0);
    EXPECT(made >= rows);
    follow_reader_free(r);
    object_store_close(store);
}

TEST(follow_reader_merges_files_of_many_partitions)
{
    enum { FILES = FOLLOW_OPEN_MAX + 7, ROWS = 60000 };
    static uint64_t all[ROWS], parts[FILES][ROWS];
    size_t counts[FILES] = {0};
    struct follow_file files[FILES];
    uint64_t random = 20261126, sequence = 0;
    for (size_t i = 0; i < ROWS; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        sequence += 1 + (random >> 60 == 0 ? random >> 40 & 0xfffff : 0); /* gaps now and then */
        size_t file = (random >> 33) % FILES;
        all[i] = parts[file][counts[file]++] = sequence;
    }
    static char names[FILES][2];
    for (size_t i = 0; i < FILES; i++) {
        names[i][0] = (char)('a' + i);
        write_file(names[i], parts[i], counts[i], 30);
        files[i] = (struct follow_file){.name = names[i], .last = UINT64_MAX};
    }
    expect_rows(files, FILES, 0, all, ROWS, 30);
    expect_rows(files, FILES, all[ROWS / 3], all, ROWS, 30);
    expect_rows(files, FILES, all[ROWS - 1], all, ROWS, 30);
    expect_notes(files, FILES, all, ROWS, 30);
}

TEST(follow_reader_takes_files_in_any_inner_order)
{
    enum { ROWS = 20000 };
    static uint64_t pieces[ROWS], backward[ROWS], all[2 * ROWS];
    for (uint64_t i = 0; i < ROWS; i++) {
        pieces[i] = 1 + 2 * ((i + ROWS / 2) % ROWS); /* two runs, the newer one first */
        backward[i] = 2 * (ROWS - i);                /* more runs than are kept apart */
        all[2 * i] = 2 * i + 1;
        all[2 * i + 1] = 2 * i + 2;
    }
    write_file("pieces", pieces, ROWS, 10);
    write_file("backward", backward, ROWS, 10);
    const struct follow_file files[] = {{.name = "pieces", .first = 1, .last = 2 * ROWS - 1},
                                        {.name = "backward", .first = 2, .last = 2 * ROWS}};
    expect_rows(files, 2, 0, all, 2 * ROWS, 10);
    expect_rows(files, 2, 30001, all, 2 * ROWS, 10);
}

TEST(follow_reader_memory_is_that_of_a_window)
{
    enum { ROWS = 400, LEN = 300 * 1000 }; /* some 50 MB */
    static uint64_t odd[ROWS], even[ROWS], all[2 * ROWS];
    for (uint64_t i = 0; i < ROWS; i++) {
        all[2 * i] = odd[i] = 2 * i + 1;
        all[2 * i + 1] = even[i] = 2 * i + 2;
    }
    write_file("odd", odd, ROWS, LEN);
    write_file("even", even, ROWS, LEN);
    const struct follow_file files[] = {{.name = "odd", .first = 1, .last = 2 * ROWS - 1},
                                        {.name = "even", .first = 2, .last = 2 * ROWS}};
    expect_rows(files, 2, 0, all, 2 * ROWS, LEN);
}

TEST(follow_reader_gives_what_is_there_twice_twice)
{
    static const uint64_t one[] = {1, 2, 3}, two[] = {3, 4}, all[] = {1, 2, 3, 3, 4};
    write_file("one", one, 3, 5);
    write_file("two", two, 2, 5);
    const struct follow_file files[] = {{.name = "one", .first = 1, .last = 3},
                                        {.name = "two", .first = 3, .last = 4}};
    expect_rows(files, 2, 0, all, 5, 5);
    expect_rows(NULL, 0, 0, NULL, 0, 5);
}

TEST(follow_reader_far_apart)
{
    static const uint64_t one[] = {5, UINT64_C(1) << 40}, two[] = {UINT64_C(1) << 62, INT64_MAX};
    static const uint64_t all[] = {5, UINT64_C(1) << 40, UINT64_C(1) << 62, INT64_MAX};
    write_file("one", one, 2, 5);
    write_file("two", two, 2, 5);
    const struct follow_file files[] = {{.name = "one", .first = 5, .last = one[1]},
                                        {.name = "two", .first = two[0], .last = INT64_MAX}};
    expect_rows(files, 2, 0, all, 4, 5);
    expect_rows(files, 2, 5, all, 4, 5);
}

/* The error of reading one file. */
static void expect_error(const char *name, const struct follow_column *column, const char *text)
{
    const struct follow_file file = {.name = name, .last = UINT64_MAX};
    struct object_store *store = open_root();
    struct follow_reader *r = follow_reader_new(store, &file, 1, column, 1, 0, NULL);
    struct follow_row row;
    struct err err = {0};
    EXPECT(follow_reader_next(r, &row, &err) == -1);
    EXPECT_TEXT(err.text, text);
    follow_reader_free(r);
    object_store_close(store);
}

static bool is_third(const void *context, const struct slice *values)
{
    (void)context;
    return load_u64le(values[2].data) % 3 == 0;
}

/* Three parcels many times over, of rows of which not all are wanted; the rows of `len` bytes. */
static void expect_ahead(size_t rows, size_t len, size_t taken)
{
    struct follow_file file = {.name = "ahead", .first = 1, .last = rows};
    uint64_t *sequences = calloc(rows, sizeof(*sequences));
    EXPECT(sequences != NULL);
    for (size_t i = 0; i < rows; i++)
        sequences[i] = i + 1;
    write_file(file.name, sequences, rows, len);
    free(sequences);
    struct object_store *store = open_root();
    struct follow_reader *r = follow_reader_new(store, &file, 1, wanted, 3, 0, NULL);
    struct follow_ahead *ahead = follow_ahead_new(r, 3, is_third, NULL);
    struct follow_row row;
    struct err err = {0};
    uint64_t sequence = 0;
    int more = 1;
    for (size_t i = 0; i < taken && (more = follow_ahead_next(ahead, &row, &err)) == 1; i++)
        expect_row(&row, sequence += 3, len);
    EXPECT_TEXT(err.text, "");
    EXPECT(more == (taken > rows / 3 ? 0 : 1));
    EXPECT_U64(sequence, 3 * (taken < rows / 3 ? taken : rows / 3));
    follow_ahead_free(ahead);
    follow_reader_free(r);
    object_store_close(store);
}

TEST(follow_ahead_gives_the_rows_of_a_reader)
{
    expect_ahead(FOLLOW_AHEAD_ROWS * 3 * (FOLLOW_AHEAD_PARCELS + 2), 4, SIZE_MAX);
    expect_ahead(4000, 10000, SIZE_MAX); /* by their bytes */
    expect_ahead(2, 4, SIZE_MAX);        /* none is wanted */
}

TEST(follow_ahead_ends_at_any_time)
{
    for (size_t taken = 0; taken < 3; taken++)
        expect_ahead(FOLLOW_AHEAD_ROWS * 3 * (FOLLOW_AHEAD_PARCELS + 2), 4, taken);
    expect_ahead(FOLLOW_AHEAD_ROWS * 3 * (FOLLOW_AHEAD_PARCELS + 2), 4, FOLLOW_AHEAD_ROWS + 1);
}

/* Behind all rows in front of what is wrong. */
TEST(follow_ahead_says_what_is_wrong)
{
    static const uint64_t first[] = {3, 6, 9};
    const struct follow_file files[] = {{.name = "there", .first = 3, .last = 9},
                                        {.name = "gone", .first = 200000, .last = 200001}};
    write_file("there", first, 3, 4);
    struct object_store *store = open_root();
    struct follow_reader *r = follow_reader_new(store, files, 2, wanted, 3, 0, NULL);
    struct follow_ahead *ahead = follow_ahead_new(r, 3, is_third, NULL);
    struct follow_row row;
    struct err err = {0};
    for (size_t i = 0; i < 3; i++) {
        EXPECT(follow_ahead_next(ahead, &row, &err) == 1);
        expect_row(&row, first[i], 4);
    }
    EXPECT(follow_ahead_next(ahead, &row, &err) == -1);
    EXPECT(strstr(err.text, "gone") != NULL && err.code == ERR_SYSTEM);
    follow_ahead_free(ahead);
    follow_reader_free(r);
    object_store_close(store);
}

TEST(follow_reader_says_what_is_wrong)
{
    static const uint64_t one[] = {1};
    const struct follow_column note = {"note", PARQUET_TYPE_BYTE_ARRAY};
    const struct follow_column number = {"note", PARQUET_TYPE_INT64};
    write_file("one", one, 1, 5);
    expect_error("one", &number, "one: its column note is of another type than elsewhere");
    expect_error("gone", &note, "gone: there is no such file");
}

/* Rows of another engine, wherever they lie: before a piece in order, in it, between two, at the
 * end. */
TEST(follow_reader_passes_over_what_has_no_sequence)
{
    enum { NONE = 5 };
    static const uint64_t mixed[] = {UINT64_MAX,        1, UINT64_MAX, 2, 8,
                                     UINT64_C(1) << 63, 4, UINT64_MAX, 5, UINT64_MAX};
    static const uint64_t only[] = {UINT64_MAX}, all[] = {1, 2, 4, 5, 8};
    const struct follow_column note = {"note", PARQUET_TYPE_BYTE_ARRAY};
    const struct follow_file files[] = {{.name = "mixed", .last = UINT64_MAX},
                                        {.name = "only", .last = UINT64_MAX}};
    struct follow_row row;
    struct err err = {0};
    write_file("mixed", mixed, sizeof(mixed) / sizeof(mixed[0]), 5);
    write_file("only", only, 1, 5);
    expect_rows(files, 2, 0, all, 5, 5);
    struct object_store *store = open_root();
    struct follow_reader *r = follow_reader_new(store, files, 2, &note, 1, 0, NULL);
    for (size_t i = 0; i < 5; i++)
        EXPECT(follow_reader_next(r, &row, &err) == 1 && row.sequence == all[i]);
    EXPECT(follow_reader_next(r, &row, &err) == 0);
    EXPECT_U64(follow_reader_without(r), NONE + 1);
    follow_reader_free(r);
    object_store_close(store);
}
