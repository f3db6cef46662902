/* SPDX-License-Identifier: MIT */
#include "store/route.h"

#include "base/map.h"
#include "store/writer.h"

static uint32_t place_of(uint32_t source, const struct store_path_values *values)
{
    return (uint32_t)(map_hash(values->simulation_id) + source) & (ROUTES - 1);
}

int64_t routes_find(const struct routes *routes, const struct store_kind *kind, uint32_t source,
                    const struct store_path_values *values)
{
    const struct route *known = &routes->list[place_of(source, values)];
    bool same = known->kind == kind && known->source == source &&
                store_path_same(kind->path, &known->values, values);
    return same ? (int64_t)known->partition : -1;
}

void routes_add(struct routes *routes, const struct store_kind *kind, uint32_t source,
                const struct store_path_values *values, uint32_t partition)
{
    struct route *route = &routes->list[place_of(source, values)];
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
