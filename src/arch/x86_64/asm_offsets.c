// SPDX-License-Identifier: MIT
/*
 * Constants that the assembler needs from C, typed once. Compiled to assembly text only; the build
 * turns every `->NAME value` text into a NASM definition (build/gen/asm_offsets.inc).
 */
#include <stddef.h>

#include "arch/x86_64/ap_boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/entry.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/smap.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/vectors.h"
#include "lib/debug.h"
#include "lib/errno.h"

#define DEFINE(name, value) __asm__ volatile("\n.ascii \"->" #name " %0\"" : : "i"((long)(value)))

void asm_offsets(void);

void asm_offsets(void)
{
    DEFINE(LOADER_UNKNOWN, LOADER_UNKNOWN);
    DEFINE(LOADER_MULTIBOOT2, LOADER_MULTIBOOT2);
    DEFINE(LOADER_PVH, LOADER_PVH);
    DEFINE(DIRECT_MAP_PML4_INDEX, DIRECT_MAP_PML4_INDEX);
    DEFINE(IMAGE_LINK_BASE, IMAGE_LINK_BASE);
    DEFINE(SMAP_CLAC, SMAP_CLAC);
    DEFINE(TRAP_STUB_SIZE, TRAP_STUB_SIZE);
    DEFINE(TRAP_SYSCALL, TRAP_SYSCALL);
    DEFINE(FRAME_RAX, offsetof(struct trap_frame, rax));
    DEFINE(FRAME_RCX, offsetof(struct trap_frame, rcx));
    DEFINE(FRAME_RDX, offsetof(struct trap_frame, rdx));
    DEFINE(FRAME_RSI, offsetof(struct trap_frame, rsi));
    DEFINE(FRAME_RDI, offsetof(struct trap_frame, rdi));
    DEFINE(FRAME_R8, offsetof(struct trap_frame, r8));
    DEFINE(FRAME_R9, offsetof(struct trap_frame, r9));
    DEFINE(FRAME_R10, offsetof(struct trap_frame, r10));
    DEFINE(FRAME_R11, offsetof(struct trap_frame, r11));
    DEFINE(FRAME_RBX, offsetof(struct trap_frame, rbx));
    DEFINE(FRAME_R12, offsetof(struct trap_frame, r12));
    DEFINE(FRAME_R13, offsetof(struct trap_frame, r13));
    DEFINE(FRAME_R14, offsetof(struct trap_frame, r14));
    DEFINE(FRAME_R15, offsetof(struct trap_frame, r15));
    DEFINE(FRAME_SIZE, sizeof(struct trap_frame));
    DEFINE(FRAME_RBP, offsetof(struct trap_frame, rbp));
    DEFINE(FRAME_VECTOR, offsetof(struct trap_frame, vector));
    DEFINE(FRAME_CS, offsetof(struct trap_frame, cs));
    DEFINE(VECTOR_EXCEPTION_COUNT, VECTOR_EXCEPTION_COUNT);
    DEFINE(VECTOR_DEVICE_FIRST, VECTOR_DEVICE_FIRST);
    DEFINE(VECTOR_KERNEL_FIRST, VECTOR_KERNEL_FIRST);
    DEFINE(FRAME_RIP, offsetof(struct trap_frame, rip));
    DEFINE(FRAME_RFLAGS, offsetof(struct trap_frame, rflags));
    DEFINE(FRAME_RSP, offsetof(struct trap_frame, rsp));
    DEFINE(ARCH_GATE_CALLS, ARCH_GATE_CALLS);
    DEFINE(ENOSYS, ENOSYS);
    DEFINE(DEBUG_KERNEL, DEBUG_KERNEL);
    DEFINE(TSS_RSP0, offsetof(struct tss, rsp));
    DEFINE(SEL_USER_CODE, SEL_USER_CODE);
    DEFINE(SEL_USER_DATA, SEL_USER_DATA);

    DEFINE(AP_SLOT_SIZE, sizeof(struct ap_slot));
    DEFINE(AP_SLOT_APIC_ID, offsetof(struct ap_slot, apic_id));
    DEFINE(AP_SLOT_STEP, offsetof(struct ap_slot, step));
    DEFINE(AP_SLOT_STACK, offsetof(struct ap_slot, stack_top));
    DEFINE(CPU_STEP_SENT, CPU_STEP_SENT);
    DEFINE(CPU_STEP_TRAMPOLINE, CPU_STEP_TRAMPOLINE);
    DEFINE(CPU_STEP_LONG_MODE, CPU_STEP_LONG_MODE);
}
