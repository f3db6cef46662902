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
    uint64_t entry;
    if (end == NULL || strlen(path) >= CONFIG_PATH_MAX ||
        !num_parse_u64((struct slice){(const uint8_t *)bracket + 1, (size_t)(end - bracket - 1)},
                       &entry))
        return (struct config_target){0};
    char general[CONFIG_PATH_MAX + 1];
    snprintf(general, sizeof(general), "%.*s%s", (int)(bracket + 1 - path), path, end);
    return (struct config_target){config_key_find(general), (size_t)entry};
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

static void assign_default(struct config *c, const struct config_key *key, size_t entry)
{
    struct err err = {0};
    struct config_target target = {key, entry};
    ASSERT(assign_text(c, target, slice_of(key->initial), &err) == 0);
}

int config_add_entry(struct config *c, const struct config_section *s, struct err *err)
{
    size_t *count = (size_t *)((char *)c + s->count);
    if (*count == s->max)
        return err_set(err, ERR_USAGE, "more than %zu %s", s->max, s->name);
    ++*count;
    for (size_t i = 0; i < config_key_count; i++)
        if (config_key_list(&config_keys[i]) == s)
            assign_default(c, &config_keys[i], *count - 1);
    return 0;
}

void config_init(struct config *c)
{
    struct err err = {0};
    *c = (struct config){.orchestrator_address = "", .beside = ""};
    for (size_t i = 0; i < config_key_count; i++)
        if (config_key_list(&config_keys[i]) == NULL)
            assign_default(c, &config_keys[i], 0);
    for (size_t i = 0; i < config_section_count; i++) {
        const struct config_section *s = &config_sections[i];
        *(void **)((char *)c + s->list) = arena_calloc(&c->arena, s->max, s->size);
        if (s->filled)
            ASSERT(config_add_entry(c, s, &err) == 0);
    }
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
    const struct config_section *s = config_key_list(target.key);
    if (s != NULL) {
        size_t count = config_entries(c, s);
        if (target.entry > count)
            return err_set(err, ERR_USAGE, "the next %s is %s[%zu]", s->one, s->name, count);
        if (target.entry == count && config_add_entry(c, s, err) != 0)
            return -1;
        base = config_entry(c, s, target.entry);
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

int config_assign_section(struct config *c, const char *path, struct slice text, struct err *err)
{
    size_t len = strlen(path), turned = 0;
    for (size_t i = 0; i < config_key_count && config_value_is_off(text); i++) {
        const struct config_key *key = &config_keys[i];
        if (!key->off || strncmp(key->path, path, len) != 0 || key->path[len] != '.')
            continue;
        if (assign_text(c, (struct config_target){.key = key}, text, err) != 0)
            return -1;
        turned++;
    }
    return turned > 0 ? 0 : config_unknown(path, err);
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
    struct slice text = slice_of(assignment + len + 1);
    if (target.key == NULL)
        return config_assign_section(c, path, text, err) == 0 ? 0 : err_prefix(err, "--set");
    if (assign_text(c, target, text, err) != 0)
        return err_prefix(err, "--set %s", path);
    return 0;
}
