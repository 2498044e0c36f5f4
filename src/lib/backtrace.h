// SPDX-License-Identifier: MIT
/*
 * Backtraces with names, for reports.
 */
#pragma once

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/symbols.h"

/* Where `address` lies in the kernel. Returns: as symbols_find(). Context: any. */
bool backtrace_symbol(uintptr_t address, struct symbol_place *place);

/*
 * Log these calls, at this level; if there are more than BACKTRACE_CALLS, that there are more.
 * Context: any. Sleeps: no. Locks: none.
 */
void backtrace_log_calls(enum log_level level, const struct arch_call *calls, size_t count);

/*
 * Log the calls that led to where core `cpu` is: this core, in a panic, or one that has stopped.
 * A line each, innermost first: `  0xffffffff80212345 ipi_send+0x1c`.
 * Context: any. Sleeps: no. Locks: none.
 */
void backtrace_log(cpu_t cpu);
