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
 * RequestTimeTooSkewed); a process that was stopped can go on later. A process that runs for longer
 * than that looks for none of its own: so a line goes only when a later start has seen it old. */
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

/* The names of the next line, and when it was written; NULL: it is no line of ours. */
static const struct json *next_line(struct slice *rest, struct slice *line, struct arena *arena,
                                    int64_t *time)
{
    struct err ignored = {0};
    const uint8_t *end = memchr(rest->data, '\n', rest->len);
    *line = (struct slice){rest->data, end == NULL ? rest->len : (size_t)(end - rest->data) + 1};
    *rest = (struct slice){rest->data + line->len, rest->len - line->len};
    const struct json *noted = json_member(json_parse(arena, *line, &ignored), "varveWithdrawn");
    const struct json *names = json_member(noted, "names");
    bool valid = json_get_i64(noted, "time", time) && names != NULL && names->type == JSON_ARRAY;
    return valid ? names : NULL;
}

static bool is_over(const struct bucket *b, int64_t time)
{
    return b->swept != 0 && time <= b->swept - RENOUNCED_FOR;
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

/* All lines that are not over, and one of these names, if there are any. */
static int write_all(struct bucket *b, const char *const *names, size_t count, struct err *err)
{
    struct buf there = {0}, kept = {0}, name = {0};
    struct s3_condition any = {.kind = S3_ANY};
    struct arena arena = {0};
    struct slice line;
    int64_t time;
    int result = read_all(b, &there, err);
    for (struct slice rest = buf_slice(&there); rest.len > 0; arena_reset(&arena))
        if (next_line(&rest, &line, &arena, &time) != NULL && !is_over(b, time))
            buf_append_slice(&kept, line);
    if (count > 0)
        append_line(&kept, names, count);
    name_it(&name, b);
    if (result == 0) {
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

int bucket_renounce(struct object_store *store, const char *const *names, size_t count,
                    struct err *err)
{
    struct bucket *b = bucket_of(store);
    for (size_t i = 0; i < count; i++)
        note(b, slice_of(names[i]));
    return count > 0 ? write_all(b, names, count, err) : 0;
}

int bucket_forget_renounced(struct bucket *b, struct err *err)
{
    if (b->over && write_all(b, NULL, 0, err) != 0)
        return -1;
    b->over = false;
    return 0;
}

int bucket_renounced(struct object_store *store, object_visit *visit, void *context,
                     struct err *err)
{
    struct bucket *b = bucket_of(store);
    struct buf there = {0};
    struct arena arena = {0};
    struct slice line;
    int64_t time;
    int result = read_all(b, &there, err);
    b->swept = clock_wall();
    for (struct slice rest = buf_slice(&there); rest.len > 0 && result == 0; arena_reset(&arena)) {
        const struct json *names = next_line(&rest, &line, &arena, &time);
        b->over = b->over || (names != NULL && is_over(b, time));
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
