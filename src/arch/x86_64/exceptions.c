// SPDX-License-Identifier: MIT
/*
 * The table of exceptions. It is data and nothing else, so that the host tests hold it against the
 * manual's table, row by row.
 */
#include "arch/x86_64/exceptions.h"

#include "lib/signal.h"

const struct exception exceptions[EXCEPTION_COUNT] = {
    {"#DE", "divide error", CLASS_FAULT, SIGNAL_FPE},
    {"#DB", "debug exception", CLASS_TRAP, SIGNAL_TRAP}, /* a fault for instruction breakpoints */
    {"NMI", "non-maskable interrupt", CLASS_INTERRUPT, 0},
    {"#BP", "breakpoint", CLASS_TRAP, SIGNAL_TRAP},
    {"#OF", "overflow", CLASS_TRAP, SIGNAL_SEGV},
    {"#BR", "BOUND range exceeded", CLASS_FAULT, SIGNAL_SEGV},
    {"#UD", "invalid opcode", CLASS_FAULT, SIGNAL_ILL},
    {"#NM", "device not available", CLASS_FAULT, SIGNAL_SEGV},
    {"#DF", "double fault", CLASS_ABORT, 0},
    {"#CSO", "coprocessor segment overrun", CLASS_FAULT, SIGNAL_FPE},
    {"#TS", "invalid TSS", CLASS_FAULT, SIGNAL_SEGV},
    {"#NP", "segment not present", CLASS_FAULT, SIGNAL_BUS},
    {"#SS", "stack-segment fault", CLASS_FAULT, SIGNAL_BUS},
    {"#GP", "general protection", CLASS_FAULT, SIGNAL_SEGV},
    {"#PF", "page fault", CLASS_FAULT, SIGNAL_SEGV},
    {"#15", "reserved", CLASS_RESERVED, 0},
    {"#MF", "x87 floating-point error", CLASS_FAULT, SIGNAL_FPE},
    {"#AC", "alignment check", CLASS_FAULT, SIGNAL_BUS},
    {"#MC", "machine check", CLASS_ABORT, 0},
    {"#XM", "SIMD floating-point exception", CLASS_FAULT, SIGNAL_FPE},
    {"#VE", "virtualization exception", CLASS_FAULT, 0},
    {"#CP", "control protection exception", CLASS_FAULT, SIGNAL_SEGV},
    {"#22", "reserved", CLASS_RESERVED, 0},
    {"#23", "reserved", CLASS_RESERVED, 0},
    {"#24", "reserved", CLASS_RESERVED, 0},
    {"#25", "reserved", CLASS_RESERVED, 0},
    {"#26", "reserved", CLASS_RESERVED, 0},
    {"#27", "reserved", CLASS_RESERVED, 0},
    {"#HV", "hypervisor injection exception", CLASS_INTERRUPT, 0},
    {"#VC", "VMM communication exception", CLASS_FAULT, SIGNAL_SEGV},
    {"#SX", "security exception", CLASS_FAULT, 0},
    {"#31", "reserved", CLASS_RESERVED, 0},
};

const char *exception_class_name(enum exception_class class)
{
    static const char *const names[] = {
        [CLASS_FAULT] = "fault",         [CLASS_TRAP] = "trap",         [CLASS_ABORT] = "abort",
        [CLASS_INTERRUPT] = "interrupt", [CLASS_RESERVED] = "reserved",
    };
    return names[class];
}
