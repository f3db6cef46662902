/* SPDX-License-Identifier: MIT */
#include "nats/consumer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/time.h"

/* Add one difference to the sentence. A long list is cut, the counts are not. */
__attribute__((format(printf, 3, 4))) static void add(struct nats_consumer_diff *diff, bool fixed,
                                                      const char *format, ...)
{
    size_t len = strlen(diff->text);
    char what[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    snprintf(diff->text + len, sizeof(diff->text) - len, "%s%s%s", len > 0 ? "; " : "", what,
             fixed ? " (fixed)" : "");
    diff->count++;
    diff->fixed += fixed;
}

static void compare_number(struct nats_consumer_diff *diff, bool fixed, const char *key,
                           int64_t found, int64_t wanted)
{
    if (wanted != 0 && found != wanted)
        add(diff, fixed, "%s is %" PRId64 ", want %" PRId64, key, found, wanted);
}

static void compare_duration(struct nats_consumer_diff *diff, const char *key, int64_t found,
                             int64_t wanted)
{
    char is[NUM_SIZE_TEXT_MAX], want[NUM_SIZE_TEXT_MAX];
    if (wanted == 0 || found == wanted)
        return;
    num_format_duration(found, is);
    num_format_duration(wanted, want);
    add(diff, false, "%s is %s, want %s", key, is, want);
}

static void compare_start(struct nats_consumer_diff *diff, const struct nats_consumer_config *found,
                          const struct nats_consumer_config *wanted)
{
    if (found->deliver != wanted->deliver) {
        add(diff, true, "deliver_policy is %s, want %s", nats_deliver_name(found->deliver),
            nats_deliver_name(wanted->deliver));
        return;
    }
    if (wanted->deliver == NATS_DELIVER_BY_START_SEQUENCE && found->start_seq != wanted->start_seq)
        add(diff, true, "opt_start_seq is %" PRIu64 ", want %" PRIu64, found->start_seq,
            wanted->start_seq);
    if (wanted->deliver == NATS_DELIVER_BY_START_TIME &&
        found->start_time_ns != wanted->start_time_ns) {
        char is[TIME_TEXT_MAX], want[TIME_TEXT_MAX];
        time_format(found->start_time_ns, 9, is);
        time_format(wanted->start_time_ns, 9, want);
        add(diff, true, "opt_start_time is %s, want %s", is, want);
    }
}

static bool has_filter(const struct nats_consumer_config *c, struct slice filter)
{
    for (size_t i = 0; i < c->filter_count; i++)
        if (slice_equal(c->filters[i], filter))
            return true;
    return false;
}

/* The same set, in any order. */
static bool same_filters(const struct nats_consumer_config *a, const struct nats_consumer_config *b)
{
    for (size_t i = 0; i < a->filter_count; i++)
        if (!has_filter(b, a->filters[i]))
            return false;
    for (size_t i = 0; i < b->filter_count; i++)
        if (!has_filter(a, b->filters[i]))
            return false;
    return true;
}

static void format_filters(const struct nats_consumer_config *c, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "%s", c->filter_count == 0 ? "everything" : "");
    for (size_t i = 0; i < c->filter_count && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%.*s", i > 0 ? " " : "",
                                (int)c->filters[i].len, (const char *)c->filters[i].data);
}

static void compare_filters(struct nats_consumer_diff *diff,
                            const struct nats_consumer_config *found,
                            const struct nats_consumer_config *wanted)
{
    if (same_filters(found, wanted))
        return;
    char is[160], want[160];
    format_filters(found, is, sizeof(is));
    format_filters(wanted, want, sizeof(want));
    add(diff, false, "it filters %s, want %s", is, want);
    diff->filters_ignored = found->filter_count == 0 && wanted->filter_count > 1;
}

void nats_consumer_compare(const struct nats_consumer_config *wanted,
                           const struct nats_consumer_config *found,
                           struct nats_consumer_diff *diff)
{
    *diff = (struct nats_consumer_diff){0};
    if (found->deliver_subject.len > 0)
        add(diff, true, "it is a push consumer, want a pull consumer");
    if (found->ack != wanted->ack)
        add(diff, true, "ack_policy is %s, want %s", nats_ack_policy_name(found->ack),
            nats_ack_policy_name(wanted->ack));
    compare_start(diff, found, wanted);
    compare_filters(diff, found, wanted);
    if (found->headers_only)
        add(diff, false, "it delivers headers only, want payloads");
    if (found->grouped)
        add(diff, false, "it has priority_groups, want none");
    compare_duration(diff, "ack_wait", found->ack_wait_ns, wanted->ack_wait_ns);
    compare_number(diff, false, "max_ack_pending", found->max_ack_pending, wanted->max_ack_pending);
    compare_number(diff, false, "max_deliver", found->max_deliver, wanted->max_deliver);
    compare_number(diff, true, "max_waiting", found->max_waiting, wanted->max_waiting);
    compare_number(diff, false, "max_batch", found->max_batch, wanted->max_batch);
    compare_duration(diff, "max_expires", found->max_expires_ns, wanted->max_expires_ns);
    compare_number(diff, false, "max_bytes", found->max_bytes, wanted->max_bytes);
    compare_duration(diff, "inactive_threshold", found->inactive_threshold_ns,
                     wanted->inactive_threshold_ns);
    compare_number(diff, false, "num_replicas", found->replicas, wanted->replicas);
    if (wanted->memory && !found->memory)
        add(diff, true, "it is stored in files, want memory");
}
