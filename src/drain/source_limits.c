/* SPDX-License-Identifier: MIT */
#include "drain/source_step.h"

/* How much a source asks for. */

uint64_t source_target(const struct source *s)
{
    return s->pull_cap > 0 && s->pull_cap < s->pull_target ? s->pull_cap : s->pull_target;
}

/* The same server is back at once: it was not restarted, but has cut us off. */
void source_note_cut(struct source *s, uint64_t server, int64_t now)
{
    bool cut = s->cut_bytes > 0 && server == s->server;
    s->server = server;
    if (cut) {
        s->pull_cap = s->cut_bytes / 2 > SOURCE_CAP_MIN ? s->cut_bytes / 2 : SOURCE_CAP_MIN;
        s->cap_pause = s->cap_pause == 0                     ? SOURCE_CAP_PAUSE_MIN
                       : s->cap_pause < SOURCE_CAP_PAUSE_MAX ? 2 * s->cap_pause
                                                             : s->cap_pause;
        s->cap_at = now + s->cap_pause;
        struct log_line line;
        log_begin(&line, LOG_WARNING, "pull_cut");
        log_text(&line, "stream", s->settings->stream);
        log_text(&line, "text",
                 "the server closed the connection while events were on the way: perhaps its "
                 "max_pending is too small for them; asking for less");
        log_u64(&line, "bytes", s->pull_cap);
        log_end(&line);
    }
    s->cut_bytes = 0;
}

void source_raise_cap(struct source *s, int64_t now)
{
    if (s->pull_cap == 0 || now < s->cap_at)
        return;
    s->pull_cap = s->pull_cap < s->pull_target / 2 ? s->pull_cap * 2 : 0;
    s->cap_at = now + s->cap_pause;
}

void source_set_limits(struct source *s, uint64_t pull_bytes, uint64_t message_bytes,
                       uint64_t large_bytes)
{
    uint64_t most = NATS_PULL_TARGET_DEFAULT / s->config->source_count;
    s->pull_target = pull_bytes < most ? pull_bytes : most;
    nats_pull_set_message_max(&s->pull, message_bytes, large_bytes);
    nats_pull_set_message_max(&s->refetch.pull, message_bytes, large_bytes);
    s->refetch.target = s->pull_target / 2;
}

void source_limit_pull(struct source *s, uint64_t bytes, bool pause)
{
    bool again = s->refetch.state == REFETCH_PULLING;
    uint64_t target = source_target(s);
    uint64_t most = again ? target / 2 : target;
    s->was_paused = s->was_paused || pause;
    bytes = again ? bytes / 2 : bytes;
    if (bytes < SOURCE_PULL_MIN)
        bytes = SOURCE_PULL_MIN;
    nats_pull_pause(&s->pull, pause);
    nats_pull_set_target(&s->pull, bytes < most ? bytes : most);
    nats_pull_pause(&s->refetch.pull, pause);
    nats_pull_set_target(&s->refetch.pull, bytes < most ? bytes : most);
}

uint64_t source_oversize(const struct source *s)
{
    uint64_t large = nats_pull_large(&s->pull) + nats_pull_large(&s->refetch.pull);
    return s->pull.oversize + s->refetch.pull.oversize - large;
}

uint64_t source_large(const struct source *s)
{
    uint64_t large = nats_pull_large(&s->pull);
    return large > 0 ? large : nats_pull_large(&s->refetch.pull);
}

void source_allow_large(struct source *s, bool allowed, bool alone)
{
    bool again = nats_pull_large(&s->pull) == 0;
    nats_pull_allow_large(&s->pull, allowed && !again);
    nats_pull_allow_large(&s->refetch.pull, allowed && again);
    if (alone)
        nats_pull_pause(again ? &s->pull : &s->refetch.pull, true);
}

uint64_t source_on_the_way(const struct source *s)
{
    return nats_pull_outstanding(&s->pull) + nats_pull_outstanding(&s->refetch.pull);
}
