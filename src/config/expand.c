/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "config/assign.h"

static bool name_ok(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return len > 0;
}

/* Is what stands from `open` on up to `after` surely the name of a variable? Next to other text it
 * may be a part of a secret; in a URL what is all of a user, password, host or port is not, nor
 * what a host begins with. */
static bool is_name(const char *path, const char *text, bool url, const char *open,
                    const char *after)
{
    const struct config_key *key = config_key_find(path);
    if (key != NULL && key->type == CONFIG_PATH)
        return true;
    if (open == text && *after == '\0')
        return true;
    if (!url || (open > text && strchr("/:@", open[-1]) == NULL))
        return false;
    bool in_host = (open == text || open[-1] != ':') && strchr(after, '@') == NULL;
    return in_host || *after == '\0' || strchr(":@/", *after) != NULL;
}

/* Replace each ${NAME} in *text; anything else stays, a lone $ too. In front of the '@' of a URL
 * the value is percent-encoded. */
static int expand(struct config *c, const char *path, const char **text, bool url, struct err *err)
{
    struct buf out = {0};
    const char *at = *text;
    const char *open;
    int result = 0;
    while (result == 0 && (open = strstr(at, "${")) != NULL) {
        const char *name = open + 2;
        size_t len = strcspn(name, "}");
        buf_append(&out, at, (size_t)(open - at));
        at = name + len;
        if (*at != '}' || !name_ok(name, len)) {
            result = err_set(err, ERR_USAGE, "%s: write ${NAME} with the name of a variable", path);
            break;
        }
        at++;
        const char *copy = arena_text(&c->arena, name, len);
        const char *value = getenv(copy);
        bool named = is_name(path, *text, url, open, at);
        if (value == NULL || !utf8_valid(slice_of(value)))
            result = err_set(err, ERR_USAGE, "%s: the environment variable%s%s is not %s", path,
                             named ? " " : "", named ? copy : "", value == NULL ? "set" : "UTF-8");
        else if (url && strchr(at, '@') != NULL)
            text_encode_percent(&out, slice_of(value), "-._~");
        else
            buf_append_text(&out, value);
    }
    if (result == 0 && at != *text) {
        buf_append_text(&out, at);
        *text = arena_text(&c->arena, out.data, out.len);
    }
    buf_free(&out);
    return result;
}

static int expand_servers(struct config *c, struct err *err)
{
    struct config_list *servers = &c->nats.servers;
    const char **items = arena_calloc(&c->arena, servers->count + 1, sizeof(*items));
    for (size_t i = 0; i < servers->count; i++) {
        items[i] = servers->items[i];
        if (expand(c, "nats.servers", &items[i], true, err) != 0)
            return -1;
    }
    servers->items = items;
    return 0;
}

static int expand_home(struct config *c, const char *path, const char **text, struct err *err)
{
    const char *rest = *text + 1;
    if (**text != '~')
        return 0;
    const char *home = getenv("HOME");
    if (*rest != '\0' && *rest != '/')
        return err_set(err, ERR_USAGE, "%s: only ~/ is known, not the home of others", path);
    if (home == NULL || home[0] != '/' || !utf8_valid(slice_of(home)))
        return err_set(err, ERR_USAGE, "%s: for ~ the environment variable HOME has to be a path",
                       path);
    struct buf out = {0};
    buf_printf(&out, "%s%s", home, rest);
    *text = arena_text(&c->arena, out.data, out.len);
    buf_free(&out);
    return 0;
}

/* A value that is a path or a secret; `base` is the config, or the entry that has it. */
static int expand_value(struct config *c, const struct config_key *key, void *base, struct err *err)
{
    const char **text = (const char **)((char *)base + key->offset);
    if (key->type != CONFIG_PATH && key->type != CONFIG_SECRET)
        return 0;
    if (key->type == CONFIG_PATH && expand_home(c, key->path, text, err) != 0)
        return -1;
    return expand(c, key->path, text, false, err);
}

int config_expand(struct config *c, struct err *err)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_section *section = config_key_list(&config_keys[i]);
        size_t count = section == NULL ? 1 : config_entries(c, section);
        for (size_t entry = 0; entry < count; entry++) {
            void *base = section == NULL ? c : config_entry(c, section, entry);
            if (expand_value(c, &config_keys[i], base, err) != 0)
                return -1;
        }
    }
    return expand_servers(c, err);
}
