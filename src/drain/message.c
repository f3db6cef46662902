/* SPDX-License-Identifier: MIT */
#include "drain/message.h"

#include "nats/header.h"
#include "nats/subject.h"

static bool is_configured(const struct config_source *settings, struct slice subject)
{
    for (size_t i = 0; i < settings->subjects.count; i++)
        if (nats_subject_matches(slice_of(settings->subjects.items[i]), subject))
            return true;
    return false;
}

/* A body was there, or none was meant to be. */
static enum message_kind classify_empty(struct slice block)
{
    struct nats_header header;
    struct slice reason;
    uint64_t size;
    if (!nats_header_parse(block, &header))
        return MESSAGE_EVENT;
    if (nats_header_get_u64(&header, "Nats-Msg-Size", &size) && size > 0)
        return MESSAGE_STRIPPED;
    return nats_header_get(&header, "Nats-Marker-Reason", &reason) ? MESSAGE_MARKER : MESSAGE_EVENT;
}

enum message_kind message_classify(const struct config_source *settings, bool any_subject,
                                   const struct nats_event *event)
{
    if (!any_subject && !is_configured(settings, event->subject))
        return MESSAGE_FOREIGN;
    if (event->payload.len > 0 || event->header.len == 0)
        return MESSAGE_EVENT;
    return classify_empty(event->header);
}
