// SPDX-License-Identifier: MIT
/*
 * What the test programs share: the gate itself, where every register is the test's to choose, and
 * a little text. They run without a libc, on the generated stubs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "carillon_raw.h"

enum { STDOUT = 1 };

/* Errors of the gate, as Linux numbers them. */
enum {
    EPERM = 1,
    ENOENT = 2,
    ENXIO = 6,
    EBADF = 9,
    EFAULT = 14,
    EBUSY = 16,
    ENODEV = 19,
    EINVAL = 22,
    ENOSYS = 38,
};

/* int 0x80 with rax, rbx, rcx, rdx, rsi, rdi and rbp as given, all 64 bits of them. */
long gate(const uint64_t registers[7]);

/* Write a line: of formats only %d (long), %x (unsigned long) and %s. The newline is added. */
void say(const char *format, ...);

/* Read a decimal number, '-' allowed, at *at and move *at behind it. */
long number(const char **at);

int same(const char *a, const char *b);

/* The number in the argument `key=number`; the program ends if there is none. */
long option(char **argv, const char *key);

/* Let the time stamp counter go on by so many ticks. */
void spin(uint64_t ticks);
