// SPDX-License-Identifier: MIT
/*
 * The x2APIC body: registers are MSRs, ids have 32 bits, and the ICR is one register of 64 bits
 * that has no busy bit: a message is on its way when the write is done.
 *
 * Writes of these MSRs do not serialise (Intel SDM vol 3A, "MSR Access in x2APIC Mode"). What was
 * stored before a message must be seen by its receiver, so the ICR write is fenced.
 */
#include "arch/arch.h"
#include "arch/x86_64/apic_encode.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/lapic_internal.h"

enum {
    MSR_X2APIC_FIRST = 0x800,
    X2APIC_REGISTER_SHIFT = 4, /* xAPIC registers are 16 bytes apart, the MSRs one */
    X2APIC_DESTINATION_SHIFT = 32,
};
#define X2APIC_ID_MAX (UINT32_MAX - 1) /* the highest is the broadcast */

static uint32_t msr_of(enum lapic_register reg)
{
    return MSR_X2APIC_FIRST + ((uint32_t)reg >> X2APIC_REGISTER_SHIFT);
}

static uint32_t x2apic_read(enum lapic_register reg)
{
    return (uint32_t)rdmsr(msr_of(reg));
}

static void x2apic_write(enum lapic_register reg, uint32_t value)
{
    wrmsr(msr_of(reg), value);
}

static void x2apic_eoi(void)
{
    x2apic_write(LAPIC_EOI, 0);
}

static uint32_t x2apic_id(void)
{
    return x2apic_read(LAPIC_ID);
}

static int x2apic_send(uint32_t apic_id, uint32_t command)
{
    __asm__ volatile("mfence; lfence" : : : "memory");
    wrmsr(msr_of(LAPIC_ICR_LOW), (uint64_t)apic_id << X2APIC_DESTINATION_SHIFT | command);
    return 0;
}

static int x2apic_send_shorthand(uint32_t command)
{
    return x2apic_send(0, command);
}

const struct lapic_ops x2apic_ops = {
    .name = "x2APIC",
    .id_max = X2APIC_ID_MAX,
    .read = x2apic_read,
    .write = x2apic_write,
    .id = x2apic_id,
    .eoi = x2apic_eoi,
    .send = x2apic_send,
    .send_shorthand = x2apic_send_shorthand,
};
