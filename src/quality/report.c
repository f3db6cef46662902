/* SPDX-License-Identifier: MIT */
#include "quality/quality.h"

#include <stdlib.h>

#include "base/time.h"

static const struct {
    const char *name, *text;
} findings[QUALITY_FINDINGS] = {
    [QUALITY_DUPLICATE] = {"duplicate_ids", "with an event_id that was published before"},
    [QUALITY_BACKWARDS] = {"backwards", "earlier than the event before of their worker"},
    [QUALITY_BAD_TIME] = {"bad_times", "with a timestamp that is none, or is in the future"},
    [QUALITY_SKEW] = {"skewed", "stored earlier or later than quality.max_skew"},
    [QUALITY_SILENCE] = {"silences", "after a silence longer than quality.max_silence"},
    [QUALITY_EMPTY] = {"empty_fields", "with an empty field of quality.required"},
    [QUALITY_TYPE] = {"unlisted_types", "of a type that quality.event_types does not list"},
    [QUALITY_CONTENT] = {"unlisted_content_types",
                         "of a content type that quality.content_types does not list"},
    [QUALITY_PAYLOAD] = {"bad_payloads", "with a payload that does not decode"},
};

const char *quality_finding_name(enum quality_finding finding)
{
    return findings[finding].name;
}

const char *quality_finding_text(enum quality_finding finding)
{
    return findings[finding].text;
}

uint64_t quality_findings(const struct quality_group *g)
{
    uint64_t rows = 0;
    for (int i = 0; i < QUALITY_FINDINGS; i++)
        rows += g->findings[i].rows;
    return rows;
}

struct place {
    struct slice simulation, type;
    uint32_t number;
};

static int by_name(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = slice_compare(x->simulation, y->simulation);
    return order != 0 ? order : slice_compare(x->type, y->type);
}

uint32_t *quality_order(const struct quality *q)
{
    size_t count = q->groups.count;
    uint32_t *order = account_alloc(NULL, count + 1, sizeof(*order));
    struct place *places = account_alloc(NULL, count + 1, sizeof(*places));
    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){map_key(&q->simulations, q->groups.list[i].simulation),
                                   map_key(&q->type_map, q->groups.list[i].type), (uint32_t)i};
    qsort(places, count, sizeof(*places), by_name);
    for (size_t i = 0; i < count; i++)
        order[i] = places[i].number;
    account_free(NULL, places, (count + 1) * sizeof(*places));
    return order;
}

void quality_order_free(const struct quality *q, uint32_t *order)
{
    account_free(NULL, order, (q->groups.count + 1) * sizeof(*order));
}

uint32_t quality_together(const struct quality *q, const uint32_t *order, uint32_t left)
{
    uint32_t count = 1;
    while (count < left &&
           q->groups.list[order[count]].simulation == q->groups.list[order[0]].simulation)
        count++;
    return count;
}

static void put_time(struct json_writer *w, const char *name, int64_t ns)
{
    char text[TIME_TEXT_MAX];
    time_format(ns, 9, text);
    json_put_text(w, name, text);
}

static void put_quantiles(struct json_writer *w, const char *name, const struct sketch *s)
{
    json_open_object(w, name);
    json_put_i64(w, "min", s->min);
    json_put_i64(w, "p01", sketch_quantile(s, 1));
    json_put_i64(w, "p50", sketch_quantile(s, 50));
    json_put_i64(w, "p90", sketch_quantile(s, 90));
    json_put_i64(w, "p99", sketch_quantile(s, 99));
    json_put_i64(w, "max", s->max);
    json_close_object(w);
}

static void put_group(const struct quality *q, struct json_writer *w, const struct quality_group *g)
{
    json_open_object(w, NULL);
    json_put_slice(w, "event_type_key", map_key(&q->type_map, g->type));
    json_put_u64(w, "events", g->rows);
    json_put_u64(w, "payload_bytes", g->bytes);
    if (g->has_time) {
        put_time(w, "first_timestamp", g->first_time);
        put_time(w, "last_timestamp", g->last_time);
        put_quantiles(w, "skew_ns", &g->skew);
    }
    put_time(w, "first_stored", g->first_stored);
    put_time(w, "last_stored", g->last_stored);
    put_quantiles(w, "payload_size", &g->size);
    json_put_i64(w, "longest_silence_ns", g->silence_max);
    if (g->silence_max > 0)
        put_time(w, "longest_silence_until", g->silence_end);
    json_put_i64(w, "farthest_backwards_ns", g->backwards_max);
    json_open_object(w, "empty");
    for (int i = 0; i < QUALITY_COLUMNS; i++)
        if (g->empty[i] > 0)
            json_put_u64(w, quality_columns[i], g->empty[i]);
    json_close_object(w);
    json_open_object(w, "findings");
    for (int i = 0; i < QUALITY_FINDINGS; i++) {
        if (g->findings[i].rows == 0)
            continue;
        json_open_object(w, findings[i].name);
        json_put_u64(w, "events", g->findings[i].rows);
        json_put_u64(w, "first_sequence", g->findings[i].first);
        json_close_object(w);
    }
    json_close_object(w);
    json_close_object(w);
}

void quality_put_json(const struct quality *q, struct json_writer *w, const uint32_t *order,
                      uint32_t count)
{
    uint32_t simulation = q->groups.list[order[0]].simulation;
    uint64_t rows = 0, found = 0;
    for (uint32_t i = 0; i < count; i++) {
        rows += q->groups.list[order[i]].rows;
        found += quality_findings(&q->groups.list[order[i]]);
    }
    json_open_object(w, NULL);
    json_put_slice(w, "simulation_id", map_key(&q->simulations, simulation));
    json_put_u64(w, "events", rows);
    json_put_u64(w, "workers", q->simulation_list.list[simulation].workers);
    json_put_u64(w, "findings", found);
    if (q->rules_changed != 0)
        put_time(w, "rules_changed", q->rules_changed);
    json_open_array(w, "event_types");
    for (uint32_t i = 0; i < count; i++)
        put_group(q, w, &q->groups.list[order[i]]);
    json_close_array(w);
    json_close_object(w);
}
