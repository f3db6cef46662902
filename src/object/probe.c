/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "object/posix_part.h"

/* Two files with different bytes, which are moved to and fro, and one with a long name. */
struct probe {
    const struct system *system;
    int dir;
    char one[OBJECT_PART_MAX + 1], two[OBJECT_PART_MAX + 1], long_name[OBJECT_PART_MAX + 1];
    char upper[OBJECT_PART_MAX + 1], dotted[OBJECT_PART_MAX + 1]; /* of `two` */
    struct buf *doubts;
};

/*
 * What was found out so far. A disk that is full or broken (PROBE_UNKNOWN) tells nothing about the
 * file system; whoever writes to it next will say what is wrong.
 */
enum probed { PROBE_GOOD, PROBE_REFUSED, PROBE_UNKNOWN };

static enum probed refuse(struct err *err, const char *text)
{
    (void)err_set(err, ERR_REFUSED, "this file system can't keep what varve promises: %s", text);
    return PROBE_REFUSED;
}

static void doubt(const struct probe *p, const char *text)
{
    buf_append_text(p->doubts, p->doubts->len > 0 ? "; " : "");
    buf_append_text(p->doubts, text);
}

/* What a file system says of a thing that it never does. */
static bool is_lacking(int error)
{
    return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM ||
           error == ENOTTY;
}

static enum probed make_file(const struct probe *p, const char *name, const char *content,
                             struct err *err)
{
    enum probed result = PROBE_UNKNOWN;
    size_t len = strlen(content);
    int fd = system_openat(p->system, p->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (fd < 0)
        return PROBE_UNKNOWN;
    if (system_pwrite(p->system, fd, content, len, 0) == (ssize_t)len) {
        if (system_fdatasync(p->system, fd) == 0)
            result = PROBE_GOOD;
        else if (is_lacking(errno))
            result = refuse(err, "it can't make the bytes of a file durable (fdatasync)");
    }
    if (system_close(p->system, fd) != 0 && result == PROBE_GOOD)
        result = PROBE_UNKNOWN;
    return result;
}

/* Whether `name` still has these bytes. */
static bool has_content(const struct probe *p, const char *name, const char *content)
{
    char got[8];
    size_t len = strlen(content);
    int fd = system_openat(p->system, p->dir, name, O_RDONLY | O_NOFOLLOW, 0);
    ssize_t n = fd < 0 ? -1 : system_pread(p->system, fd, got, sizeof(got), 0);
    if (fd >= 0)
        (void)system_close(p->system, fd); /* only read from */
    return n == (ssize_t)len && memcmp(got, content, len) == 0;
}

/* A name that is taken must stay what it is. */
static enum probed probe_taken(const struct probe *p, struct err *err)
{
    bool linked;
    int result = system_rename_noreplace(p->system, p->dir, p->one, p->dir, p->two, &linked);
    int error = result == 0 ? 0 : errno;
    if (result == 0 || (error == EEXIST && !has_content(p, p->two, "two")))
        return refuse(err, "it puts a file in the place of another one though it was asked not to, "
                           "so that two writers would lose rows");
    if (error == EEXIST)
        return PROBE_GOOD;
    if (!is_lacking(error))
        return PROBE_UNKNOWN;
    return refuse(err, "it can neither rename a file without replacing another one nor give it a "
                       "second name (link)");
}

/* And one that is free must be taken by the very file. */
static enum probed probe_free(const struct probe *p, struct err *err)
{
    struct stat before, old, new;
    bool linked;
    if (system_unlink(p->system, p->dir, p->two) != 0 ||
        system_stat(p->system, p->dir, p->one, &before) != 0)
        return PROBE_UNKNOWN;
    if (system_rename_noreplace(p->system, p->dir, p->one, p->dir, p->two, &linked) != 0) {
        if (!is_lacking(errno))
            return PROBE_UNKNOWN;
        return refuse(err, "it can neither rename a file without replacing another one nor give "
                           "it a second name (link)");
    }
    if (system_stat(p->system, p->dir, p->two, &new) != 0 || !has_content(p, p->two, "one"))
        return refuse(err, "a file that was given a name is not found under it");
    bool both = system_stat(p->system, p->dir, p->one, &old) == 0;
    if (both != linked)
        return refuse(err, "a file that was renamed is still there under its old name, too");
    /* It is how a commit that was interrupted between two names knows its own files. */
    if (linked && (old.st_ino != new.st_ino || old.st_dev != new.st_dev))
        return refuse(err, "two names of one file (link) have different inode numbers");
    return PROBE_GOOD;
}

static enum probed probe_folder(const struct probe *p, struct err *err)
{
    if (system_fsync(p->system, p->dir) == 0)
        return PROBE_GOOD;
    if (!is_lacking(errno))
        return PROBE_UNKNOWN;
    return refuse(err, "it can't make the names in a folder durable (fsync)");
}

static void probe_lock(const struct probe *p)
{
    int first = system_openat(p->system, p->dir, p->two, O_RDWR | O_NOFOLLOW, 0);
    int second = system_openat(p->system, p->dir, p->two, O_RDWR | O_NOFOLLOW, 0);
    if (first >= 0 && second >= 0 &&
        (system_lock(p->system, first) != 0 || system_lock(p->system, second) == 0))
        doubt(p, "locks do not hold, so that a second process with the name of this instance "
                 "would not be noticed at its start");
    if (first >= 0)
        (void)system_close(p->system, first); /* only locked */
    if (second >= 0)
        (void)system_close(p->system, second); /* only locked */
}

static void probe_names(const struct probe *p)
{
    struct stat st;
    if (system_stat(p->system, p->dir, p->upper, &st) == 0)
        doubt(p, "it takes capital and small letters for the same, so that simulations whose "
                 "names differ in nothing else share a folder");
    if (system_stat(p->system, p->dir, p->dotted, &st) == 0)
        doubt(p, "it leaves out dots at the end of a name, so that varve verify takes files of "
                 "simulations whose names end so for misplaced");
    int fd = system_openat(p->system, p->dir, p->long_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
                           0644);
    if (fd >= 0)
        (void)system_close(p->system, fd); /* nothing was written */
    else if (errno == ENAMETOOLONG || errno == EINVAL)
        doubt(p, "it has no file names of 255 bytes, so that a simulation with a long name would "
                 "hold all commits up");
}

static void remove_files(const struct probe *p)
{
    (void)system_unlink(p->system, p->dir, p->one); /* what stays is tiny, and no object */
    (void)system_unlink(p->system, p->dir, p->two);
    (void)system_unlink(p->system, p->dir, p->long_name);
}

/* For compaction, which puts a new folder in the place of an old one. */
static void probe_exchange(const struct probe *p)
{
    struct err ignored = {0};
    remove_files(p);
    if (make_file(p, p->one, "one", &ignored) != PROBE_GOOD ||
        make_file(p, p->two, "two", &ignored) != PROBE_GOOD)
        return;
    bool lacks = system_exchange(p->system, p->dir, p->one, p->dir, p->two) != 0
                     ? is_lacking(errno)
                     : !has_content(p, p->one, "two") || !has_content(p, p->two, "one");
    if (lacks)
        doubt(p, "it can't exchange two names, so that small files are merged "
                 "only with compaction.keep_replaced");
}

static void init_names(struct probe *p, const char *prefix)
{
    const size_t ending = strlen(POSIX_STAGED_ENDING);
    (void)snprintf(p->one, sizeof(p->one), "%sone" POSIX_STAGED_ENDING, prefix);
    (void)snprintf(p->two, sizeof(p->two), "%stwo" POSIX_STAGED_ENDING, prefix);
    (void)snprintf(p->upper, sizeof(p->upper), "%sTWO" POSIX_STAGED_ENDING, prefix);
    (void)snprintf(p->dotted, sizeof(p->dotted), "%stwo" POSIX_STAGED_ENDING ".", prefix);
    /* With what a partition's name may have beside letters. */
    int len = snprintf(p->long_name, sizeof(p->long_name), "%s%%3A=-_~", prefix);
    memset(p->long_name + len, 'n', OBJECT_PART_MAX - (size_t)len - ending);
    memcpy(p->long_name + OBJECT_PART_MAX - ending, POSIX_STAGED_ENDING, ending + 1);
}

int posix_probe(const struct system *system, int dir, const char *prefix, struct buf *doubts,
                struct err *err)
{
    struct probe p = {.system = system, .dir = dir, .doubts = doubts};
    init_names(&p, prefix);
    remove_files(&p);
    enum probed probed = make_file(&p, p.one, "one", err);
    if (probed == PROBE_GOOD)
        probed = make_file(&p, p.two, "two", err);
    if (probed == PROBE_GOOD)
        probed = probe_taken(&p, err);
    if (probed == PROBE_GOOD)
        probed = probe_free(&p, err);
    if (probed == PROBE_GOOD)
        probed = probe_folder(&p, err);
    if (probed == PROBE_GOOD) {
        probe_lock(&p);
        probe_names(&p);
        probe_exchange(&p);
    }
    remove_files(&p);
    return probed == PROBE_REFUSED ? -1 : 0;
}

int object_posix_probe(const char *folder, struct buf *doubts, struct err *err)
{
    static const struct system plain;
    char prefix[OBJECT_POSIX_OWNER_MAX + 16];
    int dir = system_openat(&plain, SYSTEM_WORKING_DIR, folder, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0)
        return err_set_system(err, errno, "can't open the directory %s", folder);
    (void)snprintf(prefix, sizeof(prefix), ".varve-probe-%ld-", (long)getpid());
    int result = posix_probe(&plain, dir, prefix, doubts, err);
    (void)system_close(&plain, dir); /* nothing was written through it */
    return result;
}
