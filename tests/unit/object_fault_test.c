/* SPDX-License-Identifier: MIT */
#include "object/fault.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "store_fixture.h"

static struct fault *parse(const char *text)
{
    struct err err = {0};
    struct fault *fault = fault_new(text, &err);
    EXPECT_TEXT(err.text, "");
    return fault;
}

static int call(struct fault *fault, enum system_call which)
{
    int result = fault_hook(fault, which, false);
    if (result == 0)
        EXPECT(fault_hook(fault, which, true) == 0);
    return result;
}

TEST(store_fault_hits_the_nth_call)
{
    struct fault *fault = parse("fsync:2:EIO,any:5:ENOSPC");
    EXPECT_I64(call(fault, SYSTEM_CALL_FSYNC), 0);
    EXPECT_I64(call(fault, SYSTEM_CALL_FDATASYNC), 0);
    EXPECT_I64(call(fault, SYSTEM_CALL_FSYNC), EIO);
    EXPECT_I64(call(fault, SYSTEM_CALL_FSYNC), 0);
    EXPECT_I64(call(fault, SYSTEM_CALL_PWRITE), ENOSPC);
    EXPECT_I64(call(fault, SYSTEM_CALL_PWRITE), 0);
    fault_free(fault);
}

TEST(store_fault_lasts_until_a_file_is_there)
{
    struct fault *fault = parse("pwrite:2:ENOSPC:sticky:until=enough");
    EXPECT_I64(call(fault, SYSTEM_CALL_PWRITE), 0);
    EXPECT_I64(call(fault, SYSTEM_CALL_PWRITE), ENOSPC);
    EXPECT_I64(call(fault, SYSTEM_CALL_PWRITE), ENOSPC);
    fixture_write("enough", "");
    EXPECT_I64(call(fault, SYSTEM_CALL_PWRITE), 0);
    fault_free(fault);
}

static void expect_killed(const char *text, bool done_before)
{
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        struct system system = {.hook = fault_hook, .context = parse(text)};
        _exit(system_mkdir(&system, AT_FDCWD, "made", 0755) == 0 ? 0 : 1);
    }
    int status;
    EXPECT(waitpid(pid, &status, 0) == pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT((access("made", F_OK) == 0) == done_before);
}

TEST(store_fault_kills_before_and_after)
{
    expect_killed("mkdirat:1:kill", false);
    expect_killed("any:1:kill-after", true);
}

TEST(store_fault_refuses_bad_rules)
{
    static const char *const bad[] = {
        "", "fsync", "fsync:1", "sync:1:EIO", "fsync:x:EIO", "fsync:1:EFOO", "fsync:1:EIO:stick",
        ","};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        EXPECT(fault_new(bad[i], &err) == NULL);
        EXPECT(err.code == ERR_USAGE);
    }
}

TEST(store_fault_slows_down)
{
    struct fault *fault = parse("fdatasync:1:slow");
    int64_t began = clock_monotonic();
    EXPECT_I64(call(fault, SYSTEM_CALL_FDATASYNC), 0);
    EXPECT(clock_monotonic() - began >= 5 * CLOCK_MILLISECOND);
    fault_free(fault);
}
