/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <string.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file, and behind a NUL perhaps a --set: a sound configuration, or an error of one line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c;
    struct err err = {0};
    const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
    size_t len = nul == NULL ? size : (size_t)(nul - data);
    config_init(&c);
    int result = config_read_text(&c, "f", (struct slice){data, len}, &err);
    if (result == 0 && nul != NULL) {
        char set[256];
        size_t rest = size - len - 1;
        if (rest >= sizeof(set))
            rest = sizeof(set) - 1;
        memcpy(set, nul + 1, rest);
        set[rest] = '\0';
        result = config_set(&c, set, &err);
    }
    if (result == 0)
        result = config_finish(&c, &err);
    if (result == 0) {
        ASSERT(c.source_count >= 1 && c.source_count <= CONFIG_SOURCES_MAX);
        ASSERT(c.nats.servers.count >= 1 && c.sources[0].subjects.count >= 1);
        ASSERT(c.batching.max_rows >= 1 && c.batching.max_age > 0);
        ASSERT(config_ack_wait(&c) > c.batching.max_age);
        ASSERT(config_max_ack_pending(&c) > c.batching.max_rows);
    } else {
        ASSERT(err.code == ERR_USAGE && err.text[0] != '\0' && strchr(err.text, '\n') == NULL);
    }
    config_free(&c);
    return 0;
}
