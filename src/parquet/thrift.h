/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_THRIFT_H
#define VARVE_PARQUET_THRIFT_H

/* The types of the Thrift compact protocol as they stand in field and list headers. */
enum thrift_type {
    THRIFT_STOP = 0,
    THRIFT_TRUE = 1, /* in a field header; as a list element: a bool */
    THRIFT_FALSE = 2,
    THRIFT_I8 = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_SET = 10,
    THRIFT_MAP = 11,
    THRIFT_STRUCT = 12,
    THRIFT_UUID = 13,
};

#endif
