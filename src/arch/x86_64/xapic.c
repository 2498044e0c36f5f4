// SPDX-License-Identifier: MIT
/*
 * The xAPIC body: registers in one uncached page, an ICR of two halves whose busy bit is waited
 * for, with a bound, before and after each message.
 *
 * Interrupts are off between the ICR's destination half and its command half: a handler that sent
 * something in between would leave its own destination there.
 */
#include "arch/arch.h"
#include "arch/x86_64/apic_encode.h"
#include "arch/x86_64/apic_mode.h"
#include "arch/x86_64/lapic_internal.h"
#include "arch/x86_64/paging.h"
#include "lib/errno.h"

enum { ICR_WAIT_US = 10000 };

static volatile uint32_t *xapic; /* I: the register page */

int xapic_map(uint64_t base)
{
    xapic = map_physical(base, PAGE_SIZE, PROT_W | PROT_DEVICE);
    return xapic == NULL ? -ENOMEM : 0;
}

static uint32_t xapic_read(enum lapic_register reg)
{
    return xapic[reg / sizeof(uint32_t)];
}

static void xapic_write(enum lapic_register reg, uint32_t value)
{
    xapic[reg / sizeof(uint32_t)] = value;
}

static uint32_t xapic_id(void)
{
    return xapic_read(LAPIC_ID) >> LAPIC_ID_SHIFT;
}

/* Wait until the ICR has sent what it holds. Returns 0, or -EIO after ICR_WAIT_US. */
static inline int icr_wait(uint32_t (*read)(enum lapic_register))
{
    if ((read(LAPIC_ICR_LOW) & ICR_BUSY) == 0)
        return 0;
    uint64_t start = arch_clock_ns();
    while (arch_clock_ns() - start < ICR_WAIT_US * UINT64_C(1000)) {
        arch_relax();
        if ((read(LAPIC_ICR_LOW) & ICR_BUSY) == 0)
            return 0;
    }
    return -EIO;
}

static inline int icr_send(uint32_t (*read)(enum lapic_register), uint32_t apic_id,
                           uint32_t command)
{
    uint64_t flags = arch_irq_save();
    int error = icr_wait(read);
    if (error == 0) {
        if (command >> ICR_SHORTHAND_SHIFT == APIC_TO_DESTINATION)
            xapic_write(LAPIC_ICR_HIGH, apic_id << ICR_DESTINATION_SHIFT);
        xapic_write(LAPIC_ICR_LOW, command); /* this write sends */
        error = icr_wait(read);
    }
    arch_irq_restore(flags);
    return error;
}

static int xapic_send(uint32_t apic_id, uint32_t command)
{
    return icr_send(xapic_read, apic_id, command);
}

const struct lapic_ops xapic_ops = {
    .name = "xAPIC",
    .id_max = XAPIC_ID_MAX,
    .read = xapic_read,
    .write = xapic_write,
    .id = xapic_id,
    .send = xapic_send,
};

/* The same hardware with an ICR that never becomes idle, for self-tests: arch_ipi_hold(). */
static uint32_t held_read(enum lapic_register reg)
{
    return xapic_read(reg) | (reg == LAPIC_ICR_LOW ? (uint32_t)ICR_BUSY : 0);
}

static int held_send(uint32_t apic_id, uint32_t command)
{
    return icr_send(held_read, apic_id, command);
}

const struct lapic_ops xapic_held_ops = {
    .name = "xAPIC, held busy",
    .id_max = XAPIC_ID_MAX,
    .read = held_read,
    .write = xapic_write,
    .id = xapic_id,
    .send = held_send,
};
