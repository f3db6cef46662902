/* SPDX-License-Identifier: MIT */
#include "follow/identities.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "base/text.h"
#include "base/varint.h"

enum { ID_BYTES = 16 };

static int compare(const struct quality_id *a, const struct quality_id *b)
{
    for (int i = 0; i < 2; i++)
        if (a->hash[i] != b->hash[i])
            return a->hash[i] < b->hash[i] ? -1 : 1;
    return 0;
}

/* By identity; equal ones stay in the order in which they came. By digits as far as they tell most
 * apart, then by comparison. */
static void sort(struct identities *ids, struct quality_due *list, size_t count)
{
    enum { BITS = 11, DIGITS = 4 };
    array_reserve(&ids->sorted, count);
    struct quality_due *from = list, *to = ids->sorted.list;
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t starts[(1 << BITS) + 1] = {0};
        int shift = 64 - BITS * (DIGITS - digit);
        for (size_t i = 0; i < count; i++)
            starts[(from[i].id.hash[0] >> shift) % (1 << BITS) + 1]++;
        for (size_t i = 1; i <= 1 << BITS; i++)
            starts[i] += starts[i - 1];
        for (size_t i = 0; i < count; i++)
            to[starts[(from[i].id.hash[0] >> shift) % (1 << BITS)]++] = from[i];
        struct quality_due *other = from;
        from = to;
        to = other;
    }
    for (size_t i = 1; i < count; i++) {
        const struct quality_due due = list[i];
        size_t at = i;
        for (; at > 0 && compare(&list[at - 1].id, &due.id) > 0; at--)
            list[at] = list[at - 1];
        list[at] = due;
    }
}

static void file_name(const struct identities *ids, uint64_t file, struct buf *out)
{
    buf_printf(out, "%s%016" PRIx64 ".ids", ids->folder, file);
}

static struct quality_id id_at(const uint8_t *bytes, size_t index)
{
    const uint8_t *at = bytes + index * ID_BYTES;
    return (struct quality_id){{load_u64le(at), load_u64le(at + 8)}};
}

static int read_chunk(const struct identities *ids, const struct identity_chunk *c, struct buf *out,
                      struct err *err)
{
    struct buf name = {0};
    bool found = false;
    file_name(ids, c->file, &name);
    buf_reset(out);
    int result = object_get_all(ids->store, buf_text(&name), (uint64_t)c->count * ID_BYTES, out,
                                &found, err);
    if (result == 0 && (!found || out->len != (size_t)c->count * ID_BYTES ||
                        crc32_update(0, out->data, out->len) != c->crc))
        result = err_set(err, ERR_FORMAT, "%s is %s", buf_text(&name),
                         found ? "damaged" : "not there any more");
    buf_free(&name);
    return result;
}

/* What is among identities, which begin with `ids`, all of them sorted: `found` says of which. */
static void walk(const struct quality_due *due, size_t due_count, const uint8_t *bytes,
                 size_t count, bool *found)
{
    size_t at = 0;
    for (size_t i = 0; i < count && at < due_count; i++) {
        struct quality_id id = id_at(bytes, i);
        while (at < due_count && compare(&due[at].id, &id) < 0)
            at++;
        for (; at < due_count && compare(&due[at].id, &id) == 0; at++)
            found[at] = true;
    }
}

static int look_up_files(const struct identities *ids, const struct quality_due *due, size_t count,
                         bool *found, struct err *err)
{
    struct buf bytes = {.account = ids->account};
    const struct identity_chunk *c = ids->chunks.list;
    int result = 0;
    for (size_t run = 0; run < ids->runs.count; run++) {
        size_t at = 0;
        for (const struct identity_chunk *end = c + ids->runs.list[run].chunks;
             c < end && result == 0; c++) {
            while (at < count && compare(&due[at].id, &c->first) < 0)
                at++;
            size_t last = at;
            while (last < count && compare(&due[last].id, &c->last) <= 0)
                last++;
            if (last > at && (result = read_chunk(ids, c, &bytes, err)) == 0)
                walk(due + at, last - at, bytes.data, c->count, found + at);
            at = last;
        }
    }
    buf_free(&bytes);
    return result;
}

static void look_up_tail(const struct identities *ids, const struct quality_due *due, size_t count,
                         bool *found)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < ids->tail.count && compare(&ids->tail.list[at], &due[i].id) < 0)
            at++;
        found[i] = at < ids->tail.count && compare(&ids->tail.list[at], &due[i].id) == 0;
    }
}

/* Put the first `count` of a sorted list among the others. */
static void add_to_tail(struct identities *ids, const struct quality_due *fresh, size_t count)
{
    array_reserve(&ids->tail, count);
    size_t to = ids->tail.count + count, from = ids->tail.count;
    ids->tail.count = to;
    while (count > 0) {
        bool new = from == 0 || compare(&ids->tail.list[from - 1], &fresh[count - 1].id) < 0;
        ids->tail.list[--to] = new ? fresh[--count].id : ids->tail.list[--from];
    }
}

int identities_look_up(struct identities *ids, struct quality *q, struct err *err)
{
    struct quality_due *due = q->noted.list;
    size_t count = q->noted.count, fresh = 0;
    if (count == 0)
        return 0;
    bool *found = account_alloc(ids->account, count, sizeof(*found));
    sort(ids, due, count);
    look_up_tail(ids, due, count, found);
    int result = look_up_files(ids, due, count, found, err);
    for (size_t i = 0; i < count && result == 0; i++) {
        bool again = fresh > 0 && compare(&due[fresh - 1].id, &due[i].id) == 0;
        if (found[i] || again)
            quality_find(&q->groups.list[due[i].group], QUALITY_DUPLICATE, due[i].sequence);
        else
            due[fresh++] = due[i];
    }
    account_free(ids->account, found, count * sizeof(*found));
    q->noted.count = 0;
    if (result == 0)
        add_to_tail(ids, due, fresh);
    return result;
}

/* Files that come behind each other. */
struct output {
    struct identities *ids;
    struct buf bytes;
    ARRAY(struct identity_chunk) chunks;
    uint64_t count;
};

static int end_chunk(struct output *o, struct err *err)
{
    struct buf name = {0};
    size_t count = o->bytes.len / ID_BYTES;
    if (count == 0)
        return 0;
    const struct identity_chunk c = {
        .file = o->ids->next_file++,
        .count = (uint32_t)count,
        .crc = crc32_update(0, o->bytes.data, o->bytes.len),
        .first = id_at(o->bytes.data, 0),
        .last = id_at(o->bytes.data, count - 1),
    };
    *array_add(&o->chunks) = c;
    o->count += count;
    file_name(o->ids, c.file, &name);
    int result = object_put(o->ids->store, buf_text(&name), buf_slice(&o->bytes), err);
    buf_reset(&o->bytes);
    buf_free(&name);
    return result;
}

static int write_id(struct output *o, const struct quality_id *id, struct err *err)
{
    buf_append_u64le(&o->bytes, id->hash[0]);
    buf_append_u64le(&o->bytes, id->hash[1]);
    return o->bytes.len < (size_t)IDENTITIES_CHUNK_MAX * ID_BYTES ? 0 : end_chunk(o, err);
}

/* The last run from now on, in place of the chunks from `base` on and of so many runs. */
static int end_run(struct output *o, size_t base, size_t runs, struct err *err)
{
    struct identities *ids = o->ids;
    int result = end_chunk(o, err);
    if (result == 0 && base + o->chunks.count > IDENTITIES_CHUNKS_MAX)
        result = err_set(err, ERR_LIMIT, "there are more events than can be told apart");
    if (result == 0) {
        for (size_t i = base; i < ids->chunks.count; i++)
            *array_add(&ids->obsolete) = ids->chunks.list[i].file;
        ids->chunks.count = base;
        ids->runs.count -= runs;
        for (size_t i = 0; i < o->chunks.count; i++)
            *array_add(&ids->chunks) = o->chunks.list[i];
        *array_add(&ids->runs) = (struct identity_run){o->chunks.count, o->count};
    }
    buf_free(&o->bytes);
    array_free(&o->chunks);
    return result;
}

/* Where one is in a run. */
struct cursor {
    const struct identity_chunk *next, *end;
    struct buf bytes;
    size_t at, count;
};

/* False at its end, or at an error. */
static bool cursor_get(struct cursor *c, const struct identities *ids, struct quality_id *id,
                       int *result, struct err *err)
{
    while (c->at == c->count && c->next < c->end && *result == 0) {
        *result = read_chunk(ids, c->next, &c->bytes, err);
        c->count = c->next++->count;
        c->at = 0;
    }
    if (*result != 0 || c->at == c->count)
        return false;
    *id = id_at(c->bytes.data, c->at);
    return true;
}

static int merge_last_two(struct identities *ids, struct err *err)
{
    size_t second = ids->runs.list[ids->runs.count - 1].chunks;
    size_t first = ids->runs.list[ids->runs.count - 2].chunks;
    size_t base = ids->chunks.count - first - second;
    const struct identity_chunk *chunks = ids->chunks.list + base;
    struct cursor a = {chunks, chunks + first, {.account = ids->account}, 0, 0};
    struct cursor b = {chunks + first, chunks + first + second, {.account = ids->account}, 0, 0};
    struct output o = {.ids = ids, .bytes = {.account = ids->account}};
    struct quality_id x, y;
    int result = 0;
    while (result == 0) {
        bool has_x = cursor_get(&a, ids, &x, &result, err);
        bool has_y = cursor_get(&b, ids, &y, &result, err);
        if (result != 0 || (!has_x && !has_y))
            break;
        bool take_x = !has_y || (has_x && compare(&x, &y) < 0);
        a.at += take_x;
        b.at += !take_x;
        result = write_id(&o, take_x ? &x : &y, err);
    }
    buf_free(&a.bytes);
    buf_free(&b.bytes);
    if (result == 0)
        return end_run(&o, base, 2, err);
    buf_free(&o.bytes);
    array_free(&o.chunks);
    return -1;
}

int identities_write(struct identities *ids, struct err *err)
{
    if (ids->tail.count <= IDENTITIES_TAIL_MAX)
        return 0;
    struct output o = {.ids = ids, .bytes = {.account = ids->account}};
    int result = 0;
    for (size_t i = 0; i < ids->tail.count && result == 0; i++)
        result = write_id(&o, &ids->tail.list[i], err);
    if (result == 0)
        result = end_run(&o, ids->chunks.count, 0, err);
    ids->tail.count = 0;
    /* Each is more than twice the next: so there are few, and each identity is written few times.
     */
    while (result == 0 && ids->runs.count >= 2 &&
           ids->runs.list[ids->runs.count - 2].count <=
               2 * ids->runs.list[ids->runs.count - 1].count)
        result = merge_last_two(ids, err);
    return result;
}

void identities_put(const struct identities *ids, struct buf *out)
{
    const struct identity_chunk *c = ids->chunks.list;
    varint_append(out, ids->next_file);
    varint_append(out, ids->runs.count);
    for (size_t i = 0; i < ids->runs.count; i++) {
        varint_append(out, ids->runs.list[i].chunks);
        for (const struct identity_chunk *end = c + ids->runs.list[i].chunks; c < end; c++) {
            varint_append(out, c->file);
            varint_append(out, c->count);
            varint_append(out, c->crc);
            for (int j = 0; j < 2; j++) {
                buf_append_u64le(out, c->first.hash[j]);
                buf_append_u64le(out, c->last.hash[j]);
            }
        }
    }
    varint_append(out, ids->tail.count);
    for (size_t i = 0; i < ids->tail.count; i++) {
        buf_append_u64le(out, ids->tail.list[i].hash[0]);
        buf_append_u64le(out, ids->tail.list[i].hash[1]);
    }
}

static bool get_chunk(struct identities *ids, struct slice bytes, size_t *at)
{
    uint64_t count, crc;
    struct identity_chunk c;
    if (!varint_read(bytes, at, &c.file) || !varint_read(bytes, at, &count) ||
        !varint_read(bytes, at, &crc) || count == 0 || count > IDENTITIES_CHUNK_MAX ||
        crc > UINT32_MAX || c.file >= ids->next_file || bytes.len - *at < 2 * ID_BYTES)
        return false;
    c.count = (uint32_t)count;
    c.crc = (uint32_t)crc;
    for (int j = 0; j < 2; j++) {
        c.first.hash[j] = load_u64le(bytes.data + *at);
        c.last.hash[j] = load_u64le(bytes.data + *at + 8);
        *at += 16;
    }
    *array_add(&ids->chunks) = c;
    ids->runs.list[ids->runs.count - 1].count += count;
    return true;
}

static bool get(struct identities *ids, struct slice bytes, size_t *at)
{
    uint64_t runs, chunks, tail;
    if (!varint_read(bytes, at, &ids->next_file) || !varint_read(bytes, at, &runs) || runs > 64)
        return false;
    for (uint64_t i = 0; i < runs; i++) {
        if (!varint_read(bytes, at, &chunks) || chunks > IDENTITIES_CHUNKS_MAX - ids->chunks.count)
            return false;
        *array_add(&ids->runs) = (struct identity_run){(size_t)chunks, 0};
        for (uint64_t c = 0; c < chunks; c++)
            if (!get_chunk(ids, bytes, at))
                return false;
    }
    if (!varint_read(bytes, at, &tail) || tail > (bytes.len - *at) / ID_BYTES)
        return false;
    for (uint64_t i = 0; i < tail; i++)
        *array_add(&ids->tail) = id_at(bytes.data + *at, (size_t)i);
    *at += (size_t)tail * ID_BYTES;
    return true;
}

int identities_get(struct identities *ids, struct slice bytes, size_t *at, struct err *err)
{
    return get(ids, bytes, at) ? 0 : err_set(err, ERR_FORMAT, "it is no list of identities");
}

static int remove_file(struct identities *ids, uint64_t file, struct err *err)
{
    struct buf name = {0};
    file_name(ids, file, &name);
    int result = object_remove(ids->store, buf_text(&name), err);
    buf_free(&name);
    return result;
}

int identities_tidy(struct identities *ids, struct err *err)
{
    for (size_t i = 0; i < ids->obsolete.count; i++)
        if (remove_file(ids, ids->obsolete.list[i], err) != 0)
            return -1;
    ids->obsolete.count = 0;
    return 0;
}

static bool note_file(void *context, struct slice name)
{
    struct identities *ids = context;
    size_t folder = strlen(ids->folder);
    uint64_t file = 0;
    bool known = name.len != folder + strlen("0123456789abcdef.ids");
    for (size_t i = folder; !known && i < folder + 16; i++) {
        int digit = text_hex_digit(name.data[i]);
        known = digit < 0; /* it is none of ours */
        file = file << 4 | (uint64_t)(digit & 15);
    }
    for (size_t i = 0; i < ids->chunks.count && !known; i++)
        known = ids->chunks.list[i].file == file;
    if (!known)
        *array_add(&ids->obsolete) = file;
    return true;
}

int identities_clean(struct identities *ids, struct err *err)
{
    if (object_list(ids->store, ids->folder, "", note_file, ids, err) != 0)
        return -1;
    return identities_tidy(ids, err);
}

void identities_free(struct identities *ids)
{
    array_free(&ids->tail);
    array_free(&ids->chunks);
    array_free(&ids->runs);
    array_free(&ids->obsolete);
    array_free(&ids->sorted);
}
