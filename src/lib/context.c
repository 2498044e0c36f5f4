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
    if (lock != NULL && !panic_is_here())
        panic("an interrupt came while lock \"%s\" was held, which wants them off", lock->name);
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
    struct who who;
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
        panic("%s came back with lock \"%s\" held, taken at %s", who_of(context).text, lock->name,
              backtrace_return(pc).text);
    panic("%s gave back a lock that was taken before it: %u held, %u before", who_of(context).text,
          lock_debug_count(), before);
}

void context_leave(enum context context, unsigned entered)
{
    bool wants_irqs_on = context == CONTEXT_SOFTIRQ;
    if (!panic_is_here()) {
        if (arch_irqs_enabled() != wants_irqs_on)
            panic("%s came back with interrupts %s", who_of(context).text,
                  wants_irqs_on ? "off" : "on");
        check_locks(context, entered & MARK_LOCKS);
        if ((mark_now() & ~(unsigned)MARK_LOCKS) != (entered & ~(unsigned)MARK_LOCKS))
            panic("%s came back with local_bh_disable() %u deep, after %u before it",
                  who_of(context).text, bh_depth(this_cpu(softirq_off)),
                  bh_depth(entered >> MARK_OFF_SHIFT));
    }
    --*depth_of(context);
}

/* ---- what may be done where ------------------------------------------------------------------ */

#define HERE backtrace_return((uintptr_t)__builtin_return_address(0)).text

void context_check_irq_enable(void)
{
    const struct spinlock *lock = lock_debug_irqs_off();
    if (panic_is_here())
        return;
    if (context_now() == CONTEXT_HARDIRQ || context_now() == CONTEXT_NMI)
        panic("interrupts turned on at %s, in %s", HERE, who_of(context_now()).text);
    if (lock != NULL)
        panic("interrupts turned on at %s while lock \"%s\" is held, which wants them off", HERE,
              lock->name);
}

void context_check_bh_enable(void)
{
    if (panic_is_here())
        return;
    if (bh_depth(this_cpu(softirq_off)) == 0)
        panic("local_bh_enable() at %s without local_bh_disable() before it", HERE);
    if (!arch_irqs_enabled())
        panic("local_bh_enable() at %s with interrupts off: it may run softirqs", HERE);
}

void context_check_sleep(const char *what, uintptr_t pc)
{
    if (panic_is_here())
        return;
    if (context_now() != CONTEXT_THREAD)
        panic("%s, which may sleep, called in %s at %s", what, who_of(context_now()).text,
              backtrace_return(pc).text);
    if (this_cpu(softirq_off) != 0)
        panic("%s, which may sleep, called with softirqs off at %s", what,
              backtrace_return(pc).text);
    if (!arch_irqs_enabled())
        panic("%s, which may sleep, called with interrupts off at %s", what,
              backtrace_return(pc).text);
    const struct spinlock *lock;
    uintptr_t taken_at;
    if (lock_debug_last(&lock, &taken_at))
        panic("%s, which may sleep, called at %s with lock \"%s\" held, taken at %s", what,
              backtrace_return(pc).text, lock->name, backtrace_return(taken_at).text);
}

void context_check_thread(uintptr_t fn)
{
    if (panic_is_here())
        return;
    if (!arch_irqs_enabled())
        panic("%s came back with interrupts off", backtrace_function(fn).text);
    if (this_cpu(softirq_off) != 0)
        panic("%s came back with local_bh_disable() %u deep", backtrace_function(fn).text,
              bh_depth(this_cpu(softirq_off)));
    const struct spinlock *lock;
    uintptr_t taken_at;
    if (lock_debug_last(&lock, &taken_at))
        panic("%s came back with lock \"%s\" held, taken at %s", backtrace_function(fn).text,
              lock->name, backtrace_return(taken_at).text);
}

void context_check_user_copy(const char *what, uintptr_t pc)
{
    if (panic_is_here())
        return;
    if (context_now() != CONTEXT_THREAD)
        panic("%s, which touches a program's memory, called in %s at %s", what,
              who_of(context_now()).text, backtrace_return(pc).text);
    if (this_cpu(softirq_off) != 0)
        panic("%s, which touches a program's memory, called with softirqs off at %s", what,
              backtrace_return(pc).text);
}

void context_check_alloc(const char *what, bool atomic, uintptr_t pc)
{
    if (atomic || context_now() == CONTEXT_THREAD || panic_is_here())
        return;
    panic("%s called in %s at %s without ALLOC_ATOMIC", what, who_of(context_now()).text,
          backtrace_return(pc).text);
}
