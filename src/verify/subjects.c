/* SPDX-License-Identifier: MIT */
#include "verify/rows.h"

#include "nats/subject.h"
#include "parquet/read/rows.h"
#include "verify/server.h"

void verify_subjects(const struct parquet_file *file, struct parquet_codec *codec,
                     struct map *subjects)
{
    int64_t leaf = parquet_file_leaf(file, slice_of("nats_subject"));
    struct slice subject;
    struct err err = {0};
    if (leaf < 0 || file->leaves[leaf].type.type != PARQUET_TYPE_BYTE_ARRAY)
        return;
    uint32_t column = (uint32_t)leaf;
    struct parquet_rows *rows = parquet_rows_new(file, &column, 1, codec);
    while (subjects->count <= VERIFY_SUBJECTS_MAX && parquet_rows_next(rows, &subject, &err) == 1) {
        bool added;
        if (subject.data != NULL && nats_subject_valid(subject, false))
            (void)map_put(subjects, subject, &added);
    }
    parquet_rows_free(rows);
}
