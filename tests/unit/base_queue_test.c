/* SPDX-License-Identifier: MIT */
#include "base/queue.h"

#include "base/clock.h"
#include "test.h"

struct number {
    struct queue_item item;
    int value;
};

TEST(queue_keeps_the_order)
{
    struct queue q;
    struct number numbers[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    queue_init(&q);
    EXPECT(queue_poll(&q) == NULL);
    for (int i = 0; i < 3; i++)
        queue_push(&q, &numbers[i].item);
    for (int i = 0; i < 3; i++)
        EXPECT(queue_poll(&q) == &numbers[i].item);
    queue_push(&q, &numbers[0].item); /* an empty queue works like a new one */
    EXPECT(queue_take(&q) == &numbers[0].item);
    queue_free(&q);
}

TEST(queue_hands_out_the_rest_after_closing)
{
    struct queue q;
    struct number number = {.value = 1};
    queue_init(&q);
    queue_push(&q, &number.item);
    queue_close(&q);
    EXPECT(queue_take(&q) == &number.item);
    EXPECT(queue_take(&q) == NULL);
    queue_free(&q);
}

TEST(queue_wait_closed_ends_at_its_time_and_at_the_closing)
{
    struct queue q;
    queue_init(&q);
    int64_t start = clock_monotonic();
    EXPECT(!queue_wait_closed(&q, 20 * CLOCK_MILLISECOND));
    EXPECT(clock_monotonic() - start >= 20 * CLOCK_MILLISECOND);
    queue_close(&q);
    EXPECT(queue_wait_closed(&q, 3600 * CLOCK_SECOND));
    queue_free(&q);
}

enum { MANY = 20000 };

static void *push_many(void *argument)
{
    struct queue *q = argument;
    static struct number numbers[MANY];
    for (int i = 0; i < MANY; i++) {
        numbers[i].value = i;
        queue_push(q, &numbers[i].item);
    }
    queue_close(q);
    return NULL;
}

TEST(queue_joins_two_threads)
{
    struct queue q;
    pthread_t thread;
    queue_init(&q);
    EXPECT(pthread_create(&thread, NULL, push_many, &q) == 0);
    int expected = 0;
    struct queue_item *item;
    while ((item = queue_take(&q)) != NULL)
        EXPECT_I64(((struct number *)item)->value, expected++);
    EXPECT_I64(expected, MANY);
    EXPECT(pthread_join(thread, NULL) == 0);
    queue_free(&q);
}
