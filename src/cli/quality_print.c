/* SPDX-License-Identifier: MIT */
#include "cli/quality_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/time.h"
#include "cli/inspect.h"

/* Simulations, and their event types, that are printed in full; JSON has all. */
enum { SHOWN_MAX = 20 };

/* Of one simulation, which are so many of the groups in order. */
struct part {
    const uint32_t *order;
    uint32_t count;
    uint64_t rows, found;
    int64_t first, last;
};

static struct part part_at(const struct quality *q, const uint32_t *order, uint32_t left)
{
    struct part p = {.order = order, .count = quality_together(q, order, left), .first = INT64_MAX};
    for (uint32_t i = 0; i < p.count; i++) {
        const struct quality_group *g = &q->groups.list[order[i]];
        p.rows += g->rows;
        p.found += quality_findings(g);
        p.first = g->first_stored < p.first ? g->first_stored : p.first;
        p.last = g->last_stored > p.last ? g->last_stored : p.last;
    }
    return p;
}

static void cell_count(struct table *t, uint64_t count)
{
    char text[NUM_COUNT_TEXT_MAX];
    num_format_count(count, text);
    table_number(t, "%s", text);
}

static void cell_size(struct table *t, int64_t bytes)
{
    char text[NUM_SIZE_TEXT_MAX];
    num_format_size((uint64_t)bytes, text);
    table_number(t, "%s", text);
}

/* A few digits of a duration. */
static void cell_duration(struct table *t, int64_t ns)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{86400e9, "d"}, {3600e9, "h"}, {60e9, "m"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
    double size = ns < 0 ? -(double)ns : (double)ns;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (size >= units[i].ns) {
            table_number(t, "%.3g %s", (double)ns / units[i].ns, units[i].name);
            return;
        }
    }
    table_number(t, "%" PRId64 "%s", ns, ns == 0 ? "" : " ns");
}

static void cell_rate(struct table *t, uint64_t rows, int64_t first, int64_t last)
{
    if (last > first)
        table_number(t, "%.4g", (double)(rows - 1) / ((double)(last - first) / 1e9));
    else
        table_number(t, "-");
}

static void print_groups(const struct quality *q, const struct part *p)
{
    static const char *const heads[] = {"event type", "events",         "per s",    "size p50",
                                        "size p99",   "size max",       "skew p01", "skew p50",
                                        "skew p99",   "longest silence"};
    struct table t = {0};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        table_text(&t, heads[i]);
    table_end_row(&t);
    for (uint32_t i = 0; i < p->count && i < SHOWN_MAX; i++) {
        const struct quality_group *g = &q->groups.list[p->order[i]];
        table_cell(&t, map_key(&q->type_map, g->type));
        cell_count(&t, g->rows);
        cell_rate(&t, g->rows, g->first_stored, g->last_stored);
        cell_size(&t, sketch_quantile(&g->size, 50));
        cell_size(&t, sketch_quantile(&g->size, 99));
        cell_size(&t, g->size.max);
        cell_duration(&t, sketch_quantile(&g->skew, 1));
        cell_duration(&t, sketch_quantile(&g->skew, 50));
        cell_duration(&t, sketch_quantile(&g->skew, 99));
        cell_duration(&t, g->silence_max);
        table_end_row(&t);
    }
    table_print(&t, 2, stdout);
    if (p->count > SHOWN_MAX)
        (void)printf("  and %u more event types\n", p->count - SHOWN_MAX);
}

static void print_findings(const struct quality *q, const struct part *p)
{
    for (int f = 0; f < QUALITY_FINDINGS; f++) {
        struct quality_count all = {0};
        uint32_t type = 0, types = 0;
        for (uint32_t i = 0; i < p->count; i++) {
            const struct quality_group *g = &q->groups.list[p->order[i]];
            const struct quality_count *c = &g->findings[f];
            if (c->rows == 0)
                continue;
            types++;
            if (all.rows == 0 || c->first < all.first) {
                all.first = c->first;
                type = g->type;
            }
            all.rows += c->rows;
        }
        if (all.rows == 0)
            continue;
        struct table t = {0};
        char count[NUM_COUNT_TEXT_MAX];
        num_format_count(all.rows, count);
        struct buf line = {0};
        struct slice name = map_key(&q->type_map, type);
        buf_printf(&line, "! %s %s: the first is %" PRIu64 ", ", count,
                   quality_finding_text((enum quality_finding)f), all.first);
        buf_append_slice(&line, name);
        if (types > 1)
            buf_printf(&line, ", and %u more event type%s", types - 1, types == 2 ? "" : "s");
        table_cell(&t, buf_slice(&line));
        table_end_row(&t);
        table_print(&t, 2, stdout);
        buf_free(&line);
    }
}

static void print_simulation(const struct quality *q, const struct part *p)
{
    const struct quality_group *g = &q->groups.list[p->order[0]];
    struct slice id = map_key(&q->simulations, g->simulation);
    char first[TIME_TEXT_MAX], last[TIME_TEXT_MAX];
    struct table t = {0};
    time_format(p->first, 0, first);
    time_format(p->last, 0, last);
    table_cell(&t, id.len > 0 ? id : slice_of("(no simulation_id)"));
    cell_count(&t, p->rows);
    table_text(&t, "events of");
    cell_count(&t, q->simulation_list.list[g->simulation].workers);
    table_text(&t, "workers, stored");
    table_text(&t, first);
    table_text(&t, "to");
    table_text(&t, last);
    table_end_row(&t);
    (void)putchar('\n');
    table_print(&t, 0, stdout);
    print_groups(q, p);
    print_findings(q, p);
}

static void print_json(const struct quality *q, const struct part *p)
{
    struct buf out = {0};
    struct json_writer w = {.out = &out};
    quality_put_json(q, &w, p->order, p->count);
    buf_append_byte(&out, '\n');
    (void)fwrite(out.data, 1, out.len, stdout); /* looked at in the end */
    buf_free(&out);
}

uint64_t quality_print(const struct quality *q, const char *path, bool json)
{
    uint32_t *order = quality_order(q), groups = (uint32_t)q->groups.count;
    uint32_t simulations = 0, bad = 0, shown = 0;
    uint64_t found = 0;
    char rows[NUM_COUNT_TEXT_MAX], findings[NUM_COUNT_TEXT_MAX];
    for (uint32_t at = 0; at < groups; simulations++) {
        struct part p = part_at(q, order + at, groups - at);
        at += p.count;
        found += p.found;
        bad += p.found > 0;
        if (json)
            print_json(q, &p);
    }
    num_format_count(q->rows, rows);
    num_format_count(found, findings);
    if (!json)
        (void)printf("%s: %s events of %u simulation%s; %s findings in %u of them\n", path, rows,
                     simulations, simulations == 1 ? "" : "s", findings, bad);
    /* Those with findings come first. */
    for (int round = 0; round < 2 && !json; round++) {
        for (uint32_t at = 0; at < groups && shown < SHOWN_MAX;) {
            struct part p = part_at(q, order + at, groups - at);
            at += p.count;
            if ((p.found > 0) != (round == 0))
                continue;
            print_simulation(q, &p);
            shown++;
        }
    }
    if (!json && simulations > shown)
        (void)printf("\nand %u more simulations: --json has all\n", simulations - shown);
    quality_order_free(q, order);
    return found;
}
