// SPDX-License-Identifier: MIT
/*
 * Consoles: where the log and the programs' output become visible. lib knows none; a driver
 * registers itself. One lock guards them all, and with it what stands on the current line.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct console {
    const char *name;
    /*
     * Write len bytes; '\n' is a newline (the driver adds '\r' if its terminal wants it). Bounded:
     * a device that does not answer drops the text and returns.
     * Context: any (a panic calls it from NMI). Sleeps: no.
     */
    void (*write)(struct console *self, const char *text, size_t len);
    /*
     * Wait, bounded, until all that was written has left the machine. May be NULL.
     * Context: any. Sleeps: no.
     */
    void (*flush)(struct console *self);
    struct console *_Atomic next; /* the list only grows, so it is walked without a lock */
};

/*
 * Add a console, for good. The first one gets the log from its oldest line on, at once; a later one
 * gets what comes from now on. Context: thread. Locks: console.
 */
void console_register(struct console *console);

/*
 * A program's output: all len bytes unbroken by any log line. The caller hands them over in
 * pieces between begin and end (so that user memory can be copied piece by piece).
 * Context: thread, interrupts on. Sleeps: no (spins for the lock). Locks: console, from begin to
 * end.
 */
void console_begin(void);
void console_put(const char *text, size_t len);
void console_end(void);

/*
 * A line of the kernel's that is not of the log: on every console, whatever the loglevel, without
 * a stamp and on a line of its own, after all log lines before it. `text` without a newline.
 * Context: thread, interrupts on. Locks: console.
 */
void console_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * What was typed at a console: a driver calls console_input() for each byte that it received, in
 * their order. Bytes that come before anybody set console_input_hook are dropped.
 * Context: hardirq. Sleeps: no.
 */
void console_input(uint8_t byte);

/* Who gets the typed bytes: set once, by the tty (proc/tty.h). Called in hardirq. */
extern void (*_Atomic console_input_hook)(uint8_t byte);

/* Wait, bounded, until all consoles have let go of their last byte. Context: any. */
void console_flush(void);
