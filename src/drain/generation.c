/* SPDX-License-Identifier: MIT */
#include "drain/generation.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/time.h"

void generation_init(struct generation *g, const struct config_source *settings,
                     const struct positions *stored)
{
    *g = (struct generation){.settings = settings, .stored = stored};
}

void generation_free(struct generation *g)
{
    ledger_free(&g->ledger);
    positions_free(&g->left);
    buf_free(&g->former);
    buf_free(&g->created);
    buf_free(&g->next);
}

/* True if `generation` is that of a stream created at `created`: set back since, or not. */
static bool is_generation_of(struct slice generation, struct slice created)
{
    return generation.len >= created.len &&
           memcmp(generation.data, created.data, created.len) == 0 &&
           (generation.len == created.len || generation.data[created.len] == '~');
}

static const struct position *find(const struct generation *g, const char *created)
{
    const struct config_source *s = g->settings;
    const struct position *p = positions_find(&g->left, s->stream, created, s->consumer);
    return p != NULL ? p : positions_find(g->stored, s->stream, created, s->consumer);
}

/* What of `seen` the ledger does not say. */
static uint64_t seen_beyond(const struct generation *g)
{
    return g->seen > ledger_taken_position(&g->ledger) ? g->seen : 0;
}

static void note_saved(struct generation *g)
{
    g->saved_size = ledger_count_sealed(&g->ledger);
    g->saved_seen = seen_beyond(g);
}

static uint64_t looked_through(const struct generation *g)
{
    uint64_t position = ledger_taken_position(&g->ledger);
    return position > g->seen ? position : g->seen;
}

/* What is settled may have been dropped by the stream before it was delivered, so that no message
 * tells when it was stored. Where that is all that the stream had, its own word does. */
static void note_end(struct generation *g)
{
    if (g->end_seq > g->newest_seq && g->end_time > 0 && g->end_seq + 1 >= g->start &&
        g->end_seq <= looked_through(g))
        generation_note(g, g->end_seq, g->end_time);
}

/* Of a position that was loaded: a message that was delivered and not settled may have gone with a
 * crash of the server, and says nothing. */
static void drop_open_marks(struct generation *g)
{
    uint64_t settled = looked_through(g);
    if (settled < g->newest_seq)
        settled = g->newest_seq;
    while (g->marks.count > 0 && g->marks.list[g->marks.count - 1].sequence > settled)
        g->marks.count--;
    if (g->marks.count == 0 || g->marks.list[g->marks.count - 1].sequence <= g->newest_seq)
        return;
    g->newest_seq = g->marks.list[g->marks.count - 1].sequence;
    g->newest_time = g->marks.list[g->marks.count - 1].time;
}

/* Returns how many of these were not known yet. */
static uint64_t add_stored(struct generation *g, const struct seqset *rows)
{
    uint64_t before = ledger_count_sealed(&g->ledger);
    ledger_nothing_in(&g->ledger, rows);
    window_add_all(&g->ledger.window, rows);
    return ledger_count_sealed(&g->ledger) - before;
}

/* What the store has is durable, whoever stored it: positions without a consumer say that. */
static void load(struct generation *g)
{
    const char *created = buf_text(&g->created);
    const struct position *p = find(g, created);
    const struct position *known = positions_find(g->stored, g->settings->stream, created, "");
    static const struct seqset nothing;
    ledger_reset(&g->ledger);
    g->of_others = 0;
    g->newest_seq = g->sealed_seq = 0;
    g->newest_time = g->sealed_time = 0;
    g->start = g->delivered = g->seen = g->end_seq = g->lag_seq = 0;
    g->start_saved = p != NULL || known != NULL;
    g->unsaved = g->was_set_back = g->in_doubt = false;
    g->skew = GENERATION_SKEW;
    g->marks.count = 0;
    if (p != NULL) {
        g->newest_seq = g->sealed_seq = p->last_seq;
        g->newest_time = g->sealed_time = p->last_time;
        g->start = p->start;
        g->delivered = p->delivered;
        g->seen = p->seen;
        g->marks = p->marks;
    }
    if (p != NULL || known != NULL)
        ledger_load(&g->ledger, p == NULL ? 0 : p->through, p == NULL ? &nothing : &p->above);
    if (known != NULL)
        g->of_others = add_stored(g, &known->above);
    drop_open_marks(g);
    note_saved(g);
}

/* The name without the mark of a set-back. */
static struct slice base_of(struct slice name)
{
    const uint8_t *mark = name.len == 0 ? NULL : memchr(name.data, '~', name.len);
    if (mark != NULL)
        name.len = (size_t)(mark - name.data);
    return name;
}

/* So that a stream that comes back finds what was drained of it. */
static void remember(struct generation *g)
{
    struct position p;
    struct seqset nothing = {0};
    generation_seal(g, &nothing, 0, 0, &p);
    p.stream = g->settings->stream;
    p.consumer = g->settings->consumer;
    p.created = buf_text(&g->created);
    positions_put(&g->left, &p);
    seqset_free(&p.above);
}

static void leave(struct generation *g, struct slice created, bool set_back)
{
    buf_reset(&g->next);
    buf_append_slice(&g->next, created);
    if (set_back) {
        char time[TIME_TEXT_MAX];
        time_format(clock_wall(), 3, time);
        buf_append_byte(&g->next, '~');
        buf_append_text(&g->next, time);
    }
    struct log_line line;
    log_begin(&line, LOG_WARNING, "stream_recreated");
    log_text(&line, "stream", g->settings->stream);
    log_text(&line, "text",
             set_back ? "the stream was set back to an older state; its sequences start over"
                      : "the stream was deleted and created again; its sequences start over");
    log_bytes(&line, "created", g->next.data, g->next.len);
    log_end(&line);
}

bool generation_is_left(const struct generation *g)
{
    return g->next.len > 0;
}

void generation_adopt(struct generation *g)
{
    struct slice base = base_of(buf_slice(&g->next));
    bool set_back = g->next.len > base.len && is_generation_of(buf_slice(&g->created), base);
    remember(g);
    buf_reset(&g->former);
    buf_append_slice(&g->former, buf_slice(&g->created));
    buf_reset(&g->created);
    buf_append_slice(&g->created, buf_slice(&g->next));
    buf_reset(&g->next);
    load(g);
    g->later = true;
    g->was_set_back = set_back;
}

bool generation_doubts(struct generation *g, uint64_t sequence, int64_t time)
{
    note_end(g);
    if (sequence > g->newest_seq || time <= g->newest_time || time - g->newest_time <= g->skew)
        return false;
    g->in_doubt = true;
    return true;
}

bool generation_lacks_newest(struct generation *g)
{
    if (!g->in_doubt)
        return true;
    leave(g, base_of(buf_slice(&g->created)), true);
    return false;
}

void generation_begin_below(struct generation *g, uint64_t first_seq)
{
    bool any = g->skew > INT64_MAX - (g->newest_time > 0 ? g->newest_time : 0);
    struct position below = {.last_seq = g->newest_seq - 1,
                             .last_time = any ? INT64_MAX : g->newest_time + g->skew};
    cut_begin(&g->cut, &below, first_seq > 0 ? first_seq - 1 : 0, below.last_seq);
}

void generation_begin_cut(struct generation *g, uint64_t last_seq)
{
    static const struct position nothing;
    const struct position *known = find(g, buf_text(&g->former));
    cut_begin(&g->cut, known == NULL ? &nothing : known, 0, last_seq);
}

void generation_take_cut(struct generation *g)
{
    static const struct position nothing;
    const struct position *known = find(g, buf_text(&g->former));
    struct position p;
    cut_take(&g->cut, known == NULL ? &nothing : known, &p);
    ledger_load(&g->ledger, p.through, &p.above);
    g->newest_seq = g->sealed_seq = p.last_seq;
    g->newest_time = g->sealed_time = p.last_time;
    g->start = p.start;
    g->start_saved = g->unsaved = true;
    g->was_set_back = false;
    g->marks = p.marks;
    seqset_free(&p.above);
}

/* The first answer in this process: which generation of the stream are we draining? */
static void choose_first(struct generation *g, struct slice created)
{
    const struct position *newest =
        positions_newest(g->stored, g->settings->stream, g->settings->consumer);
    if (newest == NULL)
        newest = positions_newest(g->stored, g->settings->stream, "");
    bool known = newest != NULL && is_generation_of(slice_of(newest->created), created);
    if (newest != NULL && !known)
        leave(g, created, false);
    buf_reset(&g->created);
    buf_append_slice(&g->created, known ? slice_of(newest->created) : created);
    load(g);
}

struct generation_known generation_known_now(const struct generation *g)
{
    return (struct generation_known){g->newest_seq, looked_through(g)};
}

/* The end that the stream has at least, as we know it. What lies before a configured start is
 * settled, and need not be there yet. */
static uint64_t known_end(const struct generation *g, struct generation_known asked)
{
    uint64_t newest = num_least_u64(g->newest_seq, asked.newest_seq);
    uint64_t settled = num_least_u64(looked_through(g), asked.settled);
    return settled > newest && settled >= g->start ? settled : newest;
}

/* What it lags behind stays the same while messages come: it reaches that, or does not. */
static bool lags(struct generation *g, const struct nats_stream_info *info, uint64_t end,
                 int64_t now)
{
    if (info->replicas <= 1)
        return false;
    if (g->lag_seq == 0 || info->last_seq >= g->lag_seq) {
        g->lag_seq = end;
        g->lag_since = now;
    }
    return now - g->lag_since < GENERATION_LAG;
}

enum generation_verdict generation_judge(struct generation *g, const struct nats_stream_info *info,
                                         struct generation_known asked, int64_t now)
{
    if (generation_is_left(g))
        return GENERATION_LEFT;
    if (g->created.len == 0) {
        choose_first(g, info->created);
        asked = generation_known_now(g); /* of which nothing was delivered yet */
    } else if (!is_generation_of(buf_slice(&g->created), info->created)) {
        leave(g, info->created, false);
    }
    uint64_t end = known_end(g, asked);
    if (!generation_is_left(g) && info->last_seq < end) {
        if (lags(g, info, end, now))
            return GENERATION_LAGS;
        leave(g, info->created, true);
    }
    if (generation_is_left(g))
        return GENERATION_LEFT;
    g->lag_seq = 0;
    g->end_seq = info->last_seq;
    g->end_time = info->last_ns;
    note_end(g);
    return GENERATION_FITS;
}

bool generation_has_newest(struct generation *g, int64_t time)
{
    if (time != g->newest_time) {
        leave(g, base_of(buf_slice(&g->created)), true);
        return false;
    }
    if (g->in_doubt)
        g->skew = INT64_MAX; /* it is the clocks: the stream is what we know */
    g->in_doubt = false;
    return true;
}

void generation_anchor(struct generation *g, uint64_t start)
{
    ledger_nothing_at(&g->ledger, 0, start > 0 ? start - 1 : 0);
    g->start = start;
    g->unsaved = true;
}

bool generation_starts_by_time(const struct generation *g)
{
    return g->start == 0 && !g->later && g->settings->start.kind == CONFIG_START_TIME;
}

void generation_note(struct generation *g, uint64_t sequence, int64_t time)
{
    if (sequence <= g->newest_seq)
        return;
    position_marks_add(&g->marks, sequence, time);
    g->newest_seq = sequence;
    g->newest_time = time;
}

bool generation_may_have_lost(const struct generation *g, uint64_t first_seq)
{
    return g->newest_seq > 0 && first_seq > looked_through(g) + 1 && !generation_starts_by_time(g);
}

uint64_t generation_count_lost(struct generation *g, uint64_t first_seq, uint64_t told,
                               struct seqrange *missing)
{
    uint64_t through = looked_through(g) > told ? looked_through(g) : told;
    if (!generation_may_have_lost(g, first_seq) || through >= first_seq)
        return 0;
    struct seqrange gone = {through + 1, first_seq - 1};
    uint64_t lost = ledger_missing(&g->ledger, gone, missing);
    ledger_nothing_at(&g->ledger, gone.first, gone.last);
    g->unsaved = g->unsaved || lost > 0;
    return lost;
}

/* What was received and is in no epoch yet, such as a dead letter that waits for its confirmation,
 * is lost with this process: a consumer that has it as acked has to be asked for it again. */
static uint64_t settled_deliveries(const struct generation *g)
{
    uint64_t open = ledger_count_taken(&g->ledger) - ledger_count_sealed(&g->ledger);
    return g->delivered > open ? g->delivered - open : 0;
}

bool generation_has_grown(const struct generation *g)
{
    /* 0 is no sequence of a message: it stands for the beginning. */
    uint64_t least = g->saved_size > 0 ? g->saved_size : 1;
    return g->unsaved || ledger_count_sealed(&g->ledger) > least || seen_beyond(g) > g->saved_seen;
}

uint64_t generation_stored(struct generation *g, const struct seqset *rows)
{
    uint64_t news = add_stored(g, rows);
    g->saved_size += news;
    return news;
}

void generation_seal(struct generation *g, const struct seqset *rows, uint64_t last_seq,
                     int64_t last_time, struct position *out)
{
    struct ledger *l = &g->ledger;
    ledger_seal(l, rows);
    note_end(g);
    if (last_seq > g->sealed_seq) {
        g->sealed_seq = last_seq;
        g->sealed_time = last_time;
    }
    g->unsaved = false;
    note_saved(g);
    *out = (struct position){
        .seen = seen_beyond(g),
        .start = g->start,
        .last_seq = g->sealed_seq,
        .last_time = g->sealed_time,
        .delivered = settled_deliveries(g),
        .marks = g->marks,
    };
    if (seqset_contains(&l->sealed, 0))
        out->through = seqset_contiguous_end(&l->sealed, 0);
    seqset_add_all(&out->above, &l->sealed);
    seqset_remove_through(&out->above, out->through);
}
