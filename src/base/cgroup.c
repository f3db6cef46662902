/* SPDX-License-Identifier: MIT */
#include "base/cgroup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/num.h"

enum {
    GROUPS_MAX = 8 * 1024, /* of /proc/self/cgroup: a line for each of a dozen hierarchies */
    PATH_LENGTH_MAX = 4096,
};

/* The text of a small file, without the line's end; false if it can't be read or is too long. */
static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, size);
    (void)close(fd);
    if (len <= 0 || (size_t)len == size)
        return false;
    text[len] = '\0';
    if (text[len - 1] == '\n')
        text[len - 1] = '\0';
    return true;
}

/* The limit that stands in one file; "max", and no file, is none. */
static uint64_t limit_in(const char *path)
{
    char text[32];
    uint64_t limit;
    return read_text(path, text, sizeof(text)) && num_parse_u64(slice_of(text), &limit)
               ? limit
               : UINT64_MAX;
}

/*
 * The least limit of the group at `path` and of those above it. A container often sees its group
 * mounted as the root, and a name that belongs to its host: those folders are not there, the root
 * is.
 */
static uint64_t limit_along(const char *mount, char *path, const char *name)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char file[PATH_LENGTH_MAX];
        int len = snprintf(file, sizeof(file), "%s%s/%s", mount, path, name);
        if (len > 0 && (size_t)len < sizeof(file)) {
            uint64_t limit = limit_in(file);
            least = limit < least ? limit : least;
        }
        char *end = strrchr(path, '/');
        if (end == NULL)
            return least;
        *end = '\0';
    }
}

static bool has_controller(const char *list, const char *controller)
{
    size_t len = strlen(controller);
    for (const char *at = list;; at++) {
        if (strncmp(at, controller, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
        at = strchr(at, ',');
        if (at == NULL)
            return false;
    }
}

/* One line is "number:controllers:/path", of version 2 "0::/path". */
static uint64_t limit_of_line(const char *root, char *line)
{
    char mount[PATH_LENGTH_MAX];
    char *controllers = strchr(line, ':');
    char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL || path[1] != '/')
        return UINT64_MAX;
    *path++ = '\0';
    bool unified = controllers[1] == '\0';
    if (!unified && !has_controller(controllers + 1, "memory"))
        return UINT64_MAX;
    int len = snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s", root, unified ? "" : "/memory");
    if (len < 0 || (size_t)len >= sizeof(mount))
        return UINT64_MAX;
    return limit_along(mount, path, unified ? "memory.max" : "memory.limit_in_bytes");
}

uint64_t cgroup_memory_limit(const char *root)
{
    char path[PATH_LENGTH_MAX], groups[GROUPS_MAX];
    uint64_t least = UINT64_MAX;
    int len = snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    if (len < 0 || (size_t)len >= sizeof(path) || !read_text(path, groups, sizeof(groups)))
        return UINT64_MAX;
    char *rest = groups;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        uint64_t limit = limit_of_line(root, line);
        least = limit < least ? limit : least;
    }
    return least;
}
