/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_ASSIGN_H
#define VARVE_CONFIG_ASSIGN_H

#include "config/config.h"
#include "config/keys.h"

/* What was written for a key: one text, or a list of them. */
struct config_value {
    const struct slice *items;
    size_t count;
    bool list;
};

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

/* ERR_USAGE about an unknown path. */
int config_unknown(const char *path, struct err *err);

#endif
