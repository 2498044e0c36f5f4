// SPDX-License-Identifier: MIT
/*
 * Into ring 3 and out of it, and copies across the border.
 */
#include <stddef.h>

#include "arch/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/smap.h"
#include "arch/x86_64/thread.h"
#include "arch/x86_64/trap.h"

enum { FLAGS_ALWAYS_ONE = 1 << 1 }; /* bit 1 of RFLAGS */

void user_enter(const struct trap_frame *frame, uint64_t *kernel_rsp, void *tss_rsp0);
__attribute__((noreturn)) void user_leave(uint64_t kernel_rsp);

void arch_user_run(uintptr_t entry, uintptr_t stack)
{
    const struct trap_frame frame = {
        .rip = entry,
        .cs = SEL_USER_CODE,
        .rflags = X86_FLAGS_IF | FLAGS_ALWAYS_ONE,
        .rsp = stack,
        .ss = SEL_USER_DATA,
    };
    arch_irq_disable(); /* from here on this is the thread's core */
    fpu_reset();
    user_enter(&frame, &this_cpu(arch_current)->entry_rsp, cpu_kernel_stack_slot());
    arch_irq_enable();
}

void arch_user_exit(void)
{
    arch_irq_disable();
    user_leave(this_cpu(arch_current)->entry_rsp);
}

size_t arch_copy_user(void *dst, const void *src, size_t n)
{
    /* an exception leaves rcx at what is left: rep movsb is resumed, not restarted */
    __asm__ volatile(SMAP_STAC_SITE "1: rep movsb\n\t"
                                    "2:\n\t" SMAP_CLAC_SITE ".pushsection .extable, \"a\"\n\t"
                                    ".balign 8\n\t"
                                    ".quad 1b, 2b\n\t"
                                    ".popsection"
                     : "+D"(dst), "+S"(src), "+c"(n)
                     :
                     : "memory");
    return n;
}
