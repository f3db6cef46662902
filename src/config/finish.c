/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <inttypes.h>
#include <string.h>

#include "base/cgroup.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/assign.h"
#include "config/keys.h"

static bool is_set(const char *text)
{
    return text[0] != '\0';
}

static int finish_tls(struct config_tls *t, struct err *err)
{
    t->enabled = t->enabled || t->handshake_first || t->insecure || is_set(t->ca_file) ||
                 is_set(t->cert_file) || is_set(t->key_file) || is_set(t->server_name);
    if (is_set(t->cert_file) != is_set(t->key_file))
        return err_set(err, ERR_USAGE, "nats.tls.%s: nats.tls.%s is missing",
                       is_set(t->cert_file) ? "cert_file" : "key_file",
                       is_set(t->cert_file) ? "key_file" : "cert_file");
    if (is_set(t->key_password) && is_set(t->key_password_file))
        return err_set(
            err, ERR_USAGE,
            "nats.tls.key_password and nats.tls.key_password_file: set only one of them");
    if ((is_set(t->key_password) || is_set(t->key_password_file)) && !is_set(t->key_file))
        return err_set(err, ERR_USAGE, "nats.tls.%s: nats.tls.key_file is missing",
                       is_set(t->key_password) ? "key_password" : "key_password_file");
    if (t->insecure && is_set(t->ca_file))
        return err_set(err, ERR_USAGE,
                       "nats.tls.insecure and nats.tls.ca_file: set only one of them");
    return 0;
}

static int check_metrics_tls(const struct config *c, struct err *err)
{
    bool has_key = is_set(c->metrics.tls.key_file);
    if (is_set(c->metrics.tls.cert_file) != has_key)
        return err_set(err, ERR_USAGE, "metrics.tls.%s: metrics.tls.%s is missing",
                       has_key ? "key_file" : "cert_file", has_key ? "cert_file" : "key_file");
    if (is_set(c->metrics.tls.key_password_file) && !has_key)
        return err_set(err, ERR_USAGE,
                       "metrics.tls.key_password_file: metrics.tls.key_file is missing");
    return 0;
}

/* A user, whose password belongs to it, is one way; so are the others. */
static int check_login(const struct config_nats *n, struct err *err)
{
    const struct {
        const char *key, *value;
    } keys[] = {
        {"nats.user", n->user},
        {"nats.user_file", n->user_file},
        {"nats.token", n->token},
        {"nats.token_file", n->token_file},
        {"nats.nkey_seed_file", n->nkey_seed_file},
        {"nats.credentials_file", n->credentials_file},
    };
    const char *way = NULL;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!is_set(keys[i].value))
            continue;
        if (way != NULL)
            return err_set(err, ERR_USAGE, "%s and %s: set only one of them", way, keys[i].key);
        way = keys[i].key;
    }
    if (is_set(n->password) && is_set(n->password_file))
        return err_set(err, ERR_USAGE,
                       "nats.password and nats.password_file: set only one of them");
    if ((is_set(n->password) || is_set(n->password_file)) && !is_set(n->user) &&
        !is_set(n->user_file))
        return err_set(err, ERR_USAGE, "nats.%s: nats.user is missing",
                       is_set(n->password) ? "password" : "password_file");
    return 0;
}

static int check_nats(const struct config_nats *n, struct err *err)
{
    if (!is_set(n->name) || strlen(n->name) > CONFIG_NAME_MAX)
        return err_set(err, ERR_USAGE,
                       "nats.name identifies this instance in the store: it needs 1 to %d bytes",
                       CONFIG_NAME_MAX);
    if (is_set(n->domain) && is_set(n->api_prefix))
        return err_set(err, ERR_USAGE, "nats.domain and nats.api_prefix: set only one of them");
    return check_login(n, err);
}

static int check_sources(const struct config *c, struct err *err)
{
    for (size_t i = 0; i < c->source_count; i++) {
        const struct config_source *s = &c->sources[i];
        if (!is_set(s->stream))
            return err_set(err, ERR_USAGE, "sources[%zu].stream is empty", i);
        if (!is_set(s->consumer))
            return err_set(err, ERR_USAGE, "sources[%zu].consumer is empty", i);
        for (size_t j = 0; j < i; j++)
            if (strcmp(c->sources[j].stream, s->stream) == 0)
                return err_set(err, ERR_USAGE,
                               "sources[%zu] and sources[%zu] drain the same stream %s: put all "
                               "subjects into one source",
                               j, i, s->stream);
    }
    return 0;
}

static int check_format(const struct config_payload *p, struct err *err)
{
    bool is_json = p->format == CONFIG_FORMAT_JSON;
    if (is_json && (is_set(p->descriptor_set) || is_set(p->message)))
        return err_set(err, ERR_USAGE, "descriptor_set and message are not for format: json");
    if (p->format == CONFIG_FORMAT_FLATBUFFERS && !is_set(p->descriptor_set))
        return err_set(err, ERR_USAGE, "format: flatbuffers takes a descriptor_set");
    for (size_t i = 0; i < p->columns.count && !is_json; i++)
        if (strchr(p->columns.items[i], ' ') != NULL)
            return err_set(err, ERR_USAGE,
                           "columns: \"%s\": only of format: json they are more than the names of "
                           "fields, such as agents.id",
                           p->columns.items[i]);
    return 0;
}

static int check_payloads(const struct config *c, struct err *err)
{
    for (size_t i = 0; i < c->payload_count; i++) {
        const struct config_payload *p = &c->payloads[i];
        if (!is_set(p->event_type))
            return err_set(err, ERR_USAGE, "payloads[%zu].event_type is missing", i);
        if (check_format(p, err) != 0)
            return err_prefix(err, "payloads[%zu]", i);
        if (is_set(p->message) && strcmp(p->event_type, "*") == 0)
            return err_set(err, ERR_USAGE,
                           "payloads[%zu]: message is for one event type; of event_type: \"*\" "
                           "each event's payload_content_type names its own",
                           i);
        for (size_t j = 0; j < i; j++)
            if (strcmp(c->payloads[j].event_type, p->event_type) == 0)
                return err_set(err, ERR_USAGE, "payloads[%zu] and payloads[%zu] are both of %s", j,
                               i, p->event_type);
    }
    return 0;
}

static bool follower_name_ok(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return len > 0 && name[len] == '\0' && len <= CONFIG_NAME_MAX;
}

/* The next name of a path, which goes on behind it; of no length at its end. "." is none. */
static struct slice next_name(const char **path)
{
    for (;;) {
        *path += strspn(*path, "/");
        struct slice name = {(const uint8_t *)*path, strcspn(*path, "/")};
        *path += name.len;
        if (!slice_is(name, "."))
            return name;
    }
}

/* Whether a path is a folder or lies in it, as both are written. */
static bool lies_in(const char *path, const char *folder)
{
    if ((path[0] == '/') != (folder[0] == '/'))
        return false;
    for (;;) {
        struct slice of_folder = next_name(&folder), of_path = next_name(&path);
        if (of_folder.len == 0)
            return true;
        if (!slice_equal(of_folder, of_path))
            return false;
    }
}

static int check_target(const struct config *c, size_t i, struct err *err)
{
    const char *output = c->output.log_output_directory, *target = c->followers[i].target;
    for (size_t j = 0; j < i; j++) {
        const char *other = c->followers[j].target;
        if (config_has_target(c->followers[j].kind) &&
            (lies_in(target, other) || lies_in(other, target)))
            return err_set(err, ERR_USAGE,
                           "followers[%zu] and followers[%zu] have the same target, or one in that "
                           "of the other",
                           j, i);
    }
    if (lies_in(target, output))
        return err_set(err, ERR_USAGE,
                       "followers[%zu].target lies in the output directory, where readers of "
                       "*.parquet would meet its files",
                       i);
    /* An event may be of a type that is called as the store is. */
    if (lies_in(output, target))
        return err_set(err, ERR_USAGE, "followers[%zu].target holds the output directory", i);
    return 0;
}

bool config_has_target(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_KIND_TABLE:
    case CONFIG_KIND_ARCHIVE:
        return true;
    case CONFIG_KIND_NATS:
    case CONFIG_KIND_TIMESERIES:
    case CONFIG_KIND_QUALITY:
        return false;
    }
    return false;
}

/* What each kind has: a name of its own, and what its kind needs. */
static int check_follower(const struct config *c, size_t i, struct err *err)
{
    const struct config_follower *f = &c->followers[i];
    bool series = f->kind == CONFIG_KIND_TIMESERIES;
    if (!follower_name_ok(f->name))
        return err_set(err, ERR_USAGE,
                       "followers[%zu].name: 1 to %d letters, digits, _ and - are needed", i,
                       CONFIG_NAME_MAX);
    for (size_t j = 0; j < i; j++)
        if (strcmp(c->followers[j].name, f->name) == 0)
            return err_set(err, ERR_USAGE, "followers[%zu] and followers[%zu] are both %s", j, i,
                           f->name);
    if (series != is_set(f->url))
        return err_set(err, ERR_USAGE,
                       series ? "followers[%zu].url is missing: where the database is"
                              : "followers[%zu].url is for kind timeseries",
                       i);
    if (is_set(f->token) && is_set(f->token_file))
        return err_set(err, ERR_USAGE, "followers[%zu]: set only one of token and token_file", i);
    return 0;
}

static int finish_followers(struct config *c, struct err *err)
{
    const char *output = c->output.log_output_directory;
    size_t len = strlen(output);
    while (len > 1 && output[len - 1] == '/')
        len--;
    for (size_t i = 0; i < c->follower_count; i++) {
        struct config_follower *f = &c->followers[i];
        if (check_follower(c, i, err) != 0)
            return -1;
        if (!config_has_target(f->kind)) {
            if (is_set(f->target))
                return err_set(err, ERR_USAGE, "followers[%zu].target: its kind has none", i);
            continue;
        }
        if (f->kind == CONFIG_KIND_ARCHIVE && !is_set(f->target))
            return err_set(err, ERR_USAGE, "followers[%zu].target is needed: where the archive is",
                           i);
        const size_t scheme = sizeof("s3://") - 1;
        if (!is_set(f->target) && config_writes_to_s3(c) &&
            memchr(output + scheme, '/', len - scheme) == NULL)
            return err_set(err, ERR_USAGE,
                           "followers[%zu].target is needed: the store is all of a bucket", i);
        if (!is_set(f->target)) {
            struct buf target = {0};
            buf_printf(&target, "%.*s-types", (int)len, output);
            f->target = arena_text(&c->arena, target.data, target.len);
            buf_free(&target);
        }
        if (check_target(c, i, err) != 0)
            return -1;
    }
    return 0;
}

/* Of the process: its code, stacks, what zstd holds. */
#define MEMORY_REST (UINT64_C(16) * 1024 * 1024)

static uint64_t room_in(uint64_t limit)
{
    return limit > MEMORY_REST ? limit - MEMORY_REST : 0;
}

uint64_t config_memory_room(void)
{
    return room_in(cgroup_memory_limit(""));
}

/* What memory_limit has to be at least, beyond its minimum, and why. */
static int check_memory(const struct config *c, struct err *err)
{
    /* The largest message is a quarter of it, shared by the sources; and NATS takes 1 MiB unless it
     * was told otherwise. */
    const uint64_t each_source = 4 * 1024 * 1024;
    /* Tables of zstd: 17 MiB at its high levels, 7 MiB at level 8. */
    const int64_t low_level = 8;
    const uint64_t high_level = 64 * 1024 * 1024;
    const uint64_t group = cgroup_memory_limit("");
    if (c->memory_limit > room_in(group))
        return err_set(err, ERR_USAGE,
                       "memory_limit: %" PRIu64 " MiB, and 16 MiB for the rest, are more than this "
                       "process's control group may take (%" PRIu64
                       " MiB): the kernel would kill it",
                       c->memory_limit >> 20, group >> 20);
    if (c->memory_limit / each_source < c->source_count)
        return err_set(err, ERR_USAGE, "memory_limit: %zu sources need at least %zu MiB",
                       c->source_count, 4 * c->source_count);
    if (c->parquet.compression_level > low_level && c->memory_limit < high_level)
        return err_set(err, ERR_USAGE,
                       "memory_limit: parquet.compression_level above %d needs at least 64 MiB",
                       (int)low_level);
    return 0;
}

bool config_listens_here(const struct config *c)
{
    static const char *const here[] = {"127.", "localhost:", "[::1]:"};
    const char *listen = c->metrics.listen;
    for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++)
        if (strncmp(listen, here[i], strlen(here[i])) == 0)
            return true;
    return listen[0] == '\0';
}

static const char s3_scheme[] = "s3://";

bool config_writes_to_s3(const struct config *c)
{
    return strncmp(c->output.log_output_directory, s3_scheme, strlen(s3_scheme)) == 0;
}

static int check_keys_of_s3(const struct config_s3 *s, struct err *err)
{
    const char *http = "http://", *https = "https://";
    if (is_set(s->endpoint) && strncmp(s->endpoint, http, strlen(http)) != 0 &&
        strncmp(s->endpoint, https, strlen(https)) != 0)
        return err_set(err, ERR_USAGE,
                       "output.s3.endpoint: write http:// or https:// in front of the host");
    if (is_set(s->access_key_id) != is_set(s->secret_access_key))
        return err_set(err, ERR_USAGE, "output.s3.%s is missing",
                       is_set(s->access_key_id) ? "secret_access_key" : "access_key_id");
    if (is_set(s->session_token) && !is_set(s->access_key_id))
        return err_set(err, ERR_USAGE,
                       "output.s3.session_token: output.s3.access_key_id is missing");
    if (is_set(s->profile) && is_set(s->access_key_id))
        return err_set(err, ERR_USAGE,
                       "output.s3.profile and output.s3.access_key_id: set only one of them");
    return 0;
}

/* One text says where the table lies, whatever it was set by. */
static int finish_output(struct config *c, struct err *err)
{
    const struct config_s3 *s = &c->output.s3;
    const char *initial = config_key_find("output.log_output_directory")->initial;
    if (is_set(c->output.url)) {
        if (strcmp(c->output.log_output_directory, initial) != 0)
            return err_set(err, ERR_USAGE,
                           "output.url and output.log_output_directory: set only one of them");
        c->output.log_output_directory = c->output.url;
    }
    const char *output = c->output.log_output_directory;
    if (!is_set(output))
        return err_set(err, ERR_USAGE, "output.log_output_directory is empty");
    if (!is_set(c->output.path_template))
        return err_set(err, ERR_USAGE, "output.path_template is empty");
    if (!config_writes_to_s3(c)) {
        if (strstr(output, "://") != NULL)
            return err_set(err, ERR_USAGE,
                           "output.url: varve writes to s3://BUCKET/PREFIX, or to a directory");
        if (is_set(s->endpoint) || is_set(s->access_key_id) || is_set(s->profile))
            return err_set(err, ERR_USAGE,
                           "output.s3 is for a bucket: set output.url to s3://BUCKET/PREFIX");
    }
    return check_keys_of_s3(s, err);
}

int config_finish(struct config *c, struct err *err)
{
    if (!c->servers_set && is_set(c->orchestrator_address)) {
        const char **items = arena_calloc(&c->arena, 1, sizeof(*items));
        items[0] = c->orchestrator_address;
        c->nats.servers = (struct config_list){items, 1};
    }
    if (config_expand(c, err) != 0 || finish_tls(&c->nats.tls, err) != 0 ||
        check_nats(&c->nats, err) != 0 || check_metrics_tls(c, err) != 0 ||
        check_sources(c, err) != 0 || check_memory(c, err) != 0 || check_payloads(c, err) != 0)
        return -1;
    return finish_output(c, err) != 0 ? -1 : finish_followers(c, err);
}

/*
 * The timer of a message starts at its delivery and must not run out before its ack: expired ones
 * come again and again, ahead of new ones, and large numbers of them slow the server down a lot. A
 * row waits for its epoch to fill and, at worst, for the one before and its own to be written, on a
 * disk that writes 4 MiB a second. Four times that, since a late ack costs much and a long wait
 * only delays what a crashed instance held; and never less than ten minutes.
 */
int64_t config_ack_wait(const struct config *c)
{
    const int64_t least = 600 * CLOCK_SECOND;
    const int64_t slow_disk = 4 * 1024 * 1024;
    int64_t writing = 2 * ((int64_t)c->batching.max_bytes / slow_disk + 1) * CLOCK_SECOND;
    int64_t wait = 4 * (c->batching.max_age + writing);
    return wait > least ? wait : least;
}

/*
 * The server stops delivering, silently, at this many unacked messages. Held are the epoch that
 * fills, the one that is committed, and what pulls have asked for.
 */
uint64_t config_max_ack_pending(const struct config *c)
{
    return 2 * c->batching.max_rows + CONFIG_PULL_MESSAGES_MAX;
}
