/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_POSIX_PART_H
#define VARVE_OBJECT_POSIX_PART_H

#include "base/clock.h"
#include "base/map.h"
#include "object/object.h"
#include "object/posix.h"

/* Between the files posix*.c; see posix.h for what is where. */

#define POSIX_STAGED_ENDING ".inprogress"

enum {
    POSIX_STAGED_NAME_MAX = OBJECT_ID_MAX + 16, /* with the ending */
    /* Staged files that stay open between write and finish: a descriptor each. */
    POSIX_OPEN_MAX = 64,
    /*
     * Files, or directories, that are made durable one by one. Each may wait for a journal of its
     * own, 5 to 10 ms on a plain disk; syncfs waits once, but also for what others have written to
     * the file system.
     */
    POSIX_SYNC_EACH_MAX = 128,
    /* What is written at once past the kernel's cache, and the least for which that pays: a copy to
     * the cache costs a page fault's worth of work for each of its pages. */
    POSIX_DIRECT_BYTES = 256 * 1024,
    POSIX_DIRECT_ALIGN = 4096, /* no device has larger blocks */
};

/* A swap takes some fsyncs, and a disk that hangs may take its time for each. */
#define POSIX_HOLD_WAIT (20 * CLOCK_SECOND)

/* No writer has these names: see posix.h. */
#define POSIX_HOLD_PATH ".varve/%lock"
#define POSIX_WAITING_PATH ".varve/%waiting"

/* Where an interrupted commit goes on. */
enum posix_stage {
    POSIX_IDLE,
    POSIX_STAGE_PENDING, /* write .pending */
    POSIX_STAGE_MOVE,    /* give the files their names */
    POSIX_STAGE_ENTRY,   /* make .pending an entry */
    POSIX_STAGE_SYNC,    /* make the entry durable */
};

struct posix_staged {
    struct object_staged object;
    int fd;      /* -1: closed */
    bool broken; /* an error has, or may have, lost some of its content */
};

struct posix {
    struct object_store store;
    struct system system;
    char *root, *entries, *writer, *writer_name;
    int root_dir, own_dir, entries_dir, lock; /* -1: not open */
    int64_t opened;                           /* wall time: makes ids of runs distinct */
    uint64_t next_id;
    struct posix_staged *open[POSIX_OPEN_MAX]; /* staged and not finished, NULL: free */
    uint32_t open_at;                          /* the oldest */
    uint8_t *bounce;   /* POSIX_DIRECT_BYTES of aligned memory; NULL: not needed yet */
    bool never_direct; /* the file system has refused it */

    struct buf folder_path; /* the folder that was used last, "" for none */
    int folder;             /* its descriptor */
    struct map durable;     /* folders that are known to be durable */
    int hold;               /* see posix_hold; -1: not held */

    /* The commit under way: */
    enum posix_stage stage;
    const struct object_group *group;
    size_t count;      /* of its members */
    char **names;      /* those that they get; NULL: not chosen */
    uint32_t *numbers; /* which collisions have given them, 0: the wanted name */
    struct buf text;   /* of its entry */
    struct buf entry;  /* the name of the entry that is tried */
    bool linked;       /* some members, or .pending, have their old names, too */
    bool named;        /* that name was given by the group for this attempt */
    bool names_met; /* a member's name was on disk: others are looked for before they are moved */
    bool reopening; /* object_reopen has begun */
};

static inline struct posix *posix_of(struct object_store *store)
{
    return (struct posix *)store;
}

/*
 * The descriptor of the folder in which `name` lies. Belongs to `p` until the next call, or until
 * posix_folder_forget: it must not be kept for long, as somebody may move the folder. With `make`
 * it is made where it is missing. -1 with err, or, without `make`, *missing.
 */
int posix_folder(struct posix *p, const char *name, bool make, bool *missing, struct err *err)
    __attribute__((warn_unused_result));

void posix_folder_forget(struct posix *p);

/* ERR_SYSTEM unless the directory that we have open is still what its path leads to. */
int posix_check_root(const struct posix *p, struct err *err) __attribute__((warn_unused_result));

/* Whether a directory that is open was removed. */
bool posix_is_removed(const struct posix *p, int dir);

void posix_staged_name(char out[static POSIX_STAGED_NAME_MAX], const char *id);
struct object_staged *posix_stage(struct object_store *store, struct err *err);
int posix_write(struct object_staged *staged, const void *data, size_t len, struct err *err);
int posix_lend(struct object_staged *staged, const struct slice *pieces, size_t count,
               struct err *err);
int posix_finish(struct object_store *store, struct object_staged *const *staged, size_t count,
                 struct err *err);
void posix_abandon(struct object_staged *staged);
void posix_staged_free(struct object_staged *staged);
int posix_clean(struct object_store *store, uint32_t *removed, struct err *err);

/* A finished file with this content, or NULL. */
struct object_staged *posix_stage_whole(struct posix *p, struct slice content, struct err *err);

enum posix_moved { POSIX_MOVE_DONE, POSIX_MOVE_TAKEN, POSIX_MOVE_FAILED };

/* Give a finished file its name. Done as well if an earlier attempt has done it. */
enum posix_moved posix_move(struct posix *p, const char *id, const char *path, struct err *err);

/*
 * Make the folders of these paths, so that their names last: a file that is moved into a folder
 * which a crash then takes back would be nowhere. Costs nothing for folders that this run knows to
 * be durable.
 */
int posix_make_folders(struct posix *p, const char *const *paths, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* Make the names in the folders of these paths last. */
int posix_sync_folders(struct posix *p, const char *const *paths, size_t count, struct err *err)
    __attribute__((warn_unused_result));

/* Whether `name` is in `dir`; false with `err` set if nobody can tell. */
bool posix_exists(const struct posix *p, int dir, const char *name, struct stat *st,
                  struct err *err);

int posix_put(struct object_store *store, const char *name, struct slice content, bool replace,
              bool *taken, struct err *err);

int posix_place(struct object_staged *staged, const char *name, struct err *err);

int posix_commit(struct object_store *store, const struct object_group *group, struct err *err);
int posix_interrupted(struct object_store *store, struct buf *text, bool *found, struct err *err);
int posix_resume(struct object_store *store, const struct object_group *group, bool *committed,
                 struct err *err);

int posix_withdraw(struct object_store *store, const char *const *names, size_t count,
                   const struct object_group *instead, struct err *err);

/* See object_posix_probe. `prefix` is that of the names which are tried in `dir`. */
int posix_probe(const struct system *system, int dir, const char *prefix, struct buf *doubts,
                struct err *err) __attribute__((warn_unused_result));

/* Forget the commit under way. */
void posix_forget_commit(struct posix *p);

/*
 * The steps of a commit that a swap has as well: p->text is put into .pending and made durable;
 * that becomes the entry which p->group names; the entry is made durable. And the name of .pending,
 * its end, and whether it is there and no entry.
 */
int posix_write_pending(struct posix *p, struct err *err) __attribute__((warn_unused_result));
int posix_link_entry(struct posix *p, struct err *err) __attribute__((warn_unused_result));
int posix_sync_entry(struct posix *p, struct err *err) __attribute__((warn_unused_result));
void posix_pending_name(struct buf *out, const struct posix *p);
int posix_remove_pending(struct posix *p, struct err *err) __attribute__((warn_unused_result));
int posix_is_pending(struct posix *p, bool *pending, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Folders are to stay where they are: `shared` for who moves files into them, else for who puts one
 * in another's place. Waits for those who hold them otherwise, which takes them milliseconds;
 * ERR_SYSTEM after POSIX_HOLD_WAIT. Who waits to share them comes before the next who wants them
 * alone. What is known of open folders is forgotten.
 */
int posix_hold(struct posix *p, bool shared, struct err *err) __attribute__((warn_unused_result));
void posix_release(struct posix *p);

/*
 * A swap as its record has it: what a crash must know, in our own directory from before the first
 * change that anybody sees until nothing of it is left. A zeroed struct is empty.
 */
struct posix_swap {
    bool keep;
    struct buf folder;   /* its path, without the '/' at the end */
    struct map come, go; /* names in it */
};

void posix_swap_fill(struct posix_swap *s, const struct object_swap *swap);
void posix_swap_free(struct posix_swap *s);

/* Durable, each; *found: a swap was begun, and is not at its end. */
int posix_record_write(struct posix *p, struct posix_swap *s, struct err *err)
    __attribute__((warn_unused_result));
int posix_record_read(struct posix *p, struct posix_swap *s, bool *found, struct err *err)
    __attribute__((warn_unused_result));
int posix_record_remove(struct posix *p, struct err *err) __attribute__((warn_unused_result));

/* ERR_SYSTEM with errno: "can't <what> <name>". Returns -1. */
int posix_failed(const char *what, struct slice name, struct err *err);

int posix_swap(struct object_store *store, const struct object_swap *swap, struct err *err);
int posix_settle(struct object_store *store, const struct object_group *instead, struct err *err);

int posix_get(struct object_store *store, const char *name, uint64_t offset, uint64_t len,
              struct buf *out, bool *found, struct err *err);
int posix_head(struct object_store *store, const char *name, struct object_info *out, bool *found,
               struct err *err);
int posix_list(struct object_store *store, const char *folder, const char *after,
               object_visit *visit, void *context, struct err *err);

#endif
