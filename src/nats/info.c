/* SPDX-License-Identifier: MIT */
#include "nats/info.h"

#include "base/json.h"

/* Take a number off the front, and the dot behind it. */
static uint32_t take_part(struct slice *s)
{
    uint32_t value = 0;
    while (s->len > 0 && s->data[0] >= '0' && s->data[0] <= '9' && value < 100 * 1000 * 1000) {
        value = value * 10 + (uint32_t)(s->data[0] - '0');
        s->data++;
        s->len--;
    }
    if (s->len > 0 && s->data[0] == '.') {
        s->data++;
        s->len--;
    } else {
        s->len = 0;
    }
    return value;
}

struct nats_version nats_version_parse(struct slice text)
{
    if (slice_starts_with(text, "v")) {
        text.data++;
        text.len--;
    }
    struct nats_version v = {0};
    v.major = take_part(&text);
    v.minor = take_part(&text);
    v.patch = take_part(&text);
    return v;
}

bool nats_version_at_least(struct nats_version v, uint32_t major, uint32_t minor, uint32_t patch)
{
    if (v.major != major)
        return v.major > major;
    if (v.minor != minor)
        return v.minor > minor;
    return v.patch >= patch;
}

static void read_urls(struct nats_info *info, const struct json *urls)
{
    if (urls == NULL || urls->type != JSON_ARRAY)
        return;
    info->urls = arena_calloc(&info->arena, NATS_INFO_URLS_MAX, sizeof(*info->urls));
    for (const struct json *url = urls->first; url != NULL; url = url->next)
        if (url->type == JSON_STRING && info->url_count < NATS_INFO_URLS_MAX)
            info->urls[info->url_count++] = url->text;
}

int nats_info_parse(struct nats_info *info, struct slice json, struct err *err)
{
    struct nats_info fresh = {0};
    struct slice text = {(const uint8_t *)arena_text(&fresh.arena, json.data, json.len), json.len};
    const struct json *root = json_parse(&fresh.arena, text, err);
    if (root == NULL || root->type != JSON_OBJECT) {
        err_set(err, ERR_PROTOCOL, "it is not a JSON object");
        arena_free(&fresh.arena);
        err->code = ERR_PROTOCOL;
        return err_prefix(err, "the server's INFO");
    }

    json_get_text(root, "server_id", &fresh.server_id);
    json_get_text(root, "server_name", &fresh.server_name);
    json_get_text(root, "version", &fresh.version_text);
    json_get_text(root, "cluster", &fresh.cluster);
    json_get_text(root, "domain", &fresh.domain);
    json_get_text(root, "nonce", &fresh.nonce);
    json_get_text(root, "client_ip", &fresh.client_ip);
    json_get_u64(root, "client_id", &fresh.client_id);
    json_get_u64(root, "max_payload", &fresh.max_payload);
    json_get_u64(root, "proto", &fresh.proto);
    json_get_u64(root, "api_lvl", &fresh.api_level);
    json_get_bool(root, "headers", &fresh.headers);
    json_get_bool(root, "jetstream", &fresh.jetstream);
    json_get_bool(root, "auth_required", &fresh.auth_required);
    json_get_bool(root, "tls_required", &fresh.tls_required);
    json_get_bool(root, "tls_available", &fresh.tls_available);
    json_get_bool(root, "tls_verify", &fresh.tls_verify);
    json_get_bool(root, "ldm", &fresh.lame_duck);
    fresh.version = nats_version_parse(fresh.version_text);
    read_urls(&fresh, json_member(root, "connect_urls"));

    nats_info_free(info);
    *info = fresh;
    return 0;
}

void nats_info_free(struct nats_info *info)
{
    arena_free(&info->arena);
    *info = (struct nats_info){0};
}
