// SPDX-License-Identifier: MIT
/*
 * The thread whose registers are in this core.
 */
#pragma once

#include "arch/arch.h"

DECLARE_PERCPU(struct arch_thread *, arch_current);

/* Let `base` be ring 3's FS base, now and whenever the calling thread runs. Context: thread,
 * interrupts off. */
void thread_load_tls(uint64_t base);
