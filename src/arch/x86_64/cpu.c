// SPDX-License-Identifier: MIT
/*
 * One core's private machinery. The boot core decides what is used (cpu_features); each other core
 * is brought to the same state before it touches anything that depends on it.
 */
#include "arch/x86_64/cpu.h"

#include "arch/x86_64/fpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/text.h"
#include "mm/heap.h"

enum {
    IST_STACK_BYTES = 8 << 10,
    PHYSICAL_BITS_DEFAULT = 36, /* of a CPU that does not say (Intel SDM vol 2A, "CPUID") */

    CPUID_LEAF_FEATURES = 1,
    CPUID_1_ECX_X2APIC = 1 << 21,
    CPUID_1_ECX_TSC_DEADLINE = 1 << 24,
    CPUID_1_ECX_XSAVE = 1 << 26,
    CPUID_1_EDX_MCE = 1 << 7,
    CPUID_1_EDX_PGE = 1 << 13,
    CPUID_LEAF_STRUCTURED = 7,
    CPUID_7_EBX_SMEP = 1 << 7,
    CPUID_7_EBX_SMAP = 1 << 20,
    CPUID_7_ECX_UMIP = 1 << 2,
};
#define CPUID_EXT_MAX 0x80000000u
#define CPUID_EXT_FEATURES 0x80000001u
#define CPUID_EXT_EDX_NX (1u << 20)
#define CPUID_EXT_EDX_1G (1u << 26)
#define CPUID_EXT_BRAND_FIRST 0x80000002u
#define CPUID_EXT_BRAND_LAST 0x80000004u
#define CPUID_EXT_ADDRESS_SIZES 0x80000008u
#define CPUID_EXT_POWER 0x80000007u
#define CPUID_POWER_EDX_INVARIANT_TSC (1u << 8)

/*
 * Intel SDM vol 3A, "Page Attribute Table (PAT)": a byte for each entry. As after a reset, so that
 * entry 0 is write-back and entry 3, which PROT_DEVICE uses, uncacheable; but entry 1, which
 * PROT_COMBINE uses, is write-combining in place of write-through, which nothing here wants.
 */
#define PAT_ENTRIES UINT64_C(0x0007040600070106)

/* Intel SDM vol 3B, "Debug Control Register (DR7)": no breakpoint; bit 10 is always set. */
#define DR7_NONE UINT64_C(0x400)

struct cpu_features cpu_features;

enum { GDT_ENTRIES = 8 };

/* Segment descriptors: type and rights as in Intel SDM vol 3A, "Segment Descriptors". */
#define DESCRIPTOR_CODE64(dpl) (UINT64_C(0x00209a0000000000) | (uint64_t)(dpl) << 45)
#define DESCRIPTOR_DATA(dpl) (UINT64_C(0x0000920000000000) | (uint64_t)(dpl) << 45)
#define DESCRIPTOR_TSS_PRESENT (UINT64_C(0x89) << 40)

struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

DEFINE_PERCPU(cpu_t, percpu_cpu);
DEFINE_PERCPU(uintptr_t, percpu_offset);
uintptr_t percpu_offsets[MAX_CPUS];

DEFINE_PERCPU(int32_t, percpu_irq_depth) = -1;
DEFINE_PERCPU(uintptr_t, percpu_irq_stack_top);
DEFINE_PERCPU(uint64_t, percpu_counters[ARCH_COUNTERS]);

DEFINE_PERCPU(struct tss, cpu_tss);
DEFINE_PERCPU(uint32_t, percpu_work_due);
DEFINE_PERCPU(uint64_t, syscall_user_rsp); /* stubs.asm keeps it for some instructions */
static DEFINE_PERCPU(uint64_t, gdt[GDT_ENTRIES]);

void arch_halt_forever(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}

/* ---- features -------------------------------------------------------------------------------- */

static void read_brand(char brand[49])
{
    char padded[49], *at = padded;
    for (uint32_t leaf = CPUID_EXT_BRAND_FIRST; leaf <= CPUID_EXT_BRAND_LAST; leaf++) {
        struct cpuid r = cpuid(leaf, 0);
        memcpy(at, &r, sizeof(r));
        at += sizeof(r);
    }
    *at = '\0';
    for (at = padded; *at == ' ';) /* some are right-justified */
        at++;
    (void)text_copy(brand, at, sizeof(padded));
}

static void features_of_this_core(struct cpu_features *f)
{
    memset(f, 0, sizeof(*f));
    struct cpuid basic = cpuid(CPUID_LEAF_FEATURES, 0);
    f->mce = (basic.edx & CPUID_1_EDX_MCE) != 0;
    f->pge = (basic.edx & CPUID_1_EDX_PGE) != 0;
    f->xsave = (basic.ecx & CPUID_1_ECX_XSAVE) != 0;
    f->tsc_deadline = (basic.ecx & CPUID_1_ECX_TSC_DEADLINE) != 0;
    f->x2apic = (basic.ecx & CPUID_1_ECX_X2APIC) != 0;
    if (cpuid_max(0) >= CPUID_LEAF_STRUCTURED) {
        struct cpuid structured = cpuid(CPUID_LEAF_STRUCTURED, 0);
        f->smep = (structured.ebx & CPUID_7_EBX_SMEP) != 0;
        f->smap = (structured.ebx & CPUID_7_EBX_SMAP) != 0;
        f->umip = (structured.ecx & CPUID_7_ECX_UMIP) != 0;
    }
    uint32_t ext_max = cpuid_max(CPUID_EXT_MAX);
    if (ext_max >= CPUID_EXT_FEATURES) {
        struct cpuid ext = cpuid(CPUID_EXT_FEATURES, 0);
        f->nx = (ext.edx & CPUID_EXT_EDX_NX) != 0;
        f->pages_1g = (ext.edx & CPUID_EXT_EDX_1G) != 0;
    }
    if (ext_max >= CPUID_EXT_BRAND_LAST)
        read_brand(f->brand);
    f->physical_bits = ext_max >= CPUID_EXT_ADDRESS_SIZES
                           ? (uint8_t)cpuid(CPUID_EXT_ADDRESS_SIZES, 0).eax
                           : PHYSICAL_BITS_DEFAULT;
    if (ext_max >= CPUID_EXT_POWER)
        f->invariant_tsc = (cpuid(CPUID_EXT_POWER, 0).edx & CPUID_POWER_EDX_INVARIANT_TSC) != 0;
}

bool cpu_has_x2apic(void)
{
    return (cpuid(CPUID_LEAF_FEATURES, 0).ecx & CPUID_1_ECX_X2APIC) != 0;
}

void cpu_features_init(void)
{
    features_of_this_core(&cpu_features);
    const struct cpu_features *f = &cpu_features;
    log_info("cpu: %s;%s%s%s%s%s", f->brand[0] != '\0' ? f->brand : "no brand", f->nx ? " nx" : "",
             f->smep ? " smep" : "", f->smap ? " smap" : "", f->umip ? " umip" : "",
             f->x2apic ? " x2apic" : "");
}

static uint64_t cr4_of(const struct cpu_features *f)
{
    uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= f->mce ? CR4_MCE : 0;
    cr4 |= f->pge ? CR4_PGE : 0;
    cr4 |= f->smep ? CR4_SMEP : 0;
    cr4 |= f->smap ? CR4_SMAP : 0;
    cr4 |= f->umip ? CR4_UMIP : 0;
    cr4 |= f->xsave ? CR4_OSXSAVE : 0;
    return cr4;
}

bool cpu_control_init(void)
{
    const struct cpu_features *f = &cpu_features;
    struct cpu_features mine;
    features_of_this_core(&mine);
    if ((cr4_of(f) & ~cr4_of(&mine)) != 0 || (f->nx && !mine.nx))
        return false;
    wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | (f->nx ? EFER_NXE : 0));
    wrmsr(MSR_SYSENTER_CS, 0); /* no way in by sysenter */
    wrmsr(MSR_PAT, PAT_ENTRIES);
    write_cr0((read_cr0() & ~(CR0_EM | CR0_TS | CR0_CD | CR0_NW)) | CR0_WP | CR0_AM | CR0_MP |
              CR0_NE);
    write_cr4(cr4_of(f));
    write_dr7(DR7_NONE); /* whatever a debugger or the firmware had set */
    if (!fpu_init_cpu())
        return false;
    fpu_reset();
    return true;
}

/* ---- the percpu area ------------------------------------------------------------------------- */

static size_t area_bytes(void)
{
    return (size_t)(percpu_end - percpu_start);
}

/* The TSS descriptor takes two entries (Intel SDM vol 3A, "TSS Descriptor in 64-bit mode"). */
static void fill_gdt(uint64_t *table, const struct tss *tss_of_core)
{
    uint64_t base = (uint64_t)tss_of_core;
    table[SEL_KERNEL_CODE / 8] = DESCRIPTOR_CODE64(0);
    table[SEL_KERNEL_DATA / 8] = DESCRIPTOR_DATA(0);
    table[SEL_USER_DATA / 8] = DESCRIPTOR_DATA(3);
    table[SEL_USER_CODE / 8] = DESCRIPTOR_CODE64(3);
    table[SEL_TSS / 8] = DESCRIPTOR_TSS_PRESENT | (sizeof(struct tss) - 1) |
                         (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    table[SEL_TSS / 8 + 1] = base >> 32;
}

/* The stacks on which interrupts, NMIs and the gravest exceptions run. What was allocated before a
 * failure stays with the core, which is left behind. Returns: 0 or -ENOMEM. */
static int stacks_alloc(cpu_t cpu)
{
    struct tss *core_tss = percpu_of(cpu, cpu_tss);
    for (int i = 0; i < IST_COUNT; i++) {
        core_tss->ist[i] = (uint64_t)arch_stack_alloc(IST_STACK_BYTES);
        if (core_tss->ist[i] == 0)
            return -ENOMEM;
    }
    uintptr_t top = (uintptr_t)arch_stack_alloc(INTERRUPT_STACK_BYTES);
    *percpu_of(cpu, percpu_irq_stack_top) = top;
    return top == 0 ? -ENOMEM : 0;
}

int cpu_area_alloc(cpu_t cpu)
{
    char *area = heap_alloc(area_bytes(), ALLOC_KERNEL);
    if (area == NULL)
        return -ENOMEM;
    memcpy(area, percpu_start, area_bytes());
    uintptr_t offset = (uintptr_t)area - (uintptr_t)percpu_start;

    percpu_offsets[cpu] = offset;
    *percpu_of(cpu, percpu_cpu) = cpu;
    *percpu_of(cpu, percpu_offset) = offset;
    struct tss *core_tss = percpu_of(cpu, cpu_tss);
    core_tss->io_map_base = sizeof(struct tss); /* none: every port is closed to ring 3 */
    if (stacks_alloc(cpu) != 0) {
        percpu_offsets[cpu] = 0;
        heap_free(area);
        return -ENOMEM;
    }
    fill_gdt(*percpu_of(cpu, gdt), core_tss);
    return 0;
}

/* Reload CS by a far return and the data segments by moves; null selectors serve for data. */
static void load_segments(void)
{
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n\t"
                     "1: movl %1, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs"
                     :
                     : "i"(SEL_KERNEL_CODE), "r"(SEL_KERNEL_DATA)
                     : "rax", "memory");
}

void cpu_area_use(cpu_t cpu)
{
    struct descriptor_pointer pointer = {
        .limit = sizeof(uint64_t) * GDT_ENTRIES - 1,
        .base = (uint64_t)percpu_of(cpu, gdt),
    };
    __asm__ volatile("lgdt %0" : : "m"(pointer));
    load_segments();
    wrmsr(MSR_GS_BASE, percpu_offsets[cpu]); /* after the null selector, which clears it */
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    idt_load();
    syscall_gate_init();
}

void *cpu_kernel_stack_slot(void)
{
    return (char *)this_cpu_ptr(cpu_tss) + offsetof(struct tss, rsp);
}
