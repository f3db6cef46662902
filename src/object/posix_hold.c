/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/assert.h"
#include "object/directory.h"
#include "object/posix_part.h"

/*
 * Two locks, so that a burst of swaps keeps nobody waiting for longer than one of them takes. The
 * first is that of the folders. Who finds it taken by a swap holds the second one until it has the
 * first; and the next swap lets those go before it who hold the second one.
 */

/* Between attempts to get a lock. */
#define HOLD_PAUSE CLOCK_MILLISECOND

/* Who waits looks each HOLD_PAUSE. One that takes so long hangs, or was stopped; it has no right to
 * hold up the swaps. */
#define GIVE_WAY_MAX CLOCK_SECOND

static int open_lock(struct posix *p, const char *path, int *fd, struct err *err)
{
    *fd = system_openat(&p->system, p->root_dir, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
    return *fd >= 0 ? 0 : directory_open_failed("", path, errno, err);
}

static void close_lock(struct posix *p, int *fd)
{
    if (*fd >= 0)
        (void)system_close(&p->system, *fd); /* nothing was written */
    *fd = -1;
}

/* Until nobody waits for the folders. */
static int give_way(struct posix *p, struct err *err)
{
    int64_t deadline = clock_monotonic() + GIVE_WAY_MAX;
    int waiting;
    if (open_lock(p, POSIX_WAITING_PATH, &waiting, err) != 0)
        return -1;
    while (system_lock(&p->system, waiting) != 0 && errno == EWOULDBLOCK &&
           clock_monotonic() < deadline)
        clock_sleep(HOLD_PAUSE);
    close_lock(p, &waiting);
    return 0;
}

/* Tell the next swap that somebody waits. That it was told is worth much, but not a commit. */
static void ask_way(struct posix *p, int *waiting)
{
    struct err ignored = {0};
    if (*waiting < 0 && open_lock(p, POSIX_WAITING_PATH, waiting, &ignored) == 0 &&
        system_lock_shared(&p->system, *waiting) != 0)
        close_lock(p, waiting); /* a swap looks just now; once more after the pause */
}

int posix_hold(struct posix *p, bool shared, struct err *err)
{
    int64_t deadline = clock_monotonic() + POSIX_HOLD_WAIT;
    int result = -1, waiting = -1;
    ASSERT(p->hold < 0);
    posix_folder_forget(p);
    if ((!shared && give_way(p, err) != 0) || open_lock(p, POSIX_HOLD_PATH, &p->hold, err) != 0)
        return -1;
    for (;;) {
        result = (shared ? system_lock_shared : system_lock)(&p->system, p->hold);
        if (result == 0 || errno != EWOULDBLOCK || clock_monotonic() >= deadline)
            break;
        if (shared)
            ask_way(p, &waiting);
        clock_sleep(HOLD_PAUSE);
    }
    if (result != 0) {
        (void)err_set_system(err, errno, "can't lock the folders of %s", p->root);
        posix_release(p);
    }
    close_lock(p, &waiting);
    return result;
}

void posix_release(struct posix *p)
{
    posix_folder_forget(p);
    close_lock(p, &p->hold);
}
