/* SPDX-License-Identifier: MIT */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "files.h"
#include "test.h"

/*
 * Each test is a process of its own (test.h), which confines itself. What it writes then goes into
 * "inside"; "outside" lies beside it. Where the kernel lacks what a test is about, it says so.
 */
static bool has_landlock(int version)
{
    if (sandbox_support().landlock >= version)
        return true;
    (void)fprintf(stderr, "not tried: this kernel lacks version %d of Landlock\n", version);
    return false;
}

static bool has_calls(void)
{
    if (sandbox_support().calls)
        return true;
    (void)fprintf(stderr, "not tried: this kernel has no seccomp filters\n");
    return false;
}

static void make_folders(void)
{
    EXPECT(mkdir("inside", 0755) == 0);
    EXPECT(mkdir("readable", 0755) == 0);
    EXPECT(mkdir("outside", 0755) == 0);
    write_file("inside/old", "x");
    write_file("readable/old", "x");
    write_file("outside/old", "x");
}

static void enter(struct sandbox *s)
{
    struct err err = {0};
    EXPECT(sandbox_allow(s, "inside", SANDBOX_WRITE));
    EXPECT(sandbox_allow(s, "readable", SANDBOX_READ));
    EXPECT(!sandbox_allow(s, "missing", SANDBOX_READ));
    EXPECT(sandbox_enter(s, &err) == 0);
    sandbox_free(s);
}

/* The errno of an open, 0 if it works. */
static int open_error(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

TEST(sandbox_writes_inside_alone)
{
    struct sandbox s = {.network = true};
    if (!has_landlock(SANDBOX_LANDLOCK_WRITE))
        return;
    make_folders();
    enter(&s);
    EXPECT_I64(open_error("inside/new", O_WRONLY | O_CREAT), 0);
    EXPECT(mkdir("inside/folder", 0755) == 0);
    EXPECT(rename("inside/new", "inside/folder/moved") == 0);
    EXPECT(link("inside/old", "inside/folder/linked") == 0);
    EXPECT(unlink("inside/folder/linked") == 0);

    EXPECT_I64(open_error("outside/new", O_WRONLY | O_CREAT), EACCES);
    EXPECT_I64(open_error("outside/old", O_WRONLY), EACCES);
    EXPECT_I64(open_error("outside/old", O_RDONLY), EACCES);
    EXPECT_I64(open_error("readable/old", O_WRONLY), EACCES);
    EXPECT_I64(open_error("readable/old", O_RDONLY), 0);
    EXPECT_I64(open_error("readable", O_RDONLY | O_DIRECTORY), 0);
    EXPECT_I64(open_error("outside", O_RDONLY | O_DIRECTORY), EACCES);
    EXPECT(mkdir("outside/folder", 0755) != 0);
    EXPECT(unlink("outside/old") != 0);
    EXPECT(rename("inside/old", "outside/moved") != 0);
    EXPECT(rename("outside/old", "inside/taken") != 0);
    EXPECT(symlink("/etc/passwd", "inside/link") != 0);
}

/* Somebody who replaces a configuration file does so by renaming a new one to its name. */
TEST(sandbox_reads_what_replaces_a_file)
{
    struct sandbox s = {.network = true};
    struct err err = {0};
    if (!has_landlock(1))
        return;
    make_folders();
    EXPECT(symlink("../readable/old", "outside/link") == 0);
    sandbox_allow_folder_of(&s, "outside/link", SANDBOX_READ);
    sandbox_allow_folder_of(&s, "plain-name", SANDBOX_READ); /* the working directory */
    EXPECT_U64(s.paths.count, 3);
    int ends[2];
    char byte;
    EXPECT(pipe(ends) == 0);
    pid_t other = fork(); /* is not confined, and replaces the file when this process is */
    if (other == 0)
        _exit(read(ends[0], &byte, 1) == 1 && rename("inside/old", "readable/old") == 0 ? 0 : 1);
    EXPECT(sandbox_enter(&s, &err) == 0);
    EXPECT(write(ends[1], "x", 1) == 1);
    while (access("inside/old", F_OK) == 0)
        (void)sched_yield();
    EXPECT_I64(open_error("readable/old", O_RDONLY), 0);
    sandbox_free(&s);
}

static int connect_error(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(fd >= 0);
    int error = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : errno;
    (void)close(fd);
    return error;
}

static int bind_error(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(fd >= 0);
    int error = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 ? 0 : errno;
    (void)close(fd);
    return error;
}

/* Nobody listens on these ports: what is not refused by the sandbox is refused by TCP. */
enum { PORT_ALLOWED = 1, PORT_OTHER = 2 };

TEST(sandbox_connects_to_its_ports_alone)
{
    struct sandbox s = {.network = true};
    if (!has_landlock(SANDBOX_LANDLOCK_PORTS))
        return;
    make_folders();
    *array_add(&s.connect) = PORT_ALLOWED;
    *array_add(&s.bind) = 0;
    enter(&s);
    EXPECT_I64(connect_error(PORT_ALLOWED), ECONNREFUSED);
    EXPECT_I64(connect_error(PORT_OTHER), EACCES);
    EXPECT_I64(bind_error(0), 0);
    EXPECT_I64(bind_error(PORT_OTHER), EACCES);
}

TEST(sandbox_may_connect_to_any_port)
{
    struct sandbox s = {.network = true, .any_port = true};
    if (!has_landlock(SANDBOX_LANDLOCK_PORTS))
        return;
    make_folders();
    enter(&s);
    EXPECT_I64(connect_error(PORT_OTHER), ECONNREFUSED);
    EXPECT_I64(bind_error(PORT_OTHER), EACCES);
}

static int socket_error(int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return errno;
    (void)close(fd);
    return 0;
}

TEST(sandbox_opens_no_other_sockets)
{
    struct sandbox s = {.network = true};
    if (!has_calls())
        return;
    make_folders();
    enter(&s);
    EXPECT_I64(socket_error(AF_INET, SOCK_STREAM, 0), 0);
    EXPECT_I64(socket_error(AF_INET, SOCK_DGRAM, 0), 0);
    EXPECT_I64(socket_error(AF_UNIX, SOCK_DGRAM, 0), 0);
    EXPECT_I64(socket_error(AF_UNIX, SOCK_STREAM, 0), EPERM);
    EXPECT_I64(socket_error(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
    EXPECT_I64(socket_error(AF_PACKET, SOCK_RAW, 0), EPERM);
    EXPECT_I64(socket_error(AF_NETLINK, SOCK_RAW, 0), EPERM);
}

TEST(sandbox_without_a_network_opens_no_socket)
{
    struct sandbox s = {0};
    if (!has_calls())
        return;
    make_folders();
    enter(&s);
    EXPECT_I64(socket_error(AF_INET, SOCK_STREAM, 0), ENOSYS);
    EXPECT_I64(socket_error(AF_UNIX, SOCK_DGRAM, 0), ENOSYS);
}

TEST(sandbox_starts_no_program)
{
    struct sandbox s = {.network = true};
    char *const arguments[] = {"/bin/true", NULL};
    if (!has_calls())
        return;
    make_folders();
    enter(&s);
    EXPECT(execv(arguments[0], arguments) != 0 && errno == ENOSYS);
    EXPECT(fork() < 0);
    EXPECT(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0);
}

TEST(sandbox_runs_no_memory_that_it_wrote)
{
    struct sandbox s = {.network = true};
    const size_t page = 4096;
    if (!has_calls())
        return;
    make_folders();
    enter(&s);
    EXPECT(mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(memory != MAP_FAILED);
    EXPECT(mprotect(memory, page, PROT_READ | PROT_EXEC) != 0);
    EXPECT(mprotect(memory, page, PROT_READ) == 0);
}

TEST(sandbox_signals_nobody_else)
{
    struct sandbox s = {.network = true};
    if (!has_calls())
        return;
    make_folders();
    pid_t parent = getppid();
    enter(&s);
    EXPECT(kill(parent, 0) != 0);
    EXPECT(kill(getpid(), 0) == 0);
}

TEST(sandbox_leaves_no_core_with_secrets)
{
    struct sandbox s = {.network = true, .secrets = true};
    struct err err = {0};
    struct stat before, after;
    EXPECT_I64(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
    EXPECT(stat("/proc/self/environ", &before) == 0);
    EXPECT(sandbox_allow(&s, "/proc/self", SANDBOX_READ));
    EXPECT(sandbox_enter(&s, &err) == 0);
    sandbox_free(&s);
    EXPECT(stat("/proc/self/environ", &after) == 0);
    EXPECT_U64(after.st_uid, 0); /* nobody but root looks in */
}

static void *try_in_thread(void *errors)
{
    ((int *)errors)[0] = open_error("outside/new", O_WRONLY | O_CREAT);
    ((int *)errors)[1] = socket_error(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    return NULL;
}

TEST(sandbox_holds_for_threads)
{
    struct sandbox s = {.network = true};
    pthread_t thread;
    int errors[2] = {0};
    bool files = has_landlock(SANDBOX_LANDLOCK_WRITE), calls = has_calls();
    make_folders();
    enter(&s);
    EXPECT(pthread_create(&thread, NULL, try_in_thread, errors) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(!files || errors[0] == EACCES);
    EXPECT(!calls || errors[1] == EPERM);
}

static void fail_an_assertion(void)
{
    struct sandbox s = {.network = true};
    struct err err = {0};
    if (sandbox_enter(&s, &err) == 0)
        abort();
}

/* A crash is still reported as what it is. */
TEST(sandbox_lets_it_abort)
{
    char text[64];
    int status = child_run(fail_an_assertion, text, sizeof(text));
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* What a user reads on hosts like Debian 11 (5.10, no Landlock), Ubuntu 22.04 (5.15, version 1),
 * Debian 12 (6.1, version 2), and where it was switched off at boot. */
TEST(sandbox_names_what_a_kernel_lacks)
{
    static const struct {
        struct sandbox_support support;
        const char *lacking;
        bool whole;
    } hosts[] = {
        {{.landlock = 0, .landlock_error = ENOSYS, .calls = true},
         "files and ports (Landlock is missing)",
         false},
        {{.landlock = 0, .landlock_error = EOPNOTSUPP, .calls = true},
         "files and ports (Landlock is switched off)",
         false},
        {{.landlock = 1, .calls = true},
         "files and ports (Landlock of Linux 5.19 is missing)",
         false},
        {{.landlock = 2, .calls = true}, "ports (Landlock of Linux 6.7 is missing)", true},
        {{.landlock = 4, .calls = true}, "", true},
        {{.landlock = 7, .calls = false}, "system calls (seccomp filters are missing)", false},
        {{.landlock = 2, .calls = false},
         "ports (Landlock of Linux 6.7 is missing); system calls (seccomp filters are missing)",
         false},
    };
    struct sandbox s = {.network = true, .writes = true};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct buf text = {0};
        sandbox_append_lacking(&s, &hosts[i].support, &text);
        EXPECT_TEXT(buf_text(&text), hosts[i].lacking);
        EXPECT(sandbox_is_whole(&s, &hosts[i].support) == hosts[i].whole);
        buf_free(&text);
    }
}
