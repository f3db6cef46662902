/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "object/bucket_part.h"

/*
 * Names that were taken back, in .withdrawn-<writer>: a line of JSON for each commit. A process
 * that was to put these objects may do so still, be it slow or gone: then no entry names them.
 */

/* A request is refused when its signature is 15 minutes old (Amazon S3 API reference,
 * RequestTimeTooSkewed); a process that was stopped can go on later. */
#define RENOUNCED_FOR (24 * 3600 * CLOCK_SECOND)

static void name_it(struct buf *out, const struct bucket *b)
{
    buf_printf(out, "%s.withdrawn-%s", b->entries, b->writer_name);
}

static int read_all(struct bucket *b, struct buf *out, struct err *err)
{
    struct buf name = {0};
    bool found;
    name_it(&name, b);
    int result = object_get_all(&b->store, buf_text(&name), OBJECT_TEXT_MAX, out, &found, err);
    buf_free(&name);
    return result;
}

/* The names of the next line, unless that is too old; NULL: there are none. */
static const struct json *next_line(struct slice *rest, struct slice *line, struct arena *arena)
{
    struct err ignored = {0};
    int64_t time;
    const uint8_t *end = memchr(rest->data, '\n', rest->len);
    *line = (struct slice){rest->data, end == NULL ? rest->len : (size_t)(end - rest->data) + 1};
    *rest = (struct slice){rest->data + line->len, rest->len - line->len};
    const struct json *noted = json_member(json_parse(arena, *line, &ignored), "varveWithdrawn");
    const struct json *names = json_member(noted, "names");
    bool young = json_get_i64(noted, "time", &time) && time > clock_wall() - RENOUNCED_FOR;
    return young && names != NULL && names->type == JSON_ARRAY ? names : NULL;
}

static void append_line(struct buf *out, const char *const *names, size_t count)
{
    struct json_writer w = {.out = out};
    json_open_object(&w, NULL);
    json_open_object(&w, "varveWithdrawn");
    json_put_i64(&w, "time", clock_wall());
    json_open_array(&w, "names");
    for (size_t i = 0; i < count; i++)
        json_put_text(&w, NULL, names[i]);
    json_close_array(&w);
    json_close_object(&w);
    json_close_object(&w);
    buf_append_byte(out, '\n');
}

static void note(struct bucket *b, struct slice name)
{
    bool added;
    (void)map_put(&b->withdrawn, name, &added);
}

int bucket_renounce(struct object_store *store, const char *const *names, size_t count,
                    struct err *err)
{
    struct bucket *b = bucket_of(store);
    struct buf there = {0}, kept = {0}, name = {0};
    struct s3_condition any = {.kind = S3_ANY};
    struct arena arena = {0};
    struct slice line;
    for (size_t i = 0; i < count; i++)
        note(b, slice_of(names[i]));
    int result = count > 0 ? read_all(b, &there, err) : 0;
    for (struct slice rest = buf_slice(&there); rest.len > 0; arena_reset(&arena))
        if (next_line(&rest, &line, &arena) != NULL)
            buf_append_slice(&kept, line);
    append_line(&kept, names, count);
    name_it(&name, b);
    if (result == 0 && count > 0) {
        enum s3_outcome outcome =
            s3_put(b->client, buf_text(&name), buf_slice(&kept), any, NULL, err);
        result = outcome == S3_DONE ? 0 : bucket_failed(outcome, buf_text(&name), err);
    }
    arena_free(&arena);
    buf_free(&there);
    buf_free(&kept);
    buf_free(&name);
    return result;
}

int bucket_renounced(struct object_store *store, object_visit *visit, void *context,
                     struct err *err)
{
    struct bucket *b = bucket_of(store);
    struct buf there = {0};
    struct arena arena = {0};
    struct slice line;
    int result = read_all(b, &there, err);
    for (struct slice rest = buf_slice(&there); rest.len > 0 && result == 0; arena_reset(&arena)) {
        const struct json *names = next_line(&rest, &line, &arena);
        for (const struct json *n = names == NULL ? NULL : names->first; n != NULL; n = n->next) {
            if (n->type != JSON_STRING || !object_name_is_valid(n->text))
                continue;
            note(b, n->text);
            (void)visit(context, n->text);
        }
    }
    arena_free(&arena);
    buf_free(&there);
    return result;
}
