// SPDX-License-Identifier: MIT
/*
 * Which cores may hold translations of an address space, and how they are rid of stale ones: the
 * TLB shootdown. smp/tlb.c has the protocol with its steps, docs/address-spaces.md the story.
 *
 * Only translations of programs' pages are meant. The kernel's half is the same in all spaces and
 * is never narrowed while cores run.
 */
#pragma once

#include "arch/arch.h"
#include "lib/cpumask.h"

/* An address space as the cores see it. */
struct tlb_space {
    paddr_t root;         /* I: arch.h's name of it */
    struct cpumask cores; /* those that may hold translations of it */
};

/*
 * The kernel's own space, of threads that run no program. It has no translations to be rid of, so
 * nobody keeps count of its cores.
 */
extern struct tlb_space tlb_kernel;

/*
 * Leave the space `from`, which this core uses now, for `to`. When it returns, this core holds no
 * translation of `from`. Both may be the same.
 * Context: thread, interrupts off. Sleeps: no. Locks: none.
 * Source: Intel SDM vol 3A, "Operations that Invalidate TLBs and Paging-Structure Caches".
 */
void tlb_switch(struct tlb_space *from, struct tlb_space *to);

/*
 * The page table entries of [start, end) (whole pages, in the programs' range) have been taken away
 * or narrowed: see to it that no core uses what they said before. When it returns, none does, and
 * the frames may be freed. Entries that were only widened need no flush: a core that still has the
 * old one faults, and finds that it may go on.
 * The caller may hold the space's lock (interrupts on), so that nobody maps other pages there
 * before all cores have forgotten these.
 * Context: thread, interrupts on. Sleeps: no (spins for other cores). Locks: takes heap.
 * Source: Intel SDM vol 3A, "Propagation of Paging-Structure Changes to Multiple Processors".
 */
void tlb_flush(const struct tlb_space *space, uintptr_t start, uintptr_t end);

/*
 * Wait until no core uses the space any more; nobody may begin to. Afterwards its tables may be
 * freed. Context: thread, interrupts on. Sleeps: no (spins for other cores). Locks: none.
 */
void tlb_wait_unused(const struct tlb_space *space);
