// SPDX-License-Identifier: MIT
/*
 * The Local APIC's common part: everything but how a register is reached and a message sent, which
 * xapic.c and x2apic.c do.
 *
 * All cores are in one mode. The boot core decides it from what the firmware left (apic_mode.c),
 * and each core brings itself to it before it touches another register of its Local APIC.
 */
#include "arch/x86_64/lapic.h"

#include <stdatomic.h>

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic_encode.h"
#include "arch/x86_64/apic_mode.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpus.h"
#include "arch/x86_64/lapic_internal.h"
#include "arch/x86_64/vectors.h"
#include "lib/delay.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"

enum {
    CPUID_LEAF_FEATURES = 1,
    CPUID_1_EDX_APIC = 1 << 9,
    APIC_BASE_ENABLE = 1 << 11,
    APIC_BASE_X2APIC = 1 << 10,
    LVT_INDEX_PERFORMANCE = 4,
    LVT_INDEX_THERMAL = 5,
    MPS_POLARITY = 3,
    MPS_ACTIVE_LOW = 3,
    ERRORS_LOGGED_MAX = 10, /* a core; a line that errs does so often */
    CALIBRATE_MIN_NS = 10000000,
    CALIBRATE_MAX_NS = 1000000000, /* after that a fast timer may have run down */
};
#define APIC_BASE_ADDRESS UINT64_C(0x000ffffffffff000)
#define NS_PER_SECOND UINT64_C(1000000000)

static const struct lapic_ops *lapic; /* I: the body in use, chosen by lapic_init() */
static enum apic_mode mode;           /* I */
static uint64_t timer_hz;             /* I: lapic_timer_calibrate() */
static DEFINE_PERCPU(uint32_t, errors_seen);

bool arch_ipi_hold(bool hold)
{
    if (mode == APIC_MODE_X2APIC)
        return false; /* there is no busy bit to hold */
    lapic = hold ? &xapic_held_ops : &xapic_ops;
    return true;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

/*
 * Bring this core to the machine's mode, from xAPIC or from "disabled". The way back from x2APIC is
 * not taken: a firmware may have locked it (LEGACY_XAPIC_DISABLED), and where it leads through
 * "disabled" some implementations stay there until a reset.
 * Returns: 0, or -EIO if this core cannot go there.
 */
static int enter_mode(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    bool in_x2apic = (base & APIC_BASE_X2APIC) != 0;
    if (mode == APIC_MODE_XAPIC && in_x2apic)
        return -EIO;
    if (mode == APIC_MODE_X2APIC && !cpu_has_x2apic())
        return -EIO;
    if ((base & APIC_BASE_ENABLE) == 0)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    if (mode == APIC_MODE_X2APIC && !in_x2apic)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    return 0;
}

void lapic_init(enum param_apic wanted)
{
    if ((cpuid(CPUID_LEAF_FEATURES, 0).edx & CPUID_1_EDX_APIC) == 0)
        panic("this CPU has no Local APIC: there is nothing to ring with");
    uint64_t base = rdmsr(MSR_APIC_BASE);
    struct apic_situation situation = {
        .cpu_has_x2apic = cpu_has_x2apic(),
        .firmware_x2apic = (base & APIC_BASE_X2APIC) != 0,
        .highest_id = cpus_highest_listed_id(),
        .wanted = wanted,
    };
    struct apic_decision decision = apic_mode_decide(&situation);
    mode = decision.mode;
    lapic = mode == APIC_MODE_X2APIC ? &x2apic_ops : &xapic_ops;
    if (enter_mode() != 0 || (mode == APIC_MODE_XAPIC && xapic_map(base & APIC_BASE_ADDRESS) != 0))
        panic("the Local APIC cannot be reached in %s mode", lapic->name);
    log_info("apic: %s (%s), boot core has id %u", lapic->name, decision.why, lapic_id());
}

/* The timer's entry of the local vector table: one-shot, or by deadline where the CPU can. */
static uint32_t timer_entry(void)
{
    return VECTOR_TIMER | (cpu_features.tsc_deadline ? LAPIC_LVT_TSC_DEADLINE : 0);
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

/* How many interrupts are in service. */
static unsigned count_in_service(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < VECTOR_COUNT / LAPIC_ISR_VECTORS; i++) {
        for (uint32_t bits = lapic->read(LAPIC_ISR + i * 0x10); bits != 0; bits &= bits - 1)
            count++;
    }
    return count;
}

int lapic_init_cpu(void)
{
    if (enter_mode() != 0)
        return -EIO;
    lapic->write(LAPIC_SVR, LAPIC_SVR_ENABLE | VECTOR_SPURIOUS);
    /* what the firmware left in service would hold back all of lower priority; an EOI ends the
     * highest, so they are counted before the first */
    for (unsigned left = count_in_service(); left > 0; left--)
        lapic->eoi();
    lapic->write(LAPIC_TPR, 0);
    uint32_t max_lvt = lapic->read(LAPIC_VERSION) >> LAPIC_VERSION_MAX_LVT_SHIFT & 0xff;
    if (max_lvt >= LVT_INDEX_PERFORMANCE)
        lapic->write(LAPIC_LVT_PERFORMANCE, LAPIC_LVT_MASKED);
    if (max_lvt >= LVT_INDEX_THERMAL)
        lapic->write(LAPIC_LVT_THERMAL, LAPIC_LVT_MASKED);
    set_lint_pins();
    lapic->write(LAPIC_TIMER_INITIAL, 0);
    lapic->write(LAPIC_TIMER_DIVIDE, LAPIC_TIMER_DIVIDE_BY_1);
    lapic->write(LAPIC_LVT_TIMER, timer_entry());
    lapic->write(LAPIC_ESR, 0); /* latch and drop what the firmware left */
    lapic->write(LAPIC_ESR, 0);
    lapic->write(LAPIC_LVT_ERROR, VECTOR_LAPIC_ERROR);
    return 0;
}

uint32_t lapic_id(void)
{
    return lapic->id();
}

uint32_t lapic_id_max(void)
{
    return lapic->id_max;
}

/* ---- interrupts ------------------------------------------------------------------------------ */

void lapic_eoi(void)
{
    delay_at(DELAY_H6);
    lapic->eoi(); /* step H6, for a ring */
}

/* Is the bit of `vector` set in the eight registers from `first` on? */
static bool vector_bit(enum lapic_register first, uint8_t vector)
{
    uint32_t word = lapic->read(first + vector / LAPIC_ISR_VECTORS * 0x10);
    return (word >> vector % LAPIC_ISR_VECTORS & 1) != 0;
}

bool lapic_in_service(uint8_t vector)
{
    return vector_bit(LAPIC_ISR, vector);
}

bool arch_irq_waits(uint8_t vector)
{
    return vector_bit(LAPIC_IRR, vector);
}

void arch_irq_eoi(void)
{
    lapic->eoi();
}

void arch_irq_eoi_stray(uint8_t vector)
{
    if (lapic_in_service(vector))
        lapic->eoi();
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

int arch_ipi_send_irqs_off(cpu_t cpu, uint8_t vector)
{
    return lapic->send(cpus_apic_id(cpu), icr_encode(APIC_FIXED, vector, APIC_TO_DESTINATION));
}

static int send(uint32_t apic_id, uint32_t command)
{
    uint64_t flags = arch_irq_save();
    int error = lapic->send(apic_id, command);
    arch_irq_restore(flags);
    return error;
}

static int send_shorthand(uint8_t vector, enum apic_shorthand shorthand)
{
    uint64_t flags = arch_irq_save();
    int error = lapic->send_shorthand(icr_encode(APIC_FIXED, vector, shorthand));
    arch_irq_restore(flags);
    return error;
}

int arch_ipi_send(cpu_t cpu, uint8_t vector)
{
    return send(cpus_apic_id(cpu), icr_encode(APIC_FIXED, vector, APIC_TO_DESTINATION));
}

int arch_ipi_send_all(uint8_t vector)
{
    return send_shorthand(vector, APIC_TO_ALL);
}

int arch_ipi_send_others(uint8_t vector)
{
    return send_shorthand(vector, APIC_TO_OTHERS);
}

/*
 * The same for an NMI handler. It may have come between the two halves of an xAPIC's ICR, so it
 * leaves the destination half as it finds it, and the ICR idle. x2APIC's ICR has no halves.
 */
static int send_from_nmi(uint32_t apic_id, uint32_t command)
{
    if (mode == APIC_MODE_X2APIC)
        return send(apic_id, command);
    uint64_t flags = arch_irq_save();
    uint32_t destination = lapic->read(LAPIC_ICR_HIGH);
    int error = lapic->send(apic_id, command);
    lapic->write(LAPIC_ICR_HIGH, destination);
    arch_irq_restore(flags);
    return error;
}

int arch_ipi_send_nmi(cpu_t cpu)
{
    return send_from_nmi(cpus_apic_id(cpu), icr_encode(APIC_NMI, 0, APIC_TO_DESTINATION));
}

int arch_ipi_send_from_nmi(cpu_t cpu, uint8_t vector)
{
    return send_from_nmi(cpus_apic_id(cpu), icr_encode(APIC_FIXED, vector, APIC_TO_DESTINATION));
}

int lapic_send_init(uint32_t apic_id)
{
    return send(apic_id, icr_encode(APIC_INIT, 0, APIC_TO_DESTINATION));
}

int lapic_send_startup(uint32_t apic_id, uint8_t page)
{
    return send(apic_id, icr_encode(APIC_STARTUP, page, APIC_TO_DESTINATION));
}

/* ---- timer ----------------------------------------------------------------------------------- */

static struct lapic_timer_reading timer_read(void)
{
    return (struct lapic_timer_reading){arch_ticks(), lapic->read(LAPIC_TIMER_CURRENT)};
}

static uint64_t ns_since(struct lapic_timer_reading reading)
{
    return arch_ticks_to_ns(arch_ticks() - reading.ticks);
}

static struct lapic_timer_reading count_down(void)
{
    lapic->write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | VECTOR_TIMER);
    lapic->write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    return timer_read();
}

struct lapic_timer_reading lapic_timer_begin(void)
{
    if (cpu_features.tsc_deadline)
        return (struct lapic_timer_reading){0};
    return count_down();
}

void lapic_timer_calibrate(struct lapic_timer_reading begin)
{
    if (cpu_features.tsc_deadline) {
        log_info("clock: Local APIC timer by TSC deadline");
        return;
    }
    if (ns_since(begin) > CALIBRATE_MAX_NS)
        begin = count_down();
    while (ns_since(begin) < CALIBRATE_MIN_NS)
        arch_relax();
    struct lapic_timer_reading end = timer_read();
    uint64_t span = arch_ticks_to_ns(end.ticks - begin.ticks);
    lapic->write(LAPIC_TIMER_INITIAL, 0);
    lapic->write(LAPIC_LVT_TIMER, timer_entry());
    timer_hz = (uint64_t)(begin.count - end.count) * NS_PER_SECOND / span;
    if (timer_hz == 0)
        log_err("clock: the Local APIC's timer does not count: lost rings are not found again");
    else
        log_info("clock: Local APIC timer at %llu kHz", (unsigned long long)timer_hz / 1000);
}

/* Intel SDM vol 3A, "TSC-Deadline Mode": the entry's store must be done before the MSR's. */
static void arm_deadline(uint64_t ns)
{
    __asm__ volatile("mfence" : : : "memory");
    wrmsr(MSR_TSC_DEADLINE, arch_ticks() + clock_ns_to_ticks(ns));
}

void arch_timer_arm(uint64_t ns)
{
    /* a second is enough for every user of it, and keeps the product within 64 bits */
    uint64_t bounded = ns < NS_PER_SECOND ? ns : NS_PER_SECOND;
    if (cpu_features.tsc_deadline) {
        arm_deadline(bounded);
        return;
    }
    uint64_t count = bounded * timer_hz / NS_PER_SECOND;
    if (timer_hz == 0)
        return;
    if (count > UINT32_MAX)
        count = UINT32_MAX;
    lapic->write(LAPIC_TIMER_INITIAL, count == 0 ? 1 : (uint32_t)count); /* 0 would stop it */
}
