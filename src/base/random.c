/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/random.h>
#include <unistd.h>

static int from_device(uint8_t *out, size_t len, struct err *err)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_system(err, errno,
                              "no random numbers: this kernel has no getrandom, and /dev/urandom "
                              "can't be opened");
    int result = 0;
    for (size_t done = 0; done < len && result == 0;) {
        ssize_t got = read(fd, out + done, len - done);
        if (got > 0)
            done += (size_t)got;
        else if (got == 0 || errno != EINTR)
            result = err_set_system(err, got == 0 ? EIO : errno, "can't read /dev/urandom");
    }
    (void)close(fd);
    return result;
}

int random_bytes(void *out, size_t len, struct err *err)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return from_device(at, len, err);
        at += got;
        len -= (size_t)got;
    }
    return 0;
}
