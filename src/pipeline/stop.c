/* SPDX-License-Identifier: MIT */
#include "pipeline/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

/* Conventional for a process that a signal ended. */
enum { EXIT_BY_SIGNAL = 128 };

static int descriptor = -1;
static volatile sig_atomic_t stop_asked;
static volatile sig_atomic_t reload_asked;

static void on_signal(int signal)
{
    int saved = errno;
    if (signal == SIGHUP) {
        reload_asked = 1;
    } else {
        if (stop_asked)
            _exit(EXIT_BY_SIGNAL + signal);
        stop_asked = 1;
    }
    /* The counter can't be full, and a wake-up that is already there is enough. */
    ssize_t written = write(descriptor, &(uint64_t){1}, sizeof(uint64_t));
    (void)written;
    errno = saved;
}

int stop_install(struct err *err)
{
    descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0)
        return err_set_system(err, errno, "eventfd");
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0 ||
        sigaction(SIGHUP, &action, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
        return err_set_system(err, errno, "sigaction");
    return 0;
}

int stop_descriptor(void)
{
    return descriptor;
}

struct stop_request stop_take(void)
{
    static bool stop_reported;
    uint64_t count;
    ssize_t got = read(descriptor, &count, sizeof(count));
    (void)got; /* nothing to read means that no signal came */
    struct stop_request request = {.stop = stop_asked && !stop_reported,
                                   .reload = reload_asked != 0};
    reload_asked = 0;
    stop_reported = stop_reported || request.stop;
    return request;
}
