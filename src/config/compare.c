/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

static const void *field(const void *base, const struct config_key *key)
{
    return (const char *)base + key->offset;
}

static bool same_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b) == 0;
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool same_start(const struct config_start *a, const struct config_start *b)
{
    return a->kind == b->kind && a->sequence == b->sequence && a->time == b->time;
}

static bool same_value(const struct config_key *key, const void *base_a, const void *base_b)
{
    const void *a = field(base_a, key);
    const void *b = field(base_b, key);
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_SECRET:
    case CONFIG_LISTEN:
        return same_text(a, b);
    case CONFIG_LIST:
        return same_list(a, b);
    case CONFIG_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case CONFIG_INTEGER:
    case CONFIG_DURATION:
        return *(const int64_t *)a == *(const int64_t *)b;
    case CONFIG_COUNT:
    case CONFIG_SIZE:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case CONFIG_CHOICE: /* stored as the compiler stores an enum, see config/value.c */
        return *(const unsigned *)a == *(const unsigned *)b;
    case CONFIG_START:
        return same_start(a, b);
    }
    return false;
}

static void compare_entries(const struct config *a, const struct config *b,
                            const struct config_key *key, config_visit *visit, void *context)
{
    const struct config_section *s = config_key_list(key);
    for (size_t i = 0; i < config_entries(a, s); i++) {
        char path[CONFIG_PATH_MAX + 24];
        if (same_value(key, config_entry(a, s, i), config_entry(b, s, i)))
            continue;
        (void)snprintf(path, sizeof(path), "%s[%zu].%s", s->name, i, key->path + strlen(s->prefix));
        visit(context, path, key->change);
    }
}

void config_compare(const struct config *a, const struct config *b, config_visit *visit,
                    void *context)
{
    for (size_t i = 0; i < config_section_count; i++)
        if (config_entries(a, &config_sections[i]) != config_entries(b, &config_sections[i]))
            visit(context, config_sections[i].name, CONFIG_CHANGE_RESTART);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const struct config_section *s = config_key_list(key);
        if (s == NULL) {
            if (!same_value(key, a, b))
                visit(context, key->path, key->change);
        } else if (config_entries(a, s) == config_entries(b, s)) {
            compare_entries(a, b, key, visit, context);
        }
    }
}
