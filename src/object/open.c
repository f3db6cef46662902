/* SPDX-License-Identifier: MIT */
#include "object/open.h"

#include <string.h>

#include "object/posix.h"
#include "object/bucket.h"

static const char scheme[] = "s3://";

static struct s3_options reached = {.endpoint = "",
                                    .region = "",
                                    .access_key_id = "",
                                    .secret_access_key = "",
                                    .session_token = "",
                                    .profile = "",
                                    .ca_file = ""};

bool object_is_url(const char *root)
{
    return strncmp(root, scheme, strlen(scheme)) == 0;
}

void object_reach(const struct s3_options *options)
{
    reached = *options;
}

const struct s3_options *object_reached(void)
{
    return &reached;
}

struct object_store *object_open(const struct object_config *config, struct err *err)
{
    if (object_is_url(config->root)) {
        struct object_bucket_config s3 = {.url = config->root,
                                          .entries = config->entries,
                                          .writer = config->writer,
                                          .writer_name = config->writer_name,
                                          .probe = config->doubts != NULL,
                                          .options = &reached};
        return object_bucket_open(&s3, err);
    }
    struct object_posix_config posix = {.root = config->root,
                                        .entries = config->entries,
                                        .writer = config->writer,
                                        .writer_name = config->writer_name,
                                        .system = config->system,
                                        .doubts = config->doubts};
    return object_posix_open(&posix, err);
}
