/* SPDX-License-Identifier: MIT */
#include "parquet/verify/verify.h"

#include <string.h>

#include "parquet/read/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_bytes(void *context, uint64_t offset, void *data, size_t len, struct err *err)
{
    const struct slice *bytes = context;
    (void)err; /* a read outside of the file is a bug */
    if (offset > bytes->len || len > bytes->len - offset)
        __builtin_trap();
    memcpy(data, bytes->data + offset, len);
    return 0;
}

static void count(void *context, const struct parquet_finding *finding)
{
    uint64_t *findings = context;
    (*findings)++;
    if (finding->text[0] == '\0')
        __builtin_trap();
}

/* A file that is all right can be read to its end; and no file can do worse than be refused. */
static void read_rows(const struct parquet_source *source, struct parquet_codec *codec, bool good)
{
    enum { LEAVES = 64, ROWS = 100000 };
    struct parquet_file file;
    struct err err = {0};
    const struct parquet_value *row = NULL;
    if (parquet_file_open(&file, source, &err) != 0)
        return;
    if (file.leaves_count <= LEAVES) {
        struct parquet_records *records = parquet_records_new(&file, NULL, 0, codec);
        int more = 1;
        for (int i = 0; more == 1 && i < ROWS; i++)
            more = parquet_records_next(records, &row, &err);
        if (good && more < 0)
            __builtin_trap();
        parquet_records_free(records);
    }
    parquet_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {data, size};
    struct parquet_source source = {read_bytes, &bytes, size};
    uint64_t findings = 0;
    struct parquet_verify verify = {
        .codec = parquet_codec_new(NULL), .found = count, .context = &findings};
    parquet_verify(&verify, &source);
    if ((verify.findings == 0) != (findings == 0))
        __builtin_trap();
    read_rows(&source, verify.codec, verify.findings == 0);
    parquet_verify_free(&verify);
    parquet_codec_free(verify.codec);
    return 0;
}
