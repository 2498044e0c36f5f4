// SPDX-License-Identifier: MIT
/*
 * Do the cores' cycle counters (TSCs) agree? The time of a log line and arch_clock_ns() come from
 * the counter of the core that asks; between cores they mean as much as the counters agree.
 */
#pragma once

#include "arch/arch.h"

struct warp {
    uint64_t ticks; /* the most that a core's counter was seen behind another's; 0: none */
    cpu_t cpu;      /* that core, or CPU_NONE */
};

/*
 * Compare the counters of all online cores. Each core looks for at most 50 us, twice, and waits
 * for no other. What is seen is real; a difference smaller than the time that a value needs from
 * core to core (where cores run side by side well below 1 us) can stay unseen.
 * Context: thread, interrupts on; one caller at a time. Sleeps: no (spins for the answers).
 * Source: Intel SDM vol 3B, "Time-Stamp Counter" ("Invariant TSC", "Time-Stamp Counter Adjustment")
 */
struct warp warp_measure(void);

/* Measure, and log what it means. Nothing with one core. Context: boot cpu only. */
void warp_check(void);
