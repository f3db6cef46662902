/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/secret.h"
#include "object/s3_part.h"
#include "object/s3_xml.h"

/* A signature that the store does not find: what was signed on both sides, line for line, shows a
 * proxy that rewrites requests, and an encoding that the store has another view of; where both are
 * the same it is the secret. */

enum { SHOWN_MAX = 3000 /* of a text, which has to fit into a line of the log */ };

static void put(struct log_line *line, const char *key, struct slice text)
{
    log_bytes(line, key, text.data, (size_t)num_least_u64(text.len, SHOWN_MAX));
}

static void log_texts(const struct s3_call *c, const char *of, struct slice canonical,
                      struct slice to_sign)
{
    struct log_line line;
    log_begin(&line, LOG_DEBUG, "object_store_signature");
    log_text(&line, "bucket", c->client->bucket);
    log_text(&line, "of", of);
    put(&line, "string_to_sign", to_sign);
    put(&line, "canonical_request", canonical);
    log_end(&line);
}

/* An element of the error, without what is secret in it. */
static void find_shown(const struct s3_call *c, const char *path, struct buf *out)
{
    struct buf told = {0};
    buf_reserve_exact(&told, XML_TEXT_MAX + 1);
    if (xml_find(buf_slice(&c->client->answer), path, &told))
        s3_append_shown(out, buf_slice(&told), buf_slice(&c->who->session_token),
                        buf_slice(&c->who->secret_access_key));
    secret_free(&told);
}

void s3_log_signature(const struct s3_call *c)
{
    struct buf canonical = {0}, to_sign = {0};
    if (!log_enabled(LOG_DEBUG))
        return;
    log_texts(c, "ours", buf_slice(&c->client->canonical), buf_slice(&c->client->to_sign));
    find_shown(c, "Error/CanonicalRequest", &canonical);
    find_shown(c, "Error/StringToSign", &to_sign);
    if (canonical.len > 0 || to_sign.len > 0)
        log_texts(c, "store", buf_slice(&canonical), buf_slice(&to_sign));
    buf_free(&canonical);
    buf_free(&to_sign);
}
