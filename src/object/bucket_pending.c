/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "object/bucket_part.h"

enum { PROCESS_TEXT = 17 };

/* Behind the name of the writer, which has none in it (text_escape). */
static const char mark = '~';

static void name_lease(struct buf *out, const struct bucket *b)
{
    buf_reset(out);
    buf_printf(out, "%s.pending-%s", b->entries, b->writer_name);
}

void bucket_name_pending(struct bucket *b)
{
    name_lease(&b->pending_name, b);
    buf_printf(&b->pending_name, "%c%016" PRIx64 "-%" PRIx64, mark, b->nonce, b->next_pending++);
}

int bucket_is_two(struct bucket *b, struct err *err)
{
    if (b->fenced_since == 0)
        b->fenced_since = clock_monotonic();
    return err_set(err, ERR_REFUSED,
                   "another process commits as instance %s: stop one of the two, or give it a "
                   "nats.name of its own",
                   b->writer);
}

static void put_names(struct json_writer *w, const char *name, const char *const *list,
                      size_t count)
{
    json_open_array(w, name);
    for (size_t i = 0; i < count; i++)
        json_put_text(w, NULL, list[i]);
    json_close_array(w);
}

void bucket_fill_pending(struct bucket *b)
{
    struct json_writer w = {.out = &b->pending};
    char process[PROCESS_TEXT];
    (void)snprintf(process, sizeof(process), "%016" PRIx64, b->nonce);
    buf_reset(&b->pending);
    buf_append_slice(&b->pending, buf_slice(&b->text));
    json_open_object(&w, NULL);
    json_open_object(&w, "varvePending");
    json_put_text(&w, "entry", buf_text(&b->entry));
    json_put_text(&w, "process", process);
    put_names(&w, "come", (const char *const *)b->come.list, b->come.count);
    put_names(&w, "go", (const char *const *)b->go.list, b->go.count);
    json_close_object(&w);
    json_close_object(&w);
    buf_append_byte(&b->pending, '\n');
}

int bucket_check_pending(struct bucket *b, struct err *err)
{
    struct buf there = {0};
    struct s3_result result = {0};
    const char *name = buf_text(&b->pending_name);
    bool ours = false;
    enum s3_outcome outcome = s3_head(b->client, name, &result, err);
    if (outcome == S3_DONE && b->pending_etag[0] != '\0') {
        ours = strcmp(result.etag, b->pending_etag) == 0;
    } else if (outcome == S3_DONE) {
        outcome = s3_get(b->client, name, 0, OBJECT_TEXT_MAX, &there, NULL, err);
        ours = outcome == S3_DONE && slice_equal(buf_slice(&there), buf_slice(&b->pending));
    }
    int code = 0;
    if (outcome != S3_DONE && outcome != S3_ABSENT)
        code = bucket_failed(outcome, name, err);
    else if (!ours)
        code = bucket_is_two(b, err);
    else
        b->fenced_since = 0;
    buf_free(&there);
    return code;
}

static int put_as(struct bucket *b, const char *name, enum s3_condition_kind kind,
                  struct s3_result *result, struct err *err)
{
    struct s3_condition condition = {.kind = kind};
    enum s3_outcome outcome =
        s3_put(b->client, name, buf_slice(&b->pending), condition, result, err);
    if (outcome != S3_DONE)
        return outcome == S3_TAKEN ? bucket_is_two(b, err) : bucket_failed(outcome, name, err);
    b->put = true;
    b->fenced_since = 0;
    return 0;
}

int bucket_put_pending(struct bucket *b, enum s3_condition_kind kind, struct err *err)
{
    struct s3_result result = {0};
    if (put_as(b, buf_text(&b->pending_name), kind, &result, err) != 0)
        return -1;
    memcpy(b->pending_etag, result.etag, sizeof(b->pending_etag));
    return 0;
}

int bucket_remove_pending(struct bucket *b, struct err *err)
{
    return object_remove(&b->store, buf_text(&b->pending_name), err);
}

int bucket_put_lease(struct bucket *b, struct err *err)
{
    struct buf name = {0};
    name_lease(&name, b);
    int result = put_as(b, buf_text(&name), S3_IF_ABSENT, NULL, err);
    buf_free(&name);
    return result;
}

int bucket_check_lease(struct bucket *b, struct err *err)
{
    struct buf name = {0}, there = {0};
    bool found;
    name_lease(&name, b);
    int result = object_get_all(&b->store, buf_text(&name), OBJECT_TEXT_MAX, &there, &found, err);
    if (result == 0 && !(found && slice_equal(buf_slice(&there), buf_slice(&b->pending))))
        result = bucket_is_two(b, err);
    buf_free(&name);
    buf_free(&there);
    return result;
}

int bucket_remove_lease(struct bucket *b, struct err *err)
{
    struct buf name = {0};
    name_lease(&name, b);
    int result = object_remove(&b->store, buf_text(&name), err);
    buf_free(&name);
    return result;
}

struct pending_search {
    struct bucket *b;
    size_t shortest; /* of the names: that of a lease, and of earlier versions */
    int64_t modified;
    bool found;
};

/* Names of other writers may begin with ours. */
static bool note_pending(void *context, const struct s3_listed *listed)
{
    struct pending_search *s = context;
    size_t len = s->shortest;
    if (listed->key.len > len && (char)listed->key.data[len] != mark)
        return true;
    buf_reset(&s->b->pending_name);
    buf_append_slice(&s->b->pending_name, listed->key);
    s->modified = listed->modified;
    s->found = true;
    return false;
}

int bucket_find_pending(struct bucket *b, const char *after, bool *found, int64_t *modified,
                        struct err *err)
{
    struct buf name = {0};
    name_lease(&name, b);
    struct pending_search s = {.b = b, .shortest = name.len};
    enum s3_outcome outcome = s3_list(b->client, buf_text(&name), after, note_pending, &s, err);
    int result =
        outcome == S3_DONE || outcome == S3_ABSENT ? 0 : bucket_failed(outcome, b->entries, err);
    *found = result == 0 && s.found;
    if (modified != NULL)
        *modified = s.modified;
    buf_free(&name);
    return result;
}

/* Entries from the one on that a commit was to get. */
struct candidates {
    const struct bucket *b;
    ARRAY(char *) same_size; /* as the text */
    bool first;              /* the one that it was to get is there, */
    bool any;                /* or one behind it */
};

static bool note_entry(void *context, const struct s3_listed *listed)
{
    static const char ending[] = ".json";
    struct candidates *c = context;
    size_t len = strlen(ending), folder = strlen(c->b->entries);
    struct slice key = listed->key;
    if (key.len < folder + len || memcmp(key.data + key.len - len, ending, len) != 0 ||
        memchr(key.data + folder, '/', key.len - folder) != NULL ||
        slice_compare(key, buf_slice(&c->b->entry)) < 0)
        return true;
    c->any = true;
    c->first = c->first || slice_equal(key, buf_slice(&c->b->entry));
    if (listed->size == c->b->text.len)
        *array_add(&c->same_size) = text_copy_slice(key);
    return true;
}

/*
 * Whether the text is an entry. Where entries are gone that could have told, it is taken for one:
 * they are removed a month after they were put, and files that are in nobody's way are better than
 * rows that are gone.
 */
static int find_entry(struct bucket *b, bool *found, struct err *err)
{
    struct candidates c = {.b = b};
    struct buf there = {0}, after = {0};
    int result = 0;
    buf_append(&after, b->entry.data, b->entry.len - 1); /* right in front of it */
    enum s3_outcome outcome = s3_list(b->client, b->entries, buf_text(&after), note_entry, &c, err);
    if (outcome != S3_DONE && outcome != S3_ABSENT)
        result = bucket_failed(outcome, b->entries, err);
    *found = c.any && !c.first;
    for (size_t i = 0; i < c.same_size.count; i++) {
        bool there_is = false;
        buf_reset(&there);
        if (result == 0 && !*found)
            result =
                object_get_all(&b->store, c.same_size.list[i], b->text.len, &there, &there_is, err);
        *found = *found || (there_is && slice_equal(buf_slice(&there), buf_slice(&b->text)));
        free(c.same_size.list[i]);
    }
    array_free(&c.same_size);
    buf_free(&there);
    buf_free(&after);
    return result;
}

void bucket_names_free(struct bucket_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    array_free(names);
}

static bool take_names(const struct json *array, struct bucket_names *out)
{
    bool valid = array != NULL && array->type == JSON_ARRAY;
    for (const struct json *item = valid ? array->first : NULL; item != NULL; item = item->next) {
        valid = valid && item->type == JSON_STRING && object_name_is_valid(item->text);
        if (valid)
            *array_add(out) = text_copy_slice(item->text);
    }
    return valid;
}

/* What bucket_fill_pending has put together. */
static int take_apart(struct bucket *b, struct slice pending, struct err *err)
{
    struct arena arena = {0};
    struct err ignored = {0};
    struct slice entry = {0};
    size_t at = pending.len > 0 ? pending.len - 1 : 0;
    while (at > 0 && pending.data[at - 1] != '\n')
        at--;
    struct slice line = {pending.data + at, pending.len - at};
    const struct json *tail = json_member(json_parse(&arena, line, &ignored), "varvePending");
    bool valid = json_get_text(tail, "entry", &entry) && object_name_is_valid(entry) &&
                 slice_starts_with(entry, b->entries) &&
                 take_names(json_member(tail, "come"), &b->come) &&
                 take_names(json_member(tail, "go"), &b->go);
    buf_reset(&b->text);
    buf_reset(&b->entry);
    buf_append(&b->text, pending.data, at);
    buf_append_slice(&b->entry, entry);
    arena_free(&arena);
    return valid ? 0
                 : err_set(err, ERR_FORMAT, "%s is not what varve writes",
                           buf_text(&b->pending_name));
}

int bucket_take_pending(struct bucket *b, bool *found, bool *committed, struct err *err)
{
    struct buf name = {0}, pending = {0};
    bool listed = true;
    int result = 0;
    *committed = *found = false;
    bucket_forget_commit(b);
    /* One that is gone when it is asked for is of a process that has just committed. */
    while (result == 0 && listed && !*found) {
        result = bucket_find_pending(b, buf_text(&name), &listed, NULL, err);
        buf_reset(&name);
        buf_append_slice(&name, buf_slice(&b->pending_name));
        if (result == 0 && listed)
            result =
                object_get_all(&b->store, buf_text(&name), OBJECT_TEXT_MAX, &pending, found, err);
    }
    if (result == 0 && *found) {
        result = take_apart(b, buf_slice(&pending), err);
        if (result == 0) {
            bucket_fill_pending(b);
            result = bucket_put_pending(b, S3_ANY, err);
        }
        if (result == 0)
            result = find_entry(b, committed, err);
    }
    buf_free(&name);
    buf_free(&pending);
    return result;
}

/* Who was to put the text puts it no more once this is there: his turn is over, and before the next
 * one he looks at .pending. Unless he was first. */
int bucket_put_instead(struct bucket *b, const struct object_group *instead, bool *committed,
                       struct err *err)
{
    struct s3_condition absent = {.kind = S3_IF_ABSENT};
    struct buf name = {0}, entry = {0};
    enum s3_outcome outcome = S3_TAKEN;
    int result = instead->text(instead->context, NULL, &entry, err);
    *committed = false;
    for (bool taken = false; result == 0 && outcome == S3_TAKEN && !*committed; taken = true) {
        buf_reset(&name);
        result = taken ? find_entry(b, committed, err) : 0;
        if (result == 0 && !*committed)
            result = instead->name(instead->context, taken, &name, err);
        if (result == 0 && !*committed)
            result = bucket_check_pending(b, err);
        if (result != 0 || *committed)
            break;
        outcome = s3_put(b->client, buf_text(&name), buf_slice(&entry), absent, NULL, err);
        if (outcome != S3_DONE && outcome != S3_TAKEN)
            result = bucket_failed(outcome, buf_text(&name), err);
    }
    buf_free(&name);
    buf_free(&entry);
    return result;
}
