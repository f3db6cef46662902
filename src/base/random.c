/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
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

int random_uuid(char out[static RANDOM_UUID_TEXT], struct err *err)
{
    uint8_t b[16];
    if (random_bytes(b, sizeof(b), err) != 0)
        return -1;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, RANDOM_UUID_TEXT,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
    return 0;
}
