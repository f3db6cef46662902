/* SPDX-License-Identifier: MIT */
#include "follow/file_source.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

/* Small files are read at once, others piece by piece; somebody else cuts them off. */
TEST(cli_file_source_reads)
{
    static const size_t sizes[] = {6, 1 << 20};
    struct file_source f;
    struct err err = {0};
    for (size_t i = 0; i < 2; i++) {
        char data[4] = {0}, hash[SHA256_TEXT_MAX];
        FILE *file = fopen("x", "w");
        EXPECT(file != NULL && fputs("abcdef", file) >= 0 && fclose(file) == 0);
        EXPECT(truncate("x", (off_t)sizes[i]) == 0);
        EXPECT(file_source_open(&f, "x", &err) == 0);
        EXPECT_U64(f.source.size, sizes[i]);
        EXPECT(!file_source_hash(&f, hash)); /* nothing was read yet */
        EXPECT(f.source.read(f.source.context, 2, data, 3, &err) == 0);
        EXPECT_TEXT(data, "cde");
        EXPECT(file_source_hash(&f, hash) == (i == 0));
        if (i == 0) /* printf abcdef | sha256sum */
            EXPECT_TEXT(hash, "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721");
        file_source_close(&f);
        EXPECT(file_source_open(&f, "x", &err) == 0);
        EXPECT(truncate("x", 3) == 0);
        EXPECT(f.source.read(f.source.context, 2, data, 3, &err) == -1);
        EXPECT_I64(err.code, ERR_SYSTEM);
        EXPECT(!file_source_hash(&f, hash));
        err_clear(&err);
        file_source_close(&f);
    }
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
