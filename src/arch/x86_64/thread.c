// SPDX-License-Identifier: MIT
/*
 * The machine's part of a thread. Kernel code uses no vector registers, so their state is saved and
 * restored only for threads that have run ring 3, and stays in the registers until such a thread
 * leaves its core.
 */
#include "arch/x86_64/thread.h"

#include <stddef.h>

#include "arch/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "lib/errno.h"
#include "mm/heap.h"

/* switch.asm: push the callee-saved registers, keep rsp in *from_rsp, go on from to_rsp. */
void thread_switch_stacks(uint64_t *from_rsp, uint64_t to_rsp);

DEFINE_PERCPU(struct arch_thread *, arch_current);

/* What thread_switch_stacks() pops, and what it then returns to. */
struct first_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx; /* rbp 0: a backtrace ends here */
    uint64_t rip;
    uint64_t return_address; /* of a function that never returns */
};

void arch_thread_init(struct arch_thread *thread, void *stack_top, void (*entry)(void))
{
    struct first_frame *frame = (struct first_frame *)stack_top - 1;
    *frame = (struct first_frame){.rip = (uint64_t)entry};
    /* System V ABI, AMD64, "The Stack Frame": rsp + 8 is a multiple of 16 at a function's entry */
    _Static_assert(sizeof(*frame) % 16 == 0, "rip is popped from a stack that is aligned then");
    *thread = (struct arch_thread){.rsp = (uint64_t)frame};
}

void arch_thread_adopt(struct arch_thread *thread)
{
    *thread = (struct arch_thread){0};
    this_cpu(arch_current) = thread;
}

int arch_thread_prepare_user(struct arch_thread *thread)
{
    if (thread->fpu == NULL)
        thread->fpu = heap_alloc(fpu_bytes(), ALLOC_KERNEL | ALLOC_ZERO);
    return thread->fpu == NULL ? -ENOMEM : 0;
}

void thread_load_tls(uint64_t base)
{
    this_cpu(arch_current)->fs_base = base;
    wrmsr(MSR_FS_BASE, base);
}

void arch_thread_destroy(struct arch_thread *thread)
{
    heap_free(thread->fpu);
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
{
    if (from->fpu != NULL)
        fpu_save(from->fpu);
    if (to->fpu != NULL) {
        fpu_restore(to->fpu);
        wrmsr(MSR_FS_BASE, to->fs_base); /* always: a program may load FS by itself */
    }
    this_cpu_ptr(cpu_tss)->rsp[0] = to->entry_rsp;
    this_cpu(arch_current) = to;
    thread_switch_stacks(&from->rsp, to->rsp);
}
