/* SPDX-License-Identifier: MIT */
#ifndef VARVE_PARQUET_READ_PAGE_HEADER_H
#define VARVE_PARQUET_READ_PAGE_HEADER_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "parquet/format.h"

/*
 * PageHeader (parquet.thrift) at the start of `bytes`, which may be hostile; *used is its length.
 * ERR_FORMAT unless it is well formed, has the header of its page type in it (an INDEX page needs
 * none), and all counts and sizes are not negative.
 */
int parquet_page_header_read(struct slice bytes, struct parquet_page_header *header, size_t *used,
                             struct err *err) __attribute__((warn_unused_result));

#endif
