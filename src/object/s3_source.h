/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_S3_SOURCE_H
#define VARVE_OBJECT_S3_SOURCE_H

#include "object/s3_credentials.h"

/* What the places that credentials come from have in common (s3_credentials.c, s3_platform.c). */

enum s3_source_kind {
    S3_SOURCE_FIXED, /* the configuration, the environment: they don't change */
    S3_SOURCE_PROFILE,
    S3_SOURCE_WEB_IDENTITY,
    S3_SOURCE_CONTAINER,
    S3_SOURCE_MACHINE,
};

enum { S3_SOURCE_NAME_MAX = 128 };

struct s3_source {
    enum s3_source_kind kind;
    char name[S3_SOURCE_NAME_MAX];
    const char *access_key_id, *secret_access_key, *session_token; /* of S3_SOURCE_FIXED */
    const char *profile, *region, *ca_file;
    const atomic_bool *stop;
    struct s3_credentials has;
    int64_t ask_after; /* monotonic */
};

/* Take a copy, in place of what was there. */
void s3_credentials_set(struct s3_credentials *c, struct slice id, struct slice secret,
                        struct slice token);
void s3_credentials_free(struct s3_credentials *c);

/* AWS's token service, for a token that Kubernetes has put into a file (AssumeRoleWithWebIdentity
 * in the AWS STS API reference). */
int s3_ask_web_identity(const struct s3_source *s, struct s3_credentials *out, struct err *err)
    __attribute__((warn_unused_result));

/* The agent of ECS, or of EKS Pod Identity (AWS SDKs and Tools Reference Guide, "Container
 * credential provider"). */
int s3_ask_container(const struct s3_source *s, struct s3_credentials *out, struct err *err)
    __attribute__((warn_unused_result));

/* The instance metadata service of EC2, version 2 alone (Amazon EC2 user guide). */
int s3_ask_machine(const struct s3_source *s, struct s3_credentials *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
