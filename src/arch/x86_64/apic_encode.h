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
    RTE_BUSY = 1 << 12, /* delivery status: send pending */
    RTE_ACTIVE_LOW = 1 << 13,
    RTE_REMOTE_IRR = 1 << 14, /* of a level: accepted by a Local APIC, not ended yet */
    RTE_LEVEL = 1 << 15,
    RTE_MASKED = 1 << 16,
    RTE_READ_ONLY = RTE_BUSY | RTE_REMOTE_IRR,
    RTE_DESTINATION_SHIFT = 24, /* in the high half */

    MSI_DESTINATION_SHIFT = 12,
    APIC_ID_BROADCAST = 255, /* ids from here on have no room in 8 bits */
};
#define MSI_ADDRESS UINT64_C(0xfee00000)

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

/*
 * The address of a message to one physical destination; fixed delivery and edge make the rest of
 * its value, the vector aside, 0. Source: Intel SDM vol 3A, "Message Address Register Format".
 */
static inline uint64_t msi_address_encode(uint8_t apic_id)
{
    return MSI_ADDRESS | (uint64_t)apic_id << MSI_DESTINATION_SHIFT;
}
