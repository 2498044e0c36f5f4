// SPDX-License-Identifier: MIT
/*
 * What `make bench` measures of the bottom halves: from an interrupt handler that raises one to the
 * first instruction of its function. As smp/bench_selftest.c, which says how to read it; here an
 * operation begins in one function and ends in another.
 */
#include <stdatomic.h>

#include "irq/softirq.h"
#include "irq/tasklet.h"
#include "irq/timer.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "sched/thread.h"
#include "sched/workqueue.h"
#include "smp/ipi.h"

enum {
    VECTOR = 100,
    SAMPLES = 32,
    LINE_MAX = 24 + SAMPLES * 11,
};
#define DELAY_NS UINT64_C(50000) /* the core is idle by then */

#define MARK(name) __asm__ volatile(".globl " #name "\n" #name ":" : : : "memory")

static uint32_t begin_ticks, took;
static _Atomic bool done;

/* The low half is enough. */
static inline uint32_t ticks(void)
{
    uint32_t low;
    __asm__ volatile("rdtsc" : "=a"(low) : : "edx", "memory");
    return low;
}

static inline void end(uint32_t end_ticks)
{
    took = end_ticks - begin_ticks;
    atomic_store_explicit(&done, true, memory_order_release);
}

/* ---- the operations: a handler, and what it raises ------------------------------------------- */

static void raise_nothing(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)count;
    (void)cookie;
    begin_ticks = ticks();
    end(ticks());
}

static void raise_nothing_by_timer(struct timer *timer)
{
    (void)timer;
    begin_ticks = ticks();
    end(ticks());
}

static void raise_softirq(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)count;
    (void)cookie;
    begin_ticks = ticks();
    MARK(op_softirq);
    softirq_raise(SOFTIRQ_SELFTEST);
}

static void softirq_action(void)
{
    MARK(op_softirq_end);
    end(ticks());
}

static void tasklet_fn(void *arg)
{
    MARK(op_tasklet_end);
    end(ticks());
    (void)arg;
}
static struct tasklet tasklet = TASKLET(tasklet_fn, NULL);

static void raise_tasklet(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)count;
    (void)cookie;
    begin_ticks = ticks();
    MARK(op_tasklet);
    (void)tasklet_schedule(&tasklet);
}

static void work_fn(struct work *work)
{
    MARK(op_work_end);
    end(ticks());
    (void)work;
}
static struct work work = WORK(work_fn);

static void raise_work(struct timer *timer)
{
    (void)timer;
    begin_ticks = ticks();
    MARK(op_work);
    (void)work_queue(system_wq, &work);
}

/* ---- series ---------------------------------------------------------------------------------- */

/* This core rings itself. Returns: ticks. */
static uint32_t sample_ring(void)
{
    atomic_store_explicit(&done, false, memory_order_relaxed);
    (void)ipi_send((int)arch_cpu(), VECTOR);
    while (!atomic_load_explicit(&done, memory_order_acquire))
        arch_relax();
    return took;
}

/* The timer finds the core idle, so that the worker comes at once. Returns: ticks. */
static uint32_t sample_timer(void (*handler)(struct timer *timer))
{
    struct timer timer = TIMER(handler);
    atomic_store_explicit(&done, false, memory_order_relaxed);
    timer_start(&timer, DELAY_NS);
    thread_sleep(3 * DELAY_NS);
    while (!atomic_load_explicit(&done, memory_order_acquire))
        thread_sleep(DELAY_NS);
    (void)timer_cancel(&timer); /* waits for its end */
    return took;
}

/* One of the two. */
struct raiser {
    void (*by_ring)(uint32_t irq, uint64_t count, void *cookie);
    void (*by_timer)(struct timer *timer);
};

static uint32_t sample(const struct raiser *raiser)
{
    return raiser->by_timer != NULL ? sample_timer(raiser->by_timer) : sample_ring();
}

static void print_series(const char *name, struct raiser raiser)
{
    char line[LINE_MAX];
    int length = snprintf(line, sizeof(line), "bench: %s", name);
    if (raiser.by_ring != NULL)
        selftest_expect(ipi_register_handler(VECTOR, "bench", raiser.by_ring) >= 0, "no vector");
    for (int i = 0; i < SAMPLES; i++)
        length += snprintf(line + length, sizeof(line) - (size_t)length, " %u", sample(&raiser));
    if (raiser.by_ring != NULL)
        (void)ipi_unregister(VECTOR);
    selftest_note("%s", line);
}

static void nothing(struct work *unused)
{
    (void)unused;
}

static void bench_bottom_halves(void)
{
    static struct work first = WORK(nothing);
    (void)work_queue(system_wq, &first); /* the worker is made */
    (void)work_flush(&first);
    softirq_open(SOFTIRQ_SELFTEST, softirq_action);
    print_series("softirq pair", (struct raiser){.by_ring = raise_nothing});
    print_series("softirq", (struct raiser){.by_ring = raise_softirq});
    print_series("tasklet pair", (struct raiser){.by_ring = raise_nothing});
    print_series("tasklet", (struct raiser){.by_ring = raise_tasklet});
    print_series("work pair", (struct raiser){.by_timer = raise_nothing_by_timer});
    print_series("work", (struct raiser){.by_timer = raise_work});
}
SELFTEST_ON_REQUEST("bench-bottom-halves", bench_bottom_halves);
