/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CHECK_CHECK_H
#define VARVE_CHECK_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "nats/consumer.h"
#include "nats/stream.h"
#include "object/posix.h"

struct api_client;

/* What `varve check` found: a sentence a line, each behind its level. */
enum check_level {
    CHECK_OK,
    CHECK_WARNING, /* it works, and somebody should know */
    CHECK_PROBLEM, /* the promise can't be kept */
    CHECK_LEVELS,
};

struct check_report {
    bool json; /* an object a line, {"level":"ok","text":...} */
    struct buf text;
    unsigned counts[CHECK_LEVELS];
};

void check_say(struct check_report *r, enum check_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* About how long, for people: "90s", "15m", "36h", "12d". */
enum { CHECK_DURATION_MAX = 32 };
const char *check_duration(int64_t ns, char out[static CHECK_DURATION_MAX]);

/* Can this configuration, this server and this disk keep the promise? Nothing is changed: no
 * consumer is made, no directory, no event is taken; a few small files are made where the output is
 * to be, and removed again. `config` is finished and linted. */

/* What follows from the configuration alone. */
void check_config(struct check_report *r, const struct config *config);

/* The files of nats.tls and of metrics.tls, where they are used: are they what they should be, and
 * for how long? */
void check_tls_files(struct check_report *r, const struct config *config);

/* How a connection that is made is encrypted. */
struct secure;
void check_tls(struct check_report *r, const struct secure *secure);

/* Append the permissions that a user needs for this configuration, as the configuration of a
 * nats-server has them: to be pasted behind the user's password or key. */
void check_permissions(struct buf *out, const struct config *config);

/* What of the followers' settings, and of the descriptor sets that they name, `varve run` would not
 * start with. check_followers tells that, too. */
void check_follower_settings(struct check_report *r, const struct config *config);

/* Each follower: are its payloads described, can its target be reached, would the columns fit? */
void check_followers(struct check_report *r, const struct config *config);

/* Whether varve can write to a directory, or make it; *found becomes that, or the nearest one above
 * it that is there. */
bool check_directory(struct check_report *r, const char *root, struct buf *found);

/* All the rest: takes seconds, more where a server does not answer. */
void check_live(struct check_report *r, const struct config *config);

/* Check what a finished configuration can't judge by itself, since the protocol or the store says
 * what is right: URLs, names, subjects, the template; and that dead letters don't come back.
 * ERR_USAGE that begins with the key. */
int lint_config(const struct config *c, struct err *err) __attribute__((warn_unused_result));

/* Judgements on what the server says, for one source. They ask nobody. */

/* How fast events have come into a stream so far, on average. Both 0 if it has too few to tell, or
 * all of them from one minute: a burst says nothing of the next day. */
struct check_rate {
    double events, bytes; /* a second */
};
struct check_rate check_stream_rate(const struct nats_stream_info *info);

/* What a day of this rate, that of all streams, writes to the disk: some wear out by it. */
void check_writes(struct check_report *r, const struct config *config, struct check_rate rate);

/* Does the clock of the server that answered for a stream agree with ours, `now` (clock_wall)? Old
 * servers don't tell theirs: nothing is said then. */
void check_clock(struct check_report *r, const struct nats_stream_info *info, int64_t now);

/* Does the stream keep events for longer than varve may need, and how long may varve be away? */
void check_stream(struct check_report *r, const struct config *config,
                  const struct config_source *source, const struct nats_stream_info *info);

/* Does the consumer do what the batching needs? `info` is NULL if it does not exist. */
void check_consumer(struct check_report *r, const struct config *config, uint32_t source,
                    const struct nats_stream_info *stream, const struct nats_consumer_info *info);

/* Does the output directory have what the consumer has as acked (drain/source_floor.h does that for
 * varve run), and does the stream still have what is lacking? */
void check_floor(struct check_report *r, const struct config *config,
                 const struct config_source *source, const struct nats_stream_info *stream,
                 const struct nats_consumer_info *info);

/* Has the source subjects that it had not when its position was made? */
void check_widened(struct check_report *r, const struct config *config,
                   const struct config_source *source);

/* Does the table in the output directory take our rows, and does its log have all files that are
 * there? */
void check_table(struct check_report *r, const char *root);

/* A work queue has one consumer for each subject (10099 and 10100 in nats-server's errors.json):
 * does another consumer take what the source wants? One of the source's own name is no other. */
void check_overlap(struct check_report *r, const struct config_source *source,
                   const struct nats_consumer_info *other);

/* Ask for all consumers of the source's stream and judge each, if the stream is a work queue and
 * the source's consumer does not take all its subjects yet. `info` is that consumer, or NULL if it
 * does not exist; what it points to may be gone afterwards. */
void check_overlaps(struct check_report *r, struct api_client *a,
                    const struct config_source *source, const struct nats_stream_info *stream,
                    const struct nats_consumer_info *info);

/* Does the stream, whose messages may have other subjects than it takes, have one for the source?
 */
void check_unmatched(struct check_report *r, struct api_client *a,
                     const struct config_source *source, const struct nats_stream_info *info);

/* May this user do with the source's consumer what varve run does, and publish to the subject that
 * `key` has? Tried for real, with requests that come to nothing. */
void check_rights(struct check_report *r, struct api_client *a, const struct config *config,
                  const struct config_source *source);
bool check_may_publish(struct check_report *r, struct api_client *a, const char *key,
                       const char *subject);

/* Does `varve run` with this configuration run already? Its lock in the output directory tells. */
struct check_instance {
    bool known;   /* false: it can't be told, for lack of permissions */
    bool running; /* as `process`, the text of a number */
    char process[OBJECT_POSIX_OWNER_MAX];
};
struct check_instance check_instance_look(const struct config *config);

/* Does it, and can its page and metrics be had where metrics.listen says? The port is ours for a
 * moment. */
void check_metrics(struct check_report *r, const struct config *config);

/* Does another client pull from the consumer, `waiting` of whose pulls are unanswered? Said only
 * where it is sure: this instance does not run, or it can't have so many pulls. Asks the server
 * again in that case, a second later. */
void check_pulls(struct check_report *r, struct api_client *a, const struct config *config,
                 const struct config_source *source, uint64_t waiting);

#endif
