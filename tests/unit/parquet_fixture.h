/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_PARQUET_FIXTURE_H
#define VARVE_TESTS_UNIT_PARQUET_FIXTURE_H

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/read/page.h"
#include "test.h"

/* Files made by hand after parquet.thrift; other readers agree on what is in them. */

/* Schema `v` INT64 REQUIRED, rows 1, -2, 3; uncompressed, CRC, exact statistics, column orders. */
#define GOLDEN_ROWS                                                                                \
    "5041523115001530153015e1ae92a90d1c150615001506150600000100000000000000feffffffffffffff030000" \
    "00"                                                                                           \
    "000000001502192c4806736368656d6115020015042500180176001606191c191c26001c15041925000619180176" \
    "15"                                                                                           \
    "001606165e165e26083c3600280803000000000000001808feffffffffffffff1111000000165e16062608165e14" \
    "00"                                                                                           \
    "002822"                                                                                       \
    "76617276652076657273696f6e20302e312e3020286275696c642061626331323329191c1c000000850000005041" \
    "5231"

/* The same schema without rows and row groups. */
#define GOLDEN_EMPTY                                                                               \
    "504152311502192c4806736368656d6115020015042500180176001600190c282276617276652076657273696f6e" \
    "20"                                                                                           \
    "302e312e3020286275696c642061626331323329191c1c0000004500000050415231"

enum {
    GOLDEN_ROWS_LEN = 192,
    GOLDEN_EMPTY_LEN = 81,
    GOLDEN_PAGE = 4,      /* offset of its page header */
    GOLDEN_BODY = 27,     /* and of its body */
    GOLDEN_BODY_END = 51, /* also where the footer begins */
};

/* A source over bytes in memory. */
static inline int fixture_read(void *context, uint64_t offset, void *data, size_t len,
                               struct err *err)
{
    const struct slice *bytes = context;
    if (offset > bytes->len || len > bytes->len - offset)
        return err_set(err, ERR_SYSTEM, "read beyond the end");
    if (len > 0)
        memcpy(data, bytes->data + offset, len);
    return 0;
}

static inline struct parquet_source fixture_source(struct slice *bytes)
{
    return (struct parquet_source){fixture_read, bytes, bytes->len};
}

static inline struct slice fixture_hex(const char *hex)
{
    struct slice s;
    s.data = test_hex(hex, &s.len);
    return s;
}

#endif
