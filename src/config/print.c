/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "config/assign.h"
#include "config/keys.h"

/* One text as a YAML scalar, quoted unless it is plainly harmless. */
static void append_scalar(struct buf *out, struct slice text)
{
    bool plain = text.len > 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        plain = plain && (letter || c == '.' || c == '/' || (i > 0 && strchr(":_-", c) != NULL));
    }
    if (plain) {
        buf_append_slice(out, text);
        return;
    }
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, text.data[i]);
    }
    buf_append_byte(out, '"');
}

static void append_default(struct buf *out, const struct config_key *key)
{
    struct slice text = slice_of(key->initial);
    if (key->type != CONFIG_LIST) {
        append_scalar(out, text);
        return;
    }
    buf_append_byte(out, '[');
    for (const char *at = key->initial; at != NULL;) {
        text.data = (const uint8_t *)at;
        text.len = strcspn(at, ",");
        append_scalar(out, text);
        at = at[text.len] == ',' ? at + text.len + 1 : NULL;
        buf_append_text(out, at != NULL ? ", " : "]");
    }
}

static void indent(struct buf *out, size_t levels)
{
    for (size_t i = 0; i < levels; i++)
        buf_append_text(out, "  ");
}

/* The help in lines of at most 98 columns, "# " or spaces in front of each. */
static void append_wrapped(struct buf *out, const char *text, size_t level, const char *mark)
{
    const size_t width = 98 - 2 * level - 2; /* with room for what comments it out */
    while (*text != '\0') {
        size_t len = strlen(text);
        if (len > width) {
            len = width;
            while (text[len] != ' ')
                len--;
        }
        indent(out, level);
        buf_printf(out, "%s%.*s\n", mark, (int)len, text);
        text += len;
        text += *text == ' ';
    }
}

/* Open the sections of `path` that were not open for the key before. Returns their number. */
static size_t open_sections(struct buf *out, const char *path, const char *before)
{
    size_t level = 0;
    const char *dot;
    for (const char *at = path; (dot = strchr(at, '.')) != NULL; at = dot + 1) {
        size_t len = (size_t)(dot - path);
        if (strncmp(path, before, len + 1) != 0) {
            if (level == 0)
                buf_append_byte(out, '\n');
            indent(out, level);
            size_t name_len = strcspn(at, ".[");
            buf_printf(out, "%.*s:\n", (int)name_len, at);
            if (at[name_len] == '[') {
                indent(out, level + 1);
                buf_append_text(out, "-\n");
            }
        }
        /* The keys of a list's entry stand two levels deeper than the list. */
        level += dot[-1] == ']' ? 2 : 1;
    }
    if (level == 0)
        buf_append_byte(out, '\n');
    return level;
}

/* What has no entry unless one is written stands there as a comment. */
static void append_commented(struct buf *out, const struct buf *lines)
{
    struct slice rest = buf_slice(lines);
    for (size_t at = 0; at < rest.len;) {
        size_t len = strcspn((const char *)rest.data + at, "\n") + 1; /* lines end with one */
        if (len > 1)
            buf_append_text(out, "# ");
        buf_append(out, rest.data + at, len);
        at += len;
    }
}

void config_append_example(struct buf *out)
{
    struct buf lines = {0};
    buf_append_text(out, "# Configuration of varve: every key, with its default.\n");
    const char *before = "";
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const char *dot = strrchr(key->path, '.');
        const struct config_section *section = config_key_list(key);
        buf_reset(&lines);
        size_t level = open_sections(&lines, key->path, before);
        append_wrapped(&lines, key->help, level, "# ");
        indent(&lines, level);
        buf_printf(&lines, "%s: ", dot == NULL ? key->path : dot + 1);
        append_default(&lines, key);
        buf_append_byte(&lines, '\n');
        if (section == NULL || section->filled)
            buf_append_slice(out, buf_slice(&lines));
        else
            append_commented(out, &lines);
        before = key->path;
    }
    buf_free(&lines);
}

void config_append_manual(struct buf *out)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        buf_printf(out, ".TP\n.B %s\n", key->path);
        buf_append_text(out, key->help);
        if (key->initial[0] != '\0')
            buf_printf(out, " Default: %s.", key->initial);
        buf_append_text(out,
                        key->change == CONFIG_CHANGE_RESTART ? "\n" : " Read again on SIGHUP.\n");
    }
}

/* A range as one writes it. */
static void append_range(struct buf *out, const struct config_key *key)
{
    char min[NUM_SIZE_TEXT_MAX], max[NUM_SIZE_TEXT_MAX];
    switch (key->type) {
    case CONFIG_SIZE:
        num_format_size((uint64_t)key->min, min);
        num_format_size((uint64_t)key->max, max);
        buf_printf(out, "  %s%s to %s\n", key->off ? "off, or " : "", min, max);
        break;
    case CONFIG_DURATION:
        num_format_duration(key->min, min);
        num_format_duration(key->max, max);
        buf_printf(out, "  %s%s to %s\n", key->off ? "off, or " : "", min, max);
        break;
    case CONFIG_INTEGER:
    case CONFIG_COUNT:
        buf_printf(out, "  %" PRId64 " to %" PRId64 "\n", key->min, key->max);
        break;
    case CONFIG_CHOICE:
        for (size_t i = 0; key->choices[i] != NULL; i++)
            buf_printf(out, "%s%s", i == 0 ? "  one of: " : ", ", key->choices[i]);
        buf_append_byte(out, '\n');
        break;
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_SECRET:
    case CONFIG_LIST:
    case CONFIG_BOOL:
    case CONFIG_START:
    case CONFIG_LISTEN:
        break;
    }
}

static const char *change_text(enum config_change change)
{
    switch (change) {
    case CONFIG_CHANGE_RESTART:
        return "a change takes a restart";
    case CONFIG_CHANGE_NOW:
        return "a change takes effect on SIGHUP";
    case CONFIG_CHANGE_IF_IT_FITS:
        return "a change takes effect on SIGHUP, where the consumers that exist can hold it";
    case CONFIG_CHANGE_NEXT_CONNECTION:
        return "a change takes effect on SIGHUP, with the next connection";
    }
    return "";
}

void config_append_help(struct buf *out, const char *path)
{
    struct config_target target = config_target_of(path);
    size_t len = strlen(path);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        bool below =
            strncmp(key->path, path, len) == 0 && (key->path[len] == '.' || key->path[len] == '[');
        if (key != target.key && !below)
            continue;
        if (out->len > 0)
            buf_append_byte(out, '\n');
        buf_printf(out, "%s: ", key->path);
        if (key->initial[0] != '\0')
            append_default(out, key);
        else
            buf_append_text(out, "not set");
        buf_append_byte(out, '\n');
        append_wrapped(out, key->help, 0, "  ");
        append_range(out, key);
        buf_printf(out, "  %s\n", change_text(key->change));
    }
}
