// SPDX-License-Identifier: MIT
/*
 * A program's address space: regions, each a run of pages with one protection, and behind them
 * frames that come when a page is first touched (demand zero). docs/address-spaces.md is the page
 * about it.
 *
 * A space is shared by reference: by the threads that run in it, and by the two processes of a
 * vfork. All of its functions may be called for a space that other cores use at the same time,
 * unless said otherwise. Protections are arch.h's PROT_R, PROT_W, PROT_X, PROT_NO_ACCESS; a page is
 * never writable and executable (W^X).
 *
 * Errors common to all: -ENOMEM, no memory for frames, page tables or the list of regions.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/spinlock.h"
#include "smp/tlb.h"
#include "vm/regions.h"

#define SPACE_GUARD_BYTES                                                                          \
    ((size_t)1 << 20) /* below a stack: more than one frame of most functions */

struct space {
    struct tlb_space tlb; /* what the threads in it have as thread->space */
    _Atomic unsigned refs;
    struct spinlock lock;     /* held with interrupts on; a page fault takes it */
    struct regions regions;   /* L: lock, as are the page tables */
    uint64_t pages;           /* L: frames that it has, its page tables not counted */
    uintptr_t brk_start, brk; /* L: the heap that brk moves; 0: none yet */
    uintptr_t guard;          /* L: where the guard below the stack begins; 0: no stack yet */
    uintptr_t mmap_top;       /* L: below it space_mmap looks for room, from above */
};

/* ---- life ------------------------------------------------------------------------------------ */

/* Make an empty one, with one reference. Returns: it, or NULL without memory.
 * Context: thread. Sleeps: no. Locks: takes heap, frames. */
struct space *space_create(void);

/* One more reference. Returns: space. Context: thread. */
struct space *space_get(struct space *space);

/*
 * Give a reference back. The last one frees all frames and tables; by then no thread may have it as
 * its own (thread_use_space). NULL is passed over. Context: thread. Sleeps: yes (thread_point).
 */
void space_put(struct space *space);

/* The space in which the calling thread runs, or NULL for the kernel's. Context: thread. */
struct space *space_current(void);

/* ---- what a program asks for ----------------------------------------------------------------- */

enum space_mmap_flags {
    SPACE_FIXED = 1 << 0,      /* exactly at addr, in place of what is there */
    SPACE_NO_REPLACE = 1 << 1, /* exactly at addr, if nothing is there */
};

/*
 * Map `bytes` (rounded up to whole pages) of private, cleared memory. Without a flag addr is a
 * hint (0: none): taken if there is room, else the highest room below the stack is.
 * Returns: the address; -EINVAL (no bytes; FIXED or NO_REPLACE and addr is no page's), -EACCES
 * (PROT_W with PROT_X), -EPERM (FIXED or NO_REPLACE below ARCH_USER_START), -EEXIST (NO_REPLACE,
 * something is there), -ENOMEM (no room; outside the programs' range, or in the guard below the
 * stack; more than all memory of this machine, unless PROT_NO_ACCESS).
 * Context: thread, interrupts on. Sleeps: no. Locks: takes space.
 */
long space_mmap(struct space *space, uintptr_t addr, size_t bytes, unsigned prot, unsigned flags);

/*
 * Unmap the pages of [addr, addr + bytes); where nothing is mapped, nothing happens.
 * Returns: 0; -EINVAL (no bytes; addr is no page's; not in the programs' range, or in the guard
 * below the stack), -ENOMEM (a region was to be cut in two; perhaps a part has gone).
 * Context: thread, interrupts on. Sleeps: yes (thread_point). Locks: takes space.
 */
int space_munmap(struct space *space, uintptr_t addr, size_t bytes);

/*
 * Change the protection of all pages of [addr, addr + bytes), whole pages. What is in them stays,
 * also under PROT_NO_ACCESS. Nothing is changed on an error.
 * Returns: 0 (also for no bytes); -EINVAL (addr is no page's), -EACCES (PROT_W with PROT_X),
 * -ENOMEM (a page is not mapped; the guard below the stack; accessible from now on, and more than
 * all memory of this machine).
 * Context: thread, interrupts on. Sleeps: no. Locks: takes space.
 */
int space_mprotect(struct space *space, uintptr_t addr, size_t bytes, unsigned prot);

/* Where the heap begins, once the program is loaded: at the page of `start` or the next one.
 * Context: as space_brk. */
void space_set_brk_start(struct space *space, uintptr_t start);

/*
 * Move the end of the heap to `wanted`. Returns: the new end, or the present one if that cannot be
 * (below its start; something else is there; more than all memory of this machine; -ENOMEM), as
 * Linux's brk does. Context: thread, interrupts on. Sleeps: no. Locks: takes space.
 */
uintptr_t space_brk(struct space *space, uintptr_t wanted);

/* The first region that ends above `from`, for reports. Returns: false if there is none.
 * Context: thread. Locks: takes space. */
bool space_next_region(struct space *space, uintptr_t from, struct region *region);

/* Frames that it has; page tables are not counted. Context: thread. Locks: takes space. */
uint64_t space_pages(struct space *space);

/* ---- what the loader does -------------------------------------------------------------------- */

/*
 * Make the pages of [start, start + bytes) a part of the program's image, with demand-zero pages
 * behind it. Where an earlier part has the same protection, the two share the page.
 * Returns: 0, -EINVAL (empty, wraps, not in the programs' range; something else, or an earlier part
 * with another protection, is there), -EACCES (PROT_W with PROT_X), -ENOMEM.
 * Context: thread, interrupts on. Sleeps: no. Locks: takes space.
 */
int space_map(struct space *space, uintptr_t start, size_t bytes, unsigned prot);

/*
 * The stack: [top - bytes, top), whole pages, writable, with SPACE_GUARD_BYTES below it that are
 * never mapped. From now on space_mmap looks for room below that.
 * Returns: 0, -EINVAL (empty, misaligned, not in the programs' range, something is there), -ENOMEM.
 * Context: as space_map.
 */
int space_map_stack(struct space *space, uintptr_t top, size_t bytes);

/*
 * *at is the kernel's address of the byte at `va`, good to the end of its page; the page gets its
 * frame if it has none yet. The caller writes `bytes` from there on, to that end at most, or else
 * ends the space: a fresh frame is cleared unless this fills it. Only for a space in which no
 * thread runs yet: nobody can read or unmap the page meanwhile. The page's protection does not
 * matter. Returns: 0, -EFAULT (no region there, or the guard), -ENOMEM. Context: as space_map.
 */
int space_at(struct space *space, uintptr_t va, size_t bytes, void **at);

/*
 * Copy to and from pages of a space that need not be the caller's, whatever their protection.
 * space_read finds zeroes where no frame has come yet, and is safe against other threads that unmap
 * or write meanwhile; space_write is for a space in which no thread runs yet.
 * Returns: 0, -EFAULT (no region there, or the guard; what came before may have been copied),
 * -ENOMEM (space_write alone). Context: as space_map.
 */
int space_write(struct space *space, uintptr_t va, const void *data, size_t bytes);
int space_read(struct space *space, uintptr_t va, void *data, size_t bytes);
