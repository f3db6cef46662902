/* SPDX-License-Identifier: MIT */
#include "parquet/read/metadata.h"

#include "parquet/read/thrift.h"

static void read_data(struct thrift_reader *r, struct thrift_field *field,
                      struct parquet_page_header *h)
{
    struct thrift_field f = {0};
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 1:
            h->num_values = thrift_read_natural(r, &f);
            break;
        case 2:
            h->encoding = (enum parquet_encoding)thrift_read_natural(r, &f);
            break;
        case 3:
            h->definition_level_encoding = (enum parquet_encoding)thrift_read_natural(r, &f);
            break;
        case 4:
            h->repetition_level_encoding = (enum parquet_encoding)thrift_read_natural(r, &f);
            break;
        default:
            thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f, THRIFT_FIELDS(1, 4));
}

static void read_dictionary(struct thrift_reader *r, struct thrift_field *field,
                            struct parquet_page_header *h)
{
    struct thrift_field f = {0};
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &f)) {
        if (f.id == 1)
            h->num_values = thrift_read_natural(r, &f);
        else if (f.id == 2)
            h->encoding = (enum parquet_encoding)thrift_read_natural(r, &f);
        else if (f.id == 3)
            h->is_sorted = thrift_read_bool(r, &f);
        else
            thrift_read_skip(r, &f);
    }
    thrift_read_require(r, &f, THRIFT_FIELDS(1, 2));
}

static void read_data_v2(struct thrift_reader *r, struct thrift_field *field,
                         struct parquet_page_header *h)
{
    struct thrift_field f = {0};
    h->is_compressed = true;
    if (!thrift_read_struct(r, field))
        return;
    while (thrift_read_next(r, &f)) {
        switch (f.id) {
        case 1:
            h->num_values = thrift_read_natural(r, &f);
            break;
        case 2:
            h->num_nulls = thrift_read_natural(r, &f);
            break;
        case 3:
            h->num_rows = thrift_read_natural(r, &f);
            break;
        case 4:
            h->encoding = (enum parquet_encoding)thrift_read_natural(r, &f);
            break;
        case 5:
            h->definition_levels_byte_length = thrift_read_natural(r, &f);
            break;
        case 6:
            h->repetition_levels_byte_length = thrift_read_natural(r, &f);
            break;
        case 7:
            if (thrift_read_is(r, &f, THRIFT_TRUE))
                h->is_compressed = thrift_read_bool(r, &f);
            break;
        default:
            thrift_read_skip(r, &f);
        }
    }
    thrift_read_require(r, &f, THRIFT_FIELDS(1, 6));
}

int parquet_page_header_read(struct slice bytes, struct parquet_page_header *header, size_t *used,
                             struct err *err)
{
    struct thrift_reader r = {.bytes = bytes};
    struct thrift_field f = {0};
    /* A header of another type must not fill the fields that they share. */
    struct parquet_page_header data = {0}, dictionary = {0}, data_v2 = {0}, h = {0};
    while (thrift_read_next(&r, &f)) {
        switch (f.id) {
        case 1:
            h.type = (enum parquet_page_type)thrift_read_natural(&r, &f);
            break;
        case 2:
            h.uncompressed_page_size = thrift_read_natural(&r, &f);
            break;
        case 3:
            h.compressed_page_size = thrift_read_natural(&r, &f);
            break;
        case 4:
            h.has_crc = thrift_read_is(&r, &f, THRIFT_I32);
            if (h.has_crc)
                h.crc = (uint32_t)thrift_read_i32(&r, &f);
            break;
        case 5:
            read_data(&r, &f, &data);
            break;
        case 7:
            read_dictionary(&r, &f, &dictionary);
            break;
        case 8:
            read_data_v2(&r, &f, &data_v2);
            break;
        default:
            thrift_read_skip(&r, &f);
        }
    }
    thrift_read_require(&r, &f, THRIFT_FIELDS(1, 3));
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
