// SPDX-License-Identifier: MIT
/*
 * The wall clock: the date at the kernel's entry plus arch_clock_ns(). Until somebody sets it, it
 * counts from 1970-01-01.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 */
#pragma once

#include <stdint.h>

/* When the kernel was entered, in nanoseconds since 1970-01-01 00:00 UTC. */
uint64_t wall_clock_boot_ns(void);

/* The same, of now. */
uint64_t wall_clock_ns(void);

/* It is `ns` since then now. */
void wall_clock_set(uint64_t ns);
