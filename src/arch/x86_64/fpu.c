// SPDX-License-Identifier: MIT
/*
 * The state a program starts with: x87 as FNINIT leaves it, all vector registers 0, all SSE
 * exceptions masked (System V ABI, AMD64 supplement, "Process Initialization").
 *
 * With XSAVE the components are those that CPUID leaf 0Dh offers and whose state belongs together:
 * x87, SSE, AVX, and AVX-512 as a whole (Intel SDM vol 1, "Enabling the XSAVE Feature Set and
 * XSAVE-Enabled Features").
 */
#include "arch/x86_64/fpu.h"

#include <stdint.h>

#include "arch/x86_64/cpu.h"

enum {
    CPUID_LEAF_XSAVE = 0x0d,
    FXSAVE_BYTES = 512,
    XCR0_X87 = 1 << 0,
    XCR0_SSE = 1 << 1,
    XCR0_AVX = 1 << 2,
    XCR0_AVX512 = 7 << 5, /* mask registers, upper halves, upper registers */
};

/* Intel SDM vol 1, "XSAVE Area": the legacy region and the header. What is not named is 0. */
struct xsave_area {
    uint16_t control;
    uint16_t status;
    uint8_t tags;
    uint8_t reserved;
    uint16_t opcode;
    uint64_t rip, rdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[480];
    uint64_t
        present; /* components whose state follows; the others are put into their first state */
    uint8_t header[56];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct xsave_area) == 576, "the CPU's format");

static const struct xsave_area clean_state = {
    .control = 0x37f, /* all exceptions masked, 64-bit precision, round to nearest */
    .mxcsr = 0x1f80,  /* all exceptions masked, round to nearest */
};

static uint32_t xcr0; /* I: 0 without XSAVE */

static uint32_t choose_components(void)
{
    uint32_t offered = cpuid(CPUID_LEAF_XSAVE, 0).eax;
    uint32_t chosen = XCR0_X87 | XCR0_SSE;
    if ((offered & XCR0_AVX) != 0)
        chosen |= XCR0_AVX;
    if ((chosen & XCR0_AVX) != 0 && (offered & XCR0_AVX512) == XCR0_AVX512)
        chosen |= XCR0_AVX512;
    return chosen;
}

bool fpu_init_cpu(void)
{
    if (!cpu_features.xsave || cpuid_max(0) < CPUID_LEAF_XSAVE)
        return xcr0 == 0;
    if (xcr0 == 0)
        xcr0 = choose_components();
    if ((cpuid(CPUID_LEAF_XSAVE, 0).eax & xcr0) != xcr0)
        return false;
    __asm__ volatile("xsetbv" : : "c"(0), "a"(xcr0), "d"(0));
    return true;
}

void fpu_reset(void)
{
    if (xcr0 != 0)
        __asm__ volatile("xrstor64 %0" : : "m"(clean_state), "a"(xcr0), "d"(0));
    __asm__ volatile("fxrstor64 %0" : : "m"(clean_state));
}

/* Intel SDM vol 2A, "CPUID", leaf 0Dh: EBX, the bytes for what XCR0 enables now. */
size_t fpu_bytes(void)
{
    return xcr0 != 0 ? cpuid(CPUID_LEAF_XSAVE, 0).ebx : FXSAVE_BYTES;
}

void fpu_save(void *area)
{
    if (xcr0 != 0)
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(xcr0), "d"(0) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

void fpu_restore(const void *area)
{
    if (xcr0 != 0)
        __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(xcr0), "d"(0) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}
