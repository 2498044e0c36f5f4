// SPDX-License-Identifier: MIT
/*
 * The I/O APICs: device lines (gsi) to vectors on a core. Arch.h's arch_isa_irq_* are the way in.
 */
#pragma once

/* Find all I/O APICs and mask every input. Context: boot cpu only, after acpi_init(). */
void ioapic_init(void);
