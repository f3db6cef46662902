/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "config/assign.h"
#include "config/yaml.h"

#define COLUMN_SHAPE "a column is NAME: {path: PATH, type: TYPE}"
#define POINT_SHAPE "a point is {event_type: TYPE, measurement: NAME, tags: [...], fields: {...}}"

static const char *keep(struct arena *arena, struct slice text)
{
    return arena_text(arena, text.data, text.len);
}

/* The next plain value, copied. */
static int read_text(struct yaml_walk *w, struct arena *arena, const char *shape, const char **out)
{
    if (yaml_walk_next(w) < 0 || yaml_walk_check_plain(w) < 0)
        return -1;
    if (!yaml_walk_is_scalar(w))
        return yaml_walk_fail(w, shape);
    *out = keep(arena, yaml_walk_scalar(w));
    return 0;
}

/* {path: PATH, type: TYPE}, which is looked at. */
static int read_source(struct yaml_walk *w, struct arena *arena, const char **path,
                       const char **type)
{
    if (yaml_walk_check_plain(w) < 0)
        return -1;
    if (!yaml_walk_is_mapping(w))
        return yaml_walk_fail(w, COLUMN_SHAPE);
    for (;;) {
        if (yaml_walk_next(w) < 0)
            return -1;
        if (yaml_walk_is_close(w))
            break;
        bool is_path = yaml_walk_is_scalar(w) && slice_is(yaml_walk_scalar(w), "path");
        bool is_type = yaml_walk_is_scalar(w) && slice_is(yaml_walk_scalar(w), "type");
        if ((!is_path || *path != NULL) && (!is_type || *type != NULL))
            return yaml_walk_fail(w, "a column has one path and one type, and nothing else");
        if (read_text(w, arena, COLUMN_SHAPE, is_path ? path : type) < 0)
            return -1;
    }
    return *path != NULL && *type != NULL ? 0
                                          : yaml_walk_fail(w, "a column needs a path and a type");
}

/* Of columns, behind a name. */
static int read_column(struct yaml_walk *w, struct arena *arena, struct buf *out)
{
    const char *name = keep(arena, yaml_walk_scalar(w)), *path = NULL, *type = NULL;
    if (yaml_walk_next(w) < 0 || read_source(w, arena, &path, &type) < 0)
        return -1;
    buf_printf(out, "%s %s %s", name, type, path);
    return 0;
}

/* A part of a point, with a blank in front: there it stands between blanks. */
static int append_word(struct yaml_walk *w, struct buf *out, const char *word)
{
    if (word[0] == '\0' || strchr(word, ' ') != NULL)
        return yaml_walk_fail(w, "in a point no name or path is empty or has a blank");
    buf_printf(out, " %s", word);
    return 0;
}

/* Of a point: NAME: PATH, or NAME: {path: PATH, type: TYPE}. */
static int read_fields(struct yaml_walk *w, struct arena *arena, struct buf *out)
{
    if (!yaml_walk_is_mapping(w))
        return yaml_walk_fail(w, "fields are NAME: PATH, or NAME: {path: PATH, type: TYPE}");
    for (;;) {
        if (yaml_walk_next(w) < 0)
            return -1;
        if (yaml_walk_is_close(w))
            return 0;
        if (!yaml_walk_is_scalar(w))
            return yaml_walk_fail(w, "a key must be a name");
        const char *name = keep(arena, yaml_walk_scalar(w)), *path = NULL, *type = NULL;
        if (yaml_walk_next(w) < 0)
            return -1;
        if (yaml_walk_is_scalar(w)) {
            path = keep(arena, yaml_walk_scalar(w));
            type = "double";
        } else if (read_source(w, arena, &path, &type) < 0) {
            return -1;
        }
        buf_append_text(out, " field");
        if (append_word(w, out, name) < 0 || append_word(w, out, type) < 0 ||
            append_word(w, out, path) < 0)
            return -1;
    }
}

/* Of a point: one text, or a list. */
static int read_tags(struct yaml_walk *w, struct arena *arena, struct buf *out)
{
    bool list = yaml_walk_is_list(w);
    for (;;) {
        if (list && yaml_walk_next(w) < 0)
            return -1;
        if (list && yaml_walk_is_close(w))
            return 0;
        if (yaml_walk_check_plain(w) < 0)
            return -1;
        if (!yaml_walk_is_scalar(w))
            return yaml_walk_fail(w, "tags are a list of columns or paths");
        buf_append_text(out, " tag");
        if (append_word(w, out, keep(arena, yaml_walk_scalar(w))) < 0)
            return -1;
        if (!list)
            return 0;
    }
}

/* A part of a point, behind its key. */
static int read_part(struct yaml_walk *w, struct arena *arena, struct slice key, struct buf parts[])
{
    static const char *const keys[] = {"event_type", "measurement", "tags", "fields", "timestamp"};
    size_t at = 0;
    while (at < sizeof(keys) / sizeof(keys[0]) && !slice_is(key, keys[at]))
        at++;
    if (at == sizeof(keys) / sizeof(keys[0]) || parts[at].len > 0)
        return yaml_walk_fail(w, POINT_SHAPE);
    if (yaml_walk_next(w) < 0 || yaml_walk_check_plain(w) < 0)
        return -1;
    if (yaml_walk_is_null(w))
        return 0;
    if (at == 2)
        return read_tags(w, arena, &parts[at]);
    if (at == 3)
        return read_fields(w, arena, &parts[at]);
    if (!yaml_walk_is_scalar(w))
        return yaml_walk_fail(w, POINT_SHAPE);
    if (at == 4)
        buf_append_text(&parts[at], " timestamp");
    return append_word(w, &parts[at], keep(arena, yaml_walk_scalar(w)));
}

static int read_point(struct yaml_walk *w, struct arena *arena, struct buf *out)
{
    struct buf parts[5] = {0};
    int result = 0;
    while (result == 0) {
        result = yaml_walk_next(w);
        if (result < 0 || yaml_walk_is_close(w))
            break;
        result = yaml_walk_is_scalar(w) ? read_part(w, arena, yaml_walk_scalar(w), parts)
                                        : yaml_walk_fail(w, POINT_SHAPE);
    }
    if (parts[0].len == 0)
        buf_append_text(&parts[0], " *");
    if (parts[1].len == 0)
        buf_append_text(&parts[1], " events");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        buf_append_slice(out, buf_slice(&parts[i]));
        buf_free(&parts[i]);
    }
    buf_consume(out, 1);
    return result;
}

/* What is looked at. */
static int read_entry(struct yaml_walk *w, struct arena *arena, enum config_entries entries,
                      bool mapping, struct buf *out)
{
    if (yaml_walk_check_plain(w) < 0)
        return -1;
    if (entries == CONFIG_POINTS && yaml_walk_is_mapping(w))
        return read_point(w, arena, out);
    if (!yaml_walk_is_scalar(w))
        return yaml_walk_fail(w, mapping ? "a key must be a name"
                                         : "an entry of this list must be a plain value");
    if (mapping)
        return read_column(w, arena, out);
    buf_append_slice(out, yaml_walk_scalar(w));
    return 0;
}

int config_read_list(struct yaml_walk *w, struct arena *arena, enum config_entries entries,
                     struct slice items[static CONFIG_LIST_MAX], size_t *count)
{
    struct buf text = {0};
    bool mapping = yaml_walk_is_mapping(w);
    int result = 0;
    *count = 0;
    while (result == 0) {
        result = yaml_walk_next(w);
        if (result < 0 || yaml_walk_is_close(w))
            break;
        if (*count == CONFIG_LIST_MAX) {
            result = yaml_walk_fail(w, "this list is too long");
            break;
        }
        buf_reset(&text);
        result = read_entry(w, arena, entries, mapping, &text);
        const char *copy = keep(arena, buf_slice(&text));
        items[(*count)++] = (struct slice){(const uint8_t *)copy, text.len};
    }
    buf_free(&text);
    return result;
}
