/* SPDX-License-Identifier: MIT */
#include "delta/position.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "delta/action.h"

/* "sequence:time,sequence:time": shorter than an array of objects. */
static void put_marks(struct json_writer *w, const struct position_marks *marks)
{
    struct buf *out = json_put_raw(w, "marks");
    for (size_t i = 0; i < marks->count; i++) {
        buf_append_byte(out, i == 0 ? '"' : ',');
        buf_append_decimal(out, marks->list[i].sequence);
        buf_printf(out, ":%" PRId64, marks->list[i].time);
    }
    buf_append_byte(out, '"');
}

static bool parse_mark(struct slice text, struct position_marks *marks)
{
    const uint8_t *colon = memchr(text.data, ':', text.len);
    uint64_t sequence;
    int64_t time;
    if (colon == NULL || marks->count == POSITION_MARKS_MAX)
        return false;
    size_t len = (size_t)(colon - text.data);
    if (!num_parse_u64((struct slice){text.data, len}, &sequence) ||
        !num_parse_i64((struct slice){colon + 1, text.len - len - 1}, &time))
        return false;
    if (marks->count > 0 && sequence <= marks->list[marks->count - 1].sequence)
        return false;
    marks->list[marks->count++] = (struct position_mark){sequence, time};
    return true;
}

static bool parse_marks(const struct json *object, struct position_marks *marks)
{
    struct slice text;
    if (json_member(object, "marks") == NULL)
        return true;
    if (!json_get_text(object, "marks", &text) || text.len == 0)
        return false;
    while (text.len > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.len);
        size_t len = comma == NULL ? text.len : (size_t)(comma - text.data);
        if (!parse_mark((struct slice){text.data, len}, marks))
            return false;
        size_t used = len + (comma != NULL);
        text = (struct slice){text.data + used, text.len - used};
    }
    return true;
}

/* What is neither a row of ours nor settled by `through` is known from entries of others, or found
 * to be nothing again. */
static void put_above(struct json_writer *w, const struct position *p, const struct seqset *rows)
{
    struct seqset own = {0};
    if (rows == NULL || p->above.count <= DELTA_ABOVE_RANGES_MAX) {
        seqset_put_json(w, "above", &p->above);
        return;
    }
    seqset_add_all(&own, rows);
    seqset_remove_through(&own, p->through);
    seqset_put_json(w, "above", &own);
    seqset_free(&own);
}

void delta_positions_put(struct json_writer *w, const char *name, const struct positions *positions,
                         const struct seqset *rows_of)
{
    json_open_array(w, name);
    for (size_t i = 0; i < positions->count; i++) {
        const struct position *p = &positions->list[i];
        json_open_object(w, NULL);
        json_put_text(w, "stream", p->stream);
        json_put_text(w, "created", p->created);
        json_put_text(w, "consumer", p->consumer);
        if (p->start > 0)
            json_put_u64(w, "start", p->start);
        json_put_u64(w, "through", p->through);
        put_above(w, p, rows_of != NULL ? &rows_of[i] : NULL);
        if (rows_of != NULL)
            seqset_put_json(w, "rows", &rows_of[i]);
        json_put_u64(w, "lastSeq", p->last_seq);
        json_put_i64(w, "lastTime", p->last_time);
        if (p->delivered > 0)
            json_put_u64(w, "delivered", p->delivered);
        if (p->seen > 0)
            json_put_u64(w, "seen", p->seen);
        if (p->marks.count > 0)
            put_marks(w, &p->marks);
        json_close_object(w);
    }
    json_close_array(w);
}

/* A member as a C string, or NULL if there is none or it has a NUL. The caller frees it. */
static char *get_text(const struct json *object, const char *name)
{
    struct slice text;
    if (!json_get_text(object, name, &text) ||
        (text.len > 0 && memchr(text.data, '\0', text.len) != NULL))
        return NULL;
    return text_copy_slice(text);
}

static bool parse_one(struct position *p, const struct json *object)
{
    struct slice above;
    if (json_member(object, "start") != NULL && !json_get_u64(object, "start", &p->start))
        return false;
    if (json_member(object, "delivered") != NULL &&
        !json_get_u64(object, "delivered", &p->delivered))
        return false;
    if (json_member(object, "seen") != NULL && !json_get_u64(object, "seen", &p->seen))
        return false;
    if (!parse_marks(object, &p->marks))
        return false;
    p->stream = get_text(object, "stream");
    p->created = get_text(object, "created");
    p->consumer = get_text(object, "consumer");
    return p->stream != NULL && p->created != NULL && p->consumer != NULL &&
           json_get_u64(object, "through", &p->through) && json_get_text(object, "above", &above) &&
           seqset_parse_text(&p->above, above) && json_get_u64(object, "lastSeq", &p->last_seq) &&
           json_get_i64(object, "lastTime", &p->last_time);
}

int delta_positions_parse(struct positions *out, const struct json *array, struct err *err)
{
    *out = (struct positions){0};
    bool ok = array != NULL && array->type == JSON_ARRAY;
    for (const struct json *item = ok ? array->first : NULL; item != NULL && ok;
         item = item->next) {
        struct position p = {0};
        ok = out->count < POSITIONS_MAX && parse_one(&p, item);
        if (ok)
            positions_put(out, &p);
        position_free(&p);
    }
    if (ok)
        return 0;
    positions_free(out);
    return err_set(err, ERR_FORMAT, "varve's positions are damaged");
}

void delta_app_prefix(struct buf *out, const char *instance)
{
    buf_append_text(out, "varve:");
    text_escape(out, slice_of(instance));
    buf_append_byte(out, ':');
}

void delta_app_id(struct buf *out, const char *instance, const struct position *p)
{
    delta_app_prefix(out, instance);
    text_escape(out, slice_of(p->stream));
    buf_append_byte(out, ':');
    text_escape(out, slice_of(p->consumer));
    buf_append_byte(out, ':');
    buf_append_text(out, p->created);
}

/* The next part of an appId, unescaped where it can be: long names are cut and hashed. */
static char *cut_name(struct slice *id)
{
    const uint8_t *end = id->len == 0 ? NULL : memchr(id->data, ':', id->len);
    if (end == NULL)
        return NULL;
    struct buf name = {0};
    struct slice part = {id->data, (size_t)(end - id->data)};
    bool plain = delta_path_decode(&name, part) && memchr(buf_text(&name), '\0', name.len) == NULL;
    char *text = text_copy_slice(plain ? buf_slice(&name) : part);
    id->data += part.len + 1;
    id->len -= part.len + 1;
    buf_free(&name);
    return text;
}

bool delta_app_id_parse(struct delta_app_name *out, struct slice app_id)
{
    size_t prefix = strlen("varve:");
    *out = (struct delta_app_name){0};
    if (!slice_starts_with(app_id, "varve:") || memchr(app_id.data, '\0', app_id.len) != NULL)
        return false;
    struct slice rest = {app_id.data + prefix, app_id.len - prefix};
    out->instance = cut_name(&rest);
    out->stream = cut_name(&rest);
    out->consumer = cut_name(&rest);
    if (out->consumer == NULL) {
        delta_app_name_free(out);
        return false;
    }
    out->created = text_copy_slice(rest);
    return true;
}

void delta_app_name_free(struct delta_app_name *name)
{
    free(name->instance);
    free(name->stream);
    free(name->consumer);
    free(name->created);
    *name = (struct delta_app_name){0};
}
