/* SPDX-License-Identifier: MIT */
/* What a server says in JSON: INFO, and the replies of the JetStream API. The first byte says which
 * of them the rest is taken for. */
#include "nats/api.h"
#include "nats/consumer.h"
#include "nats/info.h"
#include "nats/stream.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(uint8_t kind, struct slice json, struct arena *arena, struct err *err)
{
    struct nats_api_error error = {0};
    struct nats_info info = {0};
    struct nats_stream_info stream;
    struct nats_stored_message message;
    struct nats_consumer_info consumer;
    struct nats_consumer_page page;
    struct nats_pub_ack ack;
    int result;
    switch (kind % 6) {
    case 0:
        result = nats_info_parse(&info, json, err);
        ASSERT(info.url_count <= NATS_INFO_URLS_MAX);
        nats_info_free(&info);
        return result;
    case 1:
        return nats_stream_info_parse(json, arena, &stream, &error, err);
    case 2:
        return nats_stored_message_parse(json, arena, &message, &error, err);
    case 3:
        return nats_consumer_info_parse(json, arena, &consumer, &error, err);
    case 4:
        result = nats_consumer_page_parse(json, arena, &page, &error, err);
        ASSERT(result != 0 || page.count <= NATS_CONSUMER_PAGE_MAX);
        return result;
    default:
        return nats_pub_ack_parse(json, arena, &ack, &error, err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct err err = {0};
    if (size == 0)
        return 0;
    int result = parse(data[0], (struct slice){data + 1, size - 1}, &arena, &err);
    ASSERT((result == 0) != err_is_set(&err));
    arena_free(&arena);
    return 0;
}
