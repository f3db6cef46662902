/* SPDX-License-Identifier: MIT */
#include "object/posix_part.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/time.h"
#include "object/directory.h"

enum { READ_SIZE = 64 * 1024 };

static int read_range(struct posix *p, int fd, const char *name, uint64_t offset, uint64_t len,
                      struct buf *out, struct err *err)
{
    uint64_t done = 0;
    while (done < len) {
        size_t ask = len - done < READ_SIZE ? (size_t)(len - done) : READ_SIZE;
        buf_reserve(out, ask);
        ssize_t got =
            system_pread(&p->system, fd, out->data + out->len, ask, (off_t)(offset + done));
        if (got < 0)
            return err_set_system(err, errno, "can't read %s", name);
        if (got == 0)
            return 0;
        out->len += (size_t)got;
        done += (uint64_t)got;
    }
    return 0;
}

int posix_get(struct object_store *store, const char *name, uint64_t offset, uint64_t len,
              struct buf *out, bool *found, struct err *err)
{
    struct posix *p = posix_of(store);
    if (offset > INT64_MAX)
        return 0;
    if (len > INT64_MAX - offset)
        len = INT64_MAX - offset;
    /* Whatever else may have that name: an open must not wait for it. */
    int fd = system_openat(&p->system, p->root_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        return directory_open_failed("", name, errno, err);
    }
    *found = true;
    int result = read_range(p, fd, name, offset, len, out, err);
    (void)system_close(&p->system, fd); /* only read from */
    return result;
}

int posix_head(struct object_store *store, const char *name, struct object_info *out, bool *found,
               struct err *err)
{
    struct posix *p = posix_of(store);
    struct stat st;
    bool missing;
    int folder = posix_folder(p, name, false, &missing, err);
    if (folder < 0)
        return missing ? 0 : -1;
    int result = system_stat(&p->system, folder, directory_base(name), &st);
    int error = errno;
    posix_folder_forget(p);
    if (result != 0)
        return error == ENOENT ? 0 : err_set_system(err, error, "can't stat %s", name);
    if (!S_ISREG(st.st_mode))
        return 0;
    *found = true;
    *out = (struct object_info){.size = (uint64_t)st.st_size,
                                .modified = time_ns_of(st.st_mtim.tv_sec, st.st_mtim.tv_nsec)};
    return 0;
}

/* A name in a folder. Folders take part in the order with the '/' that is behind them. */
struct found {
    uint64_t key; /* some bytes of it, to sort by */
    size_t at;    /* in the text */
    enum system_kind kind;
};

struct names {
    const char *from; /* names that come before it, and nothing below them, are not wanted */
    struct buf text;  /* the names, each with its NUL */
    ARRAY(struct found) found;
};

static const char *name_of(const struct names *names, const struct found *found)
{
    return (const char *)names->text.data + found->at;
}

/* It comes before `from` and does not begin it. */
static bool is_before(const char *name, const char *from)
{
    while (*name != '\0' && *name == *from) {
        name++;
        from++;
    }
    return *name != '\0' && (uint8_t)*name < (uint8_t)*from;
}

static void note_name(void *context, const char *name, enum system_kind kind)
{
    struct names *names = context;
    if (name[0] == '.' || is_before(name, names->from))
        return;
    *array_add(&names->found) = (struct found){.at = names->text.len, .kind = kind};
    buf_append(&names->text, name, strlen(name) + 1);
}

static uint64_t key_of(const char *name, enum system_kind kind)
{
    uint64_t key = 0;
    unsigned i = 0;
    for (; i < sizeof(key) && name[i] != '\0'; i++)
        key = key << 8 | (uint8_t)name[i];
    unsigned rest = (unsigned)sizeof(key) - i;
    if (rest > 0 && kind == SYSTEM_FOLDER) {
        key = key << 8 | '/';
        rest--;
    }
    return rest > 0 ? key << 4 * rest << 4 * rest : key;
}

static int compare_keys(const void *a, const void *b)
{
    const struct found *x = a;
    const struct found *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* Those of `first` to `end`, which are alike up to `offset`: by a few bytes, then those that are
 * alike in these by more. Half a million names of a log begin with the same zeros; to compare them
 * from their beginnings took a second. */
static void sort_names(struct names *names, size_t first, size_t end, size_t offset)
{
    struct found *list = names->found.list;
    for (size_t i = first; i < end; i++)
        list[i].key = key_of(name_of(names, &list[i]) + offset, list[i].kind);
    qsort(list + first, end - first, sizeof(*list), compare_keys);
    for (size_t i = first, next; i < end; i = next) {
        uint64_t key = list[i].key;
        for (next = i + 1; next < end && list[next].key == key; next++)
            ;
        uint8_t last = key & UINT8_MAX; /* does the name go on? */
        if (next - i > 1 && last != '\0' && last != '/')
            sort_names(names, i, next, offset + sizeof(key));
    }
}

/* Ask what the file system did not say for free. */
static int judge_unknown(struct posix *p, int fd, struct found *found, const char *name,
                         struct err *err)
{
    struct stat st;
    if (found->kind != SYSTEM_UNKNOWN)
        return 0;
    found->kind = SYSTEM_OTHER;
    if (system_stat(&p->system, fd, name, &st) != 0)
        return errno == ENOENT ? 0 : err_set_system(err, errno, "can't stat %s", name);
    if (S_ISDIR(st.st_mode))
        found->kind = SYSTEM_FOLDER;
    else if (S_ISREG(st.st_mode))
        found->kind = SYSTEM_FILE;
    return 0;
}

/* The names in one folder, in order; that there is no such folder is fine. */
static int read_folder(struct posix *p, const char *path, struct names *names, struct err *err)
{
    int fd = system_openat(&p->system, p->root_dir, path, SYSTEM_OPEN_FOLDER, 0);
    int result = 0;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : directory_open_failed("the directory ", path, errno, err);
    if (system_list(&p->system, fd, note_name, names) != 0)
        result = err_set_system(err, errno, "can't list the directory %s", path);
    for (size_t i = 0; i < names->found.count && result == 0; i++) {
        struct found *found = &names->found.list[i];
        result = judge_unknown(p, fd, found, name_of(names, found), err);
    }
    (void)system_close(&p->system, fd); /* only read from */
    if (result == 0 && names->found.count > 1)
        sort_names(names, 0, names->found.count, 0);
    return result;
}

/* A folder that is being listed. Whoever may write in the directory may nest so many that calls in
 * one another would be too much for the stack of a thread. */
struct level {
    struct names names;
    size_t next; /* of these */
    size_t len;  /* of the path to it */
};

struct listing {
    struct posix *p;
    const char *after;
    object_visit *visit;
    void *context;
    struct buf path; /* where we are: "" or ending with '/' */
    ARRAY(struct level) levels;
    bool stopped;
};

static int enter_folder(struct listing *l, struct err *err)
{
    bool inside = strncmp(l->after, buf_text(&l->path), l->path.len) == 0;
    struct level level = {.names.from = inside ? l->after + l->path.len : "", .len = l->path.len};
    struct buf path = {0};
    buf_append_slice(&path, buf_slice(&l->path));
    if (path.len > 0)
        path.len--;
    else
        buf_append_byte(&path, '.');
    int result = read_folder(l->p, buf_text(&path), &level.names, err);
    *array_add(&l->levels) = level;
    buf_free(&path);
    return result;
}

static void leave_folder(struct listing *l)
{
    struct level *level = &l->levels.list[--l->levels.count];
    buf_free(&level->names.text);
    array_free(&level->names.found);
}

static int list_found(struct listing *l, const char *name, enum system_kind kind, struct err *err)
{
    bool folder = kind == SYSTEM_FOLDER;
    if (l->path.len + strlen(name) >= OBJECT_NAME_MAX)
        return 0; /* can't be one of ours */
    buf_append_text(&l->path, name);
    if (folder)
        buf_append_byte(&l->path, '/');
    const char *whole = buf_text(&l->path);
    bool inside = folder && strncmp(l->after, whole, l->path.len) == 0;
    if (folder && (inside || strcmp(whole, l->after) > 0))
        return enter_folder(l, err);
    if (kind == SYSTEM_FILE && strcmp(whole, l->after) > 0)
        l->stopped = !l->visit(l->context, buf_slice(&l->path));
    return 0;
}

int posix_list(struct object_store *store, const char *folder, const char *after,
               object_visit *visit, void *context, struct err *err)
{
    struct listing l = {.p = posix_of(store), .after = after, .visit = visit, .context = context};
    buf_append_text(&l.path, folder);
    int result = enter_folder(&l, err);
    while (l.levels.count > 0) {
        struct level *level = &l.levels.list[l.levels.count - 1];
        if (result != 0 || l.stopped || level->next == level->names.found.count) {
            leave_folder(&l);
            continue;
        }
        const struct found *found = &level->names.found.list[level->next++];
        l.path.len = level->len;
        result = list_found(&l, name_of(&level->names, found), found->kind, err);
    }
    array_free(&l.levels);
    buf_free(&l.path);
    return result;
}
