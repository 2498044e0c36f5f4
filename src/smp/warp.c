// SPDX-License-Identifier: MIT
/*
 * The largest counter value that any core has read is shared. A core loads it, then reads its own
 * counter: were the two in step, its own would be at least as large, because the other was read
 * before it was stored. What is missing is how far this core is behind. Then it raises the shared
 * value to its own.
 *
 * Nobody waits for a partner, so it also ends where the cores take turns, as in an emulator with
 * more cores than its host has. The second pass is for these: a core that had its turn before the
 * one that is ahead compares with it there.
 */
#include "smp/warp.h"

#include <stdatomic.h>

#include "lib/log.h"
#include "smp/call.h"
#include "smp/cores.h"

enum { PASSES = 2, LOOKS_MAX = 500 };
#define PASS_NS UINT64_C(50000)
#define NS_PER_US UINT64_C(1000)

static _Atomic uint64_t latest;         /* the largest value read by any core */
static DEFINE_PERCPU(uint64_t, behind); /* P: the most that this core was behind it */

/* Compare once, raise `latest`. Returns: this core's counter. */
static uint64_t look(void)
{
    /* acquire, and a read of the counter that is not ahead of it: pairs with the release below */
    uint64_t seen = atomic_load_explicit(&latest, memory_order_acquire);
    uint64_t now = arch_ticks_ordered();
    if (now < seen && seen - now > this_cpu(behind))
        this_cpu(behind) = seen - now;
    while (seen < now && !atomic_compare_exchange_weak_explicit(
                             &latest, &seen, now, memory_order_release, memory_order_relaxed))
        continue;
    return now;
}

static void look_for_a_while(void *arg)
{
    (void)arg;
    uint64_t begin = look();
    for (int i = 1; i < LOOKS_MAX && arch_ticks_to_ns(look() - begin) < PASS_NS; i++)
        continue;
}

struct warp warp_measure(void)
{
    struct warp warp = {.ticks = 0, .cpu = CPU_NONE};
    atomic_store_explicit(&latest, 0, memory_order_relaxed);
    cpumask_for_each (cpu, &smp_online)
        *percpu_of(cpu, behind) = 0;
    for (int i = 0; i < PASSES; i++)
        (void)call_on_many(&smp_online, look_for_a_while, NULL);
    cpumask_for_each (cpu, &smp_online) {
        if (*percpu_of(cpu, behind) > warp.ticks)
            warp = (struct warp){.ticks = *percpu_of(cpu, behind), .cpu = cpu};
    }
    return warp;
}

void warp_check(void)
{
    if (smp_online_count() < 2)
        return;
    uint64_t begin = arch_clock_ns();
    struct warp warp = warp_measure();
    unsigned long long took = (arch_clock_ns() - begin) / NS_PER_US;
    if (warp.ticks == 0)
        log_info("clock: no warp between the counters of %u cores, looked for %llu us",
                 smp_online_count(), took);
    else
        log_warn("clock: core %u is %llu ns behind another core, if not more: times of different "
                 "cores compare no better than that",
                 warp.cpu, (unsigned long long)arch_ticks_to_ns(warp.ticks));
}
