/* SPDX-License-Identifier: MIT */
#include "follow/series_answer.h"

#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "base/utf8.h"

/* What InfluxDB 1 says when a database has as many series as it may have: who dropped lines because
 * of that would lose all that are new. */
static const char *const limits[] = {"partial write: max-values-per-tag limit exceeded",
                                     "partial write: max-series-per-database limit exceeded"};

static struct slice shorten(struct slice text)
{
    return (struct slice){text.data, utf8_prefix(text, SERIES_TEXT_MAX)};
}

static void name_line(struct series_answer *out, uint64_t number, struct slice why, uint32_t lines)
{
    if (number == 0 || number > lines || out->named.count == lines)
        return; /* it makes no sense */
    *array_add(&out->named) = (struct series_named){(uint32_t)number - 1, shorten(why)};
}

/* InfluxDB 3: {"line_number": N, "error_message": TEXT, ...} */
static void name_of_data(struct series_answer *out, const struct json *data, uint32_t lines)
{
    struct slice why = out->text;
    uint64_t number;
    (void)json_get_text(data, "error_message", &why);
    if (json_get_u64(data, "line_number", &number))
        name_line(out, number, why, lines);
}

/* The number at the very end of "... dropped=N", which is the server's own: what it repeats of a
 * line stands in front of that. */
static bool dropped(struct slice text, uint64_t *count)
{
    static const char key[] = "dropped=";
    enum { KEY = sizeof(key) - 1 };
    size_t digits = text.len;
    while (digits > 0 && text.data[digits - 1] >= '0' && text.data[digits - 1] <= '9')
        digits--;
    return digits >= KEY && memcmp(text.data + digits - KEY, key, KEY) == 0 &&
           num_parse_u64((struct slice){text.data + digits, text.len - digits}, count);
}

static void read_json(struct series_answer *out, const struct json *root, uint32_t lines)
{
    struct slice text = out->text;
    uint64_t number;
    if (!json_get_text(root, "error", &text))
        (void)json_get_text(root, "message", &text); /* InfluxDB 2, QuestDB */
    out->all = dropped(text, &number) && number >= lines;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (slice_starts_with(text, limits[i]) && out->verdict == SERIES_REFUSED)
            out->verdict = SERIES_FAILED;
    out->text = shorten(text);
    if (json_get_u64(root, "line", &number)) /* QuestDB */
        name_line(out, number, out->text, lines);
    const struct json *data = json_member(root, "data");
    if (data != NULL && data->type == JSON_OBJECT)
        name_of_data(out, data, lines);
    if (data != NULL && data->type == JSON_ARRAY)
        for (const struct json *each = data->first; each != NULL; each = each->next)
            name_of_data(out, each, lines);
}

static enum series_verdict verdict_of(int status)
{
    enum { BAD_REQUEST = 400, CONTENT_TOO_LARGE = 413, UNPROCESSABLE = 422 };
    if (status >= 200 && status < 300)
        return SERIES_STORED;
    if (status == BAD_REQUEST || status == UNPROCESSABLE)
        return SERIES_REFUSED;
    return status == CONTENT_TOO_LARGE ? SERIES_TOO_LARGE : SERIES_FAILED;
}

void series_answer_read(struct series_answer *out, struct arena *arena, int status,
                        struct slice retry_after, struct slice body, uint32_t lines)
{
    struct err err = {0};
    uint64_t seconds;
    while (body.len > 0 && (body.data[body.len - 1] == '\n' || body.data[body.len - 1] == '\r'))
        body.len--;
    out->verdict = verdict_of(status);
    out->all = false;
    out->named.count = 0;
    out->text = utf8_valid(body) ? shorten(body) : slice_of("(its answer is no text)");
    out->retry_after = 0;
    if (num_parse_u64(retry_after, &seconds)) /* a date is not worth its reading */
        out->retry_after = (uint32_t)num_least_u64(seconds, SERIES_RETRY_MAX);
    const struct json *root = json_parse(arena, body, &err);
    if (root != NULL)
        read_json(out, root, lines);
}
