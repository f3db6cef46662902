/* SPDX-License-Identifier: MIT */
#include "base/cgroup.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "test.h"

/* Below the test's own directory, which stands for the root. */
static void put(const char *path, const char *text)
{
    char whole[512];
    (void)snprintf(whole, sizeof(whole), "./%s", path);
    for (char *at = strchr(whole + 2, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(whole, 0700);
        *at = '/';
    }
    FILE *f = fopen(whole, "w");
    EXPECT(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

TEST(cgroup_unified_takes_the_least_on_the_way_up)
{
    put("proc/self/cgroup", "0::/system.slice/varve.service\n");
    put("sys/fs/cgroup/system.slice/varve.service/memory.max", "max\n");
    EXPECT_U64(cgroup_memory_limit("."), UINT64_MAX);
    put("sys/fs/cgroup/system.slice/memory.max", "67108864\n");
    EXPECT_U64(cgroup_memory_limit("."), 64 * 1024 * 1024);
    put("sys/fs/cgroup/system.slice/varve.service/memory.max", "50331648\n");
    EXPECT_U64(cgroup_memory_limit("."), 48 * 1024 * 1024);
}

TEST(cgroup_of_the_first_version)
{
    put("proc/self/cgroup", "9:cpu,cpuacct:/docker/12\n4:memory:/docker/12\n0::/\n");
    EXPECT_U64(cgroup_memory_limit("."), UINT64_MAX);
    /* In the container its own group is the root of what is mounted. */
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "100000000\n");
    EXPECT_U64(cgroup_memory_limit("."), 100000000);
    put("proc/self/cgroup", "4:hugetlb,memory:/a\n");
    put("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "70000000\n");
    EXPECT_U64(cgroup_memory_limit("."), 70000000);
}

TEST(cgroup_that_says_nothing_is_no_limit)
{
    static const char *const odd[] = {
        "", "\n", "0\n", "0:\n", "0::x\n", ":::::\n", "1:mem:/\n2:memoryx:/\n"};
    EXPECT_U64(cgroup_memory_limit("."), UINT64_MAX);
    put("sys/fs/cgroup/memory.max", "-1\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "5\n");
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        put("proc/self/cgroup", odd[i]);
        EXPECT_U64(cgroup_memory_limit("."), UINT64_MAX);
    }
    put("proc/self/cgroup", "0::/\n");
    EXPECT_U64(cgroup_memory_limit("."), UINT64_MAX);
}
