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

static void xapic_eoi(void)
{
    xapic_write(LAPIC_EOI, 0);
}

static uint32_t xapic_id(void)
{
    return xapic_read(LAPIC_ID) >> LAPIC_ID_SHIFT;
}

/*
 * The ICR, through `read`: the register itself, or one that never becomes idle (below). It is
 * looked at once before and once after; what is to be done where that does not suffice stands
 * apart, so that a message costs no more than its four accesses.
 */
typedef uint32_t (*icr_reader)(enum lapic_register);

static inline bool icr_idle(icr_reader read)
{
    return (read(LAPIC_ICR_LOW) & ICR_BUSY) == 0;
}

/* Wait until the ICR has sent what it holds. Returns 0, or -EIO after ICR_WAIT_US. */
__attribute__((noinline)) static int icr_wait(icr_reader read)
{
    uint64_t start = arch_clock_ns();
    while (arch_clock_ns() - start < ICR_WAIT_US * UINT64_C(1000)) {
        arch_relax();
        if (icr_idle(read))
            return 0;
    }
    return -EIO;
}

static inline int icr_write_low(icr_reader read, uint32_t command)
{
    xapic_write(LAPIC_ICR_LOW, command); /* this write sends */
    return icr_idle(read) ? 0 : icr_wait(read);
}

static inline int icr_write(icr_reader read, uint32_t apic_id, uint32_t command)
{
    xapic_write(LAPIC_ICR_HIGH, apic_id << ICR_DESTINATION_SHIFT);
    return icr_write_low(read, command);
}

__attribute__((noinline)) static int icr_send_late(icr_reader read, uint32_t apic_id,
                                                   uint32_t command)
{
    return icr_wait(read) == 0 ? icr_write(read, apic_id, command) : -EIO;
}

static inline int icr_send(icr_reader read, uint32_t apic_id, uint32_t command)
{
    return icr_idle(read) ? icr_write(read, apic_id, command)
                          : icr_send_late(read, apic_id, command);
}

/* With a shorthand the destination half does not count. */
static inline int icr_send_shorthand(icr_reader read, uint32_t command)
{
    if (!icr_idle(read) && icr_wait(read) != 0)
        return -EIO;
    return icr_write_low(read, command);
}

static int xapic_send(uint32_t apic_id, uint32_t command)
{
    return icr_send(xapic_read, apic_id, command);
}

static int xapic_send_shorthand(uint32_t command)
{
    return icr_send_shorthand(xapic_read, command);
}

const struct lapic_ops xapic_ops = {
    .name = "xAPIC",
    .id_max = XAPIC_ID_MAX,
    .read = xapic_read,
    .write = xapic_write,
    .id = xapic_id,
    .eoi = xapic_eoi,
    .send = xapic_send,
    .send_shorthand = xapic_send_shorthand,
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

static int held_send_shorthand(uint32_t command)
{
    return icr_send_shorthand(held_read, command);
}

const struct lapic_ops xapic_held_ops = {
    .name = "xAPIC, held busy",
    .id_max = XAPIC_ID_MAX,
    .read = held_read,
    .write = xapic_write,
    .id = xapic_id,
    .eoi = xapic_eoi,
    .send = held_send,
    .send_shorthand = held_send_shorthand,
};
