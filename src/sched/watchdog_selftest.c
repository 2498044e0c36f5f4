// SPDX-License-Identifier: MIT
/*
 * Cores that spin with interrupts off until the watchdog has reported them. Only when named: each
 * takes as long as watchdog= says and some seconds more. One waits for a key to be pressed, too.
 */
#include "irq/irq.h"
#include "lib/selftest.h"
#include "sched/thread.h"
#include "smp/call.h"
#include "smp/cores.h"
#include "smp/watchdog.h"

#define DEAF_MAX_NS UINT64_C(30000000000)
#define SETTLE_NS UINT64_C(50000000)

static bool wait_reported(cpu_t cpu, bool reported)
{
    uint64_t start = arch_clock_ns();
    while (watchdog_has_reported(cpu) != reported) {
        if (arch_clock_ns() - start > DEAF_MAX_NS)
            return false;
        arch_relax();
    }
    return true;
}

static void be_deaf(void *arg)
{
    bool *reported = arg;
    uint64_t flags = arch_irq_save();
    *reported = wait_reported(arch_cpu(), true);
    arch_irq_restore(flags);
}

static void test_lockup(void)
{
    cpu_t last = arch_cpu_count() - 1;
    bool reported = false;
    if (core_job_start(last, be_deaf, &reported) != 0) {
        selftest_skip("needs a second core");
        return;
    }
    while (!core_job_done(last))
        arch_relax();
    selftest_expect(reported, "core %u was deaf, and nobody reported it", last);
    selftest_expect(wait_reported(last, false), "core %u has answered, and nobody says so", last);
}
SELFTEST_ON_REQUEST("lockup", test_lockup);

/* ---- the core that takes the console's interrupts -------------------------------------------- */

enum { ISA_IRQ_KEYBOARD = 1, ISA_IRQ_COM1 = 4 };

struct deaf_until_key {
    uint32_t irq; /* the keyboard's */
    bool pressed;
};

static uint64_t keys(const struct deaf_until_key *wait)
{
    return irq_stat_of(wait->irq, 0).interrupts;
}

/* Who has read the report presses a key; this core does not come back before. */
static void be_deaf_until_key(void *arg)
{
    struct deaf_until_key *wait = arg;
    uint64_t before = keys(wait), flags = arch_irq_save(), start = arch_clock_ns();
    while (!wait->pressed && arch_clock_ns() - start < DEAF_MAX_NS) {
        wait->pressed = keys(wait) != before;
        arch_relax();
    }
    arch_irq_restore(flags);
}

static bool move_irq(uint8_t isa_irq, cpu_t cpu)
{
    struct cpumask only = {0};
    cpumask_set(&only, cpu);
    int irq = irq_of_isa(isa_irq);
    return irq >= 0 && irq_set_affinity((uint32_t)irq, &only) == 0;
}

static void test_lockup_serial(void)
{
    cpu_t last = arch_cpu_count() - 1;
    struct deaf_until_key wait = {.pressed = false};
    if (last == 0 || !move_irq(ISA_IRQ_KEYBOARD, 0) || !move_irq(ISA_IRQ_COM1, last)) {
        selftest_skip("needs a second core, and the interrupts of COM1 and the keyboard");
        return;
    }
    wait.irq = (uint32_t)irq_of_isa(ISA_IRQ_KEYBOARD);
    if (core_job_start(last, be_deaf_until_key, &wait) != 0) {
        selftest_skip("needs a second core");
        return;
    }
    while (!core_job_done(last))
        thread_point();
    selftest_expect(wait.pressed, "nobody has pressed a key while core %u was deaf", last);
}
SELFTEST_ON_REQUEST("lockup-serial", test_lockup_serial);

/* ---- the boot core --------------------------------------------------------------------------- */

static void test_lockup_boot_core(void)
{
    bool reported = false;
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    uint64_t start = arch_clock_ns();
    while (!watchdog_is_guarded() && arch_clock_ns() - start < DEAF_MAX_NS)
        arch_relax();
    if (!selftest_expect(watchdog_is_guarded(), "the boot core is awake, and nobody guards it"))
        return;
    be_deaf(&reported);
    selftest_expect(reported, "the boot core was deaf, and nobody reported it");
    selftest_expect(wait_reported(0, false), "the boot core answers, and nobody says so");
}
SELFTEST_ON_REQUEST("lockup-boot-core", test_lockup_boot_core);

/* On core 1, while the boot core has nothing to do: make it deaf in an interrupt, and sleep in
 * small pieces, so that the timer of a core other than the boot core goes on. */
static void strike_the_idle_boot_core(void *arg)
{
    static bool reported;
    static struct core_call call = {.fn = be_deaf, .arg = &reported};
    bool *seen = arg;
    thread_sleep(SETTLE_NS);
    (void)call_on_async(&call, 0);
    uint64_t start = arch_clock_ns();
    while (!watchdog_has_reported(0) && arch_clock_ns() - start < DEAF_MAX_NS)
        thread_sleep(SETTLE_NS);
    *seen = watchdog_has_reported(0);
}

static void test_lockup_idle_boot_core(void)
{
    bool seen = false;
    struct thread *thread = thread_create_on(1, "striker", strike_the_idle_boot_core, &seen);
    if (thread == NULL) {
        selftest_skip("needs a second core");
        return;
    }
    thread_join(thread);
    selftest_expect(seen, "the boot core was deaf in an interrupt, and nobody reported it");
    selftest_expect(wait_reported(0, false), "the boot core answers, and nobody says so");
}
SELFTEST_ON_REQUEST("lockup-idle-boot-core", test_lockup_idle_boot_core);
