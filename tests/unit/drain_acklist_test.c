/* SPDX-License-Identifier: MIT */
#include "drain/acker.h"

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static struct nats_ack parse(const char *subject)
{
    struct nats_ack ack;
    EXPECT(nats_ack_parse(slice_of(subject), &ack));
    return ack;
}

static void expect_next(const struct acklist *list, struct acklist_cursor *cursor,
                        const char *subject)
{
    struct nats_ack ack;
    struct buf text = {0};
    EXPECT(acklist_next(list, cursor, &ack));
    nats_ack_append_subject(&text, &ack);
    EXPECT_TEXT(buf_text(&text), subject);
    buf_free(&text);
}

TEST(acklist_gives_back_subjects_byte_for_byte)
{
    static const char *const subjects[] = {
        "$JS.ACK.LOGGING.varve.1.1.1.1764000000000000000.99",
        "$JS.ACK.LOGGING.varve.1.2.2.1764000000000000017.98",
        "$JS.ACK.LOGGING.varve.3.1.3.1764000000000000000.98",
        "$JS.ACK.LOGGING.other.1.9223372036854775807.18446744073709551615.0.0",
        "$JS.ACK._.acc.LOGGING.varve.1.4.4.1764000000000000099.97.extra.more",
        "$JS.ACK._.acc.LOGGING.varve.1.5.5.1764000000000000100.96",
    };
    struct acklist list = {0};
    struct acklist_cursor cursor = {0};
    size_t count = sizeof(subjects) / sizeof(subjects[0]);
    for (size_t i = 0; i < count; i++) {
        struct nats_ack ack = parse(subjects[i]);
        acklist_add(&list, &ack);
    }
    EXPECT_U64(list.count, count);
    for (size_t i = 0; i < count; i++)
        expect_next(&list, &cursor, subjects[i]);
    struct nats_ack ack;
    EXPECT(!acklist_next(&list, &cursor, &ack));
    acklist_free(&list);
}

TEST(acklist_survives_any_numbers)
{
    enum { COUNT = 2000 };
    struct acklist list = {0};
    struct acklist_cursor cursor = {0};
    char(*subjects)[160] = calloc(COUNT, sizeof(*subjects));
    EXPECT(subjects != NULL);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(subjects[i], sizeof(subjects[i]), "$JS.ACK.S%u.c.%llu.%llu.%llu.%llu.%llu",
                       (unsigned)(test_random() % 3), (unsigned long long)(1 + test_random() % 9),
                       (unsigned long long)(test_random() >> (1 + test_random() % 63)),
                       (unsigned long long)(test_random() >> (test_random() % 64)),
                       (unsigned long long)(test_random() >> (1 + test_random() % 63)),
                       (unsigned long long)(test_random() >> (test_random() % 64)));
        struct nats_ack ack = parse(subjects[i]);
        acklist_add(&list, &ack);
    }
    for (int i = 0; i < COUNT; i++)
        expect_next(&list, &cursor, subjects[i]);
    free(subjects);
    acklist_free(&list);
}

TEST(acklist_takes_a_few_bytes_an_ack)
{
    struct acklist list = {0};
    for (unsigned i = 1; i <= 10000; i++) {
        char subject[128];
        (void)snprintf(subject, sizeof(subject), "$JS.ACK.LOGGING.varve.1.%u.%u.%llu.%u", i, i,
                       1764000000000000000ULL + i * 1000ULL, 10000 - i);
        struct nats_ack ack = parse(subject);
        acklist_add(&list, &ack);
    }
    EXPECT(list.bytes.len < 10000 * 12);
    acklist_free(&list);
}
