/* SPDX-License-Identifier: MIT */
#include "delta/object_file.h"

#include <string.h>

static int read_bytes(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    struct delta_object_file *f = context;
    bool found;
    buf_reset(&f->bytes);
    if (object_get(f->store, buf_text(&f->name), offset, len, &f->bytes, &found, err) != 0)
        return -1;
    if (!found || f->bytes.len != len)
        return err_set(err, ERR_FORMAT, "it ends early");
    memcpy(data, f->bytes.data, len);
    return 0;
}

int delta_object_file_open(struct delta_object_file *f, struct object_store *store,
                           const char *name, bool *found, struct err *err)
{
    struct object_info info;
    *f = (struct delta_object_file){.store = store};
    if (object_head(store, name, &info, found, err) != 0)
        return -1;
    if (!*found)
        return 0;
    buf_append_text(&f->name, name);
    f->source = (struct parquet_source){read_bytes, f, info.size};
    if (parquet_file_open(&f->file, &f->source, err) == 0)
        return 0;
    delta_object_file_close(f);
    return -1;
}

void delta_object_file_close(struct delta_object_file *f)
{
    parquet_file_close(&f->file);
    buf_free(&f->name);
    buf_free(&f->bytes);
    *f = (struct delta_object_file){0};
}

int delta_object_hash(struct object_store *store, const char *name, char out[SHA256_TEXT_MAX],
                      struct err *err)
{
    enum { PIECE = 1024 * 1024 };
    struct buf piece = {0};
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];
    uint64_t at = 0;
    bool found = true;
    int result = 0;
    sha256_begin(&hash);
    do {
        buf_reset(&piece);
        result = object_get(store, name, at, PIECE, &piece, &found, err);
        sha256_add(&hash, piece.data, piece.len);
        at += piece.len;
    } while (result == 0 && found && piece.len == PIECE);
    sha256_end(&hash, digest);
    sha256_format(digest, out);
    buf_free(&piece);
    return result;
}
