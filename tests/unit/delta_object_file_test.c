/* SPDX-License-Identifier: MIT */
#include "delta/object_file.h"

#include <string.h>

#include "test.h"

/* What is appended for a path of the log; NULL: it is refused, and nothing is appended. */
static void expect_name(const char *path, const char *expected)
{
    struct buf name = {0};
    struct err err = {0};
    buf_append_text(&name, "x");
    int result = delta_object_name(&name, slice_of(path), &err);
    EXPECT((result == 0) == (expected != NULL));
    EXPECT_TEXT(buf_text(&name), expected != NULL ? expected : "x");
    EXPECT(expected != NULL || (err.code == ERR_FORMAT && strstr(err.text, path) != NULL &&
                                strstr(err.text, "shallow clone") != NULL));
    buf_free(&name);
}

TEST(delta_object_name_is_below_the_table)
{
    expect_name("a/b.parquet", "xa/b.parquet");
    expect_name("a%20b%2Db.parquet", "xa b-b.parquet");
    expect_name("/srv/a.parquet", NULL);
    expect_name("file:///srv/a.parquet", NULL);
    expect_name("file:/srv/a.parquet", NULL);
    expect_name("s3://bucket/a.parquet", NULL);
    expect_name("ab+c-d.1:a.parquet", NULL);
    expect_name("time=10:00/a.parquet", "xtime=10:00/a.parquet");
    expect_name("a/b:c", "xa/b:c");
    expect_name("file%3A/a.parquet", "xfile:/a.parquet");
    expect_name("../b/a.parquet", NULL);
    expect_name("a/%2E%2E/%2e%2e/b.parquet", NULL);
    expect_name("a%2", NULL);
    expect_name("", NULL);
}
