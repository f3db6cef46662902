/* SPDX-License-Identifier: MIT */
#include "drain/widened.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "nats/subject.h"

static struct slice take_word(struct slice *line)
{
    const uint8_t *end = line->len > 0 ? memchr(line->data, ' ', line->len) : NULL;
    struct slice word = {line->data, end != NULL ? (size_t)(end - line->data) : line->len};
    size_t taken = word.len + (end != NULL);
    *line = (struct slice){line->data + taken, line->len - taken};
    return word;
}

/* Whether a filter takes all that another one takes. A wildcard is a token like any other to the
 * comparison, but that `>` may be many. */
static bool takes(struct slice filter, struct slice subject)
{
    bool many = slice_equal(nats_subject_last_token(subject), slice_of(">"));
    if (many && !slice_equal(nats_subject_last_token(filter), slice_of(">")))
        return false;
    return slice_equal(filter, subject) || nats_subject_matches(filter, subject);
}

uint64_t widened_after(struct slice noted, const struct config_source *source, const char *subject,
                       uint64_t through)
{
    uint64_t after = 0;
    bool known = false;
    struct slice line;
    while (slice_take_line(&noted, &line)) {
        uint64_t since = 0;
        if (!slice_is(take_word(&line), source->stream) ||
            !slice_is(take_word(&line), source->consumer))
            continue;
        struct slice filter = take_word(&line);
        if (!num_parse_u64(line, &since))
            continue;
        if (!takes(filter, slice_of(subject))) {
            after = known ? after : through;
            continue;
        }
        after = known && after < since ? after : since;
        known = true;
    }
    return after;
}

void widened_note(struct buf *out, const struct config_source *source, const char *subject,
                  uint64_t after)
{
    buf_printf(out, "%s %s %s %" PRIu64 "\n", source->stream, source->consumer, subject, after);
}
