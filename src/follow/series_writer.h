/* SPDX-License-Identifier: MIT */
#ifndef VARVE_FOLLOW_SERIES_WRITER_H
#define VARVE_FOLLOW_SERIES_WRITER_H

#include <stdatomic.h>

#include "config/config.h"
#include "follow/series_answer.h"
#include "net/http_client.h"

/*
 * Lines to a time-series database, by HTTP: `followers[].url`. One request at a time, so that lines
 * come there in their order. What the server refuses is found, line by line, and handed back; what
 * it can't take now is an error, and may be sent again: a line that is there twice is there once.
 */
enum {
    SERIES_LINES_MAX = 5000, /* of a request: what InfluxData advises */
    SERIES_BYTES_MAX = 1024 * 1024,
    SERIES_TOKEN_MAX = 8192,
};
#define SERIES_PATIENCE (30 * CLOCK_SECOND) /* for one answer */

struct series_line {
    size_t end;        /* in the text, behind its '\n' */
    bool refused;      /* by the server */
    uint32_t origin;   /* whoever made it knows what this is, */
    uint64_t sequence; /* and this */
};

struct series_lines {
    struct buf text;
    ARRAY(struct series_line) list;
};

/* The server does not take this line. */
typedef void series_refused(void *context, const struct series_line *line, struct slice text,
                            int status, struct slice why);

struct series_writer {
    const struct config_follower *settings;
    struct http_origin origin;
    const char *scheme;       /* of the token, unless that is user:password */
    struct buf target;        /* path and query */
    size_t bytes_max;         /* of a request; less once the server has refused a larger one */
    int64_t not_before;       /* clock_monotonic: until then the server wants no request */
    struct http_client *http; /* NULL: closed */
    struct buf login;         /* the field, with the token; or empty */
    struct buf head, part, body;
    struct arena arena;
    struct series_answer answer;
    int status;
};

/* Of a URL that may have a query, which *path has then, too. ERR_USAGE says what is wrong with it.
 */
int series_url_parse(const char *url, struct http_origin *out, const char **path, struct err *err)
    __attribute__((warn_unused_result));

/* `settings` is borrowed. ERR_USAGE for a URL that is none. *w was zeroed. */
int series_writer_init(struct series_writer *w, const struct config_follower *settings,
                       struct account *account, struct err *err)
    __attribute__((warn_unused_result));

/* Read the token. ERR_REFUSED while the server wants no request. `stop` may be NULL. */
int series_writer_open(struct series_writer *w, const atomic_bool *stop, struct err *err)
    __attribute__((warn_unused_result));

/* Write a request without lines: whether they would be taken. What the server says is appended. */
int series_writer_probe(struct series_writer *w, struct buf *says, struct err *err)
    __attribute__((warn_unused_result));

/* Write all lines, but for those that are refused. */
int series_writer_send(struct series_writer *w, struct series_lines *lines, series_refused *refused,
                       void *context, struct err *err) __attribute__((warn_unused_result));

void series_writer_close(struct series_writer *w);
void series_writer_free(struct series_writer *w);

#endif
