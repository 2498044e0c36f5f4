// SPDX-License-Identifier: MIT
/*
 * Where a running core is: asked by an NMI, which reaches it whatever it does, and found out by the
 * core itself, since its stack is at rest in its own NMI alone.
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/backtrace.h"
#include "arch/x86_64/trap.h"

static DEFINE_PERCPU(struct arch_where, where);
static DEFINE_PERCPU(_Atomic uint32_t, answers);

static void note_where(const struct trap_frame *frame)
{
    struct arch_where *here = this_cpu_ptr(where);
    here->pc = frame->rip;
    here->in_user = trap_from_user(frame);
    here->irqs_on = (frame->rflags & X86_FLAGS_IF) != 0;
    here->count = backtrace_from(frame, ARCH_CALL_HERE, here->calls, ARCH_WHERE_CALLS);
    /* release: who sees the new number finds the answer complete */
    atomic_fetch_add_explicit(this_cpu_ptr(answers), 1, memory_order_release);
}

int arch_ask_where(cpu_t cpu)
{
    return trap_ask_by_nmi(cpu, note_where);
}

void arch_note_where(void)
{
    note_where(trap_nmi_frame());
}

uint32_t arch_where_answers(cpu_t cpu)
{
    /* acquire: pairs with note_where() */
    return atomic_load_explicit(percpu_of(cpu, answers), memory_order_acquire);
}

const struct arch_where *arch_where(cpu_t cpu)
{
    return percpu_of(cpu, where);
}
