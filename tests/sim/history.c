/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "world.h"

/* From the calm on until all is stored: reconnects, retries and polls are a few times 10 s each,
 * and what a client that died had is redelivered after ack_wait, 10 minutes. */
#define PATIENCE (1500 * CLOCK_SECOND)
#define STOPS_WITHIN (60 * CLOCK_SECOND)
#define STEP (CLOCK_SECOND)

static int64_t monotonic(void *context)
{
    const struct world *w = context;
    return w->now;
}

static int64_t wall(void *context)
{
    return world_wall(context);
}

static bool loses(void *context, enum server_loss what)
{
    struct world *w = context;
    (void)what;
    return w->losing && sim_random_chance(&w->random, w->loss);
}

static void configure(struct world *w)
{
    char line[128];
    struct err err = {0};
    const char *const fixed[] = {"nats.servers=nats://10.0.0.1:4222",
                                 "nats.name=one",
                                 "sources[0].stream=" STREAM,
                                 "sources[0].subjects=" SUBJECT,
                                 "sources[0].consumer=" CONSUMER,
                                 "output.log_output_directory=" ROOT,
                                 "output.min_free=4KiB",
                                 "memory_limit=32MiB",
                                 "metrics.listen=off",
                                 "parquet.compression_level=1"};
    int result = 0;
    config_init(&w->config);
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        result |= config_set(&w->config, fixed[i], &err);
    (void)snprintf(line, sizeof(line), "batching.max_rows=%llu",
                   (unsigned long long)w->plan.max_rows);
    result |= config_set(&w->config, line, &err);
    (void)snprintf(line, sizeof(line), "batching.max_age=%lldms",
                   (long long)(w->plan.max_age / CLOCK_MILLISECOND));
    result |= config_set(&w->config, line, &err);
    if (w->plan.position)
        result |= config_set(&w->config, "sources[0].delivery=position", &err);
    if (w->plan.dead_letters)
        result |= config_set(&w->config, "dead_letter.subject=dead.letters", &err);
    result |= config_finish(&w->config, &err);
    if (result != 0)
        oracle_fail(w->oracle, "configuration: %s", err.text);
}

static void make_streams(struct world *w)
{
    char body[256];
    (void)snprintf(body, sizeof(body),
                   "{\"name\":\"" STREAM "\",\"subjects\":[\"events.%s\"],\"retention\":\"%s\"}",
                   w->plan.filtered ? ">" : "raw", w->plan.retention);
    (void)server_ask(w->server, "STREAM.CREATE." STREAM, slice_of(body), w->now);
    if (w->plan.dead_stream)
        (void)server_ask(w->server, "STREAM.CREATE." DEAD,
                         slice_of("{\"name\":\"" DEAD "\",\"subjects\":[\"dead.>\"]}"), w->now);
}

static void make_world(struct world *w, uint64_t seed)
{
    plan_make(&w->plan, seed);
    w->random.state = seed * 3 + 7;
    w->now = CLOCK_SECOND;
    w->clock = (struct clock){monotonic, wall, w};
    clock_replace(&w->clock);
    w->server = server_new(&w->plan.server);
    server_set_losses(w->server, loses, w);
    w->links = links_new(w->server, seed * 5 + 11);
    links_set_manner(w->links, w->plan.manner);
    network_replace(links_network(w->links));
    w->disk = disk_new(seed * 7 + 13);
    w->oracle = oracle_new(w->server, w->disk, ROOT, DEAD);
    server_watch_acks(w->server, oracle_on_ack, w->oracle);
    (void)server_ask(w->server, "INFO", (struct slice){0}, w->now);
    make_streams(w);
    configure(w);
}

static void free_world(struct world *w)
{
    if (w->varve != NULL)
        world_bury(w);
    config_free(&w->config);
    oracle_free(w->oracle);
    links_free(w->links);
    server_free(w->server);
    disk_free(w->disk);
    network_replace(NULL);
    clock_replace(NULL);
}

/* Nothing goes wrong any more: all has to be stored before long. */
static void calm_down(struct world *w)
{
    world_tell(w, "-- calm");
    server_start(w->server, w->now);
    world_heal(w);
    w->losing = false;
    w->plan.manner.refuses = w->plan.manner.hangs = 0;
    links_set_manner(w->links, w->plan.manner);
    int64_t end = w->now + PATIENCE;
    while (w->now < end && oracle_failure(w->oracle) == NULL && !oracle_is_complete(w->oracle))
        world_go_on(w, w->now + STEP);
    if (!oracle_is_complete(w->oracle))
        oracle_finish(w->oracle); /* says what is missing */
    world_tell(w, "-- all is stored");
    /* Acks, and what was on its way. */
    world_go_on(w, w->now + 30 * CLOCK_SECOND);
}

static void stop_for_good(struct world *w)
{
    int64_t end = w->now + STOPS_WITHIN;
    w->stopping = true;
    if (w->varve != NULL)
        pipeline_stop(w->varve);
    w->varve_at = w->now;
    while (w->varve != NULL && w->now < end && oracle_failure(w->oracle) == NULL)
        world_go_on(w, w->now + STEP);
    if (w->varve != NULL)
        oracle_fail(w->oracle, "varve does not stop");
    oracle_finish(w->oracle);
}

bool history_run(uint64_t seed, bool trace, const char *dump, struct history_result *result,
                 char failure[static HISTORY_FAILURE_MAX])
{
    static struct world w;
    w = (struct world){.trace = trace};
    (void)dump;
    log_configure(trace ? LOG_DEBUG : LOG_OFF, LOG_LOGFMT);
    make_world(&w, seed);
    world_start_varve(&w);
    world_go_on(&w, w.plan.calm_at);
    if (oracle_failure(w.oracle) == NULL)
        calm_down(&w);
    if (oracle_failure(w.oracle) == NULL)
        stop_for_good(&w);
    const char *why = oracle_failure(w.oracle);
    (void)snprintf(failure, HISTORY_FAILURE_MAX, "%s", why == NULL ? "" : why);
    *result =
        (struct history_result){w.published, oracle_rows(w.oracle), w.turns, w.checksum, w.now};
    bool good = why == NULL;
    free_world(&w);
    return good;
}
