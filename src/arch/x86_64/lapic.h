// SPDX-License-Identifier: MIT
/*
 * The Local APIC: one interface with two bodies, xAPIC and x2APIC.
 *
 * Source: Intel SDM vol 3A, "Advanced Programmable Interrupt Controller (APIC)" (chapter 10 of
 * older editions, 11 of newer ones).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/params.h"

/*
 * Decide the mode of all Local APICs (apic= `wanted`), bring the boot core's to it and reach its
 * registers. Context: boot cpu only, after acpi_init().
 */
void lapic_init(enum param_apic wanted);

/*
 * Put this core's Local APIC into the kernel's state: the machine's mode, enabled, LINT0 masked,
 * LINT1 as NMI, error and spurious vectors, timer stopped.
 * Returns: 0, or -EIO: this core cannot go to that mode. Context: boot cpu only, cpu being started.
 */
int lapic_init_cpu(void);

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

/* The TSC and the timer's count, read at (nearly) the same moment. */
struct lapic_timer_reading {
    uint64_t ticks;
    uint32_t count;
};

/*
 * Learn the timer's rate, in two halves, with the TSC's rate learnt in between: both are measured
 * over the same time. The first has the timer count, the second reads it again, and waits only if
 * less than 10 ms have passed. A CPU whose timer works by TSC deadline has no rate to learn.
 * Context: boot cpu only, interrupts off.
 */
struct lapic_timer_reading lapic_timer_begin(void);
void lapic_timer_calibrate(struct lapic_timer_reading begin);
