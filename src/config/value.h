/* SPDX-License-Identifier: MIT */
#ifndef VARVE_CONFIG_VALUE_H
#define VARVE_CONFIG_VALUE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/keys.h"

/* What was written for a key: one text, or a list of them. */
struct config_value {
    const struct slice *items;
    size_t count;
    bool list;
};

/* Check `value` against the key's type and range and store it in the struct at `base` (a struct
 * config, or a struct config_source for a source's key). Texts are copied to the arena. Errors say
 * what is wrong with the value, not where it stands. */
int config_value_store(const struct config_key *key, void *base, struct arena *arena,
                       struct config_value value, struct err *err)
    __attribute__((warn_unused_result));

#endif
