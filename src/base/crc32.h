/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_CRC32_H
#define VARVE_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The CRC-32 of gzip, zlib and Parquet pages (polynomial 0xEDB88320, reflected). `crc` is 0 or the
 * result over the bytes before. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t len);

/* The same without what only some processors have. For tests: crc32_update takes it by itself. */
uint32_t crc32_update_portable(uint32_t crc, const void *data, size_t len);

#endif
