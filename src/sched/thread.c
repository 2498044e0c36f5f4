// SPDX-License-Identifier: MIT
/*
 * A thread's beginning and end, and the stacks.
 *
 * A thread holds a reference on itself from its start until another thread runs on its core after
 * it: only then nobody uses its stack any more. Stacks are kept for the next thread, since their
 * mapping, guard page included, is for good.
 */
#include "sched/thread.h"

#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "sched/claim.h"
#include "sched/run_queue.h"

enum { THREAD_STACK_BYTES = 16 << 10 };

/* A stack that no thread has: the last word of its memory names the next one. */
struct free_stack {
    void *next_top;
};

static struct spinlock stacks_lock = SPINLOCK(RANK_STACKS, "stacks");
static void *free_stacks; /* L: stacks_lock; the upper end of the first */

static struct free_stack *free_stack_at(void *top)
{
    return (struct free_stack *)top - 1;
}

static void *stack_alloc(void)
{
    uint64_t flags = spin_lock_irqsave(&stacks_lock);
    void *top = free_stacks;
    if (top != NULL)
        free_stacks = free_stack_at(top)->next_top;
    spin_unlock_irqrestore(&stacks_lock, flags);
    return top != NULL ? top : arch_stack_alloc(THREAD_STACK_BYTES);
}

static void stack_free(void *top)
{
    uint64_t flags = spin_lock_irqsave(&stacks_lock);
    free_stack_at(top)->next_top = free_stacks;
    free_stacks = top;
    spin_unlock_irqrestore(&stacks_lock, flags);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Where a new thread begins, on its own stack, interrupts off. */
static void thread_main(void)
{
    sched_begin();
    struct thread *self = thread_current();
    self->fn(self->arg);
    thread_exit();
}

static struct thread *thread_alloc(const char *name, const struct cpumask *affinity)
{
    struct thread *thread = heap_alloc(sizeof(*thread), ALLOC_KERNEL | ALLOC_ZERO);
    void *stack = thread != NULL ? stack_alloc() : NULL;
    if (stack == NULL) {
        heap_free(thread);
        return NULL;
    }
    thread->stack_top = stack;
    thread->space = &tlb_kernel;
    cpumask_copy(&thread->affinity, affinity);
    /* the first place that is thought of; now, while nobody knows the thread (leave_for) */
    atomic_init(&thread->cpu, arch_cpu());
    atomic_init(&thread->refs, 2);
    wait_queue_init(&thread->ended);
    (void)text_copy(thread->name, name, sizeof(thread->name));
    arch_thread_init(&thread->arch, stack, thread_main);
    return thread;
}

const struct cpumask *thread_any_core(void)
{
    static const struct cpumask all = {.word = {[0 ... CPUMASK_WORDS - 1] = UINT64_MAX}};
    return &all;
}

struct thread *thread_prepare(const char *name, void (*fn)(void *arg), void *arg,
                              const struct cpumask *affinity)
{
    ASSERT_THREAD();
    if (affinity == NULL)
        affinity = thread_any_core();
    struct thread *thread = sched_reaches(affinity) ? thread_alloc(name, affinity) : NULL;
    if (thread == NULL)
        return NULL;
    thread->fn = fn;
    thread->arg = arg;
    return thread;
}

void thread_start(struct thread *thread)
{
    ASSERT_THREAD();
    sched_place(thread);
}

void thread_discard(struct thread *thread)
{
    arch_thread_destroy(&thread->arch);
    stack_free(thread->stack_top);
    heap_free(thread);
}

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg,
                             const struct cpumask *affinity)
{
    struct thread *thread = thread_prepare(name, fn, arg, affinity);
    if (thread != NULL)
        thread_start(thread);
    return thread;
}

struct thread *thread_create_on(cpu_t cpu, const char *name, void (*fn)(void *arg), void *arg)
{
    struct cpumask one = {0};
    cpumask_set(&one, cpu);
    return thread_create(name, fn, arg, &one);
}

void thread_put(struct thread *thread)
{
    /* release: our use of it is over for who frees it; acquire: and so is everybody else's */
    if (atomic_fetch_sub_explicit(&thread->refs, 1, memory_order_acq_rel) != 1)
        return;
    thread_discard(thread);
}

static bool has_ended(void *arg)
{
    const struct thread *thread = arg;
    /* acquire: what it did is seen */
    return atomic_load_explicit(&thread->has_ended, memory_order_acquire);
}

void thread_join(struct thread *thread)
{
    might_sleep();
    (void)wait_for(&thread->ended, has_ended, thread, WAIT_FOR_EVER);
    /* it is a few instructions from leaving its core for good; then its memory goes with the
     * caller's reference, so that what is free afterwards is what was free before */
    while (atomic_load_explicit(&thread->refs, memory_order_relaxed) > 1)
        thread_yield();
    thread_put(thread);
}

void thread_exit(void)
{
    struct thread *self = thread_current();
    claim_release_all(self);
    atomic_store_explicit(&self->has_ended, true, memory_order_release);
    wake_all(&self->ended);
    sched_leave();
}
