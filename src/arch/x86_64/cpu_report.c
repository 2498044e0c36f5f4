// SPDX-License-Identifier: MIT
/*
 * What CPUID says of a processor to people. The names of the features are Linux's, since programs
 * look for them in /proc/cpuinfo.
 *
 * Source: Intel SDM vol 2A, "CPUID"; AMD64 APM vol 3, appendix E "Obtaining Processor Information
 * Via the CPUID Instruction"
 */
#include "arch/arch.h"
#include "arch/x86_64/cpu.h"
#include "lib/text.h"

enum {
    FAMILY_EXTENDED = 15, /* then the extended family counts */
    FAMILY_INTEL_6 = 6,   /* there the extended model does, too */
    CLFLUSH_UNIT = 8,     /* bytes */
    VIRTUAL_BITS_DEFAULT = 48,
};
#define LEAF_EXT 0x80000000u
#define LEAF_EXT_FEATURES 0x80000001u
#define LEAF_ADDRESS_SIZES 0x80000008u

/* One register's 32 bits, from bit 0 on; "-" has no name here. */
struct flag_names {
    uint32_t leaf;
    enum { IN_EBX, IN_ECX, IN_EDX } reg;
    const char *names;
};

static const struct flag_names flag_names[] = {
    {1, IN_EDX,
     "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts "
     "acpi "
     "mmx fxsr sse sse2 ss ht tm ia64 pbe"},
    {LEAF_EXT_FEATURES, IN_EDX,
     "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm "
     "3dnowext 3dnow"},
    {1, IN_ECX,
     "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid "
     "dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand "
     "hypervisor"},
    {LEAF_EXT_FEATURES, IN_ECX,
     "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop "
     "skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - - - "
     "perfctr_llc mwaitx - -"},
    {7, IN_EBX,
     "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f "
     "avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd "
     "sha_ni avx512bw avx512vl"},
};

static bool has_leaf(uint32_t leaf)
{
    return leaf <= cpuid_max(leaf & LEAF_EXT);
}

void arch_cpu_report(struct arch_cpu_report *report)
{
    struct cpuid vendor = cpuid(0, 0), basic = cpuid(1, 0);
    *report = (struct arch_cpu_report){.physical_bits = cpu_features.physical_bits,
                                       .virtual_bits = VIRTUAL_BITS_DEFAULT};
    memcpy(report->vendor, &vendor.ebx, sizeof(vendor.ebx));
    memcpy(report->vendor + sizeof(vendor.ebx), &vendor.edx, sizeof(vendor.edx));
    memcpy(report->vendor + 2 * sizeof(vendor.ebx), &vendor.ecx, sizeof(vendor.ecx));
    (void)text_copy(report->brand, cpu_features.brand, sizeof(report->brand));
    uint32_t family = basic.eax >> 8 & 0xf;
    report->stepping = basic.eax & 0xf;
    report->model = basic.eax >> 4 & 0xf;
    if (family == FAMILY_EXTENDED || family == FAMILY_INTEL_6)
        report->model |= (basic.eax >> 16 & 0xf) << 4;
    report->family = family == FAMILY_EXTENDED ? family + (basic.eax >> 20 & 0xff) : family;
    report->cache_line = (basic.ebx >> 8 & 0xff) * CLFLUSH_UNIT;
    if (has_leaf(LEAF_ADDRESS_SIZES))
        report->virtual_bits = cpuid(LEAF_ADDRESS_SIZES, 0).eax >> 8 & 0xff;
}

/* The next word of *names into the `size` bytes at word. Returns: false at the end. */
static bool next_name(const char **names, char *word, size_t size)
{
    size_t length = 0;
    while (**names == ' ')
        (*names)++;
    for (; **names != ' ' && **names != '\0'; (*names)++) {
        if (length + 1 < size)
            word[length++] = **names;
    }
    word[length] = '\0';
    return length > 0;
}

static uint32_t flags_in(const struct flag_names *from)
{
    if (!has_leaf(from->leaf))
        return 0;
    struct cpuid r = cpuid(from->leaf, 0);
    return from->reg == IN_EBX ? r.ebx : from->reg == IN_ECX ? r.ecx : r.edx;
}

void arch_cpu_flags(void (*each)(const char *name, void *arg), void *arg)
{
    enum { NAME_MAX = 32 };
    char name[NAME_MAX];
    for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
        const char *names = flag_names[i].names;
        uint32_t flags = flags_in(&flag_names[i]);
        for (unsigned bit = 0; bit < 32 && next_name(&names, name, sizeof(name)); bit++) {
            if ((flags >> bit & 1) != 0 && strcmp(name, "-") != 0)
                each(name, arg);
        }
    }
}
