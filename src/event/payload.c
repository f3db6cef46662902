/* SPDX-License-Identifier: MIT */
#include "event/payload.h"

#include <string.h>
#include <strings.h>

#include "base/embedded.h"

enum payload_result payload_append(struct payload_type *t, struct batch *b, uint32_t first,
                                   struct slice payload)
{
    buf_reset(&t->reason);
    return t->operations->append(t, b, first, payload);
}

void payload_widen(struct payload_type *t)
{
    for (struct column_spec *spec = t->columns; spec < t->columns + t->count; spec++)
        if (spec->type == COLUMN_INT64 && spec->precision == PAYLOAD_UNSIGNED_DIGITS) {
            spec->type = COLUMN_BYTES;
            spec->meaning = COLUMN_DECIMAL;
            spec->dictionary = true;
        }
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

struct slice payload_simulation(void)
{
    return (struct slice){simulation_types, simulation_types_bytes};
}

/* Cut what stands in front of the next ';' off, without blanks around. */
static struct slice next_part(struct slice *rest)
{
    struct slice part = *rest;
    const uint8_t *end = rest->len > 0 ? memchr(rest->data, ';', rest->len) : NULL;
    part.len = end != NULL ? (size_t)(end - rest->data) : rest->len;
    size_t gone = part.len + (end != NULL);
    *rest = (struct slice){rest->data + gone, rest->len - gone};
    while (part.len > 0 && (part.data[0] == ' ' || part.data[0] == '\t'))
        part = (struct slice){part.data + 1, part.len - 1};
    while (part.len > 0 && (part.data[part.len - 1] == ' ' || part.data[part.len - 1] == '\t'))
        part.len--;
    return part;
}

struct slice payload_named_message(struct slice content_type)
{
    static const char name[] = "message=";
    enum { NAME = sizeof(name) - 1 };
    for (struct slice rest = content_type; rest.len > 0;) {
        struct slice part = next_part(&rest);
        if (part.len <= NAME || strncasecmp((const char *)part.data, name, NAME) != 0)
            continue;
        part = (struct slice){part.data + NAME, part.len - NAME};
        if (part.len > 2 && part.data[0] == '"' && part.data[part.len - 1] == '"')
            part = (struct slice){part.data + 1, part.len - 2};
        return part;
    }
    return (struct slice){0};
}
