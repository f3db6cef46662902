/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/sandbox.h"

/*
 * The system calls that varve makes, with all that the C library makes of them: on each
 * architecture those that sys/syscall.h names there. 32-bit ones have others for times and offsets
 * of 64 bits. Those made most stand first: a filter is read from its beginning where the kernel
 * does not remember what it said (before Linux 5.11).
 */

/* An argument, counted from 0, as far as its low 32 bits say. Unset it holds. */
struct condition {
    bool is_set;
    uint8_t argument;
    uint32_t mask, value;
};

/* Alternatives of one call stand together. */
struct call {
    long number;
    bool network; /* let through only where the network is allowed */
    struct condition conditions[2];
};

enum { CONDITIONS_MAX = 2 };

#define CALL(name)           \
    {                        \
        .number = SYS_##name \
    }
#define NETWORK(name)                         \
    {                                         \
        .number = SYS_##name, .network = true \
    }
#define WHERE(argument, mask, value)                \
    {                                               \
        true, (argument), (mask), (uint32_t)(value) \
    }
#define CALL_WHERE(name, argument, mask, value)                              \
    {                                                                        \
        .number = SYS_##name, .conditions = { WHERE(argument, mask, value) } \
    }
#define ALL UINT32_MAX
#define SOCKET(family, type)                                   \
    {                                                          \
        .number = SYS_socket, .network = true, .conditions = { \
            WHERE(0, ALL, (family)),                           \
            WHERE(1, SOCKET_TYPE, (type))                      \
        }                                                      \
    }

enum {
    SOCKET_TYPE = 0xf,       /* flags stand beside it */
    THREAD = 0x10000,        /* CLONE_THREAD of linux/sched.h */
    INTERFACE_INDEX = 0x8933 /* SIOCGIFINDEX of linux/sockios.h: the zone of an IPv6 address */
};

/* Where clone(2) has its flags. */
#ifdef __s390x__
enum { CLONE_FLAGS = 1 };
#else
enum { CLONE_FLAGS = 0 };
#endif

static const struct call calls[] = {
    CALL(read),
    CALL(write),
#ifdef SYS_poll
    CALL(poll),
#endif
#ifdef SYS_ppoll
    CALL(ppoll),
#endif
#ifdef SYS_ppoll_time64
    CALL(ppoll_time64),
#endif
#ifdef SYS_recv
    NETWORK(recv),
#endif
    NETWORK(recvfrom),
#ifdef SYS_send
    NETWORK(send),
#endif
    NETWORK(sendto),
#ifdef SYS_futex
    CALL(futex),
#endif
#ifdef SYS_futex_time64
    CALL(futex_time64),
#endif

    /* Memory: none that can be written is ever run. */
    CALL(brk),
    CALL(madvise),
    CALL(mremap),
    CALL(munmap),
#ifdef SYS_mmap2
    CALL_WHERE(mmap2, 2, PROT_EXEC, 0),
#elif defined(__s390x__)
    CALL(mmap), /* its arguments are in memory */
#else
    CALL_WHERE(mmap, 2, PROT_EXEC, 0),
#endif
    CALL_WHERE(mprotect, 2, PROT_EXEC, 0),
    CALL(close),
    CALL(openat),
#ifdef SYS_openat2
    CALL(openat2),
#endif
#ifdef SYS_open
    CALL(open),
#endif
    CALL(pread64),
    CALL(pwrite64),
    CALL(readv),
    CALL(writev),
    CALL(lseek),
#ifdef SYS__llseek
    CALL(_llseek),
#endif
    CALL(fdatasync),
    CALL(fsync),
    CALL(syncfs),
#ifdef SYS_sync_file_range
    CALL(sync_file_range),
#endif
#ifdef SYS_sync_file_range2
    CALL(sync_file_range2),
#endif
    CALL(ftruncate),
#ifdef SYS_ftruncate64
    CALL(ftruncate64),
#endif
    CALL(flock),
    CALL(fcntl),
#ifdef SYS_fcntl64
    CALL(fcntl64),
#endif
    CALL_WHERE(ioctl, 1, ALL, TIOCGWINSZ), /* stdio: is it a terminal? */
    CALL_WHERE(ioctl, 1, ALL, INTERFACE_INDEX),
    CALL(dup),
    CALL(pipe2),
    CALL(eventfd2),
    CALL(mkdirat),
#ifdef SYS_mkdir
    CALL(mkdir),
#endif
#ifdef SYS_renameat
    CALL(renameat),
#endif
    CALL(renameat2),
#ifdef SYS_rename
    CALL(rename),
#endif
    CALL(linkat),
#ifdef SYS_link
    CALL(link),
#endif
    CALL(unlinkat),
#ifdef SYS_rmdir
    CALL(rmdir),
#endif
#ifdef SYS_unlink
    CALL(unlink),
#endif
    CALL(readlinkat),
#ifdef SYS_readlink
    CALL(readlink),
#endif
    CALL(getcwd),
    CALL(getdents64),
    CALL(faccessat),
#ifdef SYS_faccessat2
    CALL(faccessat2),
#endif
#ifdef SYS_access
    CALL(access),
#endif
#ifdef SYS_fstat
    CALL(fstat),
#endif
#ifdef SYS_fstat64
    CALL(fstat64),
#endif
#ifdef SYS_newfstatat
    CALL(newfstatat),
#endif
#ifdef SYS_fstatat64
    CALL(fstatat64),
#endif
#ifdef SYS_stat
    CALL(stat),
#endif
#ifdef SYS_stat64
    CALL(stat64),
#endif
#ifdef SYS_lstat
    CALL(lstat),
#endif
#ifdef SYS_lstat64
    CALL(lstat64),
#endif
#ifdef SYS_statx
    CALL(statx),
#endif
    CALL(fstatfs),
#ifdef SYS_fstatfs64
    CALL(fstatfs64),
#endif
    CALL(statfs),
#ifdef SYS_statfs64
    CALL(statfs64),
#endif
    SOCKET(AF_INET, SOCK_STREAM),
    SOCKET(AF_INET, SOCK_DGRAM), /* names are asked for by UDP */
    SOCKET(AF_INET6, SOCK_STREAM),
    SOCKET(AF_INET6, SOCK_DGRAM),
    SOCKET(AF_UNIX, SOCK_DGRAM), /* the service manager */
    NETWORK(accept4),
#ifdef SYS_accept
    NETWORK(accept),
#endif
    NETWORK(bind),
    NETWORK(connect),
    NETWORK(getpeername),
    NETWORK(getsockname),
    NETWORK(getsockopt),
    NETWORK(listen),
    NETWORK(recvmsg),
    NETWORK(sendmsg),
    NETWORK(setsockopt),
    NETWORK(shutdown),
    CALL_WHERE(clone, CLONE_FLAGS, THREAD, THREAD),
    CALL(exit),
    CALL(exit_group),
    CALL(gettid),
    CALL(membarrier),
    CALL(restart_syscall),
#ifdef SYS_rseq
    CALL(rseq), /* a thread of the GNU C library */
#endif
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
#ifdef SYS_sigreturn
    CALL(sigreturn),
#endif
    CALL(sched_yield),
    CALL(set_robust_list),
    CALL(set_tid_address),
    CALL(sigaltstack),
    CALL_WHERE(tkill, 1, ALL, SIGABRT), /* abort */
#ifdef SYS_clock_gettime
    CALL(clock_gettime),
#endif
#ifdef SYS_clock_gettime64
    CALL(clock_gettime64),
#endif
#ifdef SYS_clock_nanosleep
    CALL(clock_nanosleep),
#endif
#ifdef SYS_clock_nanosleep_time64
    CALL(clock_nanosleep_time64),
#endif
#ifdef SYS_gettimeofday
    CALL(gettimeofday),
#endif
#ifdef SYS_nanosleep
    CALL(nanosleep),
#endif
    CALL(getegid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getpid),
    CALL(getrandom),
    CALL(getrusage),
    CALL(getuid),
    CALL_WHERE(prlimit64, 0, ALL, 0),
    CALL(sched_getaffinity),
    CALL_WHERE(ioprio_set, 1, ALL, 0),  /* the same */
    CALL_WHERE(setpriority, 1, ALL, 0), /* of the thread itself: store/keeper.c */
    CALL(sysinfo),
    CALL(uname),
};

enum { CALLS_COUNT = sizeof(calls) / sizeof(calls[0]) };

/* As linux/audit.h numbers the architectures. */
#if defined(__x86_64__) && !defined(__ILP32__)
enum { ARCHITECTURE = 62, ARCHITECTURE_IS_LE = 1, ARCHITECTURE_IS_64 = 1 };
#elif defined(__i386__)
enum { ARCHITECTURE = 3, ARCHITECTURE_IS_LE = 1, ARCHITECTURE_IS_64 = 0 };
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
enum { ARCHITECTURE = 183, ARCHITECTURE_IS_LE = 1, ARCHITECTURE_IS_64 = 1 };
#elif defined(__arm__) && !defined(__ARMEB__)
enum { ARCHITECTURE = 40, ARCHITECTURE_IS_LE = 1, ARCHITECTURE_IS_64 = 0 };
#elif defined(__riscv) && __riscv_xlen == 64
enum { ARCHITECTURE = 243, ARCHITECTURE_IS_LE = 1, ARCHITECTURE_IS_64 = 1 };
#elif defined(__s390x__)
enum { ARCHITECTURE = 22, ARCHITECTURE_IS_LE = 0, ARCHITECTURE_IS_64 = 1 };
#else
enum { ARCHITECTURE = 0, ARCHITECTURE_IS_LE = 1, ARCHITECTURE_IS_64 = 1 };
#endif

/* A classic BPF program over struct seccomp_data, from linux/filter.h and linux/seccomp.h. */
struct instruction {
    uint16_t code;
    uint8_t if_true, if_false; /* how many instructions to skip */
    uint32_t value;
};

enum bpf_code { BPF_LOAD = 0x20, BPF_AND = 0x54, BPF_IF_EQUAL = 0x15, BPF_RETURN = 0x06 };

#define RETURN_ALLOW 0x7fff0000U
#define RETURN_ERROR(number) (0x00050000U | (number))

enum {
    DATA_NUMBER = 0,
    DATA_ARCHITECTURE = 4,
    DATA_ARGUMENTS = 16,
    DATA_LOW_HALF = ARCHITECTURE_IS_LE ? 0 : 4,
    /* For each call: the compare, two conditions of three, allowing it, refusing what is left. */
    PROGRAM_MAX = 16 + (CALLS_COUNT + 3) * (3 + 3 * CONDITIONS_MAX),
    SECCOMP_FILTER_MODE = 2,
};

struct program {
    struct instruction list[PROGRAM_MAX];
    uint16_t count;
};

static struct instruction *emit(struct program *p, enum bpf_code code, uint32_t value)
{
    ASSERT(p->count < PROGRAM_MAX);
    struct instruction *i = &p->list[p->count++];
    *i = (struct instruction){.code = (uint16_t)code, .value = value};
    return i;
}

/* Skip from the compare to here, where it does not hold. */
static void else_here(const struct program *p, struct instruction *compare)
{
    ptrdiff_t skipped = &p->list[p->count] - compare - 1;
    ASSERT(skipped >= 0 && skipped <= UINT8_MAX);
    compare->if_false = (uint8_t)skipped;
}

/* Allow the call if its conditions hold; else go on behind this. */
static void emit_alternative(struct program *p, const struct call *call)
{
    struct instruction *compares[CONDITIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < CONDITIONS_MAX && call->conditions[i].is_set; i++) {
        const struct condition *c = &call->conditions[i];
        emit(p, BPF_LOAD, DATA_ARGUMENTS + 8U * c->argument + DATA_LOW_HALF);
        emit(p, BPF_AND, c->mask);
        compares[count++] = emit(p, BPF_IF_EQUAL, c->value);
    }
    emit(p, BPF_RETURN, RETURN_ALLOW);
    while (count > 0)
        else_here(p, compares[--count]);
}

/* `count` alternatives of one call. */
static void emit_call(struct program *p, const struct call *list, size_t count)
{
    struct instruction *compare = emit(p, BPF_IF_EQUAL, (uint32_t)list->number);
    for (size_t i = 0; i < count; i++)
        emit_alternative(p, &list[i]);
    if (list->conditions[0].is_set)
        emit(p, BPF_RETURN, RETURN_ERROR(EPERM));
    else_here(p, compare);
}

/* Signals to itself: what only this process can say of its arguments. */
static void emit_own_signals(struct program *p)
{
    uint32_t pid = (uint32_t)getpid();
    const struct call own[] = {CALL_WHERE(kill, 0, ALL, pid), CALL_WHERE(tgkill, 0, ALL, pid)};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        emit_call(p, &own[i], 1);
}

/* 32-bit x86 and s390x had no calls of their own for sockets before Linux 4.3. */
static void emit_old_sockets(struct program *p)
{
#ifdef SYS_socketcall
    const struct call all = NETWORK(socketcall);
    if (syscall(SYS_socket, -1, 0, 0) < 0 && errno == ENOSYS)
        emit_call(p, &all, 1);
#else
    (void)p;
#endif
}

static void emit_program(struct program *p, bool network)
{
    emit(p, BPF_LOAD, DATA_ARCHITECTURE);
    emit(p, BPF_IF_EQUAL,
         ARCHITECTURE | (ARCHITECTURE_IS_64 ? 0x80000000U : 0) |
             (ARCHITECTURE_IS_LE ? 0x40000000U : 0))
        ->if_true = 1;
    emit(p, BPF_RETURN, RETURN_ERROR(ENOSYS));
    emit(p, BPF_LOAD, DATA_NUMBER);
    for (size_t i = 0, next; i < CALLS_COUNT; i = next) {
        for (next = i + 1; next < CALLS_COUNT && calls[next].number == calls[i].number;)
            next++;
        if (network || !calls[i].network)
            emit_call(p, &calls[i], next - i);
    }
    emit_own_signals(p);
    if (network)
        emit_old_sockets(p);
    emit(p, BPF_RETURN, RETURN_ERROR(ENOSYS));
}

bool sandbox_can_filter_calls(void)
{
    /* Where there are filters, it looks at the missing program first. */
    return ARCHITECTURE != 0 && prctl(PR_SET_SECCOMP, SECCOMP_FILTER_MODE, NULL, 0, 0) != 0 &&
           errno == EFAULT;
}

int sandbox_filter_calls(bool network, struct err *err)
{
    struct program program = {.count = 0};
    emit_program(&program, network);
    const struct {
        uint16_t count;
        const struct instruction *list;
    } filter = {program.count, program.list};
    if (prctl(PR_SET_SECCOMP, SECCOMP_FILTER_MODE, &filter, 0, 0) != 0)
        return err_set_system(err, errno, "sandbox: can't filter system calls");
    return 0;
}
