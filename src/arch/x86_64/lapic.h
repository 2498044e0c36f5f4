// SPDX-License-Identifier: MIT
/*
 * The Local APIC: one interface, of which the xAPIC is one body.
 *
 * Source: Intel SDM vol 3A, "Advanced Programmable Interrupt Controller (APIC)" (chapter 10 of
 * older editions, 11 of newer ones).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

/*
 * Find the Local APIC's mode and reach its registers. Panics, in words, where it is in a mode that
 * this kernel does not drive. Context: boot cpu only.
 */
void lapic_init(void);

/* Put this core's Local APIC into the kernel's state: enabled, LINT0 masked, LINT1 as NMI, error
 * and spurious vectors, timer stopped. Context: boot cpu only, cpu being started. */
void lapic_init_cpu(void);

/* This core's APIC id. Context: any. */
uint32_t lapic_id(void);

/* Ids above this cannot be addressed in the present mode. Context: any. */
uint32_t lapic_id_max(void);

/* End the interrupt in service. Context: hardirq. */
void lapic_eoi(void);

/* Is `vector` in service on this core? Context: hardirq. */
bool lapic_in_service(uint8_t vector);

/* Read, clear and log the error status. Context: hardirq. */
void lapic_error_interrupt(void);

/* Send INIT, or STARTUP to begin at `page` << 12. Returns: 0, -EIO. Context: boot cpu only. */
int lapic_send_init(uint32_t apic_id);
int lapic_send_startup(uint32_t apic_id, uint8_t page);

/* Measure the timer's rate against arch_clock_ns(). Context: boot cpu only. */
void lapic_timer_calibrate(void);
