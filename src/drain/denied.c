/* SPDX-License-Identifier: MIT */
#include "drain/denied.h"

#include <string.h>

#include "nats/random.h"

/* The token of an inbox or of a consumer that was made by chance: "varve_" and 22 characters, or
 * these alone. */
static bool is_made_by_chance(struct slice token)
{
    if (token.len < NATS_TOKEN_LEN)
        return false;
    size_t before = token.len - NATS_TOKEN_LEN;
    if (before > 0 && token.data[before - 1] != '_')
        return false;
    for (size_t i = before; i < token.len; i++) {
        uint8_t c = token.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

/* What a permission would have to name: for acks all of a consumer, for inboxes all. */
static void generalize(struct slice subject, struct buf *out)
{
    const unsigned names = 4, inbox = 1; /* $JS.ACK.stream.consumer.>, _INBOX.> */
    unsigned keep = slice_starts_with(subject, "$JS.ACK.")  ? names
                    : slice_starts_with(subject, "_INBOX.") ? inbox
                                                            : UINT32_MAX;
    for (unsigned i = 0; subject.len > 0; i++) {
        const uint8_t *dot = memchr(subject.data, '.', subject.len);
        size_t len = dot != NULL ? (size_t)(dot - subject.data) : subject.len;
        struct slice token = {subject.data, len};
        if (i > 0)
            buf_append_byte(out, '.');
        if (i == keep) {
            buf_append_byte(out, '>');
            return;
        }
        for (size_t j = 0; j < len && !is_made_by_chance(token); j++)
            buf_append_byte(out, token.data[j] > ' ' && token.data[j] < 0x7F ? token.data[j] : '?');
        if (is_made_by_chance(token))
            buf_append_byte(out, '*');
        len += dot != NULL;
        subject.data += len;
        subject.len -= len;
    }
}

/* The entry of this subject, or the one to be used for it. */
static struct denied_subject *find(struct denied *d, const char *text, bool subscribe)
{
    struct denied_subject *oldest = &d->list[0];
    for (int i = 0; i < DENIED_MAX; i++) {
        struct denied_subject *s = &d->list[i];
        if (strcmp(s->text, text) == 0 && s->subscribe == subscribe)
            return s;
        if (oldest->text[0] != '\0' && (s->text[0] == '\0' || s->told < oldest->told))
            oldest = s;
    }
    return oldest;
}

void denied_note(struct denied *d, const struct nats_server_error *error, int64_t now)
{
    bool subscribe = error->kind == NATS_ERROR_SUBSCRIBE_PERMISSION;
    if (!subscribe && error->kind != NATS_ERROR_PUBLISH_PERMISSION)
        return;
    struct buf text = {0};
    generalize(error->subject, &text);
    if (text.len > DENIED_SUBJECT_MAX)
        text.len = DENIED_SUBJECT_MAX;
    struct denied_subject *s = find(d, buf_text(&text), subscribe);
    memcpy(s->text, buf_text(&text), text.len + 1);
    s->subscribe = subscribe;
    s->told = now;
    buf_free(&text);
}

void denied_append(const struct denied *d, int64_t now, struct buf *out)
{
    for (int i = 0; i < DENIED_MAX; i++) {
        const struct denied_subject *s = &d->list[i];
        if (s->text[0] != '\0' && now - s->told < DENIED_STANDS)
            buf_printf(out,
                       DENIED_SENTENCE "%s %s: give it the permissions that "
                                       "varve check --permissions prints\n",
                       s->subscribe ? "subscribe to" : "publish to", s->text);
    }
}
