// SPDX-License-Identifier: MIT
/*
 * The date of the kernel's entry, and what has passed since then.
 */
#include "lib/wall_clock.h"

#include <stdatomic.h>

#include "arch/arch.h"

static _Atomic uint64_t entry_ns; /* since 1970, at arch_clock_ns() == 0 */

uint64_t wall_clock_boot_ns(void)
{
    return atomic_load_explicit(&entry_ns, memory_order_relaxed);
}

uint64_t wall_clock_ns(void)
{
    return wall_clock_boot_ns() + arch_clock_ns();
}

void wall_clock_set(uint64_t ns)
{
    atomic_store_explicit(&entry_ns, ns - arch_clock_ns(), memory_order_relaxed);
}
