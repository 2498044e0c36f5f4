// SPDX-License-Identifier: MIT
/*
 * The xAPIC body: registers in one uncached page, an ICR of two halves whose busy bit is waited
 * for, with a bound, before and after each message.
 *
 * Interrupts are off between the ICR's destination half and its command half: a handler that sent
 * something in between would leave its own destination there.
 */
#include "arch/x86_64/lapic.h"

#include <stdatomic.h>

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic_encode.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpus.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/vectors.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"

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
    LAPIC_ISR = 0x100, /* 8 registers of 32 vectors, 0x10 apart */
    LAPIC_ESR = 0x280,
    LAPIC_ICR_LOW = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320, /* one-shot is mode 0 */
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

enum {
    CPUID_LEAF_FEATURES = 1,
    CPUID_1_EDX_APIC = 1 << 9,
    APIC_BASE_ENABLE = 1 << 11,
    APIC_BASE_X2APIC = 1 << 10,
    XAPIC_ID_MAX = 254, /* 255 is the broadcast */
    LVT_INDEX_PERFORMANCE = 4,
    LVT_INDEX_THERMAL = 5,
    MPS_POLARITY = 3,
    MPS_ACTIVE_LOW = 3,
    ICR_WAIT_US = 10000,
    ERRORS_LOGGED_MAX = 10, /* a core; a line that errs does so often */
    CALIBRATE_NS = 10000000,
};
#define APIC_BASE_ADDRESS UINT64_C(0x000ffffffffff000)
#define NS_PER_SECOND UINT64_C(1000000000)

struct lapic_ops {
    const char *name;
    uint32_t id_max;
    uint32_t (*read)(enum lapic_register reg);
    void (*write)(enum lapic_register reg, uint32_t value);
    int (*send)(uint32_t apic_id, uint32_t command); /* as arch_ipi_send() */
};

static const struct lapic_ops *lapic; /* I: chosen by lapic_init() */
static volatile uint32_t *xapic;      /* I: the register page */
static uint64_t timer_hz;             /* I: lapic_timer_calibrate() */
static DEFINE_PERCPU(uint32_t, errors_seen);

/* ---- the xAPIC body -------------------------------------------------------------------------- */

static uint32_t xapic_read(enum lapic_register reg)
{
    return xapic[reg / sizeof(uint32_t)];
}

static void xapic_write(enum lapic_register reg, uint32_t value)
{
    xapic[reg / sizeof(uint32_t)] = value;
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

static const struct lapic_ops xapic_ops = {
    .name = "xAPIC",
    .id_max = XAPIC_ID_MAX,
    .read = xapic_read,
    .write = xapic_write,
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

static const struct lapic_ops held_ops = {
    .name = "xAPIC, held busy",
    .id_max = XAPIC_ID_MAX,
    .read = held_read,
    .write = xapic_write,
    .send = held_send,
};

void arch_ipi_hold(bool hold)
{
    lapic = hold ? &held_ops : &xapic_ops;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

void lapic_init(void)
{
    if ((cpuid(CPUID_LEAF_FEATURES, 0).edx & CPUID_1_EDX_APIC) == 0)
        panic("this CPU has no Local APIC: there is nothing to ring with");
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if ((base & APIC_BASE_X2APIC) != 0)
        panic("the firmware left the Local APIC in x2APIC mode; this kernel drives the xAPIC only");
    wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    xapic = map_physical(base & APIC_BASE_ADDRESS, PAGE_SIZE, PROT_W | PROT_DEVICE);
    if (xapic == NULL)
        panic("no memory to map the Local APIC");
    lapic = &xapic_ops;
    log_info("apic: %s at %#llx, boot core has id %u", lapic->name,
             (unsigned long long)(base & APIC_BASE_ADDRESS), lapic_id());
}

/* Which of the two LINT pins brings this core's NMI: by the MADT, else LINT1. */
static void set_lint_pins(void)
{
    uint8_t nmi_pin = 1;
    uint32_t polarity = 0;
    for (size_t i = 0; i < acpi.madt.local_nmi_count; i++) {
        const struct madt_local_nmi *nmi = &acpi.madt.local_nmis[i];
        if (nmi->uid != MADT_UID_ALL && nmi->uid != cpus_uid(arch_cpu()))
            continue;
        nmi_pin = nmi->lint & 1;
        polarity = (nmi->flags & MPS_POLARITY) == MPS_ACTIVE_LOW ? LAPIC_LVT_ACTIVE_LOW : 0;
    }
    for (uint8_t pin = 0; pin < 2; pin++) {
        uint32_t value =
            pin == nmi_pin ? (uint32_t)APIC_NMI << ICR_DELIVERY_SHIFT | polarity : LAPIC_LVT_MASKED;
        lapic->write(LAPIC_LVT_LINT0 + pin * 0x10, value);
    }
}

void lapic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if ((base & APIC_BASE_ENABLE) == 0)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    lapic->write(LAPIC_SVR, LAPIC_SVR_ENABLE | VECTOR_SPURIOUS);
    /* what the firmware left in service would hold back all of lower priority; an EOI ends the
     * highest, so one for each suffices */
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        if (lapic_in_service((uint8_t)vector))
            lapic_eoi();
    }
    lapic->write(LAPIC_TPR, 0);
    uint32_t max_lvt = lapic->read(LAPIC_VERSION) >> LAPIC_VERSION_MAX_LVT_SHIFT & 0xff;
    if (max_lvt >= LVT_INDEX_PERFORMANCE)
        lapic->write(LAPIC_LVT_PERFORMANCE, LAPIC_LVT_MASKED);
    if (max_lvt >= LVT_INDEX_THERMAL)
        lapic->write(LAPIC_LVT_THERMAL, LAPIC_LVT_MASKED);
    set_lint_pins();
    lapic->write(LAPIC_TIMER_INITIAL, 0);
    lapic->write(LAPIC_TIMER_DIVIDE, LAPIC_TIMER_DIVIDE_BY_1);
    lapic->write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    lapic->write(LAPIC_ESR, 0); /* latch and drop what the firmware left */
    lapic->write(LAPIC_ESR, 0);
    lapic->write(LAPIC_LVT_ERROR, VECTOR_LAPIC_ERROR);
}

uint32_t lapic_id(void)
{
    return lapic->read(LAPIC_ID) >> LAPIC_ID_SHIFT;
}

uint32_t lapic_id_max(void)
{
    return lapic->id_max;
}

/* ---- interrupts ------------------------------------------------------------------------------ */

void lapic_eoi(void)
{
    lapic->write(LAPIC_EOI, 0);
}

bool lapic_in_service(uint8_t vector)
{
    uint32_t word = lapic->read(LAPIC_ISR + vector / 32 * 0x10);
    return (word >> vector % 32 & 1) != 0;
}

void lapic_error_interrupt(void)
{
    lapic->write(LAPIC_ESR, 0); /* a write latches the errors for reading */
    uint32_t errors = lapic->read(LAPIC_ESR);
    uint32_t seen = ++this_cpu(errors_seen);
    if (seen <= ERRORS_LOGGED_MAX)
        log_err("apic: error %#x on core %u%s", errors, arch_cpu(),
                seen == ERRORS_LOGGED_MAX ? "; further ones are not logged" : "");
}

int arch_ipi_send(cpu_t cpu, uint8_t vector)
{
    return lapic->send(cpus_apic_id(cpu), icr_encode(APIC_FIXED, vector, APIC_TO_DESTINATION));
}

int arch_ipi_send_all(uint8_t vector)
{
    return lapic->send(0, icr_encode(APIC_FIXED, vector, APIC_TO_ALL));
}

int arch_ipi_send_others(uint8_t vector)
{
    return lapic->send(0, icr_encode(APIC_FIXED, vector, APIC_TO_OTHERS));
}

int arch_ipi_send_nmi(cpu_t cpu)
{
    return lapic->send(cpus_apic_id(cpu), icr_encode(APIC_NMI, 0, APIC_TO_DESTINATION));
}

int lapic_send_init(uint32_t apic_id)
{
    return lapic->send(apic_id, icr_encode(APIC_INIT, 0, APIC_TO_DESTINATION));
}

int lapic_send_startup(uint32_t apic_id, uint8_t page)
{
    return lapic->send(apic_id, icr_encode(APIC_STARTUP, page, APIC_TO_DESTINATION));
}

/* ---- timer ----------------------------------------------------------------------------------- */

void lapic_timer_calibrate(void)
{
    lapic->write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | VECTOR_TIMER);
    uint64_t flags = arch_irq_save();
    lapic->write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    uint64_t start = arch_clock_ns();
    uint32_t first = lapic->read(LAPIC_TIMER_CURRENT);
    while (arch_clock_ns() - start < CALIBRATE_NS)
        arch_relax();
    uint32_t last = lapic->read(LAPIC_TIMER_CURRENT);
    uint64_t span = arch_clock_ns() - start;
    lapic->write(LAPIC_TIMER_INITIAL, 0);
    arch_irq_restore(flags);
    timer_hz = (uint64_t)(first - last) * NS_PER_SECOND / span;
    lapic->write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    if (timer_hz == 0)
        log_err("clock: the Local APIC's timer does not count: lost rings are not found again");
    else
        log_info("clock: Local APIC timer at %llu kHz", (unsigned long long)timer_hz / 1000);
}

void arch_timer_arm(uint64_t ns)
{
    /* a second is enough for every user of it, and keeps the product within 64 bits */
    uint64_t bounded = ns < NS_PER_SECOND ? ns : NS_PER_SECOND;
    uint64_t count = bounded * timer_hz / NS_PER_SECOND;
    if (timer_hz == 0)
        return;
    if (count > UINT32_MAX)
        count = UINT32_MAX;
    lapic->write(LAPIC_TIMER_INITIAL, count == 0 ? 1 : (uint32_t)count); /* 0 would stop it */
}
