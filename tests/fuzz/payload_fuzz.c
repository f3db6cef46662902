/* SPDX-License-Identifier: MIT */
#include "event/payload.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void append(struct payload_type *t, struct slice payload)
{
    struct schema schema = {"payload", t->columns, t->count};
    struct schema_node nodes[SCHEMA_COLUMNS_MAX];
    struct err err = {0};
    if (schema_nodes(&schema, nodes, &err) != 0)
        return;
    struct batch *b = batch_new(&schema, NULL);
    for (int row = 0; row < 2; row++) {
        batch_mark(b);
        if (payload_append(t, b, 0, payload) == PAYLOAD_BAD || !batch_row_fits(b)) {
            ASSERT(t->reason.len > 0 || !batch_row_fits(b));
            batch_rollback(b);
            payload_append_nulls(t, b, 0);
        }
        batch_end_row(b);
    }
    ASSERT(b->rows == 2);
    batch_free(b);
}

/* A descriptor set behind its length, and a payload of its first message, ".t.A". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    if (size < 2)
        return 0;
    size_t len = (size_t)data[0] << 8 | data[1];
    len = len < size - 2 ? len : size - 2;
    struct payload_type *t = payload_proto_new((struct slice){data + 2, len}, "t.A", &err);
    if (t == NULL) {
        ASSERT(err_is_set(&err));
        return 0;
    }
    append(t, (struct slice){data + 2 + len, size - 2 - len});
    payload_free(t);
    return 0;
}
