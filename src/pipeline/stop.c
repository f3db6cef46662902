/* SPDX-License-Identifier: MIT */
#include "pipeline/stop.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* Conventional for a process that a signal ended. */
enum { EXIT_BY_SIGNAL = 128 };

static struct waker waker;
static volatile sig_atomic_t is_waking; /* `waker` is there to be used */
static volatile sig_atomic_t stop_asked;
static volatile sig_atomic_t reload_asked;

static void on_signal(int signal)
{
    if (signal == SIGHUP) {
        reload_asked = 1;
    } else {
        if (stop_asked)
            _exit(EXIT_BY_SIGNAL + signal);
        stop_asked = 1;
    }
    if (is_waking)
        waker_wake(waker);
}

int stop_install(struct err *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0 ||
        sigaction(SIGHUP, &action, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
        return err_set_system(err, errno, "sigaction");
    return 0;
}

void stop_wakes(const struct waker *to)
{
    is_waking = 0;
    if (to == NULL)
        return;
    waker = *to;
    is_waking = 1;
    if (stop_asked || reload_asked)
        waker_wake(waker);
}

struct stop_request stop_take(void)
{
    static bool stop_reported;
    struct stop_request request = {.stop = stop_asked && !stop_reported,
                                   .reload = reload_asked != 0};
    reload_asked = 0;
    stop_reported = stop_reported || request.stop;
    return request;
}
