/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TOOLS_GEN_PUBLISH_H
#define VARVE_TOOLS_GEN_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "load.h"
#include "nats/client.h"

struct publish_options {
    const char *server; /* URL */
    const char *stream;
    const char *subject;   /* a * in it stands for the simulation of each event, or "none" */
    const char *retention; /* of the stream if it has to be made: limits, workqueue, interest */
    uint64_t start_index;  /* of the first event */
    uint64_t count;        /* events */
    uint64_t corrupt;      /* other messages, spread evenly between them */
    uint64_t rate;         /* messages a second, 0: as many as the server takes */
    bool deduplicate;      /* with a Nats-Msg-Id: what is published again is there once */
};

struct publish_result {
    uint64_t published; /* messages that the stream confirmed */
    uint64_t first_seq; /* lowest and highest sequence that it gave them */
    uint64_t last_seq;
    double seconds;
};

/* Append message number `i` of the run, of count + corrupt. */
void publish_message(const struct publish_options *options, const struct load *load, uint64_t i,
                     struct buf *out);

/* Connect, make the stream where it is missing, publish, wait for every confirmation. */
int publish_run(const struct publish_options *options, const struct load *load,
                struct publish_result *result, struct err *err) __attribute__((warn_unused_result));

#endif
