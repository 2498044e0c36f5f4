// SPDX-License-Identifier: MIT
/*
 * How long a core is held at a delay point.
 *
 * Each core has a sequence of its own: its index, the seed and how many points it has passed, mixed
 * (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", mix64 with the constants
 * of David Stafford's variant 13). An NMI at a point may make two points draw the same number; that
 * does no harm.
 */
#include "lib/delay.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "arch/arch.h"

enum { HALVINGS = 12 };

static _Atomic uint64_t delayed_steps; /* the set that is switched on */
static _Atomic uint64_t one_in, longest_ns;
static _Atomic uint64_t seed_of_all;

static DEFINE_PERCPU(_Atomic uint64_t, points_passed);

_Static_assert(DELAY_STEPS <= 64, "a set of steps is a word");

void delay_begin(const struct delays *delays, uint64_t seed)
{
    atomic_store_explicit(&one_in, delays->one_in, memory_order_relaxed);
    atomic_store_explicit(&longest_ns, delays->longest_ns, memory_order_relaxed);
    atomic_store_explicit(&seed_of_all, seed, memory_order_relaxed);
    /* release: who finds its step switched on finds the others (delay_hold) */
    atomic_store_explicit(&delayed_steps, delays->steps, memory_order_release);
}

void delay_end(void)
{
    atomic_store_explicit(&delayed_steps, 0, memory_order_relaxed);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The next number of this core's sequence. */
static uint64_t next_random(void)
{
    _Atomic uint64_t *passed = this_cpu_ptr(points_passed);
    uint64_t n = atomic_load_explicit(passed, memory_order_relaxed);
    atomic_store_explicit(passed, n + 1, memory_order_relaxed);
    uint64_t seed = atomic_load_explicit(&seed_of_all, memory_order_relaxed);
    return mix(mix(seed + n) + arch_cpu());
}

/* Spin for `ns`; as many turns at most, so that it ends should the clock stand still. */
static void hold(uint64_t ns)
{
    uint64_t start = arch_clock_ns();
    for (uint64_t turn = 0; turn < ns && arch_clock_ns() - start < ns; turn++)
        arch_relax();
}

void delay_hold(enum delay_step step)
{
    /* acquire: pairs with delay_begin() */
    uint64_t steps = atomic_load_explicit(&delayed_steps, memory_order_acquire);
    if ((steps >> step & 1) == 0)
        return;
    uint64_t random = next_random(), times = atomic_load_explicit(&one_in, memory_order_relaxed);
    if (random % times != 0)
        return;
    uint64_t halvings = random / times % (HALVINGS + 1);
    hold(atomic_load_explicit(&longest_ns, memory_order_relaxed) >> halvings);
}
