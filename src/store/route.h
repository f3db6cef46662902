/* SPDX-License-Identifier: MIT */
#ifndef VARVE_STORE_ROUTE_H
#define VARVE_STORE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/path.h"

/*
 * Where rows that are alike went before: saves making the path of each row. It may forget. A zeroed
 * struct knows nothing.
 */
enum {
    /* Of a hundred simulations that take turns nearly all have a place of their own. A power of
     * two; 140 KiB. */
    ROUTES = 1024,
    /* Longer names, which may be megabytes of somebody's making, are not remembered. */
    ROUTE_TEXT_MAX = 4096,
};

struct store_kind;

struct route {
    const struct store_kind *kind; /* NULL: none */
    uint32_t source, partition;
    struct store_path_values values; /* those of the row are slices into `text` */
    struct buf text;
};

struct routes {
    struct route list[ROUTES]; /* in pairs: what belongs to a place may lie beside it as well */
};

/* The partition of a row of this kind, source and path, or -1. The kind has a path. */
int64_t routes_find(const struct routes *routes, const struct store_kind *kind, uint32_t source,
                    const struct store_path_values *values);

/* Remember it, until the reset. The texts of stream and instance are borrowed until then. */
void routes_add(struct routes *routes, const struct store_kind *kind, uint32_t source,
                const struct store_path_values *values, uint32_t partition);

void routes_reset(struct routes *routes);
void routes_free(struct routes *routes);

#endif
