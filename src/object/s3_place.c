/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "object/s3_part.h"

/* The first that is not "". */
static void choose(struct buf *out, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count && out->len == 0; i++)
        buf_append_text(out, texts[i]);
}

static int find_region(const struct s3_options *o, struct s3_place *p, struct err *err)
{
    const char *const told[] = {o->region, s3_environment("AWS_REGION"),
                                s3_environment("AWS_DEFAULT_REGION")};
    struct buf region = {0};
    choose(&region, told, 3);
    if (region.len == 0 && !s3_profile_find(o->profile, "region", &region))
        buf_append_text(&region, "us-east-1");
    bool good = region.len < sizeof(p->region);
    for (size_t i = 0; i < region.len; i++) {
        uint8_t c = region.data[i];
        good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                        (c >= 'A' && c <= 'Z'));
    }
    int result = good ? 0 : err_set(err, ERR_USAGE, "\"%s\" is no region", buf_text(&region));
    if (good)
        snprintf(p->region, sizeof(p->region), "%s", buf_text(&region));
    buf_free(&region);
    return result;
}

static void name_aws_host(struct s3_place *p, const char *bucket)
{
    const char *end = strncmp(p->region, "cn-", 3) == 0 ? ".cn" : "";
    p->origin.tls = true;
    p->origin.port = 443;
    snprintf(p->origin.host, sizeof(p->origin.host), "%s%ss3.%s.amazonaws.com%s",
             p->virtual_host ? bucket : "", p->virtual_host ? "." : "", p->region, end);
}

bool s3_place_move(struct s3_place *place, const char *bucket, struct slice region)
{
    if (region.len == 0 || region.len >= sizeof(place->region) || slice_is(region, place->region))
        return false;
    for (size_t i = 0; i < region.len; i++)
        if ((region.data[i] < 'a' || region.data[i] > 'z') && region.data[i] != '-' &&
            (region.data[i] < '0' || region.data[i] > '9'))
            return false;
    memcpy(place->region, region.data, region.len);
    place->region[region.len] = '\0';
    if (!place->named)
        name_aws_host(place, bucket);
    return true;
}

/* "Bucket naming rules" of the user guide; other stores also take '_' and capitals. */
static int check_bucket(const char *bucket, struct err *err)
{
    size_t len = strlen(bucket);
    bool good = len >= 3 && len <= 63;
    for (size_t i = 0; i < len; i++) {
        char c = bucket[i];
        good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || (i > 0 && (c == '-' || c == '.' || c == '_')));
    }
    if (!good)
        return err_set(err, ERR_USAGE, "\"%s\" is no name of a bucket", bucket);
    if (text_ends_with(bucket, "--x-s3"))
        return err_set(
            err, ERR_UNSUPPORTED,
            "%s is a directory bucket (S3 Express), which lists in no order: varve needs "
            "a general purpose bucket",
            bucket);
    return 0;
}

/* Of the endpoint that was named somewhere. */
static int take_endpoint(const char *url, struct s3_place *p, struct err *err)
{
    const char *path;
    struct err why = {0};
    if (http_origin_parse(url, &p->origin, &path, &why) != 0)
        return err_set(err, ERR_USAGE,
                       "the endpoint %s: write it as https://host or http://host:port", why.text);
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    if (len + 70 > sizeof(p->base))
        return err_set(err, ERR_USAGE, "the path of the endpoint %s is too long", url);
    snprintf(p->base, sizeof(p->base), "%.*s", (int)len, path);
    p->named = true;
    p->aws = text_ends_with(p->origin.host, ".amazonaws.com") ||
             text_ends_with(p->origin.host, ".amazonaws.com.cn");
    return 0;
}

static int put_bucket(const struct s3_options *o, struct s3_place *p, struct err *err)
{
    size_t len = strlen(p->base);
    size_t name = strlen(o->bucket);
    bool dotted = strchr(o->bucket, '.') != NULL;
    /* Some write the bucket into the endpoint. */
    bool there = p->named && o->addressing != S3_ADDRESSING_PATH &&
                 strncmp(p->origin.host, o->bucket, name) == 0 && p->origin.host[name] == '.';
    /* No certificate for *.host covers a name with more dots. */
    p->virtual_host = there || o->addressing == S3_ADDRESSING_VIRTUAL ||
                      (o->addressing == S3_ADDRESSING_AUTO && p->aws && !dotted);
    if (!p->virtual_host)
        snprintf(p->base + len, sizeof(p->base) - len, "/%s", o->bucket);
    if (!p->named) {
        name_aws_host(p, o->bucket);
        return 0;
    }
    if (there || !p->virtual_host)
        return 0;
    char host[sizeof(p->origin.host)];
    if (snprintf(host, sizeof(host), "%s.%s", o->bucket, p->origin.host) >= (int)sizeof(host))
        return err_set(err, ERR_USAGE, "the host of the endpoint is too long");
    memcpy(p->origin.host, host, sizeof(host));
    return 0;
}

int s3_place_find(const struct s3_options *o, struct s3_place *out, struct err *err)
{
    const char *const told[] = {o->endpoint, s3_environment("AWS_ENDPOINT_URL_S3"),
                                s3_environment("AWS_ENDPOINT_URL")};
    struct buf endpoint = {0};
    *out = (struct s3_place){.aws = true};
    choose(&endpoint, told, 3);
    if (endpoint.len == 0)
        (void)s3_profile_find(o->profile, "endpoint_url", &endpoint);
    int result = check_bucket(o->bucket, err);
    if (result == 0)
        result = find_region(o, out, err);
    if (result == 0 && endpoint.len > 0)
        result = take_endpoint(buf_text(&endpoint), out, err);
    if (result == 0)
        result = put_bucket(o, out, err);
    buf_free(&endpoint);
    return result;
}
