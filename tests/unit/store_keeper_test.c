/* SPDX-License-Identifier: MIT */
#include "store/keeper.h"

#include "net/network.h"
#include "store_fixture.h"

#define KEY "p/{first_seq}-{last_seq}.parquet"
#define CHECKPOINT "root/_delta_log/00000000000000000004.checkpoint.parquet"

static struct waker waker;

static struct keeper *new_keeper(const struct store *store, uint64_t interval)
{
    struct keeper_options options = {
        .root = "root", .version = store->table.version, .waker = waker};
    struct keeper *keeper = keeper_new(&options);
    keeper_add_log_jobs(keeper, interval);
    return keeper;
}

static struct keeper *start(const struct store *store, uint64_t interval)
{
    struct err err = {0};
    EXPECT(net_waker(&waker, &err) == 0);
    struct keeper *keeper = new_keeper(store, interval);
    EXPECT(keeper_start(keeper, &err) == 0);
    return keeper;
}

/* It says itself when it has come to its end. */
static void finish(struct keeper *keeper)
{
    struct net_wait wait = {.handle = waker.handle, .want = NET_READABLE};
    keeper_finish(keeper);
    while (!keeper_is_done(keeper)) {
        net_wait(&wait, 1, INT64_MAX);
        net_calm(&waker);
    }
    keeper_free(keeper);
    net_close(&waker.handle);
}

static void commit_to(struct store *store, struct keeper *keeper, uint64_t last)
{
    while (store->table.version < last) {
        uint64_t row = store->table.version + 1;
        fixture_commit(store, KEY, row, row);
        keeper_note(keeper, store->table.version);
    }
}

/* Commits go on while it is at it; a run that ends by itself waits for what is due. */
TEST(store_keeper_makes_checkpoints_beside_commits)
{
    struct store *store = fixture_open("i");
    struct keeper *keeper = start(store, 5);
    commit_to(store, keeper, 3);
    finish(keeper);
    EXPECT(!fixture_is_file("root/_delta_log/_last_checkpoint")); /* not due yet */
    keeper = start(store, 4);
    commit_to(store, keeper, 4);
    finish(keeper);
    EXPECT(fixture_is_file(CHECKPOINT) && fixture_is_file("root/_delta_log/_last_checkpoint"));
    store_close(store);
}

/* Whoever has the lock does it; the others leave it to him, and come to their end. */
TEST(store_keeper_is_one_at_a_time)
{
    struct system plain = {0};
    struct err err = {0};
    struct store *store = fixture_open("i");
    struct object_store *other = keeper_open("root", &plain, &err);
    EXPECT(other != NULL);
    EXPECT(keeper_open("root", &plain, &err) == NULL && err.code == ERR_REFUSED);
    struct keeper *keeper = start(store, 4);
    commit_to(store, keeper, 4);
    finish(keeper);
    EXPECT(!fixture_is_file(CHECKPOINT));
    object_store_close(other);
    finish(start(store, 4));
    EXPECT(fixture_is_file(CHECKPOINT));
    store_close(store);
}

struct chore {
    uint32_t done, failures;
    int64_t pause;
    bool freed;
};

static int do_chore(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                    struct err *err)
{
    struct chore *chore = state;
    EXPECT(turn->store != NULL && !atomic_load(turn->stop));
    if (chore->failures > 0) {
        chore->failures--;
        return err_set(err, ERR_REFUSED, "not today");
    }
    chore->done++;
    next->at = turn->now + chore->pause;
    return 0;
}

static void free_chore(void *state)
{
    ((struct chore *)state)->freed = true;
}

/* Each job has its own time; one that fails comes again later and keeps nobody from his work. */
TEST(store_keeper_does_each_job_in_its_own_time)
{
    struct store *store = fixture_open("i");
    struct keeper *keeper = new_keeper(store, 4);
    int64_t now = clock_monotonic();
    struct chore often = {.pause = 10 * CLOCK_SECOND};
    struct chore rare = {.failures = 1, .pause = 3600 * CLOCK_SECOND};
    keeper_add(keeper, &(struct keeper_job){"rare", do_chore, free_chore, &rare, {.at = now}});
    keeper_add(keeper,
               &(struct keeper_job){"often", do_chore, free_chore, &often, {now, 2, false}});

    int64_t at = keeper_step(keeper, now);
    EXPECT(rare.failures == 0 && rare.done == 0 && often.done == 0);
    EXPECT(at >= now + KEEPER_RETRY && at < now + 2 * KEEPER_RETRY); /* of the one that failed */
    commit_to(store, keeper, 2);
    at = keeper_step(keeper, now); /* not at its time yet, but the other one is */
    EXPECT(rare.done == 0 && often.done == 1 && at >= now + 10 * CLOCK_SECOND);
    EXPECT(at < now + KEEPER_RETRY);
    EXPECT(keeper_step(keeper, now + 2 * KEEPER_RETRY) >= now && rare.done == 1 && often.done == 2);
    EXPECT(!fixture_is_file(CHECKPOINT));
    commit_to(store, keeper, 4);
    (void)keeper_step(keeper, now);
    EXPECT(fixture_is_file(CHECKPOINT) && often.done == 2);
    keeper_free(keeper);
    EXPECT(often.freed && rare.freed);
    store_close(store);
}

static int do_piece(void *state, const struct keeper_turn *turn, struct keeper_due *next,
                    struct err *err)
{
    struct chore *chore = state;
    EXPECT(!atomic_load(turn->stop));
    (void)err; /* nothing can fail here */
    next->at = ++chore->done % 5 != 0 ? KEEPER_AT_ONCE : turn->now + chore->pause;
    return 0;
}

/* The end comes after the last piece of what is due when it is asked for, though the work takes so
 * long that it is due once more by then. */
TEST(store_keeper_comes_to_its_end)
{
    struct err err = {0};
    struct store *store = fixture_open("i");
    struct chore chore = {.pause = 1};
    EXPECT(net_waker(&waker, &err) == 0);
    struct keeper *keeper = new_keeper(store, 100);
    keeper_add(keeper,
               &(struct keeper_job){"pieces", do_piece, NULL, &chore, {.at = clock_monotonic()}});
    EXPECT(keeper_start(keeper, &err) == 0);
    finish(keeper);
    EXPECT(chore.done >= 5 && chore.done % 5 == 0);
    store_close(store);
}

/* One that waits for news or a time, whichever comes first. */
TEST(store_keeper_takes_either)
{
    struct store *store = fixture_open("i");
    struct keeper *keeper = new_keeper(store, 100);
    int64_t now = clock_monotonic();
    struct chore chore = {.pause = 3600 * CLOCK_SECOND};
    const struct keeper_due due = {now + 60 * CLOCK_SECOND, 2, true};
    keeper_add(keeper, &(struct keeper_job){"either", do_chore, NULL, &chore, due});
    EXPECT(keeper_step(keeper, now) <= now + 60 * CLOCK_SECOND && chore.done == 0);
    commit_to(store, keeper, 2);
    (void)keeper_step(keeper, now); /* news: it says what it waits for next */
    EXPECT(chore.done == 1);
    (void)keeper_step(keeper, now);
    EXPECT(chore.done == 2); /* of which it has the version still */
    keeper_free(keeper);
    keeper = new_keeper(store, 100);
    keeper_add(keeper, &(struct keeper_job){
                           "either", do_chore, NULL, &chore, {now + CLOCK_SECOND, 99, true}});
    (void)keeper_step(keeper, now);
    EXPECT(chore.done == 2);
    (void)keeper_step(keeper, now + CLOCK_SECOND);
    EXPECT(chore.done == 3);
    keeper_free(keeper);
    store_close(store);
}
