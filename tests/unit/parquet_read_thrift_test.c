/* SPDX-License-Identifier: MIT */
#include "parquet/read/thrift.h"

#include "parquet_fixture.h"

static struct thrift_reader reader(const char *hex)
{
    return (struct thrift_reader){.bytes = fixture_hex(hex)};
}

TEST(parquet_thrift_read_fields)
{
    /* 1: true, 2: i8 -1, 3: i16 300, 4: i32 -5, 5: i64 min, 21 (long form): "ab", 22: false */
    struct thrift_reader r = reader("11 13 ff 14 d8 04 15 09 16 ff ff ff ff ff ff ff ff ff 01"
                                    "08 2a 02 61 62 12 00");
    struct thrift_field f = {0};
    EXPECT(thrift_read_next(&r, &f) && f.id == 1 && thrift_read_bool(&r, &f));
    EXPECT(thrift_read_next(&r, &f) && f.id == 2);
    EXPECT_I64(thrift_read_i8(&r, &f), -1);
    EXPECT(thrift_read_next(&r, &f) && f.id == 3);
    EXPECT_I64(thrift_read_i16(&r, &f), 300);
    EXPECT(thrift_read_next(&r, &f) && f.id == 4);
    EXPECT_I64(thrift_read_i32(&r, &f), -5);
    EXPECT(thrift_read_next(&r, &f) && f.id == 5);
    EXPECT_I64(thrift_read_i64(&r, &f), INT64_MIN);
    EXPECT(thrift_read_next(&r, &f) && f.id == 21);
    EXPECT(slice_is(thrift_read_binary(&r, &f), "ab"));
    EXPECT(thrift_read_next(&r, &f) && f.id == 22 && !thrift_read_bool(&r, &f));
    EXPECT(!thrift_read_next(&r, &f));
    EXPECT(r.problem == NULL);
    EXPECT_U64(r.at, r.bytes.len);
    EXPECT_U64(f.seen, THRIFT_FIELDS(1, 5) | THRIFT_FIELD(21) | THRIFT_FIELD(22));
}

/* Reads the struct, skipping all that is in it. */
static struct thrift_reader skipped(const char *hex)
{
    struct thrift_reader r = reader(hex);
    struct thrift_field f = {0};
    while (thrift_read_next(&r, &f))
        thrift_read_skip(&r, &f);
    return r;
}

TEST(parquet_thrift_read_skips_every_type)
{
    struct thrift_reader r = skipped(
        "11 12 13 07 14 02 15 02 16 02 17 0102030405060708 18 01 61"  /* bools to binary */
        "19 25 02 04 1a 28 01 61 00 1b 02 85 01 61 02 01 62 04 1b 00" /* list, set, maps */
        "1c 15 02 00 1d 000102030405060708090a0b0c0d0e0f 19 22 01 02" /* struct, uuid, bools */
        "08 ff ff 01 01 61 00"); /* the extension field, however its number is read */
    EXPECT(r.problem == NULL);
    EXPECT_U64(r.at, r.bytes.len);
}

TEST(parquet_thrift_read_hostile)
{
    static const char *const bad[] = {
        "",                                    /* no end */
        "15",                                  /* a field without value */
        "15 80",                               /* a number that does not end */
        "16 ff ff ff ff ff ff ff ff ff 02 00", /* 65 bits */
        "16 80 80 80 80 80 80 80 80 80 80 00", /* eleven bytes */
        "18 05 61 00",                         /* a string that is longer than what is left */
        "18 ff ff ff ff 0f 61 00",             /* and by far */
        "19 f5 ff ff ff ff 0f 00",             /* a list of 2^32 - 1 elements */
        "19 f5 ff ff ff ff 07 02 02 00",       /* of 2^31 - 1, and 2 bytes */
        "1b ff ff ff ff 0f 55 00",             /* a map of as many */
        "1b 01 05 02 00",                      /* keys without a type */
        "1e 00",                               /* type 14 */
        "10 00",                               /* type 0 with a number */
        "17 00 00 00 00",                      /* half a double */
        "15 02 05 02 02 00",                   /* field 1 twice */
        "08 fe ff 03 01 61 15 02 00",          /* numbers beyond 16 bits: 32767, then 32768 */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EXPECT(skipped(bad[i]).problem != NULL);
}

TEST(parquet_thrift_read_depth)
{
    struct buf deep = {0};
    struct thrift_field f = {0};
    for (int i = 0; i < 100000; i++)
        buf_append_byte(&deep, 0x1c); /* a struct in a struct in a struct */
    struct thrift_reader r = {.bytes = buf_slice(&deep)};
    while (thrift_read_next(&r, &f))
        thrift_read_skip(&r, &f);
    EXPECT_TEXT(r.problem, "it nests too deeply");
    buf_reset(&deep);
    for (int i = 0; i < 100000; i++)
        buf_append_text(&deep, "\x19\x19"); /* lists in lists */
    r = (struct thrift_reader){.bytes = buf_slice(&deep)};
    f = (struct thrift_field){0};
    while (thrift_read_next(&r, &f))
        thrift_read_skip(&r, &f);
    EXPECT(r.problem != NULL);
    buf_free(&deep);
}

TEST(parquet_thrift_read_list)
{
    struct thrift_field f = {0}, element;
    struct thrift_reader r = reader("19 35 02 04 01 00");
    EXPECT(thrift_read_next(&r, &f));
    EXPECT_U64(thrift_read_list(&r, &f, THRIFT_I32, 1, &element), 3);
    EXPECT_I64(thrift_read_i32(&r, &element), 1);
    EXPECT_I64(thrift_read_i32(&r, &element), 2);
    EXPECT_I64(thrift_read_i32(&r, &element), -1);
    EXPECT(!thrift_read_next(&r, &f) && r.problem == NULL);

    /* Memory is asked for only as far as the elements can be there. */
    r = reader("19 3c 15 02 00 15 02 00 15 02 00 00");
    f = (struct thrift_field){0};
    EXPECT(thrift_read_next(&r, &f));
    EXPECT_U64(thrift_read_list(&r, &f, THRIFT_STRUCT, 7, &element), 0);
    EXPECT(r.problem != NULL);

    /* Elements of another type. */
    r = reader("19 35 02 04 01 00");
    f = (struct thrift_field){0};
    EXPECT(thrift_read_next(&r, &f));
    EXPECT_U64(thrift_read_list(&r, &f, THRIFT_I64, 1, &element), 0);
    EXPECT(r.problem != NULL);
}

TEST(parquet_thrift_read_lists_of_bools)
{
    /* Typed 1 with values 1 and 2, or typed 2 with 1 and 0: both are in use. */
    static const char *const forms[] = {"19 31 01 02 01 00", "19 32 01 00 01 00"};
    for (size_t i = 0; i < 2; i++) {
        struct thrift_field f = {0}, element;
        struct thrift_reader r = reader(forms[i]);
        EXPECT(thrift_read_next(&r, &f));
        EXPECT_U64(thrift_read_list(&r, &f, THRIFT_TRUE, 1, &element), 3);
        EXPECT(thrift_read_bool_element(&r));
        EXPECT(!thrift_read_bool_element(&r));
        EXPECT(thrift_read_bool_element(&r));
        EXPECT(!thrift_read_next(&r, &f) && r.problem == NULL);
    }
}

TEST(parquet_thrift_read_ranges)
{
    struct thrift_field f = {0};
    struct thrift_reader r = reader("15 80 80 80 80 20 00"); /* 2^32 in an i32 */
    EXPECT(thrift_read_next(&r, &f));
    EXPECT_I64(thrift_read_i32(&r, &f), 0);
    EXPECT(r.problem != NULL);

    r = reader("15 01 00"); /* -1 where no negative number may be */
    f = (struct thrift_field){0};
    EXPECT(thrift_read_next(&r, &f));
    EXPECT_I64(thrift_read_natural(&r, &f), 0);
    EXPECT(r.problem != NULL);
}

/* As Thrift's generated readers have it: a field of another type is not there. */
TEST(parquet_thrift_read_passes_over_other_types)
{
    static const char *const others[] = {
        "16 02",          "11",    "18 01 61", "19 25 02 04", "1c 15 02 00", "17 0102030405060708",
        "1b 01 55 02 02", "13 05", "14 02",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct buf hex = {0};
        struct thrift_field f = {0};
        buf_printf(&hex, "%s 15 08 00", others[i]); /* behind it, field 2: 4 */
        struct thrift_reader r = reader(buf_text(&hex));
        EXPECT(thrift_read_next(&r, &f));
        EXPECT_I64(thrift_read_i32(&r, &f), 0);
        EXPECT(thrift_read_next(&r, &f) && f.id == 2);
        EXPECT_I64(thrift_read_i32(&r, &f), 4);
        EXPECT(!thrift_read_next(&r, &f) && r.problem == NULL);
        EXPECT_U64(r.at, r.bytes.len);
        thrift_read_require(&r, &f, THRIFT_FIELD(2));
        EXPECT(r.problem == NULL);
        thrift_read_require(&r, &f, THRIFT_FIELD(1)); /* it was not there */
        EXPECT(r.problem != NULL);
        buf_free(&hex);
    }
}

TEST(parquet_thrift_read_finish)
{
    struct err err = {0};
    struct thrift_field f = {0};
    struct thrift_reader r = reader("00 00");
    EXPECT(!thrift_read_next(&r, &f));
    EXPECT(thrift_read_finish(&r, "thing", false, &err) == 0);
    EXPECT(thrift_read_finish(&r, "thing", true, &err) == -1);
    EXPECT_TEXT(err.text, "the thing ends 1 bytes before its stated length");
    err_clear(&err);
    thrift_read_require(&r, &f, THRIFT_FIELD(1));
    EXPECT(thrift_read_finish(&r, "thing", false, &err) == -1);
    EXPECT_TEXT(err.text, "the thing is damaged at its byte 1: a required field is missing");
}
