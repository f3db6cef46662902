/* SPDX-License-Identifier: MIT */
/* Files that unit tests find there. */
#ifndef VARVE_TESTS_FILES_H
#define VARVE_TESTS_FILES_H

#include <stdio.h>

#include "test.h"

static inline void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

#endif
