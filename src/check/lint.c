/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include "event/event.h"
#include "nats/subject.h"
#include "nats/url.h"
#include "object/bucket.h"
#include "object/open.h"
#include "store/path.h"

static int check_servers(const struct config_list *servers, struct err *err)
{
    for (size_t i = 0; i < servers->count; i++) {
        struct nats_url url;
        if (nats_url_parse(&url, slice_of(servers->items[i]), err) != 0)
            return err_prefix(err, "nats.servers[%zu]", i);
    }
    return 0;
}

static int check_api(const struct config_nats *n, struct err *err)
{
    if (n->domain[0] != '\0' && !nats_name_valid(slice_of(n->domain)))
        return err_set(err, ERR_USAGE, "nats.domain: \"%.64s\" is not the name of a domain",
                       n->domain);
    if (n->api_prefix[0] != '\0' && !nats_subject_valid(slice_of(n->api_prefix), false))
        return err_set(
            err, ERR_USAGE,
            "nats.api_prefix: \"%.64s\" is not a subject: write for instance JS.hub.API, "
            "without wildcards and without a dot at its end",
            n->api_prefix);
    return 0;
}

static int check_source(const struct config_source *s, size_t number, struct err *err)
{
    const char *name = "1 to 255 characters, without blanks or . * > / \\";
    if (!nats_name_valid(slice_of(s->stream)))
        return err_set(err, ERR_USAGE, "sources[%zu].stream: write %s", number, name);
    if (!nats_name_valid(slice_of(s->consumer)))
        return err_set(err, ERR_USAGE, "sources[%zu].consumer: write %s", number, name);
    for (size_t i = 0; i < s->subjects.count; i++)
        if (!nats_subject_valid(slice_of(s->subjects.items[i]), true))
            return err_set(err, ERR_USAGE, "sources[%zu].subjects: \"%.64s\" is not a subject",
                           number, s->subjects.items[i]);
    return 0;
}

static int check_publish(const char *key, const char *subject, struct err *err)
{
    if (subject[0] == '\0' || nats_subject_valid(slice_of(subject), false))
        return 0;
    return err_set(err, ERR_USAGE, "%s: \"%.64s\" is not a subject to publish to", key, subject);
}

/* A dead letter that is drained again is a dead letter again, without end. */
static int check_loop(const struct config *c, struct err *err)
{
    struct slice subject = slice_of(c->dead_letter.subject);
    for (size_t i = 0; i < c->source_count && subject.len > 0; i++) {
        const struct config_list *filters = &c->sources[i].subjects;
        for (size_t j = 0; j < filters->count; j++)
            if (nats_subject_matches(slice_of(filters->items[j]), subject))
                return err_set(err, ERR_USAGE,
                               "dead_letter.subject: sources[%zu] would drain it again: choose "
                               "a subject that %.64s does not match",
                               i, filters->items[j]);
    }
    return 0;
}

static int check_places(const struct config *c, struct err *err)
{
    const char *output = c->output.log_output_directory;
    if (object_is_url(output) && object_bucket_check_url(output, err) != 0)
        return err_prefix(err, "output.url");
    for (size_t i = 0; i < c->follower_count; i++) {
        const struct config_follower *f = &c->followers[i];
        if (config_has_target(f->kind) && object_is_url(f->target) &&
            object_bucket_check_url(f->target, err) != 0)
            return err_prefix(err, "followers[%zu].target", i);
    }
    return 0;
}

int lint_config(const struct config *c, struct err *err)
{
    struct store_path path;
    if (check_servers(&c->nats.servers, err) != 0 || check_api(&c->nats, err) != 0 ||
        check_places(c, err) != 0)
        return -1;
    for (size_t i = 0; i < c->source_count; i++)
        if (check_source(&c->sources[i], i, err) != 0)
            return -1;
    if (check_publish("dead_letter.subject", c->dead_letter.subject, err) != 0 ||
        check_publish("alerts.subject", c->alerts.subject, err) != 0 || check_loop(c, err) != 0)
        return -1;
    if (store_path_parse(&path, c->output.path_template, err) != 0 ||
        store_path_check_partitions(&path, &event_schema, err) != 0)
        return err_prefix(err, "output.path_template");
    bool ends = c->runs.end_event_type[0] != '\0';
    if ((c->runs.close_after > 0 || ends) && (path.fields & 1U << STORE_PATH_SIMULATION_ID) == 0)
        return err_set(err, ERR_USAGE,
                       "%s: output.path_template needs {simulation_id}, so that each file is of "
                       "one run",
                       ends ? "runs.end_event_type" : "runs.close_after");
    return 0;
}
