// SPDX-License-Identifier: MIT
/*
 * The safety net under the rings: the boot core's timer, the one timer that runs when all cores are
 * idle, looks for counts that nobody took. What else is to be looked after once a second goes with
 * it: the watchdog, and the NMIs that were only counted.
 *
 * A count seen once may be a ring on its way, so it is looked at again a moment later and only what
 * is still there then is rung again. Both spans together stay under a second.
 *
 * Softirqs for which a core could not interrupt itself are found here, too, and edges of devices
 * that could not be sent once more.
 */
#include <stdatomic.h>

#include "irq/irq.h"
#include "irq/softirq.h"
#include "irq/timer.h"
#include "smp/call.h"
#include "smp/cores.h"
#include "smp/ipi.h"
#include "smp/watchdog.h"
#include "smp/where.h"

enum { NS_PER_MS = 1000000 };
#define SCAN_NS (UINT64_C(900) * NS_PER_MS)
#define CONFIRM_NS (UINT64_C(50) * NS_PER_MS)

static _Atomic bool paused;
static bool confirming; /* P: boot core, hardirq: something was seen at the last look */

void ipi_scan_pause(bool pause)
{
    atomic_store_explicit(&paused, pause, memory_order_relaxed);
}

static bool anything_waits(void)
{
    return !atomic_load_explicit(&paused, memory_order_relaxed) &&
           (ipi_any_pending() || call_any_waiting());
}

static void kick_softirqs(void)
{
    cpumask_for_each (cpu, &smp_online)
        softirq_kick(cpu);
}

static void scan(struct timer *timer)
{
    kick_softirqs();
    irq_kick_pending();
    bool waits = anything_waits();
    where_tell_counted();
    watchdog_scan();
    if (waits && confirming)
        ipi_kick_pending();
    confirming = waits && !confirming;
    timer_start(timer, confirming ? CONFIRM_NS : SCAN_NS);
}

void ipi_scan_start(void)
{
    static struct timer timer = TIMER(scan);
    timer_start(&timer, SCAN_NS);
}
