// SPDX-License-Identifier: MIT
/*
 * Threads: their life, and what a core does with them. docs/scheduler.md is the page about it.
 *
 * A thread runs until it blocks, yields, ends, or its slice is over and another one waits. In ring
 * 3 it is taken off its core at once; in the kernel only where it says so (thread_point and
 * everything that sleeps), so kernel code stays on its core between two such places.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/cpumask.h"
#include "lib/list.h"
#include "sched/wait.h"
#include "smp/tlb.h"

struct process;
struct worker;

enum { THREAD_NAME_MAX = 16 };

enum thread_state {
    THREAD_READY,   /* runs, or waits for a core */
    THREAD_BLOCKED, /* waits for thread_wake() */
    THREAD_DEAD,    /* has ended */
};

/* Only sched/ looks at the fields above `process`. L: the lock of the run queue of `cpu`. */
struct thread {
    struct arch_thread arch;
    struct list_node node;   /* L: in the run queue, while ready and not running */
    enum thread_state state; /* L */
    bool queued;             /* L: it is in the run queue */
    _Atomic cpu_t cpu;       /* L to change, by who took it out: whose run queue it belongs to */
    struct cpumask affinity; /* L: the cores that it may run on */
    unsigned affinity_holds; /* L: reasons why that may not change (thread_hold_core) */
    uint64_t since_ns;       /* L: when it came onto its core */
    int64_t slice_left_ns;   /* L */
    uint64_t ran_ns;         /* L: in all */
    uint64_t slices;         /* L: how many it has used up */
    void (*fn)(void *arg);   /* I */
    void *arg;               /* I */
    void *stack_top;         /* I: NULL for the stack that a core began with */
    _Atomic unsigned refs;   /* its own, until it has left its core for good, and its creator's */
    _Atomic bool has_ended;
    struct wait_queue ended; /* who waits in thread_join() */

    char name[THREAD_NAME_MAX]; /* I */
    struct tlb_space *space;    /* P: its own: the address space that it runs in */
    struct process *process;    /* P: its own: NULL for a kernel thread */
    struct claim *claims;       /* P: its own: the first (sched/claim.c) */
    struct worker *worker;      /* P: its own: NULL but for a workqueue's */
};

/* ---- life ------------------------------------------------------------------------------------ */

/*
 * Make a thread that runs fn(arg) and ends when it returns; it may start at once, on a core of
 * `affinity` (NULL: any). The caller gets a reference: thread_join() or thread_put() gives it back.
 * Returns: the thread, or NULL (no memory, or no core of `affinity` is online).
 * Context: thread. Sleeps: no. Locks: takes heap, frames, run queue.
 */
struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg,
                             const struct cpumask *affinity);

/* The same in two steps: it does not run before thread_start(), or thread_discard() takes it back;
 * until then the caller may prepare what it runs with. */
struct thread *thread_prepare(const char *name, void (*fn)(void *arg), void *arg,
                              const struct cpumask *affinity);
void thread_start(struct thread *thread);
void thread_discard(struct thread *thread);

/* As thread_create() on one core. */
struct thread *thread_create_on(cpu_t cpu, const char *name, void (*fn)(void *arg), void *arg);

/* Wait until the thread has ended, and give the reference back. Context: thread. Sleeps: yes. */
void thread_join(struct thread *thread);

/* One more reference. Returns: thread. Context: any. */
static inline struct thread *thread_get(struct thread *thread)
{
    atomic_fetch_add_explicit(&thread->refs, 1, memory_order_relaxed);
    return thread;
}

/* Give a reference back; the thread goes on without. Context: hardirq. Sleeps: no. */
void thread_put(struct thread *thread);

/* End the calling thread. Context: thread, not an idle one. Never returns. */
__attribute__((noreturn)) void thread_exit(void);

DECLARE_PERCPU(struct thread *, current_thread); /* P */

/* The calling thread. Context: any. */
static inline struct thread *thread_current(void)
{
    return this_cpu(current_thread);
}

/* ---- the core -------------------------------------------------------------------------------- */

/* Let others run: to the end of the queue, with a new slice. Context: thread. Sleeps: yes. */
void thread_yield(void);

/* Where long work in the kernel lets others run if they are due. Context: thread. Sleeps: yes. */
void thread_point(void);

/* Is the core due for another thread? Context: any. */
bool thread_is_due(void);

/*
 * Give what is left of the caller's slice to a thread that has not started, or that waits for the
 * caller to do something on its behalf. The caller goes to the end of the queue as soon as others
 * wait. Context: thread. Sleeps: no. Locks: takes run queue.
 */
void thread_give_slice(struct thread *to);

/*
 * Sleep for at least `ns`. Context: thread, not an idle one. Sleeps: yes.
 */
void thread_sleep(uint64_t ns);

/* The mask of all cores, those that come online later too. Context: any. */
const struct cpumask *thread_any_core(void);

/*
 * Let it run on the cores of `mask` alone; when this returns, the caller itself is on one of them.
 * Returns: 0, -EINVAL (no core of it is online), -EBUSY (the thread is held to its core, and `mask`
 * is not that core alone). Context: thread. Sleeps: yes.
 */
int thread_set_affinity(struct thread *thread, const struct cpumask *mask);
void thread_get_affinity(struct thread *thread, struct cpumask *mask);

/*
 * Keep the calling thread, whose affinity is exactly one core, bound to it until as many calls of
 * thread_unhold_core(). Returns: false, and nothing is kept, if it may run on several.
 * Context: thread. Sleeps: no. Locks: takes run queue.
 */
bool thread_hold_core(cpu_t *core);
void thread_unhold_core(struct thread *thread);

/*
 * Use this address space from now on, on whatever core; &tlb_kernel for none of a program's. The
 * caller sees to it that it stays until the thread uses another one. Context: thread.
 */
void thread_use_space(struct tlb_space *space);

/* ---- blocking: what wait queues are made of -------------------------------------------------- */

/* From now on thread_block() blocks the caller until thread_wake(). Context: thread. Sleeps: no.
 * Locks: takes run queue. */
void thread_prepare_block(void);

/* Block, unless woken since thread_prepare_block(). Context: thread, no lock held. Sleeps: yes. */
void thread_block(void);

/* Undo thread_prepare_block(). Context: thread. */
void thread_cancel_block(void);

/*
 * Make a blocked thread ready. Returns: was it blocked (or about to)?
 * Context: hardirq. Sleeps: no. Locks: takes run queue.
 */
bool thread_wake(struct thread *thread);

/* ---- a core's life --------------------------------------------------------------------------- */

/*
 * Make what runs on this core now its idle thread, and the core one that threads can run on.
 * Context: boot cpu only, and each other core once.
 */
void sched_core_init(void);

/* Wait until all online cores have done so. Context: boot cpu only. Sleeps: no (spins). */
void sched_wait_for_cores(void);

/*
 * Run threads, and halt while there are none. odd_jobs() does what else is to be done on this core,
 * whenever arch_work_note() has told of it, in the idle thread, interrupts on; it may not sleep.
 * Context: the idle thread. Never returns.
 */
__attribute__((noreturn)) void sched_idle(void (*odd_jobs)(void));

/* Does core `cpu` halt, or is it about to, because it has no thread to run? Context: any. */
bool sched_is_idle(cpu_t cpu);

/* What the calling thread has used. Context: thread. */
struct thread_usage {
    uint64_t ran_ns; /* on a core */
    uint64_t slices; /* used up to their end */
};
struct thread_usage thread_usage(void);

/*
 * What a core has done, for reports; a snapshot, up to this moment; zeros of a core that never ran
 * threads. Interrupts count for the thread that they meet. Context: hardirq. Locks: takes run
 * queue.
 */
struct sched_stats {
    uint64_t switches;
    uint64_t slices;     /* ended because they were used up */
    uint64_t steals;     /* threads that an idle core took from another's queue */
    uint64_t program_ns; /* in threads of programs, in ring 3 or in the kernel */
    uint64_t kernel_ns;  /* in threads of the kernel, but the idle one */
    uint64_t idle_ns;    /* in the idle one; it writes the log as well */
    uint32_t ready;      /* threads that run or wait to run, but the idle one */
};
struct sched_stats sched_stats_of(cpu_t cpu);

/* What a thread has used up to now. Context: thread. Locks: takes run queue. */
struct thread_report {
    uint64_t ran_ns;
    enum thread_state state;
    cpu_t cpu; /* where it runs, or did last */
};
struct thread_report thread_report(struct thread *thread);
