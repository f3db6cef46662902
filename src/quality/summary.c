/* SPDX-License-Identifier: MIT */
#include "quality/quality.h"

#include <string.h>

#include "base/clock.h"
#include "base/crc32.h"
#include "base/utf8.h"

static uint32_t add_text(uint32_t crc, const char *text)
{
    return crc32_update(crc, text, strlen(text) + 1);
}

static uint32_t add_list(uint32_t crc, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        crc = add_text(crc, list->items[i]);
    return add_text(crc, ""); /* no item is empty */
}

static uint32_t sum_of_rules(const struct config *config)
{
    static const char *const formats[] = {[CONFIG_FORMAT_PROTOBUF] = "protobuf",
                                          [CONFIG_FORMAT_JSON] = "json",
                                          [CONFIG_FORMAT_FLATBUFFERS] = "flatbuffers"};
    uint32_t crc = add_list(0, &config->quality.required);
    crc = add_list(crc, &config->quality.event_types);
    crc = add_list(crc, &config->quality.content_types);
    for (size_t i = 0; i < config->payload_count; i++) {
        const struct config_payload *p = &config->payloads[i];
        crc = add_text(crc, p->event_type);
        crc = add_text(crc, formats[p->format]);
        crc = add_text(crc, p->descriptor_set);
        crc = add_text(crc, p->message);
        crc = add_list(crc, &p->columns);
    }
    struct buf limits = {0};
    buf_append_u64le(&limits, (uint64_t)config->quality.max_skew);
    buf_append_u64le(&limits, (uint64_t)config->quality.max_silence);
    crc = crc32_update(crc, limits.data, limits.len);
    buf_free(&limits);
    return crc == 0 ? 1 : crc;
}

bool quality_follow_rules(struct quality *q)
{
    uint32_t rules = sum_of_rules(q->config);
    bool others = q->rows > 0 && q->rules != rules;
    q->rules = rules;
    if (others)
        q->rules_changed = clock_wall();
    return others;
}

static bool alarms(const struct config_list *chosen, enum quality_finding finding)
{
    for (size_t i = 0; i < chosen->count; i++)
        if (strcmp(chosen->items[i], "any") == 0 ||
            strcmp(chosen->items[i], quality_finding_name(finding)) == 0)
            return true;
    return false;
}

/* Put it where it belongs among those that have the most, if it does. */
static void put_line(struct quality_summary *out, const struct quality_line *line)
{
    uint32_t at = out->lines;
    while (at > 0 && out->line[at - 1].found < line->found)
        at--;
    if (at == QUALITY_LINES)
        return;
    uint32_t moved = (out->lines < QUALITY_LINES ? out->lines : QUALITY_LINES - 1) - at;
    memmove(&out->line[at + 1], &out->line[at], moved * sizeof(*line));
    out->line[at] = *line;
    out->lines += out->lines < QUALITY_LINES;
}

static void sum_up(const struct quality *q, const uint32_t *order, uint32_t count,
                   struct quality_summary *out)
{
    struct quality_count all[QUALITY_FINDINGS] = {{0}};
    struct quality_line line = {.found = 0};
    for (uint32_t i = 0; i < count; i++) {
        const struct quality_group *g = &q->groups.list[order[i]];
        line.events += g->rows;
        for (int f = 0; f < QUALITY_FINDINGS; f++) {
            if (g->findings[f].rows == 0)
                continue;
            if (all[f].rows == 0 || g->findings[f].first < all[f].first)
                all[f].first = g->findings[f].first;
            all[f].rows += g->findings[f].rows;
        }
    }
    for (int f = 0; f < QUALITY_FINDINGS; f++) {
        line.found += all[f].rows;
        out->findings[f] += all[f].rows;
        if (alarms(&q->config->quality.alerts, (enum quality_finding)f))
            out->alarms += all[f].rows;
        if (all[f].rows > line.count.rows) {
            line.count = all[f];
            line.most = (enum quality_finding)f;
        }
    }
    struct slice name = map_key(&q->simulations, q->groups.list[order[0]].simulation);
    memcpy(line.simulation, name.data, utf8_prefix(name, sizeof(line.simulation) - 1));
    out->events += line.events;
    out->found += line.found;
    out->bad += line.found > 0;
    put_line(out, &line);
}

void quality_summarize(const struct quality *q, struct quality_summary *out)
{
    uint32_t *order = quality_order(q), groups = (uint32_t)q->groups.count;
    *out = (struct quality_summary){0};
    for (uint32_t at = 0, count; at < groups; at += count) {
        count = quality_together(q, order + at, groups - at);
        sum_up(q, order + at, count, out);
        out->simulations++;
    }
    quality_order_free(q, order);
}
