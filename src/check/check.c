/* SPDX-License-Identifier: MIT */
#include "check/check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/time.h"
#include "drain/api_client.h"
#include "object/bucket.h"
#include "object/open.h"
#include "object/posix.h"

/* What is known when all sources have been asked. */
struct totals {
    double events_a_second, bytes_a_second; /* into all streams */
    bool rate_known;
    bool clock_said;
};

void check_config(struct check_report *r, const struct config *config)
{
    char bytes[NUM_SIZE_TEXT_MAX], age[NUM_SIZE_TEXT_MAX], wait[CHECK_DURATION_MAX];
    num_format_size(config->batching.max_bytes, bytes);
    num_format_duration(config->batching.max_age, age);
    check_duration(config_ack_wait(config), wait);
    check_say(
        r, CHECK_OK,
        "commits happen every %" PRIu64
        " rows, %s or %s, whichever comes first; so ack_wait is %s and max_ack_pending %" PRIu64,
        config->batching.max_rows, bytes, age, wait, config_max_ack_pending(config));
    check_tls_files(r, config);
    if (config->batching.max_bytes > config->memory_limit)
        check_say(r, CHECK_WARNING,
                  "batching.max_bytes is more than memory_limit: events that do not compress well "
                  "are committed earlier, in smaller files");
    if (config->metrics.listen[0] == '\0')
        check_say(r, CHECK_WARNING, "metrics.listen is off: nobody can monitor varve");
    if (!config_listens_here(config) && config->metrics.token_file[0] == '\0')
        check_say(r, CHECK_WARNING,
                  "metrics.listen %s can be reached from elsewhere: set metrics.token_file, or "
                  "whoever reaches it reads the status page and the metrics",
                  config->metrics.listen);
    else if (!config_listens_here(config) && config->metrics.tls.cert_file[0] == '\0')
        check_say(r, CHECK_WARNING,
                  "the token of metrics.token_file comes to metrics.listen %s in the clear: set "
                  "metrics.tls.cert_file",
                  config->metrics.listen);
    if (config->alerts.subject[0] == '\0')
        check_say(r, CHECK_OK,
                  "alerts appear on the status page and in the log; alerts.subject would publish "
                  "them, too");
    if (config->compaction.interval > 0 && config->compaction.keep_replaced > 0)
        check_say(r, CHECK_WARNING,
                  "compaction.keep_replaced is set: whoever reads the directory and not its log "
                  "finds the rows of merged files twice meanwhile");
    if (config->beside[0] != '\0')
        check_say(r, CHECK_WARNING,
                  "%s stands beside logging_layer, and is not read: varve's keys go below it",
                  config->beside);
}

/* Put the directory, or the nearest one above it that exists, into `found`. */
static bool find_existing(const char *path, struct buf *found, struct stat *info)
{
    buf_append_text(found, path);
    while (stat(buf_text(found), info) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return false;
        while (found->len > 0 && found->data[found->len - 1] == '/')
            found->len--;
        while (found->len > 0 && found->data[found->len - 1] != '/')
            found->len--;
        if (found->len == 0)
            buf_append_byte(found, '.');
    }
    return true;
}

static void judge_space(struct check_report *r, const struct config *config, const char *path,
                        const struct totals *totals)
{
    struct statvfs disk;
    char size[NUM_SIZE_TEXT_MAX], floor[NUM_SIZE_TEXT_MAX], rate[NUM_SIZE_TEXT_MAX];
    char lasts[CHECK_DURATION_MAX];
    if (statvfs(path, &disk) != 0) {
        check_say(r, CHECK_PROBLEM, "can't determine the free space of %s: %s", path,
                  strerror(errno));
        return;
    }
    if (disk.f_blocks == 0) { /* ramfs, and some of FUSE */
        check_say(r, CHECK_WARNING,
                  "the file system of %s does not say how much space is free: varve won't pause "
                  "before it is full",
                  path);
        return;
    }
    uint64_t space = (uint64_t)disk.f_bavail * disk.f_frsize;
    uint64_t usable = space > config->output.min_free ? space - config->output.min_free : 0;
    num_format_size(space, size);
    num_format_size(config->output.min_free, floor);
    if (usable == 0) {
        check_say(r, CHECK_PROBLEM,
                  "%s has %s of free space, and varve pauses below %s (output.min_free)", path,
                  size, floor);
        return;
    }
    if (!totals->rate_known) {
        check_say(r, CHECK_OK, "%s has %s of free space; varve pauses below %s", path, size, floor);
        return;
    }
    const double day = 86400, most = 1e9;
    double seconds = (double)usable / totals->bytes_a_second;
    seconds = seconds < most ? seconds : most;
    num_format_size((uint64_t)totals->bytes_a_second, rate);
    check_duration((int64_t)seconds * CLOCK_SECOND, lasts);
    check_say(r, seconds < day ? CHECK_WARNING : CHECK_OK,
              "%s has %s of free space: at %s a second, the rate so far and before compression, "
              "that lasts for %s",
              path, size, rate, lasts);
}

/* What varve run finds out at its start, too. */
static void judge_file_system(struct check_report *r, const char *folder)
{
    struct buf doubts = {0};
    struct err err = {0};
    if (object_posix_probe(folder, &doubts, &err) != 0)
        check_say(r, CHECK_PROBLEM, "%s: %s", folder, err.text);
    else if (doubts.len > 0)
        check_say(r, CHECK_WARNING, "%s: about this file system: %s", folder, buf_text(&doubts));
    else
        check_say(r, CHECK_OK,
                  "the file system of %s makes files and their names durable, and replaces none",
                  folder);
    buf_free(&doubts);
}

/* What varve run finds out at its start, too; and how quick the store is. */
static void judge_bucket(struct check_report *r, const struct config *config)
{
    const char *url = config->output.log_output_directory;
    const int64_t slow = CLOCK_SECOND, skewed = 60 * CLOCK_SECOND;
    struct object_bucket_found found = {0};
    struct err err = {0};
    char skew[CHECK_DURATION_MAX];
    if (object_bucket_probe(url, object_reached(), &found, &err) != 0) {
        check_say(r, CHECK_PROBLEM, "%s: %s", url, err.text);
        return;
    }
    check_say(r, CHECK_OK, "varve can put, get, list and delete at %s, with credentials of the %s",
              found.address, found.credentials);
    check_say(r, CHECK_OK,
              "the store makes an object only where there is none, and lets one of two win");
    check_say(r, CHECK_OK, "the name of the bucket is in %s",
              found.in_path ? "the path of each request" : "the name of the host");
    if (found.whole)
        check_say(r, CHECK_WARNING,
                  "but not of what comes in parts: files above 64 MiB are put in one request");
    check_say(r, found.latency > slow ? CHECK_WARNING : CHECK_OK,
              "a request takes %" PRId64 " ms on average", found.latency / CLOCK_MILLISECOND);
    int64_t off = found.skew < 0 ? -found.skew : found.skew;
    check_duration(off, skew);
    if (off > skewed)
        check_say(r, CHECK_WARNING, "the clock of the store is %s %s this host's; varve heeds that",
                  skew, found.skew > 0 ? "ahead of" : "behind");
    else
        check_say(r, CHECK_OK, "the clock of the store is that of this host, to within a minute");
    check_table(r, url);
}

bool check_directory(struct check_report *r, const char *root, struct buf *found)
{
    struct stat info;
    bool known = find_existing(root, found, &info);
    const char *path = buf_text(found);
    if (!known)
        check_say(r, CHECK_PROBLEM, "can't examine %s: %s", path, strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        check_say(r, CHECK_PROBLEM, "%s is not a directory", path);
    else if (access(path, W_OK | X_OK) != 0)
        check_say(r, CHECK_PROBLEM, "varve can't write to %s: %s", path, strerror(errno));
    else if (strcmp(path, root) == 0)
        check_say(r, CHECK_OK, "varve can write to %s", path);
    else
        check_say(r, CHECK_OK, "%s does not exist; varve run can create it under %s", root, path);
    return known && S_ISDIR(info.st_mode) && access(path, W_OK | X_OK) == 0;
}

static void judge_disk(struct check_report *r, const struct config *config,
                       const struct totals *totals)
{
    const char *root = config->output.log_output_directory;
    struct buf found = {0};
    struct stat info;
    bool writable = check_directory(r, root, &found);
    const char *path = buf_text(&found);
    bool known = stat(path, &info) == 0;
    if (writable)
        judge_file_system(r, path);
    if (known)
        judge_space(r, config, path, totals);
    if (totals->rate_known)
        check_writes(r, config,
                     (struct check_rate){totals->events_a_second, totals->bytes_a_second});
    if (known && strcmp(path, root) == 0 && S_ISDIR(info.st_mode))
        check_table(r, root);
    buf_free(&found);
}

static void check_source_consumer(struct check_report *r, struct api_client *a,
                                  const struct config *config, uint32_t index,
                                  const struct nats_stream_info *stream, struct arena *arena)
{
    const struct config_source *source = &config->sources[index];
    struct nats_consumer_info info;
    struct nats_api_error error = {0};
    struct slice reply;
    struct err err = {0};
    if (source->delivery == CONFIG_POSITION)
        return; /* its consumer is made anew each time */
    if (api_client_api(a, "CONSUMER.INFO", source->stream, source->consumer, (struct slice){0},
                       &reply, &err) == 0 &&
        nats_consumer_info_parse(reply, arena, &info, &error, &err) == 0) {
        check_consumer(r, config, index, stream, &info);
        check_floor(r, config, source, stream, &info);
        uint64_t waiting = info.waiting;
        check_overlaps(r, a, source, stream, &info);
        check_pulls(r, a, config, source, waiting);
    } else if (error.meaning == NATS_MEANING_NO_CONSUMER) {
        check_consumer(r, config, index, stream, NULL);
        check_overlaps(r, a, source, stream, NULL);
    } else {
        check_say(r, CHECK_PROBLEM, "consumer %s of stream %s: %s", source->consumer,
                  source->stream, err.text);
    }
}

/* What a restart asks first: is our newest event still the one that the stream has? */
static void check_message_get(struct check_report *r, struct api_client *a, const char *stream,
                              uint64_t sequence)
{
    struct buf body = {0};
    struct slice reply;
    struct err err = {0};
    nats_stream_get_body(&body, sequence);
    if (sequence > 0 &&
        api_client_api(a, "STREAM.MSG.GET", stream, NULL, buf_slice(&body), &reply, &err) != 0)
        check_say(r, CHECK_PROBLEM, "stream %s: %s", stream, err.text);
    buf_free(&body);
}

static void check_source(struct check_report *r, struct api_client *a, const struct config *config,
                         uint32_t index, struct totals *totals)
{
    const struct config_source *source = &config->sources[index];
    struct arena arena = {0};
    struct nats_stream_info info;
    struct nats_api_error error = {0};
    struct slice reply;
    struct err err = {0};
    struct buf kept = {0}; /* the reply outlives further questions */
    if (api_client_api(a, "STREAM.INFO", source->stream, NULL, (struct slice){0}, &reply, &err) ==
        0) {
        buf_append_slice(&kept, reply);
        if (nats_stream_info_parse(buf_slice(&kept), &arena, &info, &error, &err) == 0) {
            struct check_rate rate = check_stream_rate(&info);
            totals->bytes_a_second += rate.bytes;
            totals->events_a_second += rate.events;
            totals->rate_known = totals->rate_known || rate.bytes > 0;
            if (!totals->clock_said)
                check_clock(r, &info, clock_wall());
            totals->clock_said = true;
            check_stream(r, config, source, &info);
            check_message_get(r, a, source->stream, info.last_seq);
            check_unmatched(r, a, source, &info);
            check_source_consumer(r, a, config, index, &info, &arena);
            check_widened(r, config, source);
            check_rights(r, a, config, source);
        }
    }
    if (error.meaning == NATS_MEANING_NO_STREAM)
        check_say(r, CHECK_PROBLEM, "stream %s does not exist; varve run would wait for it",
                  source->stream);
    else if (err_is_set(&err))
        check_say(r, CHECK_PROBLEM, "stream %s: %s", source->stream, err.text);
    arena_free(&arena);
    buf_free(&kept);
}

/* Is there a stream that keeps what is published there? */
static void check_published(struct check_report *r, struct api_client *a, const char *key,
                            const char *subject, const char *otherwise)
{
    struct arena arena = {0};
    struct buf body = {0};
    struct json_writer w = {.out = &body};
    struct nats_api_error error = {0};
    struct slice reply;
    struct err err = {0};
    const struct json *root = NULL, *streams = NULL;
    if (subject[0] == '\0')
        return;
    json_open_object(&w, NULL);
    json_put_text(&w, "subject", subject);
    json_close_object(&w);
    if (api_client_api(a, "STREAM.NAMES", NULL, NULL, buf_slice(&body), &reply, &err) == 0)
        root = nats_api_reply(reply, &arena, &error, &err);
    streams = json_member(root, "streams");
    if (root == NULL) {
        check_say(r, CHECK_WARNING, "%s %s: %s", key, subject, err.text);
    } else if (streams == NULL || streams->type != JSON_ARRAY || streams->first == NULL) {
        check_say(r, CHECK_WARNING, "no stream stores messages published to %s %s: %s", key,
                  subject, otherwise);
    } else {
        /* The reply goes with the next question. */
        const struct slice name = streams->first->text;
        const char *stream = arena_text(&arena, name.data, name.len);
        if (check_may_publish(r, a, key, subject))
            check_say(r, CHECK_OK, "stream %s stores messages published to %s %s", stream, key,
                      subject);
    }
    arena_free(&arena);
    buf_free(&body);
}

/* Its files, and how long it holds. */
static void check_login(struct check_report *r, const struct login *login)
{
    char time[TIME_TEXT_MAX];
    struct slice rest = buf_slice(&login->exposed);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        int len = (int)(end - rest.data);
        check_say(r, CHECK_WARNING, "%.*s", len, (const char *)rest.data);
        rest = (struct slice){end + 1, rest.len - (size_t)len - 1};
    }
    if (login_expires(login) == INT64_MAX)
        return;
    time_format(login_expires(login), 0, time);
    check_say(r, clock_wall() >= login_expires_soon(login) ? CHECK_WARNING : CHECK_OK,
              "the JWT in nats.credentials_file runs out at %s", time);
}

static void check_server(struct check_report *r, const struct api_client *a,
                         const struct config *config)
{
    const struct nats_info *info = &a->connection.client.session.info;
    check_say(r, CHECK_OK, "connected to %s, nats-server %.*s", a->connection.address,
              (int)info->version_text.len, (const char *)info->version_text.data);
    check_tls(r, &a->connection.secure);
    check_login(r, &a->connection.login);
    for (uint32_t i = 0; i < config->source_count; i++)
        if (config->sources[i].subjects.count > 1 &&
            !nats_version_at_least(info->version, 2, 10, 0))
            check_say(r, CHECK_PROBLEM,
                      "a consumer with several subjects, as for stream %s, needs nats-server 2.10 "
                      "or later: use one subject per source",
                      config->sources[i].stream);
}

void check_live(struct check_report *r, const struct config *config)
{
    struct totals totals = {0};
    struct api_client a;
    struct err err = {0};
    if (api_client_connect(&a, config, &err) == 0) {
        check_server(r, &a, config);
        for (uint32_t i = 0; i < config->source_count; i++)
            check_source(r, &a, config, i, &totals);
        check_published(r, &a, "dead_letter.subject", config->dead_letter.subject,
                        "dead letters will go to _quarantine instead");
        check_published(r, &a, "alerts.subject", config->alerts.subject,
                        "only those subscribed at the time will get alerts");
    } else {
        check_say(r, CHECK_PROBLEM, "no server can be reached: %s", err.text);
    }
    api_client_close(&a);
    check_metrics(r, config);
    if (config_writes_to_s3(config))
        judge_bucket(r, config);
    else
        judge_disk(r, config, &totals);
    check_followers(r, config);
}
