// SPDX-License-Identifier: MIT
/*
 * The consoles, their lock, and what stands on their current line.
 *
 * Invariant: a line of the kernel's begins at the left edge and ends with a newline, all under one
 * hold of the lock. If a program's write left its line unfinished, a newline comes first.
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

/* Longer than the lines that a drain shows under one hold of the lock take at 115200 baud. */
#define PANIC_WAIT_NS UINT64_C(200000000)

static struct spinlock console_spinlock = SPINLOCK(RANK_CONSOLE, "console");
static _Atomic uint32_t waiters;
static struct console *_Atomic consoles;
static bool line_begun; /* L: console_spinlock; text stands on the line, no newline yet */

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

bool console_claim_in_panic(void)
{
    uint64_t start = arch_clock_ns();
    while (!spin_trylock(&console_spinlock)) {
        if (arch_clock_ns() - start > PANIC_WAIT_NS)
            return false;
        arch_relax();
    }
    return true;
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

static struct console *next_console(struct console *_Atomic *link)
{
    /* acquire: pairs with the release in console_register */
    return atomic_load_explicit(link, memory_order_acquire);
}

static void write_all(const char *text, size_t len)
{
    for (struct console *c = next_console(&consoles); c != NULL; c = next_console(&c->next))
        c->write(c, text, len);
}

void console_write_line(const char *text, size_t len)
{
    if (line_begun)
        write_all("\n", 1);
    line_begun = true; /* a panic in the midst of it begins a new line */
    write_all(text, len);
    line_begun = false;
}

void console_register(struct console *console)
{
    console_lock();
    struct console *_Atomic *link = &consoles;
    for (struct console *c = next_console(link); c != NULL; c = next_console(link))
        link = &c->next;
    if (link == &consoles)
        log_rewind_consoles();
    atomic_store_explicit(&console->next, NULL, memory_order_relaxed);
    /* release: who finds the console (next_console) finds its fields too */
    atomic_store_explicit(link, console, memory_order_release);
    console_unlock();
    log_drain();
}

void console_begin(void)
{
    ASSERT_THREAD();
    console_lock();
}

void console_put(const char *text, size_t len)
{
    if (len == 0)
        return;
    line_begun = true;
    write_all(text, len);
    line_begun = text[len - 1] != '\n';
}

void console_end(void)
{
    console_unlock();
    log_drain();
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
    console_write_line(text, len);
    console_unlock();
    log_drain();
}

void (*_Atomic console_input_hook)(uint8_t byte);

void console_input(uint8_t byte)
{
    /* acquire: what the hook needs is there for who finds it */
    void (*hook)(uint8_t) = atomic_load_explicit(&console_input_hook, memory_order_acquire);
    if (hook != NULL)
        hook(byte);
}

void console_flush(void)
{
    for (struct console *c = next_console(&consoles); c != NULL; c = next_console(&c->next)) {
        if (c->flush != NULL)
            c->flush(c);
    }
}
