// SPDX-License-Identifier: MIT
/*
 * Stopping the other cores by NMI, and the registers that a panic shows.
 */
#pragma once

#include <stdbool.h>

struct trap_frame;

/* Keep the first place where this core came to grief, for a panic's report. Context: any. */
void stop_note_frame(const struct trap_frame *frame);

/* Does an NMI on this core mean that it is to stop? Context: any. */
bool stop_requested(void);

/* Say that this core has stopped, and halt it. Context: any. Never returns. */
__attribute__((noreturn)) void stop_here(void);
