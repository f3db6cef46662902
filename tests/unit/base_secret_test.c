/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"
#include "test.h"

static int take(const char *name, size_t max, struct buf *out, struct err *err)
{
    secret_free(out);
    err_clear(err);
    return secret_read(name, max, out, NULL, err);
}

TEST(secret_read_takes_what_fits)
{
    struct buf out = {0};
    struct err err = {0};
    mode_t mode = 0;
    write_file("key", "0123456789");
    EXPECT(chmod("key", 0640) == 0);
    EXPECT(secret_read("key", 100, &out, &mode, &err) == 0);
    EXPECT(slice_is(buf_slice(&out), "0123456789") && out.cap > out.len);
    EXPECT_U64(mode & 07777, 0640);
    EXPECT(take("key", 10, &out, &err) == 0);
    EXPECT_U64(out.len, 10);
    EXPECT(take("key", 9, &out, &err) == -1 && err.code == ERR_LIMIT);
    EXPECT_TEXT(err.text, "it has more than 9 bytes");
    write_file("key", "");
    EXPECT(take("key", 9, &out, &err) == 0);
    EXPECT_U64(out.len, 0);
    secret_free(&out);
    EXPECT(out.data == NULL && out.len == 0);
}

TEST(secret_read_says_why_not)
{
    struct buf out = {0};
    struct err err = {0};
    EXPECT(take("nowhere", 9, &out, &err) == -1);
    EXPECT(err.code == ERR_SYSTEM && err.system == ENOENT);
    EXPECT_TEXT(err.text, "No such file or directory");
    EXPECT(take(".", 9, &out, &err) == -1);
    EXPECT_TEXT(err.text, "it is not a file");
    EXPECT(mkfifo("pipe", 0600) == 0); /* that nobody writes to */
    EXPECT(take("pipe", 9, &out, &err) == -1);
    EXPECT_TEXT(err.text, "it is not a file");
    secret_free(&out);
}

/* Such a file has no size until it is read. */
TEST(secret_read_of_a_file_of_the_kernel)
{
    struct buf out = {0};
    struct err err = {0};
    EXPECT(take("/proc/self/comm", 64, &out, &err) == 0);
    EXPECT(out.len > 1 && out.data[out.len - 1] == '\n');
    secret_free(&out);
}

TEST(secret_is_exposed_to_all_but_its_group)
{
    EXPECT(!secret_is_exposed(0600) && !secret_is_exposed(0640) && !secret_is_exposed(0400));
    EXPECT(secret_is_exposed(0644) && secret_is_exposed(0602) && secret_is_exposed(0620));
}

/* What was read ahead is as it was then, whatever becomes of the file. */
TEST(secret_read_takes_what_was_read_ahead)
{
    struct secret_files files = {0};
    struct buf out = {0};
    struct err err = {0};
    mode_t mode = 0;
    write_file("key", "0123456789");
    EXPECT(chmod("key", 0640) == 0 && mkfifo("pipe", 0600) == 0);
    static const char *const paths[] = {"key", "", "nowhere", "pipe"};
    for (size_t i = 0; i < 4; i++)
        secret_files_add(&files, paths[i], 20);
    EXPECT_U64(files.count, 3);
    secret_files_read(&files);
    write_file("key", "another");
    write_file("other", "there");
    write_file("nowhere", "it is, now");
    secret_read_from(&files);
    EXPECT(take("key", 10, &out, &err) == 0);
    EXPECT(out.len == 10 && memcmp(out.data, "0123456789", 10) == 0);
    EXPECT(secret_mode("key", &mode) && (mode & 07777) == 0640);
    EXPECT(take("key", 9, &out, &err) == -1 && err.code == ERR_LIMIT);
    EXPECT(take("nowhere", 20, &out, &err) == -1 && err.system == ENOENT);
    EXPECT_TEXT(err.text, "No such file or directory");
    EXPECT(!secret_mode("nowhere", &mode));
    EXPECT(take("pipe", 20, &out, &err) == -1);
    EXPECT_TEXT(err.text, "it is not a file");
    EXPECT(secret_mode("pipe", &mode) && S_ISFIFO(mode));
    EXPECT(take("other", 20, &out, &err) == 0 && out.len == 5); /* nobody has foreseen it */
    secret_read_from(NULL);
    EXPECT(take("key", 20, &out, &err) == 0 && out.len == 7);
    secret_free(&out);
    secret_files_free(&files);
}
