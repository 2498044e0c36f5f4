// SPDX-License-Identifier: MIT
/*
 * A core's ksoftirqd is woken by irq/softirq.c, through the hook, and asks there whether it is due.
 * It gives way at thread_point() like any long work in the kernel, so threads get their share of
 * the core, however many interrupts come.
 */
#include "sched/ksoftirqd.h"

#include "irq/softirq.h"
#include "lib/debug.h"
#include "lib/text.h"
#include "sched/kthreadd.h"
#include "sched/thread.h"
#include "sched/wait.h"

struct ksoftirqd {
    struct kthread_wish wish;
    struct wait_queue due;
    bool asked_for; /* P: this core, interrupts off */
    bool runs;      /* P: likewise: kthreadd has had the memory for it */
};

static DEFINE_PERCPU(struct ksoftirqd, ksoftirqd);

static bool is_due(void *arg)
{
    (void)arg;
    return softirq_thread_is_due();
}

static void run(void *arg)
{
    struct ksoftirqd *self = arg;
    self->runs = true;
    softirq_run_in_thread(); /* what waited for that */
    for (;;) {
        (void)wait_for(&self->due, is_due, NULL, WAIT_FOR_EVER);
        while (softirq_thread_is_due()) {
            softirq_run_in_thread();
            thread_point();
        }
    }
}

static void ask_for(struct ksoftirqd *self, cpu_t cpu)
{
    self->asked_for = true;
    self->wish.fn = run;
    self->wish.arg = self;
    self->wish.cpu = cpu;
    (void)snprintf(self->wish.name, sizeof(self->wish.name), "ksoftirqd/%u", cpu);
    wait_queue_init(&self->due);
    kthreadd_ask(&self->wish);
}

/* The hook. Context: interrupts off, on core `cpu`. */
static bool wake(cpu_t cpu)
{
    struct ksoftirqd *self = this_cpu_ptr(ksoftirqd);
    if (!self->asked_for)
        ask_for(self, cpu);
    else if (self->runs)
        wake_one(&self->due); /* it asks softirq_thread_is_due() when interrupts are on again */
    return self->runs;
}

void ksoftirqd_start(void)
{
    softirq_set_thread(wake);
}
