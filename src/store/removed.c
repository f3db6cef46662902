/* SPDX-License-Identifier: MIT */
#include "store/removed.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

enum {
    TOLD_MAX = 16, /* entries that have a line each; one line tells of all others */
};

static void forget(struct store_removed *r)
{
    for (size_t i = 0; i < r->list.count; i++)
        free(r->list.list[i].operation);
    r->list.count = 0;
}

static void forget_entry(struct store_removed *r)
{
    free(r->now.operation);
    r->now = (struct store_removal){0};
    r->of_varve = r->own = false;
}

static void end_entry(struct store_removed *r)
{
    if (r->own)
        forget(r);
    r->seen |= r->own;
    if (r->now.files > 0 && !r->of_varve) {
        *array_add(&r->list) = r->now;
        r->now.operation = NULL;
    }
    forget_entry(r);
}

static void note_commit_info(struct store_removed *r, const struct json *info)
{
    struct slice text;
    r->of_varve = json_get_text(info, "engineInfo", &text) && slice_starts_with(text, "varve");
    r->own = r->instance != NULL && json_get_text(json_member(info, "varve"), "instance", &text) &&
             slice_is(text, r->instance);
    if (r->now.operation == NULL && json_get_text(info, "operation", &text))
        r->now.operation = text_copy_slice(text);
}

void store_removed_note(struct store_removed *r, uint64_t version,
                        const struct delta_action *action)
{
    if (version != r->now.version)
        end_entry(r);
    if (version < r->now.version ||
        (r->list.count > 0 && version <= r->list.list[r->list.count - 1].version))
        forget(r);
    r->now.version = version;
    r->now.files += action->kind == DELTA_REMOVE && action->remove.data_change;
    if (action->kind == DELTA_COMMIT_INFO)
        note_commit_info(r, action->commit_info.json);
}

static void tell(const struct store_removal *removal, const char *root)
{
    log_message(LOG_WARNING, "rows_removed",
                "another engine has removed or changed the rows of %" PRIu64
                " files of %s (entry %" PRIu64
                " of the log, %s): their events were stored, and are not fetched again; until the "
                "table is vacuumed they can be appended again from its version %" PRIu64,
                removal->files, root, removal->version,
                removal->operation != NULL ? removal->operation : "it does not say by what",
                removal->version - (removal->version > 0));
}

bool store_removed_tell(struct store_removed *r, const char *root)
{
    end_entry(r);
    size_t count = r->list.count;
    for (size_t i = 0; i < count && i < TOLD_MAX; i++)
        tell(&r->list.list[i], root);
    if (count > TOLD_MAX)
        log_message(LOG_WARNING, "rows_removed",
                    "and so have %zu more entries of the log of %s, up to %" PRIu64,
                    count - TOLD_MAX, root, r->list.list[count - 1].version);
    forget(r);
    return count > 0;
}

void store_removed_free(struct store_removed *r)
{
    forget_entry(r);
    forget(r);
    array_free(&r->list);
}
