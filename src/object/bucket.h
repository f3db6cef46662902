/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_BUCKET_H
#define VARVE_OBJECT_BUCKET_H

#include "object/object.h"
#include "object/s3_client.h"

/*
 * An object store that is a bucket, or what begins with a prefix in one. Objects have their names
 * as keys; what is staged is in memory (or an upload in parts) until it gets its name. In the
 * bucket:
 *
 *     <prefix>/<name of an object>
 *     <prefix>/<entries>/.pending-<writer>~<process>-<number>  the text of a commit under way
 *     <prefix>/<entries>/.withdrawn-<writer>                   names of files that were taken back
 *
 * A commit, step by step:
 *
 *   1. the text is put as .pending: it names every file to come, and in a last line behind the
 *      entry, the first name that the entry may get, and which process is at it;
 *   2. each file is put under its name, if there is no other object. Where there is one, the text
 *      is put as another .pending, with another name in it, before the file is; and if an attempt
 *      to put it under the first name was lost, that is noted in .withdrawn-<writer> before;
 *   3. the entries are read; .pending is still ours; then the text is put as the next entry, if
 *      there is none: the commit point. Where there is one, this step is repeated;
 *   4. .pending is removed.
 *
 * Each put is repeated with the same bytes until its outcome is known: what is in the way is read
 * and compared (s3_put), and the text is nobody else's, since the ids of the files, or positions
 * that only this writer moves, stand in it.
 *
 * A request that was thought lost may come when it has long been sent again, and others after it.
 * So no two texts are put as one .pending, and none is put again once it was removed: what comes
 * late brings back what is an entry already, or was taken back, or removes what is gone.
 *
 * There are no locks in a bucket. Two processes that run as one writer find each other's entries
 * (store/recover.h), and the one that is late stops. One that starts while the other commits, or
 * after a crash, finds each .pending of its writer, also .pending-<writer>, as earlier versions had
 * it, and takes it over, by putting it anew with its own name in the last line; then
 *
 *   - if the text is an entry already, it removes .pending;
 *   - if all files are there, it goes on with step 3: whoever of the two is first, it is one text;
 *   - else it notes the names of the files in .withdrawn-<writer>, puts an entry of its own that
 *     changes nothing (object_withdraw), and then removes the files. The other one can't commit any
 *     more: the entry that it was to put is there now, and before it puts the one behind that it
 *     finds .pending gone. A file that it was about to put then lies there, and no entry names it:
 *     the next start finds it by the names that were noted.
 *
 * These names are given to no other file: a second process may be taking them back, too, and be
 * slower.
 *
 * A swap puts its text as .pending-<writer>, too, first: the lease, which keeps another keeper from
 * beginning the same. Should it go, by a request that comes late, .pending still does so; where
 * both have begun, a swap that has failed removes nothing.
 */
struct object_bucket_found;
struct object_bucket_config {
    const char *url; /* s3://BUCKET or s3://BUCKET/PREFIX */
    const char *entries;
    const char *writer;                /* NULL: only reads */
    const char *writer_name;           /* see struct object_config */
    struct object_bucket_found *found; /* by the probe; NULL: nobody asks */
    bool probe; /* try first whether the store can do what a commit relies on */
    const struct s3_options *options;
};

/* Whether a URL that begins with s3:// names a bucket and a prefix; nobody is asked. ERR_USAGE. */
int object_bucket_check_url(const char *url, struct err *err) __attribute__((warn_unused_result));

/* NULL: ERR_USAGE for a URL or an option that makes no sense, ERR_REFUSED for a store that a probe
 * has found wanting, or one that says no. */
struct object_store *object_bucket_open(const struct object_bucket_config *config, struct err *err)
    __attribute__((warn_unused_result));

/* What a probe has found out beside that. */
struct object_bucket_found {
    char address[256]; /* where requests go, and what bears them out: for people */
    char credentials[128];
    bool in_path;    /* the name of the bucket; else it is in that of the host */
    bool whole;      /* what comes in parts it puts in spite of If-None-Match: it gets none */
    int64_t skew;    /* ns that the store's clock is ahead of ours */
    int64_t latency; /* ns, of a request on average */
};

/* Try whether the store can do what a commit relies on; varve run does so at its start, too.
 * ERR_REFUSED if it can't; else the error with which a put, a get, a list or a delete has failed.
 * `out` is zeroed, and has what could be found out also after an error. */
int object_bucket_probe(const char *url, const struct s3_options *options,
                        struct object_bucket_found *out, struct err *err)
    __attribute__((warn_unused_result));

/* Of all clients that this process has had, by the store. Any thread. */
void object_bucket_count(struct s3_counters *out);

/*
 * Of a store that is a bucket: all that is in `folder`, "" or ending with '/', whoever has put it
 * there, and what a store that lies there has for itself, too. Remove it: that part is of no use to
 * anybody any more; when the newest of it came, ns since 1970, INT64_MIN: there is nothing; and
 * append the first name behind `after`, nothing where there is none.
 */
int object_bucket_erase(struct object_store *store, const char *folder, struct err *err)
    __attribute__((warn_unused_result));
int object_bucket_newest(struct object_store *store, const char *folder, int64_t *modified,
                         struct err *err) __attribute__((warn_unused_result));
int object_bucket_first(struct object_store *store, const char *folder, const char *after,
                        struct buf *out, struct err *err) __attribute__((warn_unused_result));

#endif
