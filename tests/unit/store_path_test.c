/* SPDX-License-Identifier: MIT */
#include "store/path.h"

#include "base/text.h"
#include "event/event.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static const char standard[] = "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet";

static struct store_path parse(const char *text)
{
    struct store_path path;
    struct err err = {0};
    (void)!store_path_parse(&path, text, &err);
    EXPECT_TEXT(err.text, "");
    return path;
}

static void expect_refused(const char *text, const char *message)
{
    struct store_path path;
    struct err err = {0};
    EXPECT(store_path_parse(&path, text, &err) == -1);
    EXPECT(err.code == ERR_USAGE);
    if (strstr(err.text, message) == NULL)
        EXPECT_TEXT(err.text, message);
}

static void expect_key(const char *text, const struct store_path_values *values, const char *key)
{
    struct store_path path = parse(text);
    struct buf out = {0};
    store_path_key(&out, &path, values);
    EXPECT_TEXT(buf_text(&out), key);
    buf_free(&out);
}

static void expect_escaped(const char *value, size_t len, const char *expected)
{
    struct buf out = {0};
    text_escape(&out, (struct slice){(const uint8_t *)value, len});
    EXPECT_TEXT(buf_text(&out), expected);
    buf_free(&out);
}

TEST(store_path_fills_in_a_key)
{
    /* date -u -d @1795536000.5: 2026-11-24 16:00:00 */
    struct store_path_values values = {.simulation_id = slice_of("sim-7"),
                                       .event_type_key = slice_of("sim.world_state.v1"),
                                       .worker_id = slice_of("w1"),
                                       .stream = slice_of("LOGGING"),
                                       .instance = slice_of("varve"),
                                       .time = INT64_C(1795536000500000000)};
    expect_key(standard, &values, "sim-7/2026-11-24/16/{first_seq}-{last_seq}.parquet");
    expect_key("y={YYYY}/m={MM}/d={DD}/h={HH}/{stream}/{event_type_key}-{worker_id}/"
               "{instance}_{last_seq}.parquet",
               &values,
               "y=2026/m=11/d=24/h=16/LOGGING/sim.world_state.v1-w1/varve_{last_seq}.parquet");
    values.time = -1;
    expect_key(standard, &values, "sim-7/1969-12-31/23/{first_seq}-{last_seq}.parquet");
}

/* Hive's name for a null, which is also its name for an empty text. */
TEST(store_path_names_empty_partitions)
{
    struct store_path_values values = {.worker_id = slice_of("a=b"), .instance = slice_of("i")};
    expect_key("simulation_id={simulation_id}/h={HH}/w={worker_id}/{last_seq}.parquet", &values,
               "simulation_id=__HIVE_DEFAULT_PARTITION__/h=00/w=a%3Db/{last_seq}.parquet");
    expect_key(
        "{simulation_id}/s=x{simulation_id}/s={simulation_id}-/a/e={event_type_key}{instance}/"
        "{last_seq}-{simulation_id}.parquet",
        &values, "%empty/s=x%empty/s=%empty-/a/e=%emptyi/{last_seq}-%empty.parquet");
}

TEST(store_path_partitions_are_not_columns_with_other_values)
{
    static const struct {
        const char *template, *error; /* NULL: fine */
    } cases[] = {
        {"simulation_id={simulation_id}/date={YYYY-MM-DD}/hour={HH}/{last_seq}.parquet", NULL},
        {"region=eu/Worker={worker_id}/worker_id={worker_id}/{last_seq}.parquet", NULL},
        {"event_type_key={event_type_key}/stream={stream}/a={HH}={DD}/{last_seq}.parquet", NULL},
        {"worker_id={simulation_id}/{last_seq}.parquet", "for the column worker_id"},
        {"Worker_ID={worker_id}/{last_seq}.parquet", "for the column worker_id"},
        {"worker_id=w{worker_id}/{last_seq}.parquet", "for the column worker_id"},
        {"worker_id=={worker_id}/{last_seq}.parquet", "for the column worker_id"},
        {"worker_id={worker_id}-/{last_seq}.parquet", "for the column worker_id"},
        {"worker_id=a/{last_seq}.parquet", "for the column worker_id"},
        {"x/event_time={YYYY-MM-DD}/{last_seq}.parquet", "for the column event_time"},
        {"stream_seq={first_seq}.parquet", "for the column stream_seq"},
        {"a={HH}/b/A={DD}/{last_seq}.parquet", "'A=' is there twice"},
        {"{worker_id}={HH}/{last_seq}.parquet", "no event chooses"},
        {"={HH}/{last_seq}.parquet", "no event chooses"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_path path = parse(cases[i].template);
        struct err err = {0};
        int result = store_path_check_partitions(&path, &event_schema, &err);
        EXPECT_I64(result, cases[i].error == NULL ? 0 : -1);
        if (cases[i].error != NULL && strstr(err.text, cases[i].error) == NULL)
            EXPECT_TEXT(err.text, cases[i].error);
    }
}

TEST(store_path_makes_names_from_a_key)
{
    struct buf out = {0};
    struct slice key = slice_of("a/{first_seq}-{last_seq}.parquet");
    store_path_name(&out, key, 1, UINT64_MAX);
    EXPECT_TEXT(buf_text(&out), "a/1-18446744073709551615.parquet");
    buf_reset(&out);
    store_path_quarantine_key(&out, slice_of("LOG/1"));
    EXPECT_TEXT(buf_text(&out), "_quarantine/LOG%2F1-{first_seq}-{last_seq}.quarantine");
    buf_free(&out);
}

TEST(store_path_knows_the_former_names_of_the_quarantine)
{
    static const struct {
        const char *path, *now;
    } cases[] = {
        {"_quarantine/S-1-9.parquet", "_quarantine/S-1-9.quarantine"},
        {"_quarantine/S-1-9-2.parquet", "_quarantine/S-1-9-2.quarantine"},
        {"_quarantine/S-1-9.quarantine", NULL},
        {"a/_quarantine/1.parquet", NULL},
        {"a/1-9.parquet", NULL},
        {"_quarantine.parquet", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        bool renamed;
        store_path_quarantine_name(&out, slice_of(cases[i].path), &renamed);
        EXPECT(renamed == (cases[i].now != NULL));
        EXPECT_TEXT(buf_text(&out), renamed ? cases[i].now : cases[i].path);
        buf_free(&out);
    }
}

TEST(store_path_refuses_bad_templates)
{
    expect_refused("", "does not end with .parquet");
    expect_refused("{first_seq}", "does not end with .parquet");
    expect_refused("a.parquet", "needs {first_seq} or {last_seq}");
    expect_refused("{first_seq}/a.parquet", "belong into the file name");
    expect_refused("/{first_seq}.parquet", "is empty");
    expect_refused("a//{first_seq}.parquet", "is empty");
    expect_refused("a/../{first_seq}.parquet", "begins with '.'");
    expect_refused("a/./{first_seq}.parquet", "begins with '.'");
    expect_refused("_a/{first_seq}.parquet", "begins with '_'");
    expect_refused(".{first_seq}.parquet", "begins with '.'");
    expect_refused("{first_seq}/.parquet", "belong into the file name");
    expect_refused("{simulation}/{first_seq}.parquet", "{simulation} is not known");
    expect_refused("{}/{first_seq}.parquet", "{} is not known");
    expect_refused("{first_seq.parquet", "not closed");
    expect_refused("first_seq}.parquet", "byte 9 (0x7d)");
    expect_refused("a b/{first_seq}.parquet", "byte 1 (0x20)");
    expect_refused("a\n/{first_seq}.parquet", "byte 1 (0x0a)");
    expect_refused("%2e%2e/{first_seq}.parquet", "byte 0 (0x25)");
    /* four values of 64 bytes */
    expect_refused("{simulation_id}{event_type_key}{worker_id}{stream}/{first_seq}.parquet",
                   "256 bytes long");
}

TEST(store_path_bounds_the_template)
{
    char text[2048];
    memset(text, 'a', sizeof(text));
    memcpy(text + 1500, "{first_seq}.parquet", sizeof("{first_seq}.parquet"));
    expect_refused(text, "longer than 1024");
    size_t len = 0;
    for (int i = 0; i < 70; i++) {
        memcpy(text + len, "{DD}/", 5);
        len += 5;
    }
    memcpy(text + len, "{first_seq}.parquet", sizeof("{first_seq}.parquet"));
    expect_refused(text, "more than 64 pieces");
}

TEST(store_path_escapes_what_is_not_plain)
{
    expect_escaped("sim-7.A_b", 9, "sim-7.A_b");
    expect_escaped("", 0, "%empty");
    expect_escaped(".", 1, "%2E");
    expect_escaped("..", 2, "%2E.");
    expect_escaped("_delta_log", 10, "%5Fdelta_log");
    expect_escaped("../../etc/passwd", 16, "%2E.%2F..%2Fetc%2Fpasswd");
    expect_escaped("/", 1, "%2F");
    expect_escaped("a\0b", 3, "a%00b");
    expect_escaped("\n", 1, "%0A");
    expect_escaped("%2F", 3, "%252F");
    expect_escaped("%empty", 6, "%25empty");
    expect_escaped("\xff\xfe", 2, "%FF%FE");
    expect_escaped("K\xc3\xb6ln", 5, "K%C3%B6ln");
    expect_escaped("{first_seq}", 11, "%7Bfirst_seq%7D");
}

TEST(store_path_cuts_and_hashes_long_values)
{
    char value[300];
    memset(value, 'x', sizeof(value));
    char exact[65] = {0};
    memset(exact, 'x', 64);
    expect_escaped(value, 64, exact);
    /* FNV-1a 64 of 65 and of 300 times 'x', and of 300 times '/', from Python */
    expect_escaped(value, 65, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx%-7d70a52549704607");
    expect_escaped(value, 300, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx%-e78ddf9f1ba85555");
    memset(value, '/', sizeof(value));
    expect_escaped(value, 300, "%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F%-d185632f296fe329");
}

/* A random value, made of what may hurt. */
static struct slice random_value(uint8_t *bytes, size_t max)
{
    static const char hurtful[] = "..//__%%2FEe-\0\n{}aA \xc3\xa9\xff";
    size_t len = test_random() % 4 == 0 ? test_random() % max : test_random() % 6;
    for (size_t i = 0; i < len; i++)
        bytes[i] = test_random() % 8 == 0 ? (uint8_t)test_random()
                                          : (uint8_t)hurtful[test_random() % (sizeof(hurtful) - 1)];
    return (struct slice){bytes, len};
}

TEST(store_path_never_leaves_the_root)
{
    struct store_path path = parse("{simulation_id}/{worker_id}-{stream}/{first_seq}.parquet");
    uint8_t bytes[3][300];
    struct buf key = {0};
    EXPECT(mkdir("root", 0755) == 0 && chdir("root") == 0);
    for (int round = 0; round < 20000; round++) {
        struct store_path_values values = {.simulation_id = random_value(bytes[0], 300),
                                           .worker_id = random_value(bytes[1], 300),
                                           .stream = random_value(bytes[2], 300)};
        buf_reset(&key);
        store_path_key(&key, &path, &values);
        const char *text = buf_text(&key);
        EXPECT(strlen(text) == key.len);
        const char *first = strchr(text, '/');
        const char *second = strchr(first + 1, '/');
        EXPECT(strcmp(second, "/{first_seq}.parquet") == 0);
        EXPECT(text[0] != '.' && text[0] != '_' && first > text && first - text <= 64);
        EXPECT(first[1] != '.' && first[1] != '_' && second - first <= 130);
        EXPECT(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%-") ==
               (size_t)(first - text));
        if (round >= 200)
            continue;
        /* The file system agrees: one new directory, right here. */
        buf_reset(&key);
        text_escape(&key, values.simulation_id);
        char resolved[4096];
        char here[4096];
        EXPECT(mkdir(buf_text(&key), 0755) == 0 || access(buf_text(&key), F_OK) == 0);
        EXPECT(realpath(buf_text(&key), resolved) != NULL && realpath(".", here) != NULL);
        *strrchr(resolved, '/') = '\0';
        EXPECT_TEXT(resolved, here);
    }
    buf_free(&key);
}

TEST(store_path_escapes_distinct_values_differently)
{
    uint8_t a_bytes[100];
    uint8_t b_bytes[100];
    struct buf a = {0};
    struct buf b = {0};
    for (int round = 0; round < 50000; round++) {
        struct slice x = random_value(a_bytes, 100);
        struct slice y = random_value(b_bytes, 100);
        if (round % 2 == 0) { /* near neighbours: one byte differs, or one is missing */
            memcpy(b_bytes, a_bytes, x.len);
            y = (struct slice){b_bytes, x.len};
            if (x.len > 0 && round % 4 == 0)
                b_bytes[test_random() % x.len] ^= (uint8_t)(1U << test_random() % 8);
            else if (x.len > 0)
                y.len--;
        }
        buf_reset(&a);
        buf_reset(&b);
        text_escape(&a, x);
        text_escape(&b, y);
        EXPECT(a.len > 0 && a.len <= TEXT_ESCAPED_MAX);
        EXPECT(slice_equal(buf_slice(&a), buf_slice(&b)) == slice_equal(x, y));
    }
    buf_free(&a);
    buf_free(&b);
}

TEST(store_path_same_agrees_with_the_keys)
{
    static const char *const templates[] = {
        "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}-{last_seq}.parquet",
        "{YYYY}/{MM}/{first_seq}.parquet",
        "{event_type_key}/{worker_id}/{DD}/{first_seq}.parquet",
        "{HH}/{last_seq}.parquet",
        "all/{first_seq}.parquet",
    };
    static const char *const words[] = {"", "a", "b"};
    struct buf x = {0};
    struct buf y = {0};
    uint32_t equal = 0;
    for (int round = 0; round < 20000; round++) {
        struct store_path path = parse(templates[test_random() % 5]);
        struct store_path_values values[2];
        for (int i = 0; i < 2; i++)
            values[i] = (struct store_path_values){
                .simulation_id = slice_of(words[test_random() % 3]),
                .event_type_key = slice_of(words[test_random() % 3]),
                .worker_id = slice_of(words[test_random() % 3]),
                .time = ((int64_t)(test_random() % 4) - 2) * INT64_C(1800000000000),
            };
        buf_reset(&x);
        buf_reset(&y);
        store_path_key(&x, &path, &values[0]);
        store_path_key(&y, &path, &values[1]);
        bool same = store_path_same(&path, &values[0], &values[1]);
        EXPECT(!same || slice_equal(buf_slice(&x), buf_slice(&y)));
        if ((path.fields & 1U << STORE_PATH_DATE) != 0)
            EXPECT(same == slice_equal(buf_slice(&x), buf_slice(&y)));
        equal += same;
    }
    EXPECT(equal > 1000);
    buf_free(&x);
    buf_free(&y);
}
