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

/* A place in the kernel, as people read it: name+0x12. */
struct backtrace_place {
    char text[64];
};

/* The place to which a call returns, named by the function that called; and that of a function, for
 * a pointer to it. Context: any. */
struct backtrace_place backtrace_return(uintptr_t pc);
struct backtrace_place backtrace_function(uintptr_t pc);

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
