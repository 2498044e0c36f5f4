// SPDX-License-Identifier: MIT
/*
 * The boot core looks at the others in its scan. Somebody else has to look at the boot core: its
 * guard, another core with a timer of its own, which runs only while the boot core is awake or
 * silent. The boot core appoints it when a scan finds that it interrupted something; and a core
 * whose timer fires for whatever reason appoints itself when the last scan is long past.
 *
 * A debugger, or whoever stops the whole machine, stops the looks too: each adds the time since the
 * one before it to a silence, but never more than LOOK_MAX_NS, and one look is never enough.
 */
#include "smp/watchdog.h"

#include <stdatomic.h>

#include "irq/timer.h"
#include "lib/log.h"
#include "smp/call.h"
#include "smp/cores.h"
#include "smp/where.h"

enum { BOOT_CORE = 0, LOOKS_MIN = 2 };
#define NS_PER_SECOND UINT64_C(1000000000)
#define LOOK_MIN_NS (NS_PER_SECOND / 2)
#define LOOK_NS (NS_PER_SECOND * 9 / 10)
#define LOOK_MAX_NS (NS_PER_SECOND * 3 / 2)
#define SCAN_OVERDUE_NS (3 * NS_PER_SECOND)

/* What is known of a core. P: who looks at it, but for what the atomics tell others. */
struct watched {
    struct core_call question;
    uint64_t last_look_ns;
    uint64_t silent_ns; /* without an answer, counted in looks */
    unsigned looks;     /* how many */
    _Atomic bool reported;
    _Atomic bool appointed; /* by the boot core, to be its guard */
};

static DEFINE_PERCPU(struct watched, watched);
static DEFINE_PERCPU(struct timer, guard_timer); /* P: this core */
static uint64_t limit_ns;                        /* I: 0: nobody is watched */
static bool (*core_is_idle)(cpu_t cpu);          /* I */
static _Atomic bool guarded;
static _Atomic uint64_t last_scan_ns;
static cpu_t last_guard; /* P: boot core */

/* ---- looking --------------------------------------------------------------------------------- */

/* Taking the call is the answer. */
static void take_question(void *arg)
{
    (void)arg;
}

static bool is_asleep(cpu_t cpu)
{
    return core_is_idle(cpu) && !arch_in_interrupt(cpu);
}

static void end_silence(struct watched *core, cpu_t cpu)
{
    if (atomic_load_explicit(&core->reported, memory_order_relaxed))
        log_warn("watchdog: core %u answers again, after %llu s", cpu,
                 (unsigned long long)(core->silent_ns / NS_PER_SECOND));
    atomic_store_explicit(&core->reported, false, memory_order_relaxed);
    core->silent_ns = 0;
    core->looks = 0;
}

static void report_silence(struct watched *core, cpu_t cpu)
{
    log_warn("watchdog: core %u has not answered for %llu s", cpu,
             (unsigned long long)(core->silent_ns / NS_PER_SECOND));
    (void)where_report_core(cpu); /* else a report is made, of all cores */
    atomic_store_explicit(&core->reported, true, memory_order_relaxed);
}

static void look_at_core(cpu_t cpu)
{
    struct watched *core = percpu_of(cpu, watched);
    uint64_t now = arch_clock_ns(), passed = now - core->last_look_ns;
    if (core->last_look_ns != 0 && passed < LOOK_MIN_NS)
        return;
    core->last_look_ns = now;
    /* acquire: it has taken the question */
    if (!atomic_load_explicit(&core->question.busy, memory_order_acquire)) {
        end_silence(core, cpu);
        if (!is_asleep(cpu))
            (void)call_on_async(&core->question, cpu);
        return;
    }
    call_kick(cpu); /* should the interrupt be lost, it shall not be for that */
    core->silent_ns += passed < LOOK_MAX_NS ? passed : LOOK_MAX_NS;
    core->looks++;
    if (core->looks >= LOOKS_MIN && core->silent_ns >= limit_ns && !watchdog_has_reported(cpu))
        report_silence(core, cpu);
}

/* ---- who looks at the boot core -------------------------------------------------------------- */

static void guard(struct timer *timer)
{
    look_at_core(BOOT_CORE);
    const struct core_call *question = &percpu_of(BOOT_CORE, watched)->question;
    if (atomic_load_explicit(&question->busy, memory_order_relaxed) || !is_asleep(BOOT_CORE))
        timer_start(timer, LOOK_NS);
    else
        atomic_store_explicit(&guarded, false, memory_order_release);
}

/* Be the guard, unless there is one. */
static void become_guard(void)
{
    struct timer *timer = this_cpu_ptr(guard_timer);
    timer->fn = guard;
    /* acquire: pairs with the last guard's release; the boot core's `watched` is ours */
    if (!atomic_exchange_explicit(&guarded, true, memory_order_acquire))
        timer_start(timer, LOOK_NS);
}

/* The next online core in turn, so that one which does not answer is not asked for ever. By the
 * timer's vector: what a call runs may start no timer, for its core may be waiting for a lock. */
static void appoint_guard(void)
{
    cpu_t next = cpumask_next(&smp_online, last_guard + 1);
    if (next == CPU_NONE)
        next = cpumask_next(&smp_online, BOOT_CORE + 1);
    if (next == CPU_NONE)
        return; /* there is nobody else */
    last_guard = next;
    atomic_store_explicit(&percpu_of(last_guard, watched)->appointed, true, memory_order_release);
    (void)arch_ipi_send(last_guard, ARCH_VECTOR_TIMER); /* lost: the next scan asks the next core */
}

static bool scan_is_overdue(void)
{
    uint64_t last = atomic_load_explicit(&last_scan_ns, memory_order_relaxed);
    uint64_t now = arch_clock_ns();
    return now > last && now - last > SCAN_OVERDUE_NS;
}

void watchdog_timer_interrupt(void)
{
    if (limit_ns == 0 || arch_cpu() == BOOT_CORE || watchdog_is_guarded())
        return;
    _Atomic bool *appointed = &this_cpu_ptr(watched)->appointed;
    /* acquire: pairs with appoint_guard() */
    if (atomic_load_explicit(appointed, memory_order_acquire) || scan_is_overdue()) {
        atomic_store_explicit(appointed, false, memory_order_relaxed);
        become_guard();
    }
}

/* ---- the scan's part ------------------------------------------------------------------------- */

void watchdog_scan(void)
{
    if (limit_ns == 0)
        return;
    atomic_store_explicit(&last_scan_ns, arch_clock_ns(), memory_order_relaxed);
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != BOOT_CORE)
            look_at_core(cpu);
    }
    if (!core_is_idle(BOOT_CORE) && !watchdog_is_guarded())
        appoint_guard();
}

void watchdog_start(uint32_t seconds, bool (*is_idle)(cpu_t cpu))
{
    core_is_idle = is_idle;
    cpumask_for_each (cpu, &smp_online)
        percpu_of(cpu, watched)->question.fn = take_question;
    atomic_store_explicit(&last_scan_ns, arch_clock_ns(), memory_order_relaxed);
    uint64_t flags = arch_irq_save(); /* the scan is running */
    limit_ns = seconds * NS_PER_SECOND;
    arch_irq_restore(flags);
}

bool watchdog_has_reported(cpu_t cpu)
{
    return atomic_load_explicit(&percpu_of(cpu, watched)->reported, memory_order_relaxed);
}

bool watchdog_is_guarded(void)
{
    return atomic_load_explicit(&guarded, memory_order_relaxed);
}
