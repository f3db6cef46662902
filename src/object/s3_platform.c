/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/time.h"
#include "net/http_client.h"
#include "object/s3_sign.h"
#include "object/s3_source.h"
#include "object/s3_xml.h"

/* Credentials from the platform that varve runs on, over HTTP. */

enum {
    ANSWER_MAX = 256 * 1024,
    TOKEN_FILE_MAX = 64 * 1024,
    ROLE_MAX = 256,
};

#define ASK_MAX (10 * CLOCK_SECOND)
#define MACHINE_MAX CLOCK_SECOND /* where nobody answers, nobody is there */
enum { MACHINE_TRIES = 3 };

/* One request to a service that is asked rarely. `url` has a path; `fields` are lines. */
struct inquiry {
    const char *method, *url;
    struct buf fields;
    struct slice body;
    int64_t patience;
};

static int ask_once(const struct s3_source *s, const struct inquiry *q, struct buf *body,
                    struct err *err)
{
    struct http_origin origin;
    struct http_answer answer;
    struct buf head = {0};
    const char *path;
    if (http_origin_parse(q->url, &origin, &path, err) != 0)
        return -1;
    struct http_client *client = http_client_new(&origin, "output.s3", s->ca_file, s->stop);
    buf_reserve_exact(&head, 4096 + q->fields.len);
    buf_printf(&head, "%s %s HTTP/1.1\r\nhost: ", q->method, path[0] != '\0' ? path : "/");
    http_origin_append(&head, &origin);
    buf_append_text(&head, "\r\nuser-agent: varve\r\nconnection: close\r\n");
    buf_append_slice(&head, buf_slice(&q->fields));
    if (q->body.len > 0 || strcmp(q->method, "GET") != 0)
        buf_printf(&head, "content-length: %zu\r\n", q->body.len);
    buf_append_text(&head, "\r\n");
    const struct http_question question = {
        .head = buf_slice(&head),
        .body = q->body,
        .body_max = ANSWER_MAX,
        .deadline = clock_monotonic() + q->patience,
    };
    buf_reserve_exact(body, ANSWER_MAX + 1);
    int result = -1;
    if (http_client_ask(client, &question, &answer, body, err) != HTTP_ANSWERED)
        (void)err_prefix(err, "%s", q->url);
    else if (answer.status != 200)
        (void)err_set(err, ERR_REFUSED, "%s answers with status %d", q->url, answer.status);
    else
        result = 0;
    http_client_free(client);
    secret_free(&head);
    return result;
}

/* {"AccessKeyId": .., "SecretAccessKey": .., "Token": .., "Expiration": ..} */
static int take_json(struct slice text, struct s3_credentials *out, struct err *err)
{
    struct arena arena = {0};
    struct slice id, secret, token, end;
    const struct json *json = json_parse(&arena, text, err);
    int result = -1;
    if (json != NULL && json_get_text(json, "AccessKeyId", &id) &&
        json_get_text(json, "SecretAccessKey", &secret)) {
        if (!json_get_text(json, "Token", &token))
            token = (struct slice){0};
        s3_credentials_set(out, id, secret, token);
        if (!json_get_text(json, "Expiration", &end) || !time_parse(end, &out->expires))
            out->expires = 0;
        result = 0;
    } else {
        (void)err_set(err, ERR_PROTOCOL, "the answer has no AccessKeyId and SecretAccessKey");
    }
    arena_free(&arena);
    return result;
}

static int read_token(const char *path, struct buf *out, struct err *err)
{
    if (secret_read(path, TOKEN_FILE_MAX, out, NULL, err) != 0)
        return err_prefix(err, "can't read %s", path);
    while (out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
        out->len--;
    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] < ' ')
            return err_set(err, ERR_USAGE, "%s is no token", path);
    return 0;
}

static bool take_field(struct slice document, const char *name, struct buf *out)
{
    char path[128];
    snprintf(path, sizeof(path),
             "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/%s",
             name);
    return xml_find(document, path, out);
}

static int take_role(struct slice document, struct s3_credentials *out, struct err *err)
{
    struct buf id = {0};
    struct buf secret = {0};
    struct buf token = {0};
    struct buf end = {0};
    int result = 0;
    buf_reserve_exact(&secret, XML_TEXT_MAX + 1);
    buf_reserve_exact(&token, XML_TEXT_MAX + 1);
    if (take_field(document, "AccessKeyId", &id) &&
        take_field(document, "SecretAccessKey", &secret) &&
        take_field(document, "SessionToken", &token)) {
        s3_credentials_set(out, buf_slice(&id), buf_slice(&secret), buf_slice(&token));
        if (!take_field(document, "Expiration", &end) ||
            !time_parse(buf_slice(&end), &out->expires))
            out->expires = 0;
    } else {
        result = err_set(err, ERR_PROTOCOL, "the token service's answer has no credentials");
    }
    buf_free(&id);
    secret_free(&secret);
    secret_free(&token);
    buf_free(&end);
    return result;
}

int s3_ask_web_identity(const struct s3_source *s, struct s3_credentials *out, struct err *err)
{
    const char *told = s3_environment("AWS_ENDPOINT_URL_STS");
    const char *session = s3_environment("AWS_ROLE_SESSION_NAME");
    char url[512];
    struct buf token = {0};
    struct buf form = {0};
    struct buf answer = {0};
    if (told[0] != '\0')
        snprintf(url, sizeof(url), "%s", told);
    else
        snprintf(url, sizeof(url), "https://sts.%s.amazonaws.com%s/", s->region,
                 strncmp(s->region, "cn-", 3) == 0 ? ".cn" : "");
    struct inquiry q = {.method = "POST", .url = url, .patience = ASK_MAX};
    buf_append_text(&q.fields, "content-type: application/x-www-form-urlencoded\r\n");
    int result = read_token(s3_environment("AWS_WEB_IDENTITY_TOKEN_FILE"), &token, err);
    if (result == 0) {
        const struct s3_pair pairs[] = {
            {slice_of("Action"), slice_of("AssumeRoleWithWebIdentity")},
            {slice_of("Version"), slice_of("2011-06-15")},
            {slice_of("DurationSeconds"), slice_of("3600")},
            {slice_of("RoleArn"), slice_of(s3_environment("AWS_ROLE_ARN"))},
            {slice_of("RoleSessionName"), slice_of(session[0] != '\0' ? session : "varve")},
            {slice_of("WebIdentityToken"), buf_slice(&token)},
        };
        buf_reserve_exact(&form, 3 * token.len + 8192);
        s3_encode_query(&form, pairs, sizeof(pairs) / sizeof(pairs[0]));
        q.body = buf_slice(&form);
        result = ask_once(s, &q, &answer, err);
    }
    if (result == 0)
        result = take_role(buf_slice(&answer), out, err);
    buf_free(&q.fields);
    secret_free(&token);
    secret_free(&form);
    secret_free(&answer);
    return result;
}

/* Over plain HTTP the token goes to this host alone, or to the agents that are part of it. */
static int check_agent(const char *url, struct err *err)
{
    static const char *const agents[] = {"localhost",     "127.0.0.1",      "::1",
                                         "169.254.170.2", "169.254.170.23", "fd00:ec2::23"};
    struct http_origin origin;
    const char *path;
    if (http_origin_parse(url, &origin, &path, err) != 0)
        return -1;
    if (origin.tls)
        return 0;
    for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
        if (strcmp(origin.host, agents[i]) == 0)
            return 0;
    return err_set(err, ERR_USAGE,
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI has to be https, or of this host: it is %s",
                   url);
}

int s3_ask_container(const struct s3_source *s, struct s3_credentials *out, struct err *err)
{
    const char *relative = s3_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *file = s3_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    char url[1024];
    struct buf token = {0};
    struct buf answer = {0};
    if (relative[0] != '\0')
        snprintf(url, sizeof(url), "http://169.254.170.2%s", relative);
    else
        snprintf(url, sizeof(url), "%s", s3_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    struct inquiry q = {.method = "GET", .url = url, .patience = ASK_MAX};
    int result = check_agent(url, err);
    if (result == 0 && file[0] != '\0')
        result = read_token(file, &token, err);
    else if (result == 0)
        buf_append_text(&token, s3_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    if (result == 0 && token.len > 0) {
        buf_reserve_exact(&q.fields, token.len + 64);
        buf_printf(&q.fields, "authorization: %s\r\n", buf_text(&token));
    }
    if (result == 0)
        result = ask_once(s, &q, &answer, err);
    if (result == 0)
        result = take_json(buf_slice(&answer), out, err);
    secret_free(&q.fields);
    secret_free(&token);
    secret_free(&answer);
    return result;
}

/* A path below /latest/ of the metadata service. */
static int ask_metadata(const struct s3_source *s, const char *method, const char *path,
                        const char *field, struct buf *answer, struct err *err)
{
    const char *told = s3_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    char url[1024];
    size_t len = strlen(told);
    while (len > 0 && told[len - 1] == '/')
        len--;
    snprintf(url, sizeof(url), "%.*s/latest/%s",
             (int)(len > 0 ? len : strlen("http://169.254.169.254")),
             len > 0 ? told : "http://169.254.169.254", path);
    struct inquiry q = {.method = method, .url = url, .patience = MACHINE_MAX};
    buf_append_text(&q.fields, field);
    int result = ask_once(s, &q, answer, err);
    secret_free(&q.fields);
    return result;
}

static int ask_machine_once(const struct s3_source *s, struct s3_credentials *out, struct err *err)
{
    static const char place[] = "meta-data/iam/security-credentials/";
    struct buf token = {0};
    struct buf role = {0};
    struct buf answer = {0};
    char field[512];
    char path[sizeof(place) + ROLE_MAX];
    int result = ask_metadata(s, "PUT", "api/token",
                              "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", &token, err);
    if (result == 0 && (token.len > 400 || memchr(buf_text(&token), '\n', token.len) != NULL))
        result = err_set(err, ERR_PROTOCOL, "the metadata service gives no token");
    if (result == 0) {
        snprintf(field, sizeof(field), "x-aws-ec2-metadata-token: %s\r\n", buf_text(&token));
        result = ask_metadata(s, "GET", place, field, &role, err);
    }
    if (result == 0) {
        size_t len = strcspn(buf_text(&role), "\r\n ?#/");
        snprintf(path, sizeof(path), "%s%.*s", place, len < ROLE_MAX ? (int)len : 0,
                 buf_text(&role));
        result = len > 0 && len < ROLE_MAX ? ask_metadata(s, "GET", path, field, &answer, err)
                                           : err_set(err, ERR_REFUSED, "this machine has no role");
    }
    if (result == 0)
        result = take_json(buf_slice(&answer), out, err);
    explicit_bzero(field, sizeof(field));
    secret_free(&token);
    buf_free(&role);
    secret_free(&answer);
    return result;
}

int s3_ask_machine(const struct s3_source *s, struct s3_credentials *out, struct err *err)
{
    struct err why = {0};
    for (int i = 0; i < MACHINE_TRIES; i++) {
        err_clear(&why);
        if (ask_machine_once(s, out, &why) == 0)
            return 0;
        if (why.code != ERR_NETWORK)
            break;
    }
    return err_set(err, why.code,
                   "%s (in a container the limit of hops of the instance's metadata has to be 2)",
                   why.text);
}
