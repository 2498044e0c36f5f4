// SPDX-License-Identifier: MIT
/*
 * The heap and the frames of a host test (link tests/host/fake/memory.c): each allocation is
 * malloc's, so that ASan sees every overrun and use after free; they are counted, and the n-th can
 * be made to fail.
 */
#pragma once

extern _Atomic long fake_live; /* allocations not freed */
extern long fake_fail_after;   /* so many succeed, all later ones fail; -1: none does */
