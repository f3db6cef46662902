/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "object/posix.h"
#include "test.h"

/* What does not fit into 32 bits, on machines that have no more in a word. */

TEST(posix_reads_behind_4_gib_and_after_2038)
{
    const off_t hole = (off_t)5 << 30;
    const int64_t year_2100 = INT64_C(4102444800);
    struct object_posix_config config = {.root = ".", .entries = "log/"};
    struct timespec times[2] = {{.tv_sec = (time_t)year_2100}, {.tv_sec = (time_t)year_2100}};
    struct object_info info;
    struct buf out = {0};
    struct err err = {0};
    bool found;
    int fd = open("large", O_WRONLY | O_CREAT, 0644);
    EXPECT(fd >= 0 && ftruncate(fd, hole) == 0 && pwrite(fd, "end", 3, hole) == 3);
    EXPECT(futimens(fd, times) == 0 && close(fd) == 0);
    struct object_store *store = object_posix_open(&config, &err);
    EXPECT(store != NULL);
    EXPECT(object_head(store, "large", &info, &found, &err) == 0 && found);
    EXPECT_U64(info.size, (UINT64_C(5) << 30) + 3);
    EXPECT_I64(info.modified, year_2100 * CLOCK_SECOND);
    EXPECT(object_get(store, "large", (UINT64_C(5) << 30) - 1, 100, &out, &found, &err) == 0);
    EXPECT_BYTES(out.data, out.len, "\0end", 4);
    object_store_close(store);
    buf_free(&out);
}
