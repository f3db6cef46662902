/* SPDX-License-Identifier: MIT */
#include "nats/creds.h"

#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/json.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* Take the next line off the front, trimmed. False at the end. */
static bool take_line(struct slice *file, struct slice *line)
{
    if (file->len == 0)
        return false;
    const uint8_t *end = memchr(file->data, '\n', file->len);
    size_t len = end != NULL ? (size_t)(end - file->data) : file->len;
    *line = trimmed((struct slice){file->data, len});
    len += end != NULL;
    file->data += len;
    file->len -= len;
    return true;
}

/* "-----BEGIN NATS USER JWT-----": at least three dashes on either side. */
static bool is_fence(struct slice line)
{
    return line.len >= 6 && memcmp(line.data, "---", 3) == 0 &&
           memcmp(line.data + line.len - 3, "---", 3) == 0;
}

/* The characters of a JWT or a seed. */
static bool is_value(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '_' && c != '-' && c != '.' && c != '=')
            return false;
    }
    return line.len > 0;
}

/* Take the next value between two fences off the front. */
static bool take_block(struct slice *file, struct slice *value)
{
    struct slice line;
    while (take_line(file, &line)) {
        struct slice rest = *file, fence;
        if (is_fence(line) && take_line(&rest, value) && is_value(*value) && !is_fence(*value) &&
            take_line(&rest, &fence) && is_fence(fence)) {
            *file = rest;
            return true;
        }
    }
    return false;
}

int nats_creds_parse(struct nats_creds *creds, struct slice file, struct err *err)
{
    struct slice rest = file;
    *creds = (struct nats_creds){0};
    if (take_block(&rest, &creds->jwt)) {
        if (!take_block(&rest, &creds->seed))
            creds->seed = (struct slice){0};
        return 0;
    }
    creds->jwt = trimmed(file);
    if (is_value(creds->jwt) && slice_starts_with(creds->jwt, "ey"))
        return 0;
    return err_set(err, ERR_FORMAT,
                   "it is not a credentials file: it has no JWT between -----BEGIN NATS USER "
                   "JWT----- and ------END NATS USER JWT------");
}

int nats_creds_find_seed(struct slice *seed, struct slice file, struct err *err)
{
    struct slice line;
    while (take_line(&file, &line)) {
        if (line.len != NATS_NKEY_SEED_TEXT || line.data[0] != 'S')
            continue;
        *seed = line;
        return 0;
    }
    return err_set(err, ERR_FORMAT, "no line of it is a seed: SU and %d more characters",
                   NATS_NKEY_SEED_TEXT - 2);
}

/* A time, in seconds. What no clock can show is not given. */
static int64_t get_time(const struct json *root, const char *key)
{
    uint64_t value;
    return json_get_u64(root, key, &value) && value <= INT64_MAX / 1000000000 ? (int64_t)value : 0;
}

static int read_claims(struct nats_jwt *jwt, const struct json *root, struct err *err)
{
    struct slice subject = {0}, type = {0};
    if (root == NULL || root->type != JSON_OBJECT)
        return err_set(err, ERR_FORMAT, "its JWT is damaged: its claims are not JSON");
    const struct json *nats = json_member(root, "nats");
    json_get_text(root, "sub", &subject);
    json_get_text(nats, "type", &type);
    if (type.len > 0 && !slice_is(type, "user"))
        return err_set(err, ERR_FORMAT, "its JWT is not that of a user");
    if (subject.len != NATS_NKEY_PUBLIC_TEXT || subject.data[0] != 'U')
        return err_set(err, ERR_FORMAT, "its JWT does not name a user's key");
    memcpy(jwt->subject, subject.data, subject.len);
    jwt->issued = get_time(root, "iat");
    jwt->not_before = get_time(root, "nbf");
    jwt->expires = get_time(root, "exp");
    json_get_bool(nats, "bearer_token", &jwt->bearer);
    return 0;
}

int nats_jwt_parse(struct nats_jwt *jwt, struct slice text, struct err *err)
{
    *jwt = (struct nats_jwt){0};
    const uint8_t *first = memchr(text.data, '.', text.len);
    const uint8_t *second =
        first != NULL ? memchr(first + 1, '.', text.len - (size_t)(first + 1 - text.data)) : NULL;
    if (second == NULL)
        return err_set(err, ERR_FORMAT, "its JWT is damaged: it has no three parts");
    struct buf claims = {0};
    struct arena arena = {0};
    struct err ignored = {0}; /* it would quote what is secret */
    const struct json *root = NULL;
    if (base64_decode_url(&claims, (struct slice){first + 1, (size_t)(second - first - 1)}))
        root = json_parse(&arena, buf_slice(&claims), &ignored);
    int result = read_claims(jwt, root, err);
    arena_free(&arena);
    buf_free(&claims);
    return result;
}
