/* SPDX-License-Identifier: MIT */
#include "delta/position.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "store/path.h"

static void write_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    json_append_string(out, slice_of(value));
    buf_append_byte(out, ',');
}

void delta_positions_write(struct buf *out, const struct positions *positions)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < positions->count; i++) {
        const struct position *p = &positions->list[i];
        buf_append_text(out, i == 0 ? "{" : ",{");
        write_member(out, "stream", p->stream);
        write_member(out, "created", p->created);
        write_member(out, "consumer", p->consumer);
        if (p->start > 0)
            buf_printf(out, "\"start\":%" PRIu64 ",", p->start);
        buf_printf(out, "\"through\":%" PRIu64 ",\"above\":\"", p->through);
        seqset_write_text(out, &p->above);
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

static bool parse_one(struct position *p, const struct json *object)
{
    struct slice above;
    if (json_member(object, "start") != NULL && !json_get_u64(object, "start", &p->start))
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
    return err_set(err, ERR_FORMAT, "the positions of varve are damaged");
}

void delta_app_id(struct buf *out, const char *instance, const struct position *p)
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
