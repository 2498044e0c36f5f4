// SPDX-License-Identifier: MIT
/*
 * Lines of real devices, tested from inside: the PIT gives single edges (ISA irq 0), a timer of the
 * HPET holds a level until its status bit is cleared. Rules that need no real line are tested in
 * sched/irq_selftest.c.
 *
 * Source: Intel 8254 data sheet, "Mode 0"; IA-PC HPET specification, "Timer N Configuration and
 * Capability Register", "General Interrupt Status Register"
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/io.h"
#include "arch/x86_64/paging.h"
#include "irq/doorbell.h"
#include "irq/irq.h"
#include "lib/selftest.h"
#include "smp/cores.h"

enum { MOVES = 100, LEVEL_MOVES = 40 };
#define LINE_WAIT_NS UINT64_C(5000000000)

/* ---- the PIT --------------------------------------------------------------------------------- */

enum {
    PIT_CHANNEL0 = 0x40,
    PIT_COMMAND = 0x43,
    PIT_CHANNEL0_MODE0 = 0x30, /* one interrupt when the count ends */
    PIT_CHANNEL0_MODE1 = 0x32, /* none, with no edge at the gate */
    PIT_COUNT = 120,           /* about 0.1 ms */
    ISA_TIMER = 0,
};

static DEFINE_PERCPU(_Atomic uint32_t, line_interrupts);
static _Atomic uint32_t line_calls, line_inside, line_overlaps;

static enum irq_result line_handler(uint32_t irq, void *dev)
{
    (void)irq;
    (void)dev;
    if (atomic_fetch_add(&line_inside, 1) != 0)
        atomic_fetch_add(&line_overlaps, 1);
    atomic_fetch_add(this_cpu_ptr(line_interrupts), 1);
    atomic_fetch_add(&line_calls, 1);
    atomic_fetch_sub(&line_inside, 1);
    return IRQ_HANDLED;
}

static void start_pit(void)
{
    io_out8(PIT_COMMAND, PIT_CHANNEL0_MODE0);
    io_out8(PIT_CHANNEL0, PIT_COUNT & 0xff);
    io_out8(PIT_CHANNEL0, PIT_COUNT >> 8);
}

/* As drivers/pit.c leaves it: the HPET's level may have the same input. */
static void stop_pit(void)
{
    io_out8(PIT_COMMAND, PIT_CHANNEL0_MODE1);
    io_out8(PIT_CHANNEL0, 1);
    io_out8(PIT_CHANNEL0, 0);
}

/* Wait until `counter` is at least `wanted`. */
static bool wait_for_count(const _Atomic uint32_t *counter, uint32_t wanted)
{
    uint64_t start = arch_clock_ns();
    while (atomic_load(counter) < wanted) {
        if (arch_clock_ns() - start > LINE_WAIT_NS)
            return false;
        arch_relax();
    }
    return true;
}

static int send_to(uint32_t irq, cpu_t cpu)
{
    struct cpumask mask = {0};
    cpumask_set(&mask, cpu);
    return irq_set_affinity(irq, &mask);
}

/* One PIT interrupt with the line sent to `cpu`. Returns: did it arrive there, once? */
static bool line_arrives_at(cpu_t cpu, uint32_t irq)
{
    uint32_t before = atomic_load(percpu_of(cpu, line_interrupts));
    selftest_expect(send_to(irq, cpu) == 0, "the line cannot go to core %u", cpu);
    start_pit();
    return wait_for_count(percpu_of(cpu, line_interrupts), before + 1) &&
           atomic_load(percpu_of(cpu, line_interrupts)) == before + 1;
}

static void on_each_core(uint32_t irq)
{
    cpumask_for_each (cpu, &smp_online)
        selftest_expect(line_arrives_at(cpu, irq),
                        "core %u: exactly one interrupt of irq %u expected", cpu, irq);
}

static _Atomic bool stop, lost;
static _Atomic uint32_t started;

/* One edge after the other, each awaited. */
static void raise_one_by_one(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        uint32_t wanted = atomic_fetch_add(&started, 1) + 1;
        start_pit();
        if (!wait_for_count(&line_calls, wanted)) {
            atomic_store(&lost, true);
            return;
        }
    }
}

static cpu_t next_core(cpu_t cpu)
{
    cpu_t next = cpumask_next(&smp_online, cpu + 1);
    return next == CPU_NONE ? 0 : next;
}

/* Take the irq's present vector away from core `cpu`, if it is free there, so that the irq needs
 * another one to go there; *barred (0: it was not) is to be given back. */
static void bar_vector(uint32_t irq, cpu_t cpu, uint8_t *barred)
{
    struct irq_info info;
    (void)irq_get_info(irq, &info);
    bool free = atomic_load(&irq_slot(cpu, info.vector)->irq) == IRQ_FREE;
    *barred = free ? info.vector : 0;
    if (free)
        irq_bind(cpu, info.vector, irq);
}

static void end_bar(cpu_t cpu, uint8_t barred)
{
    if (barred != 0)
        irq_bind(cpu, barred, IRQ_FREE);
}

/* To the next core, every other time at another vector. Returns: false if that failed. */
static bool move_on(uint32_t irq, unsigned i, cpu_t *cpu)
{
    uint8_t barred = 0;
    *cpu = next_core(*cpu);
    if (i % 2 == 1)
        bar_vector(irq, *cpu, &barred);
    bool moved =
        selftest_expect(send_to(irq, *cpu) == 0, "move %u, to core %u, is refused", i, *cpu);
    end_bar(*cpu, barred);
    return moved;
}

/* Move the line about while another core has the PIT interrupt. */
static void move_under_load(uint32_t irq)
{
    cpu_t cpu = 0, job_cpu = next_core(arch_cpu());
    atomic_store(&line_calls, 0);
    atomic_store(&started, 0);
    atomic_store(&stop, false);
    if (core_job_start(job_cpu, raise_one_by_one, NULL) != 0)
        return; /* there is no other core */
    for (unsigned i = 0; i < MOVES && move_on(irq, i, &cpu); i++)
        continue;
    atomic_store(&stop, true);
    while (!core_job_done(job_cpu))
        arch_relax();
    selftest_expect(!atomic_load(&lost), "edge %u was lost", atomic_load(&started));
    selftest_expect(atomic_load(&line_calls) == atomic_load(&started), "%u edges, %u calls",
                    atomic_load(&started), atomic_load(&line_calls));
    selftest_expect(atomic_load(&line_overlaps) == 0, "two cores were in the handler at once");
    selftest_note("%u edges during %d moves", atomic_load(&started), MOVES);
}

static void go_anywhere(uint32_t irq)
{
    struct cpumask all;
    cpumask_copy(&all, &smp_online);
    (void)irq_set_affinity(irq, &all);
}

static void test_line(void)
{
    int irq = irq_of_isa(ISA_TIMER);
    if (irq < 0) {
        selftest_skip("no I/O APIC input for the PIT");
        return;
    }
    if (!selftest_expect(request_irq((uint32_t)irq, line_handler, 0, "pit selftest", NULL) == 0,
                         "irq %d cannot be requested", irq))
        return;
    if (line_arrives_at(arch_cpu(), (uint32_t)irq)) {
        on_each_core((uint32_t)irq);
        move_under_load((uint32_t)irq);
    } else {
        selftest_skip("the PIT does not tick here");
    }
    selftest_expect(free_irq((uint32_t)irq, NULL) == 0, "irq %d cannot be freed", irq);
    stop_pit(); /* which may make an edge more */
    go_anywhere((uint32_t)irq);
}
SELFTEST("ioapic-line", test_line);

/* ---- the HPET: a level ----------------------------------------------------------------------- */

/* clang-format off: fields stand under their register */
enum {
    HPET_BYTES = 0x400,
    HPET_CONFIG = 0x10,
    HPET_CONFIG_ENABLE = 1,
    HPET_CONFIG_LEGACY = 2, /* timers 0 and 1 instead of the PIT and the RTC */
    HPET_STATUS = 0x20,     /* a bit for each timer; written 1, it ends the level */
    HPET_COUNTER = 0xf0,
    HPET_TIMER = 0x100, /* the first one's configuration; the inputs that it can use follow */
    HPET_TIMER_LEVEL = 1 << 1,
    HPET_TIMER_ENABLE = 1 << 2,
    HPET_TIMER_32BIT = 1 << 8,
    HPET_TIMER_ROUTE_SHIFT = 9,
    HPET_TIMER_ROUTES = 0x104,
    HPET_TIMER_COMPARATOR = 0x108,
    HPET_SOON = 1000,           /* counts ahead of now */
    HPET_NOT_SOON = 0x40000000, /* seconds, and of two times the later one by their difference */
    HPET_INPUTS = 32,
};
/* clang-format on */

static volatile uint32_t *hpet;

static uint32_t hpet_read(unsigned reg)
{
    return hpet[reg / 4];
}

static void hpet_write(unsigned reg, uint32_t value)
{
    hpet[reg / 4] = value;
}

/* Let timer 0 assert its level, soon; not before the handler has ended the last one. */
static void raise_level(void)
{
    uint64_t start = arch_clock_ns();
    while ((hpet_read(HPET_STATUS) & 1) != 0 && arch_clock_ns() - start < LINE_WAIT_NS)
        arch_relax();
    hpet_write(HPET_TIMER_COMPARATOR, hpet_read(HPET_COUNTER) + HPET_SOON);
}

static _Atomic bool answer; /* the handler clears the level */
static uint64_t stay_ns;    /* and stays so long */
static _Atomic uint32_t level_calls, level_cores[MAX_CPUS];

static enum irq_result level_handler(uint32_t irq, void *dev)
{
    (void)irq;
    (void)dev;
    uint64_t start = arch_clock_ns();
    bool asks = (hpet_read(HPET_STATUS) & 1) != 0;
    atomic_fetch_add(&level_cores[arch_cpu()], 1);
    atomic_fetch_add(&level_calls, 1); /* last: who waits for it reads the other */
    while (arch_clock_ns() - start < stay_ns)
        arch_relax();
    if (!asks || !atomic_load(&answer))
        return IRQ_NONE;
    hpet_write(HPET_STATUS, 1);
    return IRQ_HANDLED;
}

/* The last I/O APIC input that timer 0 can use, for the first ones are ISA's; -1: none. */
static int level_input(void)
{
    if (!acpi.has_hpet || acpi.hpet.base.space != ACPI_SPACE_MEMORY)
        return -1;
    if (hpet == NULL)
        hpet = map_physical(acpi.hpet.base.address, HPET_BYTES, PROT_W | PROT_DEVICE);
    uint32_t routes = hpet == NULL ? 0 : hpet_read(HPET_TIMER_ROUTES);
    for (uint32_t gsi = HPET_INPUTS; gsi-- > 0;) {
        if ((routes >> gsi & 1) != 0 && irq_of_gsi(gsi, true, false) >= 0)
            return (int)gsi;
    }
    return -1;
}

static void start_hpet(uint32_t gsi)
{
    uint32_t config = hpet_read(HPET_CONFIG) & ~(uint32_t)HPET_CONFIG_LEGACY;
    hpet_write(HPET_STATUS, 1);
    /* a time that is over, as the one at power-on is, would assert the level at once */
    hpet_write(HPET_TIMER_COMPARATOR, hpet_read(HPET_COUNTER) + HPET_NOT_SOON);
    hpet_write(HPET_TIMER, HPET_TIMER_LEVEL | HPET_TIMER_ENABLE | HPET_TIMER_32BIT |
                               gsi << HPET_TIMER_ROUTE_SHIFT);
    hpet_write(HPET_CONFIG, config | HPET_CONFIG_ENABLE);
}

/* Its input stays: a level that is asserted is to end where it is. */
static void stop_hpet(void)
{
    hpet_write(HPET_TIMER, hpet_read(HPET_TIMER) & ~(uint32_t)HPET_TIMER_ENABLE);
    hpet_write(HPET_STATUS, 1);
}

static bool one_level(const char *when)
{
    uint32_t before = atomic_load(&level_calls);
    raise_level();
    return selftest_expect(wait_for_count(&level_calls, before + 1), "%s: no level came", when);
}

static uint64_t taken(uint32_t irq)
{
    uint64_t sum = 0;
    cpumask_for_each (cpu, &smp_online)
        sum += irq_stat_of(irq, cpu).interrupts;
    return sum;
}

/* While it is disabled it waits at the pin, and comes once when it is enabled. */
static void check_disabled(uint32_t irq)
{
    disable_irq(irq);
    uint32_t before = atomic_load(&level_calls);
    uint64_t taken_before = taken(irq);
    raise_level();
    uint64_t start = arch_clock_ns();
    while ((hpet_read(HPET_STATUS) & 1) == 0 && arch_clock_ns() - start < LINE_WAIT_NS)
        arch_relax();
    selftest_expect(atomic_load(&level_calls) == before, "a disabled level reached its handler");
    uint64_t taken_meanwhile = taken(irq) - taken_before;
    enable_irq(irq);
    selftest_expect(wait_for_count(&level_calls, before + 1), "enabled again: no level came");
    selftest_expect(taken_meanwhile == 0, "a disabled level interrupted %llu times",
                    (unsigned long long)taken_meanwhile);
}

/* Each level awaited, on the way from core to core; some move while the line is asserted. */
static void check_moves(uint32_t irq)
{
    cpu_t cpu = 0;
    for (unsigned i = 0; i < LEVEL_MOVES; i++) {
        uint32_t before = atomic_load(&level_calls);
        cpu = next_core(cpu);
        raise_level();
        selftest_expect(send_to(irq, cpu) == 0, "move %u, to core %u, is refused", i, cpu);
        if (!selftest_expect(wait_for_count(&level_calls, before + 1), "level %u was lost", i))
            return;
        uint32_t there = atomic_load(&level_cores[cpu]);
        if (!one_level("moved"))
            return;
        selftest_expect(atomic_load(&level_cores[cpu]) == there + 1,
                        "core %u: one level more expected, %u seen", cpu,
                        atomic_load(&level_cores[cpu]) - there);
    }
}

/* A move to another vector while a core is in the handler: the entry may not be written before the
 * interrupt has ended, else the EOI does not find it, and no level comes any more. */
static void check_busy_move(uint32_t irq)
{
    uint8_t barred;
    uint32_t before = atomic_load(&level_calls);
    cpu_t from = next_core(arch_cpu()), to = next_core(from);
    if (from == arch_cpu())
        return; /* there is one core */
    selftest_expect(send_to(irq, from) == 0, "core %u is refused", from);
    bar_vector(irq, to, &barred);
    stay_ns = 1000000;
    raise_level();
    selftest_expect(wait_for_count(&level_calls, before + 1), "no level came");
    selftest_expect(send_to(irq, to) == 0, "core %u is refused", to);
    stay_ns = 0;
    end_bar(to, barred);
    (void)one_level("moved while a core was in the handler");
}

/* It asks for ever: it is switched off, and the core goes on. */
static void check_stuck(uint32_t irq)
{
    struct irq_info info;
    struct irq_stuck_rule rule =
        irq_set_stuck_rule(irq, (struct irq_stuck_rule){.window = 1000, .limit = 990});
    uint32_t before = atomic_load(&level_calls);
    atomic_store(&answer, false);
    raise_level();
    selftest_expect(wait_for_count(&level_calls, before + 1000), "an asserted level came %u times",
                    atomic_load(&level_calls) - before);
    uint64_t start = arch_clock_ns();
    do
        (void)irq_get_info(irq, &info);
    while (!info.stuck && arch_clock_ns() - start < LINE_WAIT_NS);
    selftest_expect(info.stuck, "after %u interrupts that nobody handled it is on",
                    atomic_load(&level_calls) - before);
    (void)irq_set_stuck_rule(irq, rule);
    stop_hpet();
}

static void test_level(void)
{
    int gsi = level_input();
    if (gsi < 0) {
        selftest_skip("no timer of an HPET that could hold a level");
        return;
    }
    atomic_store(&level_calls, 0);
    atomic_store(&answer, true);
    if (!selftest_expect(request_irq((uint32_t)gsi, level_handler, 0, "hpet selftest", NULL) == 0,
                         "irq %d cannot be requested", gsi))
        return;
    start_hpet((uint32_t)gsi);
    if (one_level("the first")) {
        check_disabled((uint32_t)gsi);
        check_moves((uint32_t)gsi);
        check_busy_move((uint32_t)gsi);
        check_stuck((uint32_t)gsi);
    }
    stop_hpet();
    selftest_expect(free_irq((uint32_t)gsi, NULL) == 0, "irq %d cannot be freed", gsi);
    go_anywhere((uint32_t)gsi);
}
SELFTEST("ioapic-level", test_level);
