/* SPDX-License-Identifier: MIT */
#include "object/space.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/text.h"
#include "object/fault.h"
#include "object/open.h"

/* An answer takes microseconds, or for ever. */
#define PATIENCE CLOCK_SECOND

struct space {
    char *root;
    struct system system;
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool asked, ending;
    _Atomic uint64_t bytes;
};

static uint64_t ask_system(const struct space *space)
{
    const struct system *system = &space->system;
    uint64_t bytes = SPACE_UNKNOWN;
    bool known = false;
    if (object_is_url(space->root))
        return SPACE_UNKNOWN;
    int fd = system_openat(system, SYSTEM_WORKING_DIR, space->root, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return SPACE_UNKNOWN;
    int result = system_free_bytes(system, fd, &bytes, &known);
    (void)system_close(system, fd); /* only asked */
    return result == 0 && known ? bytes : SPACE_UNKNOWN;
}

static void *run(void *argument)
{
    struct space *space = argument;
    ASSERT(pthread_mutex_lock(&space->lock) == 0);
    while (!space->ending) {
        if (!space->asked) {
            ASSERT(pthread_cond_wait(&space->changed, &space->lock) == 0);
            continue;
        }
        space->asked = false;
        ASSERT(pthread_mutex_unlock(&space->lock) == 0);
        atomic_store(&space->bytes, ask_system(space));
        ASSERT(pthread_mutex_lock(&space->lock) == 0);
    }
    ASSERT(pthread_mutex_unlock(&space->lock) == 0);
    return NULL;
}

struct space *space_new(const char *root, const struct system *system, bool threaded,
                        struct err *err)
{
    struct space *space = calloc(1, sizeof(*space));
    if (space == NULL)
        out_of_memory(sizeof(*space));
    space->root = text_copy(root);
    space->system = *system;
    ASSERT(pthread_mutex_init(&space->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&space->changed, NULL) == 0);
    int error = 0;
    if (fault_install(&space->system, err) != 0)
        goto fail;
    atomic_store(&space->bytes, ask_system(space));
    if (threaded && (error = pthread_create(&space->thread, NULL, run, space)) != 0) {
        (void)err_set_system(err, error, "the thread that asks for free space can't be started");
        goto fail;
    }
    space->threaded = threaded;
    return space;
fail:
    space_free(space);
    return NULL;
}

void space_ask(struct space *space)
{
    if (!space->threaded) {
        atomic_store(&space->bytes, ask_system(space));
        return;
    }
    ASSERT(pthread_mutex_lock(&space->lock) == 0);
    space->asked = true;
    ASSERT(pthread_cond_signal(&space->changed) == 0);
    ASSERT(pthread_mutex_unlock(&space->lock) == 0);
}

uint64_t space_bytes(struct space *space)
{
    return atomic_load(&space->bytes);
}

/* False: it still waits for an answer. */
static bool join(struct space *space)
{
    int64_t until = clock_wall() + PATIENCE;
    struct timespec deadline = {(time_t)(until / CLOCK_SECOND), (long)(until % CLOCK_SECOND)};
    ASSERT(pthread_mutex_lock(&space->lock) == 0);
    space->ending = true;
    ASSERT(pthread_cond_signal(&space->changed) == 0);
    ASSERT(pthread_mutex_unlock(&space->lock) == 0);
    return pthread_timedjoin_np(space->thread, NULL, &deadline) == 0;
}

void space_free(struct space *space)
{
    if (space == NULL || (space->threaded && !join(space)))
        return;
    ASSERT(pthread_cond_destroy(&space->changed) == 0);
    ASSERT(pthread_mutex_destroy(&space->lock) == 0);
    free(space->root);
    free(space);
}
