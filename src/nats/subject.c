/* SPDX-License-Identifier: MIT */
#include "nats/subject.h"

#include <string.h>

/* Take the first token and the dot behind it. */
static struct slice take_token(struct slice *s)
{
    const uint8_t *dot = s->len > 0 ? memchr(s->data, '.', s->len) : NULL;
    struct slice token = {s->data, dot != NULL ? (size_t)(dot - s->data) : s->len};
    size_t used = dot != NULL ? token.len + 1 : token.len;
    s->data += used;
    s->len -= used;
    return token;
}

bool nats_subject_valid(struct slice subject, bool wildcards)
{
    if (subject.len == 0 || subject.len > NATS_SUBJECT_MAX || subject.data[subject.len - 1] == '.')
        return false;
    for (size_t i = 0; i < subject.len; i++)
        if (subject.data[i] <= ' ' || subject.data[i] == 0x7f)
            return false;
    while (subject.len > 0) {
        struct slice token = take_token(&subject);
        if (token.len == 0)
            return false;
        bool wild = memchr(token.data, '*', token.len) != NULL ||
                    memchr(token.data, '>', token.len) != NULL;
        if (wild && (!wildcards || token.len > 1 || (token.data[0] == '>' && subject.len > 0)))
            return false;
    }
    return true;
}

bool nats_name_valid(struct slice name)
{
    if (name.len == 0 || name.len > NATS_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] == 0x7f || strchr(".*>/\\", name.data[i]) != NULL)
            return false;
    return true;
}

bool nats_subject_matches(struct slice filter, struct slice subject)
{
    if (slice_equal(filter, subject)) /* nearly always, where the filter has no wildcards */
        return true;
    while (filter.len > 0 && subject.len > 0) {
        struct slice want = take_token(&filter);
        if (slice_is(want, ">"))
            return true;
        struct slice token = take_token(&subject);
        if (!slice_is(want, "*") && !slice_equal(want, token))
            return false;
    }
    return filter.len == 0 && subject.len == 0;
}

bool nats_subject_overlaps(struct slice a, struct slice b)
{
    while (a.len > 0 && b.len > 0) {
        struct slice of_a = take_token(&a), of_b = take_token(&b);
        if (slice_is(of_a, ">") || slice_is(of_b, ">"))
            return true;
        if (!slice_is(of_a, "*") && !slice_is(of_b, "*") && !slice_equal(of_a, of_b))
            return false;
    }
    return a.len == 0 && b.len == 0;
}

struct slice nats_subject_last_token(struct slice subject)
{
    size_t start = subject.len;
    while (start > 0 && subject.data[start - 1] != '.')
        start--;
    return (struct slice){subject.data != NULL ? subject.data + start : NULL, subject.len - start};
}
