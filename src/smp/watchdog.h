// SPDX-License-Identifier: MIT
/*
 * The watchdog: a core that takes no interrupts any more is named, with its backtrace.
 *
 * What counts is whether the core answers: once a second each core that is awake is asked by a call
 * (smp/call.h), and its silence is measured in looks that found the question untaken. A core that
 * halts in its idle loop is not asked, so that the scan's timer stays the only one that runs when
 * all are idle. docs/nmi-and-lockups.md says what this sees and what it does not.
 */
#pragma once

#include <stdbool.h>

#include "arch/arch.h"

/*
 * Watch the online cores; a silence of `seconds` is reported. `is_idle` tells of a core whether it
 * has nothing to do (it is called in interrupts). Context: boot cpu only, once.
 */
void watchdog_start(uint32_t seconds, bool (*is_idle)(cpu_t cpu));

/* The scan's part: look at all cores but the calling one, the boot core. Context: hardirq. */
void watchdog_scan(void);

/* Is there a report of core `cpu` that it has not answered since? Context: any. */
bool watchdog_has_reported(cpu_t cpu);

/* Does another core look at the boot core now? Context: any. */
bool watchdog_is_guarded(void);
