/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "config/assign.h"
#include "config/yaml.h"

/* Keys and sections that one file can set: a few dozen, and a few of each entry. */
enum { SEEN_MAX = 128 + (CONFIG_SOURCES_MAX + CONFIG_PAYLOADS_MAX + CONFIG_FOLLOWERS_MAX) * 8 };

struct reader {
    struct yaml_walk walk;
    struct config *config;
    const char *seen[SEEN_MAX]; /* the paths that were there already */
    size_t seen_count;
};

/* `path` and the key that is looked at. */
static int join(struct yaml_walk *w, const char *path, char full[static CONFIG_PATH_MAX])
{
    if (yaml_walk_check_plain(w) < 0)
        return -1;
    if (!yaml_walk_is_scalar(w))
        return yaml_walk_fail(w, "a key must be a name");
    struct slice key = yaml_walk_scalar(w);
    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = key.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return yaml_walk_fail(w, "a key must be one name of letters, digits and _");
    }
    int len = key.len >= CONFIG_PATH_MAX
                  ? CONFIG_PATH_MAX
                  : snprintf(full, CONFIG_PATH_MAX, "%s%s%.*s", path, path[0] == '\0' ? "" : ".",
                             (int)key.len, (const char *)key.data);
    return len < CONFIG_PATH_MAX ? 0 : yaml_walk_fail(w, "longer than any key");
}

static int check_first_time(struct reader *r, const char *path)
{
    for (size_t i = 0; i < r->seen_count; i++)
        if (strcmp(r->seen[i], path) == 0) {
            err_set(r->walk.err, ERR_USAGE, "%s is set twice", path);
            return yaml_walk_place(&r->walk, yaml_walk_line(&r->walk));
        }
    ASSERT(r->seen_count < SEEN_MAX);
    r->seen[r->seen_count++] = arena_text(&r->config->arena, path, strlen(path));
    return 0;
}

static int read_leaf(struct reader *r, const char *path, struct config_target target)
{
    struct yaml_walk *w = &r->walk;
    struct slice items[CONFIG_LIST_MAX];
    struct config_value value = {.items = items};
    unsigned line = yaml_walk_line(w);
    if (yaml_walk_is_null(w))
        return 0; /* as if the key were not there */
    if (yaml_walk_is_list(w) ||
        (target.key->entries == CONFIG_COLUMNS && yaml_walk_is_mapping(w))) {
        value.list = true;
        if (config_read_list(w, &r->config->arena, target.key->entries, items, &value.count) < 0)
            return -1;
    } else if (yaml_walk_is_scalar(w)) {
        items[value.count++] = yaml_walk_scalar(w);
    } else {
        err_set(w->err, ERR_USAGE, "%s: takes a value, not a section", path);
        return yaml_walk_place(w, line);
    }
    if (config_assign(r->config, target, value, w->err) != 0) {
        err_prefix(w->err, "%s", path);
        return yaml_walk_place(w, line);
    }
    return 0;
}

static int read_mapping(struct reader *r, const char *path);

/* An error at what is looked at, about a list of sections. */
static int fail_section(struct reader *r, const struct config_section *s, const char *what,
                        const char *example)
{
    struct yaml_walk *w = &r->walk;
    (void)err_set(w->err, ERR_USAGE, "%s: %s%s", s->name, what, example);
    return yaml_walk_place(w, yaml_walk_line(w));
}

static int read_section(struct reader *r, const struct config_section *s)
{
    struct yaml_walk *w = &r->walk;
    if (yaml_walk_is_null(w))
        return 0;
    if (!yaml_walk_is_list(w))
        return fail_section(r, s, "takes a list: begin each entry with - ", s->example);
    *(size_t *)((char *)r->config + s->count) = 0;
    for (;;) {
        if (yaml_walk_next(w) < 0 || yaml_walk_check_plain(w) < 0)
            return -1;
        if (yaml_walk_is_close(w))
            break;
        if (!yaml_walk_is_mapping(w))
            return fail_section(r, s, "an entry needs keys, such as ", s->example);
        char path[CONFIG_PATH_MAX];
        snprintf(path, sizeof(path), "%s[%zu]", s->name, config_entries(r->config, s));
        if (config_add_entry(r->config, s, w->err) != 0)
            return yaml_walk_place(w, yaml_walk_line(w));
        if (read_mapping(r, path) < 0)
            return -1;
    }
    return !s->filled || config_entries(r->config, s) > 0
               ? 0
               : fail_section(r, s, "the list is empty", "");
}

/* The value of the key `path`, which stands on `line`. */
static int read_value(struct reader *r, const char *path, unsigned line)
{
    struct yaml_walk *w = &r->walk;
    struct config_target target = config_target_of(path);
    if (yaml_walk_check_plain(w) < 0)
        return -1;
    if (target.key != NULL)
        return read_leaf(r, path, target);
    if (config_section_find(path) != NULL)
        return read_section(r, config_section_find(path));
    if (config_key_section(path) && yaml_walk_is_null(w))
        return 0; /* all keys below are commented out */
    if (config_key_section(path) && yaml_walk_is_mapping(w))
        return read_mapping(r, path);
    struct slice text = yaml_walk_is_scalar(w) ? yaml_walk_scalar(w) : slice_of("");
    if (config_assign_section(r->config, path, text, w->err) == 0)
        return 0;
    return yaml_walk_place(w, line);
}

/* Recursion ends where the table does: read_value goes on only below known sections. */
static int read_mapping(struct reader *r, const char *path)
{
    struct yaml_walk *w = &r->walk;
    for (;;) {
        char full[CONFIG_PATH_MAX];
        if (yaml_walk_next(w) < 0)
            return -1;
        if (yaml_walk_is_close(w))
            return 0;
        if (join(w, path, full) < 0 || check_first_time(r, full) < 0)
            return -1;
        unsigned line = yaml_walk_line(w);
        if (yaml_walk_next(w) < 0 || read_value(r, full, line) < 0)
            return -1;
    }
}

/* Look for one key in a mapping of others: *found, and at its value, or else at the mapping's end.
 */
static int find_key(struct yaml_walk *w, const char *name, bool *found)
{
    *found = false;
    while (yaml_walk_next(w) == 0) {
        if (yaml_walk_is_close(w))
            return 0;
        bool match = yaml_walk_is_scalar(w) && slice_is(yaml_walk_scalar(w), name);
        if (yaml_walk_skip(w) < 0 || yaml_walk_next(w) < 0)
            return -1;
        if (match) {
            *found = true;
            return 0;
        }
        if (yaml_walk_skip(w) < 0)
            return -1;
    }
    return -1;
}

/* Go down to the value of a key in a section, such as {"logging_layer"}: *found if it is there. */
static int find_path(struct yaml_walk *w, const char *const *names, bool *found)
{
    *found = true;
    for (; *names != NULL && *found; names++) {
        *found = yaml_walk_is_mapping(w);
        if (*found && find_key(w, *names, found) < 0)
            return -1;
    }
    return 0;
}

/* Begin again, and go to what `names` lead to. */
static int go_to(struct reader *r, const char *const *names, bool *found)
{
    struct yaml_walk *w = &r->walk;
    bool empty;
    yaml_walk_end(w);
    if (yaml_walk_begin(w, w->name, w->text, w->err, &empty) < 0)
        return -1;
    *found = false;
    return empty ? 0 : find_path(w, names, found);
}

static bool is_ours(struct slice name)
{
    char path[CONFIG_PATH_MAX];
    if (name.len >= sizeof(path))
        return false;
    snprintf(path, sizeof(path), "%.*s", (int)name.len, (const char *)name.data);
    return config_key_find(path) != NULL || config_key_section(path);
}

/* The first key that is called as one of ours, but stands beside the section that is read. */
static int note_beside(struct reader *r)
{
    static const char *const root[] = {NULL};
    struct yaml_walk *w = &r->walk;
    bool found;
    if (go_to(r, root, &found) < 0)
        return -1;
    for (;;) {
        if (yaml_walk_next(w) < 0)
            return -1;
        if (yaml_walk_is_close(w))
            return 0;
        if (yaml_walk_is_scalar(w) && is_ours(yaml_walk_scalar(w))) {
            struct slice name = yaml_walk_scalar(w);
            char text[CONFIG_PATH_MAX + sizeof("line 4294967295: ")];
            int len = snprintf(text, sizeof(text), "line %u: %.*s", yaml_walk_line(w),
                               (int)name.len, (const char *)name.data);
            r->config->beside = arena_text(&r->config->arena, text, (size_t)len);
            return 0;
        }
        if (yaml_walk_skip(w) < 0 || yaml_walk_next(w) < 0 || yaml_walk_skip(w) < 0)
            return -1;
    }
}

/* Ours is one section of a simulation's file: at its value. */
static int read_layer(struct reader *r)
{
    static const char *const address[] = {"orchestrator_layer", "communication", "nats_address",
                                          NULL};
    struct yaml_walk *w = &r->walk;
    bool found;
    if (yaml_walk_check_plain(w) < 0)
        return -1;
    if (!yaml_walk_is_mapping(w) && !yaml_walk_is_null(w))
        return yaml_walk_fail(w, "logging_layer: takes a section");
    if (yaml_walk_is_mapping(w) && read_mapping(r, "") < 0)
        return -1;
    if (find_key(w, "logging_layer", &found) < 0)
        return -1;
    if (found)
        return yaml_walk_fail(w, "logging_layer is set twice");
    if (yaml_walk_finish(w) < 0 || go_to(r, address, &found) < 0)
        return -1;
    if (found && yaml_walk_is_scalar(w) && !yaml_walk_is_null(w)) {
        struct slice text = yaml_walk_scalar(w);
        r->config->orchestrator_address = arena_text(&r->config->arena, text.data, text.len);
    }
    return note_beside(r);
}

static int read_all(struct reader *r)
{
    static const char *const layer[] = {"logging_layer", NULL};
    static const char *const root[] = {NULL};
    struct yaml_walk *w = &r->walk;
    bool found;
    if (go_to(r, layer, &found) < 0)
        return -1;
    if (found)
        return read_layer(r);
    if (go_to(r, root, &found) < 0)
        return -1;
    if (!found)
        return 0; /* an empty file */
    if (!yaml_walk_is_mapping(w) && !yaml_walk_is_null(w))
        return yaml_walk_fail(w, "the file must contain keys, such as output:");
    if (yaml_walk_is_mapping(w) && read_mapping(r, "") < 0)
        return -1;
    return yaml_walk_finish(w);
}

int config_read_text(struct config *c, const char *name, struct slice text, struct err *err)
{
    if (text.len > CONFIG_FILE_MAX)
        return err_set(err, ERR_USAGE, "%s: larger than %d bytes", name, CONFIG_FILE_MAX);
    struct reader r = {.config = c, .walk = {.name = name, .text = text, .err = err}};
    int result = read_all(&r);
    yaml_walk_end(&r.walk);
    return result;
}

int config_read(struct config *c, const char *path, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set(err, ERR_USAGE, "%s: %s", path, strerror(errno));
    struct buf text = {0};
    buf_reserve(&text, CONFIG_FILE_MAX + 1);
    text.len = fread(text.data, 1, CONFIG_FILE_MAX + 1, file);
    int result = ferror(file) ? err_set(err, ERR_USAGE, "%s: %s", path, strerror(errno))
                              : config_read_text(c, path, buf_slice(&text), err);
    fclose(file);
    buf_free(&text);
    return result;
}
