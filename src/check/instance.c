/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include <errno.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "delta/log.h"
#include "drain/api_client.h"
#include "nats/pull.h"
#include "nats/url.h"
#include "net/http.h"
#include "net/http_client.h"
#include "object/posix.h"

/* A server notices only then that a client which has just ended pulls no more. */
#define PULLS_SECOND_LOOK CLOCK_SECOND

/* An instance answers its page between two turns of its loop. */
#define METRICS_PATIENCE (5 * CLOCK_SECOND)

struct check_instance check_instance_look(const struct config *config)
{
    struct check_instance found = {.known = !config_writes_to_s3(config)}; /* it has no lock */
    struct buf name = {0};
    struct err err = {0};
    text_escape(&name, slice_of(config->nats.name));
    struct object_posix_config posix = {.root = config->output.log_output_directory,
                                        .entries = DELTA_LOG_FOLDER,
                                        .writer = config->nats.name,
                                        .writer_name = buf_text(&name)};
    if (found.known && object_posix_is_running(&posix, &found.running, found.process, &err) != 0)
        found.known = false;
    buf_free(&name);
    return found;
}

/* Does this instance answer at metrics.listen, with its own certificate if it has one? With a token
 * it is not asked. */
static bool answers_there(const struct config *config)
{
    struct tls_options tls = {.section = "",
                              .ca_file = config->metrics.tls.cert_file,
                              .cert_file = "",
                              .key_file = "",
                              .key_password = "",
                              .key_password_file = "",
                              .pinned = true};
    struct nats_url where;
    struct arena arena = {0};
    struct buf body = {0};
    struct err err = {0}; /* then somebody else does */
    struct slice name = {0};
    const struct json *json = NULL;
    if (config->metrics.token_file[0] != '\0')
        return true;
    if (nats_url_parse(&where, slice_of(config->metrics.listen), &err) == 0) {
        struct http_place place = {
            .host = where.host, .port = where.port, .tls = tls.ca_file[0] != '\0' ? &tls : NULL};
        if (http_get(&place, "/status.json", METRICS_PATIENCE, &body, &err) == 0)
            json = json_parse(&arena, buf_slice(&body), &err);
    }
    bool ours = json_get_text(json, "instance", &name) && slice_is(name, config->nats.name);
    arena_free(&arena);
    buf_free(&body);
    return ours;
}

void check_metrics(struct check_report *r, const struct config *config)
{
    const char *address = config->metrics.listen;
    struct check_instance own = check_instance_look(config);
    struct http_server server;
    struct err err = {0};
    if (own.running)
        check_say(r, CHECK_OK, "this instance, %s, runs as process %s", config->nats.name,
                  own.process);
    if (address[0] == '\0')
        return;
    if (http_listen(&server, address, NULL, NULL, &err) == 0)
        check_say(r, CHECK_OK, "varve can listen at %s (metrics.listen)", address);
    else if (err.system == EADDRINUSE && own.running && answers_there(config))
        check_say(r, CHECK_OK, "metrics.listen %s is in use, as it should while varve runs",
                  address);
    else
        check_say(r, own.known ? CHECK_PROBLEM : CHECK_WARNING, "metrics.listen %s", err.text);
    http_close(&server);
}

/* More pulls than our own instance can have. */
static bool pulls_of_others(const struct config *config, uint64_t waiting, bool *running)
{
    struct check_instance own = check_instance_look(config);
    *running = own.running;
    return own.known && waiting > (own.running ? NATS_PULL_SLOTS : 0);
}

/* Has the consumer such pulls now? Not to be told: no. */
static bool is_pulled(struct api_client *a, const struct config *config,
                      const struct config_source *source, bool *running)
{
    struct arena arena = {0};
    struct nats_consumer_info info;
    struct nats_api_error error;
    struct slice reply;
    struct err err = {0};
    bool others = api_client_api(a, "CONSUMER.INFO", source->stream, source->consumer,
                                 (struct slice){0}, &reply, &err) == 0 &&
                  nats_consumer_info_parse(reply, &arena, &info, &error, &err) == 0 &&
                  pulls_of_others(config, info.waiting, running);
    arena_free(&arena);
    return others;
}

void check_pulls(struct check_report *r, struct api_client *a, const struct config *config,
                 const struct config_source *source, uint64_t waiting)
{
    bool running;
    if (source->shared || !pulls_of_others(config, waiting, &running))
        return;
    /* Whoever starts or stops right now is no other. */
    net_wait(NULL, 0, clock_monotonic() + PULLS_SECOND_LOOK);
    if (!is_pulled(a, config, source, &running))
        return;
    check_say(r, CHECK_WARNING,
              "another client waits for messages of consumer %s of stream %s%s: each would get a "
              "part of them; name a consumer of its own for each (sources[].consumer), or set "
              "sources[].shared: true for all",
              source->consumer, source->stream,
              running ? ", which has more pulls than this instance, which runs, can have"
                      : ", and this instance does not run");
}
