/* SPDX-License-Identifier: MIT */
/* What a server sends, in pieces whose lengths are part of the input. The engine must neither crash
 * nor take memory beyond its limits; once it has failed it stays failed. */
#include "nats/client.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All events there are now. Returns false once the connection is of no more use. */
static bool drain(struct nats_client *c, int64_t now)
{
    struct nats_event event;
    struct err err = {0};
    int got;
    while ((got = nats_client_next(c, now, &event, &err)) > 0) {
        if (event.kind == NATS_EVENT_READY)
            for (uint32_t slot = 0; slot < 3; slot++)
                if (nats_client_subscribe(c, slice_of("_INBOX.fuzz.*"), c, slot) == 0)
                    abort();
        if (event.kind == NATS_EVENT_START_TLS && nats_client_tls_done(c, &err) != 0)
            return false;
        if (event.kind == NATS_EVENT_MESSAGE) /* the numbers must make the subject again */
            nats_ack_append_publish(&c->out, &event.ack);
    }
    if (got == 0)
        return true;
    if (nats_client_next(c, now, &event, &err) != -1)
        abort();
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct nats_options options = {.name = "fuzz",
                                                .version = "0",
                                                .tls = NATS_TLS_IF_REQUIRED,
                                                .message_max = 64 * 1024,
                                                .random_key = {1, 2}};
    struct nats_client c = {0};
    int64_t now = 1;
    nats_client_start(&c, &options, now);
    while (size > 0) {
        /* One byte says how much of the rest arrives in this read. */
        size_t len = 1 + (size_t)data[0] * 4;
        data++;
        size--;
        struct nats_space space = nats_client_space(&c);
        if (len > size)
            len = size;
        if (len > space.len)
            len = space.len;
        if (len > 0) {
            memcpy(space.data, data, len);
            nats_client_received(&c, len, now);
        }
        data += len;
        size -= len;
        if (!drain(&c, now))
            break;
        now += CLOCK_SECOND / 10;
        buf_reset(&c.out);
    }
    nats_client_free(&c);
    return 0;
}
