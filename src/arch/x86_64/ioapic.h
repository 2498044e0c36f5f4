// SPDX-License-Identifier: MIT
/*
 * The I/O APICs: device lines (gsi) to vectors on a core. Arch.h's arch_line_* are the way in.
 */
#pragma once

#include "arch/arch.h"

/* Find all I/O APICs and mask every input. Context: boot cpu only, after acpi_init(). */
void ioapic_init(void);

/*
 * How many inputs has the I/O APIC at this address? Context: boot cpu only, before ioapic_init().
 * Returns: 1 to 256, or 0 (no I/O APIC answers there).
 * Source: Intel 82093AA data sheet, "I/O APIC Version Register"
 */
uint32_t ioapic_inputs_at(paddr_t address);
