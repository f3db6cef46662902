/* SPDX-License-Identifier: MIT
 *
 * Where zstd ends a block: a file that versions before 1.5.7 have not. */
#include "zstd/lib/zstd.h"

#if ZSTD_VERSION_NUMBER >= 10507
#include "zstd/lib/compress/zstd_preSplit.c"
#endif
