// SPDX-License-Identifier: MIT
/*
 * The kernel heap: slabs of one frame for objects up to 1984 bytes, whole blocks of frames above.
 *
 * A slab is cut into objects of one size class (J. Bonwick, "The Slab Allocator", USENIX Summer
 * 1994). Its header, at the frame's start, has a bit for each object, so nothing of the heap's lies
 * where a stray write into a freed object would reach it. A large object has a header too, in front
 * of it at the start of its block. An object never begins a frame, so its address rounded down to a
 * frame is its header, and the header's magic number says which kind it is, or that the pointer
 * is not the heap's.
 *
 * Each class has its lock. A class keeps at most one slab that is wholly free; frames are taken and
 * given back outside the lock.
 */
#include "mm/heap.h"

#include <stdbool.h>
#include <stdint.h>

#include "lib/debug.h"
#include "lib/list.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "lib/text.h"

enum {
    HEADER_BYTES = 64, /* also what objects from 64 bytes on are aligned to */
    SMALLEST = 16,
    BITMAP_WORDS = PAGE_SIZE / SMALLEST / 64,
};

#define SLAB_MAGIC UINT64_C(0x5a1b0b1ec7000001)
#define LARGE_MAGIC UINT64_C(0x5a1b0b1ec7000002)

/* The start of every frame or block that the heap holds. */
struct heap_header {
    uint64_t magic;        /* of the kind, mixed with the address: a copied header is no header */
    uint16_t class;        /* a slab's class */
    uint16_t used;         /* L: class lock; a slab's objects in use */
    uint32_t order;        /* a large object's block */
    struct list_node node; /* L: class lock; in the class's list unless it is full */
    uint64_t free_bits[BITMAP_WORDS]; /* L: class lock; bit set: the object is free */
};
_Static_assert(sizeof(struct heap_header) <= HEADER_BYTES, "the header has its place");
_Static_assert(HEAP_MAX + HEADER_BYTES <= PAGE_SIZE << PAGE_MAX_ORDER, "HEAP_MAX has a block");

struct heap_class {
    struct spinlock lock;
    uint32_t size;             /* I: bytes of an object; from 64 on a multiple of 64 */
    struct list_node slabs;    /* L: those with a free object; the empty one comes last */
    struct heap_header *empty; /* L: the one slab kept that is wholly free, or NULL */
};

/* The larger sizes are the largest multiples of 64 of which 10, 8, 7 ... 2 fit into a slab. */
#define CLASS(i, bytes)                                                                            \
    [i] = {SPINLOCK(RANK_HEAP, "heap.class"), (bytes), LIST_INIT(classes[i].slabs), NULL}
static struct heap_class classes[] = {
    CLASS(0, 16),   CLASS(1, 32),   CLASS(2, 48),    CLASS(3, 64),
    CLASS(4, 128),  CLASS(5, 192),  CLASS(6, 256),   CLASS(7, 320),
    CLASS(8, 384),  CLASS(9, 448),  CLASS(10, 576),  CLASS(11, 640),
    CLASS(12, 768), CLASS(13, 960), CLASS(14, 1344), CLASS(15, 1984),
};
enum { CLASSES = sizeof(classes) / sizeof(classes[0]), SMALL_MAX = 1984 };

static uint64_t magic_of(const struct heap_header *header, uint64_t kind)
{
    return kind ^ (uintptr_t)header;
}

/* ---- slabs ----------------------------------------------------------------------------------- */

static struct heap_class *class_for(size_t size)
{
    struct heap_class *class = classes;
    while (class->size < size)
        class ++;
    return class;
}

static uint32_t objects_in_slab(const struct heap_class *class)
{
    return (PAGE_SIZE - HEADER_BYTES) / class->size;
}

static void slab_init(struct heap_header *slab, const struct heap_class *class)
{
    memset(slab, 0, sizeof(*slab));
    slab->magic = magic_of(slab, SLAB_MAGIC);
    slab->class = (uint16_t)(class - classes);
    for (uint32_t i = 0; i < objects_in_slab(class); i++)
        slab->free_bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* An object of a slab that has a free one. The class lock is held. */
static void *slab_take(struct heap_header *slab, struct heap_class *class)
{
    size_t word = 0;
    while (slab->free_bits[word] == 0)
        word++;
    unsigned bit = (unsigned)__builtin_ctzll(slab->free_bits[word]);
    slab->free_bits[word] &= ~(UINT64_C(1) << bit);
    if (class->empty == slab)
        class->empty = NULL;
    slab->used++;
    if (slab->used == objects_in_slab(class))
        list_remove(&slab->node);
    return (char *)slab + HEADER_BYTES + (word * 64 + bit) * class->size;
}

static void *small_alloc_from_list(struct heap_class *class)
{
    void *object = NULL;
    uint64_t flags = spin_lock_irqsave(&class->lock);
    if (!list_is_empty(&class->slabs)) {
        struct list_node *first = class->slabs.next;
        object = slab_take(list_entry(first, struct heap_header, node), class);
    }
    spin_unlock_irqrestore(&class->lock, flags);
    return object;
}

static void *small_alloc(struct heap_class *class, enum page_alloc how)
{
    void *object = small_alloc_from_list(class);
    if (object != NULL)
        return object;
    struct heap_header *slab = page_alloc_one(how);
    if (slab == NULL)
        return NULL;
    slab_init(slab, class);
    uint64_t flags = spin_lock_irqsave(&class->lock);
    list_push_front(&class->slabs, &slab->node);
    object = slab_take(slab, class);
    spin_unlock_irqrestore(&class->lock, flags);
    return object;
}

/*
 * Mark object `index` free. The class lock is held.
 * Returns: true if the slab is now empty and off its list, to be given back.
 */
static bool slab_put(struct heap_header *slab, struct heap_class *class, uint32_t index)
{
    slab->free_bits[index / 64] |= UINT64_C(1) << (index % 64);
    if (slab->used == objects_in_slab(class))
        list_push_front(&class->slabs, &slab->node);
    slab->used--;
    if (slab->used != 0)
        return false;
    list_remove(&slab->node);
    if (class->empty != NULL)
        return true;
    list_push_back(&class->slabs, &slab->node);
    class->empty = slab;
    return false;
}

static bool slab_object_is_free(const struct heap_header *slab, uint32_t index)
{
    return (slab->free_bits[index / 64] >> (index % 64) & 1) != 0;
}

static void small_free(struct heap_header *slab, const void *object)
{
    struct heap_class *class = &classes[slab->class];
    uint32_t offset = (uint32_t)((const char *)object - (const char *)slab) - HEADER_BYTES;
    uint32_t index = offset / class->size;
    if (offset % class->size != 0 || index >= objects_in_slab(class))
        panic("heap_free of %p: no object of %u bytes begins there", object, class->size);
    uint64_t flags = spin_lock_irqsave(&class->lock);
    bool was_free = slab_object_is_free(slab, index);
    bool give_back = !was_free && slab_put(slab, class, index);
    spin_unlock_irqrestore(&class->lock, flags);
    if (was_free)
        panic("heap_free of %p: it is free already", object);
    if (give_back) {
        slab->magic = 0;
        page_free_one(slab);
    }
}

/* ---- large objects --------------------------------------------------------------------------- */

static unsigned order_for(size_t bytes)
{
    unsigned order = 0;
    while (((size_t)PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

static void *large_alloc(size_t size, enum page_alloc how)
{
    unsigned order = order_for(size + HEADER_BYTES);
    paddr_t pa = page_alloc(order, how);
    if (pa == PADDR_NONE)
        return NULL;
    struct heap_header *header = arch_direct(pa);
    header->magic = magic_of(header, LARGE_MAGIC);
    header->order = order;
    return (char *)header + HEADER_BYTES;
}

static void large_free(struct heap_header *header, const void *object)
{
    if ((const char *)object != (const char *)header + HEADER_BYTES)
        panic("heap_free of %p: the object begins at %p", object,
              (void *)((char *)header + HEADER_BYTES));
    header->magic = 0; /* a second free finds nothing of the heap's */
    page_free(arch_direct_to_phys(header), header->order);
}

/* ---- the interface --------------------------------------------------------------------------- */

void *heap_alloc(size_t size, enum page_alloc how)
{
    if (DEBUG_KERNEL)
        context_check_alloc(__func__, page_alloc_is_atomic(how),
                            (uintptr_t)__builtin_return_address(0));
    if (size == 0 || size > HEAP_MAX)
        return NULL;
    enum page_alloc who = (enum page_alloc)((unsigned)how & ~(unsigned)ALLOC_ZERO);
    void *object = size <= SMALL_MAX ? small_alloc(class_for(size), who) : large_alloc(size, who);
    if (object != NULL && ((unsigned)how & ALLOC_ZERO) != 0)
        memset(object, 0, size);
    return object;
}

void heap_free(void *object)
{
    if (object == NULL)
        return;
    char *frame = (char *)object - (uintptr_t)object % PAGE_SIZE;
    struct heap_header *header = (struct heap_header *)(void *)frame;
    if (header->magic == magic_of(header, SLAB_MAGIC))
        small_free(header, object);
    else if (header->magic == magic_of(header, LARGE_MAGIC))
        large_free(header, object);
    else
        panic("heap_free of %p: not an object of the heap", object);
}
