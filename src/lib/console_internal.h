// SPDX-License-Identifier: MIT
/*
 * What log.c and console.c know of each other; nobody else includes this file.
 *
 * Whoever gives the console lock back calls log_drain() afterwards: another core may have put a
 * line into the log meanwhile, found the lock taken, and left it to the holder.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The lock of all consoles. In a panic it is open to the core that panics. Context: thread. */
void console_lock(void);
bool console_try_lock(void);
void console_unlock(void);

/*
 * For the core that panics: wait, bounded, until nobody else is in the middle of a line, and keep
 * all others out from then on. Returns: false if that did not come in time; what is written then
 * may meet what another core writes. Context: any.
 */
bool console_claim_in_panic(void);

/* Does somebody wait in console_lock()? A hint, to let them in. Context: any. */
bool console_wanted(void);

/* One line, its newline at its end, on a line of its own. Locks: caller holds console. */
void console_write_line(const char *text, size_t len);

/* Let the consoles begin at the oldest line of the log. Locks: caller holds console. */
void log_rewind_consoles(void);

/* Bring all lines that are in the log now to the consoles. Locks: caller holds console. */
void log_drain_locked(void);
