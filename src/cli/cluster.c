/* SPDX-License-Identifier: MIT */
#include "cli/cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "nats/info.h"
#include "nats/parse.h"
#include "net/connect.h"

/* The first frame of a server, into *info. */
static int read_info(struct stream *s, int64_t deadline, struct nats_info *info, struct err *err)
{
    enum { PIECE = 4 * 1024 };
    struct nats_parser parser = {.message_max = PIECE};
    struct nats_frame frame;
    struct buf in = {0};
    size_t used;
    int result = -1;
    while (clock_monotonic() < deadline) {
        size_t done = 0;
        buf_reserve(&in, PIECE);
        enum net_io io = stream_read(s, in.data + in.len, PIECE, &done, err);
        if (io == NET_IO_DEAD)
            break;
        in.len += done;
        enum nats_parse_result parsed = nats_parse(&parser, buf_slice(&in), &frame, &used, err);
        if (parsed != NATS_PARSE_MORE) {
            if (parsed == NATS_PARSE_FRAME && frame.kind == NATS_FRAME_INFO)
                result = nats_info_parse(info, frame.text, err);
            break;
        }
        struct net_wait wait = stream_wait(s, false);
        net_wait(&wait, 1, deadline);
    }
    buf_free(&in);
    return result;
}

/* A server that is alone has no others. One of a cluster that names itself at most may have been
 * the first to start, or names none on purpose: then there may be others. */
static bool is_whole(const struct nats_info *info)
{
    return info->cluster.len == 0 || info->url_count > 1;
}

static bool ask_server(struct nats_pool *pool, int64_t deadline)
{
    struct err ignored = {0}; /* varve connects again, and says it then */
    struct nats_info info = {0};
    const struct nats_server *server = nats_pool_current(pool);
    struct stream *stream =
        net_connect_until(server->url.host, server->url.port, deadline, &ignored);
    bool known = stream != NULL && read_info(stream, deadline, &info, &ignored) == 0;
    if (known) {
        nats_pool_merge(pool, &info);
        known = is_whole(&info) && pool->count < NATS_POOL_MAX;
    }
    stream_close(&stream);
    nats_info_free(&info);
    return known;
}

static void ask(const struct config *config, int64_t deadline, struct cluster_ports *out)
{
    const uint64_t any_order[2] = {0};
    struct nats_pool pool;
    struct err ignored = {0}; /* the URLs were looked at before */
    nats_pool_init(&pool, any_order);
    for (size_t i = 0; i < config->nats.servers.count; i++)
        if (nats_pool_add(&pool, slice_of(config->nats.servers.items[i]), &ignored) != 0)
            return;
    for (size_t i = pool.count; i > 0 && !out->known; i--) {
        int64_t now = clock_monotonic();
        out->known = ask_server(&pool, now + (deadline - now) / (int64_t)i);
        nats_pool_failed(&pool, false, now);
    }
    for (size_t i = 0; i < pool.count; i++)
        out->list[out->count++] = pool.servers[i].url.port;
    nats_pool_free(&pool);
}

/* The process that asks: it ends with this. */
static _Noreturn void asker(const struct config *config, const struct sandbox *allowed,
                            int64_t deadline, int answer)
{
    struct cluster_ports ports = {0};
    struct err ignored = {0}; /* then there is no answer */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && sandbox_enter(allowed, &ignored) == 0)
        ask(config, deadline, &ports);
    _exit(write(answer, &ports, sizeof(ports)) == (ssize_t)sizeof(ports) ? 0 : 1);
}

/* What it answered may be by whoever took it over. */
static bool is_sound(const struct cluster_ports *ports)
{
    uint8_t known;
    memcpy(&known, &ports->known, sizeof(known));
    return known == 1 && ports->count <= NATS_POOL_MAX;
}

void cluster_ports_ask(const struct config *config, const struct sandbox *allowed,
                       struct cluster_ports *out)
{
    _Static_assert(sizeof(*out) <= 512, "it is written, and read, at once (pipe(7), PIPE_BUF)");
    int64_t deadline = clock_monotonic() + CLUSTER_PATIENCE;
    int ends[2];
    *out = (struct cluster_ports){0};
    if (config->nats.tls.handshake_first || pipe2(ends, O_CLOEXEC) != 0)
        return;
    pid_t process = fork();
    if (process == 0)
        asker(config, allowed, deadline, ends[1]);
    (void)close(ends[1]); /* the other process has its own */
    struct net_wait wait = {.handle = ends[0], .want = NET_READABLE};
    while (process > 0 && wait.ready == 0 && clock_monotonic() < deadline)
        net_wait(&wait, 1, deadline);
    if (wait.ready == 0 || read(ends[0], out, sizeof(*out)) != (ssize_t)sizeof(*out) ||
        !is_sound(out))
        *out = (struct cluster_ports){0};
    (void)close(ends[0]); /* it was only read from */
    if (process > 0) {
        (void)kill(process, SIGKILL); /* if it is not gone */
        (void)waitpid(process, NULL, 0);
    }
}
