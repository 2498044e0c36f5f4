// SPDX-License-Identifier: MIT
/*
 * What `make bench` measures of an interrupt: from its stub's first instruction to the handler's,
 * and to the iretq. As smp/bench_selftest.c, which says how to read it.
 *
 * An interrupt strikes at a place that is known: it waits in the Local APIC while interrupts are
 * off, and comes at the second instruction after `sti`. Each operation has a vector of its own, so
 * that its stub tells who watches from outside which one it is.
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "irq/doorbell.h"
#include "irq/irq.h"
#include "irq/line_source.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "smp/ipi.h"

enum {
    SAMPLES = 32,
    LINE_MAX = 32 + SAMPLES * 11,
    INPUTS = 32,
    PERIOD_US = 30,
    WAIT_US = 100000,
    ISA_COM1 = 4,
};
#define NS_PER_US UINT64_C(1000)

/* One for each operation; the devices' are taken from the upper end. */
#define VECTOR_EDGE_ENTRY 248
#define VECTOR_EDGE 247
#define VECTOR_LEVEL_ENTRY 246
#define VECTOR_LEVEL 245
#define VECTOR_IPI_ENTRY 102
#define VECTOR_IPI 101
#define VECTOR_FIRST_RING 103 /* of no operation */

#define TEXT(word) #word
#define AS_TEXT(word) TEXT(word)
/* op_NAME_vector says whose stub the operation begins with, the label op_NAME_end where it ends. */
#define OPERATION(name, vector, end)                                                               \
    ".globl op_" #name "_vector, op_" #name "_end\n"                                               \
    ".set op_" #name "_vector, " AS_TEXT(vector) "\n"                                              \
                                                 ".set op_" #name "_end, " #end "\n"
__asm__(OPERATION(irq_edge_entry, VECTOR_EDGE_ENTRY, bench_edge_handler)
            OPERATION(irq_edge, VECTOR_EDGE, bench_struck)
                OPERATION(irq_level_entry, VECTOR_LEVEL_ENTRY, bench_level_handler)
                    OPERATION(irq_level, VECTOR_LEVEL, bench_struck)
                        OPERATION(ipi_entry, VECTOR_IPI_ENTRY, bench_ipi_handler)
                            OPERATION(ipi, VECTOR_IPI, bench_struck));

/* ---- the handlers ---------------------------------------------------------------------------- */

static uint32_t handler_ticks __attribute__((used)); /* when the last one began */

#define UNUSED __attribute__((unused))

/* Their first instruction reads the clock, so they are without a compiler's prologue. */
enum irq_result bench_edge_handler(uint32_t irq, void *dev);
enum irq_result bench_level_handler(uint32_t irq, void *dev);
void bench_ipi_handler(uint32_t irq, uint64_t count, void *cookie);
enum irq_result bench_take_back(uint32_t irq, void *dev);

__attribute__((naked)) enum irq_result bench_edge_handler(UNUSED uint32_t irq, UNUSED void *dev)
{
    __asm__("rdtsc\n\tmov %%eax, handler_ticks(%%rip)\n\tmov %0, %%eax\n\tret"
            :
            : "i"(IRQ_HANDLED));
}

__attribute__((naked)) enum irq_result bench_level_handler(UNUSED uint32_t irq, UNUSED void *dev)
{
    __asm__("rdtsc\n\tmov %eax, handler_ticks(%rip)\n\tjmp bench_take_back");
}

enum irq_result bench_take_back(uint32_t irq, void *dev)
{
    struct line_source *source = dev;
    (void)irq;
    return source->take_back(source) ? IRQ_HANDLED : IRQ_NONE;
}

__attribute__((naked)) void bench_ipi_handler(UNUSED uint32_t irq, UNUSED uint64_t count,
                                              UNUSED void *cookie)
{
    __asm__("rdtsc\n\tmov %eax, handler_ticks(%rip)\n\tret");
}

/* ---- one interrupt --------------------------------------------------------------------------- */

struct struck {
    uint32_t begin, end; /* ticks */
};

/* Let come what waits: one interrupt, or none. `mov` is still in the shadow of `sti` (Intel SDM
 * vol 2B, "STI"). */
__attribute__((noinline)) static struct struck be_struck(void)
{
    struct struck at;
    __asm__ volatile("rdtsc\n\t"
                     "sti\n\t"
                     "mov %%eax, %0\n"
                     "bench_struck:\n\t"
                     "rdtsc\n\t"
                     "cli"
                     : "=&r"(at.begin), "=&a"(at.end)
                     :
                     : "edx", "memory");
    return at;
}

/* What interrupts at `vector`, once, when asked. */
struct raiser {
    uint8_t vector;
    struct line_source *source; /* NULL: a ring */
    uint32_t gsi;
    bool level;
};

static int raise(const struct raiser *raiser)
{
    if (raiser->source == NULL)
        return (int)ipi_send((int)arch_cpu(), raiser->vector);
    return raiser->source->start(raiser->source, raiser->gsi, PERIOD_US * NS_PER_US, raiser->level);
}

static bool wait_raised(uint8_t vector)
{
    for (unsigned us = 0; !arch_irq_waits(vector); us++) {
        if (us == WAIT_US)
            return false;
        arch_udelay(1);
    }
    return true;
}

/* Returns: ticks from where it strikes to the handler, or to the return. */
static uint32_t sample(const struct raiser *raiser, bool entry)
{
    arch_irq_disable();
    bool waits = raise(raiser) == 0 && wait_raised(raiser->vector);
    struct struck at = be_struck();
    uint32_t took = (entry ? handler_ticks : at.end) - at.begin;
    if (raiser->source != NULL)
        raiser->source->stop(raiser->source);
    arch_irq_enable();
    selftest_expect(waits, "vector %u does not come", raiser->vector);
    return took;
}

static uint32_t sample_nothing(void)
{
    arch_irq_disable();
    struct struck at = be_struck();
    arch_irq_enable();
    return at.end - at.begin;
}

/* The serial port still sends what was printed last, and its interrupts come before rings: it waits
 * meanwhile. */
static void hold_serial(bool hold)
{
    struct irq_info info;
    int irq = irq_of_isa(ISA_COM1);
    if (irq < 0 || irq_get_info((uint32_t)irq, &info) != 0 || info.handlers == 0)
        return;
    if (hold)
        disable_irq((uint32_t)irq);
    else
        enable_irq((uint32_t)irq);
}

/* One edge of the port may still come, and is noted; it meets a ring that nobody looks at. */
static void begin_rings(void)
{
    hold_serial(true);
    (void)sample(&(struct raiser){.vector = VECTOR_FIRST_RING}, false);
}

static void print_series(const char *name, const struct raiser *raiser, bool entry)
{
    char line[LINE_MAX];
    int length = snprintf(line, sizeof(line), "bench: %s%s", name, raiser == NULL ? " pair" : "");
    bool ring = raiser != NULL && raiser->source == NULL;
    if (ring)
        begin_rings();
    for (int i = 0; i < SAMPLES; i++)
        length += snprintf(line + length, sizeof(line) - (size_t)length, " %u",
                           raiser == NULL ? sample_nothing() : sample(raiser, entry));
    if (ring)
        hold_serial(false);
    selftest_note("%s", line);
}

static void print_both(const char *name, const struct raiser *raiser, bool entry)
{
    print_series(name, NULL, entry);
    print_series(name, raiser, entry);
}

/* ---- whose interrupt ------------------------------------------------------------------------- */

/* Take the vectors of devices that are free on this core, but for one, or give them back. */
static void bar_others(uint8_t vector, uint32_t irq, bool bar)
{
    uint32_t from = bar ? IRQ_FREE : irq, to = bar ? irq : IRQ_FREE;
    for (unsigned v = ARCH_VECTOR_DEVICE_FIRST; v <= ARCH_VECTOR_DEVICE_LAST; v++) {
        if (v != vector && atomic_load(&irq_slot(arch_cpu(), v)->irq) == from)
            irq_bind(arch_cpu(), v, to);
    }
}

/* Request the irq at that vector of this core. */
static bool request_at(uint32_t irq, const struct raiser *raiser)
{
    struct cpumask here = {0};
    struct irq_info info;
    cpumask_set(&here, arch_cpu());
    bar_others(raiser->vector, irq, true);
    int error = irq_set_affinity(irq, &here);
    if (error == 0)
        error = request_irq(irq, raiser->level ? bench_level_handler : bench_edge_handler, 0,
                            "bench", raiser->source);
    bar_others(raiser->vector, irq, false);
    if (error != 0)
        return false;
    return selftest_expect(irq_get_info(irq, &info) == 0 && info.vector == raiser->vector,
                           "irq %u has vector %u", irq, info.vector);
}

static bool bench_input(const char *name, const struct raiser *raiser, bool entry)
{
    int irq = irq_of_gsi(raiser->gsi, raiser->level, false);
    if (irq < 0 || !request_at((uint32_t)irq, raiser))
        return false;
    print_both(name, raiser, entry);
    (void)free_irq((uint32_t)irq, raiser->source);
    return true;
}

/* The last input that is free: the first ones are ISA's. */
static void bench_line(const char *name, uint8_t vector, bool level, bool entry)
{
    struct line_source *source = line_source_find(NULL, true); /* the HPET: it can do both */
    uint32_t inputs = source == NULL ? 0 : level ? source->level_inputs : source->edge_inputs;
    for (uint32_t gsi = INPUTS; gsi-- > 0;) {
        struct raiser raiser = {.vector = vector, .source = source, .gsi = gsi, .level = level};
        if ((inputs >> gsi & 1) != 0 && bench_input(name, &raiser, entry))
            return;
    }
    selftest_expect(false, "%s: no device that could interrupt", name);
}

static void bench_ipi(const char *name, uint8_t vector, bool entry)
{
    struct raiser raiser = {.vector = vector};
    if (!selftest_expect(ipi_register_handler(vector, "bench", bench_ipi_handler) >= 0,
                         "vector %u is taken", vector))
        return;
    print_both(name, &raiser, entry);
    (void)ipi_unregister(vector);
}

static void bench_interrupts(void)
{
    bench_line("irq_edge_entry", VECTOR_EDGE_ENTRY, false, true);
    bench_line("irq_edge", VECTOR_EDGE, false, false);
    bench_line("irq_level_entry", VECTOR_LEVEL_ENTRY, true, true);
    bench_line("irq_level", VECTOR_LEVEL, true, false);
    (void)ipi_register_handler(VECTOR_FIRST_RING, "bench", bench_ipi_handler);
    bench_ipi("ipi_entry", VECTOR_IPI_ENTRY, true);
    bench_ipi("ipi", VECTOR_IPI, false);
    (void)ipi_unregister(VECTOR_FIRST_RING);
}
SELFTEST_ON_REQUEST("bench-interrupts", bench_interrupts);
