// SPDX-License-Identifier: MIT
/*
 * What `make bench` measures inside the kernel, in TSC ticks: under QEMU's `-icount shift=0` these
 * are guest instructions of all cores (bench/README.md). Runs on request only: it asserts nothing
 * about a size, and without icount the numbers mean little.
 *
 * Each operation prints a line of SAMPLES pairs of rdtsc alone and one with the operation between
 * them. Its labels, op_NAME and op_NAME_end, tell bench/ where it begins and ends.
 */
#include <stdatomic.h>

#include "lib/selftest.h"
#include "lib/text.h"
#include "smp/cores.h"
#include "smp/ipi.h"

enum {
    VECTOR = 100,
    SAMPLES = 32,
    SETTLE_TURNS = 64,
    LINE_MAX = 24 + SAMPLES * 11,
};

/* An instruction's address in the symbol table; so the functions that use it are not inlined. */
#define MARK(name) __asm__ volatile(".globl " #name "\n" #name ":" : : : "memory")
#define ONCE __attribute__((noinline))

static _Atomic uint32_t taken;

static void take(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)count;
    (void)cookie;
    atomic_fetch_add_explicit(&taken, 1, memory_order_release);
}

/* The low half is enough, and leaves the compiler nothing to put between the two. */
static inline uint32_t ticks(void)
{
    uint32_t low;
    __asm__ volatile("rdtsc" : "=a"(low) : : "edx", "memory");
    return low;
}

static inline void wait_taken(uint32_t handlers)
{
    while (atomic_load_explicit(&taken, memory_order_acquire) != handlers)
        arch_relax();
}

ONCE static uint32_t time_nothing(void)
{
    uint32_t start = ticks();
    return ticks() - start;
}

ONCE static uint32_t time_round_trip(void)
{
    uint32_t start = ticks();
    MARK(op_round_trip);
    (void)ipi_send(1, VECTOR);
    wait_taken(1);
    MARK(op_round_trip_end);
    return ticks() - start;
}

ONCE static uint32_t time_broadcast(void)
{
    uint32_t start = ticks();
    MARK(op_broadcast);
    wait_taken((uint32_t)ipi_send(IPI_ALL, VECTOR));
    MARK(op_broadcast_end);
    return ticks() - start;
}

static void print_series(const char *name, uint32_t (*operation)(void))
{
    char line[LINE_MAX];
    int length = snprintf(line, sizeof(line), "bench: %s", name);
    for (int i = 0; i < SAMPLES; i++) {
        for (int turn = 0; turn < SETTLE_TURNS; turn++)
            arch_relax(); /* the other cores finish and halt */
        atomic_store_explicit(&taken, 0, memory_order_relaxed);
        length += snprintf(line + length, sizeof(line) - (size_t)length, " %u", operation());
    }
    selftest_note("%s", line);
}

static void bench_rings(void)
{
    struct smp_bring_up took = smp_bring_up();
    selftest_note("bench: bring_up_ns %llu", (unsigned long long)took.ns);
    selftest_note("bench: init_wait_ns %llu", (unsigned long long)took.init_wait_ns);
    int irq = ipi_register_handler(VECTOR, "bench", take);
    if (!selftest_expect(irq >= 0, "register: an irq expected, %d seen", irq))
        return;
    if (smp_online_count() > 1) {
        print_series("round_trip pair", time_nothing);
        print_series("round_trip", time_round_trip);
    }
    print_series("broadcast pair", time_nothing);
    print_series("broadcast", time_broadcast);
    int error = ipi_unregister(VECTOR);
    selftest_expect(error == 0, "unregister: 0 expected, %d seen", error);
}
SELFTEST_ON_REQUEST("bench-rings", bench_rings);
