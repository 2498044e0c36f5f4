// SPDX-License-Identifier: MIT
/*
 * One loop body for every wait for another core.
 */
#include "smp/wait.h"

#include "lib/context.h"
#include "lib/log.h"
#include "smp/call.h"
#include "smp/where.h"

#define FIRST_REPORT_NS UINT64_C(1000000000)
#define SECOND_REPORT_NS UINT64_C(10000000000)

void core_wait_turn(struct core_wait *wait, cpu_t cpu, const char *what)
{
    arch_relax();
    if (!arch_irqs_enabled())
        call_answer();
    if (wait->reports != 0 && arch_irqs_enabled() && !in_interrupt()) /* as in spinlock.c */
        log_drain(); /* nobody else may be awake to show the report */
    if (wait->reports == 2)
        return;
    uint64_t waited = arch_clock_ns() - wait->since_ns;
    if (wait->reports == 0 && waited > FIRST_REPORT_NS) {
        wait->reports = 1;
        log_warn("smp: core %u has waited 1 s for core %u to %s", arch_cpu(), cpu, what);
    } else if (wait->reports == 1 && waited > SECOND_REPORT_NS) {
        wait->reports = 2;
        log_warn("smp: core %u has waited 10 s for core %u to %s", arch_cpu(), cpu, what);
        (void)where_report_core(cpu); /* else a report is made: of it, or of all */
    }
}
