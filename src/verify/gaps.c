/* SPDX-License-Identifier: MIT */
#include "verify/gaps.h"

#include <inttypes.h>

/* How they are told: findings have a kind of their own, notes are notes. */
static const struct {
    const char *kind;
    bool finding;
    const char *text;
} reasons[GAP_REASONS] = {
    [GAP_UNKNOWN] = {"gap", true, "are missing"},
    [GAP_LOST] = {"lost", true, "are in the stream, and in no file here"},
    [GAP_SETTLED] = {"settled", false, "hold no rows: deleted, expired, or of other subjects"},
    [GAP_REMOVED] = {"removed", false,
                     "had rows, which somebody has taken out of the table since (RESTORE, DELETE, "
                     "or a removed partition)"},
    [GAP_EXPIRED] = {"expired", false, "were expired by retention"},
    [GAP_DEAD_LETTER] = {"dead_letter", false, "went to the dead letter stream"},
    [GAP_CARRIED] = {"carried", false, "were stored before the stream was set back"},
    [GAP_DELETED] = {"deleted", false, "are not in the stream any more"},
    [GAP_MARKER] = {"marker", false, "are markers that the server wrote, and no events"},
    [GAP_FOREIGN] = {"other_subject", false, "are of other subjects"},
};

static void say(struct gaps *g, enum gap_reason reason, const char *text)
{
    if (reasons[reason].finding)
        report_found(g->report, reasons[reason].kind, "%.*s: %s", (int)g->generation.len,
                     (const char *)g->generation.data, text);
    else
        report_note(g->report, reasons[reason].kind, "%.*s: %s", (int)g->generation.len,
                    (const char *)g->generation.data, text);
}

/* The open range is complete. */
static void tell(struct gaps *g)
{
    struct buf text = {0};
    bool ignored = g->reason == GAP_UNKNOWN && g->allow_unknown;
    if (!g->open || ignored)
        return;
    g->counts[g->reason].sequences += g->last - g->first + 1;
    if (g->counts[g->reason].ranges++ >= REPORT_EACH_MAX)
        return;
    buf_printf(&text, "%" PRIu64 "-%" PRIu64 " %s", g->first, g->last, reasons[g->reason].text);
    if (g->subject.len > 0)
        buf_printf(&text, ", the first of %s", buf_text(&g->subject));
    say(g, g->reason, buf_text(&text));
    buf_free(&text);
}

static void extend(struct gaps *g, uint64_t first, uint64_t last, enum gap_reason reason,
                   struct slice subject)
{
    if (g->open && g->reason == reason && first - g->last == 1) {
        g->last = last;
        return;
    }
    tell(g);
    g->open = true;
    g->reason = reason;
    g->first = first;
    g->last = last;
    buf_reset(&g->subject);
    if (reason == GAP_FOREIGN)
        buf_append_slice(&g->subject, subject);
}

uint64_t gaps_begin(struct gaps *g, struct slice generation)
{
    struct slice stream, created;
    g->generation = generation;
    g->claim = claims_find(g->claims, generation);
    g->open = g->behind = false;
    for (int i = 0; i < GAP_REASONS; i++)
        g->counts[i].ranges = g->counts[i].sequences = 0;
    claims_key_split(generation, &stream, &created);
    if (g->server != NULL)
        verify_server_begin(g->server, stream, created, g->claim, g->report);
    return g->server != NULL ? g->server->first : 0;
}

/* True if `at` is in the set. *last is brought down to where that changes. */
static bool within(const struct seqset *set, uint64_t at, uint64_t *last)
{
    const struct seqrange *range = seqset_find(set, at);
    if (range == NULL)
        return false;
    uint64_t end = range->first <= at ? range->last : range->first - 1;
    *last = end < *last ? end : *last;
    return range->first <= at;
}

/* Judge as many sequences from `first` on as are gone for one reason; returns the last of them. */
static uint64_t judge(struct gaps *g, uint64_t first, uint64_t last)
{
    static const struct claim none;
    const struct claim *claim = g->claim != NULL ? g->claim : &none;
    enum verify_answer answer = VERIFY_UNANSWERED;
    enum gap_reason reason = GAP_UNKNOWN;
    struct slice subject = {0};
    if (within(&claim->dead_letters, first, &last)) {
        extend(g, first, last, GAP_DEAD_LETTER, subject);
        return last;
    }
    if (within(&claim->expired, first, &last)) {
        extend(g, first, last, GAP_EXPIRED, subject);
        return last;
    }
    if (g->carried != NULL && within(g->carried, first, &last)) {
        extend(g, first, last, GAP_CARRIED, subject);
        return last;
    }
    if (within(&claim->settled, first, &last) || (g->behind && first <= claim->acked))
        reason = GAP_SETTLED;
    if (within(&claim->rows, first, &last))
        reason = GAP_REMOVED;
    if (g->server != NULL)
        answer = verify_server_ask(g->server, first, &last, &subject);
    switch (answer) {
    case VERIFY_UNANSWERED:
        break;
    case VERIFY_DELETED:
        reason = GAP_DELETED;
        break;
    case VERIFY_FOREIGN:
        reason = GAP_FOREIGN;
        break;
    case VERIFY_MARKER:
        reason = GAP_MARKER;
        break;
    case VERIFY_OURS:
        reason = GAP_LOST;
        break;
    }
    extend(g, first, last, reason, subject);
    return last;
}

void gaps_add(struct gaps *g, uint64_t first, uint64_t last)
{
    uint64_t done = judge(g, first, last);
    while (done < last)
        done = judge(g, done + 1, last);
}

void gaps_end(struct gaps *g, uint64_t last)
{
    struct seqset due = {0}; /* what must be somewhere */
    g->behind = true;
    if (g->claim != NULL)
        seqset_add_all(&due, &g->claim->settled);
    if (g->server != NULL && g->server->comparable && g->claim != NULL && g->claim->acked > last)
        seqset_add_range(&due, last + 1, g->claim->acked);
    for (size_t i = 0; i < due.count; i++) {
        const struct seqrange *range = &due.list[i];
        if (range->last > last)
            gaps_add(g, range->first > last ? range->first : last + 1, range->last);
    }
    seqset_free(&due);
    tell(g);
    for (int i = 0; i < GAP_REASONS; i++) {
        struct buf text = {0};
        if (g->counts[i].ranges <= REPORT_EACH_MAX)
            continue;
        buf_printf(&text, "%" PRIu64 " more ranges %s; %" PRIu64 " sequences in all",
                   g->counts[i].ranges - REPORT_EACH_MAX, reasons[i].text, g->counts[i].sequences);
        report_total(g->report, reasons[i].kind, !reasons[i].finding, "%.*s: %s",
                     (int)g->generation.len, (const char *)g->generation.data, buf_text(&text));
        buf_free(&text);
    }
}

void gaps_free(struct gaps *g)
{
    buf_free(&g->subject);
}
