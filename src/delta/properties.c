/* SPDX-License-Identifier: MIT */
#include "delta/properties.h"

#include <string.h>

#include "base/num.h"

#define MS_SECOND INT64_C(1000)
#define MS_DAY (24 * 3600 * MS_SECOND)
#define LOG_RETENTION (30 * MS_DAY)
#define TOMBSTONE_RETENTION (7 * MS_DAY)

/* The next word in front of blanks; empty behind the last one. */
static struct slice cut_word(struct slice *text)
{
    while (text->len > 0 && text->data[0] == ' ') {
        text->data++;
        text->len--;
    }
    struct slice word = {text->data, 0};
    while (word.len < text->len && text->data[word.len] != ' ')
        word.len++;
    text->data += word.len;
    text->len -= word.len;
    return word;
}

/* Of one unit, in ms; 0: there is no such unit. Months and years are none: they vary. */
static int64_t unit_length(struct slice name)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        {"week", 7 * MS_DAY},       {"day", MS_DAY},       {"hour", 3600 * MS_SECOND},
        {"minute", 60 * MS_SECOND}, {"second", MS_SECOND}, {"millisecond", 1},
    };
    if (name.len > 1 && name.data[name.len - 1] == 's')
        name.len--;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (slice_is(name, units[i].name))
            return units[i].ms;
    return 0;
}

bool delta_interval_parse(struct slice text, int64_t *ms)
{
    uint64_t sum = 0;
    size_t parts = 0;
    struct slice word = cut_word(&text);
    if (slice_is(word, "interval") || slice_is(word, "INTERVAL"))
        word = cut_word(&text);
    for (; word.len > 0; word = cut_word(&text), parts++) {
        uint64_t count, part;
        int64_t unit;
        if (!num_parse_u64(word, &count))
            return false;
        unit = unit_length(cut_word(&text));
        if (unit == 0 || !num_mul_u64(count, (uint64_t)unit, &part) ||
            !num_add_u64(sum, part, &sum) || sum > INT64_MAX)
            return false;
    }
    *ms = (int64_t)sum;
    return parts > 0;
}

static int64_t interval_of(const struct delta_metadata *metadata, const char *key, int64_t usual)
{
    struct slice text = delta_map_get(&metadata->configuration, key);
    int64_t ms = usual;
    if (text.data != NULL && !delta_interval_parse(text, &ms))
        return DELTA_FOREVER;
    return ms;
}

uint64_t delta_checkpoint_interval(const struct delta_metadata *metadata)
{
    struct slice text = delta_map_get(&metadata->configuration, "delta.checkpointInterval");
    uint64_t commits;
    if (text.data == NULL || !num_parse_u64(text, &commits) || commits == 0)
        return DELTA_CHECKPOINT_INTERVAL;
    return num_least_u64(commits, INT64_MAX); /* so that a version and it make no overflow */
}

int64_t delta_log_retention(const struct delta_metadata *metadata)
{
    struct slice enabled = delta_map_get(&metadata->configuration, "delta.enableExpiredLogCleanup");
    if (enabled.data != NULL && !slice_is(enabled, "true"))
        return DELTA_FOREVER;
    return interval_of(metadata, "delta.logRetentionDuration", LOG_RETENTION);
}

int64_t delta_tombstone_retention(const struct delta_metadata *metadata)
{
    return interval_of(metadata, "delta.deletedFileRetentionDuration", TOMBSTONE_RETENTION);
}
