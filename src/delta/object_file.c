/* SPDX-License-Identifier: MIT */
#include "delta/object_file.h"

#include <string.h>

#include "delta/action.h"

/* Files up to this are read at once: each read looks the name up, and asks a bucket. */
enum { WHOLE_MAX = PARQUET_READ_AHEAD };

int delta_object_name(struct buf *out, struct slice path, struct err *err)
{
    size_t start = out->len;
    if (delta_path_decode(out, path) &&
        object_name_is_valid((struct slice){out->data + start, out->len - start}))
        return 0;
    out->len = start;
    return err_set(err, ERR_FORMAT,
                   "%.*s, which the log names, is not in the folder of the table, and varve reads "
                   "no others: is the table a shallow clone? make one that has its files",
                   (int)path.len, (const char *)path.data);
}

int delta_object_names_check(const struct delta_snapshot *s, struct err *err)
{
    struct buf name = {0};
    int result = 0;
    for (size_t i = 0; i < s->files.count && result == 0; i++) {
        buf_reset(&name);
        if (s->files.list[i] != NULL)
            result = delta_object_name(&name, s->files.list[i]->path, err);
    }
    buf_free(&name);
    return result;
}

static int get(struct delta_object_file *f, uint64_t offset, size_t len, struct err *err)
{
    bool found;
    buf_reset(&f->bytes);
    if (object_get(f->store, buf_text(&f->name), offset, len, &f->bytes, &found, err) != 0)
        return -1;
    return found && f->bytes.len == len ? 0 : err_set(err, ERR_FORMAT, "it ends early");
}

static int read_bytes(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    struct delta_object_file *f = context;
    if (!f->whole && get(f, offset, len, err) != 0)
        return -1;
    memcpy(data, f->bytes.data + (f->whole ? offset : 0), len);
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
    f->whole = info.size <= WHOLE_MAX;
    if ((!f->whole || get(f, 0, (size_t)info.size, err) == 0) &&
        parquet_file_open(&f->file, &f->source, err) == 0)
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
