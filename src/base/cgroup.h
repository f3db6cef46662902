/* SPDX-License-Identifier: MIT */
#ifndef VARVE_BASE_CGROUP_H
#define VARVE_BASE_CGROUP_H

#include <stdint.h>

/*
 * The memory that the kernel lets this process and those of its control group have, in bytes,
 * before it kills one of them: the least of its group's limit and of those above it; UINT64_MAX if
 * there is none, or if nothing can be read (no /proc, no /sys). Version 2 (memory.max) and version
 * 1 (memory.limit_in_bytes) as the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/
 * say.
 *
 * Files are looked up below the folder `root`: "" but in tests.
 */
uint64_t cgroup_memory_limit(const char *root);

#endif
