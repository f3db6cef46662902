/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_TABLE_FIXTURE_H
#define VARVE_TESTS_UNIT_TABLE_FIXTURE_H

#include "batch/batch.h"
#include "object/object.h"
#include "parquet/write/writer.h"
#include "store/store.h"
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

static inline int table_write(void *staged, const void *data, size_t len, struct err *err)
{
    return object_write(staged, data, len, err);
}

/* A finished file with the rows of a batch, which is freed. */
static inline struct object_staged *table_stage(struct store *store, struct batch *batch)
{
    struct err err = {0};
    struct parquet_options options = parquet_options_default();
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_writer *writer = parquet_writer_new(batch->schema, &options, codec);
    struct object_staged *staged = object_stage(store->objects, &err);
    EXPECT(staged != NULL);
    struct parquet_sink sink = {.write = table_write, .context = staged};
    parquet_writer_metadata(writer, "varve.instance", slice_of("i"));
    EXPECT(parquet_writer_append(writer, batch, sink, &err) == 0 &&
           parquet_writer_finish(writer, sink, &err) == 0 &&
           object_finish(store->objects, &staged, 1, &err) == 0);
    parquet_writer_free(writer);
    parquet_codec_free(codec);
    batch_free(batch);
    return staged;
}

#endif
