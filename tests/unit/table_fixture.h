/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_TABLE_FIXTURE_H
#define VARVE_TESTS_UNIT_TABLE_FIXTURE_H

#include "base/clock.h"
#include "base/sha256.h"
#include "batch/batch.h"
#include "object/object.h"
#include "parquet/write/writer.h"
#include "store/compact.h"
#include "store/keeper.h"
#include "store/store.h"
#include "store_fixture.h"
#include "test.h"

/*
 * A store of instance i in the directory "root" whose files are Parquet, for what reads them again.
 */
static inline struct store *table_open(const struct schema *schema, struct system system)
{
    struct err err = {0};
    struct store_config config = {
        .root = "root", .instance = "i", .engine = "varve/0", .schema = schema, .system = system};
    struct store *store = store_open(&config, &err);
    EXPECT_TEXT(err.text, "");
    return store;
}

struct table_sink {
    struct object_staged *staged;
    struct sha256 sum;
};

static inline int table_write(void *context, const void *data, size_t len, struct err *err)
{
    struct table_sink *to = context;
    sha256_add(&to->sum, data, len);
    return object_write(to->staged, data, len, err);
}

/* A finished file with the rows of a batch, which is freed, and the SHA-256 of it. */
static inline struct object_staged *table_stage(struct store *store, struct batch *batch,
                                                char sha256[static SHA256_TEXT_MAX])
{
    uint8_t hash[SHA256_BYTES];
    struct err err = {0};
    struct parquet_options options = parquet_options_default();
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_writer *writer = parquet_writer_new(batch->schema, &options, codec);
    struct object_staged *staged = object_stage(store->objects, &err);
    EXPECT(staged != NULL);
    struct table_sink to = {.staged = staged};
    struct parquet_sink sink = {.write = table_write, .context = &to};
    sha256_begin(&to.sum);
    parquet_writer_metadata(writer, "varve.instance", slice_of("i"));
    EXPECT(parquet_writer_append(writer, batch, sink, &err) == 0 &&
           parquet_writer_finish(writer, sink, &err) == 0 &&
           object_finish(store->objects, &staged, 1, &err) == 0);
    parquet_writer_free(writer);
    parquet_codec_free(codec);
    batch_free(batch);
    sha256_end(&to.sum, hash);
    sha256_format(hash, sha256);
    return staged;
}

/* Commit a file of stream S with these sequences; both are freed. */
static inline void table_commit(struct store *store, struct store_epoch_file file,
                                struct seqset *sequences)
{
    struct err err = {0};
    struct position position = fixture_position(sequences->list[sequences->count - 1].last);
    file.stream = "S";
    file.created = "C";
    file.sequences = sequences;
    file.rows = seqset_size(sequences);
    struct store_epoch epoch = {.files = &file,
                                .file_count = 1,
                                .positions = &position,
                                .position_count = 1,
                                .rows_of = sequences};
    EXPECT(store_commit(store, &epoch, &err) == 0);
    EXPECT_TEXT(err.text, "");
    object_staged_free(file.file);
    seqset_free(sequences);
}

typedef void table_put_row(struct batch *batch, uint64_t row);

/* Commit a file with the rows first, first + by ... last. `late`: the second half of them comes
 * before the first, as after a delivery that was lost. */
static inline void table_commit_rows(struct store *store, const struct schema *schema,
                                     const char *key, table_put_row *put, uint64_t first,
                                     uint64_t last, uint64_t by, bool late)
{
    struct seqset sequences = {0};
    char sha256[SHA256_TEXT_MAX];
    struct batch *batch = batch_new(schema, NULL);
    uint64_t middle = first + (last - first) / by / 2 * by;
    for (uint64_t row = late ? middle : first; row <= last; row += by)
        put(batch, row);
    for (uint64_t row = first; row < middle && late; row += by)
        put(batch, row);
    for (uint64_t row = first; row <= last; row += by)
        (void)seqset_add(&sequences, row);
    struct object_staged *staged = table_stage(store, batch, sha256);
    table_commit(store, (struct store_epoch_file){.file = staged, .key = key, .sha256 = sha256},
                 &sequences);
}

static inline void table_note(void *context, const struct compact_folder_report *folder)
{
    if (folder->why != NULL)
        (void)snprintf(context, 256, "%s", folder->why);
}

/* Compact the store as an hour from now; `why` is why a folder was left alone, or empty. */
static inline struct compact_done table_compact(const struct schema *schema, char why[static 256])
{
    struct err err = {0};
    struct system plain = {0};
    struct compact_done done;
    struct account memory = {0};
    const struct compact_options options = {.version = "0",
                                            .schema = schema,
                                            .after = CLOCK_SECOND,
                                            .target_bytes = COMPACT_TARGET_BYTES,
                                            .level = 3,
                                            .account = &memory};
    struct object_store *keeper = keeper_open("root", &plain, &err);
    why[0] = '\0';
    EXPECT(compact(keeper, &options, clock_wall() + 3600 * CLOCK_SECOND, NULL, table_note, why,
                   &done, &err) == 0);
    EXPECT_TEXT(err.text, "");
    EXPECT_U64(account_bytes(&memory), 0);
    object_store_close(keeper);
    return done;
}

#endif
