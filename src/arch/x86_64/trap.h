// SPDX-License-Identifier: MIT
/*
 * Traps: exceptions, interrupts and int 0x80 in one shape.
 *
 *      higher   +------------------+
 *               | ss               |  pushed by the CPU
 *               | rsp              |
 *               | rflags           |
 *               | cs               |
 *               | rip              |
 *               | error            |  by the CPU, or 0 by the stub
 *               | vector           |  by the stub
 *               | rax rbx rcx rdx  |  by PUSH_REGISTERS (stubs.asm)
 *               | rsi rdi rbp      |
 *               | r8 ... r15       |
 *      lower    +------------------+  <- struct trap_frame, 16-byte aligned
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

enum {
    TRAP_STUB_SIZE = 16,
    TRAP_DE = 0,
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_DF = 8,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAP_MC = 18,
    TRAP_SYSCALL = 256, /* no vector: the syscall instruction */
};

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(sizeof(struct trap_frame) == 22 * 8, "stubs.asm pushes 22 quadwords");
_Static_assert(offsetof(struct trap_frame, vector) == 15 * 8, "stubs.asm finds CS above it");

/* Did the trap come from ring 3? */
static inline bool trap_from_user(const struct trap_frame *frame)
{
    return (frame->cs & 3) != 0;
}

/* Called by stubs.asm for an exception or an NMI, with interrupts off; returns with interrupts off.
 * Context: any. */
void trap_dispatch(struct trap_frame *frame);

/* Called by stubs.asm for one of the kernel's own vectors, 249 to 255. Context: hardirq. */
void kernel_interrupt(uint32_t vector);

/*
 * Called by stubs.asm for a vector for which irq_dispatch() found nothing to do: it may be no
 * interrupt of the Local APIC's at all, and then an EOI would end another. Context: hardirq.
 */
void interrupt_without_work(uint32_t vector);

/*
 * Called on the way back to ring 3 when work is due (arch_work_note), with interrupts off: do it
 * with interrupts on, until none is due that cannot wait (user_return_is_urgent). Afterwards all of
 * *frame is restored. Whoever changes the frame of a system call from outside (a signal, execve)
 * notes work, so that it comes this way, and sees to it that rip is canonical: `iretq` faults on
 * one that is not, in the kernel.
 */
void trap_return_work(struct trap_frame *frame);

/* Called by stubs.asm after each system call, in the debug kernel alone: thread context, interrupts
 * on, and no lock held. */
void gate_check(void);

/* Open the syscall gate on this core. Context: boot cpu only, cpu being started. */
void syscall_gate_init(void);

/*
 * Have core `cpu` call fn in the handler of its next NMI, and send it that NMI. A second request
 * to the same core replaces one that it has not taken yet, whose NMI is then on its way: so a core
 * takes no NMI for nothing, and those that it takes for nothing came from outside.
 * Returns: as arch_ipi_send_nmi. Context: any.
 */
typedef void (*nmi_function)(const struct trap_frame *frame);
int trap_ask_by_nmi(cpu_t cpu, nmi_function fn);

/* What the NMI interrupted that this core is in. Context: NMI. */
const struct trap_frame *trap_nmi_frame(void);

/* Load this core's IDT register. Context: boot cpu only, cpu being started. */
void idt_load(void);

/* Fill the one IDT; all entries use the current stack until idt_use_stacks(). Context: boot cpu
 * only. */
void idt_init(void);

/* Give NMI its stack, and #DF, #MC and #DB theirs. Context: boot cpu only, with a TSS loaded. */
void idt_use_stacks(void);

/*
 * Interrupt stack table: entries of the TSS with stacks of their own (1-based, as the gate says).
 * IST_LAST is for what does not return: #DF, #MC and, in the kernel, #DB. Should one of them meet
 * another there, the first had nothing more to do on it than to report a panic.
 */
enum ist { IST_NONE = 0, IST_NMI = 1, IST_LAST = 2, IST_COUNT = 2 };
