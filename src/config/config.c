/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "config/assign.h"

struct config_target config_target_of(const char *path)
{
    const char *bracket = strchr(path, '[');
    if (bracket == NULL)
        return (struct config_target){.key = config_key_find(path)};
    /* sources[12].stream is number 12 of sources[].stream */
    const char *end = strchr(bracket, ']');
    uint64_t source;
    if (end == NULL || strlen(path) >= CONFIG_PATH_MAX ||
        !num_parse_u64((struct slice){(const uint8_t *)bracket + 1, (size_t)(end - bracket - 1)},
                       &source))
        return (struct config_target){0};
    char general[CONFIG_PATH_MAX + 1];
    snprintf(general, sizeof(general), "%.*s%s", (int)(bracket + 1 - path), path, end);
    return (struct config_target){config_key_find(general), (size_t)source};
}

/* The value that a text stands for where there is no YAML: a list has commas. */
static int assign_text(struct config *c, struct config_target target, struct slice text,
                       struct err *err)
{
    struct slice items[CONFIG_LIST_MAX + 1];
    struct config_value value = {.items = items};
    while (target.key->type == CONFIG_LIST && value.count < CONFIG_LIST_MAX) {
        const uint8_t *comma = text.len == 0 ? NULL : memchr(text.data, ',', text.len);
        if (comma == NULL)
            break;
        size_t len = (size_t)(comma - text.data);
        items[value.count++] = (struct slice){text.data, len};
        text = (struct slice){comma + 1, text.len - len - 1};
    }
    items[value.count++] = text;
    return config_assign(c, target, value, err);
}

static void assign_default(struct config *c, const struct config_key *key, size_t source)
{
    struct err err = {0};
    struct config_target target = {key, source};
    ASSERT(assign_text(c, target, slice_of(key->initial), &err) == 0);
}

int config_add_source(struct config *c, struct err *err)
{
    if (c->source_count == CONFIG_SOURCES_MAX)
        return err_set(err, ERR_USAGE, "more than %d sources", CONFIG_SOURCES_MAX);
    c->source_count++;
    for (size_t i = 0; i < config_key_count; i++)
        if (config_key_of_source(&config_keys[i]))
            assign_default(c, &config_keys[i], c->source_count - 1);
    return 0;
}

void config_init(struct config *c)
{
    struct err err = {0};
    *c = (struct config){.orchestrator_address = "", .beside = ""};
    c->sources = arena_calloc(&c->arena, CONFIG_SOURCES_MAX, sizeof(*c->sources));
    for (size_t i = 0; i < config_key_count; i++)
        if (!config_key_of_source(&config_keys[i]))
            assign_default(c, &config_keys[i], 0);
    ASSERT(config_add_source(c, &err) == 0);
    c->servers_set = false;
    uint64_t room = config_memory_room();
    if (c->memory_limit > room)
        c->memory_limit = room;
}

void config_free(struct config *c)
{
    arena_free(&c->arena);
    *c = (struct config){0};
}

int config_assign(struct config *c, struct config_target target, struct config_value value,
                  struct err *err)
{
    void *base = c;
    if (config_key_of_source(target.key)) {
        if (target.source > c->source_count)
            return err_set(err, ERR_USAGE, "the next source is sources[%zu]", c->source_count);
        if (target.source == c->source_count && config_add_source(c, err) != 0)
            return -1;
        base = &c->sources[target.source];
    }
    if (config_value_store(target.key, base, &c->arena, value, err) != 0)
        return -1;
    if ((char *)base + target.key->offset == (char *)&c->nats.servers)
        c->servers_set = true;
    return 0;
}

int config_unknown(const char *path, struct err *err)
{
    char nearest[CONFIG_PATH_MAX];
    if (config_key_section(path))
        return err_set(err, ERR_USAGE, "%s is a section: set one of its keys", path);
    if (config_key_nearest(path, nearest))
        return err_set(err, ERR_USAGE, "unknown key %s; did you mean %s?", path, nearest);
    return err_set(err, ERR_USAGE, "unknown key %s", path);
}

int config_set(struct config *c, const char *assignment, struct err *err)
{
    char path[CONFIG_PATH_MAX];
    size_t len = strspn(assignment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_-.[]");
    if (assignment[len] != '=' || len >= sizeof(path))
        return err_set(err, ERR_USAGE, "--set: write KEY=VALUE, such as batching.max_age=5s");
    memcpy(path, assignment, len);
    path[len] = '\0';
    struct config_target target = config_target_of(path);
    if (target.key == NULL) {
        config_unknown(path, err);
        return err_prefix(err, "--set");
    }
    if (assign_text(c, target, slice_of(assignment + len + 1), err) != 0)
        return err_prefix(err, "--set %s", path);
    return 0;
}
