/* SPDX-License-Identifier: MIT */
#ifndef VARVE_TESTS_SIM_DISK_PART_H
#define VARVE_TESTS_SIM_DISK_PART_H

#include "disk.h"
#include "object/memory.h"

/* What the files of the disk share. */
struct disk {
    struct memory_disk *memory;
    struct disk_process *process;
    struct disk_faults faults;
    struct sim_random random;
};

#endif
