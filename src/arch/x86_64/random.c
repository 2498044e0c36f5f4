// SPDX-License-Identifier: MIT
/*
 * The processor's random numbers.
 *
 * Source: Intel SDM vol 1, "Random Number Generator Instructions": an attempt may fail, ten in a
 * row do not unless the hardware is out of order.
 */
#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "arch/x86_64/cpu.h"

enum { ATTEMPTS = 10, CPUID_RDRAND = 1 << 30 };

bool arch_random_u64(uint64_t *number)
{
    if ((cpuid(1, 0).ecx & CPUID_RDRAND) == 0)
        return false;
    for (int i = 0; i < ATTEMPTS; i++) {
        bool done;
        __asm__ volatile("rdrand %0" : "=r"(*number), "=@ccc"(done));
        if (done)
            return true;
    }
    return false;
}
