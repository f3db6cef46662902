/* SPDX-License-Identifier: MIT */
#include "store/epoch.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/assert.h"
#include "base/text.h"

const char *epoch_reason_name(enum epoch_reason reason)
{
    static const char *const names[EPOCH_REASONS] = {
        [EPOCH_ROWS] = "rows",
        [EPOCH_BYTES] = "bytes",
        [EPOCH_AGE] = "age",
        [EPOCH_MEMORY] = "memory",
        [EPOCH_PARTITIONS] = "partitions",
        [EPOCH_STREAM] = "stream",
        [EPOCH_STOP] = "stop",
        [EPOCH_END] = "end",
    };
    return names[reason];
}

/* What a file takes beside its content while it is committed: its entry in the commit log (a buffer
 * that grows), paths, statistics; and each range of its sequences as text. */
enum { FILE_ENTRY = 3072, RANGE_ENTRY = 16 };

/* What is durable above a position is in the epoch, in the store as it is and as it will be, and in
 * the text of the commit. */
enum { ABOVE_COPIES = 4 };

struct epoch *epoch_new(uint64_t number, uint32_t source_count)
{
    struct epoch *e = account_alloc(NULL, 1, sizeof(*e));
    e->number = number;
    e->sources = account_alloc(NULL, source_count, sizeof(*e->sources));
    e->source_count = source_count;
    return e;
}

struct epoch_file *epoch_add_file(struct epoch *e, uint32_t source, const struct schema *schema,
                                  bool quarantine, struct slice key)
{
    e->files =
        array_grow(e->files, &e->file_cap, e->file_count, 1, sizeof(struct epoch_file *), NULL);
    struct epoch_file *file = account_alloc(NULL, 1, sizeof(*file));
    file->source = source;
    file->schema = schema;
    file->quarantine = quarantine;
    file->key = account_alloc(NULL, key.len + 1, 1);
    memcpy(file->key, key.data, key.len);
    e->files[e->file_count++] = file;
    e->files_memory += sizeof(*file) + FILE_ENTRY + 3 * (key.len + 1);
    return file;
}

void epoch_add_sequence(struct epoch *e, struct epoch_file *file, uint64_t sequence)
{
    struct seqset *set = &file->sequences;
    if (set->count <= STORE_ADD_RANGES_MAX) {
        size_t before = set->cap;
        (void)seqset_add(set, sequence); /* new */
        e->files_memory += (set->cap - before) * (sizeof(*set->list) + RANGE_ENTRY);
    } else if (sequence > set->list[set->count - 1].last) {
        set->list[set->count - 1].last = sequence;
    } else if (sequence < set->list[0].first) {
        set->list[0].first = sequence;
    }
}

uint64_t epoch_memory(const struct epoch *e)
{
    uint64_t bytes = sizeof(*e) + e->files_memory + e->file_cap * sizeof(struct epoch_file *);
    for (uint32_t i = 0; i < e->source_count; i++) {
        const struct epoch_source *s = &e->sources[i];
        bytes += sizeof(*s) + seqset_memory(&s->rows) + seqset_memory(&s->dead_letters) +
                 ABOVE_COPIES * seqset_memory(&s->position.above);
    }
    return bytes;
}

void epoch_source_begin(struct epoch_source *s, const char *stream, const char *created,
                        const char *consumer)
{
    s->stream = text_copy(stream);
    s->created = text_copy(created);
    s->consumer = text_copy(consumer);
}

void epoch_drop_images(struct epoch *e)
{
    for (uint32_t i = 0; i < e->file_count; i++)
        buf_free(&e->files[i]->image);
}

static void file_free(struct epoch_file *file)
{
    ASSERT(file->writer == NULL);
    free(file->key);
    seqset_free(&file->sequences);
    buf_free(&file->image);
    array_free(&file->stats);
    buf_free(&file->stats_text);
    store_file_free(file->stored);
    free(file);
}

void epoch_free(struct epoch *e)
{
    if (e == NULL)
        return;
    for (uint32_t i = 0; i < e->file_count; i++)
        file_free(e->files[i]);
    free(e->files);
    for (uint32_t i = 0; i < e->source_count; i++) {
        struct epoch_source *s = &e->sources[i];
        seqset_free(&s->rows);
        seqset_free(&s->dead_letters);
        free(s->stream);
        free(s->created);
        free(s->consumer);
        seqset_free(&s->position.above);
    }
    free(e->sources);
    free(e);
}
