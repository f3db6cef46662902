/* SPDX-License-Identifier: MIT */
#include "store/route.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/num.h"
#include "store/writer.h"

/* Where an hour changes, rows of a simulation come in both: these have places of their own. */
static uint32_t place_of(uint32_t source, const struct store_path_values *values)
{
    uint64_t hour = (uint64_t)num_floor_divide(values->time, 3600 * CLOCK_SECOND);
    return (uint32_t)(map_hash(values->simulation_id) + source + 2 * hour) & (ROUTES - 1);
}

int64_t routes_find(const struct routes *routes, const struct store_kind *kind, uint32_t source,
                    const struct store_path_values *values)
{
    uint32_t place = place_of(source, values);
    for (uint32_t i = 0; i < 2; i++) {
        const struct route *known = &routes->list[place ^ i];
        if (known->kind == kind && known->source == source &&
            store_path_same(kind->path, &known->values, values))
            return (int64_t)known->partition;
    }
    return -1;
}

void routes_add(struct routes *routes, const struct store_kind *kind, uint32_t source,
                const struct store_path_values *values, uint32_t partition)
{
    uint32_t place = place_of(source, values);
    if (routes->list[place].kind != NULL)
        place ^= 1; /* of two that are taken it is the turn of one that is not asked for first */
    struct route *route = &routes->list[place];
    if (values->simulation_id.len + values->event_type_key.len + values->worker_id.len >
        ROUTE_TEXT_MAX)
        return;
    struct buf text = route->text;
    buf_reset(&text);
    buf_append_slice(&text, values->simulation_id);
    buf_append_slice(&text, values->event_type_key);
    buf_append_slice(&text, values->worker_id);
    const uint8_t *at = text.data;
    *route = (struct route){
        .kind = kind, .source = source, .partition = partition, .values = *values, .text = text};
    route->values.simulation_id.data = at;
    route->values.event_type_key.data = at + values->simulation_id.len;
    route->values.worker_id.data = at + values->simulation_id.len + values->event_type_key.len;
}

void routes_reset(struct routes *routes)
{
    for (uint32_t i = 0; i < ROUTES; i++)
        routes->list[i].kind = NULL;
}

void routes_free(struct routes *routes)
{
    for (uint32_t i = 0; i < ROUTES; i++)
        buf_free(&routes->list[i].text);
    *routes = (struct routes){0};
}
