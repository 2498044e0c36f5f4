// SPDX-License-Identifier: MIT
/*
 * models/nmi.pml, with delays at its steps: all other cores ask the boot core by NMI, again and
 * again. Each question is answered after it was asked, and no NMI is taken for one from outside.
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/trap.h"
#include "lib/selftest.h"
#include "smp/cores.h"
#include "smp/delay_selftest.h"
#include "smp/where.h"

enum { ASKS = 2000 };
#define ANSWER_WAIT_NS UINT64_C(2000000000)

static const struct delays delays = {
    .steps = DELAY_RANGE(DELAY_N1, DELAY_N4), .one_in = 2, .longest_ns = 50000};

static cpu_t asked_core;
static _Atomic uint64_t begun; /* answers that have begun */
static _Atomic uint32_t unanswered, unsent;

static void begin_answer(const struct trap_frame *frame)
{
    (void)frame;
    atomic_fetch_add(&begun, 1);
    arch_udelay(1); /* time for another question to come in its midst */
}

static bool answered_after(uint64_t before)
{
    uint64_t start = arch_clock_ns();
    while (atomic_load(&begun) == before) {
        if (arch_clock_ns() - start > ANSWER_WAIT_NS)
            return false;
        arch_relax();
    }
    return true;
}

/* Stops at the first question without an answer. */
static void ask(void *arg)
{
    (void)arg;
    for (int i = 0; i < ASKS && atomic_load(&unanswered) == 0; i++) {
        uint64_t before = atomic_load(&begun);
        if (trap_ask_by_nmi(asked_core, begin_answer) != 0)
            atomic_fetch_add(&unsent, 1);
        else if (!answered_after(before))
            atomic_fetch_add(&unanswered, 1);
    }
}

static void count_only(void)
{
}

static void ask_from_everywhere(void)
{
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != asked_core)
            (void)core_job_start(cpu, ask, NULL);
    }
    cpumask_for_each (cpu, &smp_online) {
        while (!core_job_done(cpu))
            arch_relax();
    }
}

static void test_nmi(void)
{
    if (!delay_test_begin(&delays))
        return;
    asked_core = arch_cpu();
    atomic_store(&unanswered, 0);
    atomic_store(&unsent, 0);
    where_set_nmi_hook(count_only);
    uint64_t before = arch_nmi_count(asked_core);
    ask_from_everywhere();
    uint64_t from_outside = arch_nmi_count(asked_core) - before;
    where_set_nmi_hook(NULL);
    delay_test_end();
    selftest_expect(atomic_load(&unanswered) == 0, "a question was not answered");
    selftest_expect(atomic_load(&unsent) == 0, "%u NMIs could not be sent", atomic_load(&unsent));
    selftest_expect(from_outside == 0, "%llu NMIs were taken for such from outside",
                    (unsigned long long)from_outside);
}
SELFTEST("delay-nmi", test_nmi);
