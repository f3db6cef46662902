/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NET_NETWORK_H
#define VARVE_NET_NETWORK_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/queue.h"

/*
 * All that this program asks of a network: names, connections, and waiting for several of them.
 * The system's is the default (system.c: sockets, poll(2), eventfd(2)); a simulation puts its own
 * in its place, and then runs the whole program in one process without a descriptor.
 *
 * A handle is what the network in force names its connections, listeners and wakers by: for the
 * system's a file descriptor, for another whatever it likes that is not negative. -1 is none.
 * Nothing here blocks but net_wait. Errors carry no address: the caller prefixes it.
 */
enum {
    NET_ADDRESSES_MAX = 16,
    NET_ADDRESS_MAX = 128, /* as struct sockaddr_storage */
    NET_NAME_MAX = 80,     /* "[ipv6%scope]:port" */
    NET_HOST_MAX = 255,    /* a DNS name has 253 characters at most */
    NET_WAITS_MAX = 64,    /* that one loop waits for: its own few, and the HTTP server's */
};

struct net_address {
    alignas(8) uint8_t bytes[NET_ADDRESS_MAX]; /* of the system's network a struct sockaddr */
    uint32_t len;
};

struct net_addresses {
    struct net_address list[NET_ADDRESSES_MAX]; /* in the resolver's order (RFC 6724) */
    size_t count;
};

enum net_io {
    NET_IO_DONE,  /* it is done; of bytes, *done > 0 were moved */
    NET_IO_AGAIN, /* not now: wait */
    NET_IO_DEAD,  /* the connection is over; err says why. At end of file it is ERR_NETWORK with
                     system 0, else the errno */
};

/* Bits of struct net_wait. */
enum {
    NET_READABLE = 1,
    NET_WRITABLE = 2,
};

/* One thing to wait for. */
struct net_wait {
    int handle;     /* -1: nothing */
    unsigned want;  /* NET_READABLE, NET_WRITABLE; 0: nothing but its end */
    unsigned ready; /* before: what is ready already, so that nobody waits. After: what is ready, of
                       a connection that is over both bits: the next call says why */
};

/* What a network has to do. Each function below with the same name says what it is for. */
struct network {
    void *context; /* the first argument of each */
    int (*resolve)(void *context, const char *host, uint16_t port, struct net_addresses *out,
                   struct err *err);
    int (*connect)(void *context, const struct net_address *to, struct err *err);
    enum net_io (*connected)(void *context, int handle, struct err *err);
    int (*listen)(void *context, const struct net_address *at, char name[static NET_NAME_MAX],
                  struct err *err);
    enum net_io (*accept)(void *context, int listener, int *handle, struct err *err);
    enum net_io (*read)(void *context, int handle, void *data, size_t len, size_t *done,
                        struct err *err);
    enum net_io (*write)(void *context, int handle, const void *data, size_t len, size_t *done,
                         struct err *err);
    void (*finish)(void *context, int handle);
    void (*close)(void *context, int handle);
    int (*waker)(void *context, struct err *err);
    void (*wake)(void *context, int handle);
    void (*calm)(void *context, int handle);
    void (*wait)(void *context, struct net_wait *list, size_t count, int64_t until);
};

/* Use this network, which is borrowed, from now on; NULL: the system's. What was opened in one
 * can't be used in another. For one thread, while no other runs. */
void network_replace(const struct network *network);

/* The addresses of a host that can be told without asking anybody: 1, and *out has at least one.
 * 0: it is a name, and asking takes time (resolve.h does it); of another network than the system's
 * never. -1: there is no such host. */
int net_resolve(const char *host, uint16_t port, struct net_addresses *out, struct err *err)
    __attribute__((warn_unused_result));

/* Begin to connect: a handle, or -1. It becomes writable when net_connected has news. */
int net_connect(const struct net_address *to, struct err *err) __attribute__((warn_unused_result));
enum net_io net_connected(int handle, struct err *err) __attribute__((warn_unused_result));

/* Take connections at an address: a handle, or -1. `name` becomes "host:port" as it was bound, with
 * the port that the system chose for port 0. It is readable while somebody waits to be accepted. */
int net_listen(const struct net_address *at, char name[static NET_NAME_MAX], struct err *err)
    __attribute__((warn_unused_result));

/* DONE: *handle is a connection. AGAIN: nobody waits. DEAD: somebody does, and there is no room for
 * him now; he stays in the queue. */
enum net_io net_accept(int listener, int *handle, struct err *err)
    __attribute__((warn_unused_result));

/* `len` > 0. */
enum net_io net_read(int handle, void *data, size_t len, size_t *done, struct err *err)
    __attribute__((warn_unused_result));
enum net_io net_write(int handle, const void *data, size_t len, size_t *done, struct err *err)
    __attribute__((warn_unused_result));

/* Nothing more will be written: the peer reads its end of file behind what it has not read yet. */
void net_finish(int handle);

/* Close a handle that may be -1, and set it to -1. Unread input may make the peer lose output. */
void net_close(int *handle);

/* Something that another thread or a signal handler can end a wait with (waker_wake in
 * base/queue.h): readable from then on until net_calm. Close its handle with net_close, after the
 * last wake. */
int net_waker(struct waker *waker, struct err *err) __attribute__((warn_unused_result));
void net_calm(const struct waker *waker);

/* Wait until something is ready, or until a time of clock_monotonic (INT64_MAX: none). May return
 * early, with nothing ready. */
void net_wait(struct net_wait *list, size_t count, int64_t until);

/* The system's network: sockets that never block, poll(2), eventfd(2). Each handle is a file
 * descriptor that programs we start don't inherit. */
extern const struct network system_network;

/* A peer that acknowledges nothing for this long is given up by the system. */
enum { SYSTEM_USER_TIMEOUT_MS = 20 * 1000 };

#endif
