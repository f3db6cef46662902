/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve.h"

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
    (void)fprintf(stderr, "usage: %s serve MINOR PATCH\n", argv[0]);
    return 2;
}
