/* SPDX-License-Identifier: MIT */
#include "parquet/read/rle.h"

#include "base/assert.h"
#include "base/varint.h"
#include "parquet/read/bits.h"

void rle_reader_init(struct rle_reader *r, struct slice data, unsigned width)
{
    ASSERT(width <= RLE_READ_WIDTH_MAX);
    *r = (struct rle_reader){.data = data, .width = width};
}

static int begin_packed(struct rle_reader *r, uint64_t groups, struct err *err)
{
    /* `groups` is below 2^63 / 8 and `width` at most 32, but the product needs care. */
    if (r->width != 0 && groups > (r->data.len - r->at) / r->width)
        return err_set(err, ERR_FORMAT, "a bit-packed run is longer than its data");
    size_t bytes = (size_t)groups * r->width;
    r->packed = true;
    r->bits = (struct slice){r->data.data + r->at, bytes};
    r->bit = 0;
    r->at += bytes;
    r->left = groups * 8;
    return 0;
}

static int begin_equal(struct rle_reader *r, uint64_t count, struct err *err)
{
    size_t bytes = (r->width + 7) / 8;
    if (bytes > r->data.len - r->at)
        return err_set(err, ERR_FORMAT, "a run ends before its value");
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)r->data.data[r->at + i] << (8 * i);
    if (value >> r->width != 0)
        return err_set(err, ERR_FORMAT, "a run has the value %llu, which is wider than %u bits",
                       (unsigned long long)value, r->width);
    r->packed = false;
    r->value = (uint32_t)value;
    r->at += bytes;
    r->left = count;
    return 0;
}

static int begin_run(struct rle_reader *r, struct err *err)
{
    uint64_t header = 0;
    if (!varint_read(r->data, &r->at, &header))
        return err_set(err, ERR_FORMAT, "runs end before the last value");
    if (header >> 1 == 0 || header >> 1 > INT32_MAX)
        return err_set(err, ERR_FORMAT, "a run has an impossible length");
    return (header & 1) != 0 ? begin_packed(r, header >> 1, err) : begin_equal(r, header >> 1, err);
}

/* The next `count` of a packed run. */
static void unpack(struct rle_reader *r, uint32_t *values, size_t count)
{
    const uint8_t *data = r->bits.data;
    uint32_t mask = (uint32_t)((UINT64_C(1) << r->width) - 1);
    size_t i = 0;
    /* Most begin where eight bytes are left, which hold any of them. */
    for (; i < count && r->bit / 8 + 8 <= r->bits.len; i++, r->bit += r->width)
        values[i] = (uint32_t)(load_u64le(data + r->bit / 8) >> r->bit % 8) & mask;
    for (; i < count; i++, r->bit += r->width)
        values[i] = (uint32_t)bits_read(r->bits, r->bit, r->width);
}

int rle_read(struct rle_reader *r, uint32_t *values, size_t count, struct err *err)
{
    while (count > 0) {
        if (r->left == 0 && begin_run(r, err) != 0)
            return -1;
        size_t n = count < r->left ? count : (size_t)r->left;
        if (r->packed)
            unpack(r, values, n);
        for (size_t i = 0; !r->packed && i < n; i++)
            values[i] = r->value;
        values += n;
        count -= n;
        r->left -= n;
    }
    return 0;
}

bool rle_reader_done(const struct rle_reader *r)
{
    return r->at == r->data.len && (r->left == 0 || r->packed);
}
