// SPDX-License-Identifier: MIT
/*
 * A set of cores, by index. Setting and clearing bits is atomic, so that a mask of cores that come
 * and go may be read by all; reading several bits is not one atomic step, and a caller that needs
 * a stable set copies the mask first.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "arch/arch.h"

enum { CPUMASK_WORDS = MAX_CPUS / 64 };

struct cpumask {
    _Atomic uint64_t word[CPUMASK_WORDS];
};

static inline void cpumask_set(struct cpumask *mask, cpu_t cpu)
{
    /* release: what the core prepared is seen by whoever sees its bit (cpumask_test) */
    atomic_fetch_or_explicit(&mask->word[cpu / 64], UINT64_C(1) << (cpu % 64),
                             memory_order_release);
}

static inline void cpumask_clear(struct cpumask *mask, cpu_t cpu)
{
    atomic_fetch_and_explicit(&mask->word[cpu / 64], ~(UINT64_C(1) << (cpu % 64)),
                              memory_order_release);
}

/* Clear the bit. Returns: was it set? Of several who ask at once, one is told so. */
static inline bool cpumask_test_and_clear(struct cpumask *mask, cpu_t cpu)
{
    uint64_t bit = UINT64_C(1) << (cpu % 64);
    uint64_t before = atomic_fetch_and_explicit(&mask->word[cpu / 64], ~bit, memory_order_acq_rel);
    return (before & bit) != 0;
}

static inline bool cpumask_test(const struct cpumask *mask, cpu_t cpu)
{
    /* acquire: pairs with cpumask_set */
    uint64_t word = atomic_load_explicit(&mask->word[cpu / 64], memory_order_acquire);
    return (word >> (cpu % 64) & 1) != 0;
}

static inline void cpumask_copy(struct cpumask *dst, const struct cpumask *src)
{
    for (int i = 0; i < CPUMASK_WORDS; i++) {
        uint64_t word = atomic_load_explicit(&src->word[i], memory_order_acquire);
        atomic_store_explicit(&dst->word[i], word, memory_order_relaxed);
    }
}

static inline cpu_t cpumask_count(const struct cpumask *mask)
{
    cpu_t count = 0;
    for (int i = 0; i < CPUMASK_WORDS; i++) {
        uint64_t word = atomic_load_explicit(&mask->word[i], memory_order_relaxed);
        for (; word != 0; word &= word - 1)
            count++;
    }
    return count;
}

/* Have both the same members? */
static inline bool cpumask_equal(const struct cpumask *a, const struct cpumask *b)
{
    for (int i = 0; i < CPUMASK_WORDS; i++) {
        if (atomic_load_explicit(&a->word[i], memory_order_relaxed) !=
            atomic_load_explicit(&b->word[i], memory_order_relaxed))
            return false;
    }
    return true;
}

/* The first member at or after `from`, or CPU_NONE. */
static inline cpu_t cpumask_next(const struct cpumask *mask, cpu_t from)
{
    for (cpu_t cpu = from; cpu < MAX_CPUS;) {
        uint64_t word = atomic_load_explicit(&mask->word[cpu / 64], memory_order_acquire);
        word >>= cpu % 64;
        if (word != 0)
            return cpu + (cpu_t)__builtin_ctzll(word);
        cpu = (cpu / 64 + 1) * 64;
    }
    return CPU_NONE;
}

#define cpumask_for_each(cpu, mask)                                                                \
    for (cpu_t cpu = cpumask_next((mask), 0); cpu != CPU_NONE; cpu = cpumask_next((mask), cpu + 1))
