/* SPDX-License-Identifier: MIT */
/*
 * Put before each file by `make lint-tidy`, which sees one file at a time: the functions that set
 * an error always return -1, so what follows `if (f(...) != 0) return -1;` did not fail.
 */
#include "base/err.h"

#define err_set(...) ((void)err_set(__VA_ARGS__), -1)
#define err_set_system(...) ((void)err_set_system(__VA_ARGS__), -1)
#define err_prefix(...) ((void)err_prefix(__VA_ARGS__), -1)
