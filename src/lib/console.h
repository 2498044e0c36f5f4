// SPDX-License-Identifier: MIT
/*
 * Consoles: devices that show text, and at which text may be typed. A driver registers one for each
 * port or screen; lib knows none of them. What each is used for:
 *
 *     log      lines of the kernel log go to those that the command line names (console_select), or
 *              to ttyS0 and tty0 if it names none; a panic, and console_line(), to all of them
 *     /dev     each is a terminal of programs, under its name (proc/tty.h), with its own line and
 *              modes; what is typed at one reaches no other
 *     init     /dev/console, its standard input and output, is console_preferred()
 *
 * One lock guards what stands on their lines. A program's output may have to wait for the device,
 * in its sleep; so it does not keep the lock but marks the console as held, and the log's lines for
 * this console wait in the log meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/log.h"

struct tty;

/* What the keys of a console's keyboard type, as Linux's KDSKBMODE numbers it. */
enum console_keyboard_mode {
    CONSOLE_KEYBOARD_ASK = -1,       /* change nothing */
    CONSOLE_KEYBOARD_CODES = 0,      /* the bytes that the keyboard sends: K_RAW */
    CONSOLE_KEYBOARD_CHARACTERS = 1, /* K_XLATE */
};

struct console {
    /* What the driver sets before it registers the console, and does not change: */

    const char *name; /* of the device, such as "ttyS0"; also its name in /dev */
    uint8_t minor;    /* of its number, 4:minor, as on Linux: tty0 0, ttyS0 64 */
    uint16_t columns; /* how much text is seen at a time; 0: not known */
    uint16_t rows;
    bool has_input; /* something can be typed here: console_input() is called. It may become
                       true as late as before tty_init() */
    /*
     * Write len bytes; '\n' is a newline (the driver adds '\r' if its terminal wants it). All of it
     * is taken; how long it waits is bounded: a device that does not answer drops the text.
     * Context: any (a panic calls it from NMI); else thread. Sleeps: no.
     */
    void (*write)(struct console *self, const char *text, size_t len);
    /*
     * The same, but only as much as fits without a wait. If that was not all, console_has_room() is
     * called later on. NULL: `write` never waits for its device, such as a screen.
     * Returns: how many bytes were taken. Context: thread. Sleeps: no.
     */
    size_t (*put)(struct console *self, const char *text, size_t len);
    /*
     * Would `write` take len bytes without a wait, or would it be useless to wait for more room? If
     * neither, console_has_room() is called later on. NULL, as `put` is, or: always.
     * Context: thread. Sleeps: no.
     */
    bool (*is_ready)(struct console *self, size_t len);
    /*
     * Wait, bounded, until all that was written has left the machine. May be NULL.
     * Context: any. Sleeps: no.
     */
    void (*flush)(struct console *self);
    /*
     * For who waits in his sleep: has all that was written left the machine, or is it useless to
     * wait for that? NULL, as `put` is, or: always. Context: thread. Sleeps: no.
     */
    bool (*is_sent)(struct console *self);
    /*
     * Input may come again: console_input_room() had said 0. NULL for a device that cannot hold
     * its input back, such as a keyboard; what it brings too much is dropped.
     * Context: thread. Sleeps: no.
     */
    void (*resume_input)(struct console *self);
    /*
     * Let the keyboard type codes or characters. NULL: there is no keyboard. It comes with
     * has_input. Returns: which of the two it types now. Context: thread. Sleeps: no.
     */
    int (*keyboard_mode)(struct console *self, int mode);

    /* What belongs to lib and to the terminal; a driver leaves it 0. */

    _Atomic bool takes_log;       /* L: console for changes; lines of the log go here */
    _Atomic bool held;            /* L: console for changes; a program's write is not through */
    bool line_begun;              /* L: console; text stands on the line, no newline yet */
    struct log_cursor shown;      /* L: console; what comes next of the log */
    _Atomic uint64_t log_slot;    /* shown.slot, for those who only ask whether there is more */
    struct tty *_Atomic tty;      /* its terminal; NULL: not yet */
    struct console *_Atomic next; /* the list only grows, so it is walked without a lock */
};

/*
 * The command line names this console, `console=NAME`: it gets the log, and the one named last is
 * preferred. Names beyond CONSOLES_MAX are passed over. `name` stays.
 * Context: boot cpu only, before any is registered.
 */
enum { CONSOLES_MAX = 8 };
void console_select(const char *name);

/*
 * Add a console, for good. If it takes the log, the log's lines from the oldest on come to it at
 * once. Context: thread, or boot. Locks: console.
 */
void console_register(struct console *console);

/*
 * The console of init: the one that the command line names last, of those that are there; else
 * ttyS0, else tty0, else the first. Returns: NULL if there is none. Context: any.
 */
struct console *console_preferred(void);

/*
 * All consoles that were named are registered, if they are there at all: where the log has none,
 * the preferred one gets it. Context: boot cpu only.
 */
void console_selection_ends(void);

/* The console of that name. Returns: NULL if there is none. Context: any. */
struct console *console_find(const char *name);

/* All consoles: the first, and the one after `console`. Returns: NULL at the end. Context: any. */
struct console *console_first(void);
struct console *console_next(struct console *console);

/* ---- output ---------------------------------------------------------------------------------- */

/*
 * A program's write: from hold to release no line of the log comes to this console. The caller
 * keeps all other programs from it (proc/tty.c: a mutex), and may sleep in between.
 *
 * console_try_hold() gives the log its turn: it returns false while lines of the log wait for this
 * console's device. The hook has_room is called when they do not any more; then log_drain() brings
 * some of them, and console_hold() is fair.
 *
 * Context: thread. Sleeps: no. Locks: console, for a moment.
 */
bool console_try_hold(struct console *console);
void console_hold(struct console *console);
void console_release(struct console *console);

/*
 * As much of a program's text as fits. If that was not all, the hook has_room is called once it is
 * worth while to go on. Returns: how many bytes were taken.
 * Context: thread, the console held. Sleeps: no. Locks: console.
 */
size_t console_put(struct console *console, const char *text, size_t len);

/* There is room again: the driver says so, as put and is_ready promised. Context: hardirq. */
void console_has_room(struct console *console);

/* A program's text without a terminal (self-tests): held, put as far as it fits, and released. */
void console_write(struct console *console, const char *text, size_t len);

/*
 * A line of the kernel's that is not of the log: on every console, whatever the loglevel, without
 * a stamp and on a line of its own, after all log lines before it. `text` without a newline. It
 * does not wait for a program's write that is not through, but begins a new line in its midst.
 * Context: thread, interrupts on. Sleeps: no. Locks: console.
 */
void console_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Wait, bounded, until all consoles have let go of their last byte. Context: any. */
void console_flush(void);

/* ---- input ----------------------------------------------------------------------------------- */

/*
 * What was typed at a console: its driver calls console_input() for each byte that it received, in
 * their order, from one core at a time. A byte for which there is no room is dropped, and the log
 * says so once. Bytes that come before the console has a terminal are dropped.
 * Context: hardirq or softirq. Sleeps: no.
 */
void console_input(struct console *console, uint8_t byte);

/*
 * How many bytes console_input() has room for. If it is 0, the driver's resume_input is called once
 * there is room again, and the driver leaves its input where it is until then.
 * Context: as console_input. Sleeps: no.
 */
size_t console_input_room(struct console *console);

/*
 * What the terminals do (proc/tty.c): set once, by who set console->tty before. Called in hardirq,
 * for consoles that have a terminal.
 */
struct console_hooks {
    void (*input)(struct tty *tty, uint8_t byte);
    size_t (*input_room)(struct tty *tty);
    void (*has_room)(struct tty *tty); /* output may go on: see console_has_room() */
};
void console_set_hooks(const struct console_hooks *hooks);
