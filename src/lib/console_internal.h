// SPDX-License-Identifier: MIT
/*
 * What log.c and console.c know of each other; nobody else includes this file.
 *
 * Whoever gives the console lock back calls log_drain() afterwards: another core may have put a
 * line into the log meanwhile, found the lock taken, and left it to the holder.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/console.h"

/* The lock of all consoles. In a panic it is open to the core that panics. Context: thread. */
void console_lock(void);
bool console_try_lock(void);
void console_unlock(void);

/*
 * For the core that panics: wait, bounded, until nobody else is in the middle of a line, and keep
 * all others out from then on; every console gets the log from now on. Returns: false if that did
 * not come in time; what is written then may meet what another core writes. Context: any.
 */
bool console_claim_in_panic(void);

/* Does somebody wait in console_lock()? A hint, to let them in. Context: any. */
bool console_wanted(void);

/* The first console; it and each one's `next` are read by this. */
extern struct console *_Atomic console_list;

static inline struct console *console_load(struct console *_Atomic *link)
{
    /* acquire: pairs with the release in console_register */
    return atomic_load_explicit(link, memory_order_acquire);
}

#define console_for_each(c)                                                                        \
    for (struct console *c = console_load(&console_list); (c) != NULL;                             \
         (c) = console_load(&(c)->next))

/* Does the console show the log? Context: any. */
static inline bool console_takes_log(const struct console *console)
{
    return atomic_load_explicit(&console->takes_log, memory_order_relaxed);
}

/* Is a program's write not through? Then console_release() will call log_drain(). Context: any. */
static inline bool console_is_held(const struct console *console)
{
    return atomic_load_explicit(&console->held, memory_order_relaxed);
}

/* Is there room for a line of the log of `len` bytes? If not, console_has_room() will have
 * log_drain() called. Context: thread. */
bool console_is_ready(struct console *console, size_t len);

/* One line, its newline at its end, on a line of its own. Locks: caller holds console. */
void console_write_line(struct console *console, const char *text, size_t len);

/* Let the console begin at the oldest line of the log, or at the next one. Locks: caller holds
 * console. */
void log_begin_console(struct console *console);
void log_begin_console_now(struct console *console);

/* Another console takes the log from now on. Locks: caller holds console. */
void log_console_begins(void);

/* Is there a line that the console has not shown? Context: any. */
bool log_is_behind(const struct console *console);

/* Bring all lines that are in the log now to the consoles. Locks: caller holds console. */
void log_drain_locked(void);
