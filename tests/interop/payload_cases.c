/* SPDX-License-Identifier: MIT */

/*
 * payload_cases SET MESSAGE PAYLOADS FILE [FIELD]...
 *
 * Writes the Parquet file FILE: the columns of the protobuf message MESSAGE of the descriptor set
 * SET, and in front of them the reason why a row has none. PAYLOADS are messages, each behind its
 * length, 4 bytes little-endian. A SET whose name ends in .bfbs is a schema of FlatBuffers, MESSAGE
 * one of its tables. With FIELDs, only these have columns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "event/payload.h"
#include "parquet/write/writer.h"

#include "../program.h"

static int put(void *context, const void *data, size_t len, struct err *err)
{
    return fwrite(data, 1, len, context) == len ? 0 : err_set(err, ERR_SYSTEM, "fwrite");
}

static void append(struct batch *b, struct payload_type *t, struct slice payload)
{
    batch_mark(b);
    enum payload_result result = payload_append(t, b, 1, payload);
    if (result == PAYLOAD_BAD || !batch_row_fits(b)) {
        batch_rollback(b);
        payload_append_nulls(t, b, 1);
    }
    if (result == PAYLOAD_OK)
        batch_put_null(b, 0);
    else
        batch_put_bytes(b, 0, buf_slice(&t->reason));
    batch_end_row(b);
}

int main(int argc, char **argv)
{
    static struct column_spec specs[SCHEMA_COLUMNS_MAX] = {
        {.name = "reason", .type = COLUMN_BYTES, .meaning = COLUMN_TEXT, .optional = true}};
    static struct schema_node nodes[SCHEMA_COLUMNS_MAX];
    struct schema schema = {"payload", specs, 1};
    struct parquet_options options = parquet_options_default();
    struct err err = {0};
    if (argc < 5)
        die("usage", "payload_cases SET MESSAGE PAYLOADS FILE [FIELD]...");
    struct buf payloads = read_all(argv[3]);
    const char *const *fields = (const char *const *)argv + 5;
    struct payload_types *types = NULL;
    struct payload_type *t;
    if (strcmp(argv[1], "json") == 0) {
        t = payload_json_new(fields, (size_t)argc - 5, &err);
    } else {
        enum payload_format format =
            text_ends_with(argv[1], ".bfbs") ? PAYLOAD_FLATBUFFERS : PAYLOAD_PROTOBUF;
        struct buf set = read_all(argv[1]);
        types = payload_types_new(format, buf_slice(&set), &err);
        buf_free(&set);
        if (types == NULL)
            die(argv[1], err.text);
        t = payload_message_new(types, slice_of(argv[2]), fields, (size_t)argc - 5, &err);
    }
    if (t == NULL)
        die(argv[1], err.text);
    payload_widen(t);
    memcpy(&specs[1], t->columns, t->count * sizeof(*specs));
    schema.count += t->count;
    if (schema_nodes(&schema, nodes, &err) != 0)
        die("schema", err.text);
    FILE *out = fopen(argv[4], "wb");
    if (out == NULL)
        die("can't open", argv[4]);
    struct parquet_codec *codec = parquet_codec_new(NULL);
    struct parquet_writer *w = parquet_writer_new(&schema, &options, codec);
    const struct parquet_sink sink = {.write = put, .context = out};
    struct batch *b = batch_new(&schema, NULL);
    for (size_t at = 0; at < payloads.len;) {
        uint32_t len = load_u32le(payloads.data + at);
        append(b, t, (struct slice){payloads.data + at + 4, len});
        at += 4 + (size_t)len;
        if (b->rows < 100 && at < payloads.len)
            continue;
        if (parquet_writer_append(w, b, sink, &err) != 0)
            die("writing", err.text);
        batch_reset(b);
    }
    if (parquet_writer_finish(w, sink, &err) != 0 || fclose(out) != 0)
        die("writing", err.text);
    batch_free(b);
    parquet_writer_free(w);
    parquet_codec_free(codec);
    payload_free(t);
    payload_types_free(types);
    buf_free(&payloads);
    return 0;
}
