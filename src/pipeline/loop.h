/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PIPELINE_LOOP_H
#define VARVE_PIPELINE_LOOP_H

#include "pipeline/pipeline.h"

/* One turn: wait for something to do, at most until the next deadline, and do all that is due.
 * Nothing in here blocks on a disk. */
void loop_turn(struct pipeline *p);

#endif
