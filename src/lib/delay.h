// SPDX-License-Identifier: MIT
/*
 * Delay points: in the debug kernel (make DEBUG=1) a core can be held at the steps of the lock-free
 * protocols for a while, so that what others do in between happens often and not once in a million.
 * The steps are those that the models of models/ name; each has its point right before it, or, for
 * a copy of several words, in its midst. In the plain kernel a delay point is nothing.
 */
#pragma once

#include <stdint.h>

#include "lib/debug.h"

/* The steps, by protocol; the heads of the files say what each does. */
enum delay_step {
    DELAY_S1, /* smp/ipi.c: rings, and removal against them */
    DELAY_S2,
    DELAY_S3,
    DELAY_S4,
    DELAY_S5,
    DELAY_H1,
    DELAY_H2,
    DELAY_H3,
    DELAY_H4,
    DELAY_H5,
    DELAY_H6,
    DELAY_R1,
    DELAY_R2,
    DELAY_R3,
    DELAY_R4,
    DELAY_R5,
    DELAY_R6,
    DELAY_LOG_W1, /* lib/log.c */
    DELAY_LOG_W2,
    DELAY_LOG_W3,
    DELAY_LOG_W4,
    DELAY_LOG_R1,
    DELAY_LOG_R2,
    DELAY_LOG_R3,
    DELAY_LOG_R4,
    DELAY_C1, /* smp/call.c */
    DELAY_C2,
    DELAY_C3,
    DELAY_A1,
    DELAY_A2,
    DELAY_A3,
    DELAY_A4,
    DELAY_A5,
    DELAY_A6,
    DELAY_I1, /* sched/sched.c */
    DELAY_I2,
    DELAY_I3,
    DELAY_I4,
    DELAY_P1,
    DELAY_P2,
    DELAY_P3,
    DELAY_P4,
    DELAY_Q1,
    DELAY_Q2,
    DELAY_L2,
    DELAY_L4,
    DELAY_U1, /* smp/tlb.c, vm/space.c */
    DELAY_U2,
    DELAY_U3,
    DELAY_F1,
    DELAY_F2,
    DELAY_F3,
    DELAY_F4,
    DELAY_F5,
    DELAY_E1,
    DELAY_E2,
    DELAY_M1, /* irq/affinity.c */
    DELAY_M2,
    DELAY_M3,
    DELAY_M4,
    DELAY_N1, /* arch/x86_64/trap.c */
    DELAY_N2,
    DELAY_N3,
    DELAY_N4,
    DELAY_STEPS,
};

/* All steps from `first` to `last`, as a set. */
#define DELAY_RANGE(first, last) ((UINT64_C(2) << (last)) - (UINT64_C(1) << (first)))

/* Which cores are held, where and how long. */
struct delays {
    uint64_t steps;      /* set of steps */
    uint64_t one_in;     /* so many times that a core comes to one of them: held once, on average */
    uint64_t longest_ns; /* this, or half of it, or a quarter..., down to a 4096th, equally often */
};

/*
 * Switch the delays on. `seed` begins the pseudo-random sequence of each core.
 * Context: thread. Sleeps: no. Locks: none.
 */
void delay_begin(const struct delays *delays, uint64_t seed);

/* Switch them off; a core that is being held goes on when its time is over. Context: thread. */
void delay_end(void);

/* Hold this core if the step is switched on. Context: any. Sleeps: no (spins). Locks: none. */
void delay_hold(enum delay_step step);

/* A delay point. Context: any. Locks: none; nothing is logged. */
static inline void delay_at(enum delay_step step)
{
    if (DEBUG_KERNEL)
        delay_hold(step);
}
