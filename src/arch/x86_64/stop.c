// SPDX-License-Identifier: MIT
/*
 * The end of all cores but one. The one that stops the others asks by a flag and an NMI, which
 * reaches a core whatever it is doing, interrupts off included; each answers with where it was and
 * halts. Nothing here takes a lock.
 */
#include "arch/x86_64/stop.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/backtrace.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "lib/cpumask.h"
#include "lib/log.h"

enum { STOP_WAIT_US = 100000 };

/* What is known of where the core was. */
enum stop_note {
    NOTE_NONE,
    NOTE_TRAP,   /* all registers, at a trap */
    NOTE_CALLER, /* rip, rsp, rbp and flags of panic()'s caller */
};

static DEFINE_PERCPU(struct trap_frame, stop_frame);
static DEFINE_PERCPU(enum stop_note, stop_note);
static DEFINE_PERCPU(_Atomic bool, stopped);
static _Atomic bool stop_flag;
static _Atomic cpu_t stopper = CPU_NONE;

void stop_note_frame(const struct trap_frame *frame)
{
    if (this_cpu(stop_note) != NOTE_NONE)
        return; /* the first is the one to show */
    *this_cpu_ptr(stop_frame) = *frame;
    this_cpu(stop_note) = NOTE_TRAP;
}

void arch_note_caller(const void *frame, uint64_t flags)
{
    const uint64_t *words = frame; /* the caller's rbp, and the return address above it */
    if (this_cpu(stop_note) != NOTE_NONE)
        return;
    *this_cpu_ptr(stop_frame) = (struct trap_frame){
        .rip = words[1],
        .rbp = words[0],
        .rsp = (uint64_t)&words[2],
        .rflags = flags,
    };
    this_cpu(stop_note) = NOTE_CALLER;
}

bool stop_requested(void)
{
    return atomic_load_explicit(&stop_flag, memory_order_acquire) &&
           atomic_load_explicit(&stopper, memory_order_relaxed) != arch_cpu();
}

void stop_here(void)
{
    /* release: the frame is complete for who sees the flag in arch_stopped_at() */
    atomic_store_explicit(this_cpu_ptr(stopped), true, memory_order_release);
    arch_halt_forever();
}

static bool core_started(cpu_t cpu)
{
    return cpu == 0 || (percpu_offsets[cpu] != 0 && arch_cpu_step(cpu) == CPU_STEP_READY);
}

static bool has_stopped(cpu_t cpu)
{
    /* acquire: pairs with stop_here() */
    return atomic_load_explicit(percpu_of(cpu, stopped), memory_order_acquire);
}

static bool all_stopped(void)
{
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (cpu != arch_cpu() && core_started(cpu) && !has_stopped(cpu))
            return false;
    }
    return true;
}

bool arch_stop_others(void)
{
    atomic_store_explicit(&stopper, arch_cpu(), memory_order_relaxed);
    /* release: pairs with the acquire in stop_requested() */
    atomic_store_explicit(&stop_flag, true, memory_order_release);
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (cpu != arch_cpu() && core_started(cpu))
            (void)arch_ipi_send_nmi(cpu); /* one that it did not reach shows below */
    }
    for (int us = 0; us < STOP_WAIT_US && !all_stopped(); us += 10)
        arch_udelay(10);
    return all_stopped();
}

bool arch_stopped_at(cpu_t cpu, uint64_t *pc, bool *in_user)
{
    if (percpu_offsets[cpu] == 0 || !has_stopped(cpu))
        return false;
    const struct trap_frame *frame = percpu_of(cpu, stop_frame);
    *pc = frame->rip;
    *in_user = trap_from_user(frame);
    return true;
}

size_t arch_backtrace(cpu_t cpu, struct arch_call *calls, size_t max)
{
    bool known = cpu == arch_cpu() || (percpu_offsets[cpu] != 0 && has_stopped(cpu));
    enum stop_note note = known ? *percpu_of(cpu, stop_note) : NOTE_NONE;
    if (note == NOTE_NONE)
        return 0;
    return backtrace_from(percpu_of(cpu, stop_frame),
                          note == NOTE_TRAP ? ARCH_CALL_HERE : ARCH_CALL_RETURN, calls, max);
}

#define U(x) ((unsigned long long)(x))

/* The registers that an exception saved. */
static void print_trap(const struct trap_frame *f)
{
    log_line(LOG_EMERG, "rax %016llx  rbx %016llx  rcx %016llx", U(f->rax), U(f->rbx), U(f->rcx));
    log_line(LOG_EMERG, "rdx %016llx  rsi %016llx  rdi %016llx", U(f->rdx), U(f->rsi), U(f->rdi));
    log_line(LOG_EMERG, "rbp %016llx  r8  %016llx  r9  %016llx", U(f->rbp), U(f->r8), U(f->r9));
    log_line(LOG_EMERG, "r10 %016llx  r11 %016llx  r12 %016llx", U(f->r10), U(f->r11), U(f->r12));
    log_line(LOG_EMERG, "r13 %016llx  r14 %016llx  r15 %016llx", U(f->r13), U(f->r14), U(f->r15));
    log_line(LOG_EMERG, "cs %04llx  ss %04llx  cr0 %08llx  cr2 %016llx  cr3 %012llx  cr4 %08llx",
             U(f->cs), U(f->ss), U(read_cr0()), U(read_cr2()), U(read_cr3()), U(read_cr4()));
}

/* What a call leaves of its caller's registers. */
static void print_caller(const struct trap_frame *f)
{
    log_line(LOG_EMERG, "rbp %016llx", U(f->rbp));
    log_line(LOG_EMERG, "cr0 %08llx  cr2 %016llx  cr3 %012llx  cr4 %08llx", U(read_cr0()),
             U(read_cr2()), U(read_cr3()), U(read_cr4()));
}

void arch_print_registers(void)
{
    const struct trap_frame *f = this_cpu_ptr(stop_frame);
    if (this_cpu(stop_note) == NOTE_NONE)
        return;
    log_line(LOG_EMERG, "rip %016llx  rsp %016llx  rflags %08llx", U(f->rip), U(f->rsp),
             U(f->rflags));
    if (this_cpu(stop_note) == NOTE_TRAP)
        print_trap(f);
    else
        print_caller(f);
}
#undef U
