/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_UNIT_PIPELINE_FIXTURE_H
#define VARVE_TESTS_UNIT_PIPELINE_FIXTURE_H

#include <stdlib.h>

#include "pipeline/look.h"
#include "test.h"

/*
 * A pipeline in which nothing runs: no thread, no connection, no store. What look.c looks at is
 * there, and a test sets it as it likes. The sources are of the streams A and `stream`.
 */
struct fixture {
    struct pipeline *p;
    struct config config;
};

static inline void fixture_open(struct fixture *f, const char *stream)
{
    static const struct positions no_positions;
    static const uint64_t key[2] = {1, 2};
    struct err err = {0};
    struct buf set = {0};
    config_init(&f->config);
    buf_printf(&set, "sources[1].stream=%s", stream);
    EXPECT(config_set(&f->config, "sources[0].stream=A", &err) == 0);
    EXPECT(config_set(&f->config, buf_text(&set), &err) == 0);
    EXPECT(config_set(&f->config, "batching.max_age=10s", &err) == 0);
    EXPECT(config_finish(&f->config, &err) == 0);
    buf_free(&set);
    f->p = calloc(1, sizeof(*f->p));
    EXPECT(f->p != NULL);
    struct pipeline *p = f->p;
    p->config = &f->config;
    p->source_count = 2;
    p->sources = calloc(2, sizeof(*p->sources));
    EXPECT(p->sources != NULL);
    for (uint32_t i = 0; i < 2; i++) {
        source_init(&p->sources[i], p->config, i, &no_positions, false, key);
        p->sources[i].state = SOURCE_PULLING;
        p->sources[i].pull.slots[0].token = 1; /* live */
        p->sources[i].pull.open = true;
    }
    p->writer = store_writer_new(
        &(struct store_writer_options){
            .instance = "i", .parquet = parquet_options_default(), .stepped = true},
        &err);
    EXPECT(p->writer != NULL);
    epochs_init(&p->epochs, p->writer, &p->path, (struct epoch_limits){.age = 10 * CLOCK_SECOND}, 2,
                &p->account);
    acker_init(&p->acker, p->sources, 2);
    look_init(p);
    p->connection.state = CONNECTION_READY;
}

static inline void fixture_close(struct fixture *f)
{
    look_free(f->p);
    acker_free(&f->p->acker);
    epochs_free(&f->p->epochs);
    store_writer_free(f->p->writer);
    for (uint32_t i = 0; i < 2; i++)
        source_free(&f->p->sources[i]);
    free(f->p->sources);
    free(f->p);
    config_free(&f->config);
}

#endif
