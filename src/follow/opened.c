/* SPDX-License-Identifier: MIT */
#include "follow/opened.h"

/* A larger footer, and what was made of it, is not kept for the next file. */
enum { KEPT_MAX = 1024 * 1024 };

static int find_leaves(struct follow_opened *o, const struct follow_column *columns, uint32_t count,
                       struct err *err)
{
    int64_t sequence = parquet_file_leaf(&o->file, slice_of(FOLLOW_SEQUENCE));
    if (sequence < 0 || o->file.leaves[sequence].type.type != PARQUET_TYPE_INT64)
        return err_set(err, ERR_FORMAT, "it has no column " FOLLOW_SEQUENCE " of 64-bit integers");
    o->leaves[o->count++] = (uint32_t)sequence;
    for (uint32_t i = 0; i < count; i++) {
        int64_t leaf = parquet_file_leaf(&o->file, slice_of(columns[i].name));
        if (leaf < 0)
            continue;
        enum parquet_type type = o->file.leaves[leaf].type.type, wanted = columns[i].type;
        bool timestamp = type == PARQUET_TYPE_INT96 && wanted == PARQUET_TYPE_INT64;
        if (type != wanted && !timestamp)
            return err_set(err, ERR_FORMAT, "its column %s is of another type than elsewhere",
                           columns[i].name);
        o->int96[i] = timestamp;
        if (leaf == sequence) { /* which is there already */
            o->place[i] = 1;
            continue;
        }
        o->leaves[o->count++] = (uint32_t)leaf;
        o->place[i] = (uint8_t)o->count;
    }
    return 0;
}

int follow_opened_open(struct follow_opened *o, struct object_store *store,
                       const struct follow_file *file, struct feed_reader *reader,
                       const struct follow_column *columns, uint32_t count, struct err *err)
{
    struct buf read = o->source.read;
    *o = (struct follow_opened){.file = o->file, .rows = o->rows};
    int result = object_source_open_fed(&o->source, store, file->name, file->sha256, reader, err);
    buf_reset(&read);
    o->source.read = read;
    if (result == 0)
        result = parquet_file_reopen(&o->file, &o->source.source, err);
    return result == 0 ? find_leaves(o, columns, count, err) : -1;
}

void follow_opened_close(struct follow_opened *o)
{
    const struct buf read = o->source.read;
    if (o->file.footer.cap > KEPT_MAX)
        parquet_file_close(&o->file);
    o->source.read = (struct buf){0};
    object_source_close(&o->source);
    o->source.read = read;
}

void follow_opened_free(struct follow_opened *o)
{
    parquet_rows_free(o->rows);
    parquet_file_close(&o->file);
    buf_free(&o->source.read);
    account_free(NULL, o, sizeof(*o));
}
