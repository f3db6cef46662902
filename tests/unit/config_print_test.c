/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include "config/keys.h"
#include "test.h"

/* Are the two fields of a key equal? */
static void expect_same(const struct config_key *key, const void *a, const void *b)
{
    const void *x = (const char *)a + key->offset;
    const void *y = (const char *)b + key->offset;
    const struct config_list *list = x, *other = y;
    const struct config_start *start = x, *other_start = y;
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_SECRET:
    case CONFIG_LISTEN:
        EXPECT_TEXT(*(const char *const *)x, *(const char *const *)y);
        return;
    case CONFIG_LIST:
        EXPECT_U64(list->count, other->count);
        for (size_t i = 0; i < list->count; i++)
            EXPECT_TEXT(list->items[i], other->items[i]);
        return;
    case CONFIG_BOOL:
        EXPECT(*(const bool *)x == *(const bool *)y);
        return;
    case CONFIG_INTEGER:
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        EXPECT_I64(*(const int64_t *)x, *(const int64_t *)y);
        return;
    case CONFIG_CHOICE:
        EXPECT_BYTES(x, sizeof(int), y, sizeof(int));
        return;
    case CONFIG_START:
        EXPECT_U64(start->kind, other_start->kind);
        EXPECT_U64(start->sequence, other_start->sequence);
        return;
    }
}

TEST(config_example_parses_back_to_the_defaults)
{
    struct config read, initial;
    struct err err = {0};
    struct buf text = {0};
    config_append_example(&text);
    config_init(&initial);
    config_init(&read);
    /* So that a key which the example leaves out is seen. */
    memset(&read.batching, 0x55, sizeof(read.batching));
    memset(&read.output.min_free, 0x55, sizeof(read.output.min_free));
    memset(&read.memory_limit, 0x55, sizeof(read.memory_limit));
    if (config_read_text(&read, "example", buf_slice(&text), &err) != 0)
        EXPECT_TEXT(err.text, "no error");
    EXPECT_U64(read.source_count, 1);
    EXPECT_U64(read.payload_count + read.follower_count, 0);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const struct config_section *section = config_key_list(key);
        if (section != NULL && section->filled)
            expect_same(key, config_entry(&read, section, 0), config_entry(&initial, section, 0));
        else if (section == NULL)
            expect_same(key, &read, &initial);
    }
    EXPECT(config_finish(&read, &err) == 0);
    config_free(&read);
    config_free(&initial);
    buf_free(&text);
}

TEST(config_example_has_every_key_and_its_help)
{
    struct buf text = {0};
    config_append_example(&text);
    const char *at = buf_text(&text);
    for (size_t i = 0; i < config_key_count; i++) {
        const char *dot = strrchr(config_keys[i].path, '.');
        char word[16] = "# ";
        strncat(word, config_keys[i].help, 8);
        at = strstr(at, word);
        EXPECT(at != NULL);
        at = strstr(at, dot == NULL ? config_keys[i].path : dot + 1);
        EXPECT(at != NULL);
    }
    for (at = buf_text(&text); *at != '\0'; at += strcspn(at, "\n") + 1)
        EXPECT(strcspn(at, "\n") <= 100);
    buf_free(&text);
}

TEST(config_manual_has_every_key)
{
    struct buf text = {0};
    config_append_manual(&text);
    for (size_t i = 0; i < config_key_count; i++) {
        char line[160] = ".B ";
        strcat(line, config_keys[i].path);
        strcat(line, "\n");
        EXPECT(strstr(buf_text(&text), line) != NULL);
    }
    EXPECT(strstr(buf_text(&text), "Default: 250000. Read again on SIGHUP.\n") != NULL);
    EXPECT(strstr(buf_text(&text), "Default: 512MiB.\n") != NULL);
    buf_free(&text);
}
