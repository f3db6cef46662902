/* SPDX-License-Identifier: MIT */
#include "nats/header.h"

#include "base/assert.h"
#include "nats/pull.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct slice part, struct slice whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

/* What is asked for of a block that a publisher has made. */
static void read_block(struct slice block)
{
    static const char *const keys[] = {"Nats-Msg-Id", "Nats-Pending-Messages", "a", ""};
    struct nats_header h;
    struct slice value;
    uint64_t number;
    if (!nats_header_parse(block, &h)) {
        ASSERT(h.lines.len == 0 && h.status == 0);
        return;
    }
    ASSERT(is_within(h.text, block) && is_within(h.lines, block) && h.status >= 0);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        if (nats_header_get(&h, keys[i], &value))
            ASSERT(is_within(value, block));
        (void)nats_header_get_u64(&h, keys[i], &number);
    }
    (void)nats_status_classify(&h);
}

/* A block of ours is read as what was put into it. */
static void write_block(struct slice value)
{
    struct buf block = {0};
    struct nats_header h;
    struct slice read;
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] <= ' ' || value.data[i] == 0x7f)
            return;
    nats_header_begin(&block);
    nats_header_add(&block, "Key", value);
    nats_header_add_u64(&block, "Number", value.len);
    nats_header_end(&block);
    uint64_t number;
    ASSERT(nats_header_parse(buf_slice(&block), &h));
    ASSERT(nats_header_get(&h, "Key", &read) && slice_equal(read, value));
    ASSERT(nats_header_get_u64(&h, "Number", &number) && number == value.len);
    buf_free(&block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {data, size};
    read_block(input);
    write_block(input);
    return 0;
}
