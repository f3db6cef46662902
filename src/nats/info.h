/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_INFO_H
#define VARVE_NATS_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* "2.10.14-beta.1" gives 2, 10, 14; a part that is missing or no number is 0. */
struct nats_version {
    uint32_t major, minor, patch;
};

struct nats_version nats_version_parse(struct slice text);

/* True if `v` is at least major.minor.patch. */
bool nats_version_at_least(struct nats_version v, uint32_t major, uint32_t minor, uint32_t patch);

/*
 * What a server says about itself (type Info in nats-server's server.go). It owns its memory; a
 * zeroed struct is empty. Fields that were missing are empty, 0 or false.
 */
struct nats_info {
    struct arena arena; /* holds all slices below */
    struct slice server_id, server_name, version_text, cluster, domain, nonce, client_ip;
    struct nats_version version;
    uint64_t client_id, max_payload, proto, api_level;
    bool headers, jetstream, auth_required, tls_required, tls_available, tls_verify;
    bool lame_duck;     /* the server is about to go away */
    struct slice *urls; /* connect_urls: "host:port" of other servers, unchecked */
    size_t url_count;
};

enum { NATS_INFO_URLS_MAX = 256 };

/* Replace the content by that of an INFO frame. On failure *info is left as it was. */
int nats_info_parse(struct nats_info *info, struct slice json, struct err *err)
    __attribute__((warn_unused_result));

void nats_info_free(struct nats_info *info);

#endif
