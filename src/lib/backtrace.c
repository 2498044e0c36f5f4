// SPDX-License-Identifier: MIT
/*
 * arch_backtrace() walks the stack; here its addresses get names.
 */
#include "lib/backtrace.h"

#include "lib/log.h"

enum { BACKTRACE_MAX = 24 };

/* Linker symbols; the table is empty in the first link. */
extern const char text_start[], text_end[], symbol_names[];
extern const struct symbol symbols_start[], symbols_end[];

bool backtrace_symbol(uintptr_t address, struct symbol_place *place)
{
    const struct symbol_table kernel = {
        .start = (uintptr_t)text_start,
        .end = (uintptr_t)text_end,
        .symbols = symbols_start,
        .count = (size_t)(symbols_end - symbols_start),
        .names = symbol_names,
    };
    return symbols_find(&kernel, address, place);
}

static void log_call(const struct arch_call *call)
{
    /* a call that never returns may be its function's last instruction: look before the return */
    uintptr_t before = call->kind == ARCH_CALL_RETURN ? 1 : 0;
    struct symbol_place place;
    if (call->kind == ARCH_CALL_USER)
        log_line(LOG_EMERG, "  0x%016llx in ring 3", (unsigned long long)call->pc);
    else if (backtrace_symbol(call->pc - before, &place))
        log_line(LOG_EMERG, "  0x%016llx %s+0x%zx", (unsigned long long)call->pc, place.name,
                 place.offset + before);
    else
        log_line(LOG_EMERG, "  0x%016llx", (unsigned long long)call->pc);
}

void backtrace_log(cpu_t cpu)
{
    struct arch_call calls[BACKTRACE_MAX + 1];
    size_t count = arch_backtrace(cpu, calls, BACKTRACE_MAX + 1);
    for (size_t i = 0; i < count && i < BACKTRACE_MAX; i++)
        log_call(&calls[i]);
    if (count > BACKTRACE_MAX)
        log_line(LOG_EMERG, "  and so on");
}
