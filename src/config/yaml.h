/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_YAML_H
#define VARVE_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * A walk over the YAML events of one file in memory. `event` is the one looked at. Whoever reads a
 * value begins at its first event and ends at its last one. Errors are ERR_USAGE and begin with
 * "name:line: ".
 */
struct walk {
    const char *name;
    struct slice text;
    struct err *err;
    yaml_parser_t parser;
    yaml_event_t event;
    unsigned depth; /* mappings and sequences that are open */
};

/* Begin, and go to the first event of the root value; *empty if the file has none. walk_end
 * always. */
int walk_begin(struct walk *w, const char *name, struct slice text, struct err *err, bool *empty)
    __attribute__((warn_unused_result));
void walk_end(struct walk *w);

int walk_next(struct walk *w) __attribute__((warn_unused_result));

/* Go to the last event of the value that is looked at, whatever it is. Aliases are not followed. */
int walk_skip(struct walk *w) __attribute__((warn_unused_result));

/* Behind the root value there must be nothing. */
int walk_finish(struct walk *w) __attribute__((warn_unused_result));

/* What is looked at. */
unsigned walk_line(const struct walk *w);
bool walk_is_mapping(const struct walk *w);
bool walk_is_list(const struct walk *w);
bool walk_is_scalar(const struct walk *w);
bool walk_is_null(const struct walk *w);        /* nothing, ~ or null */
struct slice walk_scalar(const struct walk *w); /* of a scalar, valid until the next step */
bool walk_is_close(const struct walk *w);       /* the end of a mapping or list */

/* Refuse aliases, and tags other than those that YAML libraries write on their own. */
int walk_check_plain(struct walk *w) __attribute__((warn_unused_result));

/* Put the file and a line in front of the error that is set. Returns -1. */
int walk_place(struct walk *w, unsigned line);

/* Set an error at what is looked at. Returns -1. */
int walk_fail(struct walk *w, const char *text);

#endif
