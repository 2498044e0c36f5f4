// SPDX-License-Identifier: MIT
/*
 * What a boot loader told us, whichever protocol it speaks: multiboot2.h and pvh.h fill it. It is
 * a copy: once filled, the loader's memory may be reused (the modules' contents excepted).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/text.h"
#include "mm/memmap.h"

enum {
    BOOT_CMDLINE_MAX = 4096, /* terminator included */
    BOOT_RANGES_MAX = 512,
    BOOT_MODULES_MAX = 8,
    BOOT_NAME_MAX = 64, /* terminator included; longer names are cut */
    BOOT_RSDP_V1_BYTES = 20,
    BOOT_RSDP_MAX = 36,
};

struct boot_module {
    paddr_t start;
    paddr_t end; /* the first byte after it; start == end for an empty file */
    char name[BOOT_NAME_MAX];
};

/* Multiboot2 specification, "Framebuffer info". */
enum boot_framebuffer_type {
    BOOT_FRAMEBUFFER_INDEXED = 0,
    BOOT_FRAMEBUFFER_RGB = 1,
    BOOT_FRAMEBUFFER_TEXT = 2,
};

/* As the loader described it, not yet checked: see framebuffer.h. */
struct boot_framebuffer {
    bool present;
    paddr_t address;
    uint32_t pitch; /* bytes a line */
    uint32_t width; /* pixels; characters for text */
    uint32_t height;
    uint8_t bpp;                               /* bits a pixel */
    uint8_t type;                              /* enum boot_framebuffer_type, or anything else */
    struct arch_colour_field red, green, blue; /* of RGB alone */
};

/* About 18 KiB: static, never on a stack. */
struct boot_info {
    char cmdline[BOOT_CMDLINE_MAX];
    bool cmdline_cut; /* it was longer; the word that was cut is left out */

    struct mem_range ranges[BOOT_RANGES_MAX]; /* as the firmware gave them: see memmap_normalize */
    size_t range_count;
    size_t ranges_dropped; /* did not fit, or wrap round the end of the address space */

    struct boot_module modules[BOOT_MODULES_MAX];
    size_t module_count;
    size_t modules_dropped; /* did not fit, or end before they begin */

    uint8_t rsdp[BOOT_RSDP_MAX]; /* a copy of ACPI's root pointer, not yet checked */
    size_t rsdp_length;          /* 0: none was passed */
    paddr_t rsdp_address;        /* where it lies; 0: unknown */

    struct boot_framebuffer framebuffer;
    bool asked_for_screen;      /* the loader read the kernel's header, which asks for one */
    char loader[BOOT_NAME_MAX]; /* the loader's name, "" if it gave none */

    size_t bad_offset; /* of the first part of the loader's data that made no sense; 0: none */
};

/* ---- for the parsers alone ------------------------------------------------------------------- */

/* Add `length` bytes from `start` on; empty ones are passed over, what cannot be kept is counted.
 */
static inline void boot_add_range(struct boot_info *info, paddr_t start, uint64_t length,
                                  uint32_t type)
{
    if (length == 0)
        return;
    if (info->range_count == BOOT_RANGES_MAX || start + length < start) {
        info->ranges_dropped++;
        return;
    }
    info->ranges[info->range_count++] =
        (struct mem_range){.start = start, .end = start + length, .type = type};
}

/* The command line did not fit: half a word could be taken for a whole one, so drop the last. */
static inline void boot_cut_cmdline(struct boot_info *info)
{
    size_t length = strnlen(info->cmdline, BOOT_CMDLINE_MAX - 1);

    while (length > 0 && info->cmdline[length - 1] != ' ' && info->cmdline[length - 1] != '\t')
        length--;
    info->cmdline[length] = '\0';
    info->cmdline_cut = true;
}
