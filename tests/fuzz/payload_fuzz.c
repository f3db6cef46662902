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

/* Each line but the first is a column of JSON payloads. */
static struct payload_type *json_type(struct slice definition, struct err *err)
{
    const char *columns[PAYLOAD_JSON_COLUMNS_MAX];
    struct buf text = {0};
    size_t count = 0;
    buf_append_slice(&text, definition);
    for (char *line = strchr(buf_text(&text), '\n'); line != NULL; line = strchr(line, '\n')) {
        *line++ = '\0';
        if (count < PAYLOAD_JSON_COLUMNS_MAX && *line != '\0')
            columns[count++] = line;
    }
    struct payload_type *t = payload_json_new(columns, count, err);
    buf_free(&text);
    return t;
}

static struct payload_type *described_type(struct payload_types **types, struct slice definition,
                                           struct err *err)
{
    bool is_flat = definition.len > 8 && memcmp(definition.data + 4, "BFBS", 4) == 0;
    *types = payload_types_new(is_flat ? PAYLOAD_FLATBUFFERS : PAYLOAD_PROTOBUF, definition, err);
    if (*types == NULL)
        return NULL;
    struct slice root = payload_types_message(*types, "", "x");
    return payload_message_new(*types, root.len > 0 ? root : slice_of("t.A"), NULL, 0, err);
}

/* A descriptor set behind its length, and a payload of its first message, ".t.A"; or a schema of
 * FlatBuffers, and a payload of its root, or of "t.A"; or "$", with which no set begins, columns of
 * JSON, a line each, and a payload of these. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    if (size < 2)
        return 0;
    size_t len = (size_t)data[0] << 8 | data[1];
    len = len < size - 2 ? len : size - 2;
    struct slice definition = {data + 2, len};
    struct payload_types *types = NULL;
    struct payload_type *t = len > 0 && data[2] == '$' ? json_type(definition, &err)
                                                       : described_type(&types, definition, &err);
    ASSERT(t != NULL || err_is_set(&err));
    if (t != NULL)
        append(t, (struct slice){data + 2 + len, size - 2 - len});
    payload_free(t);
    payload_types_free(types);
    return 0;
}
