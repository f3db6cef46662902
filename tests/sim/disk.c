/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <errno.h>
#include <stdlib.h>

#include "disk_part.h"

struct disk *disk_new(uint64_t seed)
{
    struct disk *d = calloc(1, sizeof(*d));
    if (d == NULL)
        abort();
    d->random.state = seed;
    d->memory = memory_disk_new(sim_random_next(&d->random));
    return d;
}

void disk_free(struct disk *d)
{
    memory_disk_free(d->memory);
    free(d);
}

/* One who is dead makes no call any more, and of the others some fail. */
static int judge_call(void *context, enum system_call call, bool after)
{
    struct disk *d = context;
    struct disk_process *p = d->process;
    if (after)
        return 0;
    if (p->dies_at > 0 && --p->dies_at == 0)
        p->dead = true;
    if (p->dead)
        return EIO;
    bool sync =
        call == SYSTEM_CALL_FDATASYNC || call == SYSTEM_CALL_FSYNC || call == SYSTEM_CALL_SYNCFS;
    /* By the disk itself: it knows what a sync loses. */
    if (sim_random_chance(&d->random, sync ? d->faults.fail_sync : d->faults.fail))
        memory_disk_fail(d->memory, call, 1, EIO);
    return 0;
}

struct system disk_system(struct disk *d)
{
    struct system system = memory_disk_system(d->memory);
    system.hook = judge_call;
    system.context = d;
    return system;
}

void disk_switch(struct disk *d, struct disk_process *process)
{
    d->process = process;
    memory_disk_own(d->memory, process);
}

void disk_set_faults(struct disk *d, struct disk_faults faults)
{
    d->faults = faults;
    memory_disk_shorten(d->memory, faults.short_writes);
}

void disk_set_capacity(struct disk *d, uint64_t bytes)
{
    memory_disk_set_room(d->memory, bytes);
}

uint64_t disk_used(const struct disk *d)
{
    return memory_disk_used(d->memory);
}

void disk_set_rival(struct disk *d, disk_rival *rival, void *context)
{
    memory_disk_before_rename(d->memory, rival, context);
}

void disk_close_all(struct disk *d, struct disk_process *process)
{
    memory_disk_close_all(d->memory, process);
}
