/* SPDX-License-Identifier: MIT */
#include "store/epoch.h"

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

TEST(epoch_file_knows_its_sequences_while_they_are_few_ranges)
{
    struct epoch *e = epoch_new(1, 1);
    struct epoch_file *file = epoch_add_file(e, 0, &event_schema, false, slice_of("key"));
    for (uint64_t i = 0; i < STORE_ADD_RANGES_MAX; i++)
        epoch_add_sequence(e, file, 10 + 2 * i);
    EXPECT_U64(file->sequences.count, STORE_ADD_RANGES_MAX);
    epoch_add_sequence(e, file, 11); /* joins two of them */
    EXPECT_U64(file->sequences.count, STORE_ADD_RANGES_MAX - 1);
    EXPECT_U64(seqset_size(&file->sequences), STORE_ADD_RANGES_MAX + 1);
    epoch_free(e);
}

TEST(epoch_file_knows_both_ends_of_many_ranges)
{
    struct epoch *e = epoch_new(1, 1);
    struct epoch_file *file = epoch_add_file(e, 0, &event_schema, false, slice_of("key"));
    for (uint64_t i = 0; i < 5000; i++)
        epoch_add_sequence(e, file, 1000 + 3 * i);
    uint64_t memory = epoch_memory(e);
    epoch_add_sequence(e, file, 7);     /* redeliveries come late */
    epoch_add_sequence(e, file, 2000);  /* inside */
    epoch_add_sequence(e, file, 90000); /* the newest */
    const struct seqset *set = &file->sequences;
    EXPECT(set->count > STORE_ADD_RANGES_MAX);
    EXPECT_U64(set->list[0].first, 7);
    EXPECT_U64(set->list[set->count - 1].last, 90000);
    EXPECT_U64(epoch_memory(e), memory);
    EXPECT(memory < 64 * 1024);
    epoch_free(e);
}

TEST(epoch_memory_grows_with_files_and_rows)
{
    struct epoch *e = epoch_new(1, 1);
    uint64_t before = epoch_memory(e);
    struct epoch_file *file = epoch_add_file(e, 0, &event_schema, false, slice_of("key"));
    EXPECT(epoch_memory(e) >= before + sizeof(*file) + 1000); /* its line in the log is in it */
    before = epoch_memory(e);
    for (uint64_t i = 0; i < 1000; i++)
        (void)seqset_add(&e->sources[0].rows, 2 * i);
    EXPECT(epoch_memory(e) >= before + 1000 * 16); /* a range is two numbers */
    epoch_free(e);
}
