/* SPDX-License-Identifier: MIT */
#ifndef VARVE_OBJECT_FAULT_H
#define VARVE_OBJECT_FAULT_H

#include <stdbool.h>

#include "base/err.h"
#include "object/system.h"

/*
 * Faults for tests: chosen system calls of the store fail, or end the process. Product builds have
 * no way to turn this on; build/varve-fault takes the text from the variable VARVE_FAULT.
 *
 * The text is one or more rules separated by commas, each
 *
 *     CALL:N:ACTION[:sticky][:until=PATH]
 *
 * CALL is a name of system_call_names or "any"; N counts those calls from 1. ACTION is "kill"
 * (SIGKILL instead of the call), "kill-after" (SIGKILL right behind it), "slow" (5 ms in front of
 * it, as on a disk that is no match for us), "hang" (until PATH exists, else for ever), or the name
 * of an errno such as ENOSPC. With "sticky"
 * it happens to the calls after the N-th, too. From when PATH exists the rule is off, so a test can
 * end a fault while varve runs.
 */
struct fault;

/* NULL and ERR_USAGE for a text that is not as above. */
struct fault *fault_new(const char *text, struct err *err) __attribute__((warn_unused_result));
void fault_free(struct fault *fault);

/*
 * In build/varve-fault, put the faults that VARVE_FAULT asks for into `system`, unless it has a
 * hook already; all of the process share them. In varve, nothing.
 */
int fault_install(struct system *system, struct err *err) __attribute__((warn_unused_result));

/* The system_hook; its context is the struct fault. Any thread. */
int fault_hook(void *context, enum system_call call, bool after);

#endif
