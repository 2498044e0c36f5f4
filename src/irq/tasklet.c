// SPDX-License-Identifier: MIT
/*
 * A tasklet is in the list of at most one core, or its function runs on one, never both: who
 * schedules it while it is anywhere only marks it, and the core that has it sees to the rest. So no
 * second core ever meets a running tasklet and has to come back later.
 *
 * The state is under the tasklet's own lock. The lists are each core's own, with interrupts off.
 */
#include "irq/tasklet.h"

#include "irq/softirq.h"
#include "lib/debug.h"
#include "lib/log.h"
#include "lib/panic.h"

#define REPORT_NS UINT64_C(1000000000)

struct tasklet_list {
    struct list_node tasklets; /* P: interrupts off; the first was scheduled first */
    bool ready;                /* P */
};

static DEFINE_PERCPU(struct tasklet_list, tasklet_list);

void tasklet_init(struct tasklet *tasklet, void (*fn)(void *arg), void *arg)
{
    *tasklet = (struct tasklet)TASKLET(fn, arg);
}

/* ---- scheduling ------------------------------------------------------------------------------ */

/* Put it into this core's list. Locks: caller holds the tasklet's; interrupts are off. */
static void enlist(struct tasklet *tasklet)
{
    struct tasklet_list *list = this_cpu_ptr(tasklet_list);
    if (!list->ready)
        list_init(&list->tasklets);
    list->ready = true;
    list_push_back(&list->tasklets, &tasklet->node);
    tasklet->listed = true;
    tasklet->cpu = arch_cpu();
}

/* Is it scheduled, with nothing in the way, and no core sees to it? Locks: caller holds its. */
static bool wants_a_core(const struct tasklet *tasklet)
{
    return tasklet->scheduled && tasklet->disabled == 0 && !tasklet->listed && !tasklet->running;
}

/* Locks: caller holds the tasklet's, which is given back. */
static void settle(struct tasklet *tasklet, uint64_t flags)
{
    bool here = wants_a_core(tasklet);
    if (here)
        enlist(tasklet);
    spin_unlock_irqrestore(&tasklet->lock, flags);
    if (here) /* not under the lock: called by a thread, it may run at once */
        softirq_raise(SOFTIRQ_TASKLET);
}

bool tasklet_schedule(struct tasklet *tasklet)
{
    uint64_t flags = spin_lock_irqsave(&tasklet->lock);
    bool news = !tasklet->scheduled && tasklet->killers == 0;
    tasklet->scheduled |= news;
    settle(tasklet, flags);
    return news;
}

/* ---- running --------------------------------------------------------------------------------- */

/* It was taken out of this core's list. Returns: is its function to be called? */
static bool begin(struct tasklet *tasklet)
{
    spin_lock(&tasklet->lock);
    bool runs = tasklet->scheduled && tasklet->disabled == 0;
    tasklet->listed = false;
    if (runs)
        tasklet->scheduled = false;
    tasklet->running = runs;
    spin_unlock(&tasklet->lock);
    return runs;
}

/* Interrupts are off before and after, and on while it runs. */
static void run(struct tasklet *tasklet)
{
    if (!begin(tasklet))
        return;
    arch_irq_enable();
    unsigned entered =
        DEBUG_KERNEL ? context_enter_function(CONTEXT_SOFTIRQ, (uintptr_t)tasklet->fn) : 0;
    tasklet->fn(tasklet->arg);
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_SOFTIRQ, entered);
    uint64_t flags = spin_lock_irqsave(&tasklet->lock);
    tasklet->running = false;
    settle(tasklet, flags);
    arch_irq_disable();
}

/* SOFTIRQ_TASKLET: those that are in the list by now. One that schedules itself comes in the next
 * round. */
static void run_tasklets(void)
{
    struct list_node todo;
    arch_irq_disable();
    struct tasklet_list *list = this_cpu_ptr(tasklet_list);
    if (!list->ready || list_is_empty(&list->tasklets)) {
        arch_irq_enable();
        return;
    }
    list_take_all(&todo, &list->tasklets);
    while (!list_is_empty(&todo)) {
        struct tasklet *tasklet = list_entry(todo.next, struct tasklet, node);
        list_remove(&tasklet->node);
        run(tasklet);
    }
    arch_irq_enable();
}

void tasklet_start(void)
{
    softirq_open(SOFTIRQ_TASKLET, run_tasklets);
}

/* ---- keeping it from running ----------------------------------------------------------------- */

void tasklet_disable_nosync(struct tasklet *tasklet)
{
    uint64_t flags = spin_lock_irqsave(&tasklet->lock);
    tasklet->disabled++;
    spin_unlock_irqrestore(&tasklet->lock, flags);
}

/* Take it out of this core's list, if it is there: where a thread runs, the core is not going
 * through that list. Locks: caller holds the tasklet's. */
static void take_back(struct tasklet *tasklet)
{
    if (!tasklet->listed || tasklet->cpu != arch_cpu())
        return;
    list_remove(&tasklet->node);
    tasklet->listed = false;
}

/* Under the lock, so that who has it now does not touch it any more afterwards. */
static bool is_running(struct tasklet *tasklet)
{
    uint64_t flags = spin_lock_irqsave(&tasklet->lock);
    bool running = tasklet->running;
    ASSERT(!running || tasklet->cpu != arch_cpu()); /* else we are in its function */
    spin_unlock_irqrestore(&tasklet->lock, flags);
    return running;
}

/*
 * ksoftirqd does not get this core while its thread waits, nor, perhaps, that of the core which has
 * the tasklet: there a thread may wait for one that is listed here. So the waiter does its work.
 */
static bool is_anywhere(struct tasklet *tasklet)
{
    if (softirq_thread_is_due())
        softirq_run_in_thread();
    uint64_t flags = spin_lock_irqsave(&tasklet->lock);
    take_back(tasklet);
    bool anywhere = tasklet->listed || tasklet->running;
    spin_unlock_irqrestore(&tasklet->lock, flags);
    return anywhere;
}

/* Spin while `so`; that is as long as other cores' softirqs take. */
static void wait_while(bool (*so)(struct tasklet *), struct tasklet *tasklet)
{
    uint64_t begin = arch_clock_ns();
    bool reported = false;
    while (so(tasklet)) {
        spin_turn();
        if (reported || arch_clock_ns() - begin < REPORT_NS)
            continue;
        reported = true;
        log_warn("core %u has waited 1 s for core %u to leave a tasklet", arch_cpu(), tasklet->cpu);
    }
}

void tasklet_disable(struct tasklet *tasklet)
{
    ASSERT_CONTEXT(!in_hardirq());
    tasklet_disable_nosync(tasklet);
    wait_while(is_running, tasklet);
}

void tasklet_enable(struct tasklet *tasklet)
{
    uint64_t flags = spin_lock_irqsave(&tasklet->lock);
    ASSERT(tasklet->disabled != 0);
    tasklet->disabled--;
    settle(tasklet, flags);
}

bool tasklet_kill(struct tasklet *tasklet)
{
    ASSERT_THREAD();
    ASSERT_IRQS_ON();
    uint64_t flags = spin_lock_irqsave(&tasklet->lock);
    bool kept = tasklet->scheduled;
    tasklet->scheduled = false;
    tasklet->killers++;
    spin_unlock_irqrestore(&tasklet->lock, flags);
    wait_while(is_anywhere, tasklet);
    flags = spin_lock_irqsave(&tasklet->lock);
    tasklet->killers--;
    spin_unlock_irqrestore(&tasklet->lock, flags);
    return kept;
}
