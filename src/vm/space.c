// SPDX-License-Identifier: MIT
/*
 * Regions say what a program may touch; the page tables say which frames it has. Both change under
 * the space's lock, which is held with interrupts on: who spins for it answers calls meanwhile, so
 * the holder may wait for other cores' TLBs (smp/tlb.c).
 *
 * A frame is freed only after all cores have forgotten it, and an address gets another frame only
 * then, too: the lock is held from the one to the other. Long ranges go in turns of FRAMES_AT_ONCE.
 */
#include "vm/space.h"

#include "lib/debug.h"
#include "lib/delay.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/thread.h"

enum { FRAMES_AT_ONCE = 64 };

#define PAGE_MASK ((uintptr_t)PAGE_SIZE - 1)

static uintptr_t page_down(uintptr_t va)
{
    return va & ~PAGE_MASK;
}

static uintptr_t page_up(uintptr_t va)
{
    return (va + PAGE_MASK) & ~PAGE_MASK;
}

static bool in_range(uintptr_t start, size_t bytes)
{
    return start >= ARCH_USER_START && start < ARCH_USER_END && bytes <= ARCH_USER_END - start;
}

static bool meets_guard(const struct space *space, uintptr_t start, uintptr_t end)
{
    return space->guard != 0 && start < space->guard + SPACE_GUARD_BYTES && end > space->guard;
}

static bool breaks_w_xor_x(unsigned prot)
{
    return (prot & PROT_W) != 0 && (prot & PROT_X) != 0;
}

/* More than can ever be touched? */
static bool is_too_much(size_t bytes, unsigned prot)
{
    return (prot & PROT_NO_ACCESS) == 0 && bytes / PAGE_SIZE > page_count_total();
}

/* ---- life ------------------------------------------------------------------------------------ */

struct space *space_create(void)
{
    struct space *space = heap_alloc(sizeof(*space), ALLOC_USER | ALLOC_ZERO);
    paddr_t root = space == NULL ? PADDR_NONE : arch_space_create();
    if (root == PADDR_NONE) {
        heap_free(space);
        return NULL;
    }
    space->tlb.root = root;
    atomic_init(&space->refs, 1);
    space->lock = (struct spinlock)SPINLOCK(RANK_SPACE, "space");
    space->mmap_top = ARCH_USER_END;
    return space;
}

struct space *space_get(struct space *space)
{
    atomic_fetch_add_explicit(&space->refs, 1, memory_order_relaxed);
    return space;
}

/* Nobody else has it any more, and no core has translations of it. */
static void free_space(struct space *space)
{
    delay_at(DELAY_E2);
    arch_space_destroy(space->tlb.root, thread_point); /* step E2 */
    regions_free(&space->regions);
    heap_free(space);
}

void space_put(struct space *space)
{
    ASSERT_THREAD();
    /* release: our use of it is over for who frees it; acquire: and so is everybody else's */
    if (space == NULL || atomic_fetch_sub_explicit(&space->refs, 1, memory_order_acq_rel) != 1)
        return;
    tlb_wait_unused(&space->tlb); /* step E1 */
    free_space(space);
}

struct space *space_current(void)
{
    struct tlb_space *tlb = thread_current()->space;
    return tlb == &tlb_kernel ? NULL : list_entry(tlb, struct space, tlb);
}

uint64_t space_pages(struct space *space)
{
    spin_lock(&space->lock);
    uint64_t pages = space->pages;
    spin_unlock(&space->lock);
    return pages;
}

bool space_next_region(struct space *space, uintptr_t from, struct region *region)
{
    spin_lock(&space->lock);
    const struct region *found = regions_first_in(&space->regions, from, ARCH_USER_END);
    if (found != NULL)
        *region = *found;
    spin_unlock(&space->lock);
    return found != NULL;
}

/* ---- pages: caller holds the lock ------------------------------------------------------------ */

/* The frame of the page at `va`; if it has none yet, it gets one, cleared by page_alloc if `how`
 * says so. Returns: it, or PADDR_NONE without memory. */
static paddr_t give_page(struct space *space, uintptr_t va, unsigned prot, unsigned how)
{
    arch_page_entry_t *entry = arch_page_entry(space->tlb.root, va);
    if (entry == NULL)
        return PADDR_NONE;
    paddr_t pa = arch_page_frame(entry);
    if (pa != PADDR_NONE)
        return pa;
    pa = page_alloc(0, ALLOC_USER | how);
    if (pa == PADDR_NONE)
        return PADDR_NONE;
    arch_page_map(entry, pa, prot);
    space->pages++;
    return pa;
}

/*
 * Unmap pages of [*va, end), FRAMES_AT_ONCE at most, and their regions, for which room is reserved;
 * *va moves to where it stopped.
 */
static void unmap_some(struct space *space, uintptr_t *va, uintptr_t end)
{
    paddr_t frames[FRAMES_AT_ONCE];
    uintptr_t start = *va;
    delay_at(DELAY_F1);
    /* step F1 */
    size_t count = arch_pages_take(space->tlb.root, va, end, frames, FRAMES_AT_ONCE);
    regions_remove(&space->regions, start, *va);
    if (count > 0)
        tlb_flush(&space->tlb, start, *va);
    delay_at(DELAY_F5);
    for (size_t i = 0; i < count; i++)
        page_free(frames[i], 0); /* step F5 */
    space->pages -= count;
}

static void add_region(struct space *space, uintptr_t start, uintptr_t end, unsigned prot,
                       enum region_kind kind)
{
    regions_add(&space->regions,
                (struct region){.start = start, .end = end, .prot = prot, .kind = kind});
}

enum vm_fault vm_page_fault(uintptr_t address, unsigned access)
{
    struct space *space = space_current();
    if (space == NULL)
        return VM_FAULT_UNMAPPED;
    enum vm_fault result = VM_FAULT_DONE;
    spin_lock(&space->lock);
    const struct region *region = regions_find(&space->regions, address);
    if (region == NULL)
        result = VM_FAULT_UNMAPPED;
    else if (region->kind == REGION_GUARD)
        result = VM_FAULT_GUARD;
    else if ((region->prot & PROT_NO_ACCESS) != 0 || (access & ~region->prot) != 0)
        result = VM_FAULT_NO_ACCESS;
    else if (give_page(space, page_down(address), region->prot, ALLOC_ZERO) == PADDR_NONE)
        result = VM_FAULT_NO_MEMORY;
    spin_unlock(&space->lock);
    return result;
}

/* ---- mmap ------------------------------------------------------------------------------------ */

/* Where to map; 0: nowhere. */
static uintptr_t choose_place(const struct space *space, uintptr_t hint, size_t bytes)
{
    hint = page_down(hint);
    if (hint != 0 && in_range(hint, bytes) &&
        regions_first_in(&space->regions, hint, hint + bytes) == NULL)
        return hint;
    return regions_find_room(&space->regions, ARCH_USER_START, space->mmap_top, bytes);
}

/* What is long goes in turns, each with the lock of its own; the caller then sees to what is left,
 * and to what another thread has put there meanwhile. */
static void unmap_long(struct space *space, uintptr_t addr, size_t bytes)
{
    if (bytes > (size_t)FRAMES_AT_ONCE * PAGE_SIZE)
        (void)space_munmap(space, addr, bytes);
}

/* Make room exactly at `addr`. */
static int clear_place(struct space *space, uintptr_t addr, size_t bytes, bool replace)
{
    uintptr_t end = addr + bytes;
    if (meets_guard(space, addr, end))
        return -ENOMEM;
    if (!replace && regions_first_in(&space->regions, addr, end) != NULL)
        return -EEXIST;
    for (uintptr_t va = addr; va < end;)
        unmap_some(space, &va, end);
    return 0;
}

static int check_exact(uintptr_t addr, size_t bytes)
{
    if (addr % PAGE_SIZE != 0)
        return -EINVAL;
    if (addr < ARCH_USER_START)
        return -EPERM;
    return in_range(addr, bytes) ? 0 : -ENOMEM;
}

long space_mmap(struct space *space, uintptr_t addr, size_t bytes, unsigned prot, unsigned flags)
{
    bool exactly = (flags & (SPACE_FIXED | SPACE_NO_REPLACE)) != 0;
    if (bytes == 0)
        return -EINVAL;
    if (bytes > ARCH_USER_END)
        return -ENOMEM;
    bytes = page_up(bytes);
    int error = exactly ? check_exact(addr, bytes) : 0;
    if (error != 0)
        return error;
    if (breaks_w_xor_x(prot))
        return -EACCES;
    if (is_too_much(bytes, prot))
        return -ENOMEM;
    if ((flags & SPACE_FIXED) != 0 && (flags & SPACE_NO_REPLACE) == 0)
        unmap_long(space, addr, bytes);
    spin_lock(&space->lock);
    error = regions_reserve(&space->regions, 3); /* two cuts, and the new one */
    if (error == 0 && exactly)
        error = clear_place(space, addr, bytes, (flags & SPACE_NO_REPLACE) == 0);
    else if (error == 0)
        addr = choose_place(space, addr, bytes);
    if (error == 0 && addr == 0)
        error = -ENOMEM;
    if (error == 0)
        add_region(space, addr, addr + bytes, prot, REGION_ANONYMOUS);
    spin_unlock(&space->lock);
    return error != 0 ? error : (long)addr;
}

int space_munmap(struct space *space, uintptr_t addr, size_t bytes)
{
    if (addr % PAGE_SIZE != 0 || bytes == 0 || !in_range(addr, bytes))
        return -EINVAL;
    uintptr_t end = page_up(addr + bytes);
    int error = 0;
    for (uintptr_t va = addr; va < end && error == 0;) {
        spin_lock(&space->lock);
        error = meets_guard(space, va, end) ? -EINVAL : regions_reserve(&space->regions, 2);
        if (error == 0)
            unmap_some(space, &va, end);
        spin_unlock(&space->lock);
        thread_point();
    }
    return error;
}

int space_mprotect(struct space *space, uintptr_t addr, size_t bytes, unsigned prot)
{
    if (addr % PAGE_SIZE != 0)
        return -EINVAL;
    if (breaks_w_xor_x(prot))
        return -EACCES;
    if (bytes == 0)
        return 0;
    if (!in_range(addr, bytes) || is_too_much(bytes, prot))
        return -ENOMEM;
    uintptr_t end = page_up(addr + bytes);
    int error = 0;
    spin_lock(&space->lock);
    if (meets_guard(space, addr, end) || !regions_cover(&space->regions, addr, end))
        error = -ENOMEM;
    else
        error = regions_reserve(&space->regions, 2);
    if (error == 0) {
        regions_protect(&space->regions, addr, end, prot);
        if (arch_pages_protect(space->tlb.root, addr, end, prot))
            tlb_flush(&space->tlb, addr, end);
    }
    spin_unlock(&space->lock);
    return error;
}

/* ---- brk ------------------------------------------------------------------------------------- */

void space_set_brk_start(struct space *space, uintptr_t start)
{
    spin_lock(&space->lock);
    space->brk_start = page_up(start);
    space->brk = space->brk_start;
    spin_unlock(&space->lock);
}

/* Locks: caller holds the space's. Returns: 0, -ENOMEM. */
static int move_brk(struct space *space, uintptr_t wanted)
{
    uintptr_t old_end = page_up(space->brk), end = page_up(wanted);
    int error = regions_reserve(&space->regions, 2);
    for (uintptr_t va = end; va < old_end && error == 0;)
        unmap_some(space, &va, old_end);
    if (end <= old_end || error != 0)
        return error;
    if (!in_range(old_end, end - old_end) || is_too_much(end - space->brk_start, PROT_W) ||
        regions_first_in(&space->regions, old_end, end) != NULL)
        return -ENOMEM;
    add_region(space, old_end, end, PROT_W, REGION_HEAP);
    return 0;
}

uintptr_t space_brk(struct space *space, uintptr_t wanted)
{
    uintptr_t present = page_up(space->brk);
    if (wanted >= space->brk_start && page_up(wanted) < present)
        unmap_long(space, page_up(wanted), present - page_up(wanted));
    spin_lock(&space->lock);
    if (space->brk_start != 0 && wanted >= space->brk_start && wanted <= ARCH_USER_END &&
        move_brk(space, wanted) == 0)
        space->brk = wanted;
    uintptr_t now = space->brk;
    spin_unlock(&space->lock);
    return now;
}

/* ---- the loader ------------------------------------------------------------------------------ */

/* Is all that lies in [start, end) already a part of the image with this protection? */
static bool image_fits(const struct space *space, uintptr_t start, uintptr_t end, unsigned prot)
{
    const struct region *region;
    for (; (region = regions_first_in(&space->regions, start, end)) != NULL; start = region->end) {
        if (region->kind != REGION_IMAGE || region->prot != prot)
            return false;
    }
    return true;
}

int space_map(struct space *space, uintptr_t start, size_t bytes, unsigned prot)
{
    if (bytes == 0 || !in_range(start, bytes))
        return -EINVAL;
    if (breaks_w_xor_x(prot))
        return -EACCES;
    if (is_too_much(bytes, prot))
        return -ENOMEM;
    uintptr_t first = page_down(start), end = page_up(start + bytes);
    spin_lock(&space->lock);
    int error = regions_reserve(&space->regions, 3);
    if (error == 0 && !image_fits(space, first, end, prot))
        error = -EINVAL;
    if (error == 0) {
        regions_remove(&space->regions, first, end); /* the pages stay */
        add_region(space, first, end, prot, REGION_IMAGE);
    }
    spin_unlock(&space->lock);
    return error;
}

int space_map_stack(struct space *space, uintptr_t top, size_t bytes)
{
    uintptr_t start = top - bytes, guard = start - SPACE_GUARD_BYTES;
    if (bytes == 0 || (top | bytes) % PAGE_SIZE != 0 || bytes > top || guard > start ||
        !in_range(guard, top - guard))
        return -EINVAL;
    spin_lock(&space->lock);
    int error = regions_reserve(&space->regions, 2);
    if (error == 0 && regions_first_in(&space->regions, guard, top) != NULL)
        error = -EINVAL;
    if (error == 0) {
        add_region(space, start, top, PROT_W, REGION_STACK);
        add_region(space, guard, start, PROT_NO_ACCESS, REGION_GUARD);
        space->guard = guard;
        space->mmap_top = guard;
    }
    spin_unlock(&space->lock);
    return error;
}

/* ---- from outside ---------------------------------------------------------------------------- */

static const struct region *region_with_pages(const struct space *space, uintptr_t va)
{
    const struct region *region = regions_find(&space->regions, va);
    return region != NULL && region->kind != REGION_GUARD ? region : NULL;
}

int space_at(struct space *space, uintptr_t va, size_t bytes, void **at)
{
    unsigned how = bytes < PAGE_SIZE ? ALLOC_ZERO : 0;
    int error = 0;
    spin_lock(&space->lock);
    const struct region *region = region_with_pages(space, va);
    if (region == NULL) {
        error = -EFAULT;
    } else {
        paddr_t pa = give_page(space, page_down(va), region->prot, how);
        if (pa == PADDR_NONE)
            error = -ENOMEM;
        else
            *at = (char *)arch_direct(pa) + (va & PAGE_MASK);
    }
    spin_unlock(&space->lock);
    return error;
}

static size_t rest_of_page(uintptr_t va, size_t bytes)
{
    size_t rest = PAGE_SIZE - (va & PAGE_MASK);
    return rest < bytes ? rest : bytes;
}

int space_write(struct space *space, uintptr_t va, const void *data, size_t bytes)
{
    const char *from = data;
    int error = 0;
    while (bytes > 0 && error == 0) {
        size_t piece = rest_of_page(va, bytes);
        void *to;
        error = space_at(space, va, piece, &to);
        if (error == 0)
            memcpy(to, from, piece);
        va += piece;
        from += piece;
        bytes -= piece;
    }
    return error;
}

/* Within one page. Locks: caller holds the space's. */
static int read_piece(const struct space *space, uintptr_t va, void *to, size_t bytes)
{
    if (region_with_pages(space, va) == NULL)
        return -EFAULT;
    paddr_t pa = arch_page_lookup(space->tlb.root, page_down(va));
    if (pa != PADDR_NONE)
        memcpy(to, (const char *)arch_direct(pa) + (va & PAGE_MASK), bytes);
    else
        memset(to, 0, bytes);
    return 0;
}

int space_read(struct space *space, uintptr_t va, void *data, size_t bytes)
{
    char *to = data;
    int error = 0;
    while (bytes > 0 && error == 0) {
        size_t piece = rest_of_page(va, bytes);
        spin_lock(&space->lock);
        error = read_piece(space, va, to, piece);
        spin_unlock(&space->lock);
        va += piece;
        to += piece;
        bytes -= piece;
    }
    return error;
}
