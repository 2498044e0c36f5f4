// SPDX-License-Identifier: MIT
/*
 * Page frames: the buddy allocator and the caches of page.h.
 *
 * A block of order n is 2^n frames aligned to their size. Its buddy is the block whose frame
 * number differs in bit n alone: freeing a block joins it with its buddy as long as that is free
 * and of the same range, allocating one splits a larger block in halves (K. C. Knowlton, "A Fast
 * Storage Allocator", CACM 8(10), 1965).
 *
 * One byte describes a frame. The invariant: exactly the first frame of each block, free or
 * allocated, says so with the block's order; all other frames of the block are FRAME_INSIDE. The
 * links of the free lists lie in the free blocks themselves.
 *
 * Order 0 goes through a cache on each core, used with interrupts off on that core only and moved
 * to and from the free lists in batches. What a core has cached counts as free for
 * page_count_free() but not for the reserve, which must be within every core's reach; so while
 * memory is short, frames pass the caches by.
 */
#include "mm/page.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/cpumask.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "lib/text.h"

enum frame_state {
    FRAME_ORDER_MASK = 0x0f,
    FRAME_KIND_MASK = 0xf0,
    FRAME_RESERVED = 0x10, /* in a range, not released to the allocator yet */
    FRAME_INSIDE = 0x20,   /* of a block, not its first */
    FRAME_HELD = 0x30,     /* free, but on no list: in a core's cache, or on its way to the lists */
    FRAME_FREE = 0x40,     /* with the order: first of a block on a free list */
    FRAME_USED = 0x50,     /* with the order: first of an allocated block */
};

enum {
    ORDERS = PAGE_MAX_ORDER + 1,
    CACHE_FRAMES = 32,  /* what a core may hold */
    CACHE_BATCH = 16,   /* what it takes or gives back at once */
    RESERVE_SHARE = 64, /* one frame of so many is kept back, within these limits: */
    RESERVE_MIN = 16,
    RESERVE_MAX = 1024,
};

#define PFN_NONE (~UINT64_C(0))

/* Frames [first, end), by number. A state is changed under buddy_lock, or by the frame's owner. */
struct page_range {
    uint64_t first;
    uint64_t end;
    _Atomic uint8_t *state;
};

struct page_cache {
    bool ready;             /* I: by page_cpu_init */
    _Atomic uint32_t count; /* this core's, interrupts off; read by page_count_free anywhere */
    uint64_t pfn[CACHE_FRAMES];
};

static DEFINE_PERCPU(struct page_cache, page_cache);
static struct cpumask cache_cpus; /* the cores whose cache is ready */

static struct spinlock buddy_lock = SPINLOCK(RANK_PAGE, "page.buddy");
static struct list_node free_blocks[ORDERS]; /* L: buddy_lock */
static _Atomic uint64_t free_frames;         /* L: buddy_lock, read anywhere; caches left out */

static struct page_range ranges[PAGE_MAX_RANGES]; /* I: sorted, disjoint */
static size_t range_count;                        /* I: */
static uint64_t total_frames;                     /* I: */
static uint64_t reserve_frames;                   /* I: */
static _Atomic size_t last_range;                 /* a hint: where range_of last found a frame */

/* ---- frames and their ranges ----------------------------------------------------------------- */

static bool range_has(const struct page_range *range, uint64_t pfn)
{
    return pfn >= range->first && pfn < range->end;
}

/* The range of a frame, or NULL. */
static const struct page_range *range_of(uint64_t pfn)
{
    size_t low = atomic_load_explicit(&last_range, memory_order_relaxed);
    if (range_has(&ranges[low], pfn))
        return &ranges[low];
    low = 0;
    size_t high = range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pfn >= ranges[middle].end)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == range_count || pfn < ranges[low].first)
        return NULL;
    atomic_store_explicit(&last_range, low, memory_order_relaxed);
    return &ranges[low];
}

static unsigned frame_state(const struct page_range *range, uint64_t pfn)
{
    return atomic_load_explicit(&range->state[pfn - range->first], memory_order_relaxed);
}

static void frame_set_state(const struct page_range *range, uint64_t pfn, unsigned state)
{
    atomic_store_explicit(&range->state[pfn - range->first], (uint8_t)state, memory_order_relaxed);
}

/* One atomic step, so that of two cores that free the same frame one is caught. */
static bool frame_change_state(const struct page_range *range, uint64_t pfn, unsigned from,
                               unsigned to)
{
    uint8_t expected = (uint8_t)from;
    return atomic_compare_exchange_strong_explicit(&range->state[pfn - range->first], &expected,
                                                   (uint8_t)to, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static void *frame_address(uint64_t pfn)
{
    return arch_direct(pfn << PAGE_SHIFT);
}

static uint64_t frame_of_address(const void *address)
{
    return arch_direct_to_phys(address) >> PAGE_SHIFT;
}

/* ---- the buddy allocator: buddy_lock is held ------------------------------------------------- */

static uint64_t buddy_free_frames(void)
{
    return atomic_load_explicit(&free_frames, memory_order_relaxed);
}

static void buddy_count(int64_t frames)
{
    uint64_t count = buddy_free_frames() + (uint64_t)frames;
    atomic_store_explicit(&free_frames, count, memory_order_relaxed);
}

static void buddy_list(const struct page_range *range, uint64_t pfn, unsigned order)
{
    frame_set_state(range, pfn, FRAME_FREE | order);
    list_push_front(&free_blocks[order], frame_address(pfn));
}

/* Put a block whose first frame is FRAME_HELD onto the free lists, joined as far as it goes. */
static void buddy_give(const struct page_range *range, uint64_t pfn, unsigned order)
{
    buddy_count(INT64_C(1) << order);
    for (; order < PAGE_MAX_ORDER; order++) {
        uint64_t half = UINT64_C(1) << order;
        uint64_t buddy = pfn ^ half;
        if (!range_has(range, buddy) || frame_state(range, buddy) != (FRAME_FREE | order))
            break;
        list_remove(frame_address(buddy));
        frame_set_state(range, pfn | half, FRAME_INSIDE);
        pfn &= ~half;
    }
    buddy_list(range, pfn, order);
}

/* A block off the free lists if `floor` frames stay behind, or PFN_NONE. */
static uint64_t buddy_take(unsigned order, uint64_t floor)
{
    if (buddy_free_frames() < floor + (UINT64_C(1) << order))
        return PFN_NONE;
    unsigned found = order;
    while (found < ORDERS && list_is_empty(&free_blocks[found]))
        found++;
    if (found == ORDERS)
        return PFN_NONE;
    struct list_node *node = free_blocks[found].next;
    list_remove(node);
    uint64_t pfn = frame_of_address(node);
    const struct page_range *range = range_of(pfn);
    while (found > order) {
        found--;
        buddy_list(range, pfn + (UINT64_C(1) << found), found);
    }
    frame_set_state(range, pfn, FRAME_USED | order);
    buddy_count(-(INT64_C(1) << order));
    return pfn;
}

/* ---- this core's cache: interrupts are off --------------------------------------------------- */

static uint32_t cache_count(struct page_cache *cache)
{
    return atomic_load_explicit(&cache->count, memory_order_relaxed);
}

static void cache_push(struct page_cache *cache, uint64_t pfn)
{
    uint32_t count = cache_count(cache);
    cache->pfn[count] = pfn;
    atomic_store_explicit(&cache->count, count + 1, memory_order_relaxed);
}

static uint64_t cache_pop(struct page_cache *cache)
{
    uint32_t count = cache_count(cache) - 1;
    atomic_store_explicit(&cache->count, count, memory_order_relaxed);
    return cache->pfn[count];
}

/* Move frames to the free lists until `keep` are left. buddy_lock is held. */
static void cache_spill(struct page_cache *cache, uint32_t keep)
{
    while (cache_count(cache) > keep) {
        uint64_t pfn = cache_pop(cache);
        buddy_give(range_of(pfn), pfn, 0);
    }
}

/* Fill up to a batch, leaving `floor` frames on the free lists. buddy_lock is held. */
static void cache_refill(struct page_cache *cache, uint64_t floor)
{
    while (cache_count(cache) < CACHE_BATCH) {
        uint64_t pfn = buddy_take(0, floor);
        if (pfn == PFN_NONE)
            break;
        frame_set_state(range_of(pfn), pfn, FRAME_HELD);
        cache_push(cache, pfn);
    }
}

/*
 * One frame by way of the cache, or PFN_NONE if that is not to serve: not ready, empty with
 * nothing to fill it from, or memory so short that the floor has to be looked at under the lock.
 */
static uint64_t cache_alloc(uint64_t floor)
{
    struct page_cache *cache = this_cpu_ptr(page_cache);
    if (!cache->ready || buddy_free_frames() < floor)
        return PFN_NONE;
    if (cache_count(cache) == 0) {
        spin_lock(&buddy_lock);
        cache_refill(cache, floor);
        spin_unlock(&buddy_lock);
    }
    if (cache_count(cache) == 0)
        return PFN_NONE;
    uint64_t pfn = cache_pop(cache);
    frame_set_state(range_of(pfn), pfn, FRAME_USED);
    return pfn;
}

/* Take a frame that is FRAME_HELD into the cache. Returns: false if that is not to serve. */
static bool cache_free(uint64_t pfn)
{
    struct page_cache *cache = this_cpu_ptr(page_cache);
    if (!cache->ready || buddy_free_frames() < reserve_frames)
        return false;
    if (cache_count(cache) == CACHE_FRAMES) {
        spin_lock(&buddy_lock);
        cache_spill(cache, CACHE_FRAMES - CACHE_BATCH);
        spin_unlock(&buddy_lock);
    }
    cache_push(cache, pfn);
    return true;
}

/* ---- allocating ------------------------------------------------------------------------------ */

/* How many frames this asker must leave on the free lists. */
static uint64_t floor_for(enum page_alloc how)
{
    switch ((unsigned)how & ~(unsigned)ALLOC_ZERO) {
    case ALLOC_ATOMIC:
        return 0;
    case ALLOC_KERNEL:
        return reserve_frames / 2;
    default:
        return reserve_frames;
    }
}

/* Past the cache. Before giving up it is emptied: its frames may make the block, or the floor. */
static uint64_t alloc_block(unsigned order, uint64_t floor)
{
    spin_lock(&buddy_lock);
    uint64_t pfn = buddy_take(order, floor);
    if (pfn == PFN_NONE) {
        cache_spill(this_cpu_ptr(page_cache), 0);
        pfn = buddy_take(order, floor);
    }
    spin_unlock(&buddy_lock);
    return pfn;
}

paddr_t page_alloc(unsigned order, enum page_alloc how)
{
    if (DEBUG_KERNEL)
        context_check_alloc(__func__, page_alloc_is_atomic(how),
                            (uintptr_t)__builtin_return_address(0));
    if (order > PAGE_MAX_ORDER)
        return PADDR_NONE;
    uint64_t floor = floor_for(how);
    uint64_t flags = arch_irq_save();
    uint64_t pfn = order == 0 ? cache_alloc(floor) : PFN_NONE;
    if (pfn == PFN_NONE)
        pfn = alloc_block(order, floor);
    arch_irq_restore(flags);
    if (pfn == PFN_NONE)
        return PADDR_NONE;
    if (((unsigned)how & ALLOC_ZERO) != 0)
        memset(frame_address(pfn), 0, (size_t)PAGE_SIZE << order);
    return pfn << PAGE_SHIFT;
}

void *page_alloc_one(enum page_alloc how)
{
    paddr_t pa = page_alloc(0, how);
    return pa == PADDR_NONE ? NULL : arch_direct(pa);
}

/* ---- freeing --------------------------------------------------------------------------------- */

/* What is wrong with freeing a block whose first frame is in this state. */
static const char *free_fault(unsigned state)
{
    switch (state & FRAME_KIND_MASK) {
    case FRAME_FREE:
    case FRAME_HELD:
        return "it is free already";
    case FRAME_INSIDE:
        return "it is inside a block: free already, or never a block's start";
    case FRAME_USED:
        return "it was allocated with another order";
    default:
        return "it was never allocated";
    }
}

/* The block's range, its first frame now FRAME_HELD; panics unless page_alloc gave it so. */
static const struct page_range *claim_block(paddr_t pa, unsigned order)
{
    uint64_t pfn = pa >> PAGE_SHIFT;
    const struct page_range *range = range_of(pfn);
    const char *fault = NULL;
    if (order > PAGE_MAX_ORDER || pa % ((paddr_t)PAGE_SIZE << order) != 0)
        fault = "no block of that order begins there";
    else if (range == NULL)
        fault = "no such frame";
    else if (!frame_change_state(range, pfn, FRAME_USED | order, FRAME_HELD))
        fault = free_fault(frame_state(range, pfn));
    if (fault != NULL)
        panic("page_free of 0x%llx, order %u: %s", (unsigned long long)pa, order, fault);
    return range;
}

void page_free(paddr_t pa, unsigned order)
{
    const struct page_range *range = claim_block(pa, order);
    uint64_t pfn = pa >> PAGE_SHIFT;
    uint64_t flags = arch_irq_save();
    if (order != 0 || !cache_free(pfn)) {
        spin_lock(&buddy_lock);
        buddy_give(range, pfn, order);
        spin_unlock(&buddy_lock);
    }
    arch_irq_restore(flags);
}

void page_free_one(void *page)
{
    if (page != NULL)
        page_free(arch_direct_to_phys(page), 0);
}

uint64_t page_count_free(void)
{
    uint64_t count = buddy_free_frames();
    cpumask_for_each (cpu, &cache_cpus) {
        count += cache_count(percpu_of(cpu, page_cache));
    }
    return count;
}

uint64_t page_count_total(void)
{
    return total_frames;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

size_t page_descriptor_bytes(uint64_t frames)
{
    return frames * sizeof(*ranges[0].state);
}

/* Where the range belongs in the sorted table, or -EINVAL if it overlaps one there. */
static long range_place(uint64_t first, uint64_t end)
{
    size_t place = 0;
    while (place < range_count && ranges[place].end <= first)
        place++;
    if (place < range_count && ranges[place].first < end)
        return -EINVAL;
    return (long)place;
}

static void range_insert(size_t place, struct page_range range)
{
    for (size_t i = range_count; i > place; i--)
        ranges[i] = ranges[i - 1];
    ranges[place] = range;
    range_count++;
}

static void reserve_update(void)
{
    reserve_frames = total_frames / RESERVE_SHARE;
    if (reserve_frames < RESERVE_MIN)
        reserve_frames = RESERVE_MIN;
    if (reserve_frames > RESERVE_MAX)
        reserve_frames = RESERVE_MAX;
}

int page_add_range(paddr_t start, paddr_t end, void *descriptors)
{
    if (start % PAGE_SIZE != 0 || end % PAGE_SIZE != 0 || start >= end)
        return -EINVAL;
    struct page_range range = {start >> PAGE_SHIFT, end >> PAGE_SHIFT, descriptors};
    long place = range_place(range.first, range.end);
    if (place < 0)
        return (int)place;
    if (range_count == PAGE_MAX_RANGES)
        return -ENOSPC;
    for (unsigned order = 0; range_count == 0 && order < ORDERS; order++)
        list_init(&free_blocks[order]);
    uint64_t frames = range.end - range.first;
    memset(descriptors, FRAME_RESERVED, page_descriptor_bytes(frames));
    range_insert((size_t)place, range);
    total_frames += frames;
    reserve_update();
    return 0;
}

/* The largest order of a block that begins at pfn and ends by `end`. */
static unsigned order_within(uint64_t pfn, uint64_t end)
{
    unsigned order = 0;
    while (order < PAGE_MAX_ORDER && pfn % (UINT64_C(2) << order) == 0 &&
           (UINT64_C(2) << order) <= end - pfn)
        order++;
    return order;
}

static void release_block(const struct page_range *range, uint64_t pfn, unsigned order)
{
    for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
        if (frame_state(range, pfn + i) != FRAME_RESERVED)
            panic("page_release_range: frame 0x%llx was released before",
                  (unsigned long long)((pfn + i) << PAGE_SHIFT));
        frame_set_state(range, pfn + i, i == 0 ? FRAME_HELD : FRAME_INSIDE);
    }
    uint64_t flags = spin_lock_irqsave(&buddy_lock);
    buddy_give(range, pfn, order);
    spin_unlock_irqrestore(&buddy_lock, flags);
}

void page_release_range(paddr_t start, paddr_t end)
{
    uint64_t first = (start >> PAGE_SHIFT) + (start % PAGE_SIZE != 0);
    uint64_t stop = end >> PAGE_SHIFT;
    for (size_t i = 0; i < range_count; i++) {
        const struct page_range *range = &ranges[i];
        uint64_t pfn = first > range->first ? first : range->first;
        uint64_t range_stop = stop < range->end ? stop : range->end;
        while (pfn < range_stop) {
            unsigned order = order_within(pfn, range_stop);
            release_block(range, pfn, order);
            pfn += UINT64_C(1) << order;
        }
    }
}

void page_cpu_init(void)
{
    cpu_t cpu = arch_cpu();
    if (cpumask_test(&cache_cpus, cpu))
        return; /* a core that comes back: what it had is still there */
    struct page_cache *cache = this_cpu_ptr(page_cache);
    atomic_store_explicit(&cache->count, 0, memory_order_relaxed);
    cache->ready = true;
    cpumask_set(&cache_cpus, cpu);
}
