/* SPDX-License-Identifier: MIT */
#include "object/s3_credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "object/s3_source.h"

#define RENEW_BEFORE (300 * CLOCK_SECOND) /* of the end */
#define RENEW_PAUSE (30 * CLOCK_SECOND)   /* between attempts that fail, while the old ones last */

enum { SHARED_FILE_MAX = 1024 * 1024 };

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && strchr(" \t\r", s.data[0]) != NULL && s.data[0] != '\0')
        s = (struct slice){s.data + 1, s.len - 1};
    while (s.len > 0 && strchr(" \t\r", s.data[s.len - 1]) != NULL && s.data[s.len - 1] != '\0')
        s.len--;
    return s;
}

static bool is_section(struct slice line, const char *section)
{
    if (line.len < 2 || line.data[line.len - 1] != ']')
        return false;
    return slice_is(trimmed((struct slice){line.data + 1, line.len - 2}), section);
}

bool s3_ini_find(struct slice file, const char *section, const char *key, struct slice *value)
{
    bool inside = false, found = false;
    while (file.len > 0) {
        const uint8_t *end = memchr(file.data, '\n', file.len);
        size_t len = end != NULL ? (size_t)(end - file.data) : file.len;
        struct slice line = trimmed((struct slice){file.data, len});
        len += end != NULL ? 1 : 0;
        file = (struct slice){file.data + len, file.len - len};
        if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
            continue;
        if (line.data[0] == '[') {
            inside = is_section(line, section);
            continue;
        }
        const uint8_t *equals = memchr(line.data, '=', line.len);
        if (!inside || equals == NULL)
            continue;
        size_t name = (size_t)(equals - line.data);
        if (!slice_is(trimmed((struct slice){line.data, name}), key))
            continue;
        *value = trimmed((struct slice){equals + 1, line.len - name - 1});
        found = true;
    }
    return found;
}

const char *s3_environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

static const char *profile_name(const char *profile)
{
    if (profile[0] != '\0')
        return profile;
    const char *told = s3_environment("AWS_PROFILE");
    return told[0] != '\0' ? told : "default";
}

/* Look in one of the shared files. One that is not there, or can't be read, has nothing. */
static bool find_in_file(const char *variable, const char *place, const char *section,
                         const char *key, struct buf *out)
{
    struct buf path = {0};
    struct buf file = {0};
    struct slice value;
    struct err ignored = {0};
    const char *told = s3_environment(variable);
    if (told[0] != '\0')
        buf_append_text(&path, told);
    else
        buf_printf(&path, "%s/.aws/%s", s3_environment("HOME"), place);
    bool found = secret_read(buf_text(&path), SHARED_FILE_MAX, &file, NULL, &ignored) == 0 &&
                 s3_ini_find(buf_slice(&file), section, key, &value) && value.len > 0;
    if (found)
        buf_append_slice(out, value);
    secret_free(&file);
    buf_free(&path);
    return found;
}

bool s3_profile_find(const char *profile, const char *key, struct buf *out)
{
    const char *name = profile_name(profile);
    struct buf section = {0};
    if (strcmp(name, "default") != 0)
        buf_append_text(&section, "profile ");
    buf_append_text(&section, name);
    bool found = find_in_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", name, key, out) ||
                 find_in_file("AWS_CONFIG_FILE", "config", buf_text(&section), key, out);
    buf_free(&section);
    return found;
}

void s3_credentials_free(struct s3_credentials *c)
{
    secret_free(&c->access_key_id);
    secret_free(&c->secret_access_key);
    secret_free(&c->session_token);
    c->expires = 0;
}

void s3_credentials_set(struct s3_credentials *c, struct slice id, struct slice secret,
                        struct slice token)
{
    s3_credentials_free(c);
    buf_reserve_exact(&c->access_key_id, id.len + 1);
    buf_append_slice(&c->access_key_id, id);
    buf_reserve_exact(&c->secret_access_key, secret.len + 1);
    buf_append_slice(&c->secret_access_key, secret);
    buf_reserve_exact(&c->session_token, token.len + 1);
    buf_append_slice(&c->session_token, token);
}

static int ask_profile(const struct s3_source *s, struct s3_credentials *out, struct err *err)
{
    const char *profile = s->profile;
    struct buf id = {0};
    struct buf secret = {0};
    struct buf token = {0};
    int result = 0;
    /* Room for what a secret may have, so that no copy of it is left behind. */
    buf_reserve_exact(&secret, 4096);
    buf_reserve_exact(&token, 64 * 1024);
    if (!s3_profile_find(profile, "aws_access_key_id", &id) ||
        !s3_profile_find(profile, "aws_secret_access_key", &secret))
        result = err_set(err, ERR_USAGE,
                         "the profile %s has no aws_access_key_id and aws_secret_access_key any "
                         "more",
                         profile_name(profile));
    (void)s3_profile_find(profile, "aws_session_token", &token);
    if (result == 0)
        s3_credentials_set(out, buf_slice(&id), buf_slice(&secret), buf_slice(&token));
    buf_free(&id);
    secret_free(&secret);
    secret_free(&token);
    return result;
}

static int ask(struct s3_source *s, struct s3_credentials *out, struct err *err)
{
    switch (s->kind) {
    case S3_SOURCE_FIXED:
        s3_credentials_set(out, slice_of(s->access_key_id), slice_of(s->secret_access_key),
                           slice_of(s->session_token));
        return 0;
    case S3_SOURCE_PROFILE:
        return ask_profile(s, out, err);
    case S3_SOURCE_WEB_IDENTITY:
        return s3_ask_web_identity(s, out, err);
    case S3_SOURCE_CONTAINER:
        return s3_ask_container(s, out, err);
    case S3_SOURCE_MACHINE:
        return s3_ask_machine(s, out, err);
    }
    return err_set(err, ERR_USAGE, "no credentials");
}

static bool given(const char *text)
{
    return text[0] != '\0';
}

static bool has_profile_keys(const char *profile)
{
    struct buf id = {0};
    bool has = s3_profile_find(profile, "aws_access_key_id", &id);
    buf_free(&id);
    return has;
}

/* What a profile asks for that is not done here. */
static const char *unknown_way(const char *profile)
{
    static const char *const ways[] = {"role_arn", "sso_session", "sso_start_url",
                                       "credential_process"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]) && found == NULL; i++) {
        struct buf value = {0};
        if (s3_profile_find(profile, ways[i], &value))
            found = ways[i];
        buf_free(&value);
    }
    return found;
}

static int find_kind(struct s3_source *s, const struct s3_identity *o, struct err *err)
{
    const char *id = s3_environment("AWS_ACCESS_KEY_ID");
    const char *secret = s3_environment("AWS_SECRET_ACCESS_KEY");
    const char *way;
    if (given(o->access_key_id) != given(o->secret_access_key))
        return err_set(err, ERR_USAGE, "an access key id and a secret access key go together");
    if (given(o->access_key_id)) {
        snprintf(s->name, sizeof(s->name), "configuration");
    } else if (!given(o->profile) && given(id) && given(secret)) {
        snprintf(s->name, sizeof(s->name), "environment");
        s->access_key_id = id;
        s->secret_access_key = secret;
        s->session_token = s3_environment("AWS_SESSION_TOKEN");
    } else if (!given(o->profile) && given(s3_environment("AWS_WEB_IDENTITY_TOKEN_FILE")) &&
               given(s3_environment("AWS_ROLE_ARN"))) {
        s->kind = S3_SOURCE_WEB_IDENTITY;
        snprintf(s->name, sizeof(s->name), "web identity");
    } else if (has_profile_keys(o->profile)) {
        s->kind = S3_SOURCE_PROFILE;
        snprintf(s->name, sizeof(s->name), "profile %s", profile_name(o->profile));
    } else if ((way = unknown_way(o->profile)) != NULL) {
        return err_set(err, ERR_UNSUPPORTED,
                       "the profile %s has %s, which varve does not do: give it keys, or run varve "
                       "where the platform provides them",
                       profile_name(o->profile), way);
    } else if (given(o->profile)) {
        return err_set(err, ERR_USAGE,
                       "there is no profile %s with aws_access_key_id in AWS's shared files",
                       o->profile);
    } else if (given(s3_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) ||
               given(s3_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI"))) {
        s->kind = S3_SOURCE_CONTAINER;
        snprintf(s->name, sizeof(s->name), "container");
    } else if (o->aws && strcmp(s3_environment("AWS_EC2_METADATA_DISABLED"), "true") != 0) {
        s->kind = S3_SOURCE_MACHINE;
        snprintf(s->name, sizeof(s->name), "machine");
    } else {
        return err_set(err, ERR_USAGE,
                       "no credentials for the object store: set output.s3.access_key_id and "
                       "output.s3.secret_access_key, or AWS_ACCESS_KEY_ID and "
                       "AWS_SECRET_ACCESS_KEY, or have them in ~/.aws/credentials");
    }
    return 0;
}

struct s3_source *s3_source_open(const struct s3_identity *o, struct err *err)
{
    struct s3_source *s = calloc(1, sizeof(*s));
    if (s == NULL)
        out_of_memory(sizeof(*s));
    *s = (struct s3_source){
        .access_key_id = o->access_key_id,
        .secret_access_key = o->secret_access_key,
        .session_token = o->session_token,
        .profile = o->profile,
        .region = o->region,
        .ca_file = o->ca_file,
        .stop = o->stop,
    };
    if (find_kind(s, o, err) == 0)
        return s;
    s3_source_close(s);
    return NULL;
}

void s3_source_close(struct s3_source *s)
{
    if (s != NULL)
        s3_credentials_free(&s->has);
    free(s);
}

const char *s3_source_name(const struct s3_source *s)
{
    return s->name;
}

bool s3_source_renews(const struct s3_source *s)
{
    return s->kind != S3_SOURCE_FIXED;
}

bool s3_source_rereads(const struct s3_source *s)
{
    return s->kind == S3_SOURCE_PROFILE;
}

static bool is_usable(const struct s3_source *s, int64_t wall)
{
    return s->has.access_key_id.len > 0 && (s->has.expires == 0 || s->has.expires > wall);
}

int s3_source_renew(struct s3_source *s, bool *changed, struct err *err)
{
    struct s3_credentials *has = &s->has;
    struct s3_credentials fresh = {0};
    struct err why = {0};
    if (ask(s, &fresh, &why) != 0) {
        s3_credentials_free(&fresh);
        s->ask_after = clock_monotonic() + RENEW_PAUSE;
        return err_set(err, why.code, "no credentials (%s): %s", s->name, why.text);
    }
    *changed =
        !slice_equal(buf_slice(&fresh.access_key_id), buf_slice(&has->access_key_id)) ||
        !slice_equal(buf_slice(&fresh.secret_access_key), buf_slice(&has->secret_access_key)) ||
        !slice_equal(buf_slice(&fresh.session_token), buf_slice(&has->session_token));
    s3_credentials_free(has);
    *has = fresh;
    return 0;
}

int s3_source_get(struct s3_source *s, const struct s3_credentials **out, struct err *err)
{
    int64_t wall = clock_wall();
    bool changed, usable = is_usable(s, wall);
    bool soon = s->has.expires != 0 && s->has.expires - RENEW_BEFORE <= wall;
    *out = &s->has;
    if (usable && (!soon || clock_monotonic() < s->ask_after))
        return 0;
    struct err why = {0};
    if (s3_source_renew(s, &changed, &why) == 0 || usable)
        return 0;
    return err_set(err, why.code, "%s", why.text);
}
