/* SPDX-License-Identifier: MIT */
#include "follow/kinds.h"

#include <string.h>

#include "follow/archive.h"
#include "follow/nats.h"
#include "follow/quality.h"
#include "follow/table.h"
#include "follow/timeseries.h"

const char *follow_kind_name(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_KIND_TABLE:
        return "table";
    case CONFIG_KIND_NATS:
        return "nats";
    case CONFIG_KIND_ARCHIVE:
        return "archive";
    case CONFIG_KIND_TIMESERIES:
        return "timeseries";
    case CONFIG_KIND_QUALITY:
        return "quality";
    }
    return "";
}

static struct follow_target *make(const struct config *config,
                                  const struct config_follower *follower, struct err *err)
{
    struct follow_target *target = NULL;
    switch (follower->kind) {
    case CONFIG_KIND_TABLE:
        target = follow_table_new(config, follower, err);
        break;
    case CONFIG_KIND_NATS:
        target = follow_nats_new(config, follower, err);
        break;
    case CONFIG_KIND_ARCHIVE:
        target = follow_archive_new(config, follower);
        break;
    case CONFIG_KIND_TIMESERIES:
        target = follow_timeseries_new(config, follower, err);
        break;
    case CONFIG_KIND_QUALITY:
        target = follow_quality_new(config, follower, err);
        break;
    }
    if (target == NULL)
        (void)err_prefix(err, "follower %s", follower->name);
    return target;
}

/* Of archive and nats, which do not look into payloads, nothing is read. */
static int hash_types(const struct config *config, const struct config_follower *follower,
                      char out[static SHA256_TEXT_MAX], struct err *err)
{
    switch (follower->kind) {
    case CONFIG_KIND_TABLE:
    case CONFIG_KIND_TIMESERIES:
    case CONFIG_KIND_QUALITY:
        return follow_types_hash(config, out, err);
    case CONFIG_KIND_NATS:
    case CONFIG_KIND_ARCHIVE:
        break;
    }
    out[0] = '\0';
    return 0;
}

static int make_select(struct follow_target *target, const struct config_follower *follower,
                       struct err *err)
{
    bool all = follower->kind == CONFIG_KIND_ARCHIVE || follower->kind == CONFIG_KIND_QUALITY;
    if (follow_select_count(&follower->select) > 0 && all)
        (void)err_set(err, ERR_USAGE, "kind %s is of all rows", follow_kind_name(follower->kind));
    else if (follow_select_make(&target->select, &follower->select, err) == 0)
        return 0;
    return err_prefix(err, "follower %s: select", follower->name);
}

static struct follow_target *make_by(const struct config *config,
                                     const struct config_follower *follower, const char *types,
                                     struct err *err)
{
    struct follow_target *target = make(config, follower, err);
    if (target == NULL)
        return NULL;
    memcpy(target->types, types, SHA256_TEXT_MAX);
    if (make_select(target, follower, err) == 0)
        return target;
    follow_target_free(target);
    return NULL;
}

void follow_target_free(struct follow_target *target)
{
    follow_select_free(&target->select);
    target->operations->free(target);
}

/* The hash comes first: where a file is replaced in between, it is that of the older one, and the
 * next look finds another one. */
struct follow_target *follow_target_new(const struct config *config,
                                        const struct config_follower *follower, struct err *err)
{
    char types[SHA256_TEXT_MAX] = "";
    struct err ignored = {0}; /* told by what is made of it */
    (void)hash_types(config, follower, types, &ignored);
    return make_by(config, follower, types, err);
}

int follow_target_renew(void *settings, const struct follow_target *old,
                        struct follow_target **fresh, struct err *err)
{
    const struct follow_settings *s = settings;
    char types[SHA256_TEXT_MAX];
    *fresh = NULL;
    if (hash_types(s->config, s->follower, types, err) != 0)
        return -1;
    if (strcmp(types, old->types) == 0)
        return 0;
    *fresh = make_by(s->config, s->follower, types, err);
    return *fresh != NULL ? 0 : -1;
}
