/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CHECK_STREAM_H
#define VARVE_CHECK_STREAM_H

#include "config/config.h"
#include "nats/consumer.h"
#include "nats/stream.h"
#include "check/report.h"

/* Judgements on what the server says, for one source. They ask nobody. */

/* How fast events have come into a stream so far, on average. Both 0 if it has too few to tell. */
struct check_rate {
    double events, bytes; /* a second */
};
struct check_rate check_stream_rate(const struct nats_stream_info *info);

/* Does the stream keep events for longer than varve may need, and how long may varve be away? */
void check_stream(struct check_report *r, const struct config *config,
                  const struct config_source *source, const struct nats_stream_info *info);

/* Does the consumer do what the batching needs? `info` is NULL if it does not exist. */
void check_consumer(struct check_report *r, const struct config *config, uint32_t source,
                    const struct nats_stream_info *stream, const struct nats_consumer_info *info);

#endif
