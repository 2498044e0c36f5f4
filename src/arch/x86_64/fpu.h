// SPDX-License-Identifier: MIT
/*
 * x87 and SSE state. The kernel itself uses none of it, so a program's state stays in the
 * registers as long as no other program runs on its core.
 */
#pragma once

/* Put x87 and SSE of this core into the state in which a program starts. Context: thread. */
void fpu_reset(void);
