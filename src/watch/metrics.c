/* SPDX-License-Identifier: MIT */
#include "watch/pages.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/version.h"
#include "event/event.h"
#include "watch/watch.h"

static void begin(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* ,key="value" or, as the first one, {key="value" */
static void label(struct buf *out, bool first, const char *key, const char *value)
{
    buf_printf(out, "%c%s=\"", first ? '{' : ',', key);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            buf_append_byte(out, '\\');
        if (*value == '\n')
            buf_append_text(out, "\\n");
        else
            buf_append_byte(out, (uint8_t)*value);
    }
    buf_append_byte(out, '"');
}

/* A name with its labels; NULL for one that it does not have. */
static void name(struct buf *out, const char *text, const char *stream, const char *reason)
{
    buf_append_text(out, text);
    if (stream != NULL)
        label(out, true, "stream", stream);
    if (reason != NULL)
        label(out, stream == NULL, "reason", reason);
    if (stream != NULL || reason != NULL)
        buf_append_byte(out, '}');
}

static void whole(struct buf *out, const char *text, const char *stream, const char *reason,
                  uint64_t value)
{
    name(out, text, stream, reason);
    buf_append_byte(out, ' ');
    buf_append_decimal(out, value);
    buf_append_byte(out, '\n');
}

static void real(struct buf *out, const char *text, const char *stream, double value)
{
    name(out, text, stream, NULL);
    buf_printf(out, " %.9g\n", value);
}

/* A metric that is one number of the whole process. */
static void single(struct buf *out, const char *text, const char *type, uint64_t value,
                   const char *help)
{
    begin(out, text, type, help);
    whole(out, text, NULL, NULL, value);
}

static void bucket(struct buf *out, const char *text, const char *stream, const char *bound,
                   uint64_t count)
{
    buf_printf(out, "%s_bucket", text);
    if (stream != NULL)
        label(out, true, "stream", stream);
    label(out, stream == NULL, "le", bound);
    buf_append_text(out, "} ");
    buf_append_decimal(out, count);
    buf_append_byte(out, '\n');
}

static void histogram(struct buf *out, const char *text, const char *stream,
                      const struct histogram *h)
{
    struct buf part = {0};
    uint64_t count = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += h->counts[i];
        buf_reset(&part);
        buf_printf(&part, "%g", histogram_bounds[i]);
        bucket(out, text, stream, buf_text(&part), count);
    }
    count += h->counts[HISTOGRAM_BUCKETS];
    bucket(out, text, stream, "+Inf", count);
    buf_reset(&part);
    buf_printf(&part, "%s_sum", text);
    real(out, buf_text(&part), stream, h->sum);
    buf_reset(&part);
    buf_printf(&part, "%s_count", text);
    whole(out, buf_text(&part), stream, NULL, count);
    buf_free(&part);
}

#define IN(field) offsetof(struct source_counters, field)

static const struct {
    const char *name, *type;
    size_t offset;
    const char *help;
} numbers[] = {
    {"varve_messages_received_total", "counter", IN(messages_received),
     "Messages delivered to varve, redeliveries included."},
    {"varve_bytes_received_total", "counter", IN(bytes_received),
     "Bytes of these messages, as the server counts them."},
    {"varve_rows_committed_total", "counter", IN(rows_committed), "Rows that are in the table."},
    {"varve_rows_deduplicated_total", "counter", IN(rows_deduplicated),
     "Messages that were delivered again after varve had them."},
    {"varve_rows_clock_suspect_total", "counter", IN(rows_clock_suspect),
     "Rows filed under their stream time because their own is absurd."},
    {"varve_messages_pending", "gauge", IN(pending),
     "Messages received that are not yet committed or dead-lettered."},
    {"varve_acks_sent_total", "counter", IN(acks_sent), "Acks sent."},
    {"varve_messages_lost_total", "counter", IN(lost),
     "Messages, at most, that the stream dropped before they were stored."},
    {"varve_stream_gaps_total", "counter", IN(gaps),
     "Sequences that the stream had no message for."},
    {"varve_consumer_pending", "gauge", IN(consumer_pending),
     "Messages that the server has not delivered yet."},
    {"varve_consumer_ack_floor", "gauge", IN(consumer_ack_floor),
     "Stream sequence up to which the server has all acks."},
    {"varve_stream_last_sequence", "gauge", IN(stream_last_sequence),
     "Sequence of the newest message in the stream, as last reported."},
};

static void append_numbers(struct buf *out, const struct view *v)
{
    for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        begin(out, numbers[n].name, numbers[n].type, numbers[n].help);
        for (uint32_t i = 0; i < v->source_count; i++) {
            const char *counters = (const char *)v->sources[i].counters;
            const uint64_t *value = (const uint64_t *)(counters + numbers[n].offset);
            whole(out, numbers[n].name, v->sources[i].stream, NULL, *value);
        }
    }
}

static void append_streams(struct buf *out, const struct view *v, int64_t now)
{
    append_numbers(out, v);
    begin(out, "varve_messages_dead_lettered_total", "counter",
          "Messages that can't become rows, dead-lettered or in quarantine.");
    for (uint32_t i = 0; i < v->source_count; i++)
        for (int r = EVENT_OK + 1; r < EVENT_RESULTS; r++)
            whole(out, "varve_messages_dead_lettered_total", v->sources[i].stream,
                  event_result_name((enum event_result)r),
                  v->sources[i].counters->dead_lettered[r]);
    begin(out, "varve_event_delay_seconds", "histogram",
          "Time from being stored by the stream to being committed, of each message.");
    for (uint32_t i = 0; i < v->source_count; i++)
        histogram(out, "varve_event_delay_seconds", v->sources[i].stream,
                  &v->sources[i].counters->delay);
    begin(out, "varve_oldest_unacked_seconds", "gauge",
          "Age of the oldest message received whose ack is not confirmed.");
    for (uint32_t i = 0; i < v->source_count; i++)
        real(out, "varve_oldest_unacked_seconds", v->sources[i].stream,
             (double)view_oldest_unacked(&v->sources[i], now) / (double)CLOCK_SECOND);
}

static void append_commits(struct buf *out, const struct stats *s, const struct view_names *reasons)
{
    single(out, "varve_bytes_written_total", "counter", s->bytes_written,
           "Bytes of committed files.");
    begin(out, "varve_files_committed_total", "counter",
          "Files committed, by what sealed their epoch.");
    for (uint32_t i = 0; i < reasons->count; i++)
        whole(out, "varve_files_committed_total", NULL, reasons->name(i), s->files_committed[i]);
    begin(out, "varve_commit_seconds", "histogram",
          "Time from being sealed to being committed, of each epoch.");
    histogram(out, "varve_commit_seconds", NULL, &s->commit);
    single(out, "varve_commit_conflicts_total", "counter", s->conflicts,
           "Entries of other writers that were first, so that a commit tried the next number.");
    begin(out, "varve_encode_seconds", "histogram", "Time spent encoding, of each epoch.");
    histogram(out, "varve_encode_seconds", NULL, &s->encode);
}

/* When certificates run out, in seconds since 1970, as far as there are any. */
static void append_certificates(struct buf *out, const struct view *v, int64_t endpoint)
{
    static const char name[] = "varve_tls_certificate_expiry_timestamp_seconds";
    begin(out, name, "gauge",
          "When the certificate of the server, our own, and that of this endpoint expires.");
    if (v->server_expires != 0)
        buf_printf(out, "%s{certificate=\"server\"} %" PRId64 "\n", name,
                   v->server_expires / CLOCK_SECOND);
    if (v->own_expires != 0)
        buf_printf(out, "%s{certificate=\"client\"} %" PRId64 "\n", name,
                   v->own_expires / CLOCK_SECOND);
    if (endpoint != 0)
        buf_printf(out, "%s{certificate=\"endpoint\"} %" PRId64 "\n", name,
                   endpoint / CLOCK_SECOND);
}

static void append_objects(struct buf *out, const struct s3_counters *c)
{
    const char *requests = "varve_object_requests_total", *seconds = "varve_object_request_seconds";
    begin(out, requests, "counter", "Requests to the object store, by how they were answered.");
    for (int o = 0; o < S3_OPERATIONS; o++)
        for (int k = 0; k < S3_COUNTS; k++) {
            buf_append_text(out, requests);
            label(out, true, "operation", s3_operation_names[o]);
            label(out, false, "code", s3_count_names[k]);
            buf_printf(out, "} %" PRIu64 "\n", (uint64_t)c->requests[o][k]);
        }
    begin(out, seconds, "summary", "Time that these requests took.");
    for (int o = 0; o < S3_OPERATIONS; o++) {
        uint64_t count = 0;
        for (int k = 0; k < S3_COUNTS; k++)
            count += c->requests[o][k];
        buf_printf(out, "%s_sum{operation=\"%s\"} %.9g\n%s_count{operation=\"%s\"} %" PRIu64 "\n",
                   seconds, s3_operation_names[o], (double)c->nanoseconds[o] / (double)CLOCK_SECOND,
                   seconds, s3_operation_names[o], count);
    }
}

static void append_pipeline(struct buf *out, const struct view *v, const struct stats *s)
{
    append_commits(out, s, &v->reason_names);
    if (s->last_commit != 0)
        single(out, "varve_last_commit_timestamp_seconds", "gauge",
               (uint64_t)(s->last_commit / CLOCK_SECOND),
               "When the last commit was made, in seconds since 1970.");
    single(out, "varve_open_partitions", "gauge", v->partitions, "Partitions of the open epoch.");
    single(out, "varve_memory_bytes", "gauge", v->memory,
           "Memory of what is not committed, and of followers, as counted against memory_limit.");
    single(out, "varve_connected", "gauge", v->client != NULL, "1 while connected to NATS.");
    begin(out, "varve_disconnected", "gauge", "1 while not connected to NATS, by reason.");
    for (uint32_t i = 0; i < v->trouble_names.count; i++)
        whole(out, "varve_disconnected", NULL, v->trouble_names.name(i),
              v->client == NULL && v->down_because != NULL && v->trouble == i);
    if (v->login_expires != 0)
        single(out, "varve_login_expires_timestamp_seconds", "gauge",
               (uint64_t)(v->login_expires / CLOCK_SECOND),
               "When the credentials for NATS run out, in seconds since 1970.");
    single(out, "varve_reconnects_total", "counter", s->reconnects, "Connections that were lost.");
    if (v->disk_free != UINT64_MAX)
        single(out, "varve_disk_free_bytes", "gauge", v->disk_free,
               "Bytes free for varve on the file system of the output.");
    if (v->in_bucket)
        append_objects(out, &v->objects);
    begin(out, "varve_paused", "gauge", "1 while no more messages are requested, by reason.");
    for (uint32_t i = 0; i < v->pause_names.count; i++)
        whole(out, "varve_paused", NULL, v->pause_names.name(i), v->pauses >> i & 1);
    single(out, "varve_expired_files_total", "counter", v->expired_files,
           "Files that retention has removed.");
    single(out, "varve_expired_bytes_total", "counter", v->expired_bytes, "Bytes of these.");
    single(out, "varve_compactions_total", "counter", v->compactions,
           "Partitions whose small files were merged.");
    single(out, "varve_compaction_memory_bytes", "gauge", v->compaction_memory,
           "Memory of the compaction at work, beside varve_memory_bytes.");
    if (v->files_live != UINT64_MAX)
        single(out, "varve_files_live", "gauge", v->files_live,
               "Files of the table, when compaction has last looked.");
    struct log_losses losses = log_losses();
    begin(out, "varve_log_lines_lost_total", "counter",
          "Lines of the log that were not written, by reason.");
    whole(out, "varve_log_lines_lost_total", NULL, "repeated", losses.suppressed);
    whole(out, "varve_log_lines_lost_total", NULL, "unread", losses.dropped);
    begin(out, "varve_build_info", "gauge", "Always 1; the labels say what is running.");
    buf_append_text(out, "varve_build_info");
    label(out, true, "version", varve_version);
    label(out, false, "build", varve_build);
    buf_append_text(out, "} 1\n");
}

/* What the system knows about this process; 0 where it does not say. */
struct usage {
    double cpu_seconds;
    uint64_t resident_bytes;
    uint64_t open_descriptors, max_descriptors;
};

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* The second number of /proc/self/statm: resident pages. */
static uint64_t resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    (void)close(fd); /* nothing was written */
    text[got > 0 ? got : 0] = '\0';
    const char *number = strchr(text, ' ');
    uint64_t pages = 0;
    if (number == NULL ||
        !num_parse_u64((struct slice){(const uint8_t *)number + 1, strcspn(number + 1, " ")},
                       &pages))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    uint64_t count = 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        count += e->d_name[0] != '.';
    (void)closedir(dir);              /* it was only read */
    return count > 0 ? count - 1 : 0; /* the directory itself was one */
}

static struct usage look_at_process(void)
{
    struct usage usage = {.resident_bytes = resident_bytes(),
                          .open_descriptors = open_descriptors()};
    struct rusage resources;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &resources) == 0)
        usage.cpu_seconds = seconds_of(resources.ru_utime) + seconds_of(resources.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        usage.max_descriptors = limit.rlim_cur;
    return usage;
}

static void append_process(struct buf *out, int64_t started)
{
    struct usage usage = look_at_process();
    begin(out, "process_cpu_seconds_total", "counter", "User and system CPU time in seconds.");
    real(out, "process_cpu_seconds_total", NULL, usage.cpu_seconds);
    begin(out, "process_start_time_seconds", "gauge", "Start time in seconds since 1970.");
    buf_printf(out, "process_start_time_seconds %.3f\n", (double)started / (double)CLOCK_SECOND);
    single(out, "process_resident_memory_bytes", "gauge", usage.resident_bytes,
           "Resident memory size in bytes.");
    single(out, "process_open_fds", "gauge", usage.open_descriptors,
           "Number of open file descriptors.");
    single(out, "process_max_fds", "gauge", usage.max_descriptors,
           "Maximum number of open file descriptors.");
}

static void follower_name(struct buf *out, const char *text, const char *follower,
                          const char *reason)
{
    buf_append_text(out, text);
    label(out, true, "follower", follower);
    if (reason != NULL)
        label(out, false, "reason", reason);
    buf_append_text(out, "} ");
}

/* Those that have looked at the store. */
static void follower_number(struct buf *out, const struct view *v, const char *text,
                            const char *type, size_t offset, const char *help)
{
    begin(out, text, type, help);
    for (uint32_t i = 0; i < v->follower_count; i++) {
        const struct view_follower *f = &v->followers[i];
        if (!f->known)
            continue;
        follower_name(out, text, f->name, NULL);
        buf_printf(out, "%" PRIu64 "\n", *(const uint64_t *)((const char *)f + offset));
    }
}

#define OF(field) offsetof(struct view_follower, field)

static void append_followers(struct buf *out, const struct view *v)
{
    static const char lag[] = "varve_follower_lag_seconds",
                      errors[] = "varve_follower_errors_total";
    follower_number(out, v, "varve_follower_position_sequence", "gauge", OF(position),
                    "The newest stream sequence that a follower has brought to its target.");
    follower_number(out, v, "varve_follower_lag_rows", "gauge", OF(lag_rows),
                    "Rows that are committed, and not brought to its target.");
    begin(out, lag, "gauge", "For how long the oldest of these has been committed.");
    for (uint32_t i = 0; i < v->follower_count; i++) {
        follower_name(out, lag, v->followers[i].name, NULL);
        buf_printf(out, "%.9g\n", (double)v->followers[i].lag / (double)CLOCK_SECOND);
    }
    follower_number(out, v, "varve_follower_rows_total", "counter", OF(rows), "Rows brought.");
    follower_number(out, v, "varve_follower_rows_refused_total", "counter", OF(refused),
                    "Rows whose payload does not fit, and points that a database has refused.");
    follower_number(out, v, "varve_follower_notes_removed_total", "counter", OF(notes_removed),
                    "Files about points that were refused, removed since there were too many.");
    follower_number(out, v, "varve_follower_memory_bytes", "gauge", OF(memory),
                    "Memory of its rows: those that it has read, and those that it is to write.");
    follower_number(out, v, "varve_follower_files_fed_total", "counter", OF(files_fed),
                    "Files whose rows it has taken from memory, straight from their commit.");
    follower_number(out, v, "varve_follower_files_read_total", "counter", OF(files_read),
                    "Files that it has opened in the store.");
    begin(out, errors, "counter", "Attempts of a follower that failed, by reason.");
    for (uint32_t i = 0; i < v->follower_count; i++)
        for (uint32_t r = 0; r < v->follower_reasons.count; r++) {
            follower_name(out, errors, v->followers[i].name, v->follower_reasons.name(r));
            buf_append_decimal(out, v->followers[i].errors[r]);
            buf_append_byte(out, '\n');
        }
}

/* What followers of kind quality have counted, in all runs of theirs. */
static void append_quality(struct buf *out, const struct view *v)
{
    static const char events[] = "varve_quality_events_total",
                      findings[] = "varve_quality_findings_total";
    begin(out, events, "counter", "Events that a follower of kind quality has looked at.");
    for (uint32_t i = 0; i < v->follower_count; i++) {
        if (v->followers[i].quality == NULL)
            continue;
        follower_name(out, events, v->followers[i].name, NULL);
        buf_printf(out, "%" PRIu64 "\n", v->followers[i].quality->events);
    }
    begin(out, findings, "counter", "Events of these that break a rule, by reason.");
    for (uint32_t i = 0; i < v->follower_count; i++)
        for (int f = 0; v->followers[i].quality != NULL && f < QUALITY_FINDINGS; f++) {
            follower_name(out, findings, v->followers[i].name,
                          quality_finding_name((enum quality_finding)f));
            buf_printf(out, "%" PRIu64 "\n", v->followers[i].quality->findings[f]);
        }
}

/* How many of each kind stand: of streams each has its own. */
static void append_alerts(struct buf *out, const struct alerts *a)
{
    uint64_t standing[ALERT_KINDS] = {0};
    for (uint32_t i = 0; i < a->count; i++)
        standing[a->list[i].kind] += a->list[i].until == 0;
    begin(out, "varve_alerts", "gauge", "Alerts that stand, by name.");
    for (int i = 0; i < ALERT_KINDS; i++)
        if (alert_stands((enum alert_kind)i))
            whole(out, "varve_alerts", NULL, alert_name((enum alert_kind)i), standing[i]);
}

void metrics_append(struct buf *out, const struct watch *w, int64_t now)
{
    append_streams(out, w->view, now);
    append_pipeline(out, w->view, &w->stats);
    append_certificates(out, w->view, w->guard.expires);
    append_followers(out, w->view);
    append_quality(out, w->view);
    append_alerts(out, &w->alerts);
    append_process(out, w->started);
}
