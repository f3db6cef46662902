/* SPDX-License-Identifier: MIT */
#include "follow/file_source.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

TEST(cli_file_source_reads)
{
    struct file_source f;
    struct err err = {0};
    char data[4] = {0};
    FILE *file = fopen("x", "w");
    EXPECT(file != NULL && fputs("abcdef", file) >= 0 && fclose(file) == 0);
    EXPECT(file_source_open(&f, "x", &err) == 0);
    EXPECT_U64(f.source.size, 6);
    EXPECT(f.source.read(f.source.context, 2, data, 3, &err) == 0);
    EXPECT_TEXT(data, "cde");
    EXPECT(truncate("x", 3) == 0); /* by somebody else */
    EXPECT(f.source.read(f.source.context, 2, data, 3, &err) == -1);
    EXPECT_I64(err.code, ERR_SYSTEM);
    file_source_close(&f);
}

TEST(cli_file_source_refuses)
{
    struct file_source f;
    struct err err = {0};
    EXPECT(file_source_open(&f, "nowhere", &err) == -1);
    EXPECT_I64(err.code, ERR_SYSTEM);
    err_clear(&err);
    EXPECT(file_source_open(&f, ".", &err) == -1);
    err_clear(&err);
    EXPECT(mkfifo("pipe", 0600) == 0); /* no one writes to it: must not wait */
    EXPECT(file_source_open(&f, "pipe", &err) == -1);
    EXPECT_TEXT(err.text, "not a regular file");
}
