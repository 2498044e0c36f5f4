// SPDX-License-Identifier: MIT
/*
 * panic(): what is sure to work comes first. The reason goes to the consoles before the hooks of
 * the higher rooms print registers and stop the other cores, since these may themselves fail.
 *
 * One core panics; another one that does so too halts and waits to be stopped. A panic within the
 * panic says its reason and goes to the end without a report; if even that panics, the end comes at
 * once; if the end does, the core halts.
 */
#include "lib/panic.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "arch/arch.h"
#include "lib/console_internal.h"
#include "lib/log.h"
#include "lib/text.h"

enum { PANIC_TEXT_MAX = 384 }; /* with its prefix it fits into a log line */

/* How deep panic() may be in itself and still do this. */
enum { DEPTH_REPORT = 1, DEPTH_REASON = 2, DEPTH_END = 3 };

static _Atomic cpu_t panic_cpu = CPU_NONE; /* who panics; set once */
static unsigned panic_depth;               /* P: that core alone */
static const struct panic_hooks *_Atomic hooks;

/* Any value serves that no overrun writes by chance; its lowest byte stops string functions. */
uintptr_t __stack_chk_guard = 0x9d3ae7c45b6f8100;

void panic_set_hooks(const struct panic_hooks *new_hooks)
{
    /* release: pairs with the acquire in current_hooks */
    atomic_store_explicit(&hooks, new_hooks, memory_order_release);
}

static const struct panic_hooks *current_hooks(void)
{
    return atomic_load_explicit(&hooks, memory_order_acquire);
}

bool panic_is_here(void)
{
    return atomic_load_explicit(&panic_cpu, memory_order_relaxed) == arch_cpu();
}

/* Is this core the one that panics? Claims that for it if nobody does yet. */
static bool panic_is_ours(void)
{
    cpu_t self = arch_cpu(), owner = CPU_NONE;
    if (atomic_compare_exchange_strong_explicit(&panic_cpu, &owner, self, memory_order_relaxed,
                                                memory_order_relaxed))
        return true;
    return owner == self;
}

__attribute__((format(printf, 1, 0))) static void say_reason(const char *fmt, va_list ap)
{
    char text[PANIC_TEXT_MAX];
    vsnprintf(text, sizeof(text), fmt, ap);
    log_line(LOG_EMERG, "panic: core %u: %s%s", arch_cpu(),
             panic_depth > DEPTH_REPORT ? "within the panic: " : "", text);
    log_flush_in_panic();
}

/* Another core may be in the middle of a line; if it does not end, it is stopped there. The others
 * are stopped before anything is said: one that logs without end would push the reason out of the
 * log. */
static void silence_others(const struct panic_hooks *h)
{
    (void)console_claim_in_panic();
    if (h != NULL && h->stop != NULL)
        h->stop();
}

static void report(const struct panic_hooks *h)
{
    if (h == NULL || h->report == NULL)
        return;
    h->report();
    log_flush_in_panic();
}

void panic(const char *fmt, ...)
{
    uint64_t flags = arch_irq_save();
    arch_note_caller(__builtin_frame_address(0), flags); /* another core's report shows it too */
    if (!panic_is_ours())
        arch_halt_forever();

    const struct panic_hooks *h = current_hooks();
    panic_depth++;
    if (panic_depth == 1)
        silence_others(h);
    if (panic_depth <= DEPTH_REASON) {
        va_list ap;
        va_start(ap, fmt);
        say_reason(fmt, ap);
        va_end(ap);
    }
    if (panic_depth <= DEPTH_REPORT)
        report(h);
    if (panic_depth <= DEPTH_END && h != NULL && h->end != NULL)
        h->end();
    arch_halt_forever();
}

void __stack_chk_fail(void)
{
    panic("stack overrun: the function that returns to %p wrote beyond its locals",
          __builtin_return_address(0));
}
