/* SPDX-License-Identifier: MIT */
#include "base/assert.h"

#include "child.h"
#include "test.h"

static int evaluations;

static int count_evaluation(void)
{
    return ++evaluations;
}

static void fail_an_assertion(void)
{
    ASSERT(evaluations > 1000);
}

static void run_out_of_memory(void)
{
    out_of_memory(123456);
}

TEST(check_that_holds_does_nothing_and_evaluates_once)
{
    ASSERT(count_evaluation() == 1);
    EXPECT_I64(evaluations, 1);
}

TEST(check_that_fails_says_where_and_aborts)
{
    char text[1024];
    int status = child_run(fail_an_assertion, text, sizeof(text));
    EXPECT(WIFSIGNALED(status));
    EXPECT_I64(WTERMSIG(status), SIGABRT);
    EXPECT(strstr(text, "evaluations > 1000") != NULL);
    EXPECT(strstr(text, "base_assert_test.c:") != NULL);
    EXPECT(strstr(text, "fail_an_assertion") != NULL);
    const char *rest = strchr(text, '\n') + 1;
    EXPECT(rest[0] == '\0' || strncmp(rest, "qemu: ", 6) == 0); /* one line of ours */
}

TEST(check_out_of_memory_says_how_much_and_exits_1)
{
    char text[1024];
    int status = child_run(run_out_of_memory, text, sizeof(text));
    EXPECT(WIFEXITED(status));
    EXPECT_I64(WEXITSTATUS(status), 1);
    EXPECT(strstr(text, "123456") != NULL);
    EXPECT(strstr(text, "memory_limit") != NULL);
}
