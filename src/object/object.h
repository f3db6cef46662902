/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_OBJECT_H
#define VARVE_OBJECT_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"

/*
 * Names and bytes that last. What is below an output directory, or below a prefix of a bucket, is a
 * flat set of objects; each has a name such as "sim-1/2026-01-02/03/1-9.parquet" and its bytes. An
 * object is there whole or not at all, for every reader and after every crash.
 *
 * Names are relative to the root of the store and have 1 to OBJECT_NAME_MAX bytes: parts of 1 to
 * OBJECT_PART_MAX bytes between slashes, none of them "." or "..", no NUL. Parts that begin with a
 * '.' are kept for what the store itself has there: they are not listed, and can't be put. Any
 * other name is ERR_FORMAT: names come out of logs that others have written.
 *
 * A store belongs to one thread at a time. Errors are ERR_SYSTEM with errno where a disk is behind
 * it; the object is named in the text.
 *
 * object/open.h opens a directory or a bucket; tests open one that has its disk in memory
 * (object/memory.h).
 */
enum {
    OBJECT_NAME_MAX = 3072, /* PATH_MAX is 4096, with the root in front */
    OBJECT_PART_MAX = 255,  /* NAME_MAX of every Linux file system */
    OBJECT_ID_MAX = 48,     /* of a staged object, with its NUL */
    /* The text of an interrupted commit; ten thousand members make about 10 MB. */
    OBJECT_TEXT_MAX = 256 * 1024 * 1024,
};

struct object_store;

/* Give the memory and, for a writer, the lock back. What is staged and not committed stays for
 * object_clean of the next run to remove, a commit under way for object_resume. Accepts NULL. */
void object_store_close(struct object_store *store);

/* Whether `name` may be one of an object, as said above. */
bool object_name_is_valid(struct slice name);

/* Append `name` with "-<number>" in front of its ending: what an object is called when its name is
 * taken. */
void object_name_numbered(struct buf *out, struct slice name, uint32_t number);

struct object_info {
    uint64_t size;    /* bytes */
    int64_t modified; /* ns since 1970 UTC */
    /* Of its bytes, as the store has checked and kept it when they came; "": it can't say. */
    char sha256[SHA256_TEXT_MAX];
};

/* Put an object, in place of what has that name. When this returns 0 it is durable. */
int object_put(struct object_store *store, const char *name, struct slice content, struct err *err)
    __attribute__((warn_unused_result));

/* The same, but never in place of another one: *taken says that there is one already, and nothing
 * was done. */
int object_put_if_absent(struct object_store *store, const char *name, struct slice content,
                         bool *taken, struct err *err) __attribute__((warn_unused_result));

/* Append up to `len` bytes from `offset` on; fewer where the object ends. *found: it is there. */
int object_get(struct object_store *store, const char *name, uint64_t offset, uint64_t len,
               struct buf *out, bool *found, struct err *err) __attribute__((warn_unused_result));

/* Append all of an object. ERR_LIMIT if it is larger than `limit` bytes. */
int object_get_all(struct object_store *store, const char *name, uint64_t limit, struct buf *out,
                   bool *found, struct err *err) __attribute__((warn_unused_result));

/* The SHA-256 of an object's bytes as text: read in pieces, in the memory of one. */
int object_hash(struct object_store *store, const char *name, char out[static SHA256_TEXT_MAX],
                bool *found, struct err *err) __attribute__((warn_unused_result));

int object_head(struct object_store *store, const char *name, struct object_info *out, bool *found,
                struct err *err) __attribute__((warn_unused_result));

/* False: no more, please. `name` is valid during the call, in which the store must not be used. */
typedef bool object_visit(void *context, struct slice name);

/*
 * Visit the names of all objects below `folder`, "" or ending with '/', that come behind `after`,
 * in byte order. `after` is a whole name, or "" for all; it need not exist. Objects that come or go
 * meanwhile may or may not be seen.
 */
int object_list(struct object_store *store, const char *folder, const char *after,
                object_visit *visit, void *context, struct err *err)
    __attribute__((warn_unused_result));

/* Remove an object; that it is not there is fine. It may be back after a power cut: whoever removes
 * must be ready to do it again. */
int object_remove(struct object_store *store, const char *name, struct err *err)
    __attribute__((warn_unused_result));

/* The object with this name was removed, and perhaps others beside it: where a store has folders,
 * remove the one in which it lay, and those around that, if they are empty now. What was removed
 * there stays so. */
int object_tidy(struct object_store *store, const char *name, struct err *err)
    __attribute__((warn_unused_result));

/* Bytes that can still be written; *known is false where nobody can say. */
int object_free_bytes(struct object_store *store, uint64_t *bytes, bool *known, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Several objects and one entry, which names them, become visible at once: a reader who goes by the
 * entries sees all or nothing, and so does everybody after a crash, once object_resume was called.
 *
 *     object_stage -> object_write ... -> object_finish -> object_commit -> object_staged_free
 *                         \__________________________ object_abandon
 */
struct object_staged; /* an object that has no name yet. Owned by whoever staged it */

/* NULL on an error. */
struct object_staged *object_stage(struct object_store *store, struct err *err)
    __attribute__((warn_unused_result));

/* What it is going to be called, by object_swap or object_place and in no other way: a store in
 * which nothing can be without a name may bring it there in parts, so that it need not be in memory
 * until then. To be called before the first write. */
void object_expect(struct object_staged *staged, const char *name);

/*
 * Append `len` bytes, all or (as far as anyone can see) none: after an error the same call may be
 * made again, when there is room again, and the object goes on as if nothing had happened.
 */
int object_write(struct object_staged *staged, const void *data, size_t len, struct err *err)
    __attribute__((warn_unused_result));

/* The same for `count` pieces, one behind the other; and the caller keeps the bytes where they are,
 * as they are, until the object is committed, placed or abandoned: a store that keeps in memory
 * what has no name needs no copy. */
int object_lend(struct object_staged *staged, const struct slice *pieces, size_t count,
                struct err *err) __attribute__((warn_unused_result));

/* Whether objects are at the other end of a connection: a get of little costs as much as one of a
 * megabyte then, and what is lent in more than one piece is copied. */
bool object_is_remote(const struct object_store *store);

/*
 * Their content is complete: make it durable. The more at once, the cheaper. A failure is final for
 * those that are not finished then: what could not be written may have been thrown away, and a
 * second attempt would succeed without it. They must be abandoned and staged anew. Those that are
 * finished already are skipped.
 */
int object_finish(struct object_store *store, struct object_staged *const *staged, size_t count,
                  struct err *err) __attribute__((warn_unused_result));

bool object_is_finished(const struct object_staged *staged);

/* Bytes written so far. */
uint64_t object_staged_size(const struct object_staged *staged);

/* What the object is called until it has a name: of [0-9a-f-], unique in this store, valid as long
 * as the struct. It is what an interrupted commit knows its objects by, so it must be in the text
 * of the entry. */
const char *object_staged_id(const struct object_staged *staged);

/* Remove it, in whatever state it is, and free the struct. Accepts NULL. Not for members of a
 * commit under way, unless object_reopen has forgotten that. */
void object_abandon(struct object_staged *staged);

/* Free the struct of an object that was committed. Accepts NULL. If it is finished, any thread may
 * do this. */
void object_staged_free(struct object_staged *staged);

/* Give a finished object its name, in place of what has that name, for what is too large for
 * object_put. When this returns 0 it is durable; free the struct with object_staged_free. After an
 * error it may be tried again, or abandoned. */
int object_place(struct object_staged *staged, const char *name, struct err *err)
    __attribute__((warn_unused_result));

struct object_member {
    const char *id;     /* of a finished object */
    const char *name;   /* wanted: where there is another object, a number is put behind it */
    uint64_t size;      /* of the object; 0: not known, */
    const char *sha256; /* and the hash of its bytes as 64 digits; NULL: not known */
};

/*
 * What is to be committed; all is borrowed until it is done. The functions are called in
 * object_commit and object_resume only, may use the store to read, and may fail: then the attempt
 * fails as well, and the next one calls them again.
 */
struct object_group {
    const struct object_member *members; /* two may want the same name */
    size_t count;                        /* may be 0 */

    /* Append the text of the entry. `names` are those which the members are going to have. Called
     * again when one of them was taken. */
    int (*text)(void *context, const char *const *names, struct buf *out, struct err *err);

    /* Append the name under which the entry is to be put next, in the folder of entries. `taken`:
     * the last name that was given turned out to be another writer's. */
    int (*name)(void *context, bool taken, struct buf *out, struct err *err);

    void *context;
};

/*
 * Commit a group. Returns 0 once the entry is durable under its name; nothing may be built on it
 * before. -1 means that it is not known to be committed: call again, with the same group, as soon
 * as the disk may work again, until it returns 0. It goes on with the step that failed; no other
 * group can be committed before. If the process ends instead, object_interrupted finds it.
 */
int object_commit(struct object_store *store, const struct object_group *group, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Look for a commit that a crash has interrupted: *found, and its text, appended, as it was when
 * the crash came. A commit whose text did not become durable is no commit: all that it had staged
 * is left to object_clean. One whose entry has its name already is finished here.
 */
int object_interrupted(struct object_store *store, struct buf *text, bool *found, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Bring it to its end. The members of `group` are what the text says. *committed: it went forward
 * and is committed now, as after object_commit; false: it can't, since what was staged went with
 * the process; it has to be taken back. May be called again after an error, with the same group.
 */
int object_resume(struct object_store *store, const struct object_group *group, bool *committed,
                  struct err *err) __attribute__((warn_unused_result));

/*
 * Take it back instead, also after object_resume has failed: `names` are those of its members that
 * have them, and go; the others are left to object_clean. When this returns 0 that lasts. `instead`
 * has no members, and is an entry that changes nothing: where no lock keeps the process that was
 * interrupted from going on, it is put first, in the way of the other one.
 */
int object_withdraw(struct object_store *store, const char *const *names, size_t count,
                    const struct object_group *instead, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Where no lock keeps a process that was interrupted from going on, it may put what was taken back
 * when that is done: nobody names it. So the names are noted, for a day and until the next start
 * behind it: this writer gives them to nothing else, in this process and those to come, and whoever
 * starts later looks whether something of his is there that no entry names, and removes it.
 * object_renounce comes before the commit is taken back; a store with locks notes nothing.
 */
int object_renounce(struct object_store *store, const char *const *names, size_t count,
                    struct err *err) __attribute__((warn_unused_result));

/* Visit them; to be called after object_interrupted or object_settle, and before object_stage. */
int object_renounced(struct object_store *store, object_visit *visit, void *context,
                     struct err *err) __attribute__((warn_unused_result));

/*
 * Other objects in the place of some in one folder, and one entry that says so, all or nothing: for
 * a reader who goes by the entries, and, but for `keep`, also for one who goes by the names: he
 * never sees an old object and a new one. What else is in the folder stays, and what others commit
 * to it meanwhile.
 */
struct object_swap {
    const char *folder;     /* such as "sim-1/2026-01-02/"; without line breaks */
    const char *const *old; /* names in it that go */
    size_t old_count;       /* at least 1 */
    bool keep;              /* leave the old objects there, for readers of old entries */

    /* What comes: finished objects and their names in the folder, which no object may have or have
     * had: they are not numbered. At least one. `name` is called first, when nobody moves anything
     * into the folder any more, and may refuse: nothing is done then. */
    struct object_group group;
};

/*
 * Returns 0 when the swap is durable. -1: it was taken back, or will be by the next object_settle,
 * or has happened nevertheless: the entries say it, when that has returned 0. ERR_UNSUPPORTED where
 * it is possible with `keep` only; ERR_REFUSED if something in the folder is no object. Abandon the
 * members after an error, free them else.
 */
int object_swap(struct object_store *store, const struct object_swap *swap, struct err *err)
    __attribute__((warn_unused_result));

/* Bring a swap of this writer that was interrupted to its end, or take it back: as the entries have
 * it; where there are no locks, what was to come is renounced then, and not removed. To be called
 * before object_clean. `instead`: see object_withdraw. ERR_REFUSED: another
 * process may be at it. */
int object_settle(struct object_store *store, const struct object_group *instead, struct err *err)
    __attribute__((warn_unused_result));

/* Remove what this writer has staged in earlier runs and did not commit: how many objects. To be
 * called after object_resume and before object_stage. */
int object_clean(struct object_store *store, uint32_t *removed, struct err *err)
    __attribute__((warn_unused_result));

/*
 * After a failure: if somebody has removed the place itself, make it again. *lost says that the
 * commit under way is forgotten and that all that is staged must be abandoned. ERR_REFUSED: what
 * another process has left is in the way, and will be until the store is opened again.
 */
int object_reopen(struct object_store *store, bool *lost, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Each function does what the one above says whose name it has. Names are checked before.
 */
struct object_operations {
    void (*close)(struct object_store *store);
    int (*put)(struct object_store *store, const char *name, struct slice content, bool replace,
               bool *taken, struct err *err);
    int (*get)(struct object_store *store, const char *name, uint64_t offset, uint64_t len,
               struct buf *out, bool *found, struct err *err);
    int (*head)(struct object_store *store, const char *name, struct object_info *out, bool *found,
                struct err *err);
    int (*list)(struct object_store *store, const char *folder, const char *after,
                object_visit *visit, void *context, struct err *err);
    int (*remove)(struct object_store *store, const char *name, struct err *err);
    int (*tidy)(struct object_store *store, const char *name, struct err *err);
    int (*free_bytes)(struct object_store *store, uint64_t *bytes, bool *known, struct err *err);
    struct object_staged *(*stage)(struct object_store *store, struct err *err);
    void (*expect)(struct object_staged *staged, const char *name); /* NULL: it is all one */
    int (*write)(struct object_staged *staged, const void *data, size_t len, struct err *err);
    int (*lend)(struct object_staged *staged, const struct slice *pieces, size_t count,
                struct err *err);
    bool remote; /* see object_is_remote */
    int (*finish)(struct object_store *store, struct object_staged *const *staged, size_t count,
                  struct err *err);
    void (*abandon)(struct object_staged *staged);
    void (*staged_free)(struct object_staged *staged);
    int (*place)(struct object_staged *staged, const char *name, struct err *err);
    int (*commit)(struct object_store *store, const struct object_group *group, struct err *err);
    int (*interrupted)(struct object_store *store, struct buf *text, bool *found, struct err *err);
    int (*resume)(struct object_store *store, const struct object_group *group, bool *committed,
                  struct err *err);
    int (*withdraw)(struct object_store *store, const char *const *names, size_t count,
                    const struct object_group *instead, struct err *err);
    int (*renounce)(struct object_store *store, const char *const *names, size_t count,
                    struct err *err); /* NULL: there are locks */
    int (*renounced)(struct object_store *store, object_visit *visit, void *context,
                     struct err *err); /* NULL: the same */
    int (*swap)(struct object_store *store, const struct object_swap *swap, struct err *err);
    int (*settle)(struct object_store *store, const struct object_group *instead, struct err *err);
    int (*clean)(struct object_store *store, uint32_t *removed, struct err *err);
    int (*reopen)(struct object_store *store, bool *lost, struct err *err);
};

/* The first member of what an implementation has of a store, and of a staged object. */
struct object_store {
    const struct object_operations *operations;
};

struct object_staged {
    struct object_store *store;
    uint64_t size;
    bool finished;
    char id[OBJECT_ID_MAX];
};

#endif
