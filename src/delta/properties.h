/* SPDX-License-Identifier: MIT */
#ifndef VARVE_DELTA_PROPERTIES_H
#define VARVE_DELTA_PROPERTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "delta/action.h"

/*
 * What the properties of a table, metaData.configuration, say of how it is kept (Delta PROTOCOL.md,
 * "Metadata Cleanup", "Checkpoints", "Action Reconciliation"; the names are those of Delta's own
 * documentation, "Table properties reference").
 */
enum { DELTA_CHECKPOINT_INTERVAL = 100 }; /* commits, where the table does not say */
#define DELTA_FOREVER INT64_MAX

/* Commits between checkpoints, at least 1. */
uint64_t delta_checkpoint_interval(const struct delta_metadata *metadata);

/* How long entries of the log are kept (30 days unless the table says), ms; DELTA_FOREVER where the
 * clean-up is switched off, and where what the table says can't be understood. */
int64_t delta_log_retention(const struct delta_metadata *metadata);

/* How long a removed file is remembered (a week unless the table says), ms; DELTA_FOREVER where
 * what the table says can't be understood. */
int64_t delta_tombstone_retention(const struct delta_metadata *metadata);

/* "interval 30 days", "2 weeks", "interval 1 day 12 hours": ms. Units down to milliseconds. False
 * for anything else, and for what no int64 holds. */
bool delta_interval_parse(struct slice text, int64_t *ms) __attribute__((warn_unused_result));

#endif
