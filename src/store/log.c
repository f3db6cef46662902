/* SPDX-License-Identifier: MIT */
#include "store/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "delta/entry.h"

enum {
    DIGITS = 20,
    READ_SIZE = 16 * 1024, /* holds most first lines whole */
};

void store_log_name(char out[static STORE_LOG_NAME_MAX], uint64_t version)
{
    (void)snprintf(out, STORE_LOG_NAME_MAX, "%020" PRIu64 ".json", version); /* 25 characters */
}

/* ---- which entries there are ---- */

static void note_version(void *context, const char *name)
{
    struct store_versions *versions = context;
    uint64_t version;
    struct slice digits = {(const uint8_t *)name, DIGITS};
    if (strlen(name) != DIGITS + 5 || strcmp(name + DIGITS, ".json") != 0 ||
        !num_parse_u64(digits, &version))
        return;
    *array_add(versions) = version;
}

static int compare_versions(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

int store_log_list(const struct store_system *system, int dir, struct store_versions *out,
                   struct err *err)
{
    *out = (struct store_versions){0};
    if (store_system_list(system, dir, note_version, out) < 0) {
        (void)err_set_system(err, errno, "can't list _delta_log");
        store_versions_free(out);
        return -1;
    }
    if (out->count > 0)
        qsort(out->list, out->count, sizeof(*out->list), compare_versions);
    return 0;
}

void store_versions_free(struct store_versions *versions)
{
    free(versions->list);
    *versions = (struct store_versions){0};
}

/* ---- reading ---- */

int store_log_read(const struct store_system *system, int dir, const char *name, bool line,
                   struct buf *out, struct err *err)
{
    size_t start = out->len;
    int fd = store_system_openat(system, dir, name, O_RDONLY, 0);
    if (fd < 0)
        return err_set_system(err, errno, "can't open _delta_log/%s", name);
    ssize_t got;
    do {
        buf_reserve(out, READ_SIZE);
        size_t len = out->len - start;
        got = store_system_pread(system, fd, out->data + out->len, READ_SIZE, (off_t)len);
        if (got < 0) {
            (void)err_set_system(err, errno, "can't read _delta_log/%s", name);
            break;
        }
        const uint8_t *end =
            line && got > 0 ? memchr(out->data + out->len, '\n', (size_t)got) : NULL;
        if (end != NULL) {
            out->len = (size_t)(end - out->data);
            got = 0;
            break;
        }
        out->len += (size_t)got;
        if (out->len - start > STORE_ENTRY_MAX) {
            (void)err_set(err, ERR_LIMIT, "_delta_log/%s is larger than %d bytes", name,
                          STORE_ENTRY_MAX);
            got = -1;
        }
    } while (got > 0);
    (void)close(fd); /* only read from */
    return got < 0 ? -1 : 0;
}

int store_log_positions(const struct store_system *system, int dir,
                        const struct store_versions *versions, const char *instance,
                        struct positions *out, bool *found, uint64_t *read, struct err *err)
{
    struct buf line = {0};
    int result = 0;
    *found = false;
    *read = 0;
    *out = (struct positions){0};
    for (size_t i = versions->count; i > 0 && !*found && result == 0; i--) {
        char name[STORE_LOG_NAME_MAX];
        store_log_name(name, versions->list[i - 1]);
        buf_reset(&line);
        result = store_log_read(system, dir, name, true, &line, err);
        if (result == 0) {
            ++*read;
            result = store_entry_positions(out, found, buf_slice(&line), instance, err);
            (void)err_prefix(err, "_delta_log/%s", name); /* does nothing without an error */
        }
    }
    buf_free(&line);
    return result;
}

int store_log_find_inode(const struct store_system *system, int dir,
                         const struct store_versions *versions, ino_t inode, bool *found,
                         struct err *err)
{
    *found = false;
    for (size_t i = versions->count; i > 0 && !*found; i--) {
        char name[STORE_LOG_NAME_MAX];
        struct stat entry;
        store_log_name(name, versions->list[i - 1]);
        if (store_system_stat(system, dir, name, &entry) < 0)
            return err_set_system(err, errno, "can't stat _delta_log/%s", name);
        *found = entry.st_ino == inode;
    }
    return 0;
}

/* ---- writing ---- */

static int write_all(const struct store_system *system, int fd, struct slice content)
{
    size_t done = 0;
    while (done < content.len) {
        ssize_t put =
            store_system_pwrite(system, fd, content.data + done, content.len - done, (off_t)done);
        if (put <= 0) {
            errno = put < 0 ? errno : EIO;
            return -1;
        }
        done += (size_t)put;
    }
    return store_system_fdatasync(system, fd);
}

int store_log_write(const struct store_system *system, int dir, const char *name,
                    struct slice content, struct err *err)
{
    /* Always a new file: one whose fsync has failed can't be trusted any more. */
    if (store_system_unlink(system, dir, name) < 0 && errno != ENOENT)
        return err_set_system(err, errno, "can't remove the old _delta_log/%s", name);
    int fd = store_system_openat(system, dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return err_set_system(err, errno, "can't make _delta_log/%s", name);
    int result = write_all(system, fd, content);
    int error = errno;
    if (close(fd) < 0 && result == 0) { /* NFS reports late errors here */
        result = -1;
        error = errno;
    }
    if (result < 0)
        return err_set_system(err, error, "can't write _delta_log/%s", name);
    return 0;
}
