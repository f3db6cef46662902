/* SPDX-License-Identifier: MIT */
#include "delta/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"

enum {
    PART_DIGITS = 10,
    HINT_MAX = 64 * 1024, /* it may have a schema in it */
    LINE_SIZE = 1024,     /* holds most first lines whole, and less than most entries */
};

void delta_entry_name(struct buf *out, uint64_t version)
{
    buf_printf(out, DELTA_LOG_FOLDER "%0*" PRIu64 ".json", (int)DELTA_VERSION_DIGITS, version);
}

void delta_checkpoint_name(struct buf *out, const struct delta_checkpoint *checkpoint,
                           uint32_t part)
{
    buf_printf(out, DELTA_LOG_FOLDER "%0*" PRIu64 ".checkpoint", (int)DELTA_VERSION_DIGITS,
               checkpoint->version);
    if (checkpoint->parts > 0)
        buf_printf(out, ".%0*" PRIu32 ".%0*" PRIu32, (int)PART_DIGITS, part, (int)PART_DIGITS,
                   checkpoint->parts);
    buf_append_text(out, ".parquet");
}

/* The digits that `text` begins with, which are followed by a dot; both are cut off. */
static bool cut_number(struct slice *text, size_t digits, uint64_t *out)
{
    if (text->len <= digits || text->data[digits] != '.' ||
        !num_parse_u64((struct slice){text->data, digits}, out))
        return false;
    text->data += digits + 1;
    text->len -= digits + 1;
    return true;
}

/* `name` without the folder and the version, which has room above and below; false if it does not
 * begin so. */
static bool cut_version(struct slice *name, uint64_t *version)
{
    size_t folder = strlen(DELTA_LOG_FOLDER);
    if (!slice_starts_with(*name, DELTA_LOG_FOLDER))
        return false;
    name->data += folder;
    name->len -= folder;
    return cut_number(name, DELTA_VERSION_DIGITS, version) && *version < INT64_MAX;
}

bool delta_log_version(struct slice name, uint64_t *version, struct slice *rest)
{
    *rest = name;
    return cut_version(rest, version);
}

bool delta_entry_version(struct slice name, uint64_t *version)
{
    return cut_version(&name, version) && slice_is(name, "json");
}

struct listing {
    struct delta_listing *out;
    struct delta_checkpoint parts; /* the checkpoint of which parts are being counted */
    uint32_t seen;                 /* of its parts */
};

static void note_checkpoint(struct delta_listing *out, const struct delta_checkpoint *checkpoint)
{
    if (!out->checkpoint.found || checkpoint->version >= out->checkpoint.version)
        out->checkpoint = *checkpoint;
}

/* Names come in order, so the parts of one checkpoint come one after the other. */
static void note_part(struct listing *l, uint64_t version, struct slice rest)
{
    uint64_t part, parts;
    if (!cut_number(&rest, PART_DIGITS, &part) || !cut_number(&rest, PART_DIGITS, &parts) ||
        !slice_is(rest, "parquet") || parts > DELTA_PARTS_MAX) {
        l->out->has_other_checkpoint = true;
        return;
    }
    if (part == 1) {
        l->parts = (struct delta_checkpoint){true, version, (uint32_t)parts};
        l->seen = 0;
    }
    if (!l->parts.found || l->parts.version != version || l->parts.parts != parts ||
        part != l->seen + (uint64_t)1)
        return;
    if (++l->seen == parts)
        note_checkpoint(l->out, &l->parts);
}

static bool note_name(void *context, struct slice name)
{
    struct listing *l = context;
    uint64_t version;
    if (!cut_version(&name, &version))
        return name.len == 0 || name.data[0] <= '9'; /* what begins otherwise comes behind all */
    if (slice_is(name, "json")) {
        *array_add(&l->out->entries) = version;
    } else if (slice_is(name, "checkpoint.parquet")) {
        note_checkpoint(l->out, &(struct delta_checkpoint){true, version, 0});
    } else if (slice_starts_with(name, "checkpoint.")) {
        size_t len = strlen("checkpoint.");
        note_part(l, version, (struct slice){name.data + len, name.len - len});
    }
    return true;
}

static int compare_versions(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/*
 * A directory is not read at one moment: of two entries that come meanwhile, the older one may be
 * where the reading was already, and the newer one where it gets to (ext4 goes by hashes of names,
 * XFS puts names where there is room). So one that is missing below the newest is asked for by its
 * name. The first that is not there ends it: all that come are one behind the other.
 */
static int add_overlooked(struct object_store *store, uint64_t first, struct delta_listing *out,
                          struct err *err)
{
    size_t listed = out->entries.count;
    uint64_t least = out->checkpoint.found ? out->checkpoint.version + 1 : first;
    uint64_t version = listed > 0 ? out->entries.list[listed - 1] : 0;
    struct buf name = {0};
    bool found = true;
    int result = 0;
    for (size_t i = listed; result == 0 && found && version > least; version--) {
        if (i > 0 && out->entries.list[i - 1] == version)
            i--;
        if (i > 0 && out->entries.list[i - 1] == version - 1)
            continue;
        struct object_info info;
        buf_reset(&name);
        delta_entry_name(&name, version - 1);
        result = object_head(store, buf_text(&name), &info, &found, err);
        if (result == 0 && found)
            *array_add(&out->entries) = version - 1;
    }
    buf_free(&name);
    if (out->entries.count > listed)
        qsort(out->entries.list, out->entries.count, sizeof(*out->entries.list), compare_versions);
    return result;
}

int delta_log_list(struct object_store *store, uint64_t first, struct delta_listing *out,
                   struct err *err)
{
    struct listing l = {.out = out};
    struct buf after = {0};
    out->entries.count = 0;
    out->checkpoint = (struct delta_checkpoint){0};
    out->has_other_checkpoint = false;
    /* All names of a version come behind its digits alone. */
    buf_printf(&after, DELTA_LOG_FOLDER "%0*" PRIu64, (int)DELTA_VERSION_DIGITS, first);
    int result = object_list(store, DELTA_LOG_FOLDER, buf_text(&after), note_name, &l, err);
    buf_free(&after);
    return result == 0 ? add_overlooked(store, first, out, err) : -1;
}

void delta_listing_free(struct delta_listing *listing)
{
    array_free(&listing->entries);
    *listing = (struct delta_listing){0};
}

int delta_entry_read(struct object_store *store, uint64_t version, struct buf *out, bool *found,
                     struct err *err)
{
    struct buf name = {0};
    delta_entry_name(&name, version);
    int result = object_get_all(store, buf_text(&name), DELTA_ENTRY_MAX, out, found, err);
    buf_free(&name);
    return result;
}

int delta_entry_first_line(struct object_store *store, uint64_t version, struct buf *out,
                           bool *found, struct err *err)
{
    struct buf name = {0};
    int result = 0;
    delta_entry_name(&name, version);
    buf_reset(out);
    for (bool complete = false; !complete && result == 0;) {
        size_t start = out->len;
        result = object_get(store, buf_text(&name), start, LINE_SIZE, out, found, err);
        if (result != 0 || out->len == start)
            break;
        const uint8_t *end = memchr(out->data + start, '\n', out->len - start);
        complete = end != NULL;
        if (complete)
            out->len = (size_t)(end - out->data);
        else if (out->len > DELTA_ENTRY_MAX)
            result = err_set(err, ERR_LIMIT, "%s is larger than %d bytes", buf_text(&name),
                             DELTA_ENTRY_MAX);
    }
    buf_free(&name);
    return result;
}

int delta_entry_append(struct object_store *store, uint64_t version, struct slice text, bool *taken,
                       struct err *err)
{
    struct buf name = {0};
    delta_entry_name(&name, version);
    int result = object_put_if_absent(store, buf_text(&name), text, taken, err);
    buf_free(&name);
    return result;
}

bool delta_checkpoint_hint(struct object_store *store, uint64_t *version)
{
    struct buf text = {0};
    struct arena arena = {0};
    struct err ignored = {0}; /* a hint that can't be read is none */
    bool found = false;
    bool known = object_get_all(store, DELTA_LOG_FOLDER "_last_checkpoint", HINT_MAX, &text, &found,
                                &ignored) == 0 &&
                 found &&
                 json_get_u64(json_parse(&arena, buf_slice(&text), &ignored), "version", version) &&
                 *version < INT64_MAX;
    arena_free(&arena);
    buf_free(&text);
    return known;
}

bool delta_hint_misleads(struct object_store *store, uint64_t *version)
{
    struct delta_listing listing = {0};
    struct err ignored = {0}; /* what can't be listed is said elsewhere */
    bool misleads = delta_checkpoint_hint(store, version) &&
                    delta_log_list(store, *version, &listing, &ignored) == 0 &&
                    !listing.checkpoint.found && !listing.has_other_checkpoint;
    delta_listing_free(&listing);
    return misleads;
}

int delta_log_list_newest(struct object_store *store, struct delta_listing *out, struct err *err)
{
    uint64_t hint;
    if (delta_checkpoint_hint(store, &hint)) {
        if (delta_log_list(store, hint, out, err) != 0)
            return -1;
        if (out->checkpoint.found)
            return 0;
    }
    return delta_log_list(store, 0, out, err);
}
