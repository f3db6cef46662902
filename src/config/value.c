/* SPDX-License-Identifier: MIT */
#include "config/assign.h"

#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/time.h"
#include "base/utf8.h"
#include "config/config.h"

enum {
    TEXT_MAX = 8192, /* a path has at most 4096 bytes, a token with claims a few thousand */
    SHOWN_MAX = 64,  /* of a wrong value in a message */
};

/* The "%.*s" of a value in a message. */
#define SHOWN(text) (int)utf8_prefix(text, SHOWN_MAX), (const char *)(text).data

static int wrong(struct slice text, const char *expected, struct err *err)
{
    return err_set(err, ERR_USAGE, "\"%.*s\" is not %s", SHOWN(text), expected);
}

static int check_text(struct slice text, struct err *err)
{
    if (text.len > TEXT_MAX)
        return err_set(err, ERR_USAGE, "the text is longer than %d bytes", TEXT_MAX);
    if (!utf8_valid(text))
        return err_set(err, ERR_USAGE, "the text is not UTF-8");
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7F)
            return err_set(err, ERR_USAGE, "the text contains a control character");
    return 0;
}

static int store_bool(void *field, struct slice text, struct err *err)
{
    if (slice_is(text, "true") || slice_is(text, "yes") || slice_is(text, "on"))
        *(bool *)field = true;
    else if (slice_is(text, "false") || slice_is(text, "no") || slice_is(text, "off"))
        *(bool *)field = false;
    else
        return wrong(text, "true or false", err);
    return 0;
}

static int store_integer(const struct config_key *key, void *field, struct slice text,
                         struct err *err)
{
    int64_t value;
    if (!num_parse_i64(text, &value))
        return wrong(text, "a whole number", err);
    if (value < key->min || value > key->max)
        return err_set(err, ERR_USAGE, "%lld is not in the range %lld to %lld", (long long)value,
                       (long long)key->min, (long long)key->max);
    if (key->type == CONFIG_COUNT)
        *(uint64_t *)field = (uint64_t)value;
    else
        *(int64_t *)field = value;
    return 0;
}

bool config_value_is_off(struct slice text)
{
    return slice_is(text, "off") || slice_is(text, "false");
}

static int store_size(const struct config_key *key, void *field, struct slice text, struct err *err)
{
    uint64_t value;
    if (key->off && config_value_is_off(text)) {
        *(uint64_t *)field = 0;
        return 0;
    }
    if (!num_parse_size(text, &value))
        return wrong(text, "a size: write a number of bytes, or one with KiB, MiB, GiB or TiB",
                     err);
    if (value < (uint64_t)key->min || value > (uint64_t)key->max) {
        char min[NUM_SIZE_TEXT_MAX], max[NUM_SIZE_TEXT_MAX];
        num_format_size((uint64_t)key->min, min);
        num_format_size((uint64_t)key->max, max);
        return err_set(err, ERR_USAGE, "\"%.*s\" is not in the range %s to %s", SHOWN(text), min,
                       max);
    }
    *(uint64_t *)field = value;
    return 0;
}

static int store_duration(const struct config_key *key, void *field, struct slice text,
                          struct err *err)
{
    int64_t value;
    bool zero = key->min == 0 && slice_is(text, "0"); /* which needs no unit */
    if (key->off && (zero || config_value_is_off(text))) {
        *(int64_t *)field = 0;
        return 0;
    }
    if (!num_parse_duration(text, &value))
        return wrong(text, "a duration: write a number with ms, s, m, h or d", err);
    if (value < key->min || value > key->max) {
        char min[NUM_SIZE_TEXT_MAX], max[NUM_SIZE_TEXT_MAX];
        num_format_duration(key->min, min);
        num_format_duration(key->max, max);
        return err_set(err, ERR_USAGE, "\"%.*s\" is not in the range %s to %s", SHOWN(text), min,
                       max);
    }
    *(int64_t *)field = value;
    return 0;
}

static int store_choice(const struct config_key *key, void *field, struct slice text,
                        struct err *err)
{
    struct buf choices = {0};
    for (int i = 0; key->choices[i] != NULL; i++) {
        const char *choice = key->choices[i];
        if (strlen(choice) == text.len &&
            strncasecmp(choice, (const char *)text.data, text.len) == 0) {
            _Static_assert(sizeof(enum config_delivery) == sizeof(i), "enums are stored as int");
            memcpy(field, &i, sizeof(i));
            buf_free(&choices);
            return 0;
        }
        buf_printf(&choices, "%s%s", i == 0 ? "one of: " : ", ", choice);
    }
    wrong(text, buf_text(&choices), err);
    buf_free(&choices);
    return -1;
}

static int store_list(const struct config_key *key, void *field, struct arena *arena,
                      struct config_value value, struct err *err)
{
    int choice;
    if (value.count == 0)
        return err_set(err, ERR_USAGE, "the list is empty");
    if (value.count > CONFIG_LIST_MAX)
        return err_set(err, ERR_USAGE, "more than %d entries", CONFIG_LIST_MAX);
    const char **items = arena_calloc(arena, value.count, sizeof(*items));
    for (size_t i = 0; i < value.count; i++) {
        if (value.items[i].len == 0)
            return err_set(err, ERR_USAGE, "entry %zu of the list is empty", i + 1);
        if (key->choices == NULL)
            items[i] = arena_text(arena, value.items[i].data, value.items[i].len);
        else if (store_choice(key, &choice, value.items[i], err) != 0)
            return -1;
        else
            items[i] = key->choices[choice];
    }
    *(struct config_list *)field = (struct config_list){items, value.count};
    return 0;
}

static int store_start(void *field, struct slice text, struct err *err)
{
    struct config_start start = {.kind = CONFIG_START_FIRST};
    uint8_t time[TIME_TEXT_MAX];
    struct slice t = {time, text.len};
    if (slice_is(text, "first")) {
        start.kind = CONFIG_START_FIRST;
    } else if (slice_is(text, "new")) {
        start.kind = CONFIG_START_NEW;
    } else if (num_parse_u64(text, &start.sequence)) {
        start.kind = CONFIG_START_SEQUENCE;
        if (start.sequence == 0 || start.sequence > INT64_MAX)
            return wrong(text, "a stream sequence: sequences start at 1", err);
    } else {
        start.kind = CONFIG_START_TIME;
        if (text.len > sizeof(time))
            return wrong(text, "first, new, a stream sequence or an RFC 3339 time", err);
        memcpy(time, text.data, text.len);
        /* YAML writes times with a blank, and libraries that save a file again do so too. */
        if (text.len > 10 && time[10] == ' ')
            time[10] = 'T';
        if (!time_parse(t, &start.time))
            return wrong(text,
                         "first, new, a stream sequence or an RFC 3339 time such as "
                         "2026-11-24T12:00:00Z",
                         err);
    }
    *(struct config_start *)field = start;
    return 0;
}

static int store_listen(void *field, struct arena *arena, struct slice text, struct err *err)
{
    if (config_value_is_off(text)) {
        *(const char **)field = "";
        return 0;
    }
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon < 2 || memchr(text.data, ' ', text.len) != NULL ||
        !num_parse_u64((struct slice){text.data + colon, text.len - colon}, &port) || port > 65535)
        return wrong(text, "an address: write host:port, or off", err);
    *(const char **)field = arena_text(arena, text.data, text.len);
    return 0;
}

int config_value_store(const struct config_key *key, void *base, struct arena *arena,
                       struct config_value value, struct err *err)
{
    void *field = (char *)base + key->offset;
    if (value.list && key->type != CONFIG_LIST)
        return err_set(err, ERR_USAGE, "takes one value, not a list");
    for (size_t i = 0; i < value.count; i++)
        if (check_text(value.items[i], err) != 0)
            return -1;
    if (key->type == CONFIG_LIST)
        return store_list(key, field, arena, value, err);
    ASSERT(value.count == 1);
    struct slice text = value.items[0];
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_SECRET:
        *(const char **)field = arena_text(arena, text.data, text.len);
        return 0;
    case CONFIG_BOOL:
        return store_bool(field, text, err);
    case CONFIG_INTEGER:
    case CONFIG_COUNT:
        return store_integer(key, field, text, err);
    case CONFIG_SIZE:
        return store_size(key, field, text, err);
    case CONFIG_DURATION:
        return store_duration(key, field, text, err);
    case CONFIG_CHOICE:
        return store_choice(key, field, text, err);
    case CONFIG_START:
        return store_start(field, text, err);
    case CONFIG_LISTEN:
        return store_listen(field, arena, text, err);
    case CONFIG_LIST:
        break;
    }
    return 0;
}
