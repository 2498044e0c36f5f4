// SPDX-License-Identifier: MIT
/*
 * x87, SSE and AVX state. The kernel itself uses none of it, so a program's state stays in the
 * registers until its thread leaves the core.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Turn on, on this core, what of it the boot core has: XCR0 where the CPU has XSAVE.
 * Returns: false if this core cannot; it must not go on.
 * Context: boot cpu only, cpu being started; CR4 is set.
 */
bool fpu_init_cpu(void);

/* Put all of it on this core into the state in which a program starts. Context: thread. */
void fpu_reset(void);

/* Bytes that a saved state takes; at most a frame. Context: any. */
size_t fpu_bytes(void);

/* Save this core's state at `area` (fpu_bytes(), aligned to 64, cleared before its first use), or
 * bring back what was saved there. Context: thread, interrupts off. */
void fpu_save(void *area);
void fpu_restore(const void *area);
