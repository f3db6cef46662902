/* SPDX-License-Identifier: MIT */
#include "pipeline/epoch.h"

#include "test.h"

TEST(epoch_owns_what_it_was_given)
{
    char key[] = "a/b";
    char stream[] = "S";
    struct epoch *epoch = epoch_new(7, 2);
    struct epoch_file *file =
        epoch_add_file(epoch, 1, &event_schema, false, (struct slice){(uint8_t *)key, 3});
    epoch_source_begin(&epoch->sources[1], stream, "2026-01-01T00:00:00Z", "c");
    key[0] = 'x';
    stream[0] = 'x';
    EXPECT_TEXT(file->key, "a/b");
    EXPECT_TEXT(epoch->sources[1].stream, "S");
    EXPECT(epoch->sources[0].stream == NULL); /* takes no part */
    EXPECT_U64(file->source, 1);
    epoch_free(epoch);
}

TEST(epoch_files_stay_where_they_are)
{
    enum { MANY = 1000 };
    struct epoch *epoch = epoch_new(1, 1);
    struct epoch_file *first = epoch_add_file(epoch, 0, &event_schema, false, slice_of("0"));
    for (int i = 1; i < MANY; i++)
        (void)epoch_add_file(epoch, 0, &event_schema, false, slice_of("k"));
    EXPECT_U64(epoch->file_count, MANY);
    EXPECT(epoch->files[0] == first); /* the encoder holds on to it meanwhile */
    epoch_free(epoch);
}

TEST(epoch_reasons_have_names)
{
    for (int reason = 0; reason < EPOCH_REASONS; reason++)
        EXPECT(epoch_reason_name((enum epoch_reason)reason)[0] != '\0');
    EXPECT_TEXT(epoch_reason_name(EPOCH_AGE), "age");
}

TEST(epoch_free_takes_nothing)
{
    epoch_free(NULL);
}
