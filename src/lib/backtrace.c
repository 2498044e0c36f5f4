// SPDX-License-Identifier: MIT
/*
 * arch_backtrace() walks the stack; here its addresses get names.
 */
#include "lib/backtrace.h"

#include "lib/text.h"

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

/* `before`: bytes by which to look before `pc` for its function. */
static struct backtrace_place place_of(uintptr_t pc, uintptr_t before)
{
    struct backtrace_place place;
    struct symbol_place symbol;
    if (!backtrace_symbol(pc - before, &symbol))
        (void)snprintf(place.text, sizeof(place.text), "0x%llx", (unsigned long long)pc);
    else if (symbol.offset + before == 0)
        (void)snprintf(place.text, sizeof(place.text), "%s", symbol.name);
    else
        (void)snprintf(place.text, sizeof(place.text), "%s+0x%zx", symbol.name,
                       symbol.offset + before);
    return place;
}

struct backtrace_place backtrace_return(uintptr_t pc)
{
    return place_of(pc, 1); /* a call that never returns may be its function's last instruction */
}

struct backtrace_place backtrace_function(uintptr_t pc)
{
    return place_of(pc, 0);
}

static void log_call(enum log_level level, const struct arch_call *call)
{
    /* a call that never returns may be its function's last instruction: look before the return */
    uintptr_t before = call->kind == ARCH_CALL_RETURN ? 1 : 0;
    struct symbol_place place;
    if (call->kind == ARCH_CALL_USER)
        log_line(level, "  0x%016llx in ring 3", (unsigned long long)call->pc);
    else if (backtrace_symbol(call->pc - before, &place))
        log_line(level, "  0x%016llx %s+0x%zx", (unsigned long long)call->pc, place.name,
                 place.offset + before);
    else
        log_line(level, "  0x%016llx", (unsigned long long)call->pc);
}

void backtrace_log_calls(enum log_level level, const struct arch_call *calls, size_t count)
{
    for (size_t i = 0; i < count && i < BACKTRACE_CALLS; i++)
        log_call(level, &calls[i]);
    if (count > BACKTRACE_CALLS)
        log_line(level, "  and so on");
}

void backtrace_log(cpu_t cpu)
{
    struct arch_call calls[BACKTRACE_CALLS + 1];
    backtrace_log_calls(LOG_EMERG, calls, arch_backtrace(cpu, calls, BACKTRACE_CALLS + 1));
}
