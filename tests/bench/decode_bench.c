/* SPDX-License-Identifier: MIT */

/*
 * decode_bench SET MESSAGE PAYLOADS ROUNDS: what it costs to turn protobuf payloads that are in
 * memory into columns, and into a Parquet file. PAYLOADS are messages, each behind its length, 4
 * bytes little-endian. Prints a line a round: CPU seconds for each of both, from the payloads on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "event/payload.h"
#include "parquet/write/writer.h"

#include "../program.h"

enum { BATCH = 10000 };

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int count(void *context, const void *data, size_t len, struct err *err)
{
    (void)data;
    (void)err;
    *(size_t *)context += len;
    return 0;
}

/* NULL: to columns alone. */
static double decode(struct payload_type *t, struct batch *b, const struct buf *payloads,
                     struct parquet_writer *w)
{
    struct err err = {0};
    size_t size = 0;
    const struct parquet_sink sink = {.write = count, .context = &size};
    double start = cpu_seconds();
    for (size_t at = 0; at < payloads->len;) {
        uint32_t len = load_u32le(payloads->data + at);
        if (payload_append(t, b, 0, (struct slice){payloads->data + at + 4, len}) != PAYLOAD_OK)
            die("payload", buf_text(&t->reason));
        batch_end_row(b);
        at += 4 + (size_t)len;
        if (b->rows < BATCH && at < payloads->len)
            continue;
        if (w != NULL && parquet_writer_append(w, b, sink, &err) != 0)
            die("writing", err.text);
        batch_reset(b);
    }
    if (w != NULL && parquet_writer_finish(w, sink, &err) != 0)
        die("writing", err.text);
    return cpu_seconds() - start;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    if (argc != 5)
        die("usage", "decode_bench SET MESSAGE PAYLOADS ROUNDS");
    struct buf set = read_all(argv[1]), payloads = read_all(argv[3]);
    struct payload_types *types = payload_types_new(PAYLOAD_PROTOBUF, buf_slice(&set), &err);
    struct payload_type *t =
        types != NULL ? payload_message_new(types, slice_of(argv[2]), NULL, 0, &err) : NULL;
    if (t == NULL)
        die(argv[1], err.text);
    payload_widen(t); /* as in a table */
    struct schema schema = {"payload", t->columns, t->count};
    struct batch *b = batch_new(&schema, NULL);
    for (int round = atoi(argv[4]); round > 0; round--) {
        struct parquet_codec *codec = parquet_codec_new(NULL);
        struct parquet_options parquet = parquet_options_default();
        struct parquet_writer *w = parquet_writer_new(&schema, &parquet, codec);
        double columns = decode(t, b, &payloads, NULL);
        printf("%.6f %.6f\n", columns, decode(t, b, &payloads, w));
        parquet_writer_free(w);
        parquet_codec_free(codec);
    }
    batch_free(b);
    payload_free(t);
    payload_types_free(types);
    buf_free(&set);
    buf_free(&payloads);
    return 0;
}
