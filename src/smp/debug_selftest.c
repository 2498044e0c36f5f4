// SPDX-License-Identifier: MIT
/*
 * Each rule that the debug kernel enforces, broken once: the panic must name it. Only when named;
 * the plain kernel skips them.
 */
#include <stdatomic.h>

#include "lib/debug.h"
#include "lib/selftest.h"
#include "lib/spinlock.h"
#include "smp/call.h"
#include "smp/cores.h"

static struct spinlock outer = SPINLOCK(RANK_IRQ, "outer");
static struct spinlock inner = SPINLOCK(RANK_PAGE, "inner");
static struct spinlock open_lock = SPINLOCK(RANK_SYSLOG, "open");

/* Returns: may the test go on? */
static bool in_debug_kernel(void)
{
    if (!DEBUG_KERNEL)
        selftest_skip("needs the debug kernel");
    return DEBUG_KERNEL;
}

/* A core beside this one, or CPU_NONE. */
static cpu_t other_core(void)
{
    cpu_t last = arch_cpu_count() - 1;
    if (!in_debug_kernel())
        return CPU_NONE;
    if (last != 0 && cpumask_test(&smp_online, last))
        return last;
    selftest_skip("needs a second core");
    return CPU_NONE;
}

/* ---- the order ------------------------------------------------------------------------------- */

static void test_order(void)
{
    if (!in_debug_kernel())
        return;
    arch_irq_disable();
    spin_lock(&inner);
    spin_lock(&outer);
}
SELFTEST_ON_REQUEST("debug-lock-order", test_order);

static void test_twice(void)
{
    if (!in_debug_kernel())
        return;
    arch_irq_disable();
    spin_lock(&inner);
    spin_lock(&inner);
}
SELFTEST_ON_REQUEST("debug-lock-twice", test_twice);

static void test_unheld(void)
{
    if (in_debug_kernel())
        spin_unlock(&open_lock);
}
SELFTEST_ON_REQUEST("debug-unlock-unheld", test_unheld);

/* ---- the interrupt flag ---------------------------------------------------------------------- */

static void test_irqs_on(void)
{
    if (in_debug_kernel())
        spin_lock(&inner);
}
SELFTEST_ON_REQUEST("debug-lock-irqs-on", test_irqs_on);

static void test_irqs_off(void)
{
    if (!in_debug_kernel())
        return;
    arch_irq_disable();
    spin_lock(&open_lock);
}
SELFTEST_ON_REQUEST("debug-lock-irqs-off", test_irqs_off);

static void test_unlock_irqs_on(void)
{
    if (!in_debug_kernel())
        return;
    arch_irq_disable();
    spin_lock(&inner);
    arch_irq_enable();
    spin_unlock(&inner);
}
SELFTEST_ON_REQUEST("debug-unlock-irqs-on", test_unlock_irqs_on);

static void test_irq_under_lock(void)
{
    if (!in_debug_kernel())
        return;
    arch_irq_disable();
    spin_lock(&inner);
    (void)arch_ipi_send(arch_cpu(), ARCH_VECTOR_RESCHEDULE);
    arch_irq_enable();
    for (;;)
        arch_relax();
}
SELFTEST_ON_REQUEST("debug-irq-under-lock", test_irq_under_lock);

/* ---- handlers and the idle loop -------------------------------------------------------------- */

static void keep_lock(void *arg)
{
    (void)arg;
    spin_lock(&inner);
}

static void turn_irqs_on(void *arg)
{
    (void)arg;
    arch_irq_enable();
}

/* The call may have come back when its handler's end is looked at: wait here for the panic. */
static void call_other(void (*fn)(void *))
{
    cpu_t cpu = other_core();
    if (cpu == CPU_NONE)
        return;
    (void)call_on(cpu, fn, NULL);
    for (;;)
        arch_relax();
}

static void test_handler_keeps_lock(void)
{
    call_other(keep_lock);
}
SELFTEST_ON_REQUEST("debug-handler-keeps-lock", test_handler_keeps_lock);

static void test_handler_irqs_on(void)
{
    call_other(turn_irqs_on);
}
SELFTEST_ON_REQUEST("debug-handler-irqs-on", test_handler_irqs_on);

static void keep_open_lock(void *arg)
{
    (void)arg;
    spin_lock(&open_lock);
}

static void test_idle_with_lock(void)
{
    cpu_t cpu = other_core();
    if (cpu == CPU_NONE)
        return;
    (void)core_job_start(cpu, keep_open_lock, NULL);
    for (;;)
        arch_relax();
}
SELFTEST_ON_REQUEST("debug-idle-with-lock", test_idle_with_lock);

static void start_a_job(void *arg)
{
    (void)core_job_start(*(const cpu_t *)arg, keep_open_lock, NULL);
}

static void test_context(void)
{
    cpu_t cpu = other_core();
    if (cpu != CPU_NONE)
        (void)call_on(cpu, start_a_job, &cpu);
}
SELFTEST_ON_REQUEST("debug-context", test_context);

/* ---- reports --------------------------------------------------------------------------------- */

static _Atomic bool holds;

static void hold_and_spin(void *arg)
{
    (void)arg;
    spin_lock(&open_lock);
    atomic_store_explicit(&holds, true, memory_order_relaxed);
    for (;;)
        arch_relax();
}

/* Have another core hold the open lock. Returns: false if there is none. */
static bool make_other_hold(void)
{
    cpu_t cpu = other_core();
    if (cpu == CPU_NONE)
        return false;
    (void)core_job_start(cpu, hold_and_spin, NULL);
    while (!atomic_load_explicit(&holds, memory_order_relaxed))
        arch_relax();
    return true;
}

static void test_panic_held(void)
{
    if (!make_other_hold())
        return;
    arch_irq_disable();
    spin_lock(&outer);
    spin_lock(&inner);
    panic("asked for with locks held");
}
SELFTEST_ON_REQUEST("debug-panic-held", test_panic_held);

static void test_wait_for_held(void)
{
    if (make_other_hold())
        spin_lock(&open_lock);
}
SELFTEST_ON_REQUEST("debug-wait-for-held", test_wait_for_held);
