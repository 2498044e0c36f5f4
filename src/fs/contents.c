// SPDX-License-Identifier: MIT
/*
 * Tables are frames of 512 pointers. All that a new frame needs is allocated before the first
 * pointer is set, so that a failure leaves no table behind.
 */
#include "fs/contents.h"

#include <stdbool.h>
#include <stddef.h>

#include "lib/panic.h"
#include "mm/page.h"
#include "sched/thread.h"

enum { TABLE_BITS = 9, TABLE_ENTRIES = 1 << TABLE_BITS };
_Static_assert(TABLE_ENTRIES * sizeof(void *) == PAGE_SIZE, "a table is a frame");

/* How many frames a tree of that height can hold. */
static uint64_t frames_under(unsigned height)
{
    return UINT64_C(1) << (TABLE_BITS * height);
}

/* The slot in a table of that height on the way to frame `index`. */
static void **slot_of(void *table, unsigned height, uint64_t index)
{
    return &((void **)table)[(index >> (TABLE_BITS * (height - 1))) % TABLE_ENTRIES];
}

char *contents_find(const struct contents *contents, uint64_t index)
{
    void *at = contents->root;
    if (index >= frames_under(contents->height))
        return NULL;
    for (unsigned height = contents->height; height > 0 && at != NULL; height--)
        at = *slot_of(at, height, index);
    return at;
}

/* ---- growing --------------------------------------------------------------------------------- */

static unsigned height_for(uint64_t index)
{
    unsigned height = 0;
    while (index >= frames_under(height))
        height++;
    return height;
}

/* How many frames, tables included, the way to frame `index` lacks. */
static unsigned count_missing(const struct contents *contents, uint64_t index)
{
    unsigned height = height_for(index);
    if (contents->root == NULL)
        return height + 1;
    if (height > contents->height)       /* the old root is the new one's first ... */
        return height - contents->height /* ... and all below the new root's other slot is new */
               + height;
    void *at = contents->root;
    for (height = contents->height; height > 0; height--) {
        at = *slot_of(at, height, index);
        if (at == NULL)
            return height;
    }
    return 0;
}

/* Cleared frames, each holding the address of the next in its first word. */
static void *allocate_chain(unsigned count)
{
    void **chain = NULL;
    while (count-- > 0) {
        void **frame = page_alloc_one(ALLOC_USER | ALLOC_ZERO);
        if (frame == NULL) {
            while (chain != NULL) {
                void **next = *chain;
                page_free_one(chain);
                chain = next;
            }
            return NULL;
        }
        *frame = chain;
        chain = frame;
    }
    return chain;
}

static void *take_from(void **chain)
{
    void **frame = *chain;
    ASSERT(frame != NULL); /* count_missing() has counted them all */
    *chain = *frame;
    *frame = NULL;
    return frame;
}

/* Add tables on top until frame `index` has its place. */
static void raise_tree(struct contents *contents, uint64_t index, void **chain)
{
    unsigned height = height_for(index);
    if (contents->root == NULL)
        contents->height = height;
    while (contents->height < height) {
        void **table = take_from(chain);
        table[0] = contents->root;
        contents->root = table;
        contents->height++;
    }
}

char *contents_make(struct contents *contents, uint64_t index)
{
    unsigned missing = count_missing(contents, index);
    if (missing == 0)
        return contents_find(contents, index);
    void *chain = allocate_chain(missing);
    if (chain == NULL)
        return NULL;
    raise_tree(contents, index, &chain);
    void **slot = &contents->root;
    for (unsigned height = contents->height; height > 0; height--) {
        if (*slot == NULL)
            *slot = take_from(&chain);
        slot = slot_of(*slot, height, index);
    }
    *slot = take_from(&chain);
    atomic_fetch_add_explicit(&contents->frames, 1, memory_order_relaxed);
    return *slot;
}

/* ---- shrinking ------------------------------------------------------------------------------- */

/* Free what hangs at `slot`, a tree of that height, from its frame `first` on. */
static void cut_tree(struct contents *contents, void **slot, unsigned height, uint64_t first)
{
    if (*slot == NULL)
        return;
    if (height > 0) {
        uint64_t span = frames_under(height - 1);
        for (uint64_t i = first / span; i < TABLE_ENTRIES; i++)
            cut_tree(contents, &((void **)*slot)[i], height - 1,
                     i == first / span ? first % span : 0);
        thread_point();
    } else {
        atomic_fetch_sub_explicit(&contents->frames, 1, memory_order_relaxed);
    }
    if (first == 0) {
        page_free_one(*slot);
        *slot = NULL;
    }
}

void contents_cut(struct contents *contents, uint64_t first)
{
    if (first < frames_under(contents->height))
        cut_tree(contents, &contents->root, contents->height, first);
    if (contents->root == NULL)
        contents->height = 0;
}
