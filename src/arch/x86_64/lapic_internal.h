// SPDX-License-Identifier: MIT
/*
 * What the Local APIC's common part (lapic.c) and its two bodies share; nobody else includes this.
 *
 * Registers go by their xAPIC byte offsets; the x2APIC's MSR numbers follow from them (Intel SDM
 * vol 3A, "x2APIC Register Address Space").
 */
#pragma once

#include <stdint.h>

/* clang-format off: fields stand under their register */
/* Byte offsets of the registers (Intel SDM vol 3A, "Local APIC Register Address Map"). */
enum lapic_register {
    LAPIC_ID = 0x20,
    LAPIC_ID_SHIFT = 24,
    LAPIC_VERSION = 0x30,
    LAPIC_VERSION_MAX_LVT_SHIFT = 16,
    LAPIC_TPR = 0x80,
    LAPIC_EOI = 0xb0,
    LAPIC_SVR = 0xf0,
    LAPIC_SVR_ENABLE = 1 << 8,
    LAPIC_ISR = 0x100, /* 8 registers, 0x10 apart, with so many vectors each: */
    LAPIC_ISR_VECTORS = 32,
    LAPIC_IRR = 0x200, /* likewise */
    LAPIC_ESR = 0x280,
    LAPIC_ICR_LOW = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320, /* one-shot is mode 0 */
    LAPIC_LVT_TSC_DEADLINE = 2 << 17,
    LAPIC_LVT_THERMAL = 0x330,
    LAPIC_LVT_PERFORMANCE = 0x340,
    LAPIC_LVT_LINT0 = 0x350, /* LINT1 follows, 0x10 on */
    LAPIC_LVT_ACTIVE_LOW = 1 << 13,
    LAPIC_LVT_MASKED = 1 << 16,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3e0,
    LAPIC_TIMER_DIVIDE_BY_1 = 0xb,
};
/* clang-format on */

struct lapic_ops {
    const char *name;
    uint32_t id_max; /* ids above cannot be addressed */
    uint32_t (*read)(enum lapic_register reg);
    void (*write)(enum lapic_register reg, uint32_t value);
    uint32_t (*id)(void); /* of this core */
    void (*eoi)(void);
    /* as arch_ipi_send_irqs_off(): to one Local APIC, or to those that the command's shorthand
     * names */
    int (*send)(uint32_t apic_id, uint32_t command);
    int (*send_shorthand)(uint32_t command);
};

extern const struct lapic_ops xapic_ops, xapic_held_ops, x2apic_ops;

/* Reach the register page at `base`. Returns: 0, -ENOMEM. Context: boot cpu only. */
int xapic_map(uint64_t base);
