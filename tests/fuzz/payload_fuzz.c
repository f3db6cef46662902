/* SPDX-License-Identifier: MIT */
#include "event/payload.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void append(struct payload_type *t, struct slice payload)
{
    if (payload.len % 2 == 0)
        payload_widen(t);
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

/* A descriptor set behind its length, and a payload of its first message, ".t.A"; or a schema of
 * FlatBuffers, and a payload of its root, or of "t.A". */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    if (size < 2)
        return 0;
    size_t len = (size_t)data[0] << 8 | data[1];
    len = len < size - 2 ? len : size - 2;
    bool is_flat = len > 8 && memcmp(data + 6, "BFBS", 4) == 0;
    struct payload_types *types = payload_types_new(
        is_flat ? PAYLOAD_FLATBUFFERS : PAYLOAD_PROTOBUF, (struct slice){data + 2, len}, &err);
    struct payload_type *t = NULL;
    if (types != NULL) {
        struct slice root = payload_types_message(types, "", "x");
        t = payload_message_new(types, root.len > 0 ? root : slice_of("t.A"), NULL, 0, &err);
    }
    ASSERT(t != NULL || err_is_set(&err));
    if (t != NULL)
        append(t, (struct slice){data + 2 + len, size - 2 - len});
    payload_free(t);
    payload_types_free(types);
    return 0;
}
