/* SPDX-License-Identifier: MIT */
#include "nats/client.h"

#include <string.h>

#include "base/account.h"
#include "base/assert.h"

/* Move the bytes that are not consumed into memory of `cap` bytes. The old one is returned. */
static struct nats_memory move_away(struct nats_input *in, size_t cap)
{
    struct nats_memory old = {in->data, in->cap, in->account};
    size_t len = in->end - in->start;
    uint8_t *data = account_resize(in->account, NULL, 0, cap);
    if (len > 0)
        memcpy(data, in->data + in->start, len);
    *in = (struct nats_input){.data = data, .cap = cap, .account = in->account, .end = len};
    return old;
}

/* Move the bytes that are not consumed to the front of a buffer of `cap` bytes. */
static void move_to_front(struct nats_input *in, size_t cap)
{
    if (cap != in->cap) {
        struct nats_memory old = move_away(in, cap);
        account_free(old.account, old.data, old.size);
        return;
    }
    size_t len = in->end - in->start;
    if (len > 0)
        memmove(in->data, in->data + in->start, len);
    in->start = 0;
    in->end = len;
}

struct nats_memory nats_input_detach(struct nats_input *in)
{
    size_t len = in->end - in->start;
    return move_away(in, len < NATS_INPUT_START ? NATS_INPUT_START : len);
}

struct nats_space nats_input_space(struct nats_input *in, size_t need)
{
    size_t len = in->end - in->start;
    size_t cap = in->cap < NATS_INPUT_START ? NATS_INPUT_START : in->cap;
    if (need < len + 1)
        need = len + 1;
    if (need > cap)
        cap = need;
    if (len == 0 || cap != in->cap || in->start + need > cap || in->cap - in->end < cap / 4)
        if (in->start > 0 || cap != in->cap)
            move_to_front(in, cap);
    return (struct nats_space){in->data + in->end, in->cap - in->end};
}

void nats_input_filled(struct nats_input *in, size_t len)
{
    ASSERT(len <= in->cap - in->end);
    in->end += len;
}

struct slice nats_input_bytes(const struct nats_input *in)
{
    return (struct slice){in->data != NULL ? in->data + in->start : NULL, in->end - in->start};
}

void nats_input_consume(struct nats_input *in, size_t len)
{
    ASSERT(len <= in->end - in->start);
    in->start += len;
}

void nats_input_trim(struct nats_input *in, size_t need)
{
    if (in->cap > NATS_INPUT_START && need < NATS_INPUT_START &&
        in->end - in->start < NATS_INPUT_START)
        move_to_front(in, NATS_INPUT_START);
}

void nats_input_reset(struct nats_input *in)
{
    in->start = 0;
    in->end = 0;
}

void nats_input_free(struct nats_input *in)
{
    account_free(in->account, in->data, in->cap);
    *in = (struct nats_input){.account = in->account};
}
