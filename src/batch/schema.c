/* SPDX-License-Identifier: MIT */
#include "batch/schema.h"

#include <string.h>

int schema_find(const struct schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->count; i++)
        if (strcmp(schema->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}
