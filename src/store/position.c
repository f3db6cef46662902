/* SPDX-License-Identifier: MIT */
#include "store/position.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "store/path.h"

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        out_of_memory(strlen(text) + 1);
    return copy;
}

static void free_one(struct store_position *p)
{
    free((void *)p->stream);
    free((void *)p->created);
    free((void *)p->consumer);
    seqset_free(&p->above);
}

static bool is_source(const struct store_position *p, const char *stream, const char *consumer)
{
    return strcmp(p->stream, stream) == 0 && strcmp(p->consumer, consumer) == 0;
}

const struct store_position *store_positions_find(const struct store_positions *positions,
                                                  const char *stream, const char *created,
                                                  const char *consumer)
{
    for (size_t i = 0; i < positions->count; i++) {
        const struct store_position *p = &positions->list[i];
        if (is_source(p, stream, consumer) && strcmp(p->created, created) == 0)
            return p;
    }
    return NULL;
}

const struct store_position *store_positions_newest(const struct store_positions *positions,
                                                    const char *stream, const char *consumer)
{
    for (size_t i = positions->count; i > 0; i--) {
        if (is_source(&positions->list[i - 1], stream, consumer))
            return &positions->list[i - 1];
    }
    return NULL;
}

static void remove_at(struct store_positions *positions, size_t at)
{
    free_one(&positions->list[at]);
    positions->count--;
    memmove(positions->list + at, positions->list + at + 1,
            (positions->count - at) * sizeof(*positions->list));
}

/* Drop this generation, to be put behind the others, or else the oldest if there are enough. */
static void make_place(struct store_positions *positions, const struct store_position *p)
{
    size_t generations = 0;
    size_t oldest = 0;
    for (size_t i = positions->count; i > 0; i--) {
        const struct store_position *old = &positions->list[i - 1];
        if (!is_source(old, p->stream, p->consumer))
            continue;
        if (strcmp(old->created, p->created) == 0) {
            remove_at(positions, i - 1);
            return;
        }
        generations++;
        oldest = i - 1;
    }
    if (generations >= STORE_GENERATIONS_MAX)
        remove_at(positions, oldest);
}

void store_positions_put(struct store_positions *positions, const struct store_position *p)
{
    struct store_position copy = {
        .stream = copy_text(p->stream),
        .created = copy_text(p->created),
        .consumer = copy_text(p->consumer),
        .through = p->through,
        .last_seq = p->last_seq,
        .last_time = p->last_time,
    };
    seqset_add_all(&copy.above, &p->above);
    make_place(positions, &copy);
    if (positions->count == positions->cap) {
        size_t cap = positions->cap == 0 ? 8 : positions->cap * 2;
        struct store_position *list = realloc(positions->list, cap * sizeof(*list));
        if (list == NULL)
            out_of_memory(cap * sizeof(*list));
        positions->list = list;
        positions->cap = cap;
    }
    positions->list[positions->count++] = copy;
}

void store_positions_copy(struct store_positions *to, const struct store_positions *from)
{
    for (size_t i = 0; i < from->count; i++)
        store_positions_put(to, &from->list[i]);
}

void store_positions_free(struct store_positions *positions)
{
    for (size_t i = 0; i < positions->count; i++)
        free_one(&positions->list[i]);
    free(positions->list);
    *positions = (struct store_positions){0};
}

/* ---- text ---- */

void store_ranges_write(struct buf *out, const struct seqset *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct seqrange *range = &set->ranges[i];
        if (i > 0)
            buf_append_byte(out, ',');
        buf_append_decimal(out, range->first);
        if (range->last == range->first)
            continue;
        buf_append_byte(out, '-');
        buf_append_decimal(out, range->last);
    }
}

static struct slice cut(struct slice *rest, char separator)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    struct slice head = {rest->data, end == NULL ? rest->len : (size_t)(end - rest->data)};
    size_t used = head.len + (end == NULL ? 0 : 1);
    rest->data += used;
    rest->len -= used;
    return head;
}

bool store_ranges_parse(struct seqset *out, struct slice text)
{
    size_t count = 0;
    uint64_t before = 0;
    if (text.len > 0 && text.data[text.len - 1] == ',')
        return false;
    while (text.len > 0) {
        struct slice range = cut(&text, ',');
        struct slice last_text = range;
        struct slice first_text = cut(&last_text, '-');
        uint64_t first, last;
        if (!num_parse_u64(first_text, &first))
            return false;
        if (first_text.len == range.len)
            last = first;
        else if (!num_parse_u64(last_text, &last))
            return false;
        if (first > last || (count > 0 && first <= before) || ++count > STORE_RANGES_MAX)
            return false;
        seqset_add_range(out, first, last);
        before = last;
    }
    return true;
}

static void write_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    json_append_string(out, slice_of(value));
    buf_append_byte(out, ',');
}

void store_positions_write(struct buf *out, const struct store_positions *positions)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < positions->count; i++) {
        const struct store_position *p = &positions->list[i];
        buf_append_text(out, i == 0 ? "{" : ",{");
        write_member(out, "stream", p->stream);
        write_member(out, "created", p->created);
        write_member(out, "consumer", p->consumer);
        buf_printf(out, "\"through\":%" PRIu64 ",\"above\":\"", p->through);
        store_ranges_write(out, &p->above);
        buf_printf(out, "\",\"lastSeq\":%" PRIu64 ",\"lastTime\":%" PRId64 "}", p->last_seq,
                   p->last_time);
    }
    buf_append_byte(out, ']');
}

/* A member as a C string, or NULL if there is none or it has a NUL. The caller frees it. */
static char *get_text(const struct json *object, const char *name)
{
    struct slice text;
    if (!json_get_text(object, name, &text) ||
        (text.len > 0 && memchr(text.data, '\0', text.len) != NULL))
        return NULL;
    char *copy = malloc(text.len + 1);
    if (copy == NULL)
        out_of_memory(text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

static bool parse_one(struct store_position *p, const struct json *object)
{
    struct slice above;
    p->stream = get_text(object, "stream");
    p->created = get_text(object, "created");
    p->consumer = get_text(object, "consumer");
    return p->stream != NULL && p->created != NULL && p->consumer != NULL &&
           json_get_u64(object, "through", &p->through) && json_get_text(object, "above", &above) &&
           store_ranges_parse(&p->above, above) && json_get_u64(object, "lastSeq", &p->last_seq) &&
           json_get_i64(object, "lastTime", &p->last_time);
}

int store_positions_parse(struct store_positions *out, const struct json *array, struct err *err)
{
    *out = (struct store_positions){0};
    bool ok = array != NULL && array->type == JSON_ARRAY;
    for (const struct json *item = ok ? array->first : NULL; item != NULL && ok;
         item = item->next) {
        struct store_position p = {0};
        ok = out->count < STORE_POSITIONS_MAX && parse_one(&p, item);
        if (ok)
            store_positions_put(out, &p);
        free_one(&p);
    }
    if (ok)
        return 0;
    store_positions_free(out);
    return err_set(err, ERR_FORMAT, "the positions of varve are damaged");
}

void store_position_app_id(struct buf *out, const char *instance, const struct store_position *p)
{
    buf_append_text(out, "varve:");
    store_path_escape(out, slice_of(instance));
    buf_append_byte(out, ':');
    store_path_escape(out, slice_of(p->stream));
    buf_append_byte(out, ':');
    store_path_escape(out, slice_of(p->consumer));
    buf_append_byte(out, ':');
    buf_append_text(out, p->created);
}
