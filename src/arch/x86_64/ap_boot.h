// SPDX-License-Identifier: MIT
/*
 * What a core needs in order to start: one slot for each, in the pages after the trampoline's code,
 * below 1 MiB. A slot belongs to one core and is never used again, so that a core which wakes after
 * it was given up finds CPU_STEP_GIVEN_UP, and nothing that belongs to another.
 */
#pragma once

#include <stdint.h>

#include "arch/arch.h"

#define AP_SLOT_NOBODY UINT32_MAX /* an APIC id that no core has */

struct ap_slot {
    uint32_t apic_id;
    cpu_t cpu;
    _Atomic uint32_t step; /* enum cpu_step; each advance is a compare-and-exchange */
    uint32_t reserved;
    uint64_t stack_top;
    uint64_t reserved2;
};
_Static_assert(sizeof(struct ap_slot) == 32, "ap_trampoline.asm steps through an array of these");

/*
 * The words at the end of the trampoline's code. Addresses are assembled as offsets into its page;
 * the boot core adds where that lies.
 */
struct ap_trampoline_args {
    uint32_t cr3;
    uint32_t efer; /* bits to set besides LME */
    uint32_t slot_count;
    uint16_t unused;
    uint16_t gdt_limit; /* with the next: lgdt's operand */
    uint32_t gdt_base;
    uint32_t protected_mode; /* where to go on, and with which code segment: a far jump's operand */
    uint32_t protected_mode_segment;
    uint32_t long_mode;
    uint32_t long_mode_segment;
};
_Static_assert(sizeof(struct ap_trampoline_args) == 36, "ap_trampoline.asm has the same words");

/* First C function of a started core, on its own stack. Never returns. */
__attribute__((noreturn)) void ap_entry(struct ap_slot *slot);
