/* SPDX-License-Identifier: MIT */
#include "event/payload_plan.h"

#include <string.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A set of descriptors, whatever it is: it is refused for a reason, or each of its types is found
 * by its name, and each message makes columns of a schema, or says why not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct descriptor_set set = {0};
    struct err err = {0};
    struct slice text = {data, size};
    bool is_flat = size >= 8 && memcmp(data + 4, "BFBS", 4) == 0;
    int result = is_flat ? descriptor_set_parse_flat(&set, text, &err)
                         : descriptor_set_parse(&set, text, &err);
    ASSERT((result != 0) == err_is_set(&err));
    for (size_t i = 0; result == 0 && i < set.list.count; i++) {
        const struct descriptor *d = &set.list.list[i];
        struct arena arena = {0};
        struct plan plan = {0};
        struct plan_columns columns = {0};
        struct schema_node nodes[SCHEMA_COLUMNS_MAX];
        ASSERT(d->name.len > 0 && d->name.data[0] == '.' && descriptor_find(&set, d->name) != NULL);
        err_clear(&err);
        if (!d->is_enum) {
            struct plan_choice all = {0};
            int planned = plan_make(&plan, &columns, &set, d, &all, &arena, &err);
            ASSERT((planned != 0) == err_is_set(&err));
            ASSERT(planned != 0 || columns.count <= PLAN_COLUMNS_MAX);
            struct schema schema = {"payload", columns.list, (uint32_t)columns.count};
            if (planned == 0 && columns.count > 0)
                ASSERT(schema_nodes(&schema, nodes, &err) == 0 || err_is_set(&err));
        }
        array_free(&columns);
        arena_free(&arena);
    }
    descriptor_set_free(&set);
    return 0;
}
