/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include <inttypes.h>

#include "delta/durable.h"
#include "delta/log.h"
#include "delta/snapshot.h"
#include "drain/widened.h"
#include "object/open.h"

/* The position of this instance in the stream's newest generation, or an empty one; and what it has
 * noted of subjects. */
static void read_position(const struct config *config, const struct config_source *source,
                          struct positions *all, const struct position **found,
                          struct buf *subjects)
{
    struct object_config place = {.root = config->output.log_output_directory,
                                  .entries = DELTA_LOG_FOLDER};
    struct delta_snapshot table = {.want_varve = true};
    struct err err = {0}; /* said of the table */
    bool complete, saved, forgotten;
    struct object_store *store = object_open(&place, &err);
    if (store != NULL && delta_snapshot_load(&table, store, &err) == 0 && table.found &&
        delta_durable_read(all, &table, store, config->nats.name, &complete, &saved, &forgotten,
                           subjects, &err) == 0)
        *found = positions_newest(all, source->stream, source->consumer);
    delta_snapshot_free(&table);
    object_store_close(store);
}

/* Acked, and not in the directory. */
struct lack {
    uint64_t first, last; /* the first such message, and the floor */
    uint64_t kept;        /* the first that the stream may still have, 0: it has none */
};

static struct lack lack_of(const struct position *p, const struct nats_stream_info *stream,
                           uint64_t floor)
{
    struct lack l = {.first = seqset_contiguous_end(&p->above, p->through + 1) + 1, .last = floor};
    uint64_t kept = l.first > stream->first_seq ? l.first : stream->first_seq;
    uint64_t end = floor < stream->last_seq ? floor : stream->last_seq;
    kept = seqset_contiguous_end(&p->above, kept) + 1;
    if (stream->messages > 0 && kept <= end)
        l.kept = kept;
    return l;
}

static void judge_lack(struct check_report *r, const struct config *config,
                       const struct config_source *source, const struct lack *l, bool fresh)
{
    const char *root = config->output.log_output_directory;
    if (source->shared)
        check_say(r, CHECK_OK,
                  "consumer %s of stream %s: other instances have acked events that %s lacks",
                  source->consumer, source->stream, root);
    else if (l->kept > 0)
        check_say(r, CHECK_PROBLEM,
                  "consumer %s of stream %s has acked events up to sequence %" PRIu64
                  " that %s lacks from %" PRIu64
                  " on: varve run fetches again what the stream still has of them, from %" PRIu64
                  " on",
                  source->consumer, source->stream, l->last, root, l->first, l->kept);
    else
        check_say(r, fresh ? CHECK_WARNING : CHECK_PROBLEM,
                  "consumer %s of stream %s has acked events up to sequence %" PRIu64
                  " that %s lacks from %" PRIu64
                  " on, and the stream has none of them any more: look for another directory, or a "
                  "backup, that has them",
                  source->consumer, source->stream, l->last, root, l->first);
}

void check_floor(struct check_report *r, const struct config *config,
                 const struct config_source *source, const struct nats_stream_info *stream,
                 const struct nats_consumer_info *info)
{
    static const struct position nothing;
    const struct position *p = NULL;
    struct positions all = {0};
    uint64_t floor = info->ack_floor_stream_seq;
    read_position(config, source, &all, &p, NULL);
    bool fresh = p == NULL;
    bool lacks = fresh
                     ? source->start.kind == CONFIG_START_FIRST && info->ack_floor_consumer_seq > 0
                     : info->ack_floor_consumer_seq > p->delivered && floor > p->through;
    struct lack l = lack_of(fresh ? &nothing : p, stream, floor);
    if (lacks && l.first <= floor)
        judge_lack(r, config, source, &l, fresh);
    positions_free(&all);
}

void check_widened(struct check_report *r, const struct config *config,
                   const struct config_source *source)
{
    const struct position *p = NULL;
    struct positions all = {0};
    struct buf noted = {0};
    read_position(config, source, &all, &p, &noted);
    for (size_t i = 0; i < source->subjects.count && p != NULL; i++) {
        const char *subject = source->subjects.items[i];
        uint64_t after = widened_after(buf_slice(&noted), source, subject, p->through);
        if (after > 0)
            check_say(r, after == p->through ? CHECK_WARNING : CHECK_OK,
                      "subject %s was added to consumer %s of stream %s: what the stream had of it "
                      "up to sequence %" PRIu64
                      " was passed over, and is not fetched; a run of varve with another "
                      "sources[].consumer stores what the table lacks of it",
                      subject, source->consumer, source->stream, after);
    }
    positions_free(&all);
    buf_free(&noted);
}
