// SPDX-License-Identifier: MIT
/*
 * The kernel log: one ring of lines that every context may write to and nobody waits for.
 *
 * A writer claims its place with one atomic exchange and fills it; a reader takes finished places
 * in order and is told how many lines it missed. Writers never print: the ring is drained to the
 * consoles by idle cores and on the way back to ring 3 (log_drain), and flushed by a panic.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_EMERG = 0,
    LOG_ALERT,
    LOG_CRIT,
    LOG_ERR,
    LOG_WARNING,
    LOG_NOTICE,
    LOG_INFO,
    LOG_DEBUG,
};

enum {
    LOG_LINE_MAX = 512, /* log_line's text, its end included; more is cut */
    LOG_RING_BYTES = 512 << 10,
};

/*
 * Put a line into the ring; no newline at its end. Control bytes (newline too) and DEL are shown as
 * \x and two hex digits, so that a line stays a line.
 * Context: any. Sleeps: no. Locks: none.
 */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Put `len` bytes of text into the ring as one line or, where it holds newlines, as several lines,
 * each with its stamp; one newline at the end adds none. Other control bytes as log_line; bytes
 * from 0x80 as they are. Nothing is cut: len is 0..LOG_TEXT_MAX (0 adds nothing).
 * Context: any. Sleeps: no. Locks: none.
 */
enum { LOG_TEXT_MAX = 4096 };
void log_text(enum log_level level, const char *text, size_t len);

#define log_err(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * The level shown on consoles: lines of a level up to and including this one (0..7).
 * Context: any.
 */
void log_set_console_level(int level);
int log_console_level(void);

/*
 * Write what the ring holds and the consoles have not shown yet, each log line on a line of its
 * own; a console in the midst of a program's write, or whose device is busy, comes later. If
 * another core is at it, returns at once: that core will see the new lines too. Every core that put
 * lines into the ring calls it later on (or finds log_pending() false). Where work is noted for
 * this core (arch_work_note), it ends after a few lines: who does the work calls it again. After
 * many lines it notes that itself. Context: thread (interrupts on; it may take milliseconds).
 * Sleeps: no. Locks: console, for a few lines at a time.
 */
void log_drain(void);

/* Is there a line that log_drain would take? Context: any. A few loads, no lock. */
bool log_pending(void);

/*
 * Bring the lines that are in the log now to all their consoles, whatever that takes. Context:
 * thread, interrupts on (it may take long). Sleeps: no. Locks: console.
 */
void log_settle(void);

/*
 * A panic's flush: the same from any context, whatever the lock's state, to every console.
 * Context: any, with the other cores stopped. Sleeps: no. Locks: breaks the console's.
 */
void log_flush_in_panic(void);

/*
 * For the end of a panic's report: show, below a heading, the last LOG_HIDDEN_LINES of those lines
 * that the consoles were spared because of their level; nothing if there are none.
 * Context, locks: as log_flush_in_panic.
 */
enum { LOG_HIDDEN_LINES = 10 };
void log_show_hidden_in_panic(void);

/* ---- readers ---------------------------------------------------------------------------------*/

/*
 * A place in the log; readers copy it and look at none of its fields. {0} is the oldest line that
 * the ring holds when it is first used; what was lost before that does not count as missed.
 */
struct log_cursor {
    uint64_t slot; /* position to look at next */
    uint64_t line; /* claim word of the line expected there; 0: none yet */
};

/* The end of the log as it is now. Context: any. */
struct log_cursor log_end(void);

/* Is there something to read between the two? `end` is one of log_end()'s. A reader that stops
 * there comes to an end, however fast others log. Context: any. */
bool log_is_before(struct log_cursor at, struct log_cursor end);

/* How many lines were put in between two places, neither of them {0}. Context: any. */
uint64_t log_lines_between(struct log_cursor from, struct log_cursor to);

/*
 * The next finished line at the cursor as dmesg shows it, `<level>[    1.234567] text\n`, into
 * the `size` bytes at buf (not terminated). The cursor moves only if the line fitted. Where lines
 * were lost to the reader, a line in the same form says how many: `N lines missed`.
 * Returns: its length; 0 at the end of the log; -EMSGSIZE when the line needs more than size.
 * Context: hardirq. Sleeps: no. Locks: none.
 */
enum { LOG_FORMATTED_MAX = 4 * LOG_TEXT_MAX + 32 }; /* no line is longer */
long log_read(struct log_cursor *cursor, char *buf, size_t size);
