// SPDX-License-Identifier: MIT
/*
 * The HPET's timers, as line_sources at I/O APIC inputs, by edge or by level. Its main counter
 * serves the clock (arch/x86_64/clock.c) and is left running as it is.
 */
#pragma once

/*
 * Register its timers that can be periodic. Returns: how many there are, or -ENODEV (no HPET).
 * Context: boot cpu only, once, after irq_init(). Sleeps: no.
 */
int hpet_init(void);
