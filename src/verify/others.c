/* SPDX-License-Identifier: MIT */
#include "verify/others.h"

#include <inttypes.h>

#include "delta/object_file.h"

void verify_others_judge(const struct verify_table *t)
{
    uint64_t version, told = 0;
    for (size_t i = 0; i < t->snapshot.files.count; i++) {
        const struct delta_file *file = t->snapshot.files.list[i];
        struct buf name = {0};
        struct err err = {0};
        if (file != NULL && delta_object_name(&name, file->path, &err) != 0 &&
            told++ < REPORT_EACH_MAX)
            report_found(t->report, "log", "%s", err.text);
        buf_free(&name);
    }
    if (told > REPORT_EACH_MAX)
        report_total(t->report, "log", false, "%" PRIu64 " more files are elsewhere",
                     told - REPORT_EACH_MAX);
    if (delta_hint_misleads(t->store, &version))
        report_found(t->report, "log", DELTA_HINT_MISLEADS, version);
}

void verify_others_cut(const struct verify_table *t, const char *relative, struct seqset *rows)
{
    struct seqset beyond = {0}, kept = {0};
    const struct delta_file *file = verify_table_live(t, relative);
    const struct delta_generation *g =
        t->snapshot.generation_list.count == 1 ? &t->snapshot.generation_list.list[0] : NULL;
    if (file == NULL || g == NULL || delta_file_last(file, g) == UINT64_MAX)
        return;
    seqset_add_new(&beyond, rows, &g->rows, g->through);
    if (beyond.count > 0) {
        report_note(t->report, "others",
                    "another engine has put %" PRIu64 " rows into it with sequences from %" PRIu64
                    " on, which varve had not reached: they are none of stream %s",
                    seqset_size(&beyond), beyond.list[0].first, g->stream);
        seqset_add_new(&kept, rows, &beyond, 0);
        seqset_free(rows);
        *rows = kept;
    }
    seqset_free(&beyond);
}
