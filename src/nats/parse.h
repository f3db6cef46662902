/* SPDX-License-Identifier: MIT */
#ifndef VARVE_NATS_PARSE_H
#define VARVE_NATS_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The wire format from server to client: one frame at a time out of a buffer that the caller owns
 * (nats-server's parser.go reads the other direction of it). The same bytes give the same frames,
 * however they were split into reads.
 */
enum nats_frame_kind {
    NATS_FRAME_INFO,
    NATS_FRAME_MESSAGE, /* MSG or HMSG */
    NATS_FRAME_PING,
    NATS_FRAME_PONG,
    NATS_FRAME_OK,
    NATS_FRAME_ERROR,
};

/* Slices point into the input. What a kind does not use is not set. */
struct nats_frame {
    enum nats_frame_kind kind;
    uint64_t sid;         /* MESSAGE */
    struct slice subject; /* MESSAGE: where it was published, for JetStream the original subject */
    struct slice reply;   /* MESSAGE: empty if there is none */
    struct slice header;  /* MESSAGE: the header block with its blank line, empty for MSG */
    struct slice payload; /* MESSAGE */
    struct slice text;    /* INFO: the JSON; ERROR: the text without its quotes */
};

enum {
    NATS_LINE_MAX = 4 * 1024, /* PING, PONG, +OK */
    /* The line of a message holds its subject and a reply. What a server takes is 4 KiB unless its
     * max_control_line was raised; a stream keeps subjects of up to 64 KiB (nats-server's
     * filestore.go: their length is a uint16). */
    NATS_MESSAGE_LINE_MAX = 128 * 1024,
    NATS_ERROR_LINE_MAX = 4 * 1024,
    /* INFO lists the URLs of a cluster; it has no limit of its own. */
    NATS_INFO_LINE_MAX = 1024 * 1024,
    /* The store refuses records of 32 MiB; header and payload together. */
    NATS_MESSAGE_MAX = 64 * 1024 * 1024,
};

/* A zeroed struct with `message_max` set is ready. */
struct nats_parser {
    size_t message_max; /* header + payload at most; at most NATS_MESSAGE_MAX */
    size_t scanned;     /* bytes of the partial frame that are known to hold no line end */
    size_t need;        /* bytes that the partial frame needs before a look at it is worthwhile */
};

enum nats_parse_result {
    NATS_PARSE_MORE,  /* a partial frame: call again with the same start and more bytes */
    NATS_PARSE_FRAME, /* *frame is filled, *used says how long it was */
    NATS_PARSE_BAD,   /* not the protocol: ERR_PROTOCOL, or ERR_LIMIT for a size above a limit */
};

/*
 * Look at the start of `input`, which must be the start of a frame. After NATS_PARSE_MORE,
 * parser->need is the least total length of input with which a call makes progress; a message's
 * need is known as soon as its control line is there. After NATS_PARSE_BAD the connection is of no
 * more use.
 */
enum nats_parse_result nats_parse(struct nats_parser *parser, struct slice input,
                                  struct nats_frame *frame, size_t *used, struct err *err)
    __attribute__((warn_unused_result));

#endif
