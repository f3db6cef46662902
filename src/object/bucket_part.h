/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_BUCKET_PART_H
#define VARVE_OBJECT_BUCKET_PART_H

#include "base/array.h"
#include "base/map.h"
#include "object/bucket.h"

/* Between the files of the store in a bucket. */

enum bucket_stage {
    BUCKET_IDLE,
    BUCKET_STAGE_PENDING,
    BUCKET_STAGE_FILES,
    BUCKET_STAGE_ENTRY,
    BUCKET_STAGE_REMOVE
};

struct bucket_staged {
    struct object_staged object;  /* first */
    struct slice lent;            /* all of it, where it was lent in one piece, */
    struct buf bytes;             /* else a copy: of an upload, of what is not sent yet */
    bool listed;                  /* in s3_store.staged */
    char *key;                    /* what it is going to be called; NULL: not known */
    struct bucket_upload *upload; /* in parts, to that key; NULL: there is none */
};

/* Names of objects. */
struct bucket_names {
    ARRAY(char *);
};
void bucket_names_free(struct bucket_names *names);

struct bucket {
    struct object_store store; /* first */
    struct s3_client *client;
    char *url, *bucket, *prefix;
    char *entries;              /* with the '/' */
    char *writer, *writer_name; /* NULL: it only reads */
    uint64_t nonce;             /* of this process, among those that run as this writer */
    struct bucket *next;        /* see object_bucket_count */

    struct map withdrawn; /* names that were renounced */
    int64_t swept;        /* when they were visited, ns since 1970; 0: not yet */
    bool over;            /* what is noted of some can go */

    ARRAY(struct bucket_staged *) staged; /* by the last part of their ids; NULL: gone */
    size_t staged_live;
    uint64_t next_id;

    /* The commit under way: */
    enum bucket_stage stage;
    const struct object_group *group;
    char **names;
    uint32_t *numbers; /* which were put behind the names wanted */
    bool *late;        /* their puts: an attempt was lost, and may come yet */
    size_t count, at;  /* members, and how many of them are in their places */
    struct buf text, entry, pending;
    struct buf pending_name, outdated_name; /* of .pending; of the one that it takes the place of */
    bool named;                             /* entry: the name is asked for */
    bool rename;                            /* a name was taken: .pending has to be put anew */
    bool tried;                             /* the entry may be there */
    bool renounced;                         /* the names, since .pending is not ours any more */
    bool put;                               /* .pending is there, by us, */
    char pending_etag[S3_ETAG_MAX]; /* and is this version of it; "": the store does not tell */
    uint64_t next_pending;          /* number of the next name of one */
    int64_t fenced_since;           /* another's is there, or ours is gone; 0: it is not so */
    const struct object_swap *swap; /* it is one */
    struct bucket_names come, go;   /* of a swap: what is removed if it is taken back, and else */
};

static inline struct bucket *bucket_of(struct object_store *store)
{
    return (struct bucket *)store;
}

/* -1, with an error: that of the client, or one that says what its outcome means. */
int bucket_failed(enum s3_outcome outcome, const char *name, struct err *err);

/* `name` as a member of a commit gets it: with the first number from *number on, 0 for none, with
 * which it was not taken back. */
void bucket_name_for(const struct bucket *b, const char *name, uint32_t *number, struct buf *out);

/* Make an object of what is staged. ABSENT: this process has not staged it, or its upload is gone.
 * `sha256`: of its bytes, as text; NULL: not known. */
enum s3_outcome bucket_put_staged(struct bucket *b, const char *id, const char *name,
                                  const char *sha256, struct s3_condition condition,
                                  struct s3_result *result, struct err *err)
    __attribute__((warn_unused_result));

struct object_staged *bucket_stage(struct object_store *store, struct err *err);
void bucket_expect(struct object_staged *staged, const char *name);
int bucket_write(struct object_staged *staged, const void *data, size_t len, struct err *err);
int bucket_lend(struct object_staged *staged, const struct slice *pieces, size_t count,
                struct err *err);
int bucket_finish(struct object_store *store, struct object_staged *const *staged, size_t count,
                  struct err *err);
void bucket_abandon(struct object_staged *staged);
void bucket_staged_free(struct object_staged *staged);
int bucket_place(struct object_staged *staged, const char *name, struct err *err);

/* The object has its name now: what it was until then is given back. Unknown ids are fine. */
void bucket_settle_staged(struct bucket *b, const char *id);

int bucket_commit(struct object_store *store, const struct object_group *group, struct err *err);
int bucket_interrupted(struct object_store *store, struct buf *text, bool *found, struct err *err);
/*
 * Does the store make an object only where there is none, and of two who try at once let one win? A
 * commit relies on it. It is tried with small objects below .varve/, which are removed again; and
 * whether it does so with what comes in parts, too.
 * `writer`: what this one is called there, or NULL; what it has left when it was killed before is
 * removed, and what others have left hours ago.
 * ERR_REFUSED if it does not; else the error with which a put, a get, a list or a delete has
 * failed.
 */
int bucket_probe(const struct s3_options *options, const char *writer,
                 struct object_bucket_found *out, struct err *err)
    __attribute__((warn_unused_result));

int bucket_swap(struct object_store *store, const struct object_swap *swap, struct err *err);
int bucket_settle(struct object_store *store, const struct object_group *instead, struct err *err);
int bucket_resume(struct object_store *store, const struct object_group *group, bool *committed,
                  struct err *err);
int bucket_withdraw(struct object_store *store, const char *const *names, size_t count,
                    const struct object_group *instead, struct err *err);

int bucket_renounce(struct object_store *store, const char *const *names, size_t count,
                    struct err *err);
int bucket_renounced(struct object_store *store, object_visit *visit, void *context,
                     struct err *err);
/* Those that were noted long before they were visited, and so long ago that nothing comes late any
 * more: what is there of them was removed. */
int bucket_forget_renounced(struct bucket *b, struct err *err) __attribute__((warn_unused_result));

/*
 * The steps of a commit that recovery has as well. .pending: a name for it, that none has had; what
 * it is to be, from b->text, b->entry and b->swap; to put it, where there is none or (S3_ANY) in
 * place of another one; whether it is what we have put, ERR_REFUSED if not; to remove it.
 */
void bucket_name_pending(struct bucket *b);
void bucket_fill_pending(struct bucket *b);
int bucket_put_pending(struct bucket *b, enum s3_condition_kind kind, struct err *err)
    __attribute__((warn_unused_result));
int bucket_check_pending(struct bucket *b, struct err *err) __attribute__((warn_unused_result));
int bucket_remove_pending(struct bucket *b, struct err *err) __attribute__((warn_unused_result));

/* The one that keeps a second keeper out, with the same bytes; the same of it. */
int bucket_check_lease(struct bucket *b, struct err *err) __attribute__((warn_unused_result));
int bucket_put_lease(struct bucket *b, struct err *err) __attribute__((warn_unused_result));
int bucket_remove_lease(struct bucket *b, struct err *err) __attribute__((warn_unused_result));

/* Look for a .pending of this writer behind `after`, "" for any: its name is b->pending_name then.
 * `modified`, where it is not NULL: when it was put, ns since 1970 by the clock of the store. */
int bucket_find_pending(struct bucket *b, const char *after, bool *found, int64_t *modified,
                        struct err *err) __attribute__((warn_unused_result));

/* Make one of them ours, where there is any (*found), and take it apart; *committed: its text is an
 * entry already. A commit under way is forgotten. */
int bucket_take_pending(struct bucket *b, bool *found, bool *committed, struct err *err)
    __attribute__((warn_unused_result));

/* Put the entry of `instead` in the way of who is still about to put the text; *committed: it was
 * there first. */
int bucket_put_instead(struct bucket *b, const struct object_group *instead, bool *committed,
                       struct err *err) __attribute__((warn_unused_result));

/* ERR_REFUSED: another process runs as this writer. Returns -1. */
int bucket_is_two(struct bucket *b, struct err *err);

void bucket_begin(struct bucket *b, const struct object_group *group, enum bucket_stage stage);
int bucket_go_on(struct bucket *b, struct err *err) __attribute__((warn_unused_result));
void bucket_forget_commit(struct bucket *b);

#endif
