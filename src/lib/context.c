// SPDX-License-Identifier: MIT
/*
 * The account of what each core is doing. The two words of lib/context.h are there in every kernel;
 * the debug kernel keeps besides how many functions of each kind it is in, and panics where one
 * does what its kind must not.
 *
 * A handler finds the counts as it leaves them, so plain increments by the core itself suffice, in
 * an NMI too.
 */
#include "lib/context.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "lib/backtrace.h"
#include "lib/debug.h"
#include "lib/lock_debug.h"
#include "lib/spinlock.h"
#include "lib/text.h"

DEFINE_PERCPU(uint32_t, softirq_off);
DEFINE_PERCPU(int32_t, softirq_irq_depth) = -1;

static DEFINE_PERCPU(unsigned, context_depth[CONTEXT_NMI + 1]);
static DEFINE_PERCPU(uintptr_t, handler_here[CONTEXT_NMI + 1]); /* its function, for messages */

/* What context_enter() gives: the locks held in the low byte, softirq_off above it. */
enum { MARK_LOCKS = 0xff, MARK_OFF_SHIFT = 8 };

static unsigned *depth_of(enum context context)
{
    return &(*this_cpu_ptr(context_depth))[context];
}

static uintptr_t *handler_of(enum context context)
{
    return &(*this_cpu_ptr(handler_here))[context];
}

enum context context_now(void)
{
    enum context context = CONTEXT_NMI;
    while (context != CONTEXT_THREAD && *depth_of(context) == 0)
        context--;
    return context;
}

const char *context_name(enum context context)
{
    static const char *const names[] = {
        [CONTEXT_THREAD] = "a thread",
        [CONTEXT_SOFTIRQ] = "a softirq",
        [CONTEXT_HARDIRQ] = "an interrupt handler",
        [CONTEXT_NMI] = "an NMI",
    };
    return names[context];
}

/* How often local_bh_disable() was called without its partner. */
static unsigned bh_depth(uint32_t off)
{
    return off & (SOFTIRQ_RUNNING - 1);
}

/* ---- broken rules ---------------------------------------------------------------------------- */

enum { CATCH_NONE, CATCH_NEXT, CATCH_BUSY, CATCH_DONE };
static _Atomic int catching;  /* a self-test breaks a rule and wants to see that it is noticed */
static char caught_text[192]; /* who moved `catching` from NEXT to BUSY; read after DONE */

void context_catch(void)
{
    atomic_store_explicit(&catching, CATCH_NEXT, memory_order_relaxed);
}

const char *context_caught(void)
{
    /* acquire: pairs with the release in context_broken() */
    int state = atomic_exchange_explicit(&catching, CATCH_NONE, memory_order_acquire);
    return state == CATCH_DONE ? caught_text : NULL;
}

void context_broken(const char *fmt, ...)
{
    char text[sizeof(caught_text)];
    int next = CATCH_NEXT;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (panic_is_here() || atomic_load_explicit(&catching, memory_order_relaxed) == CATCH_DONE)
        return; /* what the same mistake breaks besides */
    if (!atomic_compare_exchange_strong_explicit(&catching, &next, CATCH_BUSY, memory_order_relaxed,
                                                 memory_order_relaxed))
        panic("%s", text);
    (void)text_copy(caught_text, text, sizeof(caught_text));
    atomic_store_explicit(&catching, CATCH_DONE, memory_order_release);
}

/* ---- coming and going ------------------------------------------------------------------------ */

static unsigned mark_now(void)
{
    return lock_debug_count() | this_cpu(softirq_off) << MARK_OFF_SHIFT;
}

unsigned context_enter(enum context context)
{
    ++*depth_of(context);
    *handler_of(context) = 0;
    return mark_now();
}

unsigned context_enter_interrupt(void)
{
    const struct spinlock *lock = lock_debug_irqs_off();
    unsigned entered = context_enter(CONTEXT_HARDIRQ);
    if (lock != NULL)
        context_broken("an interrupt came while lock \"%s\" was held, which wants them off",
                       lock->name);
    return entered;
}

unsigned context_enter_function(enum context context, uintptr_t fn)
{
    unsigned entered = context_enter(context);
    *handler_of(context) = fn;
    return entered;
}

/* "an interrupt handler (tick)", or without a name if its kind has none. */
struct who {
    char text[96];
};

static struct who who_of(enum context context)
{
    struct who who = {.text = ""};
    uintptr_t fn = *handler_of(context);
    if (fn != 0)
        (void)snprintf(who.text, sizeof(who.text), "%s (%s)", context_name(context),
                       backtrace_function(fn).text);
    else
        (void)snprintf(who.text, sizeof(who.text), "%s", context_name(context));
    return who;
}

static void check_locks(enum context context, unsigned before)
{
    const struct spinlock *lock;
    uintptr_t pc;
    if (lock_debug_count() == before)
        return;
    if (lock_debug_count() > before && lock_debug_last(&lock, &pc))
        context_broken("%s came back with lock \"%s\" held, taken at %s", who_of(context).text,
                       lock->name, backtrace_return(pc).text);
    context_broken("%s gave back a lock that was taken before it: %u held, %u before",
                   who_of(context).text, lock_debug_count(), before);
}

void context_leave(enum context context, unsigned entered)
{
    bool wants_irqs_on = context == CONTEXT_SOFTIRQ;
    unsigned left = mark_now();
    if (arch_irqs_enabled() != wants_irqs_on)
        context_broken("%s came back with interrupts %s", who_of(context).text,
                       wants_irqs_on ? "off" : "on");
    check_locks(context, entered & MARK_LOCKS);
    if ((left & ~(unsigned)MARK_LOCKS) != (entered & ~(unsigned)MARK_LOCKS))
        context_broken("%s came back with local_bh_disable() %u deep, after %u before it",
                       who_of(context).text, bh_depth(left >> MARK_OFF_SHIFT),
                       bh_depth(entered >> MARK_OFF_SHIFT));
    --*depth_of(context);
}

/* ---- what may be done where ------------------------------------------------------------------ */

#define HERE backtrace_return((uintptr_t)__builtin_return_address(0)).text

void context_check_irq_enable(void)
{
    const struct spinlock *lock = lock_debug_irqs_off();
    if (context_now() == CONTEXT_HARDIRQ || context_now() == CONTEXT_NMI)
        context_broken("interrupts turned on at %s, in %s", HERE, who_of(context_now()).text);
    if (lock != NULL)
        context_broken("interrupts turned on at %s while lock \"%s\" is held, which wants them off",
                       HERE, lock->name);
}

void context_check_bh_enable(void)
{
    if (bh_depth(this_cpu(softirq_off)) == 0)
        context_broken("local_bh_enable() at %s without local_bh_disable() before it", HERE);
    if (!arch_irqs_enabled())
        context_broken("local_bh_enable() at %s with interrupts off: it may run softirqs", HERE);
}

void context_check_sleep(const char *what, uintptr_t pc)
{
    if (context_now() != CONTEXT_THREAD)
        context_broken("%s, which may sleep, called in %s at %s", what, who_of(context_now()).text,
                       backtrace_return(pc).text);
    if (this_cpu(softirq_off) != 0)
        context_broken("%s, which may sleep, called with softirqs off at %s", what,
                       backtrace_return(pc).text);
    if (!arch_irqs_enabled())
        context_broken("%s, which may sleep, called with interrupts off at %s", what,
                       backtrace_return(pc).text);
    const struct spinlock *lock;
    uintptr_t taken_at;
    if (lock_debug_last(&lock, &taken_at))
        context_broken("%s, which may sleep, called at %s with lock \"%s\" held, taken at %s", what,
                       backtrace_return(pc).text, lock->name, backtrace_return(taken_at).text);
}

void context_check_thread(uintptr_t fn)
{
    if (!arch_irqs_enabled())
        context_broken("%s came back with interrupts off", backtrace_function(fn).text);
    if (this_cpu(softirq_off) != 0)
        context_broken("%s came back with local_bh_disable() %u deep", backtrace_function(fn).text,
                       bh_depth(this_cpu(softirq_off)));
    const struct spinlock *lock;
    uintptr_t taken_at;
    if (lock_debug_last(&lock, &taken_at))
        context_broken("%s came back with lock \"%s\" held, taken at %s",
                       backtrace_function(fn).text, lock->name, backtrace_return(taken_at).text);
}

void context_check_user_copy(const char *what, uintptr_t pc)
{
    if (context_now() != CONTEXT_THREAD)
        context_broken("%s, which touches a program's memory, called in %s at %s", what,
                       who_of(context_now()).text, backtrace_return(pc).text);
    if (this_cpu(softirq_off) != 0)
        context_broken("%s, which touches a program's memory, called with softirqs off at %s", what,
                       backtrace_return(pc).text);
}

void context_check_alloc(const char *what, bool atomic, uintptr_t pc)
{
    if (atomic || context_now() == CONTEXT_THREAD)
        return;
    context_broken("%s called in %s at %s without ALLOC_ATOMIC", what, who_of(context_now()).text,
                   backtrace_return(pc).text);
}
