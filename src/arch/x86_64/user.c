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
#include "mm/heap.h"

enum { FLAGS_ALWAYS_ONE = 1 << 1 }; /* bit 1 of RFLAGS */

void user_enter(const struct trap_frame *frame, uint64_t *kernel_rsp, void *tss_rsp0);
__attribute__((noreturn)) void user_leave(uint64_t kernel_rsp);

struct arch_user_state {
    struct trap_frame frame;
    uint64_t fs_base;
    uint8_t fpu[] __attribute__((aligned(64))); /* Intel SDM vol 1, "XSAVE Area" */
};

/* Go to ring 3 with the registers of *frame; the vector state is the program's already. Interrupts
 * are off. What is due is done first, as on each way to ring 3; the thread may change its core. */
static void run(struct trap_frame *frame)
{
    trap_return_work(frame);
    user_enter(frame, &this_cpu(arch_current)->entry_rsp, cpu_kernel_stack_slot());
    arch_irq_enable();
}

void arch_user_run(uintptr_t entry, uintptr_t stack)
{
    struct trap_frame frame = {
        .rip = entry,
        .cs = SEL_USER_CODE,
        .rflags = X86_FLAGS_IF | FLAGS_ALWAYS_ONE,
        .rsp = stack,
        .ss = SEL_USER_DATA,
    };
    arch_irq_disable();
    fpu_reset();
    thread_load_tls(0);
    run(&frame);
}

void arch_user_exit(void)
{
    arch_irq_disable();
    user_leave(this_cpu(arch_current)->entry_rsp);
}

/* The frame with which ring 3 came into the kernel, for whatever reason. */
static const struct trap_frame *entry_frame(void)
{
    return (const struct trap_frame *)this_cpu(arch_current)->entry_rsp - 1;
}

struct arch_user_state *arch_user_state_save(long result, uintptr_t stack)
{
    struct arch_user_state *state =
        heap_alloc(sizeof(*state) + fpu_bytes(), ALLOC_USER | ALLOC_ZERO);
    if (state == NULL)
        return NULL;
    state->frame = *entry_frame();
    state->frame.rax = (uint64_t)result;
    if (stack != 0)
        state->frame.rsp = stack;
    state->fs_base = arch_user_tls();
    fpu_save(
        state->fpu); /* the registers hold the program's: no other thread has used them since */
    return state;
}

void arch_user_state_free(struct arch_user_state *state)
{
    heap_free(state);
}

void arch_user_continue(struct arch_user_state *state)
{
    struct trap_frame frame = state->frame;
    arch_irq_disable();
    fpu_restore(state->fpu);
    thread_load_tls(state->fs_base);
    arch_user_state_free(state);
    run(&frame);
}

uint64_t arch_user_call_number(void)
{
    return entry_frame()->rax;
}

bool arch_user_call_is_linux(void)
{
    return entry_frame()->vector == TRAP_SYSCALL;
}

bool arch_user_set_tls(uintptr_t base)
{
    if (base >= ARCH_USER_END)
        return false;
    uint64_t flags = arch_irq_save();
    thread_load_tls(base);
    arch_irq_restore(flags);
    return true;
}

uintptr_t arch_user_tls(void)
{
    return this_cpu(arch_current)->fs_base;
}

uint32_t arch_user_hwcap(void)
{
    return cpuid(1, 0).edx;
}

/*
 * Words first, then the bytes that are left: when a word meets a bad page, those before the page
 * are still copied one by one. An exception leaves rcx at what is left, since rep movs is resumed,
 * not restarted (Intel SDM vol 2B, "REP").
 */
size_t arch_copy_user(void *dst, const void *src, size_t n)
{
    size_t left = n / sizeof(uint64_t);
    __asm__ volatile(SMAP_STAC_SITE "1: rep movsq\n\t"
                                    "2: leaq (%[tail], %%rcx, 8), %%rcx\n\t"
                                    "3: rep movsb\n\t"
                                    "4:\n\t" SMAP_CLAC_SITE ".pushsection .extable, \"a\"\n\t"
                                    ".balign 8\n\t"
                                    ".quad 1b, 2b, 3b, 4b\n\t"
                                    ".popsection"
                     : "+D"(dst), "+S"(src), "+c"(left)
                     : [tail] "r"(n % sizeof(uint64_t))
                     : "memory");
    return left;
}
