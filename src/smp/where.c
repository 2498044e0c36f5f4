// SPDX-License-Identifier: MIT
/*
 * Each core finds out in its own NMI where it was (arch_ask_where), and one core logs all answers,
 * so that no two backtraces mix. There is one report at a time. Nobody waits for its end: an NMI
 * may have interrupted the very core that makes it.
 *
 * An NMI from outside reaches every core whose LINT1 is open, which is each of ours; some chipsets
 * send it to the boot core alone. So such NMIs are counted by each core, the highest of these
 * counts is the number of events, and the core that raises it is the one that reports.
 */
#include "smp/where.h"

#include <stdatomic.h>

#include "lib/backtrace.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "smp/cores.h"

static const char all_cores[] = "nmi: from outside; where each core is:";

enum { ANSWER_WAIT_US = 100000, POLL_US = 10 };
#define REPORT_EVERY_NS UINT64_C(1000000000)

static _Atomic bool reporting;
static uint32_t answers_before[MAX_CPUS]; /* its who set `reporting` */

static _Atomic uint64_t events;         /* NMIs from outside */
static _Atomic uint64_t counted;        /* those of them that where_tell_counted() is to tell */
static _Atomic uint64_t next_report_ns; /* not before this time */
static void (*_Atomic nmi_hook)(void);

/* ---- one report ------------------------------------------------------------------------------ */

static void ask_cores(const struct cpumask *cores)
{
    cpumask_for_each (cpu, cores) {
        answers_before[cpu] = arch_where_answers(cpu);
        if (cpu == arch_cpu())
            arch_note_where();
        else
            (void)arch_ask_where(cpu); /* one that it did not reach will not answer */
    }
}

static bool has_answered(cpu_t cpu)
{
    return arch_where_answers(cpu) != answers_before[cpu];
}

static void wait_for_answers(const struct cpumask *cores)
{
    int left = ANSWER_WAIT_US / POLL_US; /* for all of them together */
    cpumask_for_each (cpu, cores) {
        for (; !has_answered(cpu) && left > 0; left--)
            arch_udelay(POLL_US);
    }
}

static void log_core(cpu_t cpu)
{
    const struct arch_where *where = arch_where(cpu);
    if (!has_answered(cpu)) {
        log_warn("core %u does not answer an NMI", cpu);
        return;
    }
    log_warn("core %u is at %#llx, in %s, interrupts %s", cpu, (unsigned long long)where->pc,
             where->in_user ? "ring 3" : "the kernel", where->irqs_on ? "on" : "off");
    backtrace_log_calls(LOG_WARNING, where->calls, where->count);
}

/* A core that is idle shows the log when it looks whether it has work; this one may not be able to.
 */
static void have_it_shown(void)
{
    cpumask_for_each (cpu, &smp_online)
        (void)arch_ipi_send_from_nmi(cpu, ARCH_VECTOR_RESCHEDULE);
}

/* `heading` may be NULL. */
static bool report_cores(const struct cpumask *cores, const char *heading)
{
    /* acquire, and the release below: answers_before */
    if (atomic_exchange_explicit(&reporting, true, memory_order_acquire))
        return false;
    if (heading != NULL)
        log_warn("%s", heading);
    ask_cores(cores);
    wait_for_answers(cores);
    cpumask_for_each (cpu, cores)
        log_core(cpu);
    if (heading != NULL)
        log_warn("nmi: end of report");
    atomic_store_explicit(&reporting, false, memory_order_release);
    have_it_shown();
    return true;
}

bool where_report(const struct cpumask *cores)
{
    return report_cores(cores, NULL);
}

bool where_report_core(cpu_t cpu)
{
    struct cpumask one = {0};
    if (cpu == arch_cpu())
        return false;
    cpumask_set(&one, cpu);
    return report_cores(&one, NULL);
}

/* ---- NMIs from outside ----------------------------------------------------------------------- */

void where_set_nmi_hook(void (*fn)(void))
{
    atomic_store_explicit(&nmi_hook, fn, memory_order_release);
}

/* Has this core taken more of them than any other has? Then this is a new event. */
static bool is_new_event(void)
{
    uint64_t mine = arch_nmi_count(arch_cpu());
    uint64_t most = atomic_load_explicit(&events, memory_order_relaxed);
    while (mine > most) {
        if (atomic_compare_exchange_weak_explicit(&events, &most, mine, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

/* Returns: true for one caller a second. */
static bool is_time(void)
{
    uint64_t now = arch_clock_ns();
    uint64_t next = atomic_load_explicit(&next_report_ns, memory_order_relaxed);
    return now >= next &&
           atomic_compare_exchange_strong_explicit(&next_report_ns, &next, now + REPORT_EVERY_NS,
                                                   memory_order_relaxed, memory_order_relaxed);
}

void nmi_from_outside(void)
{
    void (*hook)(void) = atomic_load_explicit(&nmi_hook, memory_order_acquire);
    if (panic_is_here())
        return; /* it says all that there is to say */
    if (hook != NULL)
        hook();
    else if (is_new_event() && !(is_time() && report_cores(&smp_online, all_cores)))
        atomic_fetch_add_explicit(&counted, 1, memory_order_relaxed);
}

void where_tell_counted(void)
{
    uint64_t more = atomic_exchange_explicit(&counted, 0, memory_order_relaxed);
    if (more > 0)
        log_warn("nmi: %llu more from outside, counted only: there is one report a second",
                 (unsigned long long)more);
}
