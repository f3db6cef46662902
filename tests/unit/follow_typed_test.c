/* SPDX-License-Identifier: MIT */
#include "follow/typed.h"

#include <sys/stat.h>

#include "test.h"

static bool is_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A follower whose name is not a part of a file name as it is: one place in the table is its own,
 * whatever it does there. */
TEST(follow_typed_looks_under_the_name_that_it_writes_under)
{
    struct buf message = {0};
    struct err err = {0};
    EXPECT(mkdir("types", 0777) == 0);
    EXPECT(typed_table_message("types", slice_of("a.b"), "_x", &message, &err) == 0);
    EXPECT_TEXT(err.text, "");
    EXPECT_U64(message.len, 0);
    EXPECT(is_folder("types/a.b/.varve/%5Fx") && !is_folder("types/a.b/.varve/_x"));
    buf_free(&message);
}
