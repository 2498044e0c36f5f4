// SPDX-License-Identifier: MIT
/*
 * Cores: which there are, which are online, and how they come up.
 */
#pragma once

#include "arch/arch.h"
#include "lib/cpumask.h"

struct smp_params {
    uint32_t maxcpus;              /* start at most so many, the boot core included; 0: no limit */
    uint32_t init_udelay_us;       /* between INIT and STARTUP */
    const struct cpumask *ap_dead; /* cores to treat as dead */
};

/* The cores that answer. Context: any. */
extern struct cpumask smp_online;

/* Put a core into smp_online; its vector table holds what it shall. Context: thread. */
void smp_set_online(cpu_t cpu);

/* Put the boot core into smp_online. Context: boot cpu only. */
void smp_init(void);

/*
 * Start all other cores, in parallel, and let those that arrive run `core_main`, which never
 * returns. A core that does not arrive is named in the log with the step it reached, and left
 * behind. Takes 5 s longer if one does not.
 * Context: boot cpu only, interrupts on.
 */
void smp_start_cores(const struct smp_params *params, void (*core_main)(void));

/* How long bring-up took, from the first INIT until all cores were online; 0 before that. */
struct smp_bring_up {
    uint64_t ns;
    uint64_t init_wait_ns; /* what part of it was to pass behind INIT: init_udelay= */
};

/* Context: any. */
struct smp_bring_up smp_bring_up(void);

/*
 * Run fn(arg) on the idle core `cpu`, in thread context with interrupts on: its one slot holds the
 * job until it has returned. The caller goes on at once; core_job_done() tells when.
 * Returns: 0, -ENXIO (not online, the caller's own core or the boot core), -EBUSY (the slot is
 * taken), -EIO (the core could not be woken; nothing is run). Context: thread.
 */
int core_job_start(cpu_t cpu, void (*fn)(void *arg), void *arg);

/* Is the slot of core `cpu` free (again)? Context: any. */
bool core_job_done(cpu_t cpu);

/* Run this core's job, if there is one. Returns: whether there was. Context: thread, idle loop. */
bool core_job_run(void);

/* How many cores are online. Context: any. */
cpu_t smp_online_count(void);
