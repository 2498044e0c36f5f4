// SPDX-License-Identifier: MIT
/*
 * The parts that procfs_fill() puts together; only the procfs_*.c files include this one. Each
 * makes the files of one subject.
 */
#pragma once

#include <stdint.h>

enum { PROCFS_TICKS_PER_S = 100 }; /* Linux's USER_HZ, in which programs expect times */

/* A time in these ticks. */
static inline uint64_t procfs_ticks(uint64_t ns)
{
    return ns / (UINT64_C(1000000000) / PROCFS_TICKS_PER_S);
}

void procfs_fill_machine(const char *cmdline); /* cpuinfo, meminfo, stat, cores ... */
void procfs_fill_processes(void);              /* self, PID/ */
void procfs_fill_irqs(void);                   /* interrupts, softirqs, irq/ */
void procfs_fill_ipis(void);                   /* ipi */
