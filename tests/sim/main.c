/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "history.h"
#include "plan.h"
#include "random.h"
#include "serve.h"

/*
 * varve-sim run FIRST COUNT JOBS     histories FIRST to FIRST + COUNT - 1
 * varve-sim replay SEED              one, and what happens in it
 * varve-sim dump SEED DIRECTORY      one, and the store that it leaves, as files
 * varve-sim serve MINOR PATCH        the model server alone, on a port
 */

/* All chance that varve asks the system for: of a history, the same each time. */
static struct sim_random chance;

ssize_t getrandom(void *buffer, size_t len, unsigned flags)
{
    uint8_t *bytes = buffer;
    (void)flags;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)sim_random_next(&chance);
    return (ssize_t)len;
}

static bool run_one(uint64_t seed, bool trace, const char *dump)
{
    char failure[HISTORY_FAILURE_MAX];
    struct history_result result;
    chance.state = seed;
    bool good = history_run(seed, seed >= PLAN_ACTORS_FROM, trace, dump, &result, failure);
    if (trace)
        (void)fprintf(
            stderr, "seed %llu: %s, %llu events, %llu rows, %llu turns in %.0f s, %016llx\n",
            (unsigned long long)seed, good ? "good" : failure, (unsigned long long)result.events,
            (unsigned long long)result.rows, (unsigned long long)result.turns,
            (double)result.time / 1e9, (unsigned long long)result.checksum);
    else if (!good)
        (void)printf("FAILED seed %llu: %s\n", (unsigned long long)seed, failure);
    else if (result.unsure > 0)
        (void)printf("seed %llu: an alarm of what was of other subjects\n",
                     (unsigned long long)seed);
    (void)fflush(stdout);
    return good;
}

/* One history in a process of its own: whatever it does, the others go on. */
static bool wait_for_one(pid_t *children, uint64_t *seeds, int jobs, bool *good)
{
    int status;
    pid_t pid = wait(&status);
    for (int i = 0; i < jobs; i++) {
        if (children[i] != pid)
            continue;
        children[i] = 0;
        *good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!WIFEXITED(status))
            (void)printf("FAILED seed %llu: signal %d\n", (unsigned long long)seeds[i],
                         WTERMSIG(status));
        return true;
    }
    return false;
}

static int run(uint64_t first, uint64_t count, int jobs)
{
    pid_t children[64] = {0};
    uint64_t seeds[64];
    uint64_t failed = 0;
    uint64_t begun = 0;
    int running = 0;
    while (begun < count || running > 0) {
        for (int i = 0; i < jobs && begun < count; i++) {
            if (children[i] != 0)
                continue;
            seeds[i] = first + begun++;
            (void)fflush(stdout);
            children[i] = fork();
            if (children[i] == 0)
                _exit(run_one(seeds[i], false, NULL) ? 0 : 1);
            running++;
        }
        bool good = true;
        if (!wait_for_one(children, seeds, jobs, &good))
            break;
        failed += !good;
        running--;
    }
    (void)printf("%llu passed, %llu failed\n", (unsigned long long)(count - failed),
                 (unsigned long long)failed);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    uint64_t numbers[3] = {0};
    bool valid = argc > 2;
    for (int i = 2; i < argc && i < 5; i++)
        valid = valid && num_parse_u64(slice_of(argv[i]), &numbers[i - 2]);
    if (argc == 4 && strcmp(argv[1], "dump") == 0 && num_parse_u64(slice_of(argv[2]), numbers))
        return run_one(numbers[0], false, argv[3]) ? 0 : 1;
    if (valid && argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve((uint32_t)numbers[0], (uint32_t)numbers[1]);
    if (valid && argc == 3 && strcmp(argv[1], "replay") == 0)
        return run_one(numbers[0], true, NULL) ? 0 : 1;
    if (valid && argc == 5 && strcmp(argv[1], "run") == 0 && numbers[2] > 0 && numbers[2] <= 64)
        return run(numbers[0], numbers[1], (int)numbers[2]);
    (void)fprintf(stderr,
                  "usage: %s run FIRST COUNT JOBS | replay SEED | "
                  "dump SEED DIRECTORY | serve MINOR PATCH\n",
                  argv[0]);
    return 2;
}
