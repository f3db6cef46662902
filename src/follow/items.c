/* SPDX-License-Identifier: MIT */
#include "follow/items.h"

#include <string.h>

#include "base/sha256.h"
#include "delta/action.h"
#include "follow/select.h"

#define SELECT "select "

/* The address of a database may have a password in it. */
static void put_hash(struct buf *out, const char *url)
{
    char hash[SHA256_TEXT_MAX];
    sha256_text(slice_of(url), hash);
    buf_printf(out, "target of points %s\n", hash);
}

static void put_points(struct buf *out, const struct config_follower *follower)
{
    put_hash(out, follower->url);
    for (size_t i = 0; i < follower->points.count; i++) {
        const char *point = follower->points.items[i];
        size_t event_type = strcspn(point, " ");
        size_t measurement =
            point[event_type] == ' ' ? 1 + strcspn(point + event_type + 1, " ") : 0;
        buf_printf(out, "points of %.*s\n", (int)(event_type + measurement), point);
    }
}

static void put_tables(struct buf *out, const struct config *config,
                       const struct config_follower *follower)
{
    buf_printf(out, "target %s\n", follower->target);
    for (size_t i = 0; i < config->payload_count; i++)
        buf_printf(out, "table of %s\n", config->payloads[i].event_type);
    if (config->payload_count == 0)
        buf_append_text(out, "table of *\n");
}

/* In one line: any term less lets rows in. */
static void put_select(struct buf *out, const struct config_follower *follower)
{
    const size_t count = follow_select_count(&follower->select);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i == 0 ? SELECT : ", ", follower->select.items[i]);
    if (count > 0)
        buf_append_byte(out, '\n');
}

void follow_items(struct buf *out, const struct config *config,
                  const struct config_follower *follower)
{
    switch (follower->kind) {
    case CONFIG_KIND_TABLE:
        put_tables(out, config, follower);
        break;
    case CONFIG_KIND_TIMESERIES:
        put_points(out, follower);
        break;
    case CONFIG_KIND_NATS:
        buf_printf(out, "subject %s %s\n", follower->subject, follower->stream);
        break;
    case CONFIG_KIND_ARCHIVE:
    case CONFIG_KIND_QUALITY:
        break;
    }
    put_select(out, follower);
}

static bool has_line(struct slice lines, struct slice line)
{
    struct slice one;
    while (delta_next_line(&lines, &one))
        if (slice_equal(one, line))
            return true;
    return false;
}

static bool has_read(const struct delta_follower *done)
{
    for (size_t i = 0; i < done->generations.count; i++)
        if (done->generations.list[i].rows.count > 0)
            return true;
    return false;
}

void follow_items_new(struct buf *out, const struct delta_follower *done, struct slice now)
{
    struct slice before = buf_slice(&done->items), line;
    bool any_type = has_line(before, slice_of("table of *")), published = false, any = false,
         selects = false;
    if (before.len == 0 || !has_read(done))
        return;
    while (delta_next_line(&now, &line)) {
        selects = selects || slice_starts_with(line, SELECT);
        published = published || slice_starts_with(line, "subject ");
        if (line.len == 0 || has_line(before, line) ||
            (any_type && slice_starts_with(line, "table of ")))
            continue;
        if (slice_starts_with(line, "target of points "))
            line = slice_of("target (url)");
        buf_append_text(out, any ? ", " : "");
        buf_append_slice(out, line);
        any = true;
    }
    while (!any && !selects && delta_next_line(&before, &line))
        if (slice_starts_with(line, SELECT)) {
            buf_append_text(out, "what select has left out");
            any = true;
        }
    if (!any)
        return;
    buf_append_text(out, ": new in the configuration, and begins with the rows that come from now "
                         "on; ");
    if (published)
        buf_append_text(out, "varve replay publishes those before");
    else
        buf_printf(out, "varve follow %s --restart brings all", done->name);
}
