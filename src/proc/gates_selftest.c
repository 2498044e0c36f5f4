// SPDX-License-Identifier: MIT
/*
 * Both gates under fire: a program calls them in turn without a pause (gates_selftest.asm) while
 * every other core sends NMIs to its core as fast as it can, and rings it; the timer strikes too.
 * It must end well, which means that no register, flag or vector changed, and every ring must
 * count.
 */
#include <stdatomic.h>

#include "irq/timer.h"
#include "lib/errno.h"
#include "lib/selftest.h"
#include "proc/process.h"
#include "smp/cores.h"
#include "smp/ipi.h"
#include "smp/where.h"

enum { VECTOR = 100, NMIS_ENOUGH = 1000, RING_EVERY = 4, TIMER_EVERY = 2, TIMER_NS = 5000 };
#define CODE UINT64_C(0x400000)
#define STACK UINT64_C(0x500000)
#define STACK_BYTES ((size_t)2 * PAGE_SIZE)
#define STACK_POINTER (STACK + STACK_BYTES - 64)
#define FIRE_NS UINT64_C(500000000)
#define FIRE_NS_MAX UINT64_C(120000000000)

extern const uint8_t gates_program[], gates_program_end[]; /* gates_selftest.asm */

static cpu_t target;
static _Atomic uint32_t *stop; /* the program's word */
static uint64_t nmis_before, since_ns;
static _Atomic uint64_t rings_sent, rings_taken;

static void do_nothing(struct timer *timer)
{
    (void)timer;
}

static struct timer tick = TIMER(do_nothing); /* one interrupt more */

static void count_rings(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)cookie;
    static unsigned interrupts; /* this core's alone */
    atomic_fetch_add_explicit(&rings_taken, count, memory_order_relaxed);
    if (++interrupts % TIMER_EVERY != 0)
        return;
    (void)timer_cancel(&tick);
    timer_start(&tick, TIMER_NS);
}

/* Time enough for what strikes, and NMIs enough; on a slow machine not for ever. */
static bool had_enough(void)
{
    uint64_t ns = arch_clock_ns() - since_ns;
    return (ns > FIRE_NS && arch_nmi_count(target) - nmis_before >= NMIS_ENOUGH) ||
           ns > FIRE_NS_MAX;
}

static void fire(void *arg)
{
    (void)arg;
    for (unsigned i = 0; atomic_load_explicit(stop, memory_order_relaxed) == 0; i++) {
        (void)arch_ipi_send_nmi(target);
        if (i % RING_EVERY == 0 && ipi_send((int)target, VECTOR) == 0)
            atomic_fetch_add_explicit(&rings_sent, 1, memory_order_relaxed);
        if (had_enough())
            atomic_store_explicit(stop, 1, memory_order_relaxed);
    }
}

static int load(struct space *space)
{
    size_t bytes = (size_t)(gates_program_end - gates_program);
    int error = space_map(space, CODE, bytes, PROT_X);
    if (error == 0)
        error = space_write(space, CODE, gates_program, bytes);
    if (error == 0)
        error = space_map(space, STACK, STACK_BYTES, PROT_W);
    void *at = NULL;
    if (error == 0)
        error = space_at(space, STACK_POINTER, 0, &at);
    stop = at;
    return error;
}

/* In place of the report of an NMI that nobody asked for. */
static void count_only(void)
{
}

static void run_under_fire(struct process *process)
{
    where_set_nmi_hook(count_only);
    target = arch_cpu();
    since_ns = arch_clock_ns();
    nmis_before = arch_nmi_count(target);
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != target)
            selftest_expect(core_job_start(cpu, fire, NULL) == 0, "core %u has no job", cpu);
    }
    process_run_loaded(process, CODE, STACK_POINTER);
    atomic_store_explicit(stop, 1, memory_order_relaxed); /* it may have ended otherwise */
    cpumask_for_each (cpu, &smp_online) {
        while (!core_job_done(cpu))
            arch_relax();
    }
    where_set_nmi_hook(NULL);
}

static void test_gates_under_fire(void)
{
    struct process process = {.pid = PROCESS_INIT_PID, .name = "gates"};
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    process.space = space_create();
    if (!selftest_expect(process.space != NULL, "no memory"))
        return;
    int irq = ipi_register_handler(VECTOR, "gates selftest", count_rings);
    int error = arch_thread_prepare_user(&thread_current()->arch);
    if (error == 0)
        error = load(process.space);
    if (selftest_expect(irq >= 0 && error == 0, "irq %d, loading %d", irq, error))
        run_under_fire(&process);
    if (irq >= 0)
        (void)ipi_unregister(VECTOR);
    (void)timer_cancel(&tick);
    space_put(process.space);

    uint64_t nmis = arch_nmi_count(target) - nmis_before;
    unsigned long long sent = atomic_load(&rings_sent), taken = atomic_load(&rings_taken);
    selftest_expect(!process.end.by_signal && process.end.value == 0, "%s %d, 0 was due",
                    process.end.by_signal ? "signal" : "status", process.end.value);
    selftest_expect(nmis >= NMIS_ENOUGH, "%llu NMIs in %llu s, %d were due",
                    (unsigned long long)nmis, FIRE_NS_MAX / 1000000000ULL, NMIS_ENOUGH);
    selftest_expect(sent > 0 && sent == taken, "%llu rings sent, %llu taken", sent, taken);
    selftest_note("%llu NMIs, %llu rings", (unsigned long long)nmis, taken);
}
SELFTEST("gates-under-fire", test_gates_under_fire);
