/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_SANDBOX_H
#define VARVE_BASE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * What this process may do from some moment on, so that whoever takes it over by what it reads gets
 * little: the files by Landlock (landlock(7)), the system calls by seccomp (seccomp(2)), no new
 * privileges (PR_SET_NO_NEW_PRIVS) and, if it holds secrets, no core file (PR_SET_DUMPABLE). There
 * is no way back. It holds for the calling thread and for those that it starts afterwards: enter it
 * before there is a second one.
 *
 * Folders are allowed rather than files: a rule belongs to an inode, and files get replaced.
 */
enum sandbox_access {
    SANDBOX_READ, /* read files and list folders */
    SANDBOX_WRITE /* also make, write, move and remove files and folders */
};

struct sandbox_path {
    int fd; /* O_PATH */
    enum sandbox_access access;
};

/* Zeroed, it allows nothing but what a process does by itself and with what it has open. */
struct sandbox {
    ARRAY(struct sandbox_path) paths;
    bool writes;                   /* one of them is SANDBOX_WRITE */
    ARRAY(uint16_t) connect, bind; /* TCP ports */
    bool network;          /* TCP over IPv4 and IPv6, look-ups, datagrams to local sockets */
    bool any_port;         /* connect to every port, not only to those in `connect` */
    bool secrets;          /* no core file, and nobody of the same user may look in */
    bool abstract_sockets; /* talk to a socket of the abstract namespace (unix(7)) */
};

/* What the kernel can hold this process to. */
struct sandbox_support {
    int landlock;       /* version of its interface, 0: none */
    int landlock_error; /* why none: errno */
    bool calls;         /* seccomp filters, and this architecture is one that varve knows */
};

enum {
    SANDBOX_LANDLOCK_WRITE = 2, /* below it no file can be moved between folders (Linux 5.19) */
    SANDBOX_LANDLOCK_PORTS = 4, /* from it on TCP ports are confined (Linux 6.7) */
};

/* Changes nothing. */
struct sandbox_support sandbox_support(void);

/* Allow what is below a folder, or one file. Links are followed now. False if it is not there. */
bool sandbox_allow(struct sandbox *s, const char *path, enum sandbox_access access);

/* The same for the folder in which a file lies, as written and behind all links. */
void sandbox_allow_folder_of(struct sandbox *s, const char *file, enum sandbox_access access);

/* What of it the kernel can't hold `s` to: a few words each, with "; " between; nothing is appended
 * if it can do all. */
void sandbox_append_lacking(const struct sandbox *s, const struct sandbox_support *support,
                            struct buf *out);

/* True if what is lacking is at most the ports. */
bool sandbox_is_whole(const struct sandbox *s, const struct sandbox_support *support);

/* Confine the process as far as the kernel can. After an error some of it holds. */
int sandbox_enter(const struct sandbox *s, struct err *err) __attribute__((warn_unused_result));

/* After EACCES at a path: true if the sandbox, which can't be widened, refuses it, and not the
 * modes of files. */
bool sandbox_is_why(const char *path, enum sandbox_access access);

/* Also before or in place of entering it. */
void sandbox_free(struct sandbox *s);

/* For sandbox_enter: let only those system calls through that varve makes; see sandbox_calls.c.
 * Others fail with ENOSYS, so that the C library takes its ways around what is missing; what a
 * listed call must not do fails with EPERM. */
int sandbox_filter_calls(bool network, struct err *err) __attribute__((warn_unused_result));

/* True if sandbox_filter_calls can work here. */
bool sandbox_can_filter_calls(void);

#endif
