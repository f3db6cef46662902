/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_ASSIGN_H
#define VARVE_CONFIG_ASSIGN_H

#include "config/config.h"
#include "config/keys.h"

struct yaml_walk;

/* What was written for a key: one text, or a list of them. */
struct config_value {
    const struct slice *items;
    size_t count;
    bool list;
};

/* Read the list that a walk is at, up to its end: an entry as the one text that stands for it, in
 * `arena`. 0, or -1 and the error of the walk. */
int config_read_list(struct yaml_walk *w, struct arena *arena, enum config_entries entries,
                     struct slice items[static CONFIG_LIST_MAX], size_t *count)
    __attribute__((warn_unused_result));

/* Check `value` against the key's type and range and store it in the struct at `base` (a struct
 * config, or an entry of a section). Texts are copied to the arena. Errors say
 * what is wrong with the value, not where it stands. */
int config_value_store(const struct config_key *key, void *base, struct arena *arena,
                       struct config_value value, struct err *err)
    __attribute__((warn_unused_result));

/* Whether it says off. YAML libraries that save a file again turn a bare off into false. */
bool config_value_is_off(struct slice text);

/* A key, and which entry it is of. */
struct config_target {
    const struct config_key *key; /* NULL if the path is none of a key */
    size_t entry;                 /* of a section; may be as high as their number */
};

/* What "batching.max_age" or "sources[1].stream" stands for. */
struct config_target config_target_of(const char *path);

/* Store a value; an entry that is the next one is added. Errors do not say where. */
int config_assign(struct config *c, struct config_target target, struct config_value value,
                  struct err *err) __attribute__((warn_unused_result));

/* Begin the next entry of a section, with all defaults. */
int config_add_entry(struct config *c, const struct config_section *s, struct err *err)
    __attribute__((warn_unused_result));

/* `path` is no key, and one text was written for it. Where it is a section that can be turned off,
 * such as compaction, and the text is off, so are all keys below that can be. Else config_unknown.
 */
int config_assign_section(struct config *c, const char *path, struct slice text, struct err *err)
    __attribute__((warn_unused_result));

/* Replace ${NAME} of the environment and ~/ in the values that may have them: paths, secrets and
 * the servers. Once, when all is assigned. */
int config_expand(struct config *c, struct err *err) __attribute__((warn_unused_result));

/* ERR_USAGE about an unknown path. */
int config_unknown(const char *path, struct err *err);

#endif
