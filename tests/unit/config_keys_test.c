/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include "config/config.h"
#include "test.h"

TEST(config_keys_are_sound)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        EXPECT(config_key_find(key->path) == key);
        EXPECT(strlen(key->path) + 8 < CONFIG_PATH_MAX);
        EXPECT(key->help != NULL && key->help[strlen(key->help) - 1] == '.');
        EXPECT(key->initial != NULL);
        EXPECT(key->choices != NULL ? key->type == CONFIG_CHOICE || key->type == CONFIG_LIST
                                    : key->type != CONFIG_CHOICE);
        bool ranged = key->type == CONFIG_INTEGER || key->type == CONFIG_COUNT ||
                      key->type == CONFIG_SIZE || key->type == CONFIG_DURATION;
        EXPECT(ranged == (key->max > key->min));
        EXPECT(key->offset <
               (config_key_list(key) != NULL ? config_key_list(key)->size : sizeof(struct config)));
        /* Two keys of one struct have a field each. */
        for (size_t j = 0; j < i; j++)
            EXPECT(config_keys[j].offset != key->offset ||
                   config_key_list(&config_keys[j]) != config_key_list(key));
    }
}

TEST(config_keys_and_sections)
{
    EXPECT(config_key_find("batching") == NULL);
    EXPECT(config_key_find("batching.max_row") == NULL);
    EXPECT(config_key_find("") == NULL);
    EXPECT(config_key_section("nats"));
    EXPECT(config_key_section("nats.tls"));
    EXPECT(!config_key_section("nats.tl"));
    EXPECT(!config_key_section("nats.tls.enabled"));
    EXPECT(!config_key_section("memory_limit"));
    EXPECT(!config_key_section(""));
    EXPECT(config_key_list(config_key_find("sources[].stream")) == config_section_find("sources"));
    EXPECT(config_key_list(config_key_find("memory_limit")) == NULL);
}
