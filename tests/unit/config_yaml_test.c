/* SPDX-License-Identifier: MIT */
#include "config/yaml.h"

#include "test.h"

TEST(config_walk_skips_whole_values)
{
    struct yaml_walk w;
    struct err err = {0};
    bool empty;
    const char *text = "a: {b: [1, {c: 2}], d: e}\nf: [[], {}]\ng: h\n";
    EXPECT(yaml_walk_begin(&w, "f", slice_of(text), &err, &empty) == 0);
    EXPECT(!empty && yaml_walk_is_mapping(&w) && w.depth == 1);
    static const char *const keys[] = {"a", "f", "g"};
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(yaml_walk_next(&w) == 0 && yaml_walk_is_scalar(&w));
        EXPECT(slice_is(yaml_walk_scalar(&w), keys[i]));
        EXPECT_U64(yaml_walk_line(&w), i + 1);
        EXPECT(yaml_walk_next(&w) == 0 && yaml_walk_skip(&w) == 0);
        EXPECT_U64(w.depth, 1);
    }
    EXPECT(yaml_walk_next(&w) == 0 && yaml_walk_is_close(&w) && w.depth == 0);
    EXPECT(yaml_walk_finish(&w) == 0);
    yaml_walk_end(&w);
}

TEST(config_walk_null_is_plain)
{
    static const struct {
        const char *text;
        bool null;
    } cases[] = {{"~", true},         {"null", true},        {"\"\"", false},  {"''", false},
                 {"\"null\"", false}, {"!!null null", true}, {"Null.", false}, {"[]", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct yaml_walk w;
        struct err err = {0};
        bool empty;
        EXPECT(yaml_walk_begin(&w, "f", slice_of(cases[i].text), &err, &empty) == 0);
        EXPECT(yaml_walk_is_null(&w) == cases[i].null);
        yaml_walk_end(&w);
    }
}

TEST(config_walk_end_of_what_never_began)
{
    struct yaml_walk w = {0};
    yaml_walk_end(&w);
}
