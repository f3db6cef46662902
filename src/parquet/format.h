/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_FORMAT_H
#define VARVE_PARQUET_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The nouns of the file format, as parquet.thrift names them: enums with their numbers on the wire,
 * and the structs of the footer, the page headers and the indexes. Field order and names are those
 * of parquet.thrift (apache/parquet-format 2.11).
 *
 * An enum in a struct that was read from a file may hold a number that is not listed here; readers
 * check before they switch. All slices and arrays borrow: from the writer's arena, or from the
 * bytes and the arena given to the reader.
 */
#define PARQUET_MAGIC "PAR1"
#define PARQUET_MAGIC_ENCRYPTED "PARE"

enum {
    PARQUET_MAGIC_LEN = 4,
    PARQUET_TAIL_LEN = 8, /* u32 length of the footer, magic */

    /* A page before compression is at most this large, so that all sizes fit the i32 of page
     * headers many times over, and readers that allocate a page at once can. One row of one column
     * always fits: see BATCH_VALUE_MAX. The slack is for the lengths and levels beside the value.
     */
    PARQUET_PAGE_BYTES_MAX = 64 * 1024 * 1024 + 1024,

    /* The ordinal of a row group is an i16 in places, and footers grow with row groups. */
    PARQUET_ROW_GROUPS_MAX = 10000,
};

enum parquet_type {
    PARQUET_TYPE_BOOLEAN = 0,
    PARQUET_TYPE_INT32 = 1,
    PARQUET_TYPE_INT64 = 2,
    PARQUET_TYPE_INT96 = 3,
    PARQUET_TYPE_FLOAT = 4,
    PARQUET_TYPE_DOUBLE = 5,
    PARQUET_TYPE_BYTE_ARRAY = 6,
    PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY = 7,
};

enum parquet_repetition {
    PARQUET_REPETITION_REQUIRED = 0,
    PARQUET_REPETITION_OPTIONAL = 1,
    PARQUET_REPETITION_REPEATED = 2,
};

enum parquet_encoding {
    PARQUET_ENCODING_PLAIN = 0,
    PARQUET_ENCODING_PLAIN_DICTIONARY = 2,
    PARQUET_ENCODING_RLE = 3,
    PARQUET_ENCODING_BIT_PACKED = 4,
    PARQUET_ENCODING_DELTA_BINARY_PACKED = 5,
    PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY = 6,
    PARQUET_ENCODING_DELTA_BYTE_ARRAY = 7,
    PARQUET_ENCODING_RLE_DICTIONARY = 8,
    PARQUET_ENCODING_BYTE_STREAM_SPLIT = 9,
};

/* CompressionCodec */
enum parquet_compression {
    PARQUET_COMPRESSION_UNCOMPRESSED = 0,
    PARQUET_COMPRESSION_SNAPPY = 1,
    PARQUET_COMPRESSION_GZIP = 2,
    PARQUET_COMPRESSION_LZO = 3,
    PARQUET_COMPRESSION_BROTLI = 4,
    PARQUET_COMPRESSION_LZ4 = 5,
    PARQUET_COMPRESSION_ZSTD = 6,
    PARQUET_COMPRESSION_LZ4_RAW = 7,
};

enum parquet_page_type {
    PARQUET_PAGE_DATA = 0,
    PARQUET_PAGE_INDEX = 1,
    PARQUET_PAGE_DICTIONARY = 2,
    PARQUET_PAGE_DATA_V2 = 3,
};

enum parquet_boundary_order {
    PARQUET_BOUNDARY_UNORDERED = 0,
    PARQUET_BOUNDARY_ASCENDING = 1,
    PARQUET_BOUNDARY_DESCENDING = 2,
};

/* varve writes few of them. UTF8 is 0, so absence needs its own number. */
enum parquet_converted_type {
    PARQUET_CONVERTED_NONE = -1,
    PARQUET_CONVERTED_UTF8 = 0,
    PARQUET_CONVERTED_MAP = 1,
    PARQUET_CONVERTED_MAP_KEY_VALUE = 2,
    PARQUET_CONVERTED_LIST = 3,
    PARQUET_CONVERTED_ENUM = 4,
    PARQUET_CONVERTED_DECIMAL = 5,
    PARQUET_CONVERTED_DATE = 6,
    PARQUET_CONVERTED_TIME_MILLIS = 7,
    PARQUET_CONVERTED_TIME_MICROS = 8,
    PARQUET_CONVERTED_TIMESTAMP_MILLIS = 9,
    PARQUET_CONVERTED_TIMESTAMP_MICROS = 10,
    PARQUET_CONVERTED_UINT_8 = 11,
    PARQUET_CONVERTED_UINT_16 = 12,
    PARQUET_CONVERTED_UINT_32 = 13,
    PARQUET_CONVERTED_UINT_64 = 14,
    PARQUET_CONVERTED_INT_8 = 15,
    PARQUET_CONVERTED_INT_16 = 16,
    PARQUET_CONVERTED_INT_32 = 17,
    PARQUET_CONVERTED_INT_64 = 18,
    PARQUET_CONVERTED_JSON = 19,
    PARQUET_CONVERTED_BSON = 20,
    PARQUET_CONVERTED_INTERVAL = 21,
};

/* The field id of the member of the union LogicalType. */
enum parquet_logical_kind {
    PARQUET_LOGICAL_NONE = 0,
    PARQUET_LOGICAL_STRING = 1,
    PARQUET_LOGICAL_MAP = 2,
    PARQUET_LOGICAL_LIST = 3,
    PARQUET_LOGICAL_ENUM = 4,
    PARQUET_LOGICAL_DECIMAL = 5,
    PARQUET_LOGICAL_DATE = 6,
    PARQUET_LOGICAL_TIME = 7,
    PARQUET_LOGICAL_TIMESTAMP = 8,
    PARQUET_LOGICAL_INTEGER = 10,
    PARQUET_LOGICAL_UNKNOWN = 11,
    PARQUET_LOGICAL_JSON = 12,
    PARQUET_LOGICAL_BSON = 13,
    PARQUET_LOGICAL_UUID = 14,
    PARQUET_LOGICAL_FLOAT16 = 15,
};

/* The field id of the member of the union TimeUnit. */
enum parquet_time_unit {
    PARQUET_UNIT_MILLIS = 1,
    PARQUET_UNIT_MICROS = 2,
    PARQUET_UNIT_NANOS = 3,
};

struct parquet_logical_type {
    enum parquet_logical_kind kind;
    bool utc;                    /* TIME, TIMESTAMP: isAdjustedToUTC */
    enum parquet_time_unit unit; /* TIME, TIMESTAMP */
    int8_t bit_width;            /* INTEGER */
    bool is_signed;              /* INTEGER */
    int32_t scale, precision;    /* DECIMAL */
};

struct parquet_schema_element {
    bool has_type; /* false: a group, the root for instance */
    enum parquet_type type;
    int32_t type_length; /* of FIXED_LEN_BYTE_ARRAY, else 0 = absent */
    bool has_repetition;
    enum parquet_repetition repetition;
    struct slice name;
    int32_t num_children; /* 0 = absent */
    enum parquet_converted_type converted_type;
    int32_t scale, precision; /* of ConvertedType DECIMAL */
    int32_t field_id;         /* 0 = absent */
    struct parquet_logical_type logical;
};

/* Whether a bound is a value of the column or only not narrower than the values. */
enum parquet_exactness {
    PARQUET_EXACT_UNSTATED = 0,
    PARQUET_EXACT_NO,
    PARQUET_EXACT_YES,
};

/* The deprecated min and max (fields 1 and 2) are never written and never believed. Bounds are
 * PLAIN without length prefix. */
struct parquet_statistics {
    bool has_null_count;
    int64_t null_count;
    bool has_max;
    struct slice max;
    bool has_min;
    struct slice min;
    enum parquet_exactness max_exact;
    enum parquet_exactness min_exact;
};

struct parquet_encoding_stats {
    enum parquet_page_type page_type;
    enum parquet_encoding encoding;
    int32_t count;
};

/* ColumnMetaData with the fields of ColumnChunk around it. Offsets count from byte 0 of the file,
 * and 0 is absent: the file begins with its magic. Totals include page headers and the dictionary
 * page. */
struct parquet_column_chunk {
    int64_t file_offset; /* deprecated: written as 0 */
    enum parquet_type type;
    const enum parquet_encoding *encodings;
    uint32_t encodings_count;
    const struct slice *path; /* path_in_schema */
    uint32_t path_count;
    enum parquet_compression codec;
    int64_t num_values; /* nulls included */
    int64_t total_uncompressed_size;
    int64_t total_compressed_size;
    int64_t data_page_offset;
    int64_t dictionary_page_offset;
    bool has_statistics;
    struct parquet_statistics statistics;
    const struct parquet_encoding_stats *encoding_stats;
    uint32_t encoding_stats_count;
    int64_t bloom_filter_offset; /* read, never written */
    bool has_size_statistics;
    int64_t unencoded_byte_array_data_bytes;
    int64_t offset_index_offset;
    int32_t offset_index_length;
    int64_t column_index_offset;
    int32_t column_index_length;
};

struct parquet_sorting_column {
    int32_t column_idx; /* number of the leaf */
    bool descending;
    bool nulls_first;
};

struct parquet_row_group {
    const struct parquet_column_chunk *columns;
    uint32_t columns_count;
    int64_t total_byte_size; /* sum of total_uncompressed_size */
    int64_t num_rows;
    const struct parquet_sorting_column *sorting_columns;
    uint32_t sorting_columns_count;
    bool has_file_offset;
    int64_t file_offset; /* of the first page, the dictionary page if there is one */
    bool has_total_compressed_size;
    int64_t total_compressed_size;
    bool has_ordinal;
    int16_t ordinal;
};

struct parquet_key_value {
    struct slice key;
    bool has_value;
    struct slice value;
};

struct parquet_file_metadata {
    int32_t version;
    const struct parquet_schema_element *schema; /* depth first, the root is number 0 */
    uint32_t schema_count;
    int64_t num_rows;
    const struct parquet_row_group *row_groups;
    uint32_t row_groups_count;
    const struct parquet_key_value *key_values;
    uint32_t key_values_count;
    bool has_created_by;
    struct slice created_by;
    uint32_t column_orders_count; /* all TYPE_ORDER; one a leaf, or 0 = absent */
    const uint8_t *column_orders; /* as read: the field id of each, 1 is TYPE_ORDER */
};

/* PageHeader with the header of its type in it. */
struct parquet_page_header {
    enum parquet_page_type type;
    int32_t uncompressed_page_size;
    int32_t compressed_page_size; /* the bytes that follow the header */
    bool has_crc;
    uint32_t crc;       /* CRC-32 of the bytes that follow the header; an i32 on the wire */
    int32_t num_values; /* nulls included; of a dictionary page: its entries */
    enum parquet_encoding encoding;
    enum parquet_encoding definition_level_encoding; /* DATA */
    enum parquet_encoding repetition_level_encoding; /* DATA */
    /* DATA_V2; varve reads it and never writes it */
    int32_t num_nulls;
    int32_t num_rows;
    int32_t definition_levels_byte_length;
    int32_t repetition_levels_byte_length;
    bool is_compressed;
    bool is_sorted; /* DICTIONARY */
};

struct parquet_page_location {
    int64_t offset;
    int32_t compressed_page_size; /* header included, unlike in the page header */
    int64_t first_row_index;      /* in the row group */
};

struct parquet_offset_index {
    const struct parquet_page_location *page_locations;
    uint32_t count;
    const int64_t *unencoded_byte_array_data_bytes; /* `count` of them, or NULL = absent */
};

/* One element a data page in each array. */
struct parquet_column_index {
    uint32_t count;
    const bool *null_pages;
    const struct slice *min_values; /* empty for null pages */
    const struct slice *max_values;
    enum parquet_boundary_order boundary_order;
    const int64_t *null_counts; /* NULL = absent */
};

#endif
