// SPDX-License-Identifier: MIT
/*
 * The calls that led to a place, read from a stack that may be damaged.
 */
#pragma once

#include "arch/arch.h"

struct trap_frame;

/*
 * From the place in `frame` outwards into calls[0..max). `kind` says what frame->rip is: where the
 * core was, or where a call returns to. Nothing but mapped kernel stacks is read, so that this
 * never faults.
 * Returns: how many; max means that there may be more. Context: any, with that stack at rest.
 * Locks: none.
 */
size_t backtrace_from(const struct trap_frame *frame, enum arch_call_kind kind,
                      struct arch_call *calls, size_t max);
