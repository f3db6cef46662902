/* SPDX-License-Identifier: MIT */
#include "watch/metrics.h"

#include <stddef.h>

#include "base/version.h"
#include "watch/health.h"
#include "pipeline/memory.h"
#include "pipeline/pipeline.h"
#include "watch/process.h"

/* --- the format ------------------------------------------------------------------------------ */

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

/* --- per stream ------------------------------------------------------------------------------ */

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
     "Messages that came again after varve had them."},
    {"varve_rows_clock_suspect_total", "counter", IN(rows_clock_suspect),
     "Rows filed under their stream time because their own is absurd."},
    {"varve_messages_pending", "gauge", IN(pending),
     "Messages received that are not yet committed or dead-lettered."},
    {"varve_acks_sent_total", "counter", IN(acks_sent), "Acks sent."},
    {"varve_stream_gaps_total", "counter", IN(gaps),
     "Sequences that the stream had no message for."},
    {"varve_consumer_pending", "gauge", IN(consumer_pending),
     "Messages that the server has not delivered yet."},
    {"varve_consumer_ack_floor", "gauge", IN(consumer_ack_floor),
     "Stream sequence up to which the server has all acks."},
    {"varve_stream_last_sequence", "gauge", IN(stream_last_sequence),
     "Sequence of the newest message in the stream, as last heard."},
};

static void append_numbers(struct buf *out, const struct pipeline *p)
{
    for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        begin(out, numbers[n].name, numbers[n].type, numbers[n].help);
        for (uint32_t i = 0; i < p->source_count; i++) {
            const struct source *s = &p->sources[i];
            const uint64_t *value =
                (const uint64_t *)((const char *)&s->counters + numbers[n].offset);
            whole(out, numbers[n].name, s->settings->stream, NULL, *value);
        }
    }
}

static void append_streams(struct buf *out, const struct pipeline *p, int64_t now)
{
    append_numbers(out, p);
    begin(out, "varve_messages_dead_lettered_total", "counter",
          "Messages that can't be rows: by dead letter subject or in quarantine.");
    for (uint32_t i = 0; i < p->source_count; i++)
        for (int r = EVENT_OK + 1; r < EVENT_RESULTS; r++)
            whole(out, "varve_messages_dead_lettered_total", p->sources[i].settings->stream,
                  event_result_name((enum event_result)r), p->sources[i].counters.dead_lettered[r]);
    begin(out, "varve_event_delay_seconds", "histogram",
          "From stored by the stream to committed, of each message.");
    for (uint32_t i = 0; i < p->source_count; i++)
        histogram(out, "varve_event_delay_seconds", p->sources[i].settings->stream,
                  &p->sources[i].counters.delay);
    begin(out, "varve_oldest_unacked_seconds", "gauge",
          "Age of the oldest message received whose ack is not confirmed.");
    for (uint32_t i = 0; i < p->source_count; i++)
        real(out, "varve_oldest_unacked_seconds", p->sources[i].settings->stream,
             (double)health_oldest_unacked(p, i, now) / (double)CLOCK_SECOND);
}

/* --- the pipeline, the process --------------------------------------------------------------- */

static void append_pipeline(struct buf *out, const struct pipeline *p)
{
    single(out, "varve_bytes_written_total", "counter", p->stats.bytes_written,
           "Bytes of committed files.");
    begin(out, "varve_files_committed_total", "counter",
          "Files committed, by what sealed their epoch.");
    for (int i = 0; i < EPOCH_REASONS; i++)
        whole(out, "varve_files_committed_total", NULL, epoch_reason_name((enum epoch_reason)i),
              p->stats.files_committed[i]);
    begin(out, "varve_commit_seconds", "histogram", "From sealed to committed, of each epoch.");
    histogram(out, "varve_commit_seconds", NULL, &p->stats.commit);
    begin(out, "varve_encode_seconds", "histogram", "Time spent encoding, of each epoch.");
    histogram(out, "varve_encode_seconds", NULL, &p->stats.encode);
    single(out, "varve_open_partitions", "gauge", p->batcher.partition_count,
           "Partitions of the open epoch.");
    single(out, "varve_memory_bytes", "gauge", memory_held(p),
           "Memory of what is not committed, as memory_limit counts it.");
    single(out, "varve_connected", "gauge", connection_is_ready(&p->connection),
           "1 while connected to NATS.");
    single(out, "varve_reconnects_total", "counter", p->stats.reconnects,
           "Connections that were lost.");
    if (p->disk_free != UINT64_MAX)
        single(out, "varve_disk_free_bytes", "gauge", p->disk_free,
               "Bytes that can still be written to the file system of the output.");
    begin(out, "varve_paused", "gauge", "1 while no more messages are asked for, by reason.");
    for (int i = 0; i < FLOW_PAUSES; i++)
        whole(out, "varve_paused", NULL, flow_pause_name((enum flow_pause)i), p->pauses >> i & 1);
    begin(out, "varve_build_info", "gauge", "Always 1; what is running is in the labels.");
    buf_append_text(out, "varve_build_info");
    label(out, true, "version", varve_version);
    label(out, false, "build", varve_build);
    buf_append_text(out, "} 1\n");
}

static void append_process(struct buf *out, int64_t started)
{
    struct process_usage usage = process_usage();
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

void metrics_append(struct buf *out, struct pipeline *p, int64_t now)
{
    append_streams(out, p, now);
    append_pipeline(out, p);
    append_process(out, p->watch.started);
}
