/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_ORACLE_H
#define VARVE_TESTS_SIM_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "server.h"

/*
 * What has to be true, whatever happens. It reads the store by the public formats alone, as far as
 * it would be there after a power cut:
 *
 * - a message is acked only when it is durable, as a row or as a dead letter;
 * - each message is one row, once, equal in every column; or, where it can't be a row, a dead
 *   letter;
 * - what the log names is there, whole; what lies in the directory is named by the log.
 */
struct oracle;

struct oracle *oracle_new(struct server *server, struct disk *disk, const char *root,
                          const char *dead_letters);
void oracle_free(struct oracle *o);

/* A stream took event `number`. */
void oracle_accepted(struct oracle *o, const char *stream, uint64_t seq, uint32_t number,
                     int64_t base, const char *subject, int64_t time);
/* The stream has dropped the message, or may have: it need not be in the store. */
void oracle_excuse(struct oracle *o, const char *stream, uint64_t first, uint64_t last);

/* What a stream, or that of dead letters, has behind this sequence, 0 for all, is no more in it,
 * and others may get its numbers. What of it is stored already, or on the way, counts all the same.
 */
void oracle_made_again(struct oracle *o, const char *stream, uint64_t after);

/* Another directory takes the place of the store at once. What was stored in the old one must come
 * again if the stream has `kept` it; acks of it may be on their way. */
void oracle_replaced(struct oracle *o, bool kept);

/* A message of a subject that varve does not want was put into a stream. */
void oracle_other(struct oracle *o, const char *stream, uint64_t seq);

/* varve says that of these, which it never stored, at most `count` are gone: some have to be. Or so
 * many were of other subjects: nobody can tell any more what a message was that is gone, unless
 * varve was told before, and what it was told may have died with it. With a `shared` consumer, be
 * they there or not: what comes again to others takes numbers, too, and a queue does not tell what
 * it has of others. That is counted. */
void oracle_alarmed(struct oracle *o, const char *stream, uint64_t first, uint64_t last,
                    uint64_t count, bool shared);

/* For server_watch_acks. */
void oracle_on_ack(void *oracle, const char *stream, const char *consumer, uint64_t seq, bool all,
                   int64_t now);

/* For server_watch_drops: the server itself has dropped it. */
void oracle_on_drop(void *oracle, const char *stream, uint64_t seq);

/* Take in what is durable of the log by now. */
void oracle_look_at_log(struct oracle *o);

/* Whether all that has to be in the store is durable in it. */
bool oracle_is_complete(struct oracle *o);
/* Long after: the server has been told of all that is stored. */
void oracle_check_acked(struct oracle *o, const char *stream, const char *consumer);
/* The end, with varve stopped in good order. */
void oracle_finish(struct oracle *o);

/* For another engine: append the path of a file of the table, whichever `value` says; false if
 * there is none. The files that the table has no more. The number of the next entry of the log. */
bool oracle_next_file(struct oracle *o, uint64_t value, struct buf *path);
void oracle_removed(const struct oracle *o, void (*visit)(void *context, const char *path),
                    void *context);
uint64_t oracle_version(const struct oracle *o);

/* The first thing that was wrong; NULL: nothing was. */
const char *oracle_failure(const struct oracle *o);
/* Say what is wrong; the first is kept. */
void oracle_fail(struct oracle *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

uint64_t oracle_rows(const struct oracle *o);
/* Alarms that were of messages of other subjects. */
uint64_t oracle_unsure(const struct oracle *o);

/* Append what should be in the store, a JSON object a line: for readers that are not ours. */
void oracle_tell(const struct oracle *o, struct buf *out);

#endif
