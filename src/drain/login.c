/* SPDX-License-Identifier: MIT */
#include "drain/login.h"

#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/time.h"
#include "base/utf8.h"

/* How the configuration calls the files. */
static const char *const file_keys[LOGIN_KEYS] = {
    [LOGIN_KEY_USER] = "nats.user_file",
    [LOGIN_KEY_PASSWORD] = "nats.password_file",
    [LOGIN_KEY_TOKEN] = "nats.token_file",
    [LOGIN_KEY_SEED] = "nats.nkey_seed_file",
    [LOGIN_KEY_CREDENTIALS] = "nats.credentials_file",
};

/* With room for the NUL of buf_text: a buffer that grows leaves a copy behind. */
static void append_secret(struct buf *b, struct slice text)
{
    buf_reserve_exact(b, text.len + 1);
    buf_append_slice(b, text);
}

static void set_text(struct buf *b, const char *text)
{
    secret_free(b);
    append_secret(b, slice_of(text));
}

void login_configure(struct login *l, const struct config_nats *nats)
{
    set_text(&l->configured[LOGIN_KEY_USER], nats->user);
    set_text(&l->configured[LOGIN_KEY_PASSWORD], nats->password);
    set_text(&l->configured[LOGIN_KEY_TOKEN], nats->token);
    set_text(&l->files[LOGIN_KEY_USER], nats->user_file);
    set_text(&l->files[LOGIN_KEY_PASSWORD], nats->password_file);
    set_text(&l->files[LOGIN_KEY_TOKEN], nats->token_file);
    set_text(&l->files[LOGIN_KEY_SEED], nats->nkey_seed_file);
    set_text(&l->files[LOGIN_KEY_CREDENTIALS], nats->credentials_file);
}

static void judge_mode(struct login *l, enum login_key key, const char *path, mode_t mode)
{
    bool read = (mode & S_IROTH) != 0;
    if (!secret_is_exposed(mode))
        return;
    buf_printf(&l->exposed, "%s %s: others can %s it (mode %04o): chmod 400\n", file_keys[key],
               path, read ? "read" : "change", (unsigned)(mode & 07777));
}

static int read_file(struct login *l, enum login_key key, struct buf *out, struct err *err)
{
    const char *path = buf_text(&l->files[key]);
    mode_t mode = 0;
    int result = secret_read(path, NATS_CREDS_MAX, out, &mode, err);
    judge_mode(l, key, path, mode);
    return result == 0 ? 0 : err_prefix(err, "%s %s", file_keys[key], path);
}

/* A user, password or token: one line, whose end is not part of it. */
static int read_text(struct login *l, enum login_key key, struct err *err)
{
    struct buf *said = &l->said[key];
    if (l->files[key].len == 0) {
        append_secret(said, buf_slice(&l->configured[key]));
        return 0;
    }
    if (read_file(l, key, said, err) != 0)
        return -1;
    if (said->len > 0 && said->data[said->len - 1] == '\n')
        said->len--;
    if (said->len > 0 && said->data[said->len - 1] == '\r')
        said->len--;
    const char *wrong = NULL;
    if (said->len == 0)
        wrong = "it is empty";
    else if (!utf8_valid(buf_slice(said)))
        wrong = "it is not UTF-8";
    for (size_t i = 0; i < said->len && wrong == NULL; i++)
        if (said->data[i] < ' ' || said->data[i] == 0x7F)
            wrong = "it has more than one line, or a control character";
    if (wrong != NULL)
        return err_set(err, ERR_FORMAT, "%s %s: %s", file_keys[key], buf_text(&l->files[key]),
                       wrong);
    return 0;
}

static int read_nkey(struct login *l, struct err *err)
{
    struct buf file = {0};
    struct slice seed;
    int result = read_file(l, LOGIN_KEY_SEED, &file, err);
    if (result == 0 && (nats_creds_find_seed(&seed, buf_slice(&file), err) != 0 ||
                        nats_nkey_read_seed(&l->key, seed, err) != 0))
        result = err_prefix(err, "%s %s", file_keys[LOGIN_KEY_SEED],
                            buf_text(&l->files[LOGIN_KEY_SEED]));
    secret_free(&file);
    return result;
}

static int check_seed(struct login *l, const struct nats_creds *creds, struct err *err)
{
    if (creds->seed.len == 0)
        return l->jwt.bearer ? 0
                             : err_set(err, ERR_FORMAT,
                                       "it has no seed, and its JWT is not that of a bearer");
    if (nats_nkey_read_seed(&l->key, creds->seed, err) != 0)
        return -1;
    if (strcmp(l->key.public_text, l->jwt.subject) != 0)
        return err_set(err, ERR_FORMAT, "its seed is not that of the user in its JWT");
    return 0;
}

static int read_credentials(struct login *l, struct err *err)
{
    struct buf file = {0};
    struct nats_creds creds;
    int result = read_file(l, LOGIN_KEY_CREDENTIALS, &file, err);
    if (result == 0 &&
        (nats_creds_parse(&creds, buf_slice(&file), err) != 0 ||
         nats_jwt_parse(&l->jwt, creds.jwt, err) != 0 || check_seed(l, &creds, err) != 0))
        result = err_prefix(err, "%s %s", file_keys[LOGIN_KEY_CREDENTIALS],
                            buf_text(&l->files[LOGIN_KEY_CREDENTIALS]));
    if (result == 0)
        append_secret(&l->said[LOGIN_KEY_CREDENTIALS], creds.jwt);
    secret_free(&file);
    return result;
}

static bool is_given(const struct login *l, enum login_key key)
{
    return l->configured[key].len > 0 || l->files[key].len > 0;
}

static enum login_way choose_way(const struct login *l, const struct nats_url *url)
{
    if (url->token[0] != '\0' || url->user[0] != '\0')
        return LOGIN_URL;
    if (is_given(l, LOGIN_KEY_CREDENTIALS))
        return LOGIN_CREDENTIALS;
    if (is_given(l, LOGIN_KEY_SEED))
        return LOGIN_NKEY;
    if (is_given(l, LOGIN_KEY_USER))
        return LOGIN_USER;
    return is_given(l, LOGIN_KEY_TOKEN) ? LOGIN_TOKEN : LOGIN_NONE;
}

static int read_way(struct login *l, const struct nats_url *url, struct err *err)
{
    switch (l->way) {
    case LOGIN_NONE:
        return 0;
    case LOGIN_URL:
        append_secret(&l->said[LOGIN_KEY_USER], slice_of(url->user));
        append_secret(&l->said[LOGIN_KEY_PASSWORD], slice_of(url->password));
        append_secret(&l->said[LOGIN_KEY_TOKEN], slice_of(url->token));
        return 0;
    case LOGIN_USER:
        return read_text(l, LOGIN_KEY_USER, err) != 0 ? -1 : read_text(l, LOGIN_KEY_PASSWORD, err);
    case LOGIN_TOKEN:
        return read_text(l, LOGIN_KEY_TOKEN, err);
    case LOGIN_NKEY:
        return read_nkey(l, err);
    case LOGIN_CREDENTIALS:
        return read_credentials(l, err);
    }
    return 0;
}

/* Once for each connection: the key is gone afterwards. */
static bool sign(void *signer, struct slice nonce, uint8_t signature[64])
{
    struct login *l = signer;
    nats_nkey_sign(&l->key, nonce, signature);
    nats_nkey_wipe(&l->key);
    return true;
}

/* The engine's NULL is "not given". */
static const char *given(struct buf *text)
{
    return text->len > 0 ? buf_text(text) : NULL;
}

void login_files(struct login *l, struct secret_files *files)
{
    for (int i = 0; i < LOGIN_KEYS; i++)
        secret_files_add(files, buf_text(&l->files[i]), NATS_CREDS_MAX);
}

int login_prepare(struct login *l, const struct nats_url *url, struct nats_credentials *out,
                  struct err *err)
{
    login_forget(l);
    buf_reset(&l->exposed);
    l->jwt = (struct nats_jwt){0};
    l->way = choose_way(l, url);
    if (read_way(l, url, err) != 0) {
        login_forget(l);
        return -1;
    }
    bool signs = l->key.public_text[0] != '\0';
    *out = (struct nats_credentials){
        .user = given(&l->said[LOGIN_KEY_USER]),
        .password = given(&l->said[LOGIN_KEY_PASSWORD]),
        .token = given(&l->said[LOGIN_KEY_TOKEN]),
        .jwt = given(&l->said[LOGIN_KEY_CREDENTIALS]),
        .sign = signs ? sign : NULL,
        .signer = l,
    };
    if (l->way == LOGIN_NKEY) {
        buf_append_text(&l->said[LOGIN_KEY_SEED], l->key.public_text);
        out->nkey = buf_text(&l->said[LOGIN_KEY_SEED]);
    }
    return 0;
}

void login_forget(struct login *l)
{
    for (int i = 0; i < LOGIN_KEYS; i++)
        secret_free(&l->said[i]);
    nats_nkey_wipe(&l->key);
}

int64_t login_expires(const struct login *l)
{
    return l->jwt.expires > 0 ? l->jwt.expires * CLOCK_SECOND : INT64_MAX;
}

int64_t login_expires_soon(const struct login *l)
{
    const int64_t day = 86400, life = l->jwt.expires - l->jwt.issued;
    int64_t before = life > 0 && life / 4 < day ? life / 4 : day;
    return l->jwt.expires > before ? (l->jwt.expires - before) * CLOCK_SECOND : login_expires(l);
}

bool login_look(struct login *l, const struct nats_url *url, bool told)
{
    struct nats_credentials ignored;
    struct err err = {0};
    char time[TIME_TEXT_MAX];
    time_format(login_expires(l), 0, time);
    bool read = login_prepare(l, url, &ignored, &err) == 0;
    login_forget(l);
    bool runs_out = !read || clock_wall() >= login_expires_soon(l);
    if (runs_out && !told)
        log_message(LOG_WARNING, "login_expires",
                    "the JWT in nats.credentials_file runs out at %s: renew the file%s%s", time,
                    read ? "" : "; ", err.text);
    return runs_out;
}

static void append_time(struct buf *out, int64_t seconds)
{
    char text[TIME_TEXT_MAX];
    time_format(seconds * CLOCK_SECOND, 0, text);
    buf_append_text(out, text);
}

/* All that a server says of a JWT that it does not take is "Authorization Violation". */
static void explain_jwt(const struct login *l, int64_t wall, struct buf *out)
{
    int64_t now = wall / CLOCK_SECOND;
    if (l->jwt.expires > 0 && now >= l->jwt.expires) {
        buf_append_text(out, "the JWT in nats.credentials_file expired at ");
        append_time(out, l->jwt.expires);
        buf_append_text(out, ": renew it");
    } else if (now < l->jwt.not_before) {
        buf_append_text(out, "the JWT in nats.credentials_file is not valid before ");
        append_time(out, l->jwt.not_before);
    } else {
        buf_printf(out,
                   "user %s is revoked, its account is expired or unknown to this server, or the "
                   "JWT forbids this time or address: renew nats.credentials_file",
                   l->jwt.subject);
    }
}

static void explain_violation(const struct login *l, int64_t wall, struct buf *out)
{
    switch (l->way) {
    case LOGIN_NONE:
        buf_append_text(out, "it wants to know who we are: set nats.credentials_file, "
                             "nats.nkey_seed_file, nats.user or nats.token");
        break;
    case LOGIN_URL:
        buf_append_text(out, "check the user, password or token in the URL in nats.servers");
        break;
    case LOGIN_USER:
        buf_append_text(out, "check nats.user and nats.password");
        break;
    case LOGIN_TOKEN:
        buf_append_text(out, "check nats.token");
        break;
    case LOGIN_NKEY:
        buf_append_text(out, "it does not know the key in nats.nkey_seed_file");
        break;
    case LOGIN_CREDENTIALS:
        explain_jwt(l, wall, out);
        break;
    }
}

void login_explain(const struct login *l, enum nats_error_kind kind, int64_t wall, struct buf *out)
{
    switch (kind) {
    case NATS_ERROR_AUTHORIZATION:
        explain_violation(l, wall, out);
        break;
    case NATS_ERROR_AUTHENTICATION_EXPIRED:
        buf_append_text(out, "its JWT ran out: renew nats.credentials_file, or the account");
        break;
    case NATS_ERROR_AUTHENTICATION_REVOKED:
        buf_append_text(out, "the user was revoked: set nats.credentials_file to another one's");
        break;
    case NATS_ERROR_AUTHENTICATION_TIMEOUT:
        buf_append_text(out, "the login took too long: the network or one of the hosts is slow; "
                             "authorization.timeout on the server is how long it waits");
        break;
    case NATS_ERROR_CONNECTIONS_EXCEEDED:
        buf_append_text(out, "no connection is free: close others, or raise the limit of the "
                             "account or of the server (max_connections)");
        break;
    case NATS_ERROR_CONTROL_LINE:
        buf_append_text(out, "the login is longer than its max_control_line: raise that, or use "
                             "a shorter JWT");
        break;
    case NATS_ERROR_TLS_REQUIRED:
        buf_append_text(out, "it wants TLS: set nats.tls.enabled");
        break;
    case NATS_ERROR_THROTTLED:
        buf_append_text(out, "it is asked to connect too often at the moment");
        break;
    case NATS_ERROR_WRONG_PORT:
        buf_append_text(out,
                        "it is a port for other servers: set nats.servers to that for clients");
        break;
    case NATS_ERROR_ACCOUNT_REGISTRATION:
    case NATS_ERROR_OTHER:
    case NATS_ERROR_UNKNOWN_OPERATION:
    case NATS_ERROR_PAYLOAD_SIZE:
    case NATS_ERROR_STALE_CONNECTION:
    case NATS_ERROR_SUBSCRIPTIONS_EXCEEDED:
    case NATS_ERROR_PUBLISH_PERMISSION:
    case NATS_ERROR_SUBSCRIBE_PERMISSION:
    case NATS_ERROR_INVALID_SUBJECT:
    case NATS_ERROR_CLIENT_PROTOCOL:
        break;
    }
}

void login_free(struct login *l)
{
    login_forget(l);
    for (int i = 0; i < LOGIN_KEYS; i++) {
        secret_free(&l->configured[i]);
        secret_free(&l->files[i]);
    }
    buf_free(&l->exposed);
}
