/* SPDX-License-Identifier: MIT */
#ifndef VARVE_VERIFY_SUBJECTS_H
#define VARVE_VERIFY_SUBJECTS_H

#include "base/map.h"
#include "parquet/codec.h"
#include "parquet/read/file.h"

/* Add the subjects of the rows of a file of varve to `subjects`, which stays below
 * VERIFY_SUBJECTS_MAX + 2: so one can see that there are more. A file without them adds none. */
void verify_subjects(const struct parquet_file *file, struct parquet_codec *codec,
                     struct map *subjects);

#endif
