/* SPDX-License-Identifier: MIT */
#include "pipeline/look.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "object/bucket.h"
#include "pipeline/flow.h"

static const char *name_of_pause(uint32_t index)
{
    return flow_pause_name((enum flow_pause)index);
}

static const char *name_of_reason(uint32_t index)
{
    return epoch_reason_name((enum epoch_reason)index);
}

static const char *name_of_trouble(uint32_t index)
{
    return trouble_name((enum trouble)index);
}

void look_init(struct pipeline *p)
{
    p->view.sources = calloc(p->source_count, sizeof(*p->view.sources));
    if (p->view.sources == NULL)
        out_of_memory(p->source_count * sizeof(*p->view.sources));
    p->view.source_count = p->source_count;
    p->view.pause_names = (struct view_names){name_of_pause, FLOW_PAUSES};
    p->view.trouble_names = (struct view_names){name_of_trouble, TROUBLES};
    p->view.reason_names = (struct view_names){name_of_reason, EPOCH_REASONS};
    p->view.instance = p->config->nats.name;
    p->view.output = p->config->output.log_output_directory;
    p->view.min_free = p->config->output.min_free;
    p->view.in_bucket = config_writes_to_s3(p->config);
}

void look_free(struct pipeline *p)
{
    free(p->view.sources);
    buf_free(&p->denied);
    p->view = (struct view){0};
}

/* Pulls end while flow control wants no more; then what waits for its commit gets old, or not. */
static bool is_stalled(const struct pipeline *p, const struct source *s)
{
    if (s->standby.state != SOURCE_STANDBY_OFF && s->waits_because.len == 0)
        return false; /* nothing is wrong with it */
    return s->state != SOURCE_PULLING || (p->pauses == 0 && !nats_pull_is_live(&s->pull));
}

static const char *state_of(const struct pipeline *p, const struct source *s)
{
    switch (s->state) {
    case SOURCE_OFF:
        return "not connected";
    case SOURCE_STREAM:
    case SOURCE_POSITION:
    case SOURCE_BELOW:
    case SOURCE_CUT:
    case SOURCE_GUARD:
    case SOURCE_DELETE:
    case SOURCE_CONSUMER:
    case SOURCE_CREATE:
    case SOURCE_CONFIRM:
        return "asking the server";
    case SOURCE_PULLING:
        return p->pauses != 0 ? "paused" : is_stalled(p, s) ? "stalled" : "pulling";
    case SOURCE_ANCHORING:
        return "committing its starting position";
    case SOURCE_STANDBY:
        return "standing by for another instance";
    case SOURCE_LEAVING:
        return "changing over to another generation";
    case SOURCE_RETRY:
        return "waiting to try again";
    case SOURCE_REFUSED:
        return "refused";
    }
    return "";
}

static enum alert_kind kind_of(enum source_alert alert)
{
    static const enum alert_kind kinds[SOURCE_ALERTS] = {
        [SOURCE_ALERT_STREAM_MISSING] = ALERT_STREAM_MISSING,
        [SOURCE_ALERT_STREAM_RECREATED] = ALERT_STREAM_RECREATED,
        [SOURCE_ALERT_CONSUMER_RECREATED] = ALERT_CONSUMER_RECREATED,
        [SOURCE_ALERT_CONSUMER_SHARED] = ALERT_CONSUMER_SHARED,
        [SOURCE_ALERT_DATA_LOST] = ALERT_DATA_LOST,
        [SOURCE_ALERT_DEAD_LETTERS] = ALERT_DEAD_LETTERS,
    };
    return kinds[alert];
}

static void take_alerts(struct view_source *view, struct source *s)
{
    view->raised = 0;
    view->resolved = 0;
    for (int i = 0; i < SOURCE_ALERTS && (s->raised | s->resolved) != 0; i++) {
        uint32_t bit = 1u << kind_of((enum source_alert)i);
        if ((s->raised >> i & 1) != 0)
            view->raised |= bit;
        if ((s->resolved & ~s->standing & 1u << i) != 0)
            view->resolved |= bit;
    }
    s->raised = 0;
    s->resolved = 0;
}

static void fill_source(struct pipeline *p, uint32_t index)
{
    struct source *s = &p->sources[index];
    struct view_source *view = &p->view.sources[index];
    view->known = s->seen_consumer;
    view->stream = s->settings->stream;
    view->state = state_of(p, s);
    view->counters = &s->counters;
    view->refusal = s->state == SOURCE_REFUSED ? s->refusal.text : NULL;
    view->stalled = is_stalled(p, s);
    view->waits_because = buf_text(&s->waits_because);
    view->fetching = s->refetch.state != REFETCH_IDLE;
    view->oldest = acker_oldest(&p->acker, index);
    take_alerts(view, s);
}

/* In the words of the system: the whole error, which is in the log, may name paths, and these are
 * made of values from events. */
static const char *failure_of(const struct store_trouble *trouble)
{
    if (!trouble->failing)
        return NULL;
    return trouble->err.system != 0 ? strerror(trouble->err.system) : "the log says why";
}

void look_fill(struct pipeline *p)
{
    struct view *v = &p->view;
    struct connection *c = &p->connection;
    v->stopping = p->phase != PIPELINE_RUNNING;
    v->client = connection_is_ready(c) ? &c->client : NULL;
    v->server = c->address;
    v->version = c->client.session.info.version_text;
    v->down_since = c->down_since;
    v->tls = c->secure.active ? c->secure.version : NULL;
    v->tls_insecure = c->secure.tls.insecure;
    v->server_expires = c->secure.active ? c->secure.server_expires : 0;
    v->own_expires = c->secure.own_expires;
    v->down_because = c->reasons.len > 0 ? buf_text(&c->reasons) : NULL;
    v->trouble = (uint32_t)c->trouble;
    v->login_expires = login_expires(&c->login) < INT64_MAX ? login_expires(&c->login) : 0;
    v->login_expiring = c->told_expiry;
    buf_reset(&p->denied);
    denied_append(&c->denied, clock_monotonic(), &p->denied);
    v->denied = buf_text(&p->denied);
    v->commit_failure = failure_of(&p->trouble);
    v->pauses = p->pauses;
    v->disk_low = (p->pauses & 1u << FLOW_DISK_LOW) != 0;
    v->max_age = p->epochs.limits.age;
    v->partitions = store_writer_partitions(p->writer);
    v->open_rows = p->epochs.open->rows;
    v->memory = flow_memory(p);
    v->memory_limit = p->memory_limit;
    v->disk_free = p->disk_free;
    if (v->in_bucket)
        object_bucket_count(&v->objects);
    v->expired_files = atomic_load(&p->upkeep.retained.files);
    v->expired_bytes = atomic_load(&p->upkeep.retained.bytes);
    v->compactions = atomic_load(&p->upkeep.compacted.swaps);
    v->compaction_memory = account_bytes(&p->upkeep.memory);
    v->files_live = atomic_load(&p->upkeep.compacted.live);
    followers_look(&p->followers, p->config, v);
    for (uint32_t i = 0; i < p->source_count; i++)
        fill_source(p, i);
}
