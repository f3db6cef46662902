/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_HISTORY_H
#define VARVE_TESTS_SIM_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One history: the plan of a seed carried out, all of varve in it, and the oracle's judgement. True
 * if all is well; else `failure` says what is not. `actors` are those of
 * plan_make. With `trace` what happens is told on standard
 * error. What is left on the disk is written below `dump`, unless that is NULL.
 *
 * One a process: varve's own seeds of chance are made to be those of the history.
 */
enum { HISTORY_FAILURE_MAX = 600 };

struct history_result {
    uint64_t events, rows, turns, checksum;
    int64_t time;    /* that passed in it, ns */
    uint64_t unsure; /* see oracle_alarmed */
};

bool history_run(uint64_t seed, bool actors, bool trace, const char *dump,
                 struct history_result *result, char failure[static HISTORY_FAILURE_MAX]);

#endif
