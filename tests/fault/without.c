/* SPDX-License-Identifier: MIT */
/*
 * without ERRNO CALL... -- COMMAND [ARGUMENT]...
 *
 * Run a command where system calls are missing, as on an older kernel (ENOSYS), or in a container
 * whose filter does not know them (EPERM). CALL is a name, a name with the value of the first
 * argument that is missing, such as prctl:22, or "above:NUMBER": all calls above it. Those of
 * x86-64 are numbered in the order in which they came, so that above:313 is Linux 3.10. A name that
 * this architecture, or this C library, has no number for is missing already.
 *
 * Exit status: that of the command; 77 if the kernel has no filters; 2 if it was asked wrongly.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From linux/seccomp.h and linux/filter.h, which musl-gcc has no path to. */
enum {
    LOAD_WORD = 0x20,       /* BPF_LD | BPF_W | BPF_ABS */
    JUMP_IF_EQUAL = 0x15,   /* BPF_JMP | BPF_JEQ | BPF_K */
    JUMP_IF_GREATER = 0x25, /* BPF_JMP | BPF_JGT | BPF_K */
    RETURN = 0x06,          /* BPF_RET | BPF_K */
    MODE_FILTER = 2,        /* SECCOMP_MODE_FILTER */
    AT_NUMBER = 0,          /* in struct seccomp_data */
    AT_FIRST_ARGUMENT = 16, /* its low half, where bytes are in this order */
    FILTER_MAX = 512,
    NO_FILTERS = 77,
};
#define RETURN_ERROR UINT32_C(0x00050000)
#define RETURN_ALLOW UINT32_C(0x7fff0000)

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the low half of an argument is elsewhere"
#endif

struct instruction {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
};

struct program {
    unsigned short len;
    struct instruction *filter;
};

#define CALL(name)        \
    {                     \
#name, SYS_##name \
    }

/* Those that came after Linux 2.6.16, as far as a program like varve, or its C library, may make
 * them, and a few that it makes for the sake of speed. */
static const struct {
    const char *name;
    long number;
} calls[] = {
    CALL(accept4),     CALL(clone3),
    CALL(close_range), CALL(copy_file_range),
    CALL(dup3),        CALL(epoll_create1),
    CALL(eventfd2),    CALL(faccessat2),
    CALL(fallocate),   CALL(fstatfs),
    CALL(getrandom),   CALL(landlock_create_ruleset),
    CALL(linkat),      CALL(madvise),
    CALL(membarrier),  CALL(memfd_create),
    CALL(mremap),      CALL(openat2),
    CALL(pipe2),       CALL(prctl),
    CALL(preadv2),     CALL(prlimit64),
    CALL(pwritev2),    CALL(recvmmsg),
    CALL(renameat2),   CALL(sched_getaffinity),
    CALL(sendmmsg),    CALL(setpriority),
    CALL(statx),       CALL(sync_file_range),
    CALL(syncfs),      CALL(uname),
    CALL(utimensat),
};

static struct instruction filter[FILTER_MAX];
static unsigned short filter_len;

static void add(uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
    if (filter_len == FILTER_MAX) {
        fprintf(stderr, "without: too many calls\n");
        exit(2);
    }
    filter[filter_len++] = (struct instruction){code, if_true, if_false, value};
}

static int error_number(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } errors[] = {{"ENOSYS", ENOSYS}, {"EPERM", EPERM}, {"EINVAL", EINVAL}};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].value;
    }
    fprintf(stderr, "without: no error %s\n", name);
    exit(2);
}

static long call_number(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (strlen(calls[i].name) == len && strncmp(calls[i].name, name, len) == 0)
            return calls[i].number;
    }
    fprintf(stderr, "without: no call %s\n", name);
    exit(2);
}

static void add_call(const char *text, uint32_t failure)
{
    const char *colon = strchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
    uint32_t value = colon != NULL ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
    if (strncmp(text, "above:", 6) == 0) {
        add(JUMP_IF_GREATER, value, 0, 1);
    } else {
        add(JUMP_IF_EQUAL, (uint32_t)call_number(text, len), 0, colon != NULL ? 4 : 1);
        if (colon != NULL) {
            add(LOAD_WORD, AT_FIRST_ARGUMENT, 0, 0);
            add(JUMP_IF_EQUAL, value, 0, 1);
        }
    }
    add(RETURN, failure, 0, 0);
    if (colon != NULL && strncmp(text, "above:", 6) != 0)
        add(LOAD_WORD, AT_NUMBER, 0, 0);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: without ERRNO CALL... -- COMMAND [ARGUMENT]...\n");
        return 2;
    }
    uint32_t failure = RETURN_ERROR | (uint32_t)error_number(argv[1]);
    int at = 2;
    add(LOAD_WORD, AT_NUMBER, 0, 0);
    for (; at < argc && strcmp(argv[at], "--") != 0; at++)
        add_call(argv[at], failure);
    add(RETURN, RETURN_ALLOW, 0, 0);
    if (at + 1 >= argc) {
        fprintf(stderr, "without: no command\n");
        return 2;
    }
    struct program program = {filter_len, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, MODE_FILTER, &program, 0, 0) != 0)
        return NO_FILTERS;
    (void)execvp(argv[at + 1], argv + at + 1);
    fprintf(stderr, "without: %s: %s\n", argv[at + 1], strerror(errno));
    return 2;
}
