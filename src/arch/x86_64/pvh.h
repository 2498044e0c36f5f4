// SPDX-License-Identifier: MIT
/*
 * PVH boot information (hvm_start_info), as `qemu -kernel` passes it.
 * Source: Xen public headers, "arch-x86/hvm/start_info.h"
 */
#pragma once

#include <stddef.h>

#include "arch/x86_64/boot_info.h"

enum {
    PVH_START_INFO_V0_BYTES = 40,
    PVH_START_INFO_V1_BYTES = 56,
};

/*
 * Read `start_info` (PVH_START_INFO_V0_BYTES readable, PVH_START_INFO_V1_BYTES if its version is 1
 * or more) and what it points to into *out, which need not be initialised. at(pa, len) gives the
 * address of those bytes of physical memory, or NULL if any of them is out of reach; what is out
 * of reach is left out, and a list that is counts as dropped.
 * Returns: 0, or -EINVAL (wrong magic, or no memory map: version 0 has none; with the right magic
 * the rest of *out is valid, command line included).
 * Context: boot cpu only. Sleeps: no. Locks: none.
 */
int pvh_parse(const void *start_info, const void *(*at)(paddr_t pa, size_t len),
              struct boot_info *out);
