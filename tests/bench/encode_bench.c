/* SPDX-License-Identifier: MIT */

/*
 * encode_bench ROWS LEVEL PROFILE ROUNDS FILE: what it costs to make a Parquet file of events that
 * are in memory already. PROFILE is plain or delta. Prints a line a round: CPU seconds, bytes of
 * the file. The file stays, so that other writers can be given the same rows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch/batch.h"
#include "event/event.h"
#include "parquet/write/writer.h"

static uint64_t state = 1;

/* splitmix64 */
static uint64_t next(void)
{
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static struct slice uuid(char text[static 40])
{
    uint64_t a = next(), b = next();

    snprintf(text, 40, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)(a & 0xffffffff),
             (unsigned)(a >> 32 & 0xffff), (unsigned)(a >> 48 & 0xfff), (unsigned)(b & 0xfff),
             (unsigned long long)(b >> 16));
    return slice_of(text);
}

enum { PAYLOAD = 120 };

/* As an encoded message: a few bytes that repeat, then numbers of six bits a byte. */
static struct slice payload(uint8_t bytes[static PAYLOAD])
{
    static const uint8_t head[] = {0x0a, 0x08, 'a', 'g', 'e', 'n', 't', '-', '0', '0', 0x12, 0x6c};

    memcpy(bytes, head, sizeof(head));
    bytes[9] = (uint8_t)('0' + next() % 10);
    for (size_t at = sizeof(head); at < PAYLOAD; at += 10) {
        uint64_t bits = next();
        for (size_t i = at; i < at + 10 && i < PAYLOAD; i++, bits >>= 6)
            bytes[i] = (uint8_t)((bits & 63) + 32);
    }
    return (struct slice){bytes, PAYLOAD};
}

static void put_event(struct batch *b, int64_t row)
{
    static const char *const types[] = {"sim.world_state.v1", "sim.agent_observation.v1",
                                        "sim.agent_reward.v1", "ai.agent_action.v1"};
    static const char *const hints[] = {
        "application/x-flatbuffers; message=fes.simulation.world.WorldStateUpdate",
        "application/protobuf; message=fes.simulation.agent.AgentObservation",
        "application/json",
        "application/protobuf; message=fes.simulation.agent.AgentAction",
    };
    uint8_t bytes[PAYLOAD];
    char text[40];
    unsigned type = (unsigned)(next() % 4);
    int64_t ns = INT64_C(1780000000000000000) + row * 1000 + (int64_t)(next() % 700);

    batch_put_int64(b, EVENT_COLUMN_TIMESTAMP_NS, ns);
    batch_put_bytes(b, EVENT_COLUMN_EVENT_ID, uuid(text));
    batch_put_bytes(b, EVENT_COLUMN_EVENT_TYPE_KEY, slice_of(types[type]));
    batch_put_bytes(b, EVENT_COLUMN_EVENT_PAYLOAD, payload(bytes));
    snprintf(text, sizeof(text), "worker-%02u", (unsigned)(next() % 16));
    batch_put_bytes(b, EVENT_COLUMN_WORKER_ID, slice_of(text));
    snprintf(text, sizeof(text), "simulation-%u", (unsigned)(next() % 4));
    batch_put_bytes(b, EVENT_COLUMN_SIMULATION_ID, slice_of(text));
    batch_put_bytes(b, EVENT_COLUMN_PAYLOAD_FORMAT_HINT, slice_of(hints[type]));
    batch_put_null(b, EVENT_COLUMN_CORRELATION_ID);
    batch_put_null(b, EVENT_COLUMN_UNKNOWN_FIELDS);
    batch_put_int64(b, EVENT_COLUMN_STREAM_SEQ, row + 1);
    batch_put_int64(b, EVENT_COLUMN_STREAM_TIME, (ns + 300000) / 1000);
    batch_put_bytes(b, EVENT_COLUMN_NATS_SUBJECT, slice_of("logging.events.raw"));
    batch_put_int64(b, EVENT_COLUMN_EVENT_TIME, ns / 1000);
    batch_put_null(b, EVENT_COLUMN_HEADERS);
    batch_end_row(b);
}

static int put(void *context, const void *data, size_t len, struct err *err)
{
    const uint8_t *from = data;

    while (len > 0) {
        ssize_t n = write(*(int *)context, from, len);
        if (n <= 0)
            return err_set_system(err, errno, "write");
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int write_file(struct parquet_writer *w, struct batch *const *batches, size_t count,
                      const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    struct parquet_sink sink = {.write = put, .context = &fd};
    int status = 0;

    if (fd < 0)
        return err_set_system(err, errno, "%s", path);
    parquet_writer_reset(w);
    for (size_t i = 0; i < count && status == 0; i++)
        status = parquet_writer_append(w, batches[i], sink, err);
    if (status == 0)
        status = parquet_writer_finish(w, sink, err);
    close(fd);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: encode_bench ROWS LEVEL plain|delta ROUNDS FILE\n");
        return 2;
    }
    long rows = atol(argv[1]), rounds = atol(argv[4]);
    size_t count = ((size_t)rows + BATCH_ROWS_MAX - 1) / BATCH_ROWS_MAX;
    struct batch **batches = calloc(count, sizeof(*batches));
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_options options = parquet_options_default();
    options.compression_level = atoi(argv[2]);
    options.delta = strcmp(argv[3], "delta") == 0;
    struct parquet_writer *w = parquet_writer_new(&event_schema, &options, codec);
    struct err err = {0};

    for (long row = 0; row < rows; row++) {
        struct batch **b = &batches[row / BATCH_ROWS_MAX];
        if (*b == NULL)
            *b = batch_new(&event_schema, NULL);
        put_event(*b, row);
    }
    for (long round = 0; round < rounds; round++) {
        double start = cpu_seconds();
        if (write_file(w, batches, count, argv[5], &err) != 0) {
            fprintf(stderr, "encode_bench: %s\n", err.text);
            return 1;
        }
        printf("%.6f %llu\n", cpu_seconds() - start,
               (unsigned long long)parquet_writer_bytes_written(w));
    }
    return 0;
}
