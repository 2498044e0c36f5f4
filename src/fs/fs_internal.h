// SPDX-License-Identifier: MIT
/*
 * What the files of fs/ share whatever they implement; for fs/ alone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

/* file_stat.dev: who numbers the inodes. */
enum { FS_DEV_MEMFS = 1, FS_DEV_PIPES = 2, FS_DEV_PROC = 3 };

/*
 * How many of `left` bytes one copy between place `count` of something made of frames and `address`
 * may move: neither side leaves its page. So a copy that fails has moved nothing that counts, and
 * what was copied before it is exactly what lies before the bad page.
 */
static inline size_t fs_piece(uint64_t count, uintptr_t address, size_t left)
{
    size_t here = PAGE_SIZE - (size_t)(count % PAGE_SIZE);
    size_t there = PAGE_SIZE - address % PAGE_SIZE;
    size_t part = here < there ? here : there;
    return part < left ? part : left;
}

/* A frame of zeros: what a hole reads as. */
extern const char fs_zeros[PAGE_SIZE];
