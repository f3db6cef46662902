/* SPDX-License-Identifier: MIT */
#include "parquet/read/values.h"

#include "base/account.h"
#include "base/bytes.h"
#include "base/assert.h"
#include "parquet/read/bits.h"

static const uint8_t booleans[2] = {0, 1};

static int init_plain(struct values_reader *v, struct err *err)
{
    uint64_t available = v->data.len; /* values that there can be, at most */
    if (v->type.type == PARQUET_TYPE_BOOLEAN)
        available *= 8;
    else
        available /= v->type.width != 0 ? v->type.width : 4;
    if (v->left > available)
        return err_set(err, ERR_FORMAT, "%llu values do not fit into %zu bytes",
                       (unsigned long long)v->left, v->data.len);
    return 0;
}

static int init_dictionary(struct values_reader *v, struct err *err)
{
    if (v->left == 0 && v->data.len == 0)
        return 0; /* some writers leave the width out where all is null */
    if (v->dictionary == NULL && v->left > 0)
        return err_set(err, ERR_FORMAT, "indexes into a missing dictionary");
    if (v->data.len == 0 || v->data.data[0] > RLE_READ_WIDTH_MAX)
        return err_set(err, ERR_FORMAT, "dictionary indexes of an impossible width");
    rle_reader_init(&v->rle, (struct slice){v->data.data + 1, v->data.len - 1}, v->data.data[0]);
    return 0;
}

static int init_boolean_runs(struct values_reader *v, struct err *err)
{
    if (v->data.len < 4 || load_u32le(v->data.data) != v->data.len - 4)
        return err_set(err, ERR_FORMAT, "the length of the runs of booleans is wrong");
    rle_reader_init(&v->rle, (struct slice){v->data.data + 4, v->data.len - 4}, 1);
    return 0;
}

static int init_lengths(struct values_reader *v, struct err *err)
{
    struct slice rest = {v->data.data + v->at, v->data.len - v->at};
    size_t used = 0;
    if (delta_measure(rest, v->left, &used, err) != 0 ||
        delta_reader_init(&v->numbers, rest, v->left, err) != 0)
        return -1;
    v->at += used;
    return 0;
}

static int init_byte_array(struct values_reader *v, struct err *err)
{
    if (delta_measure(v->data, v->left, &v->at, err) != 0 ||
        delta_reader_init(&v->prefixes, v->data, v->left, err) != 0)
        return -1;
    return init_lengths(v, err);
}

/* All first bytes of the values, then all second ones and so on: the values are as many as the
 * bytes say. */
static int init_split(struct values_reader *v, struct err *err)
{
    if (v->data.len % v->type.width != 0 || v->data.len / v->type.width < v->left)
        return err_set(err, ERR_FORMAT, "%llu values of %u bytes in %zu bytes",
                       (unsigned long long)v->left, v->type.width, v->data.len);
    return 0;
}

static int unsupported(const struct values_reader *v, struct err *err)
{
    const char *name = parquet_encoding_name(v->encoding);
    if (name == NULL)
        return err_set(err, ERR_UNSUPPORTED, "encoding number %d is not known to varve",
                       (int)v->encoding);
    return err_set(err, ERR_UNSUPPORTED, "encoding %s, for this type, is not supported", name);
}

int values_reader_init(struct values_reader *v, enum parquet_encoding encoding,
                       struct parquet_value_type type, struct slice data, uint64_t count,
                       const struct parquet_dictionary *dictionary, struct err *err)
{
    v->encoding = encoding;
    v->type = type;
    /* Values are never NULL, so what they lie in can't be, even if it is empty. */
    v->data = data.data != NULL ? data : (struct slice){(const uint8_t *)"", 0};
    v->at = 0;
    v->bit = 0;
    v->left = count;
    v->dictionary = dictionary;
    v->rle = (struct rle_reader){0};
    buf_reset(&v->previous);
    bool integer = type.type == PARQUET_TYPE_INT32 || type.type == PARQUET_TYPE_INT64;
    bool real = type.type == PARQUET_TYPE_FLOAT || type.type == PARQUET_TYPE_DOUBLE;
    bool bytes = type.type == PARQUET_TYPE_BYTE_ARRAY;
    bool fixed = type.type == PARQUET_TYPE_FIXED_LEN_BYTE_ARRAY;
    switch (encoding) {
    case PARQUET_ENCODING_PLAIN:
        return init_plain(v, err);
    case PARQUET_ENCODING_PLAIN_DICTIONARY:
    case PARQUET_ENCODING_RLE_DICTIONARY:
        return init_dictionary(v, err);
    case PARQUET_ENCODING_RLE:
        return type.type == PARQUET_TYPE_BOOLEAN ? init_boolean_runs(v, err) : unsupported(v, err);
    case PARQUET_ENCODING_DELTA_BINARY_PACKED:
        return integer ? delta_reader_init(&v->numbers, v->data, count, err) : unsupported(v, err);
    case PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY:
        return bytes ? init_lengths(v, err) : unsupported(v, err);
    case PARQUET_ENCODING_DELTA_BYTE_ARRAY:
        return bytes || fixed ? init_byte_array(v, err) : unsupported(v, err);
    case PARQUET_ENCODING_BYTE_STREAM_SPLIT:
        return integer || real || (fixed && type.width > 0) ? init_split(v, err)
                                                            : unsupported(v, err);
    case PARQUET_ENCODING_BIT_PACKED:
        break;
    }
    return unsupported(v, err);
}

/* Take `len` bytes of the data as the next value. */
static int take(struct values_reader *v, uint64_t len, struct slice *value, struct err *err)
{
    if (len > v->data.len - v->at)
        return err_set(err, ERR_FORMAT, "a value of %llu bytes where %zu are left",
                       (unsigned long long)len, v->data.len - v->at);
    *value = (struct slice){v->data.data + v->at, (size_t)len};
    v->at += (size_t)len;
    return 0;
}

static int read_counted(struct values_reader *v, struct slice *values, size_t count,
                        struct err *err)
{
    struct slice rest = {v->data.data + v->at, v->data.len - v->at};
    for (size_t i = 0; i < count; i++) {
        if (rest.len < 4)
            return err_set(err, ERR_FORMAT, "the page ends before its last value");
        size_t len = load_u32le(rest.data);
        if (len > rest.len - 4)
            return err_set(err, ERR_FORMAT, "a value of %zu bytes where %zu are left", len,
                           rest.len - 4);
        __builtin_prefetch(rest.data + 1024);
        values[i] = (struct slice){rest.data + 4, len};
        rest.data += 4 + len;
        rest.len -= 4 + len;
    }
    v->at = v->data.len - rest.len;
    return 0;
}

static int read_plain(struct values_reader *v, struct slice *values, size_t count, struct err *err)
{
    size_t width = v->type.width;
    if (v->type.type == PARQUET_TYPE_BYTE_ARRAY)
        return read_counted(v, values, count, err);
    for (size_t i = 0; i < count; i++) {
        if (v->type.type == PARQUET_TYPE_BOOLEAN)
            values[i] = (struct slice){&booleans[bits_read(v->data, v->bit++, 1)], 1};
        else /* init_plain saw that all are there */
            values[i] = (struct slice){v->data.data + v->at + i * width, width};
    }
    if (v->type.type != PARQUET_TYPE_BOOLEAN)
        v->at += count * width;
    return 0;
}

static int read_indexes(struct values_reader *v, struct slice *values, size_t count,
                        struct err *err)
{
    uint32_t indexes[VALUES_READ_MAX];
    if (rle_read(&v->rle, indexes, count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (indexes[i] >= v->dictionary->count)
            return err_set(err, ERR_FORMAT, "index %u into a dictionary of %u entries", indexes[i],
                           v->dictionary->count);
        values[i] = v->dictionary->entries[indexes[i]];
    }
    return 0;
}

static int read_boolean_runs(struct values_reader *v, struct slice *values, size_t count,
                             struct err *err)
{
    uint32_t bits[VALUES_READ_MAX];
    if (rle_read(&v->rle, bits, count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        values[i] = (struct slice){&booleans[bits[i]], 1};
    return 0;
}

static int read_deltas(struct values_reader *v, struct slice *values, size_t count, struct err *err)
{
    int64_t numbers[VALUES_READ_MAX];
    if (delta_read(&v->numbers, numbers, count, err) != 0)
        return -1;
    buf_reset(&v->scratch);
    buf_reserve(&v->scratch, VALUES_READ_MAX * sizeof(uint64_t));
    for (size_t i = 0; i < count; i++) {
        uint8_t *place = v->scratch.data + v->scratch.len;
        store_u64le(place, (uint64_t)numbers[i]);
        values[i] = (struct slice){place, v->type.width};
        v->scratch.len += v->type.width;
    }
    return 0;
}

static void read_split(struct values_reader *v, struct slice *values, size_t count)
{
    size_t width = v->type.width, stride = v->data.len / width;
    buf_reset(&v->scratch);
    buf_reserve(&v->scratch, count * width);
    for (size_t i = 0; i < count; i++) {
        uint8_t *place = v->scratch.data + i * width;
        for (size_t k = 0; k < width; k++)
            place[k] = v->data.data[k * stride + v->at];
        values[i] = (struct slice){place, width};
        v->at++;
    }
}

static int read_delta_lengths(struct values_reader *v, struct slice *values, size_t count,
                              struct err *err)
{
    int64_t lengths[VALUES_READ_MAX];
    if (delta_read(&v->numbers, lengths, count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        /* Lengths are INT32, so deltas may wrap at 32 bits. A negative one does not fit. */
        if (take(v, (uint32_t)lengths[i], &values[i], err) != 0)
            return -1;
    }
    return 0;
}

/* One value of DELTA_BYTE_ARRAY, at the end of the scratch buffer. */
static int rebuild(struct values_reader *v, struct slice previous, uint32_t prefix_len,
                   struct slice suffix, struct slice *value, struct err *err)
{
    if (prefix_len > previous.len)
        return err_set(err, ERR_FORMAT, "a value shares %u bytes with a value of %zu", prefix_len,
                       previous.len);
    size_t len = prefix_len + suffix.len;
    if (len > VALUES_DELTA_LEN_MAX)
        return err_set(err, ERR_LIMIT, "a value of %zu bytes is more than varve reads", len);
    if (v->type.width != 0 && len != v->type.width)
        return err_set(err, ERR_FORMAT, "a value of %zu bytes in a column of %u", len,
                       v->type.width);
    uint8_t *place = v->scratch.data + v->scratch.len;
    buf_append(&v->scratch, previous.data, prefix_len);
    buf_append_slice(&v->scratch, suffix);
    *value = (struct slice){place, len};
    return 0;
}

static int read_byte_array(struct values_reader *v, struct slice *values, size_t max, size_t *got,
                           struct err *err)
{
    struct slice previous = buf_slice(&v->previous);
    buf_reset(&v->scratch);
    buf_reserve(&v->scratch, VALUES_SCRATCH_MAX);
    *got = 0;
    while (*got < max) {
        struct delta_reader lengths = v->numbers, prefixes = v->prefixes;
        int64_t suffix_len = 0, prefix_len = 0;
        struct slice suffix = {0};
        size_t at = v->at;
        if (delta_read(&lengths, &suffix_len, 1, err) != 0 ||
            delta_read(&prefixes, &prefix_len, 1, err) != 0 ||
            take(v, (uint32_t)suffix_len, &suffix, err) != 0)
            return -1;
        /* Growing would move what the values before point to: they go first, alone. */
        if ((uint64_t)(uint32_t)prefix_len + suffix.len > v->scratch.cap - v->scratch.len) {
            if (*got > 0) {
                v->at = at;
                break;
            }
            if ((uint32_t)prefix_len > previous.len)
                prefix_len = (int64_t)previous.len + 1; /* an error; see rebuild */
            buf_reserve(&v->scratch, (size_t)prefix_len + suffix.len);
        }
        if (rebuild(v, previous, (uint32_t)prefix_len, suffix, &values[*got], err) != 0)
            return -1;
        previous = values[(*got)++];
        v->numbers = lengths;
        v->prefixes = prefixes;
    }
    if (*got > 0) {
        buf_reset(&v->previous);
        buf_append_slice(&v->previous, previous);
    }
    return 0;
}

int values_read(struct values_reader *v, struct slice *values, size_t max, size_t *got,
                struct err *err)
{
    ASSERT(max <= VALUES_READ_MAX);
    *got = max < v->left ? max : (size_t)v->left;
    if (*got == 0)
        return 0;
    int result = -1;
    switch (v->encoding) {
    case PARQUET_ENCODING_PLAIN:
        result = read_plain(v, values, *got, err);
        break;
    case PARQUET_ENCODING_PLAIN_DICTIONARY:
    case PARQUET_ENCODING_RLE_DICTIONARY:
        result = read_indexes(v, values, *got, err);
        break;
    case PARQUET_ENCODING_RLE:
        result = read_boolean_runs(v, values, *got, err);
        break;
    case PARQUET_ENCODING_DELTA_BINARY_PACKED:
        result = read_deltas(v, values, *got, err);
        break;
    case PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY:
        result = read_delta_lengths(v, values, *got, err);
        break;
    case PARQUET_ENCODING_DELTA_BYTE_ARRAY:
        result = read_byte_array(v, values, *got, got, err);
        break;
    case PARQUET_ENCODING_BYTE_STREAM_SPLIT:
        read_split(v, values, *got);
        result = 0;
        break;
    case PARQUET_ENCODING_BIT_PACKED:
        result = unsupported(v, err);
    }
    v->left -= *got;
    return result;
}

bool values_reader_done(const struct values_reader *v)
{
    switch (v->encoding) {
    case PARQUET_ENCODING_PLAIN:
        if (v->type.type == PARQUET_TYPE_BOOLEAN)
            return (v->bit + 7) / 8 == v->data.len;
        return v->at == v->data.len;
    case PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY:
    case PARQUET_ENCODING_DELTA_BYTE_ARRAY:
        return v->at == v->data.len;
    case PARQUET_ENCODING_PLAIN_DICTIONARY:
    case PARQUET_ENCODING_RLE_DICTIONARY:
    case PARQUET_ENCODING_RLE:
        return rle_reader_done(&v->rle);
    case PARQUET_ENCODING_DELTA_BINARY_PACKED:
        return v->numbers.at == v->data.len;
    case PARQUET_ENCODING_BYTE_STREAM_SPLIT:
        return v->at == v->data.len / v->type.width;
    case PARQUET_ENCODING_BIT_PACKED:
        break;
    }
    return false;
}

void values_reader_free(struct values_reader *v)
{
    buf_free(&v->scratch);
    buf_free(&v->previous);
    *v = (struct values_reader){0};
}

static void free_entries(struct parquet_dictionary *dictionary)
{
    account_free(dictionary->account, dictionary->entries,
                 dictionary->cap * sizeof(*dictionary->entries));
    dictionary->entries = NULL;
    dictionary->cap = 0;
}

int parquet_dictionary_fill(struct parquet_dictionary *dictionary, struct parquet_value_type type,
                            uint32_t count, struct err *err)
{
    struct values_reader v = {0};
    size_t got = 0;
    dictionary->count = 0;
    /* This also bounds `count`, and so the memory for the entries, by the size of the page. */
    if (values_reader_init(&v, PARQUET_ENCODING_PLAIN, type, buf_slice(&dictionary->body), count,
                           NULL, err) != 0)
        return -1;
    if (count > dictionary->cap) {
        free_entries(dictionary);
        dictionary->account = dictionary->body.account;
        dictionary->entries =
            account_alloc(dictionary->account, count, sizeof(*dictionary->entries));
        dictionary->cap = count;
    }
    while (v.left > 0) {
        if (values_read(&v, dictionary->entries + dictionary->count, VALUES_READ_MAX, &got, err) !=
            0)
            return -1;
        dictionary->count += (uint32_t)got;
    }
    if (!values_reader_done(&v))
        return err_set(err, ERR_FORMAT, "bytes are left after the last entry of the dictionary");
    return 0;
}

void parquet_dictionary_free(struct parquet_dictionary *dictionary)
{
    buf_free(&dictionary->body);
    free_entries(dictionary);
    *dictionary = (struct parquet_dictionary){0};
}

const char *parquet_encoding_name(enum parquet_encoding encoding)
{
    switch (encoding) {
    case PARQUET_ENCODING_PLAIN:
        return "PLAIN";
    case PARQUET_ENCODING_PLAIN_DICTIONARY:
        return "PLAIN_DICTIONARY";
    case PARQUET_ENCODING_RLE:
        return "RLE";
    case PARQUET_ENCODING_BIT_PACKED:
        return "BIT_PACKED";
    case PARQUET_ENCODING_DELTA_BINARY_PACKED:
        return "DELTA_BINARY_PACKED";
    case PARQUET_ENCODING_DELTA_LENGTH_BYTE_ARRAY:
        return "DELTA_LENGTH_BYTE_ARRAY";
    case PARQUET_ENCODING_DELTA_BYTE_ARRAY:
        return "DELTA_BYTE_ARRAY";
    case PARQUET_ENCODING_RLE_DICTIONARY:
        return "RLE_DICTIONARY";
    case PARQUET_ENCODING_BYTE_STREAM_SPLIT:
        return "BYTE_STREAM_SPLIT";
    }
    return NULL;
}
