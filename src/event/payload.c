/* SPDX-License-Identifier: MIT */
#include "event/payload.h"

enum payload_result payload_append(struct payload_type *t, struct batch *b, uint32_t first,
                                   struct slice payload)
{
    buf_reset(&t->reason);
    return t->operations->append(t, b, first, payload);
}

void payload_append_nulls(const struct payload_type *t, struct batch *b, uint32_t first)
{
    const struct schema columns = {.columns = t->columns, .count = t->count};
    for (uint32_t i = 0; i < t->count; i = schema_end(&columns, i))
        batch_put_null(b, first + i);
}

void payload_free(struct payload_type *t)
{
    if (t == NULL)
        return;
    buf_free(&t->reason);
    t->operations->free(t);
}
