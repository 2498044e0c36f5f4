// SPDX-License-Identifier: MIT
/*
 * Call-on-core and jobs, tested from inside: every call runs once, where it should, and cores that
 * call each other with interrupts off do not wait for ever.
 */
#include <stdatomic.h>

#include "lib/errno.h"
#include "lib/selftest.h"
#include "smp/call.h"
#include "smp/cores.h"

/* Rounds of the storm are divided among the pairs: with more cores than the host has, each call
 * costs a turn of the host's scheduler. */
enum { STORM_PAIR_CALLS = 1500, ASYNC_CALLS = 1000 };

static uint64_t storm_rounds(void)
{
    uint64_t cores = smp_online_count();
    return STORM_PAIR_CALLS / (cores * cores) + 1;
}

static _Atomic uint64_t calls;
static _Atomic uint64_t wrong_place;

static void note_call(void *arg)
{
    const cpu_t *expected = arg;
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    if ((expected != NULL && *expected != arch_cpu()) || arch_irqs_enabled())
        atomic_fetch_add_explicit(&wrong_place, 1, memory_order_relaxed);
}

static void begin(void)
{
    atomic_store(&calls, 0);
    atomic_store(&wrong_place, 0);
}

static void expect_calls(uint64_t expected)
{
    selftest_expect(atomic_load(&calls) == expected, "%llu calls expected, %llu seen",
                    (unsigned long long)expected, (unsigned long long)atomic_load(&calls));
    selftest_expect(atomic_load(&wrong_place) == 0,
                    "%llu calls ran on the wrong core or with interrupts on",
                    (unsigned long long)atomic_load(&wrong_place));
}

static void test_one_and_many(void)
{
    begin();
    cpumask_for_each (cpu, &smp_online) {
        int error = call_on(cpu, note_call, &cpu);
        selftest_expect(error == 0, "call_on(%u): 0 expected, %d seen", cpu, error);
    }
    expect_calls(smp_online_count());
    int error = call_on(arch_cpu_count(), note_call, NULL);
    selftest_expect(error == -ENXIO, "call_on(ncores): -ENXIO expected, %d seen", error);
    begin();
    cpu_t ran = call_on_many(&smp_online, note_call, NULL);
    selftest_expect(ran == smp_online_count(), "call_on_many: %u expected, %u seen",
                    smp_online_count(), ran);
    expect_calls(smp_online_count());
}
SELFTEST("call-one-and-many", test_one_and_many);

static void test_async(void)
{
    static struct core_call call = {.fn = note_call};
    begin();
    uint64_t sent = 0;
    for (int i = 0; i < ASYNC_CALLS; i++) {
        cpumask_for_each (cpu, &smp_online) {
            while (call_on_async(&call, cpu) == -EBUSY)
                arch_relax();
            sent++;
        }
    }
    cpumask_for_each (cpu, &smp_online) /* what is before these in an inbox has run after them */
        (void)call_on(cpu, note_call, NULL);
    while (atomic_load_explicit(&call.busy, memory_order_acquire))
        arch_relax();
    expect_calls(sent + smp_online_count());
}
SELFTEST("call-async", test_async);

/* Every core calls every core, half of the time with interrupts off. */
static void call_everyone(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < storm_rounds(); i++) {
        uint64_t flags = arch_irq_save();
        if (i % 2 == 0)
            arch_irq_restore(flags);
        cpumask_for_each (cpu, &smp_online)
            (void)call_on(cpu, note_call, NULL);
        arch_irq_restore(flags);
    }
}

static void test_storm(void)
{
    begin();
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != arch_cpu())
            (void)core_job_start(cpu, call_everyone, NULL);
    }
    call_everyone(NULL);
    cpumask_for_each (cpu, &smp_online) {
        while (!core_job_done(cpu))
            arch_relax();
    }
    uint64_t cores = smp_online_count();
    expect_calls(storm_rounds() * cores * cores);
}
SELFTEST("call-storm", test_storm);

static _Atomic bool hold_job;

static void job_that_waits(void *arg)
{
    (void)arg;
    while (atomic_load(&hold_job))
        arch_relax();
}

static void test_jobs(void)
{
    int error = core_job_start(arch_cpu(), job_that_waits, NULL);
    selftest_expect(error == -ENXIO, "a job for oneself: -ENXIO expected, %d seen", error);
    cpumask_for_each (cpu, &smp_online) {
        if (cpu == arch_cpu())
            continue;
        atomic_store(&hold_job, true);
        error = core_job_start(cpu, job_that_waits, NULL);
        selftest_expect(error == 0, "core %u: 0 expected, %d seen", cpu, error);
        error = core_job_start(cpu, job_that_waits, NULL);
        selftest_expect(error == -EBUSY, "core %u, slot taken: -EBUSY expected, %d seen", cpu,
                        error);
        atomic_store(&hold_job, false);
        while (!core_job_done(cpu))
            arch_relax();
    }
}
SELFTEST("core-jobs", test_jobs);
