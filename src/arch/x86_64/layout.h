// SPDX-License-Identifier: MIT
/*
 * The virtual address space, cut once (4-level paging, 48 bits):
 *
 *     0x0000000000010000 .. 0x00007ffffffff000   programs; the page below 2^47 is never mapped
 *     0xffff800000000000 +64 TiB                 direct map: all RAM, never executable
 *     0xffffc00000000000 +512 GiB                mappings made one after another: device registers,
 *                                                ACPI tables, kernel stacks with their guard pages
 *     0xffffffff80200000                         the kernel image, at most 30 MiB
 */
#pragma once

#include <stdint.h>

#include "arch/arch.h"

#define USER_START ARCH_USER_START
#define USER_END ARCH_USER_END
#define DIRECT_MAP_BASE UINT64_C(0xffff800000000000)
#define KVA_BASE UINT64_C(0xffffc00000000000)
#define KVA_SIZE (UINT64_C(512) << 30)
#define BOOT_MAP_END (UINT64_C(4) << 30) /* boot.asm maps RAM up to here */
#define KERNEL_VMA UINT64_C(0xffffffff80000000)

enum {
    DIRECT_MAP_PML4_INDEX = 256,
    KVA_PML4_INDEX = 384,
    KERNEL_PML4_INDEX = 511,
    IMAGE_LINK_BASE = 0x200000,
};

_Static_assert(DIRECT_MAP_BASE >> 39 == 0x1fffe00 + DIRECT_MAP_PML4_INDEX,
               "PML4 index of the direct map");
_Static_assert(KVA_BASE >> 39 == 0x1fffe00 + KVA_PML4_INDEX, "PML4 index of the mapping area");

/* Linker symbols; their addresses are what matters. */
extern char image_start[], image_end[], text_start[], text_end[], rodata_end[];
extern char percpu_start[], percpu_end[];
extern char boot_stack_guard[], boot_stack_top[];
