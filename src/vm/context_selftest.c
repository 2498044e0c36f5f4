// SPDX-License-Identifier: MIT
/*
 * Each rule of the contexts, broken once: the debug kernel notices and names the place. It would
 * panic; here the text is caught, so that one boot shows them all. Those that run on request are
 * not caught: they show that it is a panic.
 */
#include "irq/irq.h"
#include "irq/softirq.h"
#include "irq/tasklet.h"
#include "irq/timer.h"
#include "lib/context.h"
#include "lib/errno.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/workqueue.h"
#include "smp/ipi.h"
#include "vm/user_copy.h"

#define NOINLINE __attribute__((noinline))

/* Of a kind of its own each; in a test that breaks the rules they are left as they were. */
static struct spinlock thread_lock = SPINLOCK(RANK_SYSLOG, "of threads");
static struct spinlock bh_lock = SPINLOCK(RANK_BH_OFF, "of softirqs");
static struct spinlock irq_lock = SPINLOCK(RANK_IRQS_OFF, "of handlers");
static struct mutex mutex = MUTEX(mutex);

/* ---- the mistakes ---------------------------------------------------------------------------- */

NOINLINE static void sleep_here(void *arg)
{
    (void)arg;
    mutex_lock(&mutex); /* it is free, so nobody really sleeps */
    mutex_unlock(&mutex);
}

NOINLINE static void allocate_here(void *arg)
{
    (void)arg;
    heap_free(heap_alloc(64, ALLOC_KERNEL));
}

NOINLINE static void take_frame_here(void *arg)
{
    (void)arg;
    page_free(page_alloc(0, ALLOC_USER), 0);
}

NOINLINE static void copy_here(void *arg)
{
    char byte;
    (void)arg;
    (void)copy_from_user(&byte, ARCH_USER_END, 1); /* out of range: nothing is touched */
}

NOINLINE static void enable_here(void *arg)
{
    (void)arg;
    local_irq_enable();
}

NOINLINE static void enable_irqs(void *arg)
{
    (void)arg;
    arch_irq_enable();
}

NOINLINE static void disable_irqs(void *arg)
{
    (void)arg;
    arch_irq_disable();
}

NOINLINE static void disable_bh(void *arg)
{
    (void)arg;
    local_bh_disable();
}

NOINLINE static void keep_irq_lock(void *arg)
{
    (void)arg;
    uint64_t flags = spin_lock_irqsave(&irq_lock);
    (void)flags;
}

NOINLINE static void keep_bh_lock(void *arg)
{
    (void)arg;
    spin_lock(&bh_lock);
}

NOINLINE static void take_thread_lock(void *arg)
{
    (void)arg;
    spin_lock(&thread_lock);
    spin_unlock(&thread_lock);
}

NOINLINE static void take_bh_lock(void *arg)
{
    (void)arg;
    spin_lock(&bh_lock);
    spin_unlock(&bh_lock);
}

NOINLINE static void enable_bh_too_often(void *arg)
{
    (void)arg;
    local_bh_enable();
    local_bh_disable();
}

/* ---- where they are made --------------------------------------------------------------------- */

static void (*mistake)(void *arg);
static _Atomic bool made;

static void make_it(void *arg)
{
    mistake(arg);
    made = true;
}

static void in_thread(void)
{
    make_it(NULL);
}

static void in_thread_bh_off(void)
{
    local_bh_disable();
    make_it(NULL);
    local_bh_enable();
}

static void in_thread_irqs_off(void)
{
    uint64_t flags = local_irq_save();
    make_it(NULL);
    arch_irq_restore(flags);
}

static void bh_enable_irqs_off(void)
{
    local_bh_disable();
    arch_irq_disable();
    local_bh_enable();
    arch_irq_enable();
    made = true;
}

static void under_thread_lock(void)
{
    spin_lock(&thread_lock);
    make_it(NULL);
    spin_unlock(&thread_lock);
}

static void under_irq_lock(void)
{
    uint64_t flags = spin_lock_irqsave(&irq_lock);
    make_it(NULL);
    arch_irq_disable();
    spin_unlock(&irq_lock);
    arch_irq_restore(flags);
}

static void timer_fn(struct timer *timer)
{
    (void)timer;
    make_it(NULL);
}

static void in_handler(void)
{
    static struct timer timer = TIMER(timer_fn);
    timer_start(&timer, 1);
    while (!made)
        arch_relax();
    (void)timer_cancel(&timer);
}

static void ring_fn(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)count;
    (void)cookie;
    make_it(NULL);
}

static void in_ring_handler(void)
{
    if (ipi_register_handler(ARCH_VECTOR_USER_FIRST, "mistaken", ring_fn) < 0)
        return;
    (void)ipi_send((int)arch_cpu(), ARCH_VECTOR_USER_FIRST);
    (void)ipi_unregister(ARCH_VECTOR_USER_FIRST);
}

static enum irq_result irq_fn(uint32_t irq, void *dev)
{
    (void)irq;
    (void)dev;
    make_it(NULL);
    return IRQ_HANDLED;
}

static enum irq_result irq_thread_fn(uint32_t irq, void *dev)
{
    return irq_fn(irq, dev);
}

static void keep_vector(void *data, uint64_t address, uint32_t value)
{
    (void)address;
    *(uint32_t *)data = value;
}

/* An interrupt of a device that would send it by a message, on this core. */
static void interrupt_by(irq_handler *handler, irq_handler *thread_fn)
{
    static const struct irq_msi_ops ops = {.write = keep_vector};
    static uint32_t vector;
    struct cpumask here = {0};
    int irq = irq_alloc_msi(&ops, &vector, 0);
    if (irq < 0)
        return;
    cpumask_set(&here, arch_cpu());
    (void)irq_set_affinity((uint32_t)irq, &here);
    if (request_threaded_irq((uint32_t)irq, handler, thread_fn, IRQF_ONESHOT, "mistaken", NULL) ==
        0) {
        (void)arch_ipi_send(arch_cpu(), (uint8_t)vector);
        while (!made)
            thread_yield();
        (void)free_irq((uint32_t)irq, NULL);
    }
    irq_free_msi((uint32_t)irq);
}

static void in_irq_handler(void)
{
    interrupt_by(irq_fn, NULL);
}

static void in_irq_thread(void)
{
    interrupt_by(NULL, irq_thread_fn);
}

static void in_tasklet(void)
{
    static struct tasklet tasklet = TASKLET(make_it, NULL);
    (void)tasklet_schedule(&tasklet); /* it runs before this returns */
}

static void in_soft_timer(void)
{
    static struct timer timer = SOFT_TIMER(timer_fn);
    timer_start(&timer, 1);
    while (!made)
        arch_relax();
}

static void work_fn(struct work *work)
{
    (void)work;
    make_it(NULL);
}

static void in_work(void)
{
    static struct work work = WORK(work_fn);
    (void)work_queue_on(arch_cpu(), system_wq, &work);
    (void)work_flush(&work);
}

/* ---- putting right what the mistake left ----------------------------------------------------- */

static void give_irq_lock_back(void)
{
    uint64_t flags = arch_irq_save();
    spin_unlock(&irq_lock);
    arch_irq_restore(flags);
}

static void give_bh_lock_back(void)
{
    spin_unlock(&bh_lock);
}

static void enable_bh(void)
{
    local_bh_enable();
}

/* ---- the table ------------------------------------------------------------------------------- */

struct rule {
    const char *name;
    void (*mistake)(void *arg); /* made by the place's function alone: NULL */
    void (*place)(void);
    void (*put_right)(void);
    const char *text;  /* what the message begins with */
    const char *names; /* the function that it names */
};

static const struct rule rules[] = {
    {"sleep in a handler", sleep_here, in_handler, NULL,
     "mutex_lock, which may sleep, called in an interrupt handler (timer_fn", "sleep_here+"},
    {"sleep in a softirq", sleep_here, in_tasklet, NULL,
     "mutex_lock, which may sleep, called in a softirq (make_it", "sleep_here+"},
    {"sleep in a soft timer", sleep_here, in_soft_timer, NULL,
     "mutex_lock, which may sleep, called in a softirq (timer_fn", "sleep_here+"},
    {"sleep with softirqs off", sleep_here, in_thread_bh_off, NULL,
     "mutex_lock, which may sleep, called with softirqs off at ", "sleep_here+"},
    {"sleep with interrupts off", sleep_here, in_thread_irqs_off, NULL,
     "mutex_lock, which may sleep, called with interrupts off at ", "sleep_here+"},
    {"sleep with a lock", sleep_here, under_thread_lock, NULL,
     "mutex_lock, which may sleep, called at sleep_here", "under_thread_lock+"},
    {"allocate in a handler", allocate_here, in_handler, NULL,
     "heap_alloc called in an interrupt handler (timer_fn", "allocate_here+"},
    {"allocate in a softirq", take_frame_here, in_tasklet, NULL,
     "page_alloc called in a softirq (make_it", "take_frame_here+"},
    {"user copy in a handler", copy_here, in_handler, NULL,
     "copy_from_user, which touches a program's memory, called in an interrupt handler",
     "copy_here+"},
    {"user copy in a softirq", copy_here, in_tasklet, NULL,
     "copy_from_user, which touches a program's memory, called in a softirq", "copy_here+"},
    {"interrupts on in a handler", enable_here, in_handler, NULL, "interrupts turned on at ",
     "enable_here+"},
    {"interrupts on under a lock", enable_here, under_irq_lock, NULL, "interrupts turned on at ",
     "enable_here+"},
    {"handler leaves them on", enable_irqs, in_handler, NULL, "an interrupt handler (timer_fn",
     "came back with interrupts on"},
    {"handler keeps softirqs off", disable_bh, in_handler, enable_bh,
     "an interrupt handler (timer_fn", "came back with local_bh_disable() 1 deep, after 0"},
    {"ring's handler keeps softirqs off", disable_bh, in_ring_handler, enable_bh,
     "an interrupt handler (ring_fn", "came back with local_bh_disable() 1 deep, after 0"},
    {"device's handler keeps softirqs off", disable_bh, in_irq_handler, enable_bh,
     "an interrupt handler (irq_fn", "came back with local_bh_disable() 1 deep, after 0"},
    {"handler keeps a lock", keep_irq_lock, in_handler, give_irq_lock_back,
     "an interrupt handler (timer_fn", "taken at keep_irq_lock+"},
    {"softirq leaves interrupts off", disable_irqs, in_tasklet, NULL, "a softirq (make_it",
     "came back with interrupts off"},
    {"softirq keeps softirqs off", disable_bh, in_tasklet, NULL, "a softirq (make_it",
     "came back with local_bh_disable() 1 deep, after 0"},
    {"softirq keeps a lock", keep_bh_lock, in_tasklet, give_bh_lock_back, "a softirq (make_it",
     "taken at keep_bh_lock+"},
    {"enable softirqs too often", enable_bh_too_often, in_thread, NULL, "local_bh_enable() at ",
     "enable_bh_too_often+"},
    {"enable softirqs, interrupts off", NULL, bh_enable_irqs_off, NULL, "local_bh_enable() at ",
     "bh_enable_irqs_off+"},
    {"threads' lock in a softirq", take_thread_lock, in_tasklet, NULL,
     "lock \"of threads\" taken in a softirq at ", "take_thread_lock+"},
    {"softirqs' lock, softirqs on", take_bh_lock, in_thread, NULL,
     "lock \"of softirqs\" taken with softirqs on at ", "take_bh_lock+"},
    {"softirqs' lock in a handler", take_bh_lock, in_handler, NULL,
     "lock \"of softirqs\" taken in an interrupt handler at ", "take_bh_lock+"},
};

static bool holds(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text != '\0'; text++) {
        if (strncmp(text, part, length) == 0)
            return true;
    }
    return false;
}

static void break_rule(const struct rule *rule)
{
    mistake = rule->mistake;
    made = false;
    context_catch();
    rule->place();
    const char *text = context_caught();
    if (rule->put_right != NULL)
        rule->put_right();
    if (text == NULL) {
        selftest_expect(false, "%s: nobody noticed", rule->name);
        return;
    }
    selftest_expect(strncmp(text, rule->text, strlen(rule->text)) == 0 && holds(text, rule->names),
                    "%s: \"%s\" was said, not \"%s\" and \"%s\"", rule->name, text, rule->text,
                    rule->names);
    selftest_expect(arch_irqs_enabled() && this_cpu(softirq_off) == 0,
                    "%s: the test did not put things right", rule->name);
}

static void test_context_rules(void)
{
    if (!DEBUG_KERNEL) {
        selftest_skip("needs the debug kernel");
        return;
    }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        break_rule(&rules[i]);
}
SELFTEST("context-rules", test_context_rules);

static void panic_by(void (*what)(void *arg), void (*place)(void))
{
    if (!DEBUG_KERNEL) {
        selftest_skip("needs the debug kernel");
        return;
    }
    mistake = what;
    place();
}

static void test_sleep_in_softirq(void)
{
    panic_by(sleep_here, in_tasklet);
}
SELFTEST_ON_REQUEST("debug-sleep-in-softirq", test_sleep_in_softirq);

/* Its thread goes on to something else then, so this cannot be caught and put right. */
static void test_irq_thread_keeps_softirqs_off(void)
{
    panic_by(disable_bh, in_irq_thread);
}
SELFTEST_ON_REQUEST("debug-irq-thread-keeps-bh-off", test_irq_thread_keeps_softirqs_off);

static void test_work_keeps_softirqs_off(void)
{
    panic_by(disable_bh, in_work);
}
SELFTEST_ON_REQUEST("debug-work-keeps-bh-off", test_work_keeps_softirqs_off);
