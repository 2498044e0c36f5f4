// SPDX-License-Identifier: MIT
/*
 * x87, SSE and AVX state. The kernel itself uses none of it, so a program's state stays in the
 * registers as long as no other program runs on its core.
 */
#pragma once

/*
 * Turn on, on this core, what of it the boot core has: XCR0 where the CPU has XSAVE.
 * Context: boot cpu only, cpu being started; CR4 is set.
 */
void fpu_init_cpu(void);

/* Put all of it on this core into the state in which a program starts. Context: thread. */
void fpu_reset(void);
