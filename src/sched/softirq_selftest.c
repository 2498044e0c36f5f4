// SPDX-License-Identifier: MIT
/*
 * Softirqs, tasklets and soft timers, tested from inside: each runs where it was raised and in the
 * context that its header promises, and nothing twice. A tasklet stands for every softirq here.
 */
#include <stdatomic.h>

#include "irq/softirq.h"
#include "irq/tasklet.h"
#include "irq/timer.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "sched/ksoftirqd.h"
#include "sched/thread.h"
#include "smp/call.h"
#include "smp/cores.h"

enum {
    SCHEDULINGS = 400, /* of one tasklet, by each core */
    TURNS = 60,        /* of a tasklet that schedules itself: more than one go allows */
    RESTARTS = 20,     /* of a soft timer by itself */
    KILLS = 60,
    SOFT_TIMERS = 8,
    CANCELS = 60,
    MAKINGS_MAX = 100,
};
#define US UINT64_C(1000)
#define MS (1000 * US)
#define GIVE_UP_NS (10000 * MS)

/* Returns: false if *counter stays below `wanted`, which the test then notes. */
static bool wait_for_count(const _Atomic uint64_t *counter, uint64_t wanted, const char *what)
{
    uint64_t begin = arch_clock_ns();
    while (atomic_load(counter) < wanted && arch_clock_ns() - begin < GIVE_UP_NS)
        thread_sleep(100 * US);
    return selftest_expect(atomic_load(counter) >= wanted, "%s: %llu expected, %llu seen", what,
                           (unsigned long long)wanted, (unsigned long long)atomic_load(counter));
}

/* Run fn(arg) in a thread on each online core, this one too, and wait for their end. */
static void on_all_cores(void (*fn)(void *), void *arg)
{
    static struct thread *threads[MAX_CPUS];
    cpumask_for_each (cpu, &smp_online)
        threads[cpu] = thread_create_on(cpu, "on-all-cores", fn, arg);
    cpumask_for_each (cpu, &smp_online) {
        if (selftest_expect(threads[cpu] != NULL, "no thread on core %u", cpu))
            thread_join(threads[cpu]);
    }
}

/* ---- what is where --------------------------------------------------------------------------- */

struct seen {
    bool hardirq, softirq, irqs_on;
    cpu_t cpu;
    _Atomic uint64_t times;
};

static void look(struct seen *seen)
{
    seen->hardirq = in_hardirq();
    seen->softirq = in_softirq();
    seen->irqs_on = arch_irqs_enabled();
    seen->cpu = arch_cpu();
    atomic_fetch_add(&seen->times, 1);
}

static void expect_seen(const struct seen *seen, const struct seen *expected, const char *where)
{
    selftest_expect(atomic_load(&seen->times) == 1 && seen->hardirq == expected->hardirq &&
                        seen->softirq == expected->softirq && seen->irqs_on == expected->irqs_on &&
                        seen->cpu == expected->cpu,
                    "%s: %llu times, hardirq %d, softirq %d, interrupts %d, core %u", where,
                    (unsigned long long)atomic_load(&seen->times), seen->hardirq, seen->softirq,
                    seen->irqs_on, seen->cpu);
}

static struct seen in_timer, in_tasklet, in_nested, in_second;
static bool second_was_early;

static void see_second(void *arg)
{
    (void)arg;
    second_was_early = atomic_load(&in_tasklet.times) == 0;
    look(&in_second);
}
static struct tasklet second = TASKLET(see_second, NULL);

static void interrupt_the_tasklet(struct timer *timer)
{
    (void)timer;
    look(&in_nested);
    (void)tasklet_schedule(&second);
}
static struct timer nested_timer = TIMER(interrupt_the_tasklet);

/* Stays until an interrupt has come, and has scheduled the second tasklet. */
static void see_first(void *arg)
{
    (void)arg;
    timer_start(&nested_timer, 20 * US);
    uint64_t begin = arch_clock_ns();
    while (atomic_load(&in_nested.times) == 0 && arch_clock_ns() - begin < 100 * MS)
        arch_relax();
    look(&in_tasklet);
}
static struct tasklet first = TASKLET(see_first, NULL);

static void schedule_first(struct timer *timer)
{
    (void)timer;
    look(&in_timer);
    (void)tasklet_schedule(&first);
}

static void test_context(void)
{
    static struct timer timer = TIMER(schedule_first);
    cpu_t here = arch_cpu();
    in_timer = in_tasklet = in_nested = in_second = (struct seen){0};
    selftest_expect(!in_interrupt() && !in_hardirq() && !in_softirq(), "a thread is in a handler");
    timer_start(&timer, 100 * US);
    (void)wait_for_count(&in_second.times, 1, "tasklets");
    expect_seen(&in_timer, &(struct seen){.hardirq = true, .cpu = here}, "the handler");
    expect_seen(&in_nested, &(struct seen){.hardirq = true, .softirq = true, .cpu = here},
                "the handler that interrupted a softirq");
    expect_seen(&in_tasklet, &(struct seen){.softirq = true, .irqs_on = true, .cpu = here},
                "the tasklet");
    expect_seen(&in_second, &(struct seen){.softirq = true, .irqs_on = true, .cpu = here},
                "the tasklet scheduled meanwhile");
    selftest_expect(!second_was_early, "a softirq interrupted another");
}
SELFTEST("softirq-context", test_context);

/* ---- the core that raises it ----------------------------------------------------------------- */

static _Atomic uint64_t ran;
static _Atomic uint64_t wrong;

static void expect_runs(uint64_t expected)
{
    selftest_expect(atomic_load(&ran) == expected, "%llu runs expected, %llu seen",
                    (unsigned long long)expected, (unsigned long long)atomic_load(&ran));
    selftest_expect(atomic_load(&wrong) == 0, "%llu of them were wrong",
                    (unsigned long long)atomic_load(&wrong));
}

/* What a thread raises runs at once, unless ksoftirqd still has work: let it. */
static void begin_runs(void)
{
    while (softirq_thread_is_due())
        thread_sleep(100 * US);
    atomic_store(&ran, 0);
    atomic_store(&wrong, 0);
}

static void count_run(void *arg)
{
    atomic_fetch_add(&wrong, (uintptr_t)arg != arch_cpu());
    atomic_fetch_add(&ran, 1);
}

static DEFINE_PERCPU(struct tasklet, own_tasklet);

static void schedule_own(void *arg)
{
    struct tasklet *tasklet = this_cpu_ptr(own_tasklet);
    (void)arg;
    tasklet_init(tasklet, count_run,
                 (void *)(uintptr_t)arch_cpu()); /* NOLINT(performance-no-int-to-ptr) */
    if (!tasklet_schedule(tasklet))
        atomic_fetch_add(&wrong, 1);
}

static void test_same_core(void)
{
    begin_runs();
    cpumask_for_each (cpu, &smp_online)
        selftest_expect(call_on(cpu, schedule_own, NULL) == 0, "core %u was not called", cpu);
    (void)wait_for_count(&ran, smp_online_count(), "tasklets");
    expect_runs(smp_online_count());
    cpumask_for_each (cpu, &smp_online)
        selftest_expect(softirq_count_of(SOFTIRQ_TASKLET, cpu) > 0, "core %u counted none", cpu);
}
SELFTEST("softirq-same-core", test_same_core);

/* ---- keeping them off ------------------------------------------------------------------------ */

static void count_only(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
}
static struct tasklet counted = TASKLET(count_only, NULL);

static void expect_ran(uint64_t expected, const char *when)
{
    selftest_expect(atomic_load(&ran) == expected, "%s: %llu runs expected, %llu seen", when,
                    (unsigned long long)expected, (unsigned long long)atomic_load(&ran));
}

static _Atomic uint64_t rang;

static void schedule_counted(struct timer *timer)
{
    (void)timer;
    (void)tasklet_schedule(&counted);
    atomic_fetch_add(&rang, 1);
}

/* An interrupt comes and goes, in this thread. */
static void interrupt_here(void)
{
    static struct timer timer = TIMER(schedule_counted);
    uint64_t before = atomic_load(&rang);
    timer_start(&timer, 50 * US);
    while (atomic_load(&rang) == before)
        arch_relax();
}

static void test_off(void)
{
    begin_runs();
    (void)tasklet_schedule(&counted);
    expect_ran(1, "raised by a thread");
    interrupt_here();
    expect_ran(2, "raised by a handler, at its end");
    local_bh_disable();
    local_bh_disable();
    interrupt_here();
    (void)tasklet_schedule(&counted);
    expect_ran(2, "while softirqs are off");
    local_bh_enable();
    expect_ran(2, "after the inner enable");
    local_bh_enable();
    expect_ran(3, "after the outer enable");

    uint64_t flags = local_irq_save();
    uint64_t inner = local_irq_save();
    (void)tasklet_schedule(&counted);
    local_irq_restore(inner);
    selftest_expect(!arch_irqs_enabled(), "interrupts are on after the inner restore");
    expect_ran(3, "while interrupts are off");
    local_irq_restore(flags);
    selftest_expect(arch_irqs_enabled(), "interrupts are off after the outer restore");
    uint64_t begin = arch_clock_ns(); /* not by sleeping: that would bring an interrupt */
    while (atomic_load(&ran) < 4 && arch_clock_ns() - begin < 50 * MS)
        arch_relax();
    expect_ran(4, "raised with interrupts off");
}
SELFTEST("softirq-off", test_off);

/* The core cannot interrupt itself meanwhile. */
static void raise_without_kick(void *arg)
{
    (void)arg;
    (void)arch_ipi_hold(true);
    uint64_t flags = local_irq_save();
    (void)tasklet_schedule(&counted);
    local_irq_restore(flags);
    (void)arch_ipi_hold(false);
}

/* Takes as long as the scan does, so only when named. */
static void test_lost_kick(void)
{
    cpu_t other = cpumask_next(&smp_online, arch_cpu() + 1);
    if (other == CPU_NONE || !arch_ipi_hold(false)) {
        selftest_skip("needs a second core, and a command register that can be busy");
        return;
    }
    begin_runs();
    struct thread *thread = thread_create_on(other, "no kick", raise_without_kick, NULL);
    if (!selftest_expect(thread != NULL, "no thread on core %u", other))
        return;
    thread_join(thread);
    (void)wait_for_count(&ran, 1, "softirqs that the scan found");
}
SELFTEST_ON_REQUEST("softirq-lost-kick", test_lost_kick);

/* ---- too much -------------------------------------------------------------------------------- */

static struct tasklet busy;
static _Atomic uint64_t turns, in_thread; /* of these, those in ksoftirqd */

static void again(void *arg)
{
    (void)arg;
    struct thread *thread = thread_current();
    if (strncmp(thread->name, "ksoftirqd/", 10) == 0)
        atomic_fetch_add(&in_thread, 1);
    if (atomic_fetch_add(&turns, 1) + 1 < TURNS)
        (void)tasklet_schedule(&busy);
}

static void take_turns(void)
{
    atomic_store(&turns, 0);
    (void)tasklet_schedule(&busy);
    (void)wait_for_count(&turns, TURNS, "turns");
}

/* As long as ksoftirqd is still to be made, what is left waits for it, or for an interrupt. */
static void have_the_thread_made(void)
{
    tasklet_init(&busy, again, NULL);
    for (int i = 0; i < MAKINGS_MAX && softirq_handed_over(arch_cpu()) == 0; i++)
        take_turns();
}

static void hand_over(void *arg)
{
    (void)arg;
    have_the_thread_made();
    begin_runs();
    atomic_store(&turns, 0);
    atomic_store(&in_thread, 0);
    uint64_t before = softirq_handed_over(arch_cpu());
    tasklet_init(&busy, again, NULL);
    (void)tasklet_schedule(&busy);
    uint64_t at_once = atomic_load(&turns);
    selftest_expect(at_once < TURNS, "all %d turns were taken at once", TURNS);
    selftest_expect(softirq_handed_over(arch_cpu()) == before + 1,
                    "softirqs were not left to ksoftirqd");
    interrupt_here(); /* at its end nothing runs: that is left to the thread */
    expect_ran(0, "while ksoftirqd has work");
    (void)wait_for_count(&turns, TURNS, "turns");
    (void)wait_for_count(&ran, 1, "the tasklet of the interrupt");
    uint64_t late = atomic_load(&in_thread);
    selftest_expect(atomic_load(&turns) == TURNS && late == TURNS - at_once,
                    "%llu turns, %llu of them in ksoftirqd; %d and %llu expected",
                    (unsigned long long)atomic_load(&turns), (unsigned long long)late, TURNS,
                    (unsigned long long)(TURNS - at_once));
    interrupt_here();
    expect_ran(2, "after ksoftirqd has caught up");
}

static void test_handover(void)
{
    struct thread *thread = thread_create_on(arch_cpu(), "hand over", hand_over, NULL);
    if (selftest_expect(thread != NULL, "no thread"))
        thread_join(thread);
}
SELFTEST("softirq-handover", test_handover);

static bool is_still_to_be_made(cpu_t cpu)
{
    (void)cpu;
    return false;
}

/* As when there is no memory for ksoftirqd: what is left goes on at the end of an interrupt. */
static void do_without_thread(void *arg)
{
    (void)arg;
    begin_runs();
    atomic_store(&turns, 0);
    tasklet_init(&busy, again, NULL);
    softirq_set_thread(is_still_to_be_made);
    (void)tasklet_schedule(&busy);
    uint64_t at_once = atomic_load(&turns);
    selftest_expect(at_once < TURNS, "all %d turns were taken at once", TURNS);
    interrupt_here();
    uint64_t then = atomic_load(&turns);
    selftest_expect(then > at_once && atomic_load(&ran) == 1,
                    "%llu turns before an interrupt and %llu after it, of which %llu tasklets ran",
                    (unsigned long long)at_once, (unsigned long long)then,
                    (unsigned long long)atomic_load(&ran));
    ksoftirqd_start();
    (void)wait_for_count(&turns, TURNS, "turns");
}

static void test_without_thread(void)
{
    struct thread *thread = thread_create_on(arch_cpu(), "no thread", do_without_thread, NULL);
    if (selftest_expect(thread != NULL, "no thread"))
        thread_join(thread);
}
SELFTEST("softirq-without-thread", test_without_thread);

/* ---- tasklets -------------------------------------------------------------------------------- */

static _Atomic uint64_t accepted;
static _Atomic uint32_t inside;

/* Takes a while, so that others come meanwhile. */
static void alone(void *arg)
{
    (void)arg;
    atomic_fetch_add(&wrong, atomic_exchange(&inside, 1));
    arch_udelay(3);
    atomic_store(&inside, 0);
    atomic_fetch_add(&ran, 1);
}
static struct tasklet shared = TASKLET(alone, NULL);

static void schedule_shared(struct timer *timer)
{
    (void)timer;
    atomic_fetch_add(&accepted, tasklet_schedule(&shared));
}

/* From this core's thread, and from its timer interrupts. */
static void schedule_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < SCHEDULINGS; i++) {
        struct timer timer = TIMER(schedule_shared);
        timer_start(&timer, (uint64_t)(i % 16) * US);
        atomic_fetch_add(&accepted, tasklet_schedule(&shared));
        (void)timer_cancel(&timer);
        thread_point();
    }
}

static void test_once(void)
{
    begin_runs();
    atomic_store(&accepted, 0);
    on_all_cores(schedule_often, NULL);
    (void)wait_for_count(&ran, atomic_load(&accepted), "runs of what was scheduled");
    expect_runs(atomic_load(&accepted));
}
SELFTEST("tasklet-once", test_once);

static void test_disable(void)
{
    begin_runs();
    tasklet_disable(&counted);
    tasklet_disable_nosync(&counted);
    selftest_expect(tasklet_schedule(&counted), "a disabled tasklet could not be scheduled");
    selftest_expect(!tasklet_schedule(&counted), "it was scheduled twice");
    interrupt_here();
    expect_ran(0, "while it is disabled twice");
    tasklet_enable(&counted);
    interrupt_here();
    expect_ran(0, "while it is disabled once");
    tasklet_enable(&counted);
    expect_ran(1, "enabled again");
    selftest_expect(tasklet_schedule(&counted), "it could not be scheduled anew");
    expect_ran(2, "scheduled anew");
    local_bh_disable();
    (void)tasklet_schedule(&counted);
    tasklet_disable_nosync(&counted); /* it is in the core's list already */
    local_bh_enable();
    expect_ran(2, "disabled after it was scheduled");
    tasklet_enable(&counted);
    expect_ran(3, "enabled after that");
}
SELFTEST("tasklet-disable", test_disable);

static _Atomic bool stop;

static void schedule_until_stopped(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        atomic_fetch_add(&accepted, tasklet_schedule(&shared));
        thread_point();
    }
}

/* Returns: the thread on another core, or NULL if there is none. */
static struct thread *start_beside(void (*fn)(void *))
{
    cpu_t other = cpumask_next(&smp_online, arch_cpu() + 1);
    if (other == CPU_NONE)
        return NULL;
    return thread_create_on(other, "beside", fn, NULL);
}

/* Disabled while another core schedules it, it does not run, nor does it now. */
static void disable_under_fire(void)
{
    tasklet_disable(&shared);
    uint64_t before = atomic_load(&ran);
    selftest_expect(atomic_load(&inside) == 0, "it runs although it is disabled");
    arch_udelay(5);
    expect_ran(before, "while it is disabled");
    tasklet_enable(&shared);
}

/* Against another core that schedules it all the time. */
static void test_kill(void)
{
    begin_runs();
    atomic_store(&accepted, 0);
    atomic_store(&stop, false);
    uint64_t kept = 0;
    struct thread *other = start_beside(schedule_until_stopped);
    for (int i = 0; i < KILLS; i++) {
        local_bh_disable(); /* so that it waits here, if the other does not have it */
        atomic_fetch_add(&accepted, tasklet_schedule(&shared));
        local_bh_enable();
        kept += tasklet_kill(&shared);
        arch_udelay((uint32_t)i % 8);
        disable_under_fire();
    }
    atomic_store(&stop, true);
    if (other != NULL)
        thread_join(other);
    (void)wait_for_count(&ran, atomic_load(&accepted) - kept, "runs of what was not taken back");
    tasklet_disable(&shared);
    selftest_expect(tasklet_schedule(&shared), "it could not be scheduled after it was killed");
    selftest_expect(tasklet_kill(&shared), "what was scheduled was not taken back");
    tasklet_enable(&shared);
    expect_runs(atomic_load(&accepted) - kept);
}
SELFTEST("tasklet-kill", test_kill);

static struct tasklet endless;

static void schedule_itself(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
    (void)tasklet_schedule(&endless);
}

static void schedule_endless(void *arg)
{
    (void)arg;
    (void)tasklet_schedule(&endless);
}

/* One that schedules itself is gone all the same, from this core and from another. */
static void test_kill_endless(void)
{
    begin_runs();
    tasklet_init(&endless, schedule_itself, NULL);
    schedule_endless(NULL);
    (void)tasklet_kill(&endless);
    struct thread *other = start_beside(schedule_endless);
    if (other != NULL)
        thread_join(other);
    (void)tasklet_kill(&endless);
    uint64_t before = atomic_load(&ran);
    selftest_expect(before > 0, "it never ran");
    thread_sleep(MS);
    expect_ran(before, "after it was killed");
}
SELFTEST("tasklet-kill-endless", test_kill_endless);

/* ---- one that waits for another core's ------------------------------------------------------- */

static struct tasklet crossed[2], keeps_off[2];
static _Atomic uint32_t arrived;
static _Atomic uint64_t crossed_ran, crossed_kept;

static void count_crossed(void *arg)
{
    (void)arg;
    atomic_fetch_add(&crossed_ran, 1);
}

static void until_stopped(void *arg)
{
    if (!atomic_load(&stop))
        (void)tasklet_schedule(arg);
}

/* Both cores have left their softirqs to threads that do not get them; on each waits a tasklet that
 * the other one kills. */
static void kill_crosswise(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    tasklet_init(&keeps_off[me], until_stopped, &keeps_off[me]);
    (void)tasklet_schedule(&keeps_off[me]);
    while (!softirq_thread_is_due())
        thread_sleep(100 * US);
    (void)tasklet_schedule(&crossed[me]);
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < 2)
        arch_relax();
    atomic_fetch_add(&crossed_kept, tasklet_kill(&crossed[1 - me]));
    atomic_store(&stop, true);
    (void)tasklet_kill(&keeps_off[me]);
}

static void test_kill_crosswise(void)
{
    cpu_t cpus[2] = {arch_cpu(), cpumask_next(&smp_online, arch_cpu() + 1)};
    struct thread *threads[2];
    if (cpus[1] == CPU_NONE) {
        selftest_skip("needs a second core");
        return;
    }
    atomic_store(&stop, false);
    atomic_store(&arrived, 0);
    atomic_store(&crossed_ran, 0);
    atomic_store(&crossed_kept, 0);
    for (uintptr_t i = 0; i < 2; i++) {
        tasklet_init(&crossed[i], count_crossed, NULL);
        threads[i] = thread_create_on(cpus[i], "crosswise", kill_crosswise,
                                      (void *)i); /* NOLINT(performance-no-int-to-ptr) */
    }
    for (int i = 0; i < 2; i++) {
        if (selftest_expect(threads[i] != NULL, "no thread on core %u", cpus[i]))
            thread_join(threads[i]);
    }
    uint64_t seen = atomic_load(&crossed_ran), kept = atomic_load(&crossed_kept);
    selftest_expect(seen + kept == 2, "2 tasklets, %llu ran and %llu were taken back",
                    (unsigned long long)seen, (unsigned long long)kept);
}
SELFTEST("tasklet-kill-crosswise", test_kill_crosswise);

/* ---- soft timers ----------------------------------------------------------------------------- */

struct soft_timer {
    struct timer timer;
    uint64_t due_ns;
};

static void note_soft(struct timer *timer)
{
    const struct soft_timer *soft = list_entry(timer, struct soft_timer, timer);
    bool right = in_softirq() && !in_hardirq() && arch_irqs_enabled() &&
                 arch_clock_ns() >= soft->due_ns && arch_cpu() == timer->cpu;
    atomic_fetch_add(&wrong, !right);
    atomic_fetch_add(&ran, 1);
}

static void test_soft_timers(void)
{
    static struct soft_timer timers[SOFT_TIMERS];
    begin_runs();
    for (uint64_t i = 0; i < SOFT_TIMERS; i++) {
        uint64_t ns = (i * 3 % SOFT_TIMERS + 1) * 100 * US;
        timers[i] =
            (struct soft_timer){.timer = SOFT_TIMER(note_soft), .due_ns = arch_clock_ns() + ns};
        timer_start(&timers[i].timer, ns);
    }
    (void)wait_for_count(&ran, SOFT_TIMERS, "soft timers");
    expect_runs(SOFT_TIMERS);

    local_bh_disable(); /* its time comes, its softirq does not: it can still be cancelled */
    timer_start(&timers[0].timer, 1);
    interrupt_here();
    selftest_expect(timer_cancel(&timers[0].timer), "a timer that waits was not cancelled");
    local_bh_enable();
    (void)wait_for_count(&ran, SOFT_TIMERS + 1, "the tasklet of the interrupt");
    expect_runs(SOFT_TIMERS + 1);
}
SELFTEST("timer-soft", test_soft_timers);

static uint64_t timer_interrupts(void)
{
    return arch_counter_of(arch_cpu(), ARCH_COUNT_TIMER);
}

/* Starts itself anew, and stays until its time has come again. */
static void start_again(struct timer *timer)
{
    uint64_t before = timer_interrupts(), begin = arch_clock_ns();
    if (atomic_fetch_add(&ran, 1) + 1 == RESTARTS)
        return;
    timer_start(timer, 0);
    while (timer_interrupts() == before && arch_clock_ns() - begin < 100 * MS)
        arch_relax();
}

/* A softirq's rounds are counted, so that threads get their share: no more of it is done in one. */
static void test_soft_rounds(void)
{
    static struct timer timer = SOFT_TIMER(start_again);
    begin_runs();
    cpu_t here = arch_cpu();
    uint64_t before = softirq_count_of(SOFTIRQ_TIMER, here);
    timer_start(&timer, 0);
    (void)wait_for_count(&ran, RESTARTS, "soft timers");
    uint64_t rounds = softirq_count_of(SOFTIRQ_TIMER, here) - before;
    selftest_expect(rounds >= RESTARTS, "%d times, in %llu rounds", RESTARTS,
                    (unsigned long long)rounds);
}
SELFTEST("timer-soft-rounds", test_soft_rounds);

static struct timer stray;

/* Takes a while, so that it is cancelled while it runs, too. */
static void stray_fn(struct timer *timer)
{
    (void)timer;
    atomic_store(&inside, 1);
    arch_udelay(100);
    atomic_store(&inside, 0);
    atomic_fetch_add(&ran, 1);
}

static void start_stray(void *arg)
{
    (void)arg;
    timer_start(&stray, 10 * US);
}

/* Started on another core, cancelled on this one: it has run, or it will not. */
static void test_soft_cancel(void)
{
    begin_runs();
    uint64_t kept = 0;
    cpu_t other = cpumask_next(&smp_online, arch_cpu() + 1);
    if (other == CPU_NONE) {
        selftest_skip("needs a second core");
        return;
    }
    stray = (struct timer)SOFT_TIMER(stray_fn);
    for (uint32_t i = 0; i < CANCELS; i++) {
        (void)call_on(other, start_stray, NULL);
        arch_udelay(i % 20 * 20);
        kept += timer_cancel(&stray);
        selftest_expect(atomic_load(&inside) == 0, "its function runs after the cancel");
    }
    expect_runs(CANCELS - kept);
}
SELFTEST("timer-soft-cancel", test_soft_cancel);
