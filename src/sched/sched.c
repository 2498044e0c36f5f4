// SPDX-License-Identifier: MIT
/*
 * The scheduler: each core has its run queue, and takes from another's only when it has nothing to
 * do.
 *
 * Round robin in slices of 10 ms. The queue has two lists. In `rested` are threads that have some
 * of their slice left, because they slept or were preempted; they go first, so who sleeps much is
 * served at once. In `spent` are those that begin a new slice. A slice is not refilled by sleeping:
 * who has used it up goes to the end of `spent`, and cannot keep the others off.
 *
 * Who belongs to a queue, and its state, changes under the queue's lock. The lock is held across
 * the switch: the thread that comes gives back what the one that went had taken, so nobody sees a
 * thread as "not running" while its registers are still on their way to its stack. Two queues are
 * never locked at once; a thread on its way between them belongs to whoever took it out.
 *
 * No wake-up is lost to a core that goes idle: it sets its bit in `idle_cores` and then looks at
 * all queues; who makes a thread ready puts it into a queue and then looks at the bits. Both sides
 * have a full fence in between, so that one sees the other. (models/idle.pml)
 *
 *   Idle core                               Who has a ready thread
 *     I1  forget that work was noted          P1  claim an idle core: clear its bit
 *     I2  set the bit                         P2  put the thread into a queue
 *     I3  look at all queues                  P3  tell that queue's core
 *     I4  halt until work is noted            P4  if it is not alone there: tell an idle core
 *     I5  got work: if more waits elsewhere, tell another idle core
 *
 * Which queue a thread belongs to is read without a lock, and changes under that of the queue which
 * it leaves. (models/queue.pml)
 *
 *   Who wants the thread's queue            Who has the thread on its way
 *     L1  read whose the thread is            L5  say whose it is, under the lock that it leaves
 *     L2  lock that core's queue              P2  put it into the queue, under that lock
 *     L3  look again; if it moved: L1
 *     L4  see what the thread is and does: it stays so until the unlock
 */
#include "irq/timer.h"
#include "lib/context.h"
#include "lib/debug.h"
#include "lib/delay.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "sched/run_queue.h"
#include "sched/workqueue_internal.h"
#include "smp/cores.h"
#include "smp/wait.h"

#define SLICE_NS INT64_C(10000000)
#define TELL_AGAIN_NS UINT64_C(100000000)

struct run_queue {
    struct spinlock lock;
    struct list_node rested, spent; /* L: lock */
    _Atomic uint32_t waiting;       /* L: lock for changes: threads in both lists */
    struct thread *current;         /* L: lock; read by the core itself without */
    struct thread *idle;            /* I */
    struct thread *left;            /* L: lock, across a switch: who was on the core before */
    struct timer slice_timer;       /* P: this core */
    struct sched_stats stats;       /* L: lock; steals: P: this core */
};

static DEFINE_PERCPU(struct run_queue, run_queue);
DEFINE_PERCPU(struct thread *, current_thread);
static DEFINE_PERCPU(struct thread, idle_thread); /* what the core began with */
static DEFINE_PERCPU(bool, due);                  /* P: the core is to look at its queue */
static struct cpumask sched_cores;                /* those that run threads */
static struct cpumask idle_cores;                 /* of these, those that have nothing to do */
static struct cpumask untold; /* cores to which a reschedule interrupt could not be sent */
static DEFINE_PERCPU(struct timer, tell_again); /* P: this core tries again */

static struct thread *thread_at(struct list_node *node)
{
    return list_entry(node, struct thread, node);
}

static uint32_t waiting_in(const struct run_queue *queue)
{
    return atomic_load_explicit(&queue->waiting, memory_order_relaxed);
}

static struct run_queue *queue_of(const struct thread *thread)
{
    return percpu_of(atomic_load_explicit(&thread->cpu, memory_order_relaxed), run_queue);
}

/* Lock the queue that the thread belongs to: it stays there, and as it is, until the unlock
 * (leave_for). Interrupts are off. */
static struct run_queue *lock_queue_of(struct thread *thread)
{
    for (;;) {
        struct run_queue *queue = queue_of(thread); /* step L1 */
        delay_at(DELAY_L2);
        spin_lock(&queue->lock);       /* step L2 */
        if (queue_of(thread) == queue) /* step L3 */
            return queue;
        spin_unlock(&queue->lock); /* it moved meanwhile */
    }
}

/* The same, once the thread is not on its way between two queues: who has it there (sched_place) is
 * some instructions from the end of that, with interrupts off. */
static struct run_queue *lock_settled_queue_of(struct thread *thread)
{
    for (;;) {
        struct run_queue *queue = lock_queue_of(thread);
        delay_at(DELAY_L4);
        /* step L4 */
        if (thread->state != THREAD_READY || thread->queued || queue->current == thread)
            return queue;
        spin_unlock(&queue->lock);
        spin_turn();
    }
}

/* ---- lists: caller holds the queue's lock ---------------------------------------------------- */

static void add(struct run_queue *queue, struct thread *thread)
{
    ASSERT(!thread->queued);
    if (thread->slice_left_ns > 0) {
        list_push_back(&queue->rested, &thread->node);
    } else {
        thread->slice_left_ns = SLICE_NS;
        list_push_back(&queue->spent, &thread->node);
    }
    thread->queued = true;
    atomic_fetch_add_explicit(&queue->waiting, 1, memory_order_relaxed);
}

static void take_out(struct run_queue *queue, struct thread *thread)
{
    ASSERT(thread->queued && queue_of(thread) == queue);
    list_remove(&thread->node);
    thread->queued = false;
    atomic_fetch_sub_explicit(&queue->waiting, 1, memory_order_relaxed);
}

/* The next to run, out of its list; the idle thread if there is none. */
static struct thread *pick(struct run_queue *queue)
{
    struct list_node *from = list_is_empty(&queue->rested) ? &queue->spent : &queue->rested;
    if (list_is_empty(from))
        return queue->idle;
    struct thread *thread = thread_at(from->next);
    take_out(queue, thread);
    return thread;
}

/* Time that the running thread has had since it came onto its core is charged to it. Returns: until
 * when, by arch_clock_ns(). */
static uint64_t charge(struct run_queue *queue)
{
    struct thread *thread = queue->current;
    uint64_t now = arch_clock_ns(), ran = now - thread->since_ns;
    thread->since_ns = now;
    thread->ran_ns += ran;
    if (thread == queue->idle)
        return now;
    if (thread->process != NULL)
        queue->stats.program_ns += ran;
    else
        queue->stats.kernel_ns += ran;
    bool had_some = thread->slice_left_ns > 0;
    thread->slice_left_ns -= (int64_t)ran;
    if (had_some && thread->slice_left_ns <= 0) {
        thread->slices++;
        queue->stats.slices++;
    }
    return now;
}

/* ---- slices ---------------------------------------------------------------------------------- */

/* This core is to look at its queue, on its way to ring 3, at thread_point() or when idle. */
static void become_due(void)
{
    this_cpu(due) = true;
    arch_work_note();
}

static void slice_over(struct timer *timer)
{
    (void)timer;
    become_due();
}

/* The running thread's slice ends only if others wait: a core with one thread has no ticks.
 * Locks: caller holds the queue's, which is this core's. `now` is what the clock has just said. */
static void watch_slice(struct run_queue *queue, uint64_t now)
{
    const struct thread *thread = queue->current;
    if (queue->slice_timer.queued) /* it changes on this core alone, with interrupts off */
        (void)timer_cancel(&queue->slice_timer);
    if (waiting_in(queue) == 0 || thread == queue->idle)
        return;
    int64_t left = thread->slice_left_ns - (int64_t)(now - thread->since_ns);
    timer_start_from(&queue->slice_timer, now, left > 0 ? (uint64_t)left : 0);
}

/* ---- the switch ------------------------------------------------------------------------------ */

/* The first act of a thread that has come onto the core, on its own stack: interrupts are off, the
 * queue's lock is held, taken by the thread that left. */
static void finish_switch(void)
{
    struct run_queue *queue = this_cpu_ptr(run_queue);
    struct thread *left = queue->left;
    bool dead = left->state == THREAD_DEAD;
    bool moves = left->state == THREAD_READY && left != queue->idle &&
                 !cpumask_test(&left->affinity, arch_cpu());
    watch_slice(queue, queue->current->since_ns);
    spin_unlock(&queue->lock);
    if (moves)
        sched_place(left);
    if (dead)
        thread_put(left);
}

/* Give the core to the next thread, perhaps the same one. Interrupts are off; the caller holds this
 * core's queue, which is given back, and has charged the running thread until `now`. A thread that
 * stays is in the queue while its registers are still here: it can be taken out only under the
 * lock. */
static void switch_to_next(struct run_queue *queue, uint64_t now)
{
    struct thread *from = queue->current;
    this_cpu(due) = false;
    bool stays = from->state == THREAD_READY && cpumask_test(&from->affinity, arch_cpu());
    if (stays && waiting_in(queue) == 0 && from != queue->idle) {
        if (from->slice_left_ns <= 0)
            from->slice_left_ns = SLICE_NS;
        spin_unlock(&queue->lock);
        return;
    }
    /* first in, then out: else an idle core could take the queue for empty in between (I3), and
     * nobody would tell it of the thread that goes back in */
    delay_at(DELAY_Q1);
    if (stays && from != queue->idle)
        add(queue, from); /* step Q1 */
    delay_at(DELAY_Q2);
    struct thread *to = pick(queue); /* step Q2 */
    queue->left = from;
    if (to == from) { /* for want of others that go first */
        watch_slice(queue, now);
        spin_unlock(&queue->lock);
        return;
    }
    queue->stats.switches++;
    queue->current = to;
    this_cpu(current_thread) = to;
    to->since_ns = now;
    tlb_switch(from->space, to->space);
    arch_thread_switch(&from->arch, &to->arch);
    finish_switch(); /* `from` again, later, perhaps on another core */
}

void sched_begin(void)
{
    finish_switch();
    arch_irq_enable();
}

/* Let the next thread run; the caller's place is at the end if it gives up its slice. */
static void give_way(bool whole_slice)
{
    ASSERT_THREAD();
    if (DEBUG_KERNEL) {
        lock_debug_none("turns to another thread");
        ASSERT(this_cpu(softirq_off) == 0);
    }
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = this_cpu_ptr(run_queue);
    spin_lock(&queue->lock);
    uint64_t now = charge(queue);
    if (whole_slice)
        queue->current->slice_left_ns = 0;
    switch_to_next(queue, now);
    arch_irq_restore(flags);
}

void thread_yield(void)
{
    might_sleep();
    give_way(true);
}

void thread_give_slice(struct thread *to)
{
    ASSERT_THREAD();
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = this_cpu_ptr(run_queue);
    spin_lock(&queue->lock);
    (void)charge(queue);
    int64_t left = queue->current->slice_left_ns;
    queue->current->slice_left_ns = 0;
    spin_unlock(&queue->lock);
    become_due();
    if (left > 0) {
        struct run_queue *other = lock_queue_of(to);
        to->slice_left_ns += left;
        spin_unlock(&other->lock);
    }
    arch_irq_restore(flags);
}

bool thread_is_due(void)
{
    return this_cpu(due);
}

void thread_point(void)
{
    might_sleep();
    if (thread_is_due())
        give_way(false);
}

void thread_use_space(struct tlb_space *space)
{
    struct thread *self = thread_current();
    uint64_t flags = arch_irq_save();
    tlb_switch(self->space, space);
    self->space = space;
    arch_irq_restore(flags);
}

/* ---- blocking and waking --------------------------------------------------------------------- */

static void set_state(enum thread_state state)
{
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = this_cpu_ptr(run_queue);
    spin_lock(&queue->lock);
    queue->current->state = state;
    spin_unlock(&queue->lock);
    arch_irq_restore(flags);
}

void thread_prepare_block(void)
{
    set_state(THREAD_BLOCKED);
}

void thread_cancel_block(void)
{
    set_state(THREAD_READY);
}

static void block(void)
{
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = this_cpu_ptr(run_queue);
    spin_lock(&queue->lock);
    ASSERT(queue->current != queue->idle);
    uint64_t now = charge(queue);
    if (queue->current->state == THREAD_BLOCKED) /* step B3 */
        switch_to_next(queue, now);
    else
        spin_unlock(&queue->lock); /* woken meanwhile */
    arch_irq_restore(flags);
}

void thread_block(void)
{
    struct worker *worker = thread_current()->worker;
    might_sleep();
    if (worker != NULL)
        worker_blocks(worker);
    block();
    if (worker != NULL)
        worker_goes_on(worker);
}

bool thread_wake(struct thread *thread)
{
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = lock_queue_of(thread);
    delay_at(DELAY_L4);
    bool blocked = thread->state == THREAD_BLOCKED; /* step L4 */
    bool off_core = blocked && queue->current != thread;
    if (blocked)
        thread->state = THREAD_READY;
    spin_unlock(&queue->lock);
    if (off_core) /* only who made it ready has it now */
        sched_place(thread);
    arch_irq_restore(flags);
    return blocked;
}

__attribute__((noreturn)) void sched_leave(void)
{
    arch_irq_disable();
    struct run_queue *queue = this_cpu_ptr(run_queue);
    spin_lock(&queue->lock);
    uint64_t now = charge(queue);
    queue->current->state = THREAD_DEAD;
    switch_to_next(queue, now);
    panic("a thread that has ended runs again");
}

/* ---- which core ------------------------------------------------------------------------------ */

static bool may_run_on(const struct cpumask *affinity, cpu_t cpu)
{
    return cpumask_test(affinity, cpu) && cpumask_test(&sched_cores, cpu);
}

/* An idle core for a thread, for the caller alone: nobody else finds that core idle until it looks
 * for work again. Returns: it, or CPU_NONE. */
static cpu_t claim_idle(const struct cpumask *affinity)
{
    cpumask_for_each (cpu, &idle_cores) {
        delay_at(DELAY_P1);
        if (may_run_on(affinity, cpu) && cpumask_test_and_clear(&idle_cores, cpu)) /* step P1 */
            return cpu;
    }
    return CPU_NONE;
}

/* The core whose queue is shortest. */
static cpu_t find_shortest(const struct cpumask *affinity)
{
    cpu_t best = CPU_NONE;
    uint32_t length = 0;
    cpumask_for_each (cpu, &sched_cores) {
        const struct run_queue *queue = percpu_of(cpu, run_queue);
        if (may_run_on(affinity, cpu) && (best == CPU_NONE || waiting_in(queue) < length)) {
            best = cpu;
            length = waiting_in(queue);
        }
    }
    ASSERT(best != CPU_NONE);
    return best;
}

/* Where it was, if that is idle: its data may still be there. Else anywhere idle, else where the
 * fewest wait. *claimed: it is an idle core's, and the caller's to wake. */
static cpu_t choose_core(const struct thread *thread, bool *claimed)
{
    cpu_t last = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    *claimed = true;
    if (may_run_on(&thread->affinity, last) && cpumask_test_and_clear(&idle_cores, last))
        return last;
    cpu_t idle = claim_idle(&thread->affinity);
    *claimed = idle != CPU_NONE;
    return *claimed ? idle : find_shortest(&thread->affinity);
}

/* Have core `cpu` look at its queue. */
static void notify(cpu_t cpu)
{
    if (cpu == arch_cpu()) {
        reschedule_interrupt();
    } else if (arch_ipi_send(cpu, ARCH_VECTOR_RESCHEDULE) != 0) {
        cpumask_set(&untold, cpu);
        if (!this_cpu_ptr(tell_again)->queued)
            timer_start(this_cpu_ptr(tell_again), TELL_AGAIN_NS);
    }
}

/* The ICR was busy: try again, as long as it takes. */
static void tell_untold(struct timer *timer)
{
    (void)timer;
    cpumask_for_each (cpu, &untold) {
        cpumask_clear(&untold, cpu);
        notify(cpu);
    }
}

/* A thread that only the caller has is core `cpu`'s from here on. That changes under the lock of
 * the queue which it leaves: else who has just found it there would take what it does elsewhere for
 * what it does here. */
static void leave_for(struct thread *thread, cpu_t cpu)
{
    struct run_queue *left = queue_of(thread);
    spin_lock(&left->lock);
    ASSERT(left->current != thread);
    atomic_store_explicit(&thread->cpu, cpu, memory_order_relaxed); /* step L5 */
    spin_unlock(&left->lock);
}

/*
 * Put a thread that only the caller has into the queue of core `cpu`, and see to it that it does
 * not wait there while a core halts. `claimed`: that core is idle and the caller's to wake.
 */
static void put_on(struct thread *thread, cpu_t cpu, bool claimed)
{
    struct run_queue *queue = percpu_of(cpu, run_queue);
    struct cpumask affinity;
    if (queue_of(thread) != queue)
        leave_for(thread, cpu);
    delay_at(DELAY_P2);
    spin_lock(&queue->lock);
    ASSERT(thread->state == THREAD_READY && queue->current != thread);
    cpumask_copy(&affinity, &thread->affinity);
    ASSERT(cpumask_test(&affinity, cpu));
    bool rested = thread->slice_left_ns > 0;
    add(queue, thread); /* step P2; from the unlock on the thread may run, and end */
    bool first_to_wait = waiting_in(queue) == 1;
    bool alone = claimed && first_to_wait && queue->current == queue->idle;
    spin_unlock(&queue->lock);
    /* seq_cst: see the head of this file */
    atomic_thread_fence(memory_order_seq_cst);
    delay_at(DELAY_P3);
    if (claimed || rested || first_to_wait) /* to run it, or to watch its own slice from now on */
        notify(cpu);                        /* step P3 */
    delay_at(DELAY_P4);
    cpu_t helper = alone ? CPU_NONE : claim_idle(&affinity);
    if (helper != CPU_NONE)
        notify(helper); /* step P4 */
}

void sched_place(struct thread *thread)
{
    bool claimed;
    uint64_t flags = arch_irq_save();
    cpu_t cpu = choose_core(thread, &claimed);
    put_on(thread, cpu, claimed);
    arch_irq_restore(flags);
}

void reschedule_interrupt(void)
{
    struct run_queue *queue = this_cpu_ptr(run_queue);
    become_due();
    if (queue->idle == NULL)
        return; /* not yet one that runs threads */
    spin_lock(&queue->lock);
    watch_slice(queue, arch_clock_ns());
    spin_unlock(&queue->lock);
}

/* ---- affinity -------------------------------------------------------------------------------- */

bool sched_reaches(const struct cpumask *mask)
{
    cpumask_for_each (cpu, mask) {
        if (cpumask_test(&sched_cores, cpu))
            return true;
    }
    return false;
}

/* Locks: caller holds the queue of the thread, which is settled; given back. Interrupts are off. */
static void change_affinity(struct run_queue *queue, struct thread *thread,
                            const struct cpumask *mask)
{
    cpu_t cpu = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    cpumask_copy(&thread->affinity, mask);
    bool has_to_leave = queue->current == thread && !cpumask_test(mask, cpu);
    bool waits = thread->queued; /* here or elsewhere: an idle core may have come within reach */
    if (waits)
        take_out(queue, thread);
    spin_unlock(&queue->lock);
    if (waits)
        sched_place(thread);
    else if (has_to_leave)
        notify(cpu);
}

int thread_set_affinity(struct thread *thread, const struct cpumask *mask)
{
    int error = 0;
    if (!sched_reaches(mask))
        return -EINVAL;
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = lock_settled_queue_of(thread);
    if (thread->affinity_holds == 0) {
        change_affinity(queue, thread, mask);
    } else {
        error = cpumask_equal(&thread->affinity, mask) ? 0 : -EBUSY;
        spin_unlock(&queue->lock);
    }
    arch_irq_restore(flags);
    if (thread == thread_current())
        thread_point();
    return error;
}

bool thread_hold_core(cpu_t *core)
{
    struct thread *self = thread_current();
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = lock_queue_of(self);
    bool one = cpumask_count(&self->affinity) == 1;
    if (one) {
        *core = cpumask_next(&self->affinity, 0);
        self->affinity_holds++;
    }
    spin_unlock(&queue->lock);
    arch_irq_restore(flags);
    return one;
}

void thread_unhold_core(struct thread *thread)
{
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = lock_queue_of(thread);
    thread->affinity_holds--;
    spin_unlock(&queue->lock);
    arch_irq_restore(flags);
}

void thread_get_affinity(struct thread *thread, struct cpumask *mask)
{
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = lock_queue_of(thread);
    cpumask_copy(mask, &thread->affinity);
    spin_unlock(&queue->lock);
    arch_irq_restore(flags);
}

struct thread_usage thread_usage(void)
{
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = this_cpu_ptr(run_queue);
    spin_lock(&queue->lock);
    const struct thread *self = queue->current;
    struct thread_usage usage = {.ran_ns = self->ran_ns + (arch_clock_ns() - self->since_ns),
                                 .slices = self->slices};
    spin_unlock(&queue->lock);
    arch_irq_restore(flags);
    return usage;
}

/* ---- a core's life --------------------------------------------------------------------------- */

bool sched_is_idle(cpu_t cpu)
{
    return cpumask_test(&idle_cores, cpu);
}

/* What the running thread has had since it was charged. Locks: caller holds the queue's. */
static uint64_t not_charged(const struct run_queue *queue)
{
    uint64_t now = arch_clock_ns(), since = queue->current->since_ns;
    return now > since ? now - since : 0; /* that core's clock may be a little ahead of ours */
}

struct sched_stats sched_stats_of(cpu_t cpu)
{
    struct run_queue *queue = percpu_of(cpu, run_queue);
    if (queue->idle == NULL)
        return (struct sched_stats){0};
    uint64_t flags = spin_lock_irqsave(&queue->lock);
    struct sched_stats stats = queue->stats;
    uint64_t running_ns = not_charged(queue);
    bool idles = queue->current == queue->idle;
    stats.idle_ns = queue->idle->ran_ns + (idles ? running_ns : 0);
    if (!idles && queue->current->process != NULL)
        stats.program_ns += running_ns;
    else if (!idles)
        stats.kernel_ns += running_ns;
    stats.ready = waiting_in(queue) + !idles;
    spin_unlock_irqrestore(&queue->lock, flags);
    return stats;
}

struct thread_report thread_report(struct thread *thread)
{
    uint64_t flags = arch_irq_save();
    struct run_queue *queue = lock_queue_of(thread);
    struct thread_report report = {.ran_ns = thread->ran_ns +
                                             (queue->current == thread ? not_charged(queue) : 0),
                                   .state = thread->state,
                                   .cpu = atomic_load_explicit(&thread->cpu, memory_order_relaxed)};
    spin_unlock(&queue->lock);
    arch_irq_restore(flags);
    return report;
}

void sched_core_init(void)
{
    struct thread *idle = this_cpu_ptr(idle_thread);
    atomic_init(&idle->cpu, arch_cpu());
    cpumask_set(&idle->affinity, arch_cpu());
    idle->space = &tlb_kernel;
    (void)text_copy(idle->name, "idle", sizeof(idle->name));
    arch_thread_adopt(&idle->arch);

    struct run_queue *queue = this_cpu_ptr(run_queue);
    queue->lock = (struct spinlock)SPINLOCK(RANK_RUN_QUEUE, "run queue");
    list_init(&queue->rested);
    list_init(&queue->spent);
    queue->slice_timer = (struct timer){.fn = slice_over, .cpu = arch_cpu()};
    *this_cpu_ptr(tell_again) = (struct timer){.fn = tell_untold, .cpu = arch_cpu()};
    queue->current = idle;
    this_cpu(current_thread) = idle;
    idle->since_ns = arch_clock_ns();
    uint64_t flags = arch_irq_save();
    queue->idle = idle; /* from here on reschedule_interrupt() looks at the queue */
    arch_irq_restore(flags);
    cpumask_set(&sched_cores, arch_cpu());
}

void sched_wait_for_cores(void)
{
    cpumask_for_each (cpu, &smp_online) {
        struct core_wait wait = core_wait_begin();
        while (!cpumask_test(&sched_cores, cpu))
            core_wait_turn(&wait, cpu, "begin to run threads");
    }
}

/* The first thread of another core's queue that may run here, out of it; or NULL. */
static struct thread *take_from(struct run_queue *victim)
{
    struct thread *found = NULL;
    spin_lock(&victim->lock);
    struct list_node *const lists[] = {&victim->spent, &victim->rested};
    for (size_t i = 0; i < 2 && found == NULL; i++) {
        for (struct list_node *node = lists[i]->next; node != lists[i]; node = node->next) {
            if (cpumask_test(&thread_at(node)->affinity, arch_cpu())) {
                found = thread_at(node);
                break;
            }
        }
    }
    if (found != NULL)
        take_out(victim, found);
    spin_unlock(&victim->lock);
    return found;
}

/* Take a thread from a core that has one waiting. Interrupts are off. Returns: was there one? */
static bool steal(void)
{
    cpumask_for_each (cpu, &sched_cores) {
        struct run_queue *victim = percpu_of(cpu, run_queue);
        struct thread *thread =
            cpu != arch_cpu() && waiting_in(victim) != 0 ? take_from(victim) : NULL;
        if (thread == NULL)
            continue;
        this_cpu_ptr(run_queue)->stats.steals++;
        put_on(thread, arch_cpu(), cpumask_test_and_clear(&idle_cores, arch_cpu()));
        return true;
    }
    return false;
}

/* An idle core that may run one of the threads that wait in this queue, claimed; or CPU_NONE. */
static cpu_t claim_for(struct run_queue *queue)
{
    cpu_t cpu = CPU_NONE;
    spin_lock(&queue->lock);
    struct list_node *const lists[] = {&queue->spent, &queue->rested};
    for (size_t i = 0; i < 2; i++) {
        for (struct list_node *node = lists[i]->next; node != lists[i] && cpu == CPU_NONE;
             node = node->next)
            cpu = claim_idle(&thread_at(node)->affinity);
    }
    spin_unlock(&queue->lock);
    return cpu;
}

/* This core was perhaps called to help another one, and has got work of its own before it looked:
 * then one more is to be called. Interrupts are off. */
static void pass_call_on(void)
{
    /* seq_cst: as in put_on(), between the bit that was cleared and the look */
    atomic_thread_fence(memory_order_seq_cst);
    cpumask_for_each (cpu, &sched_cores) {
        struct run_queue *queue = percpu_of(cpu, run_queue);
        cpu_t helper = cpu != arch_cpu() && waiting_in(queue) != 0 ? claim_for(queue) : CPU_NONE;
        if (helper != CPU_NONE) {
            notify(helper);
            return; /* it will do the same */
        }
    }
}

/* Halt until this core has something to do. */
static void wait_for_work(void)
{
    arch_irq_disable();
    delay_at(DELAY_I2);
    cpumask_set(&idle_cores, arch_cpu()); /* step I2 */
    /* seq_cst: see the head of this file */
    atomic_thread_fence(memory_order_seq_cst);
    delay_at(DELAY_I3);
    if (waiting_in(this_cpu_ptr(run_queue)) == 0 && !steal()) { /* step I3 */
        delay_at(DELAY_I4);
        while (!arch_work_due()) { /* step I4 */
            arch_wait_for_interrupt();
            arch_irq_disable();
        }
    }
    cpumask_clear(&idle_cores, arch_cpu());
    if (waiting_in(this_cpu_ptr(run_queue)) != 0)
        pass_call_on(); /* step I5 */
    arch_irq_enable();
}

void sched_idle(void (*odd_jobs)(void))
{
    for (;;) {
        delay_at(DELAY_I1);
        arch_work_begin(); /* step I1 */
        odd_jobs();
        if (DEBUG_KERNEL)
            lock_debug_none("halts");
        wait_for_work();
        if (waiting_in(this_cpu_ptr(run_queue)) != 0)
            give_way(false);
    }
}
