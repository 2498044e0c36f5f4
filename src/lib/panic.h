// SPDX-License-Identifier: MIT
/*
 * The end of the road: an invariant is broken and going on could only do harm. Missing hardware, a
 * slow core, a full table or bad user memory are values, never a panic.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Say why in a line that a person understands, then registers, this core's backtrace, the others
 * stopped and theirs, and the log lines that were hidden (docs/panic.md reads one); with
 * `debugexit`, leave QEMU with 122; else do as `panic=` says.
 * Context: any, on any core. Never returns.
 */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *fmt, ...);

/* Is this core the one that panics? Context: any. */
bool panic_is_here(void);

/* Panic unless `cond` holds: for invariants only. */
#define ASSERT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            panic("%s:%d: broken invariant: %s", __FILE__, __LINE__, #cond);                       \
    } while (0)

/*
 * What panic() asks of higher rooms; main.c sets it before anything can fail. `stop` stops the
 * other cores; `report` prints all that comes after the reason; `end` carries out what follows.
 */
struct panic_hooks {
    void (*stop)(void);
    void (*report)(void);
    __attribute__((noreturn)) void (*end)(void);
};
void panic_set_hooks(const struct panic_hooks *hooks);

/*
 * The compiler's stack protector (gcc, -fstack-protector-strong): the value that a function leaves
 * below its return address, and whom it calls when it finds another one there.
 */
extern uintptr_t __stack_chk_guard;
__attribute__((noreturn)) void __stack_chk_fail(void);
