/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

#include "parquet/read/thrift.h"

#define REQUIRED(id, value, member) THRIFT_REQUIRED(id, value, struct parquet_page_header, member)
#define OPTIONAL(id, value, member) THRIFT_OPTIONAL(id, value, struct parquet_page_header, member)

static const struct thrift_member PAGE[] = {
    REQUIRED(1, NATURAL, type),
    REQUIRED(2, NATURAL, uncompressed_page_size),
    REQUIRED(3, NATURAL, compressed_page_size),
    THRIFT_PRESENT(4, I32, struct parquet_page_header, crc, has_crc),
};

static const struct thrift_member DATA[] = {
    REQUIRED(1, NATURAL, num_values),
    REQUIRED(2, NATURAL, encoding),
    REQUIRED(3, NATURAL, definition_level_encoding),
    REQUIRED(4, NATURAL, repetition_level_encoding),
};

static const struct thrift_member DICTIONARY[] = {
    REQUIRED(1, NATURAL, num_values),
    REQUIRED(2, NATURAL, encoding),
    OPTIONAL(3, BOOL, is_sorted),
};

static const struct thrift_member DATA_V2[] = {
    REQUIRED(1, NATURAL, num_values),
    REQUIRED(2, NATURAL, num_nulls),
    REQUIRED(3, NATURAL, num_rows),
    REQUIRED(4, NATURAL, encoding),
    REQUIRED(5, NATURAL, definition_levels_byte_length),
    REQUIRED(6, NATURAL, repetition_levels_byte_length),
    OPTIONAL(7, BOOL, is_compressed),
};

static void read_header(struct thrift_reader *r, struct thrift_field *field,
                        struct thrift_members members, struct parquet_page_header *h)
{
    if (thrift_read_struct(r, field))
        thrift_read_members(r, members, h);
}

int parquet_page_header_read(struct slice bytes, struct parquet_page_header *header, size_t *used,
                             struct err *err)
{
    struct thrift_reader r = {.bytes = bytes};
    struct thrift_field f = {0};
    /* A header of another type must not fill the fields that they share. */
    struct parquet_page_header data = {0}, dictionary = {0}, h = {0};
    struct parquet_page_header data_v2 = {.is_compressed = true};
    while (thrift_read_next(&r, &f)) {
        if (f.id == 5)
            read_header(&r, &f, THRIFT_MEMBERS(DATA), &data);
        else if (f.id == 7)
            read_header(&r, &f, THRIFT_MEMBERS(DICTIONARY), &dictionary);
        else if (f.id == 8)
            read_header(&r, &f, THRIFT_MEMBERS(DATA_V2), &data_v2);
        else if (!thrift_read_member(&r, &f, THRIFT_MEMBERS(PAGE), &h))
            thrift_read_skip(&r, &f);
    }
    thrift_read_require(&r, &f, thrift_required(THRIFT_MEMBERS(PAGE)));
    *header = h.type == PARQUET_PAGE_DATA_V2      ? data_v2
              : h.type == PARQUET_PAGE_DICTIONARY ? dictionary
                                                  : data;
    header->type = h.type;
    header->uncompressed_page_size = h.uncompressed_page_size;
    header->compressed_page_size = h.compressed_page_size;
    header->has_crc = h.has_crc;
    header->crc = h.crc;
    switch (h.type) {
    case PARQUET_PAGE_DATA:
        thrift_read_require(&r, &f, THRIFT_FIELD(5));
        break;
    case PARQUET_PAGE_DICTIONARY:
        thrift_read_require(&r, &f, THRIFT_FIELD(7));
        break;
    case PARQUET_PAGE_DATA_V2:
        thrift_read_require(&r, &f, THRIFT_FIELD(8));
        break;
    case PARQUET_PAGE_INDEX:
        break;
    }
    *used = r.at;
    return thrift_read_finish(&r, "page header", false, err);
}
