/* SPDX-License-Identifier: MIT */
#include "parquet/read/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as the values of a page, in the encoding and type that the first two bytes say; the
 * strings of the delta encodings above all. Every byte of every value is looked at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum parquet_encoding encodings[] = {
        PARQUET_ENCODING_DELTA_BYTE_ARRAY,
        PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY,
        PARQUET_ENCODING_PLAIN,
        PARQUET_ENCODING_DELTA_BINARY_PACKED,
        PARQUET_ENCODING_RLE,
        PARQUET_ENCODING_RLE_DICTIONARY,
        PARQUET_ENCODING_BYTE_STREAM_SPLIT,
    };
    static const struct parquet_value_type types[] = {
        {PARQUET_TYPE_BYTE_ARRAY, 0}, {PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY, 3},
        {PARQUET_TYPE_INT32, 4},      {PARQUET_TYPE_INT64, 8},
        {PARQUET_TYPE_BOOLEAN, 1},    {PARQUET_TYPE_DOUBLE, 8},
    };
    struct values_reader v = {0};
    struct parquet_dictionary dictionary = {0};
    struct slice values[VALUES_READ_MAX];
    struct err err = {0};
    size_t got = 0;
    if (size < 4)
        return 0;
    enum parquet_encoding encoding = encodings[data[0] % 7];
    struct parquet_value_type type = types[data[1] % 6];
    uint64_t count = data[2] | (uint64_t)data[3] << 8;
    struct slice bytes = {data + 4, size - 4};
    buf_append_slice(&dictionary.body, bytes);
    bool has_dictionary =
        parquet_dictionary_fill(&dictionary, type, (uint32_t)count % 8, &err) == 0;
    err_clear(&err);
    int result = values_reader_init(&v, encoding, type, bytes, count,
                                    has_dictionary ? &dictionary : NULL, &err);
    volatile uint8_t sum = 0;
    while (result == 0 && v.left > 0) {
        result = values_read(&v, values, VALUES_READ_MAX, &got, &err);
        if (result == 0 && got == 0)
            __builtin_trap();
        for (size_t i = 0; result == 0 && i < got; i++) {
            if (values[i].data == NULL || (type.width != 0 && values[i].len != type.width))
                __builtin_trap();
            for (size_t k = 0; k < values[i].len; k++)
                sum = (uint8_t)(sum + values[i].data[k]);
        }
    }
    if (result == 0)
        (void)values_reader_done(&v); /* either answer is fine */
    values_reader_free(&v);
    parquet_dictionary_free(&dictionary);
    return 0;
}
