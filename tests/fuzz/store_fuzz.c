/* SPDX-License-Identifier: MIT */
#include "delta/entry.h"

#include <string.h>

#include "base/assert.h"
#include "event/event.h"
#include "object/object.h"
#include "store/path.h"
#include "delta/position.h"
#include "delta/snapshot.h"
#include "delta/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The one that wrote the entry among the seeds: another's is refused before it is looked at. */
static const char instance[] = "i\"1";

/* A .pending of whoever can write to _delta_log: no path leads out of the root. */
static void fuzz_entry(struct slice text)
{
    struct delta_pending entry = {0};
    struct err err = {0};
    struct buf path = {0};
    buf_append_slice(&entry.text, text);
    if (delta_pending_parse(&entry, instance, &err) == 0) {
        for (size_t i = 0; i < entry.moves.count; i++) {
            buf_reset(&path);
            delta_pending_path(&path, &entry, i);
            const char *name = buf_text(&path);
            ASSERT(strlen(name) == path.len && name[0] != '/' && strstr(name, "//") == NULL);
            ASSERT(strncmp(name, "../", 3) != 0 && strstr(name, "/../") == NULL);
            ASSERT(path.len < 3 || strcmp(name + path.len - 3, "/..") != 0);
            ASSERT(strchr(entry.moves.list[i].id, '/') == NULL && entry.moves.list[i].id[0] != '.');
        }
        /* A change of one path changes nothing else. */
        if (entry.moves.count > 1) {
            delta_pending_set_path(&entry, 0, slice_of("a/%.parquet"));
            buf_reset(&path);
            delta_pending_path(&path, &entry, 0);
            ASSERT(slice_is(buf_slice(&path), "a/%.parquet"));
            size_t count = entry.moves.count;
            struct delta_pending again = {0};
            buf_append_slice(&again.text, buf_slice(&entry.text));
            ASSERT(delta_pending_parse(&again, instance, &err) == 0 && again.moves.count == count);
            delta_pending_free(&again);
        }
    }
    buf_free(&path);
    delta_pending_free(&entry);
}

/* Positions that are accepted are written as they were read. */
static void fuzz_positions(struct slice text)
{
    struct positions positions, again;
    struct err err = {0};
    struct buf out = {0};
    struct arena arena = {0};
    if (delta_positions_parse(&positions, json_parse(&arena, text, &err), &err) == 0) {
        delta_positions_put(&(struct json_writer){.out = &out}, NULL, &positions, NULL);
        ASSERT(delta_positions_parse(&again, json_parse(&arena, buf_slice(&out), &err), &err) == 0);
        ASSERT(again.count == positions.count);
        for (size_t i = 0; i < again.count; i++)
            ASSERT(again.list[i].through == positions.list[i].through &&
                   again.list[i].above.count == positions.list[i].above.count);
        positions_free(&again);
        positions_free(&positions);
    }
    buf_free(&out);
    arena_free(&arena);
}

/* An entry of any engine. */
static void fuzz_snapshot(struct slice text)
{
    struct delta_snapshot s = {.want_files = true, .want_varve = true};
    (void)!delta_snapshot_apply_entry(&s, 1, text, &(struct err){0}); /* either is fine */
    delta_snapshot_free(&s);
}

/* Values of an event, and a template. */
static void fuzz_path(struct slice text)
{
    struct store_path path;
    struct err err = {0};
    struct buf out = {0};
    char template[STORE_PATH_TEMPLATE_MAX + 1];
    size_t len = text.len < sizeof(template) - 1 ? text.len : sizeof(template) - 1;
    if (len > 0)
        memcpy(template, text.data, len);
    template[len] = '\0';
    if (store_path_parse(&path, template, &err) != 0)
        ASSERT(store_path_parse(&path, "{simulation_id}/{HH}/{first_seq}.parquet",
                                &(struct err){0}) == 0);
    struct store_path_values values = {.simulation_id = text,
                                       .worker_id = text,
                                       .stream = slice_of("S"),
                                       .time = (int64_t)text.len};
    store_path_key(&out, &path, &values);
    struct slice key = buf_slice(&out);
    struct buf wanted = {0};
    struct buf name = {0};
    store_path_name(&wanted, key, UINT64_MAX, UINT64_MAX);
    object_name_numbered(&name, buf_slice(&wanted), UINT32_MAX);
    ASSERT(object_name_is_valid(buf_slice(&wanted)) && object_name_is_valid(buf_slice(&name)));
    const char *part = buf_text(&name);
    ASSERT(strlen(part) == name.len && name.len <= STORE_PATH_MAX + STORE_PATH_SUFFIX_MAX);
    for (; part != NULL; part = strchr(part, '/') == NULL ? NULL : strchr(part, '/') + 1)
        ASSERT(part[0] != '.' && part[0] != '_' && strcspn(part, "/") >= 1 &&
               strcspn(part, "/") <= STORE_PATH_NAME_MAX);
    buf_free(&out);
    buf_free(&wanted);
    buf_free(&name);
}

/* The first byte says what the rest is taken for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice text = {data + 1, size - 1};
    switch ((uint8_t)(data[0] - '0') % 5) {
    case 0:
        fuzz_entry(text);
        break;
    case 1:
        fuzz_positions(text);
        break;
    case 2:
        fuzz_path(text);
        break;
    case 3:
        fuzz_snapshot(text);
        break;
    default:
        (void)!delta_table_check_entry(text, &event_schema, &(struct err){0}); /* either is fine */
        break;
    }
    return 0;
}
