// SPDX-License-Identifier: MIT
/*
 * The consoles, their lock, and what stands on their current lines.
 *
 * Invariant: a line of the kernel's begins at the left edge and ends with a newline, all under one
 * hold of the lock. If a program's write left its line unfinished, a newline comes first; while the
 * write lasts (`held`), the log waits.
 *
 * The log waits for a console that is held, or whose device has no room. Who ends the wait sees to
 * it that log_drain() is called: console_release() itself, console_has_room() by noting work for
 * its core. If another core has the lock just then, it asks the driver once more after giving it
 * back, as it looks at the log once more.
 *
 * The list of consoles only grows and is walked without the lock. A core that panics claims the
 * lock for good, or does without it: who holds it may have been stopped, or be the same core.
 */
#include "lib/console.h"

#include <stdarg.h>

#include "lib/console_internal.h"
#include "lib/debug.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "lib/text.h"

/* Longer than the lines that a drain shows under one hold of the lock take at 115200 baud, or than
 * it goes on when it is waited for, and a line. One of thousands of bytes takes longer: then its
 * core is stopped within it. */
#define PANIC_WAIT_NS UINT64_C(200000000)

static struct spinlock console_spinlock = SPINLOCK(RANK_CONSOLE, "console");
static _Atomic uint32_t waiters;
struct console *_Atomic console_list;
static const char *selected[CONSOLES_MAX]; /* I: by the command line, in its order */
static size_t selected_count;
static const struct console_hooks *_Atomic hooks;

/* ---- the lock -------------------------------------------------------------------------------- */

bool console_try_lock(void)
{
    if (panic_is_here())
        return true;
    /*
     * seq_cst, pairs with the fence in console_unlock: either this core finds the lock free, or
     * the holder, who looks at the log after giving it back, finds what this core put in.
     */
    atomic_thread_fence(memory_order_seq_cst);
    return spin_trylock(&console_spinlock);
}

static bool claim(void)
{
    uint64_t start = arch_clock_ns();
    /* for good: who drains lets in who waits (log.c) */
    atomic_fetch_add_explicit(&waiters, 1, memory_order_relaxed);
    while (!spin_trylock(&console_spinlock)) {
        if (arch_clock_ns() - start > PANIC_WAIT_NS)
            return false;
        arch_relax();
    }
    return true;
}

bool console_claim_in_panic(void)
{
    bool claimed = claim();
    console_for_each (c) {
        if (console_takes_log(c))
            continue;
        log_begin_console_now(c);
        atomic_store_explicit(&c->takes_log, true, memory_order_relaxed);
    }
    return claimed;
}

void console_lock(void)
{
    if (panic_is_here())
        return;
    atomic_fetch_add_explicit(&waiters, 1, memory_order_relaxed);
    spin_lock(&console_spinlock);
    atomic_fetch_sub_explicit(&waiters, 1, memory_order_relaxed);
}

void console_unlock(void)
{
    if (panic_is_here())
        return;
    spin_unlock(&console_spinlock);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in console_try_lock */
}

bool console_wanted(void)
{
    return atomic_load_explicit(&waiters, memory_order_relaxed) != 0;
}

/* ---- which there are ------------------------------------------------------------------------- */

struct console *console_first(void)
{
    return console_load(&console_list);
}

struct console *console_next(struct console *console)
{
    return console_load(&console->next);
}

void console_select(const char *name)
{
    if (selected_count < CONSOLES_MAX)
        selected[selected_count++] = name;
}

static bool is_selected(const char *name)
{
    if (selected_count == 0)
        return strcmp(name, "ttyS0") == 0 || strcmp(name, "tty0") == 0;
    for (size_t i = 0; i < selected_count; i++) {
        if (strcmp(name, selected[i]) == 0)
            return true;
    }
    return false;
}

struct console *console_find(const char *name)
{
    console_for_each (c) {
        if (strcmp(name, c->name) == 0)
            return c;
    }
    return NULL;
}

struct console *console_preferred(void)
{
    struct console *found = NULL;
    for (size_t i = selected_count; i > 0 && found == NULL; i--)
        found = console_find(selected[i - 1]);
    if (found == NULL)
        found = console_find("ttyS0");
    if (found == NULL)
        found = console_find("tty0");
    return found != NULL ? found : console_first();
}

void console_selection_ends(void)
{
    struct console *preferred = console_preferred();
    console_for_each (c) {
        if (console_takes_log(c))
            return;
    }
    console_lock();
    if (preferred != NULL)
        atomic_store_explicit(&preferred->takes_log, true, memory_order_relaxed);
    log_console_begins();
    console_unlock();
    log_drain();
}

void console_register(struct console *console)
{
    console_lock();
    struct console *_Atomic *link = &console_list;
    for (struct console *c = console_load(link); c != NULL; c = console_load(link))
        link = &c->next;
    log_begin_console(console);
    atomic_store_explicit(&console->takes_log, is_selected(console->name), memory_order_relaxed);
    atomic_store_explicit(&console->next, NULL, memory_order_relaxed);
    /* release: who finds the console (console_load) finds its fields too */
    atomic_store_explicit(link, console, memory_order_release);
    log_console_begins();
    console_unlock();
    log_drain();
}

/* ---- lines of the kernel's ------------------------------------------------------------------- */

bool console_is_ready(struct console *console, size_t len)
{
    /* and the newline that may come first */
    return console->is_ready == NULL || console->is_ready(console, len + 1);
}

void console_write_line(struct console *console, const char *text, size_t len)
{
    if (console->line_begun)
        console->write(console, "\n", 1);
    console->line_begun = true; /* a panic in the midst of it begins a new line */
    console->write(console, text, len);
    console->line_begun = false;
}

void console_line(const char *fmt, ...)
{
    char text[LOG_LINE_MAX + 1]; /* and the newline */
    va_list ap;
    va_start(ap, fmt);
    int wanted = vsnprintf(text, LOG_LINE_MAX, fmt, ap);
    va_end(ap);
    size_t len = wanted < LOG_LINE_MAX ? (size_t)wanted : LOG_LINE_MAX - 1;
    text[len++] = '\n';

    console_lock();
    log_drain_locked();
    console_for_each (c)
        console_write_line(c, text, len);
    console_unlock();
    log_drain();
}

/* ---- programs' text -------------------------------------------------------------------------- */

static bool hold(struct console *console, bool always)
{
    ASSERT_THREAD();
    console_lock();
    bool log_first = !always && console_takes_log(console) && log_is_behind(console) &&
                     !console_is_ready(console, LOG_FORMATTED_MAX);
    atomic_store_explicit(&console->held, !log_first, memory_order_relaxed);
    console_unlock();
    log_drain();
    return !log_first;
}

bool console_try_hold(struct console *console)
{
    return hold(console, false);
}

void console_hold(struct console *console)
{
    (void)hold(console, true);
}

void console_release(struct console *console)
{
    console_lock();
    atomic_store_explicit(&console->held, false, memory_order_relaxed);
    console_unlock();
    log_drain();
}

size_t console_put(struct console *console, const char *text, size_t len)
{
    if (len == 0)
        return 0;
    console_lock();
    bool begun = console->line_begun;
    size_t taken = len;
    console->line_begun = true; /* as in console_write_line */
    if (console->put != NULL)
        taken = console->put(console, text, len);
    else
        console->write(console, text, len);
    console->line_begun = taken > 0 ? text[taken - 1] != '\n' : begun;
    console_unlock();
    log_drain();
    return taken;
}

void console_write(struct console *console, const char *text, size_t len)
{
    console_hold(console);
    (void)console_put(console, text, len);
    console_release(console);
}

/* ---- what drivers tell ----------------------------------------------------------------------- */

void console_set_hooks(const struct console_hooks *new_hooks)
{
    /* release: pairs with tty_of() */
    atomic_store_explicit(&hooks, new_hooks, memory_order_release);
}

/* The console's terminal, and what it does; NULL: it has none yet. */
static struct tty *tty_of(struct console *console, const struct console_hooks **does)
{
    /* acquire: what the hooks need is there for who finds them */
    *does = atomic_load_explicit(&hooks, memory_order_acquire);
    return *does == NULL ? NULL : atomic_load_explicit(&console->tty, memory_order_relaxed);
}

void console_has_room(struct console *console)
{
    const struct console_hooks *does;
    struct tty *tty = tty_of(console, &does);
    arch_work_note();
    if (tty != NULL)
        does->has_room(tty);
}

void console_input(struct console *console, uint8_t byte)
{
    const struct console_hooks *does;
    struct tty *tty = tty_of(console, &does);
    if (tty != NULL)
        does->input(tty, byte);
}

size_t console_input_room(struct console *console)
{
    const struct console_hooks *does;
    struct tty *tty = tty_of(console, &does);
    return tty != NULL ? does->input_room(tty) : SIZE_MAX;
}

void console_flush(void)
{
    console_for_each (c) {
        if (c->flush != NULL)
            c->flush(c);
    }
}
