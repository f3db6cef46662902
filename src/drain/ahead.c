/* SPDX-License-Identifier: MIT */
#include "drain/ahead.h"

#include <stdlib.h>

#include "base/assert.h"

static void read_files(void *context)
{
    secret_files_read(context);
}

static void free_files(void *context)
{
    secret_files_free(context);
    free(context);
}

bool ahead_begin(struct ahead *a, struct login *login, const struct secure *secure,
                 const struct nats_url *url)
{
    if (a->errand != NULL)
        return true;
    struct secret_files *files = calloc(1, sizeof(*files));
    if (files == NULL)
        out_of_memory(sizeof(*files));
    login_files(login, files);
    secure_files(&secure->tls, secure_will_encrypt(secure, url), files);
    if (files->count == 0) {
        free_files(files);
        return false;
    }
    a->files = files;
    a->errand =
        errand_begin(&(struct errand_job){read_files, free_files, files}, a->threaded, a->waker);
    return true;
}

bool ahead_is_done(const struct ahead *a)
{
    return a->errand != NULL && errand_is_done(a->errand);
}

void ahead_use(const struct ahead *a)
{
    secret_read_from(ahead_is_done(a) ? a->files : NULL);
}

void ahead_forget(struct ahead *a, bool all)
{
    if (!all && !ahead_is_done(a))
        return;
    errand_free(a->errand);
    a->errand = NULL;
    a->files = NULL;
}
