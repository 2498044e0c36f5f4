// SPDX-License-Identifier: MIT
/*
 * One core's private machinery: CPUID, MSRs, control registers, GDT and TSS, percpu area.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

/* ---- instructions ---------------------------------------------------------------------------- */

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* Highest leaf of the range that `base` begins (0, 0x80000000, 0x40000000). */
static inline uint32_t cpuid_max(uint32_t base)
{
    return cpuid(base, 0).eax;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

#define CONTROL_REGISTER(name)                                                                     \
    static inline uint64_t read_##name(void)                                                       \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                        \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(uint64_t value)                                                \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                            \
    }
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
CONTROL_REGISTER(dr7)
#undef CONTROL_REGISTER

static inline uint64_t read_cr2(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

/* Intel SDM vol 4, "Architectural MSRs". */
enum {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_SYSENTER_CS = 0x174,
    MSR_PAT = 0x277,
    MSR_TSC_DEADLINE = 0x6e0,
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_FMASK 0xc0000084u
#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

/* Intel SDM vol 3A, "Control Registers". */
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_MCE (UINT64_C(1) << 6)
#define CR4_PGE (UINT64_C(1) << 7)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP (UINT64_C(1) << 11)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)

/* ---- what this machine's cores can do -------------------------------------------------------- */

struct cpu_features {
    bool nx, mce, pge, smep, smap, umip, pages_1g, x2apic, invariant_tsc, tsc_deadline, xsave;
    uint8_t physical_bits; /* width of a physical address */
    char brand[49];
};
extern struct cpu_features cpu_features; /* I: the boot core's; the others get the same bits set */

/* Does this very core have x2APIC mode? Context: any. */
bool cpu_has_x2apic(void);

/* Fill cpu_features. Context: boot cpu only. */
void cpu_features_init(void);

/*
 * Put CR0, CR4, EFER, PAT and the x87/SSE unit of this core into the kernel's state; nothing of
 * what the firmware left stays.
 * Returns: false if this core lacks a protection that the boot core has: it must not go on.
 * Context: boot cpu only (after smap_patch), cpu being started.
 */
bool cpu_control_init(void);

/* Intel SDM vol 3A, "64-Bit TSS". */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "the CPU's format");

DECLARE_PERCPU(struct tss, cpu_tss);

enum {
    /*
     * A core's interrupt stack. What may lie on it at once, at worst: the first interrupt's
     * handler or, at its end, the softirqs; the handler of one interrupt on top of these, since
     * handlers run with interrupts off; in each of them a line for the log (about 1 KiB with its
     * text); an exception's frame, and a panic with its report (3 KiB). That is under 8 KiB;
     * the self-test interrupt-stack-use tells what a handler that logs leaves of it.
     */
    INTERRUPT_STACK_BYTES = 12 << 10,
};

/* ---- segments and the percpu area ------------------------------------------------------------ */

/* Order as sysret wants it: user data, then user code (AMD64 APM vol 2, "SYSCALL and SYSRET"). */
enum {
    SEL_KERNEL_CODE = 0x08,
    SEL_KERNEL_DATA = 0x10,
    SEL_USER_DATA = 0x20 | 3,
    SEL_USER_CODE = 0x28 | 3,
    SEL_TSS = 0x30,
};

/*
 * Give core `cpu` its percpu area and its interrupt stacks.
 * Returns: 0 or -ENOMEM (nothing is kept). Context: boot cpu only.
 */
int cpu_area_alloc(cpu_t cpu);

/* Make the area of core `cpu` this core's own: GS base, GDT, TSS, IDT.
 * Context: boot cpu only, cpu being started. */
void cpu_area_use(cpu_t cpu);

/* Where the TSS keeps the stack onto which an entry from ring 3 switches. Context: thread. */
void *cpu_kernel_stack_slot(void);
