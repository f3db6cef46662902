/* SPDX-License-Identifier: MIT */
#include "cli/confine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "cli/cluster.h"
#include "config/keys.h"
#include "follow/series_writer.h"
#include "nats/url.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "object/directory.h"
#include "object/open.h"
#include "object/s3_credentials.h"
#include "verify/table.h"

enum { DNS_PORT = 53, HTTP_PORT = 80, HTTPS_PORT = 443 };

/* Files that the C library reads, and which other programs replace. */
static const char *const host_files[] = {"/etc/hosts", "/etc/resolv.conf"};

/* Where the link /etc/resolv.conf may lead tomorrow; certificates of Debian and SUSE; what varve
 * says of itself in /metrics; the memory that its cgroup has; and random numbers, where a filter
 * around it does not know getrandom. */
static const char *const host_folders[] = {"/run/systemd/resolve",     "/run/NetworkManager",
                                           "/run/resolvconf",          "/usr/share/ca-certificates",
                                           "/var/lib/ca-certificates", "/proc/self",
                                           "/sys/fs/cgroup",           "/dev/urandom"};

/* What of these is missing is not needed. */
static void allow_host(struct sandbox *s)
{
    for (size_t i = 0; i < sizeof(host_files) / sizeof(host_files[0]); i++)
        sandbox_allow_folder_of(s, host_files[i], SANDBOX_READ);
    for (size_t i = 0; i < sizeof(host_folders) / sizeof(host_folders[0]); i++)
        (void)sandbox_allow(s, host_folders[i], SANDBOX_READ);
    const char *trusted = tls_host_ca_file();
    if (trusted != NULL)
        sandbox_allow_folder_of(s, trusted, SANDBOX_READ);
}

static void allow_files_of_keys(struct sandbox *s, const struct config *config)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const struct config_section *list = config_key_list(key);
        size_t count = list == NULL ? 1 : config_entries(config, list);
        if (key->type != CONFIG_PATH || !text_ends_with(key->path, "_file"))
            continue;
        for (size_t entry = 0; entry < count; entry++) {
            const char *base =
                list == NULL ? (const char *)config : config_entry(config, list, entry);
            const char *file = *(const char *const *)(base + key->offset);
            if (file[0] != '\0')
                sandbox_allow_folder_of(s, file, SANDBOX_READ);
        }
    }
}

/* Where the tools of AWS have their files, and what else their environment names. */
static void allow_aws_files(struct sandbox *s)
{
    static const char *const names[] = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
                                        "AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"};
    const char *home = getenv("HOME");
    struct buf path = {0};
    if (object_reached()->ca_file[0] != '\0')
        sandbox_allow_folder_of(s, object_reached()->ca_file, SANDBOX_READ);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (getenv(names[i]) != NULL)
            sandbox_allow_folder_of(s, getenv(names[i]), SANDBOX_READ);
    if (home != NULL) {
        buf_printf(&path, "%s/.aws", home);
        (void)sandbox_allow(s, buf_text(&path), SANDBOX_READ);
    }
    buf_free(&path);
}

static void allow_port_of(struct sandbox *s, const char *url)
{
    struct http_origin origin;
    const char *path;
    struct err ignored = {0}; /* told by who connects */
    if (url[0] != '\0' && http_origin_parse(url, &origin, &path, &ignored) == 0)
        *array_add(&s->connect) = origin.port;
}

/* The store's, and those of who gives credentials for it. */
static void allow_ports_of_bucket(struct sandbox *s, const char *endpoint)
{
    static const char *const names[] = {
        "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT"};
    struct buf told = {0};
    allow_port_of(s, endpoint);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        allow_port_of(s, s3_environment(names[i]));
    if (s3_profile_find(object_reached()->profile, "endpoint_url", &told))
        allow_port_of(s, buf_text(&told));
    buf_free(&told);
    *array_add(&s->connect) = HTTP_PORT;
    *array_add(&s->connect) = HTTPS_PORT;
}

static bool follows_to(const struct config_follower *follower)
{
    return config_has_target(follower->kind) && object_is_url(follower->target);
}

/* The store's, or that of a follower. */
static bool uses_bucket(const struct config *config)
{
    bool bucket = config_writes_to_s3(config);
    for (size_t i = 0; i < config->follower_count; i++)
        bucket = bucket || follows_to(&config->followers[i]);
    return bucket;
}

static void allow_ports(struct sandbox *s, const struct config *config)
{
    const struct config_list *servers = &config->nats.servers;
    const char *colon = strrchr(config->metrics.listen, ':');
    uint64_t port;
    for (size_t i = 0; i < servers->count; i++) {
        struct nats_url url;
        struct err ignored = {0}; /* it was looked at before */
        if (nats_url_parse(&url, slice_of(servers->items[i]), &ignored) == 0)
            *array_add(&s->connect) = url.port;
    }
    *array_add(&s->connect) = DNS_PORT;
    if (uses_bucket(config))
        allow_ports_of_bucket(s, config->output.s3.endpoint);
    if (colon != NULL && num_parse_u64(slice_of(colon + 1), &port) && port <= UINT16_MAX)
        *array_add(&s->bind) = (uint16_t)port;
}

/* All but the files of `config`. */
static struct sandbox sandbox_of(void)
{
    const char *manager = getenv("NOTIFY_SOCKET"); /* sd_notify(3) */
    return (struct sandbox){
        .network = true,
        .secrets = true,
        .abstract_sockets = manager != NULL && manager[0] == '@',
    };
}

static int make_folder(const char *root, struct err *err)
{
    static const struct system plain;
    if (object_is_url(root))
        return 0;
    /* Durable now: the folders above it are closed in the sandbox. */
    const unsigned flags = DIRECTORY_FOLLOW | DIRECTORY_MAKE | DIRECTORY_DURABLE;
    int fd = directory_open(&plain, SYSTEM_WORKING_DIR, root, flags, err);
    if (fd < 0)
        return err_prefix(err, "%s", root);
    (void)system_close(&plain, fd); /* nothing was written through it */
    return 0;
}

/* Read at the start of a run, and again when it starts over. */
static void allow_descriptors(struct sandbox *s, const struct config *config)
{
    for (size_t i = 0; i < config->payload_count; i++)
        if (config->payloads[i].descriptor_set[0] != '\0')
            sandbox_allow_folder_of(s, config->payloads[i].descriptor_set, SANDBOX_READ);
}

/* Where a follower writes, and what it reads beside the store. */
static int allow_follower(struct sandbox *s, const struct config_follower *follower,
                          struct err *err)
{
    struct http_origin origin;
    const char *path;
    struct err ignored = {0}; /* told by who connects */
    if (follower->kind == CONFIG_KIND_TIMESERIES &&
        series_url_parse(follower->url, &origin, &path, &ignored) == 0)
        *array_add(&s->connect) = origin.port;
    if (!config_has_target(follower->kind) || object_is_url(follower->target))
        return 0; /* it is reached as the drain's server, or the store, is */
    if (make_folder(follower->target, err) != 0)
        return -1;
    (void)sandbox_allow(s, follower->target, SANDBOX_WRITE); /* it is there */
    return 0;
}

/* A cluster names its other servers once varve is connected, with any ports, and then the sandbox
 * can't be widened. So it is asked before. (Who has credentials for a bucket may be anywhere.)
 * `said` is for the log. */
static void allow_ports_of_cluster(struct sandbox *s, const struct config *config, struct buf *said)
{
    struct cluster_ports ports = {0};
    if (sandbox_support().landlock >= SANDBOX_LANDLOCK_PORTS && !uses_bucket(config)) {
        struct sandbox asking = {.network = true, .any_port = true, .secrets = true};
        allow_host(&asking);
        cluster_ports_ask(config, &asking, &ports);
        sandbox_free(&asking);
    }
    s->any_port = !ports.known;
    buf_append_text(said, ports.known ? "ports of nats.servers and of their cluster:" : "any port");
    for (uint32_t i = 0; i < ports.count; i++) {
        *array_add(&s->connect) = ports.list[i];
        bool is_first = true;
        for (uint32_t j = 0; j < i; j++)
            is_first = is_first && ports.list[j] != ports.list[i];
        if (is_first)
            buf_printf(said, " %u", ports.list[i]);
    }
}

bool confine_lacking(const struct config *config, struct buf *out)
{
    struct sandbox_support support = sandbox_support();
    struct sandbox s = sandbox_of();
    s.writes = true;
    sandbox_append_lacking(&s, &support, out);
    return config->sandbox != CONFIG_SANDBOX_ON || sandbox_is_whole(&s, &support);
}

int confine_run(const struct config *config, const char *file, struct confinement *out,
                struct err *err)
{
    *out = (struct confinement){0};
    if (config->sandbox == CONFIG_SANDBOX_OFF)
        return 0;
    if (!confine_lacking(config, &out->lacking))
        return err_set(err, ERR_USAGE,
                       "sandbox: on, but this kernel can't confine %s; set it to auto to start "
                       "without",
                       buf_text(&out->lacking));
    struct sandbox s = sandbox_of();
    int result = make_folder(config->output.log_output_directory, err);
    allow_descriptors(&s, config);
    for (size_t i = 0; i < config->follower_count && result == 0; i++)
        result = allow_follower(&s, &config->followers[i], err);
    s.writes = true;
    allow_host(&s);
    allow_files_of_keys(&s, config);
    if (file != NULL)
        sandbox_allow_folder_of(&s, file, SANDBOX_READ);
    allow_ports(&s, config);
    if (config->sandbox == CONFIG_SANDBOX_AUTO)
        allow_ports_of_cluster(&s, config, &out->connects);
    else
        buf_append_text(&out->connects, "nats.servers");
    if (uses_bucket(config))
        allow_aws_files(&s);
    if (!config_writes_to_s3(config))
        (void)sandbox_allow(&s, config->output.log_output_directory,
                            SANDBOX_WRITE); /* it is there */
    if (result == 0)
        result = sandbox_enter(&s, err);
    out->entered = result == 0;
    sandbox_free(&s);
    return result;
}

void confine_log(const struct confinement *confinement)
{
    struct log_line line;
    bool whole = confinement->lacking.len == 0;
    if (!confinement->entered)
        return;
    log_begin(&line, whole ? LOG_INFO : LOG_WARNING, "sandbox");
    log_text(&line, "writes", "output");
    log_bytes(&line, "connects", confinement->connects.data, confinement->connects.len);
    if (!whole)
        log_bytes(&line, "not_confined", confinement->lacking.data, confinement->lacking.len);
    log_end(&line);
}

void confinement_free(struct confinement *confinement)
{
    buf_free(&confinement->lacking);
    buf_free(&confinement->connects);
}

int confine_reading(char *const *paths, int count, const struct config *server, struct err *err)
{
    bool bucket = false;
    for (int i = 0; i < count; i++)
        bucket = bucket || object_is_url(paths[i]);
    struct sandbox s = {
        .network = server != NULL || bucket, .any_port = true, .secrets = server != NULL || bucket};
    for (int i = 0; i < count; i++)
        (void)sandbox_allow(&s, paths[i], SANDBOX_READ); /* the command says what is not there */
    if (s.network)
        allow_host(&s);
    if (bucket)
        allow_aws_files(&s);
    if (server != NULL)
        allow_files_of_keys(&s, server);
    int result = sandbox_enter(&s, err);
    sandbox_free(&s);
    return result;
}

int confine_following(const struct config *config, const struct config_follower *follower,
                      struct err *err)
{
    const char *store = config->output.log_output_directory;
    bool target = follower != NULL && config_has_target(follower->kind);
    bool server = follower != NULL && !target && follower->kind != CONFIG_KIND_QUALITY;
    bool bucket = object_is_url(store) || (follower != NULL && follows_to(follower));
    struct sandbox s = {
        .writes = true, .secrets = true, .network = server || bucket, .any_port = server || bucket};
    int result = follower != NULL ? allow_follower(&s, follower, err) : 0;
    if (server || bucket) {
        allow_host(&s);
        allow_files_of_keys(&s, config);
    }
    if (result == 0 && config->sandbox != CONFIG_SANDBOX_OFF) {
        if (bucket)
            allow_aws_files(&s);
        if (!object_is_url(store))
            (void)sandbox_allow(&s, store, SANDBOX_WRITE);
        allow_descriptors(&s, config);
        result = sandbox_enter(&s, err);
    }
    sandbox_free(&s);
    return result;
}

int confine_to_store(char *const *path, bool only_looks, struct err *err)
{
    struct sandbox s = {.writes = true};
    if (object_is_url(*path))
        return confine_reading(path, 1, NULL, err);
    if (!verify_table_exists(*path))
        return err_set(err, ERR_SYSTEM, "there is no table with a commit log");
    if (only_looks)
        return confine_reading(path, 1, NULL, err);
    (void)sandbox_allow(&s, *path, SANDBOX_WRITE); /* the command says if it is not there */
    int result = sandbox_enter(&s, err);
    sandbox_free(&s);
    return result;
}
