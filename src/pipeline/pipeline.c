/* SPDX-License-Identifier: MIT */
#include "pipeline/pipeline.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/num.h"
#include "base/version.h"
#include "pipeline/intake.h"
#include "pipeline/stop.h"

/* --- events of the connection ---------------------------------------------------------------- */

static void on_ready(struct pipeline *p, int64_t now)
{
    p->move_at = INT64_MAX;
    for (uint32_t i = 0; i < p->source_count; i++)
        if (p->phase == PIPELINE_RUNNING)
            source_start(&p->sources[i], &p->connection.client, now);
    watch_connected(p);
}

static void on_lost(struct pipeline *p, int64_t now)
{
    for (uint32_t i = 0; i < p->source_count; i++)
        source_stop(&p->sources[i]);
    acker_restart(&p->acker);
    dead_letters_give_up(&p->dead_letters, now);
    watch_lost(p, now);
    p->stats.reconnects++;
}

static void on_reply(struct pipeline *p, const struct nats_event *event, int64_t now)
{
    if (acker_reply(&p->acker, event)) {
        for (uint32_t i = 0; i < p->source_count && p->once; i++)
            source_poll_soon(&p->sources[i], now);
        return;
    }
    if (dead_letters_reply(&p->dead_letters, event, now) ||
        alerts_reply(&p->watch.alerts, event, now))
        return;
    for (uint32_t i = 0; i < p->source_count; i++)
        if (source_reply(&p->sources[i], &p->connection.client, event, now))
            return;
}

static void on_event(struct pipeline *p, const struct nats_event *event, int64_t now)
{
    switch (event->kind) {
    case NATS_EVENT_READY:
        on_ready(p, now);
        break;
    case NATS_EVENT_MESSAGE:
        intake_message(p, event->owner, event, now);
        break;
    case NATS_EVENT_STATUS:
        source_status(event->owner, &p->connection.client, event, now);
        break;
    case NATS_EVENT_REPLY:
        on_reply(p, event, now);
        break;
    case NATS_EVENT_LAME_DUCK:
        log_message(LOG_WARNING, "lame_duck", "%s is about to close", p->connection.address);
        p->move_at = now + PIPELINE_LAME_GRACE;
        break;
    case NATS_EVENT_START_TLS: /* not offered: connection.c never asks for TLS */
    case NATS_EVENT_PLAIN:
    case NATS_EVENT_SERVER_ERROR:
    case NATS_EVENT_INFO:
        break;
    }
}

static void serve_network(struct pipeline *p, short ready, int64_t now)
{
    struct nats_event event;
    connection_turn(&p->connection, ready, now);
    while (connection_next(&p->connection, now, &event))
        on_event(p, &event, now);
    if (now >= p->move_at) {
        p->move_at = INT64_MAX;
        if (p->connection.pool.count > 1)
            connection_drop(&p->connection, "the server is a lame duck", now);
    }
}

/* --- epochs ---------------------------------------------------------------------------------- */

static void seal(struct pipeline *p, enum epoch_reason reason, int64_t now)
{
    struct epoch *epoch = batcher_seal(&p->batcher, reason, now);
    for (uint32_t i = 0; i < p->source_count; i++) {
        struct epoch_source *part = &epoch->sources[i];
        if (part->rows.count == 0)
            continue;
        ledger_seal(&p->sources[i].ledger, &part->rows);
        source_fill_position(&p->sources[i], part);
    }
    struct epoch **last = &p->sealed;
    while (*last != NULL)
        last = &(*last)->next_sealed;
    *last = epoch;
    p->epochs++;
    batcher_send(&p->batcher, epoch);
}

static void seal_if_due(struct pipeline *p, int64_t now)
{
    enum epoch_reason reason = EPOCH_MEMORY;
    if (batcher_is_empty(&p->batcher))
        return;
    for (uint32_t i = 0; i < p->source_count; i++) {
        struct source *s = &p->sources[i];
        if (!source_must_adopt(s))
            continue;
        seal(p, EPOCH_STREAM, now); /* the next generation is another epoch */
        return;
    }
    if (p->epochs >= FLOW_EPOCHS_MAX)
        return;
    bool due = batcher_is_due(&p->batcher, now, &reason);
    bool full =
        p->epochs == 0 && batcher_memory(&p->batcher) >= flow_seal_memory(p->config->memory_limit);
    if (due || full)
        seal(p, reason, now);
}

static void adopt_generations(struct pipeline *p, int64_t now)
{
    for (uint32_t i = 0; i < p->source_count; i++) {
        struct source *s = &p->sources[i];
        if (source_must_adopt(s) && !dead_letters_wait(&p->dead_letters, s) &&
            batcher_is_empty(&p->batcher))
            source_adopt(s, &p->connection.client, now);
    }
}

static void count_committed(struct pipeline *p, struct epoch *epoch)
{
    int64_t wall = clock_wall();
    for (uint32_t i = 0; i < p->source_count; i++) {
        struct epoch_source *part = &epoch->sources[i];
        struct source *s = &p->sources[i];
        struct nats_ack ack;
        struct acklist_cursor cursor = {0};
        if (part->rows.count == 0)
            continue;
        /* Of an earlier generation there is no ledger any more. */
        if (slice_is(buf_slice(&s->created), part->created))
            ledger_commit(&s->ledger, &part->rows);
        s->stats.rows_committed += part->table_rows;
        s->stats.rows_clock_suspect += part->clock_suspect;
        s->stats.pending -= part->table_rows;
        for (int reason = 0; reason < EVENT_RESULTS; reason++) {
            s->stats.dead_lettered[reason] += part->dead[reason];
            s->stats.pending -= part->dead[reason];
            if (part->dead[reason] > 0)
                s->raised |= 1u << SOURCE_ALERT_DEAD_LETTERS;
        }
        while (acklist_next(&part->acks, &cursor, &ack))
            stats_observe(&s->stats.delay, wall - ack.timestamp_ns);
    }
    stats_committed(&p->stats, epoch, wall);
}

static void log_commit(const struct epoch *epoch)
{
    struct log_line line;
    log_begin(&line, LOG_INFO, "committed");
    log_u64(&line, "epoch", epoch->number);
    log_text(&line, "reason", epoch_reason_name(epoch->reason));
    log_u64(&line, "rows", epoch->rows);
    log_u64(&line, "files", epoch->file_count);
    log_u64(&line, "bytes", epoch->bytes_written);
    log_seconds(&line, "encode", epoch->encode_ns);
    log_seconds(&line, "commit", epoch->commit_ns);
    for (uint32_t i = 0; i < epoch->source_count; i++) {
        const struct epoch_source *part = &epoch->sources[i];
        if (part->rows.count == 0)
            continue;
        log_text(&line, "stream", part->stream);
        log_u64(&line, "first_seq", part->rows.ranges[0].first);
        log_u64(&line, "last_seq", part->rows.ranges[part->rows.count - 1].last);
    }
    log_end(&line);
}

static void collect_committed(struct pipeline *p)
{
    struct queue_item *item;
    while ((item = queue_poll(&p->committer.done)) != NULL) {
        struct epoch *epoch = (struct epoch *)item;
        batcher_committed(&p->batcher, epoch);
        count_committed(p, epoch);
        log_commit(epoch);
        p->sealed = epoch->next_sealed;
        p->epochs--;
        acker_add(&p->acker, epoch);
    }
}

/* --- flow ------------------------------------------------------------------------------------ */

static void look_at_disk(struct pipeline *p, int64_t now)
{
    if (now < p->next_disk)
        return;
    struct err err = {0};
    if (store_free_bytes(p->store, &p->disk_free, &err) != 0)
        p->disk_free = UINT64_MAX; /* the next commit will say what is wrong */
    p->next_disk = now + FLOW_DISK_INTERVAL;
}

static void log_pauses(uint32_t before, uint32_t after)
{
    for (int i = 0; i < FLOW_PAUSES; i++) {
        uint32_t bit = 1u << i;
        if ((before & bit) == (after & bit))
            continue;
        /* Short ones are how the queue works. */
        bool serious = i == FLOW_DISK_LOW;
        log_message(serious ? LOG_WARNING : LOG_DEBUG, (after & bit) != 0 ? "paused" : "resumed",
                    "%s", flow_pause_name((enum flow_pause)i));
    }
}

static void control_flow(struct pipeline *p)
{
    struct flow_state state = {
        .epochs = p->epochs,
        .failing = committer_trouble(&p->committer).failing,
        .queued = p->batcher.queued_bytes,
        .memory = batcher_memory(&p->batcher),
        .memory_limit = p->config->memory_limit,
        .disk_free = p->disk_free,
        .min_free = p->config->output.min_free,
    };
    uint32_t pauses = flow_pauses(&state);
    log_pauses(p->pauses, pauses);
    p->pauses = pauses;
    for (uint32_t i = 0; i < p->source_count; i++)
        nats_pull_pause(&p->sources[i].pull, pauses != 0 || p->move_at != INT64_MAX);
}

/* --- the end --------------------------------------------------------------------------------- */

static void begin_end(struct pipeline *p, enum epoch_reason reason, int64_t now)
{
    if (p->phase != PIPELINE_RUNNING)
        return;
    log_message(LOG_INFO, "stopping", "%s", epoch_reason_name(reason));
    dead_letters_give_up(&p->dead_letters, now);
    if (!batcher_is_empty(&p->batcher))
        seal(p, reason, now);
    for (uint32_t i = 0; i < p->source_count; i++)
        nats_pull_close(&p->sources[i].pull,
                        connection_is_ready(&p->connection) ? &p->connection.client : NULL);
    p->phase = PIPELINE_DRAINING;
}

/* --once: nothing more is coming. */
static void check_end(struct pipeline *p, int64_t now)
{
    if (!p->once || p->phase != PIPELINE_RUNNING)
        return;
    bool all_idle = true;
    bool all_ended = true;
    for (uint32_t i = 0; i < p->source_count; i++) {
        bool ended = source_at_end(&p->sources[i]);
        all_ended = all_ended && ended;
        all_idle = all_idle && (ended || p->sources[i].idle);
    }
    if (all_ended)
        begin_end(p, EPOCH_END, now);
    else if (all_idle && !batcher_is_empty(&p->batcher) && p->epochs == 0)
        seal(p, EPOCH_END, now); /* the server is waiting for these acks */
}

/* Nothing can go on if the server's side contradicts the configuration of every source. */
static void check_refused(struct pipeline *p, int64_t now)
{
    for (uint32_t i = 0; i < p->source_count; i++)
        if (p->sources[i].state != SOURCE_REFUSED)
            return;
    if (p->phase != PIPELINE_RUNNING)
        return;
    p->failure = p->sources[0].refusal;
    begin_end(p, EPOCH_STOP, now);
}

static void advance_end(struct pipeline *p, int64_t now)
{
    if (p->phase == PIPELINE_DRAINING) {
        struct committer_trouble trouble = committer_trouble(&p->committer);
        if (trouble.failing && trouble.failed >= PIPELINE_LAST_ATTEMPTS) {
            p->failure = trouble.err;
            p->phase = PIPELINE_DONE;
        } else if (p->epochs == 0) {
            p->phase = PIPELINE_ACKING;
            p->ack_deadline = now + PIPELINE_ACK_GRACE;
        }
    }
    if (p->phase == PIPELINE_ACKING &&
        (acker_is_idle(&p->acker) || !connection_is_ready(&p->connection) ||
         now >= p->ack_deadline))
        p->phase = PIPELINE_DONE;
}

/* --- the loop -------------------------------------------------------------------------------- */

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_deadline(struct pipeline *p)
{
    int64_t deadline = earliest(connection_deadline(&p->connection), p->next_disk);
    deadline = earliest(deadline, watch_deadline(p));
    if (acker_has_more(&p->acker) && p->connection.client.out.len == 0)
        return 0;
    deadline = earliest(deadline, p->move_at);
    if (p->phase == PIPELINE_RUNNING) {
        if (p->epochs < FLOW_EPOCHS_MAX)
            deadline = earliest(deadline, batcher_deadline(&p->batcher));
        for (uint32_t i = 0; i < p->source_count; i++)
            deadline = earliest(deadline, source_deadline(&p->sources[i]));
    }
    if (p->phase == PIPELINE_ACKING)
        deadline = earliest(deadline, p->ack_deadline);
    return deadline;
}

static int poll_timeout(int64_t deadline, int64_t now)
{
    if (deadline <= now)
        return 0;
    int64_t ms = (deadline - now) / CLOCK_MILLISECOND + 1;
    return ms > 60 * 1000 ? 60 * 1000 : (int)ms;
}

/* What the loop waits for. */
enum { WAIT_STOP, WAIT_WAKE, WAIT_NETWORK, WAIT_WATCH, WAIT_MAX = WAIT_WATCH + HTTP_POLL_MAX };

/* Returns how many of `fds` are the watch's. */
static size_t wait_for_events(struct pipeline *p, struct pollfd fds[static WAIT_MAX])
{
    fds[WAIT_STOP] = (struct pollfd){.fd = stop_descriptor(), .events = POLLIN};
    fds[WAIT_WAKE] = (struct pollfd){.fd = p->wake, .events = POLLIN};
    fds[WAIT_NETWORK] = connection_poll(&p->connection);
    size_t watched = watch_poll(&p->watch, fds + WAIT_WATCH);
    int timeout = poll_timeout(next_deadline(p), clock_monotonic());
    int ready = poll(fds, WAIT_WATCH + watched, timeout);
    CHECK(ready >= 0 || errno == EINTR);
    uint64_t count;
    ssize_t got = read(p->wake, &count, sizeof(count));
    (void)got; /* nothing to read: nobody woke us */
    return watched;
}

static void turn(struct pipeline *p)
{
    struct pollfd fds[WAIT_MAX];
    size_t watched = wait_for_events(p, fds);
    int64_t now = clock_monotonic();
    struct nats_client *client = &p->connection.client;
    serve_network(p, fds[WAIT_NETWORK].revents, now);
    if (connection_take_lost(&p->connection))
        on_lost(p, now);
    batcher_collect(&p->batcher);
    collect_committed(p);
    if (p->phase == PIPELINE_RUNNING) {
        look_at_disk(p, now);
        seal_if_due(p, now);
        adopt_generations(p, now);
        control_flow(p);
        for (uint32_t i = 0; i < p->source_count && connection_is_ready(&p->connection); i++)
            source_tick(&p->sources[i], client, now);
        check_end(p, now);
        check_refused(p, now);
    }
    if (stop_take().stop)
        begin_end(p, EPOCH_STOP, now);
    if (connection_is_ready(&p->connection))
        acker_tick(&p->acker, client, now);
    watch_turn(p, fds + WAIT_WATCH, watched, now);
    connection_flush(&p->connection, now);
    advance_end(p, now);
}

/* --- setting up ------------------------------------------------------------------------------ */

/* Who we are in the store: the connection name and what is drained, so that two pipelines with
 * different work never get into each other's way, and the same one never runs twice. */
static void name_instance(struct pipeline *p)
{
    buf_append_text(&p->instance, p->config->nats.name);
    for (size_t i = 0; i < p->config->source_count; i++) {
        const struct config_source *s = &p->config->sources[i];
        buf_printf(&p->instance, " %s:%s", s->stream, s->consumer);
    }
}

static int open_store(struct pipeline *p, struct err *err)
{
    struct buf engine = {0};
    buf_printf(&engine, "varve/%s", varve_version);
    struct store_config config = {
        .root = p->config->output.log_output_directory,
        .instance = buf_text(&p->instance),
        .engine = buf_text(&engine),
        .schema = &event_schema,
    };
    p->store = store_open(&config, err);
    buf_free(&engine);
    if (p->store != NULL)
        return 0;
    if (err->code == ERR_REFUSED)
        err->code = ERR_USAGE; /* exit status 2: it is the user's to decide which one runs */
    return -1;
}

static void log_start(const struct pipeline *p)
{
    const struct config *c = p->config;
    struct log_line line;
    log_begin(&line, LOG_INFO, "start");
    log_text(&line, "version", varve_version);
    log_text(&line, "build", varve_build);
    for (size_t i = 0; i < c->nats.servers.count; i++) {
        struct nats_url url;
        struct err ignored = {0};
        char address[NATS_ADDRESS_MAX];
        if (nats_url_parse(&url, slice_of(c->nats.servers.items[i]), &ignored) != 0)
            continue; /* checked before */
        nats_url_format(&url, address);
        log_text(&line, "server", address);
    }
    log_text(&line, "output", c->output.log_output_directory);
    log_end(&line);
    for (size_t i = 0; i < c->source_count; i++) {
        char age[NUM_SIZE_TEXT_MAX];
        num_format_duration(config_ack_wait(c), age);
        log_begin(&line, LOG_INFO, "source");
        log_text(&line, "stream", c->sources[i].stream);
        for (size_t j = 0; j < c->sources[i].subjects.count; j++)
            log_text(&line, "subject", c->sources[i].subjects.items[j]);
        log_text(&line, "consumer", c->sources[i].consumer);
        log_text(&line, "delivery",
                 c->sources[i].delivery == CONFIG_DURABLE ? "durable" : "position");
        log_text(&line, "ack_wait", age);
        log_u64(&line, "max_ack_pending", config_max_ack_pending(c));
        log_end(&line);
    }
    const struct store_recovery *r = &p->store->recovery;
    log_begin(&line, LOG_INFO, "store");
    log_u64(&line, "entries", r->entries);
    log_text(&line, "rolled_forward", r->rolled_forward ? "true" : "false");
    log_u64(&line, "files_removed", r->files_removed);
    log_end(&line);
}

static void init_sources(struct pipeline *p)
{
    p->source_count = (uint32_t)p->config->source_count;
    p->sources = calloc(p->source_count, sizeof(*p->sources));
    if (p->sources == NULL)
        check_out_of_memory(p->source_count * sizeof(*p->sources));
    for (uint32_t i = 0; i < p->source_count; i++)
        source_init(&p->sources[i], p->config, i, &p->store->positions, p->once,
                    p->connection.options.random_key);
}

static struct parquet_options encoder_options(const struct config *c)
{
    struct parquet_options options = parquet_options_default();
    options.compression_level = (int)c->parquet.compression_level;
    options.page_bytes = (uint32_t)c->parquet.page_bytes;
    options.row_group_rows = (uint32_t)c->parquet.row_group_rows;
    return options;
}

/* What can fail, in the order in which it is undone. */
static int prepare(struct pipeline *p, struct err *err)
{
    name_instance(p);
    if (store_path_parse(&p->path, p->config->output.path_template, err) != 0)
        return err_prefix(err, "output.path_template");
    if (connection_init(&p->connection, p->config, err) != 0 || open_store(p, err) != 0 ||
        watch_open(&p->watch, p, err) != 0)
        return -1;
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->wake < 0)
        return err_set_system(err, errno, "eventfd");
    return 0;
}

static int start_threads(struct pipeline *p, struct err *err)
{
    struct parquet_options options = encoder_options(p->config);
    committer_init(&p->committer, p->store, p->wake);
    if (committer_start(&p->committer, err) != 0)
        return -1;
    if (encoder_start(&p->encoder, &options, p->config->output.path_template, &p->committer.sealed,
                      err) != 0) {
        queue_close(&p->committer.sealed);
        committer_join(&p->committer);
        return -1;
    }
    return 0;
}

static void run_loop(struct pipeline *p)
{
    struct batcher_limits limits = {p->config->batching.max_rows, p->config->batching.max_bytes,
                                    p->config->batching.max_age,
                                    FLOW_BATCH_BYTES(p->config->memory_limit)};
    init_sources(p);
    batcher_init(&p->batcher, &p->encoder, &p->path, buf_slice(&p->instance), limits,
                 p->source_count);
    acker_init(&p->acker, p->sources);
    dead_letters_init(&p->dead_letters, p->config->dead_letter.subject, &p->batcher);
    log_start(p);
    while (p->phase != PIPELINE_DONE)
        turn(p);
    /* What was given up was not acked. */
    queue_close(&p->encoder.jobs);
    encoder_join(&p->encoder);
    committer_join(&p->committer);
    collect_committed(p);
    dead_letters_free(&p->dead_letters);
    acker_free(&p->acker);
    batcher_free(&p->batcher);
    for (uint32_t i = 0; i < p->source_count; i++)
        source_free(&p->sources[i]);
    free(p->sources);
}

static void log_end_of_run(const struct pipeline *p)
{
    struct log_line line;
    log_begin(&line, err_is_set(&p->failure) ? LOG_ERROR : LOG_INFO, "stopped");
    log_u64(&line, "epochs", p->stats.epochs);
    log_u64(&line, "bytes_written", p->stats.bytes_written);
    if (err_is_set(&p->failure))
        log_text(&line, "error", p->failure.text);
    log_end(&line);
}

int pipeline_run(const struct config *config, bool once, struct err *err)
{
    struct pipeline *p = calloc(1, sizeof(*p));
    if (p == NULL)
        check_out_of_memory(sizeof(*p));
    p->config = config;
    p->once = once;
    p->wake = -1;
    p->disk_free = UINT64_MAX;
    p->move_at = INT64_MAX;
    watch_init(&p->watch);
    int result = -1;
    if (prepare(p, err) == 0 && start_threads(p, err) == 0) {
        run_loop(p);
        log_end_of_run(p);
        result = err_is_set(&p->failure) ? -1 : 0;
        if (result != 0)
            *err = p->failure;
    }
    watch_close(&p->watch);
    store_close(p->store);
    connection_free(&p->connection);
    event_decoder_free(&p->decoder);
    buf_free(&p->instance);
    if (p->wake >= 0)
        (void)close(p->wake);
    free(p);
    return result;
}
