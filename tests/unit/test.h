/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_TEST_H
#define VARVE_TESTS_UNIT_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Each TEST runs in a process of its own, in an empty temporary directory, with a time limit. A
 * failed EXPECT prints where and what, and ends the test. One program for all of tests/unit:
 * build/unit-tests [--list | name prefix...]; it ends with "N passed, N failed".
 */
typedef void test_function(void);

struct test {
    const char *name;
    const char *file;
    test_function *run;
    struct test *next;
};

void test_register(struct test *t);

#define TEST(test_name)                                                             \
    static void test_name(void);                                                    \
    static struct test test_name##_entry = {#test_name, __FILE__, test_name, NULL}; \
    __attribute__((constructor)) static void test_name##_register(void)             \
    {                                                                               \
        test_register(&test_name##_entry);                                          \
    }                                                                               \
    static void test_name(void)

#define EXPECT(condition) test_expect((condition), #condition, __FILE__, __LINE__)
#define EXPECT_U64(actual, expected) \
    test_expect_u64((uint64_t)(actual), (uint64_t)(expected), #actual, __FILE__, __LINE__)
#define EXPECT_I64(actual, expected) \
    test_expect_i64((int64_t)(actual), (int64_t)(expected), #actual, __FILE__, __LINE__)
#define EXPECT_TEXT(actual, expected) \
    test_expect_text((actual), (expected), #actual, __FILE__, __LINE__)
#define EXPECT_BYTES(actual, actual_len, expected, expected_len)                             \
    test_expect_bytes((actual), (actual_len), (expected), (expected_len), #actual, __FILE__, \
                      __LINE__)

void test_expect(bool ok, const char *what, const char *file, int line);
void test_expect_u64(uint64_t actual, uint64_t expected, const char *what, const char *file,
                     int line);
void test_expect_i64(int64_t actual, int64_t expected, const char *what, const char *file,
                     int line);
void test_expect_text(const char *actual, const char *expected, const char *what, const char *file,
                      int line);
void test_expect_bytes(const void *actual, size_t actual_len, const void *expected,
                       size_t expected_len, const char *what, const char *file, int line);

/* Bytes from hexadecimal text; blanks are skipped. The memory lives until the test ends. */
uint8_t *test_hex(const char *hex, size_t *len);

/* A deterministic generator (splitmix64) for property tests. The seed is TEST_SEED from the
 * environment or fixed, and is printed when a test fails. */
uint64_t test_random(void);

#endif
