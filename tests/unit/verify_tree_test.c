/* SPDX-License-Identifier: MIT */
#include "verify/tree.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "files.h"
#include "test.h"

static void expect_walk(const char *path, const char *expected, bool tree)
{
    struct file_list w = {0};
    struct err err = {0};
    struct buf text = {0};
    EXPECT(file_list_read(&w, path, &err) == 0);
    EXPECT(w.tree == tree);
    for (size_t i = 0; i < w.count; i++)
        buf_printf(&text, "%s (%s)%s\n", w.list[i].path, w.list[i].relative,
                   w.list[i].quarantine ? " quarantine" : "");
    EXPECT_TEXT(buf_text(&text), expected);
    buf_free(&text);
    file_list_free(&w);
}

TEST(cli_walk_tree)
{
    static const char *const folders[] = {"t",        "t/sim-b",       "t/sim-b/2026-11-24",
                                          "t/sim-a",  "t/_delta_log",  "t/_quarantine",
                                          "t/.varve", "t/x.parquet.d", "t/_quarantine/deep"};
    static const char *const files[] = {"t/sim-b/2026-11-24/2.parquet",
                                        "t/sim-b/2026-11-24/1.parquet",
                                        "t/sim-b/2026-11-24/.3.parquet",
                                        "t/sim-a/1.parquet",
                                        "t/sim-a/notes.txt",
                                        "t/sim-a/parquet",
                                        "t/_delta_log/1.checkpoint.parquet",
                                        "t/_quarantine/q.parquet",
                                        "t/_quarantine/deep/r.parquet",
                                        "t/.varve/b.parquet"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        EXPECT(mkdir(folders[i], 0700) == 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        write_file(files[i], "");
    EXPECT(symlink("..", "t/loop") == 0);
    EXPECT(symlink("sim-a/1.parquet", "t/link.parquet") == 0);
    expect_walk("t",
                "t/_quarantine/deep/r.parquet (_quarantine/deep/r.parquet) quarantine\n"
                "t/_quarantine/q.parquet (_quarantine/q.parquet) quarantine\n"
                "t/link.parquet (link.parquet)\n"
                "t/sim-a/1.parquet (sim-a/1.parquet)\n"
                "t/sim-b/2026-11-24/1.parquet (sim-b/2026-11-24/1.parquet)\n"
                "t/sim-b/2026-11-24/2.parquet (sim-b/2026-11-24/2.parquet)\n",
                true);
    expect_walk("t/sim-a/", "t/sim-a/1.parquet (1.parquet)\n", true);
    expect_walk("t/sim-a/notes.txt", "t/sim-a/notes.txt ()\n", false);
}

TEST(cli_walk_errors)
{
    struct file_list w = {0};
    struct err err = {0};
    EXPECT(file_list_read(&w, "nowhere", &err) == -1);
    EXPECT(err.code == ERR_SYSTEM && strstr(err.text, "nowhere") != NULL);
    file_list_free(&w);
    err_clear(&err);
    struct buf path = {0};
    buf_append_text(&path, "d");
    for (int i = 0; i <= WALK_DEPTH_MAX; i++) {
        EXPECT(mkdir(buf_text(&path), 0700) == 0);
        buf_append_text(&path, "/d");
    }
    EXPECT(mkdir(buf_text(&path), 0700) == 0);
    EXPECT(file_list_read(&w, "d", &err) == -1);
    EXPECT(err.code == ERR_LIMIT);
    file_list_free(&w);
    buf_free(&path);
}
