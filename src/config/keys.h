/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_KEYS_H
#define VARVE_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/*
 * The one table of keys. It drives the file, --set, the defaults, the example, the man page, and
 * what of a file that is read again takes effect.
 */
enum config_type {
    CONFIG_TEXT,     /* const char * */
    CONFIG_PATH,     /* const char *; ${ENV} and ~/ at its start are expanded in it */
    CONFIG_SECRET,   /* const char *; ${ENV} is expanded in it, and it is never printed */
    CONFIG_LIST,     /* struct config_list; written as a list, or as one text */
    CONFIG_BOOL,     /* bool */
    CONFIG_INTEGER,  /* int64_t */
    CONFIG_COUNT,    /* uint64_t */
    CONFIG_SIZE,     /* uint64_t, bytes */
    CONFIG_DURATION, /* int64_t, nanoseconds */
    CONFIG_CHOICE,   /* an enum whose values are the choices in order */
    CONFIG_START,    /* struct config_start */
    CONFIG_LISTEN,   /* const char *, host:port, or "off" for "" */
};

/* The longest path of a key, in bytes with the NUL, with room for the number of a source; what is
 * longer can't be a key. */
enum { CONFIG_PATH_MAX = 128 };

/* What it takes that a change of the file is heeded, once it is read again (SIGHUP). */
enum config_change {
    CONFIG_CHANGE_RESTART,        /* a new process */
    CONFIG_CHANGE_NOW,            /* nothing more */
    CONFIG_CHANGE_IF_IT_FITS,     /* nothing, where the consumers that were made can hold it */
    CONFIG_CHANGE_NEXT_CONNECTION /* another connection */
};

/* How the entries of a list may be written in a file, beside as texts. */
enum config_entries {
    CONFIG_TEXTS,
    CONFIG_COLUMNS, /* all as one mapping, NAME: {path: PATH, type: TYPE} */
    CONFIG_POINTS,  /* each as a mapping: see config_follower.points */
};

struct config_key {
    const char *path; /* "batching.max_rows"; those of a list's entries begin with "sources[]." */
    enum config_type type;
    size_t offset;              /* in struct config, or in the entry's struct */
    const char *initial;        /* the default as one writes it; a list has commas between */
    int64_t min, max;           /* of numbers, sizes and durations */
    const char *const *choices; /* NULL-terminated; of a list: what its entries may be, or NULL */
    const char *help;           /* what it is, one or two sentences */
    enum config_change change;
    bool off;                    /* a size or duration that may be "off", which is 0 */
    enum config_entries entries; /* of a list */
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* The key with exactly this path, or NULL. */
const struct config_key *config_key_find(const char *path);

/* True if keys lie below this path, as below "nats" and "nats.tls". */
bool config_key_section(const char *path);

/* A list of sections, such as "sources": its keys are those of each entry. */
struct config_section {
    const char *name, *one; /* "sources", "source" */
    const char *example;    /* what an entry needs */
    const char *prefix;     /* "sources[]." */
    size_t size, max;       /* of an entry; entries at most */
    size_t list, count;     /* where in struct config both are */
    bool filled;            /* it has an entry of defaults, and is never empty */
};

extern const struct config_section config_sections[];
extern const size_t config_section_count;

/* The section with this name; the one whose entries have this key. NULL: none. */
const struct config_section *config_section_find(const char *name);
const struct config_section *config_key_list(const struct config_key *key);

/* Entry `index` of a section, and how many it has. */
void *config_entry(const struct config *c, const struct config_section *s, size_t index);
size_t config_entries(const struct config *c, const struct config_section *s);

/* What somebody who wrote `path` may have meant: a key or a section. False if nothing is near. */
bool config_key_nearest(const char *path, char nearest[static CONFIG_PATH_MAX]);

/* Takes the path of a key such as "batching.max_age" or "sources[1].stream", borrowed for the call,
 * and what it takes to change it. */
typedef void config_visit(void *context, const char *path, enum config_change change);

/* Call `visit` for each key whose values differ; with a section if it has more or fewer entries.
 * Both are finished. */
void config_compare(const struct config *a, const struct config *b, config_visit *visit,
                    void *context);

#endif
