// SPDX-License-Identifier: MIT
/*
 * The state a program starts with: x87 as FNINIT leaves it, all vector registers 0, all SSE
 * exceptions masked (System V ABI, AMD64 supplement, "Process Initialization").
 */
#include "arch/x86_64/fpu.h"

#include <stdint.h>

/* Intel SDM vol 1, "FXSAVE Area". What is not named is 0. */
struct fxsave_area {
    uint16_t control;
    uint16_t status;
    uint8_t tags;
    uint8_t reserved;
    uint16_t opcode;
    uint64_t rip, rdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[480];
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct fxsave_area) == 512, "the CPU's format");

static const struct fxsave_area clean_state = {
    .control = 0x37f, /* all exceptions masked, 64-bit precision, round to nearest */
    .mxcsr = 0x1f80,  /* all exceptions masked, round to nearest */
};

void fpu_reset(void)
{
    __asm__ volatile("fxrstor64 %0" : : "m"(clean_state));
}
