/* SPDX-License-Identifier: MIT */
/* What small programs of the tests share. */
#ifndef VARVE_TESTS_PROGRAM_H
#define VARVE_TESTS_PROGRAM_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

/* End with status 2, and "PROGRAM: what: detail". */
static inline _Noreturn void die(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, detail);
    exit(2);
}

/* All of a file; or die. */
static inline struct buf read_all(const char *path)
{
    struct buf text = {0};
    uint8_t part[65536];
    size_t len;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die("can't open", path);
    while ((len = fread(part, 1, sizeof(part), file)) > 0)
        buf_append(&text, part, len);
    fclose(file);
    return text;
}

#endif
