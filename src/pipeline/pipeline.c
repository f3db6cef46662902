/* SPDX-License-Identifier: MIT */
#include "pipeline/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/num.h"
#include "base/version.h"
#include "delta/properties.h"
#include "drain/widened.h"
#include "pipeline/look.h"
#include "pipeline/reload.h"
#include "pipeline/seal.h"
#include "pipeline/upkeep.h"

static int open_store(struct pipeline *p, struct err *err)
{
    struct buf engine = {0}, doubts = {0};
    buf_printf(&engine, "varve/%s", varve_version);
    static const struct system plain;
    size_t source_count = p->config->source_count;
    struct store_source *sources = calloc(source_count + 1, sizeof(*sources));
    if (sources == NULL)
        out_of_memory((source_count + 1) * sizeof(*sources));
    for (size_t i = 0; i < source_count; i++)
        sources[i] =
            (struct store_source){p->config->sources[i].stream, p->config->sources[i].consumer,
                                  p->config->sources[i].shared};
    struct store_config config = {
        .root = p->config->output.log_output_directory,
        .instance = p->config->nats.name,
        .engine = buf_text(&engine),
        .schema = &event_schema,
        .system = p->options.system != NULL ? *p->options.system : plain,
        .doubts = p->options.system != NULL ? NULL : &doubts,
        .sources = sources,
        .source_count = source_count,
    };
    p->store = store_open(&config, err);
    if (doubts.len > 0)
        log_message(LOG_WARNING, "store", "%s: about this file system: %s", config.root,
                    buf_text(&doubts));
    free(sources);
    buf_free(&engine);
    buf_free(&doubts);
    if (p->store != NULL)
        p->space = space_new(config.root, &config.system, !p->options.stepped, err);
    if (p->space != NULL)
        return 0;
    if (err->code == ERR_REFUSED)
        err->code = ERR_USAGE; /* exit status 2: it is the user's to decide which one runs */
    return -1;
}

static void log_how_it_starts(const struct pipeline *p)
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
    if (r->forgotten)
        log_message(
            LOG_WARNING, "store",
            "%s has no position in the log, and old entries of the log are gone: if one was "
            "in them, events will be drained again",
            c->nats.name);
    if (r->withdrawn)
        log_message(LOG_WARNING, "store",
                    "a commit had been interrupted, and another instance has stored what it had: "
                    "it was taken back");
    if (r->evolved)
        log_message(LOG_INFO, "store",
                    "the table was extended with what this version of varve adds");
    if (r->incomplete && !r->forgotten)
        log_message(
            LOG_WARNING, "store",
            "entries of the log that %s wrote are gone: what was stored above its positions "
            "is known from the files alone",
            c->nats.name);
}

/* What a subject that was added to a source has had before is not fetched: said until something is
 * committed behind it. */
static void note_subjects(struct pipeline *p)
{
    struct buf noted = {0};
    for (size_t i = 0; i < p->config->source_count; i++) {
        const struct config_source *source = &p->config->sources[i];
        const struct position *own =
            positions_newest(&p->store->positions, source->stream, source->consumer);
        uint64_t through = own != NULL ? own->through : 0;
        for (size_t j = 0; j < source->subjects.count; j++) {
            const char *subject = source->subjects.items[j];
            uint64_t after =
                widened_after(buf_slice(&p->store->subjects), source, subject, through);
            widened_note(&noted, source, subject, after);
            if (after == 0 || after != through)
                continue;
            struct log_line line;
            log_begin(&line, LOG_WARNING, "subject_added");
            log_text(&line, "stream", source->stream);
            log_text(&line, "subject", subject);
            log_u64(&line, "after", after);
            log_text(&line, "text",
                     "what the stream had of this subject up to there was passed over, and is not "
                     "fetched; a run of varve with another sources[].consumer stores what the "
                     "table lacks of it");
            log_end(&line);
        }
    }
    store_keep_subjects(p->store, buf_slice(&noted));
    buf_free(&noted);
}

static void init_sources(struct pipeline *p)
{
    p->source_count = (uint32_t)p->config->source_count;
    p->sources = calloc(p->source_count, sizeof(*p->sources));
    if (p->sources == NULL)
        out_of_memory(p->source_count * sizeof(*p->sources));
    for (uint32_t i = 0; i < p->source_count; i++) {
        source_init(&p->sources[i], p->config, i, &p->store->positions, p->once,
                    p->connection.options.random_key);
        ledger_set_account(&p->sources[i].generation.ledger, &p->account);
        p->sources[i].others.account = &p->account;
        p->sources[i].unlisted.account = &p->account;
        if (p->options.stand_by)
            source_stand_by(&p->sources[i]);
    }
}

static struct parquet_options parquet_options(const struct config *c)
{
    struct parquet_options options = parquet_options_default();
    options.compression_level = (int)c->parquet.compression_level;
    options.page_bytes = (uint32_t)c->parquet.page_bytes;
    options.row_group_rows = (uint32_t)c->parquet.row_group_rows;
    options.delta = c->parquet.profile == CONFIG_PROFILE_DELTA;
    return options;
}

static int start_keeper(struct pipeline *p, struct err *err)
{
    struct keeper_options options = {.root = p->config->output.log_output_directory,
                                     .version = p->store->table.version,
                                     .waker = p->waker};
    if (p->options.system != NULL)
        options.system = *p->options.system;
    p->keeper = keeper_new(&options);
    keeper_add_log_jobs(p->keeper, delta_checkpoint_interval(&p->store->table.metadata));
    upkeep_init(&p->upkeep, p->waker);
    upkeep_add_jobs(p->keeper, p->config, &p->upkeep);
    return p->options.stepped ? 0 : keeper_start(p->keeper, err);
}

/* What can fail. */
static int prepare(struct pipeline *p, struct err *err)
{
    if (store_path_parse(&p->path, p->config->output.path_template, err) != 0)
        return err_prefix(err, "output.path_template");
    if (connection_init(&p->connection, p->config, err) != 0 || open_store(p, err) != 0 ||
        watch_open(&p->watch, p->config, p->once, p->connection.options.random_key, &p->view,
                   err) != 0)
        return -1;
    if (net_waker(&p->waker, err) != 0)
        return -1;
    p->connection.ahead.threaded = !p->options.stepped;
    p->connection.ahead.waker = p->waker;
    /* Before the keeper removes what they have not read. */
    if (!p->options.stepped && followers_register(&p->followers, p->config, p->waker, err) != 0)
        return -1;
    return start_keeper(p, err);
}

static int init_stages(struct pipeline *p, struct err *err)
{
    struct store_writer_options options = {
        .store = p->store,
        .instance = p->config->nats.name,
        .parquet = parquet_options(p->config),
        .account = &p->account,
        .stepped = p->options.stepped,
        .hand_on = p->followers.count > 0,
        .waker = p->waker,
    };
    struct epoch_limits limits = {.rows = p->config->batching.max_rows,
                                  .bytes = p->config->batching.max_bytes,
                                  .age = p->config->batching.max_age};
    p->writer = store_writer_new(&options, err);
    if (p->writer == NULL)
        return -1;
    note_subjects(p);
    init_sources(p);
    epochs_init(&p->epochs, p->writer, &p->path, limits, p->source_count, &p->account);
    flow_set_limit(p, p->config->memory_limit);
    acker_init(&p->acker, p->sources, p->source_count);
    p->acker.account.parent = &p->account;
    dead_letters_init(&p->dead_letters, p->config->dead_letter.subject);
    dead_letters_set_account(&p->dead_letters, &p->account);
    nats_client_set_account(&p->connection.client, &p->account);
    look_init(p);
    return 0;
}

/* What was given up was not acked. */
static void free_stages(struct pipeline *p)
{
    store_writer_end(p->writer);
    seal_collect_committed(p);
    followers_free(&p->followers); /* what it is fed with is of the writer's account */
    look_free(p);
    dead_letters_free(&p->dead_letters);
    acker_free(&p->acker);
    epochs_free(&p->epochs);
    store_writer_free(p->writer);
    for (uint32_t i = 0; i < p->source_count; i++)
        source_free(&p->sources[i]);
    free(p->sources);
}

static void free_prepared(struct pipeline *p)
{
    followers_free(&p->followers);
    if (p->keeper != NULL) {
        keeper_free(p->keeper);
        upkeep_free(&p->upkeep);
    }
    watch_close(&p->watch);
    space_free(p->space);
    store_close(p->store);
    connection_free(&p->connection);
    reload_free(p);
    event_decoder_free(&p->decoder);
    net_close(&p->waker.handle);
    free(p);
}

struct pipeline *pipeline_new(const struct config *config, const struct pipeline_options *options,
                              struct err *err)
{
    struct pipeline *p = calloc(1, sizeof(*p));
    if (p == NULL)
        out_of_memory(sizeof(*p));
    p->config = config;
    p->options = *options;
    p->once = options->once;
    p->waker.handle = -1;
    p->disk_free = SPACE_UNKNOWN;
    p->move_at = INT64_MAX;
    p->give_up_at =
        options->once && options->timeout > 0 ? clock_monotonic() + options->timeout : INT64_MAX;
    watch_init(&p->watch);
    if (prepare(p, err) != 0 || init_stages(p, err) != 0 ||
        followers_start(&p->followers, err) != 0) {
        free_prepared(p);
        return NULL;
    }
    log_how_it_starts(p);
    return p;
}

void pipeline_stop(struct pipeline *p)
{
    p->stop_asked = true;
}

void pipeline_reload(struct pipeline *p)
{
    p->reload_asked = true;
}

bool pipeline_is_done(const struct pipeline *p)
{
    return p->phase == PIPELINE_DONE;
}

bool pipeline_must_start_over(const struct pipeline *p)
{
    return p->trouble.outdated;
}

bool pipeline_was_outrun(const struct pipeline *p)
{
    return p->trouble.outrun;
}

struct pipeline_summary pipeline_summary(const struct pipeline *p)
{
    struct pipeline_summary s = {0};
    for (uint32_t i = 0; i < STATS_REASONS; i++)
        s.files += p->watch.stats.files_committed[i];
    for (uint32_t i = 0; i < p->source_count; i++) {
        s.rows += p->sources[i].counters.rows_committed;
        s.dead_letters += source_counters_dead_lettered(&p->sources[i].counters);
    }
    return s;
}

static void log_end_of_run(const struct pipeline *p)
{
    struct log_line line;
    log_begin(&line, err_is_set(&p->failure) ? LOG_ERROR : LOG_INFO, "stopped");
    log_u64(&line, "epochs", p->watch.stats.epochs);
    log_u64(&line, "bytes_written", p->watch.stats.bytes_written);
    if (err_is_set(&p->failure))
        log_text(&line, "error", p->failure.text);
    log_end(&line);
}

int pipeline_free(struct pipeline *p, struct err *err)
{
    int result = 0;
    free_stages(p);
    if (!pipeline_is_done(p))
        result = err_set(err, ERR_REFUSED, "ended before everything was committed");
    else if (err_is_set(&p->failure))
        result = err_set(err, p->failure.code, "%s", p->failure.text);
    if (pipeline_is_done(p))
        log_end_of_run(p);
    free_prepared(p);
    return result;
}
