/* SPDX-License-Identifier: MIT */
#include "config/yaml.h"

#include "test.h"

TEST(config_walk_skips_whole_values)
{
    struct walk w;
    struct err err = {0};
    bool empty;
    const char *text = "a: {b: [1, {c: 2}], d: e}\nf: [[], {}]\ng: h\n";
    EXPECT(walk_begin(&w, "f", slice_of(text), &err, &empty) == 0);
    EXPECT(!empty && walk_is_mapping(&w) && w.depth == 1);
    static const char *const keys[] = {"a", "f", "g"};
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(walk_next(&w) == 0 && walk_is_scalar(&w));
        EXPECT(slice_is(walk_scalar(&w), keys[i]));
        EXPECT_U64(walk_line(&w), i + 1);
        EXPECT(walk_next(&w) == 0 && walk_skip(&w) == 0);
        EXPECT_U64(w.depth, 1);
    }
    EXPECT(walk_next(&w) == 0 && walk_is_close(&w) && w.depth == 0);
    EXPECT(walk_finish(&w) == 0);
    walk_end(&w);
}

TEST(config_walk_null_is_plain)
{
    static const struct {
        const char *text;
        bool null;
    } cases[] = {{"~", true},         {"null", true},        {"\"\"", false},  {"''", false},
                 {"\"null\"", false}, {"!!null null", true}, {"Null.", false}, {"[]", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct walk w;
        struct err err = {0};
        bool empty;
        EXPECT(walk_begin(&w, "f", slice_of(cases[i].text), &err, &empty) == 0);
        EXPECT(walk_is_null(&w) == cases[i].null);
        walk_end(&w);
    }
}

TEST(config_walk_end_of_what_never_began)
{
    struct walk w = {0};
    walk_end(&w);
}
