/* SPDX-License-Identifier: MIT */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/assert.h"

enum {
    PORT_TEXT_MAX = 8,
    /* The resolver keeps its packets on the stack. */
    STACK_BYTES = 512 * 1024,
};

/*
 * Owned by two: the thread and the waiting side. Whoever lets go last frees it. The write end of
 * the pipe is the thread's; its closing is the sign that the result is there.
 */
struct net_resolve_job {
    atomic_int owners;
    int sign;
    char host[NET_HOST_MAX + 1];
    uint16_t port;
    int error; /* of getaddrinfo */
    int system;
    struct net_addresses addresses;
    atomic_bool done; /* the three above are there to be read */
};

static void release(struct net_resolve_job *job)
{
    if (atomic_fetch_sub(&job->owners, 1) == 1)
        free(job);
}

/* RFC 6761, section 6.3: such names mean the loopback address, whatever a host's files say or lack.
 */
static bool is_localhost(const char *host)
{
    const char *last = strrchr(host, '.');
    return strcasecmp(last == NULL ? host : last + 1, "localhost") == 0;
}

static void put_loopback(uint16_t port, struct net_addresses *out)
{
    const struct sockaddr_in four = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const struct sockaddr_in6 six = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(port),
        .sin6_addr = IN6ADDR_LOOPBACK_INIT,
    };
    memcpy(out->list[0].bytes, &four, sizeof(four));
    out->list[0].len = sizeof(four);
    memcpy(out->list[1].bytes, &six, sizeof(six));
    out->list[1].len = sizeof(six);
    out->count = 2;
}

int net_look_up(const char *host, uint16_t port, int flags, struct net_addresses *out)
{
    char port_text[PORT_TEXT_MAX];
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = flags | AI_NUMERICSERV,
    };
    struct addrinfo *found = NULL;
    if ((flags & AI_NUMERICHOST) == 0 && is_localhost(host)) {
        put_loopback(port, out);
        return 0;
    }
    (void)snprintf(port_text, sizeof(port_text), "%u", port);
    int error = getaddrinfo(host, port_text, &hints, &found);
    if (error != 0)
        return error;
    out->count = 0;
    for (const struct addrinfo *a = found; a != NULL && out->count < NET_ADDRESSES_MAX;
         a = a->ai_next) {
        if (a->ai_addrlen > NET_ADDRESS_MAX)
            continue;
        struct net_address *address = &out->list[out->count++];
        memcpy(address->bytes, a->ai_addr, a->ai_addrlen);
        address->len = a->ai_addrlen;
    }
    freeaddrinfo(found);
    return out->count > 0 ? 0 : EAI_NONAME;
}

static void *run(void *argument)
{
    struct net_resolve_job *job = argument;
    job->error = net_look_up(job->host, job->port, 0, &job->addresses);
    job->system = errno;
    atomic_store(&job->done, true);
    int sign = job->sign;
    release(job);
    close(sign); /* nothing was written to it */
    return NULL;
}

static int set_failure(int error, int system, struct err *err)
{
    if (error == EAI_SYSTEM) {
        err_set_system(err, system, "the name could not be resolved");
        err->code = ERR_NETWORK;
        return -1;
    }
    return err_set(err, ERR_NETWORK, "the name could not be resolved: %s", gai_strerror(error));
}

static int start_thread(struct net_resolve_job *job)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = pthread_create(&thread, &attributes, run, job);
    pthread_attr_destroy(&attributes);
    return error;
}

int net_resolve_start(struct net_resolve *r, const char *host, uint16_t port,
                      struct net_addresses *addresses, struct err *err)
{
    *r = (struct net_resolve){.fd = -1};
    if (strlen(host) > NET_HOST_MAX)
        return err_set(err, ERR_LIMIT, "a host name of %zu characters", strlen(host));
    int known = net_resolve(host, port, addresses, err);
    if (known != 0)
        return known;

    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_set_system(err, errno, "can't create a pipe for the resolver");
    struct net_resolve_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        out_of_memory(sizeof(*job));
    atomic_init(&job->owners, 2);
    job->sign = ends[1];
    memcpy(job->host, host, strlen(host) + 1);
    job->port = port;
    int error = start_thread(job);
    if (error != 0) {
        free(job);
        (void)close(ends[0]); /* nothing was written to it */
        (void)close(ends[1]);
        return err_set_system(err, error, "can't start a thread for the resolver");
    }
    *r = (struct net_resolve){.fd = ends[0], .job = job};
    return 0;
}

enum net_io net_resolve_step(struct net_resolve *r, struct net_addresses *addresses,
                             struct err *err)
{
    char byte;
    if (read(r->fd, &byte, 1) < 0)
        return NET_IO_AGAIN; /* the end of the file is the sign */
    ASSERT(atomic_load(&r->job->done));
    int error = r->job->error, system = r->job->system;
    if (error == 0)
        *addresses = r->job->addresses;
    net_resolve_cancel(r);
    if (error != 0)
        (void)set_failure(error, system, err);
    return error == 0 ? NET_IO_DONE : NET_IO_DEAD;
}

void net_resolve_cancel(struct net_resolve *r)
{
    if (r->job == NULL)
        return;
    release(r->job);
    (void)close(r->fd); /* it was only read */
    *r = (struct net_resolve){.fd = -1};
}
