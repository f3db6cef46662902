/* SPDX-License-Identifier: MIT */
#include "check/check.h"
#include "drain/api_client.h"
#include "nats/subject.h"

/* Of 256 consumers each: more than a work queue has, and a server whose list never ends is not
 * asked for ever. */
enum { CONSUMER_PAGES_MAX = 16 };

/* A consumer without a filter takes everything. */
static struct slice filter_at(const struct nats_consumer_config *c, size_t i)
{
    return c->filter_count > 0 ? c->filters[i] : slice_of(">");
}

/* The first filter that takes some of the subject; false if there is none. */
static bool find_overlap(const struct nats_consumer_config *c, struct slice subject,
                         struct slice *found)
{
    for (size_t i = 0; i < c->filter_count || i == 0; i++) {
        *found = filter_at(c, i);
        if (nats_subject_overlaps(*found, subject))
            return true;
    }
    return false;
}

void check_overlap(struct check_report *r, const struct config_source *source,
                   const struct nats_consumer_info *other)
{
    struct slice filter;
    if (slice_is(other->name, source->consumer))
        return;
    for (size_t i = 0; i < source->subjects.count; i++) {
        const char *subject = source->subjects.items[i];
        if (!find_overlap(&other->config, slice_of(subject), &filter))
            continue;
        check_say(r, CHECK_PROBLEM,
                  "stream %s is a work queue, with one consumer for each subject, and its consumer "
                  "%.*s takes %.*s: consumer %s can't take %s as well; delete the other consumer, "
                  "or let one of them take other subjects",
                  source->stream, (int)other->name.len, (const char *)other->name.data,
                  (int)filter.len, (const char *)filter.data, source->consumer, subject);
        return;
    }
}

static bool takes_all(const struct nats_consumer_info *info, const struct config_source *source)
{
    const struct nats_consumer_config *c = &info->config;
    for (size_t i = 0; i < source->subjects.count && c->filter_count > 0; i++) {
        bool found = false;
        for (size_t j = 0; j < c->filter_count && !found; j++)
            found = slice_is(c->filters[j], source->subjects.items[i]);
        if (!found)
            return false;
    }
    return true;
}

/* Judge a page of the list, and move the offset behind it. False at the end of the list, and if
 * there is no page: then with err. */
static bool check_page(struct check_report *r, struct api_client *a,
                       const struct config_source *source, uint64_t *offset, struct err *err)
{
    struct arena arena = {0};
    struct buf body = {0};
    struct nats_consumer_page page = {0};
    struct nats_api_error error;
    struct slice reply;
    nats_consumer_list_body(&body, *offset);
    if (api_client_api(a, "CONSUMER.LIST", source->stream, NULL, buf_slice(&body), &reply, err) ==
            0 &&
        nats_consumer_page_parse(reply, &arena, &page, &error, err) == 0)
        for (size_t i = 0; i < page.count; i++)
            check_overlap(r, source, &page.consumers[i]);
    *offset += page.count;
    bool more = page.count > 0 && *offset < page.total;
    arena_free(&arena);
    buf_free(&body);
    return more && !err_is_set(err);
}

void check_overlaps(struct check_report *r, struct api_client *a,
                    const struct config_source *source, const struct nats_stream_info *stream,
                    const struct nats_consumer_info *info)
{
    struct err err = {0};
    uint64_t offset = 0;
    bool more = true;
    if (stream->retention != NATS_RETENTION_WORKQUEUE || (info != NULL && takes_all(info, source)))
        return;
    for (int i = 0; i < CONSUMER_PAGES_MAX && more; i++)
        more = check_page(r, a, source, &offset, &err);
    if (err_is_set(&err))
        check_say(r, CHECK_WARNING,
                  "can't tell whether other consumers of stream %s, a work queue, take the same "
                  "subjects: %s",
                  source->stream, err.text);
    else if (more)
        check_say(r, CHECK_WARNING,
                  "stream %s, a work queue, has more consumers than varve check looks at: one of "
                  "them may take the same subjects",
                  source->stream);
}
