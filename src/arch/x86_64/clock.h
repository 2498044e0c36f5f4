// SPDX-License-Identifier: MIT
/*
 * Time: the TSC, and by what its rate was measured.
 */
#pragma once

#include "arch/arch.h"
#include "lib/params.h"

/* Note the TSC at the kernel's entry. Context: boot cpu only. */
void clock_set_boot_ticks(uint64_t ticks);

/*
 * Learn the TSC's rate: from CPUID leaf 15h if it names its crystal, else by measuring against the
 * HPET, the ACPI PM timer or the PIT, in this order; `wanted` puts one of them first. Each loop is
 * bounded and its result checked; with none left the rate is guessed, and the log says so.
 * Context: boot cpu only, after acpi_init().
 */
void clock_init(enum param_clock wanted);

/* TSC ticks in `ns` nanoseconds, at most a second of them. Context: any. */
uint64_t clock_ns_to_ticks(uint64_t ns);
