/* SPDX-License-Identifier: MIT */
#include "follow/anew.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "delta/entry.h"
#include "delta/log.h"
#include "delta/table.h"
#include "follow/anew_part.h"
#include "object/open.h"

struct object_store *anew_open(const struct follow_anew *a, const char *root, struct err *err)
{
    struct buf name = {0};
    text_escape(&name, slice_of(a->follower));
    const struct object_config place = {.root = root,
                                        .entries = DELTA_LOG_FOLDER,
                                        .writer = a->follower,
                                        .writer_name = buf_text(&name)};
    struct object_store *store = object_open(&place, err);
    buf_free(&name);
    return store;
}

static int create(struct object_store *store, const struct schema *schema, struct err *err)
{
    struct buf entry = {0};
    char id[RANDOM_UUID_TEXT];
    bool taken; /* fine */
    int result = random_uuid(id, err);
    if (result == 0) {
        delta_table_create(&entry, schema, id, ANEW_ENGINE, clock_wall());
        result = delta_entry_append(store, 0, buf_slice(&entry), &taken, err);
    }
    buf_free(&entry);
    return result;
}

/* An entry that begins the next one, with a number above `greatest`; from then on rows may be taken
 * out of the table. It is like no other one's: whoever finds his own text in the log takes it for
 * what he has put there. */
static int begin_entry(struct buf *out, const struct delta_snapshot *table, int64_t greatest,
                       int64_t *number, struct err *err)
{
    const struct delta_app *last = delta_snapshot_app(table, slice_of(ANEW_APP));
    char engine[sizeof(ANEW_ENGINE) + RANDOM_UUID_TEXT] = ANEW_ENGINE " ";
    int64_t now = clock_wall();
    if (random_uuid(engine + strlen(engine), err) != 0)
        return -1;
    if (last != NULL && last->version > greatest && last->version < INT64_MAX)
        greatest = last->version;
    *number = greatest + 1;
    if (delta_table_is_append_only(&table->metadata))
        delta_table_allow_removal(out, &table->metadata, engine, now);
    else
        delta_pending_write_instead(out, engine, now);
    struct delta_action action = {.kind = DELTA_TXN};
    action.txn = (struct delta_txn){.app_id = slice_of(ANEW_APP),
                                    .version = *number,
                                    .has_last_updated = true,
                                    .last_updated = now / CLOCK_MILLISECOND};
    delta_action_write(out, &action);
    return 0;
}

int anew_announce(struct object_store *store, struct delta_snapshot *table,
                  const struct schema *schema, int64_t *number, struct err *err)
{
    const int64_t greatest = *number;
    for (int attempt = 0; attempt < ANEW_ATTEMPTS; attempt++) {
        struct buf entry = {0};
        bool taken = true;
        delta_snapshot_free(table);
        if (delta_snapshot_load(table, store, err) != 0)
            return -1;
        if (!table->found && schema == NULL)
            return err_set(err, ERR_REFUSED, "the table is gone");
        if (!table->found) {
            if (create(store, schema, err) != 0)
                return -1;
            continue;
        }
        int result = delta_table_check_state(&table->protocol, &table->metadata, err);
        if (result == 0)
            result = begin_entry(&entry, table, greatest, number, err);
        if (result == 0)
            result = delta_entry_append(store, table->version + 1, buf_slice(&entry), &taken, err);
        buf_free(&entry);
        if (result != 0 || !taken)
            return result;
    }
    return err_set(err, ERR_REFUSED, "other writers came first each time");
}

const char *follow_anew_begin(struct follow_anew *a, const char *root, const struct schema *schema,
                              struct err *err)
{
    struct anew_gone gone = {0};
    struct delta_snapshot table = {
        .want_files = true, .gone = anew_note_gone, .gone_context = &gone};
    struct follow_anew_table begun = {0};
    struct buf folder = {0};
    struct object_store *store = anew_open(a, root, err);
    int result = store == NULL ? -1 : anew_greatest(store, &begun.number, err);
    if (result == 0)
        result = anew_announce(store, &table, schema, &begun.number, err);
    if (result == 0)
        result = anew_sweep(store, &table, &gone, begun.number, err);
    if (result == 0) {
        struct buf beside = {0};
        buf_printf(&folder, FOLLOW_ANEW_FOLDER "%" PRId64 "/", begun.number);
        buf_printf(&beside, "%s/" FOLLOW_ANEW_FOLDER "%" PRId64, root, begun.number);
        begun.root = text_copy(root);
        begun.folder = text_copy_slice(buf_slice(&folder));
        begun.beside = text_copy_slice(buf_slice(&beside));
        *array_add(&a->tables) = begun;
        buf_free(&beside);
    } else {
        (void)err_prefix(err, "%s can't be made anew", root);
    }
    delta_snapshot_free(&table);
    anew_gone_free(&gone);
    object_store_close(store);
    buf_free(&folder);
    return begun.beside;
}

int follow_anew_end(struct follow_anew *a, struct err *err)
{
    for (size_t i = 0; i < a->tables.count; i++)
        if (anew_replace(a, &a->tables.list[i], err) != 0)
            return err_prefix(err, "%s can't be replaced", a->tables.list[i].root);
    return 0;
}

void follow_anew_free(struct follow_anew *a)
{
    for (size_t i = 0; i < a->tables.count; i++) {
        free(a->tables.list[i].root);
        free(a->tables.list[i].beside);
        free(a->tables.list[i].folder);
    }
    array_free(&a->tables);
}
