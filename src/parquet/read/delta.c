/* SPDX-License-Identifier: MIT */
#include "parquet/read/values.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/varint.h"
#include "parquet/read/bits.h"

int delta_reader_init(struct delta_reader *d, struct slice data, uint64_t expected, struct err *err)
{
    uint64_t block = 0, minis = 0, total = 0, first = 0;
    *d = (struct delta_reader){.data = data};
    if (!varint_read(data, &d->at, &block) || !varint_read(data, &d->at, &minis) ||
        !varint_read(data, &d->at, &total) || !varint_read(data, &d->at, &first))
        return err_set(err, ERR_FORMAT, "the delta header is damaged");
    if (block == 0 || block % 128 != 0 || block > DELTA_BLOCK_VALUES_MAX || minis == 0 ||
        minis > block || block % minis != 0 || block / minis % 32 != 0)
        return err_set(err, ERR_FORMAT, "delta blocks of %llu values in %llu parts are not valid",
                       (unsigned long long)block, (unsigned long long)minis);
    if (total != expected)
        return err_set(err, ERR_FORMAT, "%llu values in the delta encoding, %llu in the page",
                       (unsigned long long)total, (unsigned long long)expected);
    d->minis = (uint32_t)minis;
    d->mini_values = (uint32_t)(block / minis);
    d->total = total;
    d->left = total;
    d->value = (uint64_t)zigzag_decode(first);
    d->mini = d->minis; /* a block begins after the first value */
    return 0;
}

static int begin_block(struct delta_reader *d, struct err *err)
{
    uint64_t min_delta = 0;
    if (!varint_read(d->data, &d->at, &min_delta) || d->minis > d->data.len - d->at)
        return err_set(err, ERR_FORMAT, "a delta block ends early");
    d->min_delta = (uint64_t)zigzag_decode(min_delta);
    d->widths = d->data.data + d->at;
    d->at += d->minis;
    d->mini = 0;
    return 0;
}

static int begin_mini(struct delta_reader *d, struct err *err)
{
    if (d->mini == d->minis && begin_block(d, err) != 0)
        return -1;
    ASSERT(d->widths != NULL); /* there is a block now */
    d->width = d->widths[d->mini++];
    if (d->width > 64)
        return err_set(err, ERR_FORMAT, "deltas of %u bits", d->width);
    /* mini_values is a multiple of 32, so this is whole bytes. */
    size_t bytes = (size_t)d->mini_values / 8 * d->width;
    if (bytes > d->data.len - d->at)
        return err_set(err, ERR_FORMAT, "a delta block ends early");
    d->bits = (struct slice){d->data.data + d->at, bytes};
    d->at += bytes;
    d->bit = 0;
    d->unread = d->mini_values;
    return 0;
}

int delta_read(struct delta_reader *d, int64_t *values, size_t count, struct err *err)
{
    ASSERT(count <= d->left);
    for (size_t i = 0; i < count; i++) {
        if (d->left != d->total) {
            if (d->unread == 0 && begin_mini(d, err) != 0)
                return -1;
            d->value += d->min_delta + bits_read(d->bits, d->bit, d->width);
            d->bit += d->width;
            d->unread--;
        }
        values[i] = (int64_t)d->value;
        d->left--;
    }
    return 0;
}

int delta_measure(struct slice data, uint64_t expected, size_t *len, struct err *err)
{
    struct delta_reader d;
    if (delta_reader_init(&d, data, expected, err) != 0)
        return -1;
    uint64_t deltas = expected == 0 ? 0 : expected - 1;
    while (deltas > 0) {
        if (begin_mini(&d, err) != 0)
            return -1;
        deltas -= deltas < d.mini_values ? deltas : d.mini_values;
    }
    *len = d.at;
    return 0;
}
