// SPDX-License-Identifier: MIT
/*
 * Interrupt messages as bits: the deciding half of lapic.c and ioapic.c, pure and tested on the
 * host.
 *
 * Source: Intel SDM vol 3A, "Interrupt Command Register (ICR)"; 82093AA I/O APIC data sheet,
 * "I/O Redirection Table Registers".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum apic_delivery {
    APIC_FIXED = 0,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6,
};

enum apic_shorthand {
    APIC_TO_DESTINATION = 0,
    APIC_TO_SELF = 1,
    APIC_TO_ALL = 2,
    APIC_TO_OTHERS = 3,
};

enum {
    ICR_DELIVERY_SHIFT = 8,
    ICR_BUSY = 1 << 12, /* delivery status: send pending */
    ICR_ASSERT = 1 << 14,
    ICR_SHORTHAND_SHIFT = 18,
    ICR_DESTINATION_SHIFT = 24, /* in the high half */

    RTE_DELIVERY_SHIFT = 8,
    RTE_DELIVERY = 7,
    RTE_ACTIVE_LOW = 1 << 13,
    RTE_LEVEL = 1 << 15,
    RTE_MASKED = 1 << 16,
    RTE_DESTINATION_SHIFT = 24, /* in the high half */
};

/*
 * The low half of the ICR: edge and assert for every mode that we send (hardware insists where
 * emulators forgive). For STARTUP `vector` is the page of the entry point below 1 MiB.
 */
static inline uint32_t icr_encode(enum apic_delivery delivery, uint8_t vector,
                                  enum apic_shorthand shorthand)
{
    return vector | (uint32_t)delivery << ICR_DELIVERY_SHIFT | ICR_ASSERT |
           (uint32_t)shorthand << ICR_SHORTHAND_SHIFT;
}

/* The low half of a redirection entry: fixed delivery to one physical destination. */
static inline uint32_t rte_encode(uint8_t vector, bool level, bool active_low, bool masked)
{
    return vector | (level ? RTE_LEVEL : 0u) | (active_low ? RTE_ACTIVE_LOW : 0u) |
           (masked ? RTE_MASKED : 0u);
}
