/* SPDX-License-Identifier: MIT */
#include "follow/items.h"

#include <string.h>

#include "test.h"

static void expect_new(const char *before, const char *now, bool read, const char *says)
{
    char name[] = "db";
    struct delta_follower done = {0};
    struct buf out = {0};
    buf_append_text(&done.items, before);
    if (read)
        (void)seqset_add(delta_follower_rows(&done, "S", "C", true), 7);
    done.name = name;
    follow_items_new(&out, &done, slice_of(now));
    EXPECT(strncmp(buf_text(&out), says, strlen(says)) == 0);
    EXPECT((out.len > 0) == (says[0] != '\0'));
    done.name = NULL;
    delta_follower_free(&done);
    buf_free(&out);
}

TEST(follow_items_that_are_new)
{
    static const char two[] = "target /a\ntable of x\n";
    expect_new("", two, true, "");  /* nothing was noted */
    expect_new(two, two, true, ""); /* nothing is new */
    expect_new(two, "target /a\n", true, "");
    expect_new(two, "target /b\ntable of x\ntable of y\n", false, ""); /* all is to come */
    expect_new(two, "target /b\ntable of x\ntable of y\n", true,
               "target /b, table of y: new in the configuration, and begins with the rows that "
               "come from now on; varve follow db --restart brings all");
    expect_new("target /a\ntable of *\n", two, true, ""); /* had a table before */
    expect_new("target of points 1\npoints of x m\n", "target of points 2\npoints of x m\n", true,
               "target (url): new");
    expect_new("subject a S\n", "subject b S\n", true, "subject b S: new");
    expect_new("subject a S\nselect x = 1\n", "subject a S\nselect x = 1\n", true, "");
    expect_new("subject a S\nselect x = 1\n", "subject a S\nselect x = 2\n", true,
               "select x = 2: new in the configuration, and begins with the rows that come from "
               "now on; varve replay");
    expect_new("target /a\nselect x = 1\n", "target /a\n", true, "what select has left out: new");
}
