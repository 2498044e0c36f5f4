// SPDX-License-Identifier: MIT
/*
 * Reports of where running cores are: of one that keeps others waiting, of one that does not
 * answer, and, at an NMI from outside (a front panel's button, QEMU's inject-nmi), of all.
 */
#pragma once

#include <stdbool.h>

#include "arch/arch.h"
#include "lib/cpumask.h"

/*
 * Ask the cores of `cores` by NMI for their backtraces, and log these core by core; a core that
 * does not answer within 100 ms is named. The calling core may be among them in an NMI alone. The
 * lines are shown soon, by some core that can.
 * Returns: false if such a report is being made already: nothing was logged.
 * Context: any. Sleeps: no. Locks: none.
 */
bool where_report(const struct cpumask *cores);

/* The same of one core; of the calling one nothing is reported, which knows where it is. Returns,
 * context, locks: as where_report(). */
bool where_report_core(cpu_t cpu);

/*
 * Say how many NMIs from outside were counted without a report since this was called last, if any
 * were: there is one report a second at most. Context: hardirq.
 */
void where_tell_counted(void);

/*
 * For self-tests, which send NMIs without a question: call fn in place of the report; NULL: report
 * again. Context: thread.
 */
void where_set_nmi_hook(void (*fn)(void));
