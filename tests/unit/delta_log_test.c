/* SPDX-License-Identifier: MIT */
#include "delta/log.h"

#include <string.h>

#include "test.h"

enum { VERSIONS = 16 };

/* A folder of which one reading misses names that are there. */
struct torn {
    struct object_store store;
    bool there[VERSIONS], listed[VERSIONS];
    uint64_t checkpoint; /* 0: none */
    uint32_t asked;
};

static int torn_list(struct object_store *store, const char *folder, const char *after,
                     object_visit *visit, void *context, struct err *err)
{
    struct torn *t = (struct torn *)store;
    struct buf name = {0};
    (void)folder;
    (void)err;
    for (uint64_t version = 0; version < VERSIONS; version++) {
        buf_reset(&name);
        delta_checkpoint_name(&name, &(struct delta_checkpoint){true, version, 0}, 1);
        if (version > 0 && version == t->checkpoint && strcmp(buf_text(&name), after) > 0)
            EXPECT(visit(context, buf_slice(&name)));
        buf_reset(&name);
        delta_entry_name(&name, version);
        if (t->listed[version] && strcmp(buf_text(&name), after) > 0)
            EXPECT(visit(context, buf_slice(&name)));
    }
    buf_free(&name);
    return 0;
}

static int torn_head(struct object_store *store, const char *name, struct object_info *out,
                     bool *found, struct err *err)
{
    struct torn *t = (struct torn *)store;
    uint64_t version;
    (void)err;
    EXPECT(delta_entry_version(slice_of(name), &version) && version < VERSIONS);
    *found = t->there[version];
    *out = (struct object_info){0};
    t->asked++;
    return 0;
}

static const struct object_operations torn_operations = {.list = torn_list, .head = torn_head};

/* `there` and `listed` have a digit for each version, '1' where it is; `expected` likewise. */
static void expect_listing(uint64_t first, uint64_t checkpoint, const char *there,
                           const char *listed, const char *expected, uint32_t asked)
{
    struct torn t = {.store = {&torn_operations}, .checkpoint = checkpoint};
    struct delta_listing listing = {0};
    struct err err = {0};
    char found[VERSIONS + 1] = "0000000000000000";
    for (size_t i = 0; there[i] != '\0'; i++) {
        t.there[i] = there[i] == '1';
        t.listed[i] = listed[i] == '1';
    }
    EXPECT(delta_log_list(&t.store, first, &listing, &err) == 0);
    for (size_t i = 0; i < listing.entries.count; i++) {
        found[listing.entries.list[i]] = '1';
        EXPECT(i == 0 || listing.entries.list[i - 1] < listing.entries.list[i]);
    }
    found[strlen(expected)] = '\0';
    EXPECT_TEXT(found, expected);
    EXPECT_U64(t.asked, asked);
    EXPECT(listing.checkpoint.found == (checkpoint > 0));
    delta_listing_free(&listing);
}

TEST(delta_log_has_what_one_reading_of_the_folder_misses)
{
    expect_listing(0, 0, "11111111", "11111111", "11111111", 0);
    expect_listing(0, 0, "11111111", "11111011", "11111111", 1);
    expect_listing(0, 0, "11111111", "11101001", "11111111", 3);
    expect_listing(0, 0, "11111111", "00000001", "11111111", 7);
    /* The newest are as if they had come later. */
    expect_listing(0, 0, "11111111", "11111100", "11111100", 0);
    expect_listing(0, 0, "00000000", "00000000", "00000000", 0);
    /* Of those below `first` nothing is asked. */
    expect_listing(5, 0, "11111111", "11111011", "00000111", 1);
    expect_listing(6, 0, "11111111", "11111011", "00000011", 0);
}

TEST(delta_log_without_an_entry_stays_without_it)
{
    expect_listing(0, 0, "11011111", "11011101", "11011111", 2);
    /* Below the first gap nothing can have come meanwhile. */
    expect_listing(0, 0, "10110111", "10010111", "10010111", 1);
    expect_listing(0, 0, "00111111", "00111111", "00111111", 1);
    /* A clean-up has removed what a checkpoint has. */
    expect_listing(0, 3, "00001111", "00001111", "00001111", 0);
    expect_listing(0, 3, "00001111", "00000101", "00001111", 2);
    expect_listing(0, 5, "00001111", "00000011", "00000011", 0);
}
