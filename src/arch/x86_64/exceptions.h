// SPDX-License-Identifier: MIT
/*
 * The 32 exceptions by number, mnemonic, name and class, and the signal with which each ends a
 * program (Intel SDM vol 3A, "Exception and Interrupt Reference" and table "Protected-Mode
 * Exceptions and Interrupts"; 29 and 30: AMD64 APM vol 2, "Vectors").
 */
#pragma once

#include <stdint.h>

enum exception_class { CLASS_FAULT, CLASS_TRAP, CLASS_ABORT, CLASS_INTERRUPT, CLASS_RESERVED };

struct exception {
    const char *mnemonic; /* "#PF" */
    const char *name;     /* "page fault" */
    enum exception_class class;
    uint8_t signal; /* as on Linux; 0 where ring 3 cannot cause it */
};

enum { EXCEPTION_COUNT = 32 };
extern const struct exception exceptions[EXCEPTION_COUNT];

/* "fault", "trap", "abort", "interrupt" or "reserved". Context: any. */
const char *exception_class_name(enum exception_class class);
