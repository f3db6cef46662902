/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_YAML_H
#define VARVE_CONFIG_YAML_H

#include <stdbool.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * A walk over the YAML events of one file in memory. `event` is the one looked at. Whoever reads a
 * value begins at its first event and ends at its last one. Errors are ERR_USAGE and begin with
 * "name:line: ".
 */
struct yaml_walk {
    const char *name;
    struct slice text;
    struct err *err;
    yaml_parser_t parser;
    yaml_event_t event;
    unsigned depth; /* mappings and sequences that are open */
};

/* Begin, and go to the first event of the root value; *empty if the file has none. yaml_walk_end
 * always. */
int yaml_walk_begin(struct yaml_walk *w, const char *name, struct slice text, struct err *err,
                    bool *empty) __attribute__((warn_unused_result));
void yaml_walk_end(struct yaml_walk *w);

int yaml_walk_next(struct yaml_walk *w) __attribute__((warn_unused_result));

/* Go to the last event of the value that is looked at, whatever it is. Aliases are not followed. */
int yaml_walk_skip(struct yaml_walk *w) __attribute__((warn_unused_result));

/* Behind the root value there must be nothing. */
int yaml_walk_finish(struct yaml_walk *w) __attribute__((warn_unused_result));

/* What is looked at. */
unsigned yaml_walk_line(const struct yaml_walk *w);
bool yaml_walk_is_mapping(const struct yaml_walk *w);
bool yaml_walk_is_list(const struct yaml_walk *w);
bool yaml_walk_is_scalar(const struct yaml_walk *w);
bool yaml_walk_is_null(const struct yaml_walk *w); /* nothing, ~ or null */
struct slice yaml_walk_scalar(
    const struct yaml_walk *w);                     /* of a scalar, valid until the next step */
bool yaml_walk_is_close(const struct yaml_walk *w); /* the end of a mapping or list */

/* Refuse aliases, and tags other than those that YAML libraries write on their own. */
int yaml_walk_check_plain(struct yaml_walk *w) __attribute__((warn_unused_result));

/* Put the file and a line in front of the error that is set. Returns -1. */
int yaml_walk_place(struct yaml_walk *w, unsigned line);

/* Set an error at what is looked at. Returns -1. */
int yaml_walk_fail(struct yaml_walk *w, const char *text);

#endif
