// SPDX-License-Identifier: MIT
/*
 * Waiting for another core: never silent, never for nothing, and never as if the answer had come.
 */
#pragma once

#include "arch/arch.h"

struct core_wait {
    uint64_t since_ns;
    unsigned reports;
};

/* Begin a wait. Context: any. */
static inline struct core_wait core_wait_begin(void)
{
    return (struct core_wait){.since_ns = arch_clock_ns(), .reports = 0};
}

/*
 * One turn of a wait for core `cpu` to do `what` ("take its rings"): pauses; with interrupts off
 * answers the calls of other cores, which may be waiting for us; after 1 s logs what is waited for,
 * after 10 s logs that core's backtrace, which it is asked for by NMI.
 * Context: hardirq. Sleeps: no.
 */
void core_wait_turn(struct core_wait *wait, cpu_t cpu, const char *what);
