/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../bucket/service.h"
#include "base/log.h"
#include "object/open.h"
#include "world.h"

/* From the calm on until all is stored: reconnects, retries and polls are a few times 10 s each,
 * and what a client that died had is redelivered after ack_wait, 10 minutes. */
#define PATIENCE (1500 * CLOCK_SECOND)
/* What was not acked comes again after ack_wait, and then it is acked. */
#define ACKS_EXPIRE (700 * CLOCK_SECOND)
#define STOPS_WITHIN (60 * CLOCK_SECOND)
#define STEP (CLOCK_SECOND)
#define A_DAY (25 * 3600 * CLOCK_SECOND) /* and an hour */

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

/* Another engine commits to the table at the worst moment, with the number that varve is about to
 * take. */
static void be_faster(void *context, const char *name)
{
    static const char entry[] =
        "{\"commitInfo\":{\"timestamp\":1700000000000,\"operation\":\"WRITE\","
        "\"engineInfo\":\"another\"}}\n"
        "{\"txn\":{\"appId\":\"another\",\"version\":1}}\n";
    struct world *w = context;
    struct buf path = {0};
    const char *first = "00000000000000000000.json"; /* which makes the table */
    if (strlen(name) != strlen(first) || name[0] != '0' || strcmp(name, first) == 0 ||
        !sim_random_chance(&w->random, w->plan.rivals))
        return;
    buf_printf(&path, "%s/_delta_log/%s", ROOT, name);
    world_tell(w, "another engine commits %s", name);
    disk_write(w->disk, buf_text(&path), slice_of(entry));
    buf_free(&path);
}

static void interpose(void *context)
{
    world_interpose(context);
}

/* It is reached by what is set for the process. */
static void make_bucket(struct world *w, uint64_t seed)
{
    w->bucket = sim_bucket_new(w->disk, links_network(w->links), &w->now, w->plan.server.wall,
                               seed * 11 + 17);
    sim_bucket_set_rival(w->bucket, be_faster, w);
    sim_bucket_set_turn(w->bucket, interpose, w);
    service_reach(w->plan.part);
    network_replace(sim_bucket_network(w->bucket));
}

void world_configure(struct world *w, struct instance *i)
{
    static const char *const fixed[] = {"nats.servers=nats://10.0.0.1:4222", "memory_limit=32MiB",
                                        "metrics.listen=off", "parquet.compression_level=1"};
    struct buf lines[6] = {0};
    struct err err = {0};
    int result = 0;
    config_init(&i->config);
    for (size_t k = 0; k < sizeof(fixed) / sizeof(fixed[0]); k++)
        result |= config_set(&i->config, fixed[k], &err);
    static const char *const directory[] = {"output.log_output_directory=" ROOT,
                                            "output.min_free=4KiB"};
    static const char *const bucket[] = {"output.url=" BUCKET, "output.s3.region=us-east-1"};
    for (size_t k = 0; k < 2; k++)
        result |= config_set(&i->config, w->bucket != NULL ? bucket[k] : directory[k], &err);
    buf_printf(&lines[0], "nats.name=%s", i->name);
    buf_printf(&lines[1], "sources[0].stream=%s", i->stream);
    buf_printf(&lines[2], "sources[0].subjects=%s", i->subject);
    buf_printf(&lines[5], "sources[0].consumer=%s", i->consumer);
    buf_printf(&lines[3], "batching.max_rows=%llu", (unsigned long long)w->plan.max_rows);
    buf_printf(&lines[4], "batching.max_age=%lldms",
               (long long)(w->plan.max_age / CLOCK_MILLISECOND));
    for (size_t k = 0; k < 6; k++) {
        result |= config_set(&i->config, buf_text(&lines[k]), &err);
        buf_free(&lines[k]);
    }
    if (w->plan.manages)
        result |= config_set(&i->config, "consumer.manage=update", &err);
    if (w->plan.shared && !(w->plan.undeclared && i == &w->list[0]))
        result |= config_set(&i->config, "sources[0].shared=true", &err);
    if (w->plan.position)
        result |= config_set(&i->config, "sources[0].delivery=position", &err);
    if (w->plan.dead_letters)
        result |= config_set(&i->config, "dead_letter.subject=dead.letters", &err);
    result |= config_finish(&i->config, &err);
    if (result != 0)
        oracle_fail(w->oracle, "configuration: %s", err.text);
}

static void make_dead_letters(struct world *w)
{
    static const char body[] = "{\"name\":\"" DEAD "\",\"subjects\":[\"dead.>\"]}";
    if (w->plan.dead_stream)
        (void)server_ask(w->server, "STREAM.CREATE." DEAD, slice_of(body), w->now);
}

static void make_world(struct world *w, uint64_t seed, bool actors)
{
    plan_make(&w->plan, seed, actors);
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
    disk_set_rival(w->disk, be_faster, w);
    if (w->plan.bucket)
        make_bucket(w, seed);
    world_heal(w, false);
    w->oracle = oracle_new(w->server, w->disk, ROOT, DEAD);
    server_watch_acks(w->server, oracle_on_ack, w->oracle);
    server_watch_drops(w->server, oracle_on_drop, w->oracle);
    (void)server_ask(w->server, "INFO", (struct slice){0}, w->now);
    make_dead_letters(w);
    w->count = w->plan.instances;
    w->list[0] = (struct instance){.name = "one",
                                   .stream = "EVENTS",
                                   .subject = "events.raw",
                                   .consumer = "varve",
                                   .other_subject = "events.other"};
    w->list[1] = (struct instance){.name = "two",
                                   .stream = "OTHERS",
                                   .subject = "others.raw",
                                   .consumer = "varve",
                                   .other_subject = "others.other"};
    if (w->plan.shared || w->plan.twins) {
        w->list[1] = w->list[0];
        w->list[1].name = "two";
    }
    for (size_t i = 0; i < w->count; i++) {
        world_make_stream(w, &w->list[i]);
        world_configure(w, &w->list[i]);
    }
}

static void free_world(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->list[i].varve != NULL)
            world_bury(w, &w->list[i]);
        config_free(&w->list[i].config);
        buf_free(&w->list[i].as_made);
    }
    oracle_free(w->oracle);
    links_free(w->links);
    server_free(w->server);
    sim_bucket_free(w->bucket);
    disk_free(w->disk);
    network_replace(NULL);
    clock_replace(NULL);
}

/* What came late was named by nobody, until the next start. */
static void start_again(struct world *w)
{
    sim_bucket_settle(w->bucket);
    for (size_t i = 0; i < w->count; i++) {
        if (w->list[i].varve != NULL)
            pipeline_stop(w->list[i].varve);
        w->list[i].at = w->now;
    }
    world_go_on(w, w->now + STOPS_WITHIN);
}

/* Nothing goes wrong any more: all has to be stored before long. */
static void calm_down(struct world *w)
{
    world_tell(w, "-- calm");
    server_start(w->server, w->now);
    world_heal(w, true);
    w->losing = false;
    server_fail_api(w->server, NULL, 0);
    for (size_t i = 0; i < w->count; i++)
        world_mend_consumer(w, &w->list[i]);
    w->plan.manner.refuses = w->plan.manner.hangs = 0;
    links_set_manner(w->links, w->plan.manner);
    int64_t end = w->now + PATIENCE;
    while (w->now < end && oracle_failure(w->oracle) == NULL && !oracle_is_complete(w->oracle))
        world_go_on(w, w->now + STEP);
    if (!oracle_is_complete(w->oracle))
        oracle_finish(w->oracle); /* says what is missing */
    world_tell(w, "-- all is stored");
    if (w->bucket != NULL)
        start_again(w);
    /* Acks, and what was on its way; or what the server has forgotten and delivers again. */
    bool long_wait = sim_random_chance(&w->random, 400);
    world_go_on(w, w->now + (long_wait ? ACKS_EXPIRE : 30 * CLOCK_SECOND));
    for (size_t i = 0; i < w->count && long_wait && !w->plan.position; i++)
        oracle_check_acked(w->oracle, w->list[i].stream, w->list[i].consumer);
}

static bool is_running(const struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->list[i].varve != NULL)
            return true;
    return false;
}

static void stop_for_good(struct world *w)
{
    int64_t end = w->now + STOPS_WITHIN;
    w->stopping = true;
    for (size_t i = 0; i < w->count; i++) {
        if (w->list[i].varve != NULL)
            pipeline_stop(w->list[i].varve);
        w->list[i].at = w->now;
    }
    while (is_running(w) && w->now < end && oracle_failure(w->oracle) == NULL)
        world_go_on(w, w->now + STEP);
    if (is_running(w))
        oracle_fail(w->oracle, "varve does not stop");
    oracle_finish(w->oracle);
}

/* Parts of what nobody has completed are removed by whoever starts a day later. */
static void expect_no_uploads(struct world *w)
{
    struct object_config config = {.root = BUCKET, .entries = "_delta_log/"};
    struct disk_process nobody = {0};
    struct err err = {0};
    uint32_t removed = 0;
    w->plan.server.wall += A_DAY;
    sim_bucket_wait(w->bucket, A_DAY);
    sim_bucket_switch(w->bucket, &nobody);
    struct object_store *store = object_open(&config, &err);
    if (store == NULL || object_clean(store, &removed, &err) != 0)
        oracle_fail(w->oracle, "a sweep of uploads: %s", err.text);
    else if (sim_bucket_uploads(w->bucket) > 0)
        oracle_fail(w->oracle, "an upload is left, after %u were removed", removed);
    object_store_close(store);
}

static void write_file(const char *path, struct slice content)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(content.data, 1, content.len, file) != content.len ||
        fclose(file) != 0) {
        perror(path);
        abort();
    }
}

struct dump {
    struct disk *disk;
    const char *to;
};

static void dump_file(void *context, const char *path, uint64_t size)
{
    const struct dump *d = context;
    struct buf name = {0};
    struct buf content = {0};
    (void)size;
    buf_printf(&name, "%s%s", d->to, path);
    (void)buf_text(&name);
    char *text = (char *)name.data;
    for (char *slash = strchr(text + strlen(d->to) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(text, 0755); /* it may be there */
        *slash = '/';
    }
    (void)disk_read(d->disk, path, false, &content);
    write_file(buf_text(&name), buf_slice(&content));
    buf_free(&name);
    buf_free(&content);
}

/* The store, and what should be in it, for tests/sim/test_histories.py. */
static void dump_world(const struct world *w, const char *to)
{
    struct dump d = {w->disk, to};
    struct buf expected = {0};
    struct buf path = {0};
    disk_walk(w->disk, ROOT, dump_file, &d);
    oracle_tell(w->oracle, &expected);
    buf_printf(&path, "%s/expected.jsonl", to);
    write_file(buf_text(&path), buf_slice(&expected));
    buf_free(&expected);
    buf_free(&path);
}

bool history_run(uint64_t seed, bool actors, bool trace, const char *dump,
                 struct history_result *result, char failure[static HISTORY_FAILURE_MAX])
{
    static struct world w;
    w = (struct world){.trace = trace};
    log_configure(trace ? LOG_DEBUG : LOG_OFF, LOG_LOGFMT);
    make_world(&w, seed, actors);
    for (size_t i = 0; i < w.count; i++)
        if (w.list[i].process == NULL)
            world_start_varve(&w, &w.list[i]);
    world_go_on(&w, w.plan.calm_at);
    if (oracle_failure(w.oracle) == NULL)
        calm_down(&w);
    if (oracle_failure(w.oracle) == NULL)
        stop_for_good(&w);
    if (oracle_failure(w.oracle) == NULL && w.bucket != NULL)
        expect_no_uploads(&w);
    const char *why = oracle_failure(w.oracle);
    (void)snprintf(failure, HISTORY_FAILURE_MAX, "%s", why == NULL ? "" : why);
    *result = (struct history_result){w.published, oracle_rows(w.oracle),  w.turns, w.checksum,
                                      w.now,       oracle_unsure(w.oracle)};
    bool good = why == NULL;
    if (dump != NULL)
        dump_world(&w, dump);
    free_world(&w);
    return good;
}
