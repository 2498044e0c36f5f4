// SPDX-License-Identifier: MIT
/*
 * Each line_source interrupts by edge and by level, at the period that was asked for, and no more
 * once it was stopped. A core that is held up sees fewer: so the time is asked for at its lower end
 * alone.
 */
#include "irq/line_source.h"

#include <stdatomic.h>
#include <stddef.h>

#include "arch/arch.h"
#include "irq/irq.h"
#include "lib/selftest.h"

enum {
    WANTED = 4, /* interrupts */
    PERIOD_US = 500,
    WAIT_MS = 1000,
    QUIET_US = 8 * PERIOD_US,
    LATE_EDGES = 2, /* one that waits at its core, and one that the stop makes */
    INPUTS = 32,
};
#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)

static _Atomic unsigned taken;   /* interrupts of the source that is tried */
static _Atomic unsigned strange; /* that it says are not its own */

static enum irq_result handler(uint32_t irq, void *dev)
{
    struct line_source *source = dev;
    (void)irq;
    bool own = source->take_back(source);
    atomic_fetch_add_explicit(own ? &taken : &strange, 1, memory_order_relaxed);
    return own ? IRQ_HANDLED : IRQ_NONE;
}

static unsigned count(void)
{
    return atomic_load_explicit(&taken, memory_order_relaxed);
}

/* The irq of an input has its number. */
static void try_running(struct line_source *source, uint32_t gsi, bool level)
{
    const char *how = level ? "level" : "edge";
    uint64_t start = arch_clock_ns();
    int error = source->start(source, gsi, PERIOD_US * NS_PER_US, level);
    while (error == 0 && count() < WANTED && arch_clock_ns() - start < WAIT_MS * NS_PER_MS)
        arch_relax();
    uint64_t us = (arch_clock_ns() - start) / NS_PER_US;
    unsigned not_own = atomic_load_explicit(&strange, memory_order_relaxed);
    source->stop(source);
    disable_irq(gsi); /* returns when no core is in the handler */
    unsigned stopped = count();
    enable_irq(gsi);
    arch_udelay(QUIET_US);
    selftest_expect(error == 0, "%s, input %u by %s: cannot start: %d", source->name, gsi, how,
                    error);
    selftest_expect(stopped >= WANTED,
                    "%s, input %u by %s: expected %d interrupts within %d ms, saw %u", source->name,
                    gsi, how, WANTED, WAIT_MS, stopped);
    selftest_expect(us >= (WANTED - 1) * PERIOD_US,
                    "%s, input %u by %s: expected %d periods of %d us, saw %llu us", source->name,
                    gsi, how, WANTED - 1, PERIOD_US, (unsigned long long)us);
    selftest_expect(count() - stopped <= (level ? 0 : LATE_EDGES),
                    "%s, input %u by %s: interrupts after its stop: %u", source->name, gsi, how,
                    count() - stopped);
    selftest_expect(not_own == 0, "%s, input %u by %s: %u interrupts that are not its own",
                    source->name, gsi, how, not_own);
}

/* Returns: false if somebody has the input. */
static bool try_input(struct line_source *source, uint32_t gsi, bool level)
{
    int irq = irq_of_gsi(gsi, level, false);
    atomic_store_explicit(&taken, 0, memory_order_relaxed);
    atomic_store_explicit(&strange, 0, memory_order_relaxed);
    if (irq < 0 || request_irq((uint32_t)irq, handler, 0, "line source", source) != 0)
        return false;
    try_running(source, gsi, level);
    (void)free_irq((uint32_t)irq, source);
    return true;
}

/* At one of its inputs, the last that is free: the first ones are ISA's. */
static void try_source(struct line_source *source, bool level)
{
    uint32_t inputs = level ? source->level_inputs : source->edge_inputs;
    for (uint32_t gsi = INPUTS; gsi-- > 0;) {
        if ((inputs >> gsi & 1) != 0 && try_input(source, gsi, level))
            return;
    }
    selftest_note("%s: no free input", source->name);
}

static void test_line_sources(void)
{
    if (line_source_find(NULL, false) == NULL)
        selftest_skip("no PIT and no HPET that could interrupt");
    for (struct line_source *at = line_source_find(NULL, false); at != NULL; at = at->next)
        try_source(at, false);
    for (struct line_source *at = line_source_find(NULL, true); at != NULL; at = at->next) {
        if (at->level_inputs != 0)
            try_source(at, true);
    }
    struct line_source *any = line_source_find(NULL, false);
    if (any != NULL) {
        selftest_expect(any->start(any, INPUTS, any->period_min_ns, false) != 0,
                        "%s starts at an input that it has not got", any->name);
        selftest_expect(any->start(any, (uint32_t)__builtin_ctz(any->edge_inputs), 0, false) != 0,
                        "%s starts with no period", any->name);
    }
}
SELFTEST("line-sources", test_line_sources);

/* A firmware that used the HPET may leave it in the PIT's and the RTC's place: then these never
 * interrupt, nor do its first two timers where they are set to. */
static void test_hpet_legacy(void)
{
    enum { CONFIG_WORD = 0x010 / sizeof(uint32_t), CONFIG_LEGACY = 1 << 1 };
    volatile uint32_t *registers = arch_hpet_registers();
    if (registers == NULL) {
        selftest_skip("no HPET");
        return;
    }
    registers[CONFIG_WORD] |= CONFIG_LEGACY;
    (void)arch_hpet_registers();
    selftest_expect((registers[CONFIG_WORD] & CONFIG_LEGACY) == 0, "it stays in their place");
}
SELFTEST("hpet-legacy", test_hpet_legacy);
