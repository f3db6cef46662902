/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PARALLEL = 4,             /* many of them wait for a disk */
    TIME_LIMIT_SECONDS = 180, /* TEST_SECONDS in the environment replaces it */
    PATH_LEN = 256,           /* of a temporary directory */
    DEPTH_MAX = 128,          /* of folders in it: deeper ones would be left behind */
};

/* A test that runs. pid 0 marks a free slot. */
struct slot {
    const struct test *test;
    pid_t pid;
    time_t deadline;
    bool timed_out;
    int output; /* what the test prints */
    char dir[PATH_LEN];
};

static struct test *first_test;
static struct test **last_link = &first_test;

void test_register(struct test *t)
{
    *last_link = t;
    last_link = &t->next;
}

/* Freed by nobody, on purpose: they live until the test ends, and stay reachable so that the leak
 * checker keeps quiet about them. */
struct kept {
    struct kept *next;
    uint8_t bytes[];
};

static struct kept *kept_bytes;
static _Atomic uint64_t random_state; /* a test may have threads */

static uint64_t seed(void)
{
    const char *text = getenv("TEST_SEED");
    return text != NULL ? strtoull(text, NULL, 0) : 20261124;
}

_Noreturn static void fail(const char *file, int line)
{
    printf("    at %s:%d, TEST_SEED=%" PRIu64 "\n", file, line, seed());
    fflush(stdout);
    _exit(1);
}

void test_expect(bool ok, const char *what, const char *file, int line)
{
    if (!ok) {
        printf("    expected: %s\n", what);
        fail(file, line);
    }
}

void test_expect_u64(uint64_t actual, uint64_t expected, const char *what, const char *file,
                     int line)
{
    if (actual != expected) {
        printf("    %s is %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64 ")\n",
               what, actual, actual, expected, expected);
        fail(file, line);
    }
}

void test_expect_i64(int64_t actual, int64_t expected, const char *what, const char *file, int line)
{
    if (actual != expected) {
        printf("    %s is %" PRId64 ", expected %" PRId64 "\n", what, actual, expected);
        fail(file, line);
    }
}

void test_expect_text(const char *actual, const char *expected, const char *what, const char *file,
                      int line)
{
    if (actual == NULL || expected == NULL ? actual != expected : strcmp(actual, expected) != 0) {
        printf("    %s is\n      \"%s\", expected\n      \"%s\"\n", what,
               actual != NULL ? actual : "(null)", expected != NULL ? expected : "(null)");
        fail(file, line);
    }
}

/* The line of 16 bytes around `at`. */
static void print_hex(const char *label, const uint8_t *data, size_t len, size_t at)
{
    size_t start = at - at % 16;
    printf("      %-8s", label);
    for (size_t i = start; i < len && i < start + 16; i++)
        printf(" %02x", data[i]);
    printf("\n");
}

void test_expect_bytes(const void *actual, size_t actual_len, const void *expected,
                       size_t expected_len, const char *what, const char *file, int line)
{
    const uint8_t *a = actual;
    const uint8_t *e = expected;
    size_t at = 0;
    while (at < actual_len && at < expected_len && a[at] == e[at])
        at++;
    if (at == actual_len && at == expected_len)
        return;
    printf("    %s has %zu bytes, expected %zu; the first difference is at byte %zu:\n", what,
           actual_len, expected_len, at);
    print_hex("actual", a, actual_len, at);
    print_hex("expected", e, expected_len, at);
    fail(file, line);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    return c && found != NULL ? (int)(found - digits) : -1;
}

uint8_t *test_hex(const char *hex, size_t *len)
{
    struct kept *k = malloc(sizeof(*k) + strlen(hex) / 2 + 1);
    test_expect(k != NULL, "memory for test_hex", __FILE__, __LINE__);
    k->next = kept_bytes;
    kept_bytes = k;
    size_t digits = 0;
    int value = 0;
    for (const char *c = hex; *c; c++) {
        if (strchr(" \t\r\n", *c) != NULL)
            continue;
        test_expect(hex_digit(*c) >= 0, "only hexadecimal digits and blanks in test_hex", __FILE__,
                    __LINE__);
        value = value << 4 | hex_digit(*c);
        if (digits++ % 2) {
            k->bytes[digits / 2 - 1] = (uint8_t)value;
            value = 0;
        }
    }
    test_expect(digits % 2 == 0, "an even number of digits in test_hex", __FILE__, __LINE__);
    *len = digits / 2;
    return k->bytes;
}

uint64_t test_random(void)
{
    const uint64_t step = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t unset = 0;
    if (atomic_load(&random_state) == unset) /* seed() looks through the environment */
        (void)atomic_compare_exchange_strong(&random_state, &unset, seed());
    uint64_t z = atomic_fetch_add(&random_state, step);
    z += step;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "unit tests: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void set_child_signal(int how)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(how, &child, NULL);
}

_Noreturn static void run_in_child(const struct slot *s)
{
    /* A group of its own, so that nothing that the test started outlives it. */
    setpgid(0, 0);
    set_child_signal(SIG_UNBLOCK);
    if (chdir(s->dir) != 0 || dup2(s->output, STDOUT_FILENO) < 0 ||
        dup2(s->output, STDERR_FILENO) < 0)
        die("can't start a test");
    s->test->run();
    /* After a test that confined itself nobody can look for leaks. */
    fflush(stdout);
    if (prctl(PR_GET_DUMPABLE) != 1)
        _exit(0);
    exit(0);
}

static int time_limit(void)
{
    const char *text = getenv("TEST_SECONDS");
    return text != NULL ? atoi(text) : TIME_LIMIT_SECONDS;
}

static void start(struct slot *s, const struct test *t)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(s->dir, sizeof(s->dir), "%s/varve-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    char output[PATH_LEN + 8];
    if (mkdtemp(s->dir) == NULL)
        die(s->dir);
    snprintf(output, sizeof(output), "%s.out", s->dir);
    s->output = open(output, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (s->output < 0 || unlink(output) != 0)
        die(output);
    s->test = t;
    s->timed_out = false;
    s->deadline = time(NULL) + time_limit();
    fflush(stdout);
    s->pid = fork();
    if (s->pid < 0)
        die("fork");
    if (s->pid == 0)
        run_in_child(s);
    /* Also here, so that the group is there whoever comes first; fails if the child has ended. */
    setpgid(s->pid, s->pid);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)at;
    /* A directory that the test made unreadable is opened up on the way down. */
    if (type == FTW_DNR)
        chmod(path, 0700);
    return remove(path);
}

static void print_output(int fd)
{
    char block[4096];
    ssize_t n;
    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, block, sizeof(block))) > 0)
        fwrite(block, 1, (size_t)n, stdout);
}

/* Tidy up after a test that ended; true if it passed. */
static bool finish(struct slot *s, int status)
{
    kill(-s->pid, SIGKILL);
    bool passed = !s->timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!passed) {
        printf("FAILED %s (%s): ", s->test->name, s->test->file);
        if (s->timed_out)
            printf("no end after %d s\n", time_limit());
        else if (WIFSIGNALED(status))
            printf("%s\n", strsignal(WTERMSIG(status)));
        else
            printf("exit status %d\n", WEXITSTATUS(status));
        print_output(s->output);
    }
    close(s->output);
    nftw(s->dir, remove_entry, DEPTH_MAX, FTW_DEPTH | FTW_PHYS);
    s->pid = 0;
    return passed;
}

static void kill_late(struct slot *slots)
{
    for (int i = 0; i < PARALLEL; i++) {
        if (slots[i].pid && !slots[i].timed_out && time(NULL) >= slots[i].deadline) {
            slots[i].timed_out = true;
            kill(-slots[i].pid, SIGKILL);
        }
    }
}

/* Wait until one of the running tests ends. */
static bool wait_for_one(struct slot *slots)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        for (int i = 0; i < PARALLEL; i++) {
            int status;
            if (slots[i].pid && waitpid(slots[i].pid, &status, WNOHANG) == slots[i].pid)
                return finish(&slots[i], status);
        }
        kill_late(slots);
        sigtimedwait(&child, NULL, &(struct timespec){.tv_sec = 1});
    }
}

static struct slot *free_slot(struct slot *slots)
{
    for (int i = 0; i < PARALLEL; i++) {
        if (!slots[i].pid)
            return &slots[i];
    }
    return NULL;
}

static int list_tests(void)
{
    for (const struct test *t = first_test; t != NULL; t = t->next)
        puts(t->name);
    return 0;
}

static bool is_selected(const struct test *t, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(t->name, argv[i], strlen(argv[i])) == 0)
            return true;
    }
    return argc < 2;
}

int main(int argc, char **argv)
{
    struct slot slots[PARALLEL] = {0};
    unsigned started = 0, ended = 0, failed = 0;

    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list_tests();

    /* So that sigtimedwait can't miss one. */
    set_child_signal(SIG_BLOCK);

    /* Tests run elsewhere: this is where they find the files of the source tree. */
    char root[4096];
    if (getcwd(root, sizeof(root)) != NULL)
        setenv("TEST_ROOT", root, 0);

    for (const struct test *t = first_test; t != NULL; t = t->next) {
        if (!is_selected(t, argc, argv))
            continue;
        struct slot *s = free_slot(slots);
        if (s == NULL) {
            failed += !wait_for_one(slots);
            ended++;
            s = free_slot(slots);
        }
        start(s, t);
        started++;
    }
    for (; ended < started; ended++)
        failed += !wait_for_one(slots);
    printf("%u passed, %u failed\n", started - failed, failed);
    return failed || !started ? 1 : 0;
}
