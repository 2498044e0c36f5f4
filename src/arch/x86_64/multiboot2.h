// SPDX-License-Identifier: MIT
/*
 * Multiboot2 boot information, as GRUB leaves it.
 * Source: Multiboot2 specification, "Boot information format"
 */
#pragma once

#include <stddef.h>

#include "arch/x86_64/boot_info.h"

enum { MULTIBOOT2_BOOT_MAGIC = 0x36d76289 }; /* in eax at the kernel's entry */

/*
 * Read the boot information at `info`, of which `max_bytes` bytes may be read, into *out, which
 * need not be initialised. The memory map is taken from all tags of type 6, or else from the basic
 * memory information. A tag too short for its type is passed over, one of impossible size or a
 * missing end tag ends the reading; out->bad_offset names the first of them, and the rest counts.
 * Returns: 0, or -EINVAL (total size impossible or over max_bytes; or no memory was described:
 * the rest of *out is valid then, command line included).
 * Context: boot cpu only. Sleeps: no. Locks: none.
 */
int multiboot2_parse(const void *info, size_t max_bytes, struct boot_info *out);
