/* SPDX-License-Identifier: MIT */
#include "follow/series_writer.h"

#include <string.h>

#include "base/assert.h"
#include "base/base64.h"
#include "base/secret.h"

enum { PARTS_MAX = 2 * 16 }; /* halves of halves of SERIES_LINES_MAX */

static const char v3[] = "/api/v3/";

static bool has_parameter(const char *query, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = query; at != NULL; at = strchr(at, '&')) {
        at += at[0] == '&' || at[0] == '?';
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return true;
    }
    return false;
}

/* What the URL does not say, and the lines need. */
static int add_parameters(struct series_writer *w, const char *query, bool is_v3, struct err *err)
{
    static const char *const values[][2] = {
        {"precision", "nanosecond"}, {"accept_partial", "false"}, {"no_sync", "false"}};
    if (has_parameter(query, "precision"))
        return err_set(err, ERR_USAGE,
                       "url: leave out precision: times are nanoseconds, and varve says so");
    buf_append_text(&w->target, query);
    for (size_t i = 0; i < (is_v3 ? 3 : 1); i++)
        if (!has_parameter(query, values[i][0]))
            buf_printf(&w->target, "%c%s=%s", strchr(buf_text(&w->target), '?') != NULL ? '&' : '?',
                       values[i][0], is_v3 ? values[i][1] : "ns");
    return 0;
}

int series_url_parse(const char *url, struct http_origin *out, const char **path, struct err *err)
{
    struct buf place = {0};
    buf_append(&place, url, strcspn(url, "?"));
    const char *text = buf_text(&place);
    int result = strpbrk(url, " #") != NULL
                     ? err_set(err, ERR_USAGE, "it has a blank or a fragment")
                     : http_origin_parse(text, out, path, err);
    *path = result == 0 ? url + (*path - text) : url;
    buf_free(&place);
    return result;
}

int series_writer_init(struct series_writer *w, const struct config_follower *settings,
                       struct account *account, struct err *err)
{
    const char *path;
    w->settings = settings;
    w->bytes_max = SERIES_BYTES_MAX;
    w->part.account = w->body.account = w->arena.account = account;
    if (series_url_parse(settings->url, &w->origin, &path, err) != 0)
        return err_prefix(err, "url");
    bool is_v3 = strncmp(path, v3, strlen(v3)) == 0;
    size_t len = strcspn(path, "?");
    w->scheme = is_v3 ? "Bearer" : "Token";
    if (len > 1)
        buf_append(&w->target, path, len);
    else
        buf_append_text(&w->target, "/api/v2/write");
    return add_parameters(w, path + len, is_v3, err);
}

/* One line, without the end of it. */
static struct slice trim(struct slice text)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    return text;
}

static int make_login(struct series_writer *w, struct slice token, struct err *err)
{
    bool has_colon = false;
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] >= 0x7F)
            return err_set(err, ERR_USAGE, "the token is not one line of visible characters");
        has_colon = has_colon || token.data[i] == ':';
    }
    if (token.len == 0)
        return 0;
    buf_reserve(&w->login, 64 + token.len + token.len / 2); /* no copy is left behind */
    buf_printf(&w->login, "Authorization: %s ", has_colon ? "Basic" : w->scheme);
    if (has_colon)
        base64_append(&w->login, token);
    else
        buf_append_slice(&w->login, token);
    buf_append_text(&w->login, "\r\n");
    return 0;
}

int series_writer_open(struct series_writer *w, const atomic_bool *stop, struct err *err)
{
    const struct config_follower *s = w->settings;
    struct buf file = {0};
    int64_t wait = w->not_before - clock_monotonic();
    if (wait > 0)
        return err_set(err, ERR_REFUSED, "the server asks not to be asked for %lld s more",
                       (long long)(wait / CLOCK_SECOND) + 1);
    int result = 0;
    if (s->token_file[0] != '\0' &&
        (result = secret_read(s->token_file, SERIES_TOKEN_MAX, &file, NULL, err)) != 0)
        (void)err_prefix(err, "token_file %s", s->token_file);
    if (result == 0)
        result = make_login(
            w, s->token_file[0] != '\0' ? trim(buf_slice(&file)) : slice_of(s->token), err);
    secret_free(&file);
    if (result == 0)
        w->http = http_client_new(&w->origin, "followers[]", s->ca_file, stop);
    return result;
}

static void make_head(struct series_writer *w, size_t bytes)
{
    buf_reset(&w->head);
    buf_reserve(&w->head, w->target.len + w->login.len + 512);
    buf_append_text(&w->head, "POST ");
    buf_append_slice(&w->head, buf_slice(&w->target));
    buf_append_text(&w->head, " HTTP/1.1\r\nHost: ");
    http_origin_append(&w->head, &w->origin);
    buf_append_text(&w->head, "\r\nUser-Agent: varve\r\n");
    buf_append_slice(&w->head, buf_slice(&w->login));
    buf_printf(&w->head, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n\r\n",
               bytes);
}

/* Ask once, or once more where a connection that was kept has gone: the lines may be there twice.
 */
static int ask(struct series_writer *w, struct slice body, uint32_t lines, struct err *err)
{
    struct http_answer answer;
    struct slice retry_after;
    enum http_end end = HTTP_LOST;
    make_head(w, body.len);
    for (int attempt = 0; attempt < 2 && end == HTTP_LOST; attempt++) {
        const struct http_question question = {.head = buf_slice(&w->head),
                                               .body = body,
                                               .body_max = SERIES_BODY_MAX,
                                               .deadline = clock_monotonic() + SERIES_PATIENCE};
        buf_reset(&w->body);
        err_clear(err);
        end = http_client_ask(w->http, &question, &answer, &w->body, err);
    }
    if (end != HTTP_ANSWERED)
        return err_prefix(err, "%s", w->origin.host);
    arena_reset(&w->arena);
    (void)http_answer_field(&answer, "retry-after", &retry_after);
    w->status = answer.status;
    series_answer_read(&w->answer, &w->arena, answer.status, retry_after, buf_slice(&w->body),
                       lines);
    return 0;
}

/* The server does not take anything now. */
static int fail(struct series_writer *w, struct err *err)
{
    w->not_before =
        w->answer.retry_after > 0 ? clock_monotonic() + w->answer.retry_after * CLOCK_SECOND : 0;
    return err_set(err, ERR_REFUSED, "%s answers %d%s%.*s", w->origin.host, w->status,
                   w->answer.text.len > 0 ? ": " : "", (int)w->answer.text.len,
                   (const char *)w->answer.text.data);
}

int series_writer_probe(struct series_writer *w, struct buf *says, struct err *err)
{
    if (ask(w, slice_of(""), 0, err) != 0)
        return -1;
    if (w->answer.verdict == SERIES_FAILED || w->answer.verdict == SERIES_TOO_LARGE)
        return fail(w, err);
    if (w->answer.verdict == SERIES_REFUSED)
        buf_printf(says, "%d: %.*s", w->status, (int)w->answer.text.len,
                   (const char *)w->answer.text.data);
    return 0;
}

/* A range of lines. */
struct part {
    size_t first, end;
};

static size_t start_of(const struct series_lines *lines, size_t number)
{
    return number == 0 ? 0 : lines->list.list[number - 1].end;
}

static struct slice text_of(const struct series_lines *lines, size_t first, size_t end)
{
    size_t start = start_of(lines, first);
    return (struct slice){lines->text.data + start, start_of(lines, end) - start};
}

/* The lines of a part that are not refused: how many, and their text. */
static size_t gather(struct series_writer *w, const struct series_lines *lines,
                     const struct part *part, struct slice *text)
{
    size_t count = 0;
    for (size_t i = part->first; i < part->end; i++)
        count += !lines->list.list[i].refused;
    *text = text_of(lines, part->first, part->end);
    if (count == part->end - part->first)
        return count;
    buf_reset(&w->part);
    for (size_t i = part->first; i < part->end; i++)
        if (!lines->list.list[i].refused)
            buf_append_slice(&w->part, text_of(lines, i, i + 1));
    *text = buf_slice(&w->part);
    return count;
}

struct sending {
    struct series_writer *w;
    struct series_lines *lines;
    series_refused *refused;
    void *context;
};

static void refuse(const struct sending *s, size_t number, struct slice why)
{
    struct series_line *line = &s->lines->list.list[number];
    line->refused = true;
    s->refused(s->context, line, text_of(s->lines, number, number + 1), s->w->status, why);
}

/* Those of a part that the answer names, by their number in the request; or all. */
static void refuse_named(const struct sending *s, const struct part *part)
{
    const struct series_answer *a = &s->w->answer;
    uint32_t number = 0;
    for (size_t i = part->first; i < part->end; i++) {
        if (s->lines->list.list[i].refused)
            continue;
        const struct slice *why = a->all ? &a->text : NULL;
        for (size_t n = 0; n < a->named.count && why == NULL; n++)
            if (a->named.list[n].line == number)
                why = &a->named.list[n].why;
        if (why != NULL)
            refuse(s, i, *why);
        number++;
    }
}

/* The server has said no to the one line that is left of a part. Unless it says the same to a
 * request without lines, it is the line. */
static int refuse_last(const struct sending *s, const struct part *part, struct err *err)
{
    struct series_writer *w = s->w;
    struct buf why = {0};
    size_t last = part->first;
    int status = w->status;
    while (s->lines->list.list[last].refused)
        last++;
    buf_append_slice(&why, w->answer.text);
    int result = ask(w, slice_of(""), 0, err);
    if (result == 0 && w->status == status && slice_equal(w->answer.text, buf_slice(&why)))
        result = fail(w, err);
    w->status = status;
    if (result == 0)
        refuse(s, last, buf_slice(&why));
    buf_free(&why);
    return result;
}

/* *halve: what is left of it is to be sent in halves. */
static int send_part(const struct sending *s, const struct part *part, bool *halve, struct err *err)
{
    struct series_writer *w = s->w;
    struct slice text;
    size_t count = gather(w, s->lines, part, &text);
    *halve = count > 1 && text.len > w->bytes_max;
    if (count == 0 || *halve)
        return 0;
    if (ask(w, text, (uint32_t)count, err) != 0)
        return -1;
    switch (w->answer.verdict) {
    case SERIES_STORED:
        return 0;
    case SERIES_FAILED:
        return fail(w, err);
    case SERIES_TOO_LARGE:
        w->bytes_max = text.len / 2;
        break;
    case SERIES_REFUSED:
        refuse_named(s, part);
        break;
    }
    *halve = count > 1;
    return *halve || gather(w, s->lines, part, &text) == 0 ? 0 : refuse_last(s, part, err);
}

/* Halves of halves: some lines of a thousand are found by some tens of requests, and where all are
 * refused it takes about two a line, and no more bytes than a few times all. */
static int send_range(const struct sending *s, size_t first, size_t end, struct err *err)
{
    struct part left[PARTS_MAX] = {{first, end}};
    size_t count = 1;
    while (count > 0) {
        struct part part = left[--count];
        bool halve;
        if (send_part(s, &part, &halve, err) != 0)
            return -1;
        if (!halve)
            continue;
        size_t middle = part.first + (part.end - part.first) / 2;
        ASSERT(count + 2 <= PARTS_MAX);
        left[count++] = (struct part){middle, part.end};
        left[count++] = (struct part){part.first, middle};
    }
    return 0;
}

int series_writer_send(struct series_writer *w, struct series_lines *lines, series_refused *refused,
                       void *context, struct err *err)
{
    const struct sending s = {w, lines, refused, context};
    for (size_t first = 0; first < lines->list.count; first += SERIES_LINES_MAX) {
        size_t end = first + SERIES_LINES_MAX;
        if (send_range(&s, first, end < lines->list.count ? end : lines->list.count, err) != 0)
            return -1;
    }
    buf_trim(&w->body, SERIES_BODY_MAX);
    return 0;
}

void series_writer_close(struct series_writer *w)
{
    http_client_free(w->http);
    w->http = NULL;
    secret_free(&w->login);
    secret_free(&w->head);
}

void series_writer_free(struct series_writer *w)
{
    series_writer_close(w);
    buf_free(&w->target);
    buf_free(&w->part);
    buf_free(&w->body);
    arena_free(&w->arena);
    array_free(&w->answer.named);
}
