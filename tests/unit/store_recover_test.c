/* SPDX-License-Identifier: MIT */
#include "store/recover.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "store_fixture.h"

/*
 * A run of varve as the store sees it: open, then epochs of nine rows in three files and two
 * partitions each. For every n, the n-th system call fails or the process ends beside it; what is
 * there afterwards must be whole epochs, all that was reported as committed among them, and the
 * next run must bring the table to the same end as if nothing had happened.
 */
enum { EPOCHS = 3, EPOCH_ROWS = 9, ALL_ROWS = EPOCHS * EPOCH_ROWS };

enum effect { NOTHING, KILL_BEFORE, KILL_AFTER, FAIL_ONCE, FAIL_FOR_A_WHILE };

struct fault {
    enum effect effect;
    int error;
    uint64_t at;
    bool no_renameat2; /* so that files are moved with linkat and unlinkat */
    uint64_t calls;
};

static int hook(void *context, enum system_call call, bool after)
{
    struct fault *fault = context;
    if (!after)
        fault->calls++;
    int missing = fault->no_renameat2 && call == SYSTEM_CALL_RENAMEAT2 ? EINVAL : 0;
    bool hit = fault->calls == fault->at;
    switch (fault->effect) {
    case NOTHING:
        return missing;
    case KILL_BEFORE:
    case KILL_AFTER:
        if (hit && after == (fault->effect == KILL_AFTER))
            (void)raise(SIGKILL);
        return missing;
    case FAIL_ONCE:
        return hit && !after ? fault->error : missing;
    case FAIL_FOR_A_WHILE:
        return fault->calls >= fault->at && fault->calls < fault->at + 4 ? fault->error : missing;
    }
    return missing;
}

/* One epoch, from `first` on: rows 1 4 7 and 2 5 8 to partition a, 3 6 9 to b. Failed files are
 * written anew, as the pipeline has to. */
static int run_epoch(struct store *store, uint64_t first, struct err *err)
{
    struct store_epoch_file files[3];
    struct seqset sequences[3] = {0};
    struct position position = fixture_position(first + EPOCH_ROWS - 1);
    int result = -1;
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t last = first + EPOCH_ROWS - 1;
        struct object_staged *file = NULL;
        for (int attempt = 0; attempt < 8 && file == NULL; attempt++) {
            err_clear(err);
            file = fixture_try_file(store, first + i, last, 3, err);
        }
        EXPECT(file != NULL);
        for (uint64_t row = first + i; row <= last; row += 3)
            (void)seqset_add(&sequences[i], row);
        files[i] = (struct store_epoch_file){.file = file,
                                             .key = i < 2 ? "a/x/{first_seq}.parquet"
                                                          : "b/{first_seq}-{last_seq}.parquet",
                                             .stream = "S",
                                             .created = "C",
                                             .sequences = &sequences[i],
                                             .rows = 3};
    }
    struct store_epoch epoch = {.files = files,
                                .file_count = 3,
                                .positions = &position,
                                .position_count = 1,
                                .dead_letters = NULL};
    for (int attempt = 0; attempt < 8 && result < 0; attempt++) {
        err_clear(err);
        result = store_commit(store, &epoch, err);
    }
    for (uint64_t i = 0; i < 3; i++) {
        object_staged_free(files[i].file);
        seqset_free(&sequences[i]);
    }
    return result;
}

/* Open, and commit what is missing; each committed row is reported through `report`. */
static void run(struct fault *fault, int report)
{
    struct err err = {0};
    struct store *store = NULL;
    for (int attempt = 0; attempt < 8 && store == NULL; attempt++) {
        err_clear(&err);
        store = fixture_try_open("i", (struct system){.hook = hook, .context = fault}, &err);
    }
    EXPECT(store != NULL);
    const struct position *position = positions_find(&store->positions, "S", "C", "D");
    uint64_t next = position == NULL ? 1 : position->through + 1;
    for (; next <= ALL_ROWS; next += EPOCH_ROWS) {
        EXPECT(run_epoch(store, next, &err) == 0);
        char byte = 1;
        EXPECT(report < 0 || write(report, &byte, 1) == 1);
    }
    store_close(store);
}

/* The table holds the rows 1..through, each once, on disk as in the log, and nothing else. */
static void expect_rows(uint64_t through)
{
    struct fixture_view view = fixture_look();
    for (uint64_t row = 0; row < FIXTURE_ROWS; row++) {
        EXPECT_U64(view.on_disk[row], row >= 1 && row <= through);
        EXPECT_U64(view.in_log[row], row >= 1 && row <= through);
    }
    EXPECT_U64(view.files_on_disk, through / EPOCH_ROWS * 3);
    EXPECT_U64(view.files_in_log, view.files_on_disk);
    EXPECT_U64(view.hidden, 0);
}

/* Recover, and return the position that was found. */
static uint64_t recover_and_look(void)
{
    struct store *store = fixture_open("i");
    const struct position *position = positions_find(&store->positions, "S", "C", "D");
    uint64_t through = position == NULL ? 0 : position->through;
    EXPECT_U64(through % EPOCH_ROWS, 0);
    store_close(store);
    expect_rows(through);
    return through;
}

/* How many system calls a whole run makes. */
static uint64_t count_calls(bool no_renameat2)
{
    struct fault fault = {NOTHING, 0, 0, no_renameat2, 0};
    run(&fault, -1);
    expect_rows(ALL_ROWS);
    fixture_remove("root");
    return fault.calls;
}

/* Run in a child that the fault may end. Returns how many epochs it reported as committed. */
static uint64_t run_child(struct fault fault, bool *killed)
{
    int ends[2];
    EXPECT(pipe(ends) == 0);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        run(&fault, ends[1]);
        _exit(0);
    }
    EXPECT(close(ends[1]) == 0);
    char bytes[EPOCHS + 1];
    uint64_t reported = 0;
    ssize_t got;
    while ((got = read(ends[0], bytes, sizeof(bytes))) > 0)
        reported += (uint64_t)got;
    EXPECT(close(ends[0]) == 0);
    int status;
    EXPECT(waitpid(pid, &status, 0) == pid);
    *killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    EXPECT(*killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return reported;
}

static void kill_at_every_call(enum effect effect, bool no_renameat2)
{
    char dir[64];
    fixture_begin_fast(dir);
    uint64_t calls = count_calls(no_renameat2);
    EXPECT(calls > 100);
    for (uint64_t n = 1; n <= calls; n++) {
        bool killed;
        struct fault fault = {effect, 0, n, no_renameat2, 0};
        uint64_t reported = run_child(fault, &killed);
        EXPECT(killed);
        EXPECT(recover_and_look() >= reported * EPOCH_ROWS);
        struct fault none = {NOTHING, 0, 0, no_renameat2, 0};
        run(&none, -1);
        expect_rows(ALL_ROWS);
        fixture_remove("root");
    }
    fixture_end_fast(dir);
}

TEST(store_recovers_from_kill_before_every_system_call)
{
    kill_at_every_call(KILL_BEFORE, false);
}

TEST(store_recovers_from_kill_after_every_system_call)
{
    kill_at_every_call(KILL_AFTER, false);
}

TEST(store_recovers_from_kill_without_renameat2)
{
    kill_at_every_call(KILL_BEFORE, true);
}

/* The run is killed at call n, the next one at its call m, which is in recovery for most m. */
TEST(store_recovers_from_kill_in_recovery)
{
    enum { RECOVERY_CALLS = 45 };
    char dir[64];
    fixture_begin_fast(dir);
    uint64_t calls = count_calls(false);
    for (uint64_t n = 1; n <= calls; n += 3) {
        bool killed = true;
        for (uint64_t m = 1 + n % 5; m < RECOVERY_CALLS && killed; m += 5) {
            uint64_t reported = run_child((struct fault){KILL_AFTER, 0, n, false, 0}, &killed);
            EXPECT(killed);
            reported += run_child((struct fault){KILL_BEFORE, 0, m, false, 0}, &killed);
            EXPECT(recover_and_look() >= reported * EPOCH_ROWS);
            fixture_remove("root");
        }
    }
    fixture_end_fast(dir);
}

/* The same process goes on after the error; nothing is restarted. */
static void fail_every_call(enum effect effect, int error, bool no_renameat2)
{
    char dir[64];
    fixture_begin_fast(dir);
    uint64_t calls = count_calls(no_renameat2);
    for (uint64_t n = 1; n <= calls; n++) {
        struct fault fault = {effect, error, n, no_renameat2, 0};
        run(&fault, -1);
        if (effect == FAIL_ONCE)
            expect_rows(ALL_ROWS); /* one error leaves nothing behind, even before a restart */
        EXPECT_U64(recover_and_look(), ALL_ROWS);
        fixture_remove("root");
    }
    fixture_end_fast(dir);
}

TEST(store_goes_on_after_eio_in_every_system_call)
{
    fail_every_call(FAIL_ONCE, EIO, false);
}

TEST(store_goes_on_after_enospc_for_a_while)
{
    fail_every_call(FAIL_FOR_A_WHILE, ENOSPC, false);
}

TEST(store_goes_on_after_eio_without_renameat2)
{
    fail_every_call(FAIL_ONCE, EIO, true);
}
