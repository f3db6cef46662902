/* SPDX-License-Identifier: MIT */
#include "follow/nats.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/text.h"
#include "follow/follower.h"
#include "follow/publisher.h"

/* A connection that nobody has looked after for so long is made anew: the server may have given it
 * up. */
#define IDLE_MAX (5 * CLOCK_SECOND)

struct nats_target {
    struct follow_target target;
    const struct config *config;
    struct publisher_options options;
    struct publisher publisher;
    int64_t used_at;                   /* clock_monotonic: the connection was */
    uint64_t rows;                     /* taken since the last commit */
    struct delta_follower there;       /* rows of the stream that the store does not know of */
    const struct delta_follower *done; /* while `there` is filled */
};

/* A row that is in the stream: false if the store knows of it, and hence of all before. */
static bool note_row(void *context, struct slice generation, uint64_t sequence)
{
    struct nats_target *t = context;
    const uint8_t *slash = memchr(generation.data, '/', generation.len);
    if (slash == NULL)
        return true; /* nobody but us makes such a name; it is none of our rows */
    size_t len = (size_t)(slash - generation.data);
    char *stream = text_copy_slice((struct slice){generation.data, len});
    char *created = text_copy_slice((struct slice){slash + 1, generation.len - len - 1});
    bool known = false;
    for (size_t i = 0; i < t->done->generations.count; i++) {
        const struct delta_followed *g = &t->done->generations.list[i];
        const struct seqrange *range =
            strcmp(g->stream, stream) == 0 && strcmp(g->created, created) == 0
                ? seqset_find(&g->rows, sequence)
                : NULL;
        known = known || (range != NULL && range->first <= sequence);
    }
    if (!known)
        (void)seqset_add(delta_follower_rows(&t->there, stream, created, true), sequence);
    free(stream);
    free(created);
    return !known;
}

static int connect_to(struct nats_target *t, struct err *err)
{
    if (publisher_open(&t->publisher, &t->options, err) != 0)
        return -1;
    for (size_t i = 0; i < t->config->source_count; i++)
        if (strcmp(t->config->sources[i].stream, t->publisher.stream) == 0)
            return err_set(err, ERR_USAGE,
                           "stream %s is one that varve drains: its events would be stored again",
                           t->publisher.stream);
    t->used_at = clock_monotonic();
    return 0;
}

static int open_target(struct follow_target *target, const struct delta_follower *done,
                       struct err *err)
{
    struct nats_target *t = (struct nats_target *)target;
    t->options.stop = target->stop;
    if (connect_to(t, err) != 0)
        return -1;
    if (!t->publisher.any)
        return 0;
    /* Also where the last one is of somebody else: ours may be in front of it. */
    t->done = done;
    return publisher_each_back(&t->publisher, FOLLOWER_COMMIT_ROWS, note_row, t, err);
}

static int take(struct follow_target *target, const struct follow_event *row, struct err *err)
{
    struct nats_target *t = (struct nats_target *)target;
    const struct seqset *there = delta_follower_rows(&t->there, row->stream, row->created, false);
    const struct seqrange *range = there != NULL ? seqset_find(there, row->sequence) : NULL;
    if (range != NULL && range->first <= row->sequence)
        return 0;
    int64_t now = clock_monotonic();
    bool waits = t->publisher.held || t->publisher.sent > t->publisher.confirmed;
    if (now > t->used_at + IDLE_MAX && !waits && connect_to(t, err) != 0)
        return -1;
    t->used_at = now;
    t->rows++;
    return publisher_put(&t->publisher, row, err);
}

static int commit(struct follow_target *target, const struct delta_follower *done, struct err *err)
{
    struct nats_target *t = (struct nats_target *)target;
    (void)done; /* the messages say it */
    if (publisher_flush(&t->publisher, err) != 0)
        return -1;
    target->counts.rows += t->rows;
    t->rows = 0;
    return 0;
}

static void close_target(struct follow_target *target)
{
    struct nats_target *t = (struct nats_target *)target;
    target->again = t->publisher.contended;
    publisher_free(&t->publisher);
    delta_follower_free(&t->there);
    t->rows = 0;
}

/* Which stream takes it, and whether that is one to publish to. Only asks. */
static int check(struct follow_target *target, struct buf *says, struct err *err)
{
    struct nats_target *t = (struct nats_target *)target;
    int result = connect_to(t, err);
    if (result == 0)
        buf_printf(says, "it publishes to %s in stream %s, %s", t->options.subject,
                   t->publisher.stream,
                   t->publisher.batches
                       ? "in atomic batches"
                       : "message by message: that does not allow atomic batches (allow_atomic)");
    close_target(target);
    return result;
}

static void free_target(struct follow_target *target)
{
    close_target(target);
    free(target);
}

struct follow_target *follow_nats_new(const struct config *config,
                                      const struct config_follower *follower, struct err *err)
{
    static const struct follow_target_operations operations = {
        open_target, take, commit, check, close_target, free_target};
    if (!publisher_subject_valid(follower->subject)) {
        (void)err_set(err, ERR_USAGE, "subject: '%s' is none to publish to; '>' may be its end",
                      follower->subject);
        return NULL;
    }
    if (follower->stream[0] != '\0' && !nats_name_valid(slice_of(follower->stream))) {
        (void)err_set(err, ERR_USAGE, "stream: '%s' can't be the name of one", follower->stream);
        return NULL;
    }
    struct nats_target *t = calloc(1, sizeof(*t));
    if (t == NULL)
        out_of_memory(sizeof(*t));
    *t = (struct nats_target){
        .target = {.operations = &operations},
        .config = config,
        .options = {.config = config,
                    .stream = follower->stream[0] != '\0' ? follower->stream : NULL,
                    .subject = follower->subject,
                    .mark = follower->name,
                    .run = follower->name,
                    .begin = true}};
    return &t->target;
}
