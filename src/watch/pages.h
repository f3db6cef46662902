/* SPDX-License-Identifier: MIT */
#ifndef VARVE_WATCH_PAGES_H
#define VARVE_WATCH_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

/*
 * The status is told once, as facts, tables and curves with an id each, and comes out in two forms:
 * as the body of a page, where each id is that of an element; or as the JSON object with which the
 * script of that page brings the elements up to date. All texts are escaped here, and cut at
 * STATUS_TEXT_MAX. Ids, labels and headings are literals.
 */
enum {
    STATUS_TEXT_MAX = 1024,
    STATUS_CURVE_POINTS = 60,
};

enum status_form { STATUS_PAGE, STATUS_JSON };

struct status_writer {
    struct buf *out;
    enum status_form form;
    struct json_writer json;
    bool row; /* one is open */
};

/* `good` is what colours the page; nothing is said by it alone. */
void status_begin(struct status_writer *w, struct buf *out, enum status_form form, bool good);
void status_end(struct status_writer *w);

/* Of the page only. */
void status_heading(struct status_writer *w, const char *text);
void status_facts_begin(struct status_writer *w);
void status_facts_end(struct status_writer *w);

void status_line(struct status_writer *w, const char *id, const char *text);
void status_fact(struct status_writer *w, const char *id, const char *label, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

/* A fact with a curve of what it was, oldest first, below the greatest value. The curve's id is
 * `id` and "-curve". */
struct status_curve {
    uint64_t values[STATUS_CURVE_POINTS];
    size_t count;
};
void status_curve_fact(struct status_writer *w, const char *id, const char *label,
                       const struct status_curve *curve, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* A table: begin, then for each row its cells, then end. `headings` end with a NULL. */
void status_table_begin(struct status_writer *w, const char *id, const char *const *headings);
void status_row(struct status_writer *w);
void status_cell(struct status_writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void status_table_end(struct status_writer *w);

/* What the HTTP endpoint answers with. */

struct watch;

/* Of what metrics_append writes: the text format that Prometheus reads. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Append all metrics. Labels are `stream` (as configured) and `reason` (one of ours), so their
 * number is bounded and nothing that an event says becomes one. At rest, for each stream:
 *
 *     received = rows_committed + dead_lettered + rows_deduplicated + pending
 */
void metrics_append(struct buf *out, const struct watch *w, int64_t now);

/* Append the whole status page, or the JSON that its script asks for. Neither a secret nor anything
 * that an event says is in it. */
void status_append(struct buf *out, const struct watch *w, enum status_form form, int64_t now);

/*
 * What of the page never changes (status_page.c). It asks for nothing but status.json, so it works
 * offline and behind any prefix; without script it loads itself again.
 */
extern const char status_page_head[]; /* all up to <body> */
extern const char status_page_tail[]; /* all behind the content */

/* The header field that allows the style and the script of the page, by their SHA-256, and nothing
 * else. tests/watch/test_page.py says what it has to be. */
extern const char status_page_policy[];

#endif
