/* SPDX-License-Identifier: MIT */
#include "store/route.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/writer.h"
#include "test.h"

enum { SIMULATIONS = 100, ROUNDS = 20 };

/* Of simulations that take turns, at the change of an hour, where its rows come in both. */
TEST(store_routes_know_a_hundred_simulations_at_once)
{
    static struct store_path path;
    static struct routes routes;
    struct err err = {0};
    EXPECT(store_path_parse(&path, "{simulation_id}/{YYYY-MM-DD}/{HH}/{first_seq}.parquet", &err) ==
           0);
    const struct store_kind kind = {.path = &path};
    const int64_t hour = 3600 * CLOCK_SECOND;
    uint32_t found = 0;
    for (uint32_t i = 0; i < 2 * SIMULATIONS * ROUNDS; i++) {
        uint32_t partition = i % (2 * SIMULATIONS);
        char name[32];
        (void)snprintf(name, sizeof(name), "simulation-%u", (unsigned)(partition / 2));
        const struct store_path_values values = {.simulation_id = slice_of(name),
                                                 .time = hour * (partition % 2 + 1)};
        int64_t known = routes_find(&routes, &kind, 0, &values);
        EXPECT(known < 0 || known == partition);
        if (known < 0)
            routes_add(&routes, &kind, 0, &values, partition);
        found += known >= 0;
        EXPECT(routes_find(&routes, &kind, 0, &values) == partition);
    }
    /* All but the first round, and those that share two places with others. */
    EXPECT(found > 2 * SIMULATIONS * ROUNDS * 3 / 4);
    routes_reset(&routes);
    EXPECT(routes_find(&routes, &kind, 0, &(struct store_path_values){.time = hour}) < 0);
    routes_free(&routes);
}
