/* SPDX-License-Identifier: MIT */
#include "watch/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"

enum { TOKEN_MAX = 512 }; /* longer ones are asked for by nobody, and a header has 8 KiB */

/* What was read, of at most TOKEN_MAX + 2 bytes. */
static int take_token(struct buf *out, const char *path, struct slice text, struct err *err)
{
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    bool good = text.len > 0 && text.len <= TOKEN_MAX;
    for (size_t i = 0; i < text.len && good; i++)
        good = text.data[i] > ' ' && text.data[i] < 0x7f;
    if (!good)
        return err_set(err, ERR_USAGE,
                       "metrics.token_file %s: it needs one line of 1 to %d visible characters",
                       path, (int)TOKEN_MAX);
    buf_append_slice(out, text);
    return 0;
}

int guard_read_token(struct buf *out, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_system(err, errno, "metrics.token_file %s", path);
    uint8_t text[TOKEN_MAX + 2];
    ssize_t got = read(fd, text, sizeof(text));
    int error = errno;
    (void)close(fd); /* it was only read */
    if (got < 0)
        return err_set_system(err, error, "metrics.token_file %s", path);
    return take_token(out, path, (struct slice){text, (size_t)got}, err);
}

struct tls_options guard_tls_options(const struct config *config)
{
    return (struct tls_options){
        .section = "metrics.tls",
        .ca_file = "",
        .cert_file = config->metrics.tls.cert_file,
        .key_file = config->metrics.tls.key_file,
        .key_password = "",
        .key_password_file = config->metrics.tls.key_password_file,
    };
}

/* The token once more: a pipe gives it once. */
static int renew_token(const struct guard *g, const char *path, struct buf *out, struct err *err)
{
    struct buf text = {0};
    mode_t mode;
    if (secret_mode(path, &mode) && !S_ISREG(mode)) {
        buf_append_slice(out, buf_slice(&g->token));
        return 0;
    }
    int result = secret_read(path, TOKEN_MAX + 2, &text, NULL, err);
    if (result != 0)
        result = err_prefix(err, "metrics.token_file %s", path);
    else
        result = take_token(out, path, buf_slice(&text), err);
    secret_free(&text);
    return result;
}

/* All of it, or nothing. */
static int read_files(struct guard *g, struct http_server *server, struct err *err)
{
    const struct config *config = g->config;
    struct buf token = {0};
    struct tls_options options = guard_tls_options(config);
    struct tls_server *tls = NULL;
    struct tls_facts facts = {0};
    const char *token_file = config->metrics.token_file;
    int result = 0;
    if (g->token.len > 0)
        result = renew_token(g, token_file, &token, err);
    else if (token_file[0] != '\0')
        result = guard_read_token(&token, token_file, err);
    if (result != 0)
        goto failed;
    if (options.cert_file[0] != '\0' && (tls = tls_server_new(&options, &facts, err)) == NULL) {
        err_prefix(err, "metrics.tls");
        goto failed;
    }
    if (facts.key_mode != 0)
        log_message(LOG_WARNING, "tls_files",
                    "metrics.tls.key_file %s: others can read or change it (mode %04o): chmod 400",
                    options.key_file, facts.key_mode);
    secret_free(&g->token);
    tls_server_free(g->tls);
    g->token = token;
    g->tls = tls;
    g->expires = facts.expires;
    server->token = token.len > 0 ? buf_text(&g->token) : NULL;
    server->tls = tls;
    return 0;
failed:
    secret_free(&token);
    return -1;
}

int guard_open(struct guard *g, const struct config *config, struct http_server *server,
               struct err *err)
{
    if (server->listener < 0)
        return 0;
    g->config = config;
    if (read_files(g, server, err) != 0)
        return -1;
    if (!config_listens_here(config) && server->token == NULL)
        log_message(LOG_WARNING, "listening",
                    "whoever can reach %s can read the status page and the metrics: set "
                    "metrics.token_file, or listen at 127.0.0.1",
                    server->address);
    else if (!config_listens_here(config) && server->tls == NULL)
        log_message(LOG_WARNING, "listening",
                    "the token of metrics.token_file comes to %s in the clear: set "
                    "metrics.tls.cert_file, or listen at 127.0.0.1",
                    server->address);
    log_message(LOG_INFO, "listening", "%s://%s/", server->tls != NULL ? "https" : "http",
                server->address);
    return 0;
}

void guard_files(const struct guard *g, struct secret_files *files)
{
    if (g->config == NULL)
        return;
    struct tls_options options = guard_tls_options(g->config);
    secret_files_add(files, g->config->metrics.token_file, TOKEN_MAX + 2);
    options.insecure = true; /* it looks at nobody's certificate */
    tls_files(&options, files);
}

void guard_reload(struct guard *g, struct http_server *server)
{
    struct err err = {0};
    if (g->config != NULL && read_files(g, server, &err) != 0)
        log_message(LOG_ERROR, "reload_failed", "%s; what was read before stays in force",
                    err.text);
}

void guard_close(struct guard *g)
{
    secret_free(&g->token);
    tls_server_free(g->tls);
    *g = (struct guard){0};
}
