/* SPDX-License-Identifier: MIT */
#include "drain/trouble.h"

#include <string.h>

#include "base/log.h"

static const char *const names[TROUBLES] = {
    [TROUBLE_UNREACHABLE] = "unreachable",     [TROUBLE_TLS] = "tls",
    [TROUBLE_LOGIN_FILE] = "login_file",       [TROUBLE_LOGIN_REFUSED] = "login_refused",
    [TROUBLE_LOGIN_EXPIRED] = "login_expired", [TROUBLE_LOGIN_REVOKED] = "login_revoked",
    [TROUBLE_LOGIN_TIMEOUT] = "login_timeout", [TROUBLE_TOO_MANY] = "too_many_connections",
    [TROUBLE_SERVER] = "server_error",
};

const char *trouble_name(enum trouble trouble)
{
    return names[trouble];
}

enum trouble trouble_of(const struct login *l, enum nats_error_kind kind, int64_t wall)
{
    switch (kind) {
    case NATS_ERROR_AUTHORIZATION:
        return wall >= login_expires(l) ? TROUBLE_LOGIN_EXPIRED : TROUBLE_LOGIN_REFUSED;
    case NATS_ERROR_AUTHENTICATION_EXPIRED:
        return TROUBLE_LOGIN_EXPIRED;
    case NATS_ERROR_AUTHENTICATION_REVOKED:
        return TROUBLE_LOGIN_REVOKED;
    case NATS_ERROR_AUTHENTICATION_TIMEOUT:
        return TROUBLE_LOGIN_TIMEOUT;
    case NATS_ERROR_CONNECTIONS_EXCEEDED:
        return TROUBLE_TOO_MANY;
    case NATS_ERROR_OTHER:
    case NATS_ERROR_UNKNOWN_OPERATION:
    case NATS_ERROR_CONTROL_LINE:
    case NATS_ERROR_PAYLOAD_SIZE:
    case NATS_ERROR_STALE_CONNECTION:
    case NATS_ERROR_SUBSCRIPTIONS_EXCEEDED:
    case NATS_ERROR_PUBLISH_PERMISSION:
    case NATS_ERROR_SUBSCRIBE_PERMISSION:
    case NATS_ERROR_INVALID_SUBJECT:
    case NATS_ERROR_TLS_REQUIRED:
    case NATS_ERROR_THROTTLED:
    case NATS_ERROR_CLIENT_PROTOCOL:
    case NATS_ERROR_WRONG_PORT:
    case NATS_ERROR_ACCOUNT_REGISTRATION:
        break;
    }
    return TROUBLE_SERVER;
}

void trouble_describe(const struct login *l, const struct nats_server_error *error, bool was_ready,
                      int64_t wall, struct buf *out)
{
    const size_t shown = 100;
    struct buf why = {0};
    buf_append_text(out, was_ready ? "it closed the connection ("
                                   : "it was reached and refused the login (");
    for (size_t i = 0; i < error->text.len && i < shown; i++) {
        uint8_t byte = error->text.data[i];
        buf_append_byte(out, byte >= ' ' && byte < 0x7F ? byte : '?');
    }
    login_explain(l, error->kind, wall, &why);
    buf_printf(out, ")%s%s", why.len > 0 ? ": " : "", buf_text(&why));
    buf_free(&why);
}

void trouble_list(const struct nats_pool *pool, struct buf *out)
{
    unsigned shown = 0, more = 0;
    for (size_t i = 0; i < pool->count; i++) {
        const struct nats_server *server = &pool->servers[i];
        char address[NATS_ADDRESS_MAX];
        if (server->reason[0] == '\0' || shown == TROUBLE_SERVERS_SHOWN) {
            more += server->reason[0] != '\0';
            continue;
        }
        nats_url_format(&server->url, address);
        buf_printf(out, "%s%s: %s", shown > 0 ? "; " : "", address, server->reason);
        shown++;
    }
    if (more > 0)
        buf_printf(out, "; and %u more servers", more);
}

void trouble_log_exposed(struct buf *told, const struct buf *exposed)
{
    if (slice_equal(buf_slice(told), buf_slice(exposed)))
        return;
    buf_reset(told);
    buf_append_slice(told, buf_slice(exposed));
    struct slice rest = buf_slice(told);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        int len = (int)(end - rest.data);
        log_message(LOG_WARNING, "login_file", "%.*s", len, (const char *)rest.data);
        rest = (struct slice){end + 1, rest.len - (size_t)len - 1};
    }
}
