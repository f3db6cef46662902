/* SPDX-License-Identifier: MIT */
#include "object/s3_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"

void s3_encode(struct buf *out, struct slice bytes, bool path)
{
    text_encode_percent(out, bytes, path ? "-._~/" : "-._~");
}

/* A part of a query in the text of all. */
struct piece {
    size_t name, name_end, end;
};

static int compare(const uint8_t *text, const struct piece *a, const struct piece *b)
{
    int names = slice_compare((struct slice){text + a->name, a->name_end - a->name},
                              (struct slice){text + b->name, b->name_end - b->name});
    if (names != 0)
        return names;
    return slice_compare((struct slice){text + a->name_end, a->end - a->name_end},
                         (struct slice){text + b->name_end, b->end - b->name_end});
}

void s3_encode_query(struct buf *out, const struct s3_pair *query, unsigned count)
{
    struct buf text = {0};
    struct piece pieces[S3_PAIRS_MAX];
    ASSERT(count <= S3_PAIRS_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct piece piece = {.name = text.len};
        s3_encode(&text, query[i].name, false);
        piece.name_end = text.len;
        buf_append_byte(&text, '=');
        s3_encode(&text, query[i].value, false);
        piece.end = text.len;
        unsigned at = i;
        for (; at > 0 && compare(text.data, &pieces[at - 1], &piece) > 0; at--)
            pieces[at] = pieces[at - 1];
        pieces[at] = piece;
    }
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            buf_append_byte(out, '&');
        buf_append(out, text.data + pieces[i].name, pieces[i].end - pieces[i].name);
    }
    buf_free(&text);
}

void s3_date(int64_t ns, char out[static S3_DATE_MAX])
{
    char text[TIME_TEXT_MAX];
    size_t len = 0;
    time_format(ns, 0, text);
    for (const char *at = text; *at != '\0' && len + 1 < S3_DATE_MAX; at++)
        if (*at != '-' && *at != ':')
            out[len++] = *at;
    out[len] = '\0';
}

static void sort_fields(const struct s3_to_sign *r, const struct s3_pair *sorted[S3_PAIRS_MAX])
{
    ASSERT(r->field_count <= S3_PAIRS_MAX);
    for (unsigned i = 0; i < r->field_count; i++) {
        unsigned at = i;
        for (; at > 0 && slice_compare(sorted[at - 1]->name, r->fields[i].name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &r->fields[i];
    }
}

/* Without blanks around it, and with one where there are several. */
static void append_trimmed(struct buf *out, struct slice value)
{
    bool blank = false, any = false;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if (c == ' ' || c == '\t') {
            blank = any;
            continue;
        }
        if (blank)
            buf_append_byte(out, ' ');
        blank = false;
        any = true;
        buf_append_byte(out, c);
    }
}

static void append_signed_names(struct buf *out, const struct s3_pair *const *sorted,
                                unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            buf_append_byte(out, ';');
        buf_append_slice(out, sorted[i]->name);
    }
}

/* CanonicalRequest. */
static void append_request(struct buf *out, const struct s3_to_sign *r,
                           const struct s3_pair *const *sorted)
{
    buf_append_text(out, r->method);
    buf_append_byte(out, '\n');
    buf_append_slice(out, r->path);
    buf_append_byte(out, '\n');
    buf_append_slice(out, r->query);
    buf_append_byte(out, '\n');
    for (unsigned i = 0; i < r->field_count; i++) {
        buf_append_slice(out, sorted[i]->name);
        buf_append_byte(out, ':');
        append_trimmed(out, sorted[i]->value);
        buf_append_byte(out, '\n');
    }
    buf_append_byte(out, '\n');
    append_signed_names(out, sorted, r->field_count);
    buf_append_byte(out, '\n');
    buf_append_slice(out, r->payload);
}

static struct slice bytes_of(const uint8_t hash[static SHA256_BYTES])
{
    return (struct slice){hash, SHA256_BYTES};
}

static void make_key(const struct s3_to_sign *r, struct s3_signing_key *key)
{
    struct sha256 h;
    uint8_t of[SHA256_BYTES];
    char day[sizeof(key->day)];
    snprintf(day, sizeof(day), "%.8s", r->date);
    sha256_begin(&h);
    sha256_add(&h, r->secret_access_key.data, r->secret_access_key.len);
    sha256_end(&h, of);
    explicit_bzero(&h, sizeof(h));
    if (strcmp(key->day, day) == 0 && strcmp(key->region, r->region) == 0 &&
        memcmp(key->of, of, sizeof(of)) == 0)
        return;
    struct buf secret = {0};
    buf_reserve_exact(&secret, r->secret_access_key.len + 4);
    buf_append_text(&secret, "AWS4");
    buf_append_slice(&secret, r->secret_access_key);
    memcpy(key->day, day, sizeof(day));
    memcpy(key->of, of, sizeof(of));
    snprintf(key->region, sizeof(key->region), "%s", r->region);
    sha256_hmac(buf_slice(&secret), slice_of(day), key->key);
    sha256_hmac(bytes_of(key->key), slice_of(r->region), key->key);
    sha256_hmac(bytes_of(key->key), slice_of("s3"), key->key);
    sha256_hmac(bytes_of(key->key), slice_of("aws4_request"), key->key);
    secret_free(&secret);
}

static bool has(struct slice text, struct slice secret)
{
    return secret.len > 0 && memmem(text.data, text.len, secret.data, secret.len) != NULL;
}

void s3_append_shown(struct buf *out, struct slice canonical, struct slice token,
                     struct slice secret)
{
    static const char field[] = "x-amz-security-token:";
    size_t start = out->len;
    while (canonical.len > 0) {
        const uint8_t *end = memchr(canonical.data, '\n', canonical.len);
        size_t len = end != NULL ? (size_t)(end - canonical.data) : canonical.len;
        struct slice line = {canonical.data, len};
        if (slice_starts_with(line, field))
            buf_printf(out, "%s(not shown)", field);
        else
            buf_append_slice(out, line);
        len += end != NULL ? 1 : 0;
        if (end != NULL)
            buf_append_byte(out, '\n');
        canonical = (struct slice){canonical.data + len, canonical.len - len};
    }
    struct slice shown = {out->data + start, out->len - start};
    if (has(shown, token) || has(shown, secret)) {
        out->len = start;
        buf_append_text(out, "(not shown: it has a secret)");
    }
}

/* Room for all of it, so that no copy of a session token is left behind. */
static size_t longest_request(const struct s3_to_sign *r)
{
    size_t len = strlen(r->method) + r->path.len + r->query.len + r->payload.len + 16;
    for (unsigned i = 0; i < r->field_count; i++)
        len += 2 * r->fields[i].name.len + r->fields[i].value.len + 4;
    return len;
}

void s3_sign(struct buf *out, const struct s3_to_sign *r, struct s3_signing_key *key)
{
    const struct s3_pair *sorted[S3_PAIRS_MAX];
    char hash[SHA256_TEXT_MAX];
    uint8_t signature[SHA256_BYTES];
    struct buf text = {0};
    sort_fields(r, sorted);
    buf_reserve_exact(&text, longest_request(r));
    append_request(&text, r, sorted);
    sha256_text(buf_slice(&text), hash);
    if (r->canonical != NULL)
        s3_append_shown(r->canonical, buf_slice(&text), (struct slice){0}, r->secret_access_key);
    make_key(r, key);
    secret_free(&text);
    buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/s3/aws4_request\n%s", r->date, key->day,
               r->region, hash);
    sha256_hmac(bytes_of(key->key), buf_slice(&text), signature);
    sha256_format(signature, hash);
    if (r->to_sign != NULL)
        buf_append_slice(r->to_sign, buf_slice(&text));
    buf_append_text(out, "AWS4-HMAC-SHA256 Credential=");
    buf_append_slice(out, r->access_key_id);
    buf_printf(out, "/%s/%s/s3/aws4_request, SignedHeaders=", key->day, r->region);
    append_signed_names(out, sorted, r->field_count);
    buf_printf(out, ", Signature=%s", hash);
    buf_free(&text);
}
