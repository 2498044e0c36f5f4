// SPDX-License-Identifier: MIT
/*
 * Each core's list of held locks, and the rules that it is held against.
 *
 * The list is the core's own: a handler that interrupts its owner pushes and pops above what it
 * found, with interrupts off, and has to leave it as it was. An NMI may take no lock, so it never
 * touches it. Other cores read it only for reports: a snapshot, in which an entry may be half.
 */
#include "lib/lock_debug.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/backtrace.h"
#include "lib/context.h"
#include "lib/debug.h"
#include "lib/log.h"
#include "lib/spinlock.h"

enum { HELD_MAX = 16 };

struct held_lock {
    const struct spinlock *_Atomic lock;
    _Atomic uintptr_t pc; /* where it was taken */
};

struct held_locks {
    struct held_lock list[HELD_MAX];
    _Atomic unsigned count; /* P: this core, interrupts off */
};

static DEFINE_PERCPU(struct held_locks, held_locks);
static _Atomic bool irqs_open; /* set once */

static unsigned count_of(const struct held_locks *held)
{
    return atomic_load_explicit(&held->count, memory_order_relaxed);
}

static const struct spinlock *lock_at(const struct held_locks *held, unsigned i)
{
    return atomic_load_explicit(&held->list[i].lock, memory_order_relaxed);
}

static uintptr_t pc_at(const struct held_locks *held, unsigned i)
{
    return atomic_load_explicit(&held->list[i].pc, memory_order_relaxed);
}

/* Where `lock` stands in that list, or HELD_MAX. */
static unsigned find(const struct held_locks *held, const struct spinlock *lock)
{
    for (unsigned i = 0; i < count_of(held) && i < HELD_MAX; i++) {
        if (lock_at(held, i) == lock)
            return i;
    }
    return HELD_MAX;
}

static bool is_for_threads(const struct spinlock *lock)
{
    return lock->rank < RANK_BH_OFF;
}

static bool wants_softirqs_off(const struct spinlock *lock)
{
    return lock->rank >= RANK_BH_OFF && lock->rank < RANK_IRQS_OFF;
}

static bool wants_irqs_off(const struct spinlock *lock)
{
    return lock->rank >= RANK_IRQS_OFF;
}

/* ---- taking and giving back ------------------------------------------------------------------ */

static void check_context(const struct spinlock *lock, uintptr_t pc)
{
    if (context_now() == CONTEXT_NMI)
        panic("lock \"%s\" taken in an NMI at %s", lock->name, backtrace_return(pc).text);
    if (wants_irqs_off(lock) && arch_irqs_enabled())
        panic("lock \"%s\" taken with interrupts on at %s: a handler may want it", lock->name,
              backtrace_return(pc).text);
    if (is_for_threads(lock) && context_now() != CONTEXT_THREAD)
        context_broken("lock \"%s\" taken in %s at %s: threads alone take it", lock->name,
                       context_name(context_now()), backtrace_return(pc).text);
    if (wants_softirqs_off(lock) && context_now() == CONTEXT_HARDIRQ)
        context_broken(
            "lock \"%s\" taken in an interrupt handler at %s: softirqs hold it with interrupts on",
            lock->name, backtrace_return(pc).text);
    if (wants_softirqs_off(lock) && this_cpu(softirq_off) == 0 && arch_irqs_enabled())
        context_broken("lock \"%s\" taken with softirqs on at %s: one of them may want it",
                       lock->name, backtrace_return(pc).text);
}

static void check_order(const struct spinlock *lock, uintptr_t pc)
{
    const struct held_locks *held = this_cpu_ptr(held_locks);
    for (unsigned i = 0; i < count_of(held); i++) {
        const struct spinlock *other = lock_at(held, i);
        if (other == lock)
            panic("lock \"%s\" taken twice: at %s and at %s", lock->name,
                  backtrace_return(pc_at(held, i)).text, backtrace_return(pc).text);
        if (other->rank >= lock->rank)
            panic("lock order: \"%s\" (rank %u) taken at %s while holding \"%s\" (rank %u), taken "
                  "at %s",
                  lock->name, lock->rank, backtrace_return(pc).text, other->name, other->rank,
                  backtrace_return(pc_at(held, i)).text);
    }
}

void lock_debug_before(const struct spinlock *lock, uintptr_t pc)
{
    if (panic_is_here())
        return;
    check_context(lock, pc);
    if (is_for_threads(lock) && !arch_irqs_enabled() &&
        atomic_load_explicit(&irqs_open, memory_order_relaxed))
        panic("lock \"%s\" waited for with interrupts off at %s: its holder may wait for this core",
              lock->name, backtrace_return(pc).text);
    check_order(lock, pc);
}

void lock_debug_taken(const struct spinlock *lock, uintptr_t pc)
{
    if (panic_is_here())
        return;
    check_context(lock, pc);
    uint64_t flags = arch_irq_save();
    struct held_locks *held = this_cpu_ptr(held_locks);
    unsigned count = count_of(held);
    if (count == HELD_MAX)
        panic("more than %d locks held; the last at %s", HELD_MAX, backtrace_return(pc).text);
    atomic_store_explicit(&held->list[count].lock, lock, memory_order_relaxed);
    atomic_store_explicit(&held->list[count].pc, pc, memory_order_relaxed);
    atomic_store_explicit(&held->count, count + 1, memory_order_relaxed);
    arch_irq_restore(flags);
}

/* Take entry `i` out; those above it move down. */
static void remove_entry(struct held_locks *held, unsigned i)
{
    unsigned count = count_of(held) - 1;
    for (; i < count; i++) {
        atomic_store_explicit(&held->list[i].lock, lock_at(held, i + 1), memory_order_relaxed);
        atomic_store_explicit(&held->list[i].pc, pc_at(held, i + 1), memory_order_relaxed);
    }
    atomic_store_explicit(&held->count, count, memory_order_relaxed);
}

void lock_debug_released(const struct spinlock *lock)
{
    if (panic_is_here())
        return;
    if (wants_irqs_off(lock) && arch_irqs_enabled())
        panic("interrupts came on while lock \"%s\" was held", lock->name);
    uint64_t flags = arch_irq_save();
    struct held_locks *held = this_cpu_ptr(held_locks);
    unsigned i = find(held, lock);
    if (i == HELD_MAX)
        panic("lock \"%s\" given back by a core that does not hold it", lock->name);
    remove_entry(held, i);
    arch_irq_restore(flags);
}

/* ---- questions ------------------------------------------------------------------------------- */

unsigned lock_debug_count(void)
{
    return count_of(this_cpu_ptr(held_locks));
}

const struct spinlock *lock_debug_irqs_off(void)
{
    const struct held_locks *held = this_cpu_ptr(held_locks);
    for (unsigned i = 0; i < count_of(held); i++) {
        if (wants_irqs_off(lock_at(held, i)))
            return lock_at(held, i);
    }
    return NULL;
}

bool lock_debug_last(const struct spinlock **lock, uintptr_t *pc)
{
    const struct held_locks *held = this_cpu_ptr(held_locks);
    unsigned count = count_of(held);
    if (count == 0)
        return false;
    *lock = lock_at(held, count - 1);
    *pc = pc_at(held, count - 1);
    return true;
}

void lock_debug_none(const char *what)
{
    const struct held_locks *held = this_cpu_ptr(held_locks);
    if (!panic_is_here() && count_of(held) != 0)
        panic("lock \"%s\", taken at %s, is still held where the core %s", lock_at(held, 0)->name,
              backtrace_return(pc_at(held, 0)).text, what);
}

void lock_debug_irqs_open(void)
{
    atomic_store_explicit(&irqs_open, true, memory_order_relaxed);
}

void lock_debug_log_holder(const struct spinlock *lock)
{
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (percpu_offsets[cpu] == 0)
            continue;
        const struct held_locks *held = percpu_of(cpu, held_locks);
        unsigned i = find(held, lock);
        if (i < HELD_MAX)
            log_warn("core %u holds \"%s\", taken at %s", cpu, lock->name,
                     backtrace_return(pc_at(held, i)).text);
    }
}

void lock_debug_log(cpu_t cpu)
{
    const struct held_locks *held = percpu_of(cpu, held_locks);
    for (unsigned i = 0; i < count_of(held) && i < HELD_MAX; i++)
        log_line(LOG_EMERG, "  holds \"%s\", taken at %s", lock_at(held, i)->name,
                 backtrace_return(pc_at(held, i)).text);
}
