/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_S3_CREDENTIALS_H
#define VARVE_OBJECT_S3_CREDENTIALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Who we are to an object store, found as AWS's own tools find it (AWS SDKs and Tools Reference
 * Guide, "Standardized credential providers"): the configuration, the environment, a web identity,
 * the shared files, a container's or a machine's own service. The first that is there is asked;
 * what expires is asked for again before it does.
 *
 * Of the shared files: keys, token, region and endpoint_url. Roles to be assumed, single sign-on
 * and programs that print credentials are not done, and said so.
 */

/* A file of AWS's, such as ~/.aws/config: the value of a key in a section; false if it has none.
 * Lines begin with '#' or ';' for comments; the last value counts. */
bool s3_ini_find(struct slice file, const char *section, const char *key, struct slice *value);

/* One variable of the environment, or "". */
const char *s3_environment(const char *name);

/* A key of the profile in ~/.aws/config or ~/.aws/credentials ($AWS_CONFIG_FILE,
 * $AWS_SHARED_CREDENTIALS_FILE), appended; false if it is in neither. `profile`: "" is
 * $AWS_PROFILE, or "default". */
bool s3_profile_find(const char *profile, const char *key, struct buf *out);

struct s3_credentials {
    struct buf access_key_id, secret_access_key, session_token;
    int64_t expires; /* ns since 1970; 0: not told */
};

/* Texts are never NULL, "" is not given, and borrowed for the life of the source. */
struct s3_identity {
    const char *access_key_id, *secret_access_key, *session_token;
    const char *profile;
    const char *region; /* of AWS's token service */
    const char *ca_file;
    bool aws; /* the store is AWS's: a machine's own service may be asked */
    const atomic_bool *stop;
};

struct s3_source;

/* Find out where credentials come from, without asking for them. NULL: from nowhere. */
struct s3_source *s3_source_open(const struct s3_identity *identity, struct err *err)
    __attribute__((warn_unused_result));
void s3_source_close(struct s3_source *source);

/* "configuration", "environment", "web identity", "profile NAME", "container" or "machine". */
const char *s3_source_name(const struct s3_source *source);

/* Whether asking again can bring others. */
bool s3_source_renews(const struct s3_source *source);

/* Whether that costs nothing, and nobody says when they change: they are in files. */
bool s3_source_rereads(const struct s3_source *source);

/*
 * Credentials that are good for now, valid until the next call. -1 if they can't be had (or are no
 * good any more): a failure to renew them is none as long as the old ones last.
 */
int s3_source_get(struct s3_source *source, const struct s3_credentials **out, struct err *err)
    __attribute__((warn_unused_result));

/* Ask for others, since the store does not take those that were given. *changed: others came. */
int s3_source_renew(struct s3_source *source, bool *changed, struct err *err)
    __attribute__((warn_unused_result));

#endif
