/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *last_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot == NULL ? path : dot + 1;
}

/* The first `len` characters of a key's path as one writes them: the section of sources[].stream is
 * sources, and the key has a number in it. */
static void show(const char *key, size_t len, char out[static CONFIG_PATH_MAX])
{
    size_t list = strcspn(key, "[");
    if (len <= list)
        snprintf(out, CONFIG_PATH_MAX, "%.*s", (int)len, key);
    else if (key[len] == '.')
        snprintf(out, CONFIG_PATH_MAX, "%.*s", (int)list, key);
    else
        snprintf(out, CONFIG_PATH_MAX, "%.*s[N]%s", (int)list, key, key + list + 2);
}

/* What other programs call it. */
static const struct {
    const char *guess, *key;
} guesses[] = {
    {"nats.url", "nats.servers"},
    {"nats.urls", "nats.servers"},
    {"nats.server", "nats.servers"},
    {"nats.host", "nats.servers"},
    {"nats.address", "nats.servers"},
    {"nats.username", "nats.user"},
    {"nats.pass", "nats.password"},
    {"nats.creds", "nats.credentials_file"},
    {"nats.credentials", "nats.credentials_file"},
    {"nats.nkey", "nats.nkey_seed_file"},
    {"nats.tls.ca", "nats.tls.ca_file"},
    {"nats.tls.cert", "nats.tls.cert_file"},
    {"nats.tls.key", "nats.tls.key_file"},
    {"metrics.tls_cert_file", "metrics.tls.cert_file"},
    {"metrics.tls_key_file", "metrics.tls.key_file"},
    {"nats.stream", "sources[N].stream"},
    {"nats.subject", "sources[N].subjects"},
    {"nats.durable", "sources[N].consumer"},
    {"stream", "sources[N].stream"},
    {"streams", "sources"},
    {"subject", "sources[N].subjects"},
    {"subjects", "sources[N].subjects"},
    {"source", "sources"},
    {"sources[N].subject", "sources[N].subjects"},
    {"sources[N].name", "sources[N].stream"},
    {"sources[N].durable", "sources[N].consumer"},
    {"consumer.name", "sources[N].consumer"},
    {"output.directory", "output.log_output_directory"},
    {"output.dir", "output.log_output_directory"},
    {"output.path", "output.log_output_directory"},
    {"output.folder", "output.log_output_directory"},
    {"directory", "output.log_output_directory"},
    {"output.template", "output.path_template"},
    {"output.compression", "parquet.compression_level"},
    {"parquet.compression", "parquet.compression_level"},
    {"batching.max_messages", "batching.max_rows"},
    {"batching.max_events", "batching.max_rows"},
    {"batching.size", "batching.max_rows"},
    {"batching.interval", "batching.max_age"},
    {"batching.timeout", "batching.max_age"},
    {"batching.flush_interval", "batching.max_age"},
    {"memory.limit", "memory_limit"},
    {"metrics.port", "metrics.listen"},
    {"metrics.address", "metrics.listen"},
    {"http.listen", "metrics.listen"},
    {"log.level", "settings.log_level"},
    {"log.format", "settings.log_format"},
    {"logging.level", "settings.log_level"},
    {"logging.format", "settings.log_format"},
};

/* The path of a source's key with N for its number. */
static void generalize(const char *path, char out[static CONFIG_PATH_MAX])
{
    size_t list = strcspn(path, "[");
    const char *end = strchr(path, ']');
    if (end == NULL)
        snprintf(out, CONFIG_PATH_MAX, "%s", path);
    else
        snprintf(out, CONFIG_PATH_MAX, "%.*s[N%s", (int)list, path, end);
}

static bool guess_key(const char *path, char nearest[static CONFIG_PATH_MAX])
{
    char general[CONFIG_PATH_MAX];
    generalize(path, general);
    for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++)
        if (strcmp(general, guesses[i].guess) == 0) {
            snprintf(nearest, CONFIG_PATH_MAX, "%s", guesses[i].key);
            return true;
        }
    return false;
}

bool config_key_nearest(const char *path, char nearest[static CONFIG_PATH_MAX])
{
    if (strlen(path) >= CONFIG_PATH_MAX)
        return false;
    if (guess_key(path, nearest))
        return true;
    /* A third of the letters may be wrong. */
    size_t best = strlen(path) / 3 + 1;
    bool found = false;
    for (size_t i = 0; i < config_key_count; i++) {
        const char *key = config_keys[i].path;
        /* The key and the sections that it lies in. */
        for (size_t len = 1; len <= strlen(key); len++) {
            if (key[len] != '.' && key[len] != '\0')
                continue;
            char candidate[CONFIG_PATH_MAX];
            show(key, len, candidate);
            /* The right name in the wrong place beats all others. */
            bool same_name = strcmp(last_name(candidate), last_name(path)) == 0;
            size_t distance = same_name ? 0 : text_edits(path, candidate);
            if (distance < best) {
                best = distance;
                found = true;
                memcpy(nearest, candidate, sizeof(candidate));
            }
        }
    }
    return found;
}
