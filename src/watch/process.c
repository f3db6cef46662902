/* SPDX-License-Identifier: MIT */
#include "watch/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/num.h"

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* The second number of /proc/self/statm: resident pages. */
static uint64_t resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    (void)close(fd); /* nothing was written */
    text[got > 0 ? got : 0] = '\0';
    const char *number = strchr(text, ' ');
    uint64_t pages = 0;
    if (number == NULL ||
        !num_parse_u64((struct slice){(const uint8_t *)number + 1, strcspn(number + 1, " ")},
                       &pages))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    uint64_t count = 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        count += e->d_name[0] != '.';
    (void)closedir(dir);              /* it was only read */
    return count > 0 ? count - 1 : 0; /* the directory itself was one */
}

struct process_usage process_usage(void)
{
    struct process_usage usage = {.resident_bytes = resident_bytes(),
                                  .open_descriptors = open_descriptors()};
    struct rusage resources;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &resources) == 0)
        usage.cpu_seconds = seconds_of(resources.ru_utime) + seconds_of(resources.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        usage.max_descriptors = limit.rlim_cur;
    return usage;
}
