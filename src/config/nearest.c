/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

/* Single-character edits that turn one text into the other (Levenshtein). Both are shorter than
 * CONFIG_PATH_MAX. */
static size_t edits(const char *a, const char *b)
{
    size_t row[CONFIG_PATH_MAX + 1];
    size_t len = strlen(b);
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < len; j++) {
            size_t replaced = diagonal + (a[i] != b[j]);
            size_t other = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = replaced < other ? replaced : other;
        }
    }
    return row[len];
}

static const char *last_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot == NULL ? path : dot + 1;
}

/* The first `len` characters of a key's path as one writes them: the section of sources[].stream is
 * sources, and the key has a number in it. */
static void show(const char *key, size_t len, char out[static CONFIG_PATH_MAX])
{
    size_t list = strcspn(key, "[");
    if (len <= list)
        snprintf(out, CONFIG_PATH_MAX, "%.*s", (int)len, key);
    else if (key[len] == '.')
        snprintf(out, CONFIG_PATH_MAX, "%.*s", (int)list, key);
    else
        snprintf(out, CONFIG_PATH_MAX, "%.*s[N]%s", (int)list, key, key + list + 2);
}

bool config_key_nearest(const char *path, char nearest[static CONFIG_PATH_MAX])
{
    if (strlen(path) >= CONFIG_PATH_MAX)
        return false;
    /* A third of the letters may be wrong. */
    size_t best = strlen(path) / 3 + 1;
    bool found = false;
    for (size_t i = 0; i < config_key_count; i++) {
        const char *key = config_keys[i].path;
        /* The key and the sections that it lies in. */
        for (size_t len = 1; len <= strlen(key); len++) {
            if (key[len] != '.' && key[len] != '\0')
                continue;
            char candidate[CONFIG_PATH_MAX];
            show(key, len, candidate);
            /* The right name in the wrong place beats all others. */
            bool same_name = strcmp(last_name(candidate), last_name(path)) == 0;
            size_t distance = same_name ? 0 : edits(path, candidate);
            if (distance < best) {
                best = distance;
                found = true;
                memcpy(nearest, candidate, sizeof(candidate));
            }
        }
    }
    return found;
}
