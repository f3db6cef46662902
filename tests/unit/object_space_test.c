/* SPDX-License-Identifier: MIT */
#include "object/space.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "store_fixture.h"

/* A disk of which a test says how much room it has. */
struct room {
    _Atomic uint64_t bytes;
    atomic_int error, asked;
    atomic_bool known;
    pthread_mutex_t hung; /* held while the disk does not answer */
};

static int room_openat(void *disk, int dir, const char *path, int flags, mode_t mode)
{
    (void)disk, (void)dir, (void)path, (void)flags, (void)mode;
    return 0;
}

static int room_close(void *disk, int fd)
{
    (void)disk, (void)fd;
    return 0;
}

static int room_free_bytes(void *disk, int fd, uint64_t *out, bool *known)
{
    struct room *room = disk;
    (void)fd;
    atomic_fetch_add(&room->asked, 1);
    EXPECT(pthread_mutex_lock(&room->hung) == 0);
    *out = atomic_load(&room->bytes);
    *known = atomic_load(&room->known);
    EXPECT(pthread_mutex_unlock(&room->hung) == 0);
    errno = atomic_load(&room->error);
    return errno == 0 ? 0 : -1;
}

static const struct system_calls room_calls = {
    .openat = room_openat, .close = room_close, .free_bytes = room_free_bytes};

static struct room room = {.bytes = 5, .known = true, .hung = PTHREAD_MUTEX_INITIALIZER};
static const struct system room_system = {.calls = &room_calls, .disk = &room};

static void wait_for(struct space *space, uint64_t bytes)
{
    while (space_bytes(space) != bytes)
        (void)sched_yield(); /* the time limit of the test ends it */
}

TEST(space_is_asked_by_a_thread)
{
    struct err err = {0};
    struct space *space = space_new("root", &room_system, true, &err);
    EXPECT(space != NULL && space_bytes(space) == 5);
    atomic_store(&room.bytes, 7);
    space_ask(space);
    wait_for(space, 7);
    atomic_store(&room.error, EIO);
    space_ask(space);
    wait_for(space, SPACE_UNKNOWN);
    space_free(space);
    space_free(NULL);
}

/* Nobody waits with a disk that hangs: neither who asks, nor who ends. */
TEST(space_of_a_disk_that_hangs)
{
    struct err err = {0};
    struct space *space = space_new("root", &room_system, true, &err);
    EXPECT(space != NULL);
    EXPECT(pthread_mutex_lock(&room.hung) == 0);
    space_ask(space);
    while (atomic_load(&room.asked) < 2)
        (void)sched_yield(); /* until the thread hangs */
    int64_t began = clock_monotonic();
    space_ask(space);
    EXPECT(space_bytes(space) == 5);
    EXPECT(clock_monotonic() - began < 20 * CLOCK_SECOND);
    space_free(space);
    EXPECT(clock_monotonic() - began < 40 * CLOCK_SECOND);
}

/* ramfs, and some of FUSE, say 0 blocks: not that the disk is full. */
TEST(space_that_nobody_knows)
{
    struct err err = {0};
    atomic_store(&room.known, false);
    atomic_store(&room.bytes, 0);
    struct space *space = space_new("root", &room_system, false, &err);
    EXPECT(space_bytes(space) == SPACE_UNKNOWN);
    atomic_store(&room.known, true);
    space_ask(space); /* without the thread it is asked at once */
    EXPECT(space_bytes(space) == 0);
    space_free(space);
}

TEST(space_of_a_real_directory)
{
    struct err err = {0};
    static const struct system plain;
    struct space *space = space_new(".", &plain, false, &err);
    EXPECT(space_bytes(space) > 0 && space_bytes(space) != SPACE_UNKNOWN);
    space_free(space);
    space = space_new("nowhere", &plain, false, &err);
    EXPECT(space_bytes(space) == SPACE_UNKNOWN);
    space_free(space);
}
