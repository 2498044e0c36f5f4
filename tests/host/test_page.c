// SPDX-License-Identifier: MIT
/* links: src/mm/page.c tests/host/fake/panic.c */
/*
 * The frame allocator against a model, over ranges that are misaligned, adjacent and apart. The
 * module's state lives as long as the program, so the tests run in the order of the list.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_panic.h"
#include "lib/errno.h"
#include "lib/spinlock.h"
#include "mm/page.h"

enum {
    MAX_BLOCK = 1 << PAGE_MAX_ORDER,
    ARENA_FRAMES = 3 * MAX_BLOCK,
    CORES = 4,
    CACHE_MAX = 32,
};

#define ARENA_BASE UINT64_C(0x140000000) /* where the arena pretends to lie */

/* Frames of the arena, [first, end): two that touch, one apart, one of a single frame, and one with
 * blocks of the largest order. */
static const struct {
    uint64_t first, end;
} layout[] = {{3, 2048},
              {2048, 2048 + 777},
              {3072, 3072 + 4 * 1024},
              {8000, 8001},
              {MAX_BLOCK, 3 * MAX_BLOCK - 1}};
enum { LAYOUT = sizeof(layout) / sizeof(layout[0]) };

static unsigned char *arena;
static unsigned char owner[ARENA_FRAMES]; /* the model: which frames are allocated */
static uint64_t all_frames;

static _Atomic unsigned locks_taken;

/* lib/spinlock.c's, with a count. */
void spin_lock(struct spinlock *lock)
{
    locks_taken++;
    while (atomic_exchange_explicit(&lock->taken, 1, memory_order_acquire) != 0)
        sched_yield();
}

void *arch_direct(paddr_t pa)
{
    return arena + (pa - ARENA_BASE);
}

paddr_t arch_direct_to_phys(const void *va)
{
    return (uint64_t)((const unsigned char *)va - arena) + ARENA_BASE;
}

static paddr_t frame_pa(uint64_t frame)
{
    return ARENA_BASE + frame * PAGE_SIZE;
}

static uint64_t reserve(void)
{
    uint64_t share = page_count_total() / 64;
    return share < 16 ? 16 : share > 1024 ? 1024 : share;
}

#define assert_panics(text, call)                                                                  \
    do {                                                                                           \
        jmp_buf env;                                                                               \
        fake_panic_jump = &env;                                                                    \
        if (setjmp(env) == 0) {                                                                    \
            call;                                                                                  \
            fake_panic_jump = NULL;                                                                \
            fail_msg("no panic: " #call);                                                          \
        }                                                                                          \
        if (strstr(fake_panic_text, text) == NULL)                                                 \
            fail_msg("expected a panic with \"%s\", saw \"%s\"", text, fake_panic_text);           \
    } while (0)

/* Blocks taken until there are none left, kept in a list through their first bytes. */
struct hoard {
    void *last;
    uint64_t blocks;
};

static struct hoard take_all(unsigned order, enum page_alloc how)
{
    struct hoard hoard = {NULL, 0};
    for (paddr_t pa; (pa = page_alloc(order, how)) != PADDR_NONE; hoard.blocks++) {
        memcpy(arch_direct(pa), &hoard.last, sizeof(void *));
        hoard.last = arch_direct(pa);
    }
    return hoard;
}

static void give_all(struct hoard hoard, unsigned order)
{
    while (hoard.last != NULL) {
        void *block = hoard.last;
        memcpy(&hoard.last, block, sizeof(void *));
        page_free(arch_direct_to_phys(block), order);
    }
}

/* A failing allocation empties the caller's cache: do that on every core. */
static void empty_caches(void)
{
    for (cpu_t cpu = 0; cpu < CORES; cpu++) {
        fake_cpu = cpu;
        give_all(take_all(PAGE_MAX_ORDER, ALLOC_ATOMIC), PAGE_MAX_ORDER);
    }
    fake_cpu = 0;
}

/* How many blocks of the largest order the layout holds. */
static uint64_t largest_blocks(void)
{
    uint64_t count = 0;
    for (size_t i = 0; i < LAYOUT; i++) {
        uint64_t base = ARENA_BASE / PAGE_SIZE; /* a multiple of MAX_BLOCK */
        uint64_t first = (base + layout[i].first + MAX_BLOCK - 1) / MAX_BLOCK;
        uint64_t end = (base + layout[i].end) / MAX_BLOCK;
        count += end > first ? end - first : 0;
    }
    return count;
}

static void nothing_before_the_first_range(void **state)
{
    (void)state;
    assert_true(page_alloc(0, ALLOC_ATOMIC) == PADDR_NONE);
    assert_null(page_alloc_one(ALLOC_KERNEL));
    assert_int_equal(page_count_total(), 0);
    assert_panics("no such frame", page_free(ARENA_BASE, 0));
    page_release_range(0, UINT64_MAX); /* no range: nothing to do */
    assert_int_equal(page_count_free(), 0);
}

static void ranges_are_checked(void **state)
{
    (void)state;
    static const int order[LAYOUT] = {2, 0, 4, 3, 1}; /* they may come in any order */
    for (size_t i = 0; i < LAYOUT; i++) {
        uint64_t first = layout[order[i]].first, end = layout[order[i]].end;
        size_t bytes = page_descriptor_bytes(end - first);
        assert_in_range(bytes, 1, 8 * (end - first));
        void *descriptors = malloc(bytes); /* exact: an overrun is ASan's to see */
        memset(descriptors, 0xa5, bytes);
        assert_int_equal(page_add_range(frame_pa(first), frame_pa(end), descriptors), 0);
        all_frames += end - first;
    }
    char spare[64];
    assert_int_equal(page_add_range(0x1001, 0x3000, spare), -EINVAL);
    assert_int_equal(page_add_range(0x1000, 0x3001, spare), -EINVAL);
    assert_int_equal(page_add_range(0x1000, 0x1000, spare), -EINVAL);
    assert_int_equal(page_add_range(0x3000, 0x1000, spare), -EINVAL);
    assert_int_equal(page_add_range(frame_pa(2), frame_pa(4), spare), -EINVAL);
    assert_int_equal(page_add_range(frame_pa(2047), frame_pa(2049), spare), -EINVAL);
    assert_int_equal(page_add_range(frame_pa(3), frame_pa(4), spare), -EINVAL);
    assert_int_equal(page_add_range(frame_pa(0), frame_pa(9000), spare), -EINVAL);
    assert_int_equal(page_count_total(), all_frames);
    assert_int_equal(page_count_free(), 0);
    assert_true(page_alloc(0, ALLOC_ATOMIC) == PADDR_NONE);
}

static void release_takes_whole_frames_only(void **state)
{
    (void)state;
    page_release_range(frame_pa(100) + 1, frame_pa(101) + PAGE_SIZE - 1);
    assert_int_equal(page_count_free(), 0);
    page_release_range(frame_pa(200), frame_pa(100)); /* inverted: nothing */
    page_release_range(UINT64_MAX - 5, UINT64_MAX);
    assert_int_equal(page_count_free(), 0);
    page_release_range(frame_pa(100) + 1, frame_pa(103) + 7);
    assert_int_equal(page_count_free(), 2);
    assert_panics("released before", page_release_range(frame_pa(102), frame_pa(103)));

    page_release_range(0, frame_pa(101)); /* both edges lie outside and inside of ranges */
    page_release_range(frame_pa(103), frame_pa(2100));
    page_release_range(frame_pa(2100), UINT64_MAX);
    assert_int_equal(page_count_free(), all_frames);
    struct hoard hoard = take_all(PAGE_MAX_ORDER, ALLOC_ATOMIC);
    assert_int_equal(hoard.blocks, largest_blocks());
    give_all(hoard, PAGE_MAX_ORDER);
    assert_int_equal(page_count_free(), all_frames);
}

static void orders_and_zeroing(void **state)
{
    (void)state;
    assert_true(page_alloc(PAGE_MAX_ORDER + 1, ALLOC_ATOMIC) == PADDR_NONE);
    assert_true(page_alloc(~0u, ALLOC_ATOMIC) == PADDR_NONE);
    for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
        size_t size = (size_t)PAGE_SIZE << order;
        paddr_t pa = page_alloc(order, ALLOC_KERNEL);
        assert_true(pa != PADDR_NONE && pa % size == 0);
        memset(arch_direct(pa), 0xee, size);
        page_free(pa, order);
        pa = page_alloc(order, ALLOC_KERNEL | ALLOC_ZERO);
        const unsigned char *block = arch_direct(pa);
        assert_int_equal(block[0], 0);
        assert_memory_equal(block, block + 1, size - 1);
        page_free(pa, order);
    }
    assert_int_equal(page_count_free(), all_frames);
    page_free_one(NULL);
}

static void caches_begin_with_page_cpu_init(void **state)
{
    (void)state;
    for (cpu_t cpu = 0; cpu < CORES; cpu++) {
        fake_cpu = cpu;
        page_cpu_init();
        void *page = page_alloc_one(ALLOC_KERNEL);
        assert_non_null(page);
        page_cpu_init(); /* again: what is cached stays known */
        assert_int_equal(page_count_free(), all_frames - 1);
        page_free_one(page);
        assert_int_equal(page_count_free(), all_frames);
    }
    fake_cpu = 0;
    empty_caches();
}

static void misuse_panics(void **state)
{
    (void)state;
    empty_caches();
    paddr_t pa = page_alloc(3, ALLOC_KERNEL);
    assert_panics("another order", page_free(pa, 2));
    assert_panics("another order", page_free(pa, 0));
    assert_panics("inside a block", page_free(pa + PAGE_SIZE, 0));
    assert_panics("no block of that order", page_free(pa + PAGE_SIZE, 3));
    assert_panics("no block of that order", page_free(pa + 8, 0));
    assert_panics("no block of that order", page_free(0, PAGE_MAX_ORDER + 1));
    page_free(pa, 3);
    assert_panics("free already", page_free(pa, 3));

    void *page = page_alloc_one(ALLOC_KERNEL);
    page_free_one(page); /* into the cache */
    assert_panics("it is free already", page_free_one(page));
    assert_panics("no such frame", page_free(frame_pa(2), 0));
    assert_panics("no such frame", page_free(frame_pa(8001), 0));
    assert_panics("no such frame", page_free(PADDR_NONE - PAGE_SIZE + 1, 0));
    assert_panics("no such frame", page_free(0, PAGE_MAX_ORDER));

    char number[32];
    pa = page_alloc(0, ALLOC_KERNEL);
    page_free(pa, 0);
    snprintf(number, sizeof(number), "0x%llx", (unsigned long long)pa);
    assert_panics(number, page_free(pa, 0)); /* the panic names the address */
    empty_caches();
    assert_int_equal(page_count_free(), all_frames);
}

/* Free frames, cached ones too, cannot be freed, nor can an allocated one twice. */
static void only_what_was_allocated_is_freed(void **state)
{
    (void)state;
    empty_caches();
    const paddr_t mine = page_alloc(0, ALLOC_KERNEL); /* the cache now holds the rest of a batch */
    for (size_t i = 0; i < LAYOUT; i++) {
        for (volatile uint64_t frame = layout[i].first; frame < layout[i].end; frame++) {
            if (frame_pa(frame) != mine)
                assert_panics("free already", page_free(frame_pa(frame), 0));
        }
    }
    page_free(mine, 0);
    empty_caches();
    assert_int_equal(page_count_free(), all_frames);
}

/* Each asker stops at its own mark, for single frames and for blocks alike. */
static void reserve_holds(void **state)
{
    (void)state;
    empty_caches();
    for (unsigned order = 0; order <= 1; order++) {
        uint64_t one = UINT64_C(1) << order;
        struct hoard user = take_all(order, ALLOC_USER);
        assert_in_range(page_count_free(), reserve(), reserve() + one - 1);
        assert_true(page_alloc(order, ALLOC_USER | ALLOC_ZERO) == PADDR_NONE);
        struct hoard kernel = take_all(order, ALLOC_KERNEL);
        assert_true(kernel.blocks > 0);
        assert_in_range(page_count_free(), reserve() / 2, reserve() / 2 + one - 1);
        assert_true(page_alloc(order, ALLOC_USER) == PADDR_NONE);
        struct hoard atomic = take_all(order, ALLOC_ATOMIC);
        assert_true(atomic.blocks > 0);
        assert_true(order != 0 || page_count_free() == 0);
        give_all(atomic, order);
        give_all(kernel, order);
        give_all(user, order);
        assert_int_equal(page_count_free(), all_frames);
    }
    empty_caches();
    struct hoard hoard = take_all(PAGE_MAX_ORDER, ALLOC_ATOMIC);
    assert_int_equal(hoard.blocks, largest_blocks());
    give_all(hoard, PAGE_MAX_ORDER);
}

/* What a core has cached is not lost to it when the lists are short. */
static void own_cache_serves_the_last_frames(void **state)
{
    (void)state;
    empty_caches();
    fake_cpu = 1;
    page_free_one(page_alloc_one(ALLOC_KERNEL)); /* core 1 now holds a batch */
    struct hoard hoard = take_all(0, ALLOC_ATOMIC);
    assert_int_equal(hoard.blocks, all_frames);
    assert_int_equal(page_count_free(), 0);

    void *page = hoard.last; /* freed while memory is short: for every core to have */
    memcpy(&hoard.last, page, sizeof(void *));
    page_free_one(page);
    fake_cpu = 2;
    assert_ptr_equal(page_alloc_one(ALLOC_ATOMIC), page);
    page_free_one(page);
    give_all(hoard, 0);
    fake_cpu = 0;
    empty_caches();
    assert_int_equal(page_count_free(), all_frames);
}

/* The lock that all cores share is taken once for a batch, and not at all by turns. */
static void lock_is_taken_for_batches(void **state)
{
    (void)state;
    enum { BATCH = 16, BATCHES = 10 };
    paddr_t mine[BATCHES * BATCH];
    empty_caches();
    fake_cpu = 3;
    locks_taken = 0;
    for (int i = 0; i < BATCHES * BATCH; i++)
        mine[i] = page_alloc(0, ALLOC_KERNEL);
    assert_int_equal(locks_taken, BATCHES);
    for (int i = 0; i < BATCHES * BATCH; i++)
        page_free(mine[i], 0);
    assert_in_range(locks_taken, BATCHES, 2 * BATCHES);
    locks_taken = 0;
    for (int i = 0; i < 1000; i++)
        page_free(page_alloc(0, ALLOC_KERNEL), 0);
    assert_int_equal(locks_taken, 0);
    page_free(page_alloc(1, ALLOC_KERNEL), 1);
    assert_int_equal(locks_taken, 2); /* a larger block has no cache */
    fake_cpu = 0;
}

/* ---- at random, against the model ------------------------------------------------------------ */

enum { HELD_MAX = 600, STEPS = 60000 };

struct held {
    paddr_t pa;
    unsigned order;
    unsigned char pattern;
};

static void model_claim(paddr_t pa, unsigned order, unsigned char pattern)
{
    uint64_t frame = (pa - ARENA_BASE) / PAGE_SIZE;
    uint64_t count = UINT64_C(1) << order;
    assert_int_equal(pa % (count * PAGE_SIZE), 0);
    bool inside = false;
    for (size_t i = 0; i < LAYOUT; i++)
        inside = inside || (frame >= layout[i].first && frame + count <= layout[i].end);
    assert_true(inside);
    for (uint64_t i = 0; i < count; i++) {
        assert_int_equal(owner[frame + i], 0);
        owner[frame + i] = 1;
        unsigned char *page = arch_direct(pa + i * PAGE_SIZE);
        memset(page, pattern, 64);
        page[PAGE_SIZE - 1] = pattern;
    }
}

static void model_drop(const struct held *held)
{
    uint64_t frame = (held->pa - ARENA_BASE) / PAGE_SIZE;
    for (uint64_t i = 0; i < UINT64_C(1) << held->order; i++) {
        const unsigned char *page = arch_direct(held->pa + i * PAGE_SIZE);
        assert_int_equal(page[0], held->pattern);
        assert_int_equal(page[63], held->pattern);
        assert_int_equal(page[PAGE_SIZE - 1], held->pattern);
        owner[frame + i] = 0;
    }
}

static void random_against_the_model(void **state)
{
    (void)state;
    static struct held held[HELD_MAX];
    size_t count = 0;
    uint64_t used = 0, refused = 0;
    srand(1);
    for (int step = 0; step < STEPS; step++) {
        fake_cpu = (cpu_t)rand() % CORES;
        bool grow = rand() % 1000 < (step / 5000 % 2 == 0 ? 600 : 400);
        if (grow && count < HELD_MAX) {
            unsigned order =
                (unsigned)rand() % 3 != 0 ? 0 : (unsigned)rand() % (PAGE_MAX_ORDER + 1);
            struct held *new = &held[count];
            *new = (struct held){page_alloc(order, ALLOC_KERNEL), order, (unsigned char)rand()};
            if (new->pa == PADDR_NONE) {
                refused++;
                continue;
            }
            model_claim(new->pa, order, new->pattern);
            used += UINT64_C(1) << order;
            count++;
        } else if (!grow && count > 0) {
            size_t i = (size_t)rand() % count;
            model_drop(&held[i]);
            used -= UINT64_C(1) << held[i].order;
            page_free(held[i].pa, held[i].order);
            held[i] = held[--count];
        }
        assert_int_equal(page_count_free(), all_frames - used);
        assert_false(fake_irqs_off);
    }
    assert_true(refused > 0); /* the model was driven to its limits too */
    while (count > 0) {
        model_drop(&held[--count]);
        page_free(held[count].pa, held[count].order);
    }
    assert_int_equal(page_count_free(), all_frames);
    empty_caches();
    struct hoard hoard = take_all(PAGE_MAX_ORDER, ALLOC_ATOMIC);
    assert_int_equal(hoard.blocks, largest_blocks()); /* all has merged again */
    give_all(hoard, PAGE_MAX_ORDER);
}

/* ---- several cores at once ------------------------------------------------------------------- */

static void *core_at_work(void *argument)
{
    fake_cpu = (cpu_t)(uintptr_t)argument;
    unsigned seed = fake_cpu + 1;
    paddr_t mine[64];
    unsigned orders[64];
    size_t count = 0;
    for (int step = 0; step < 40000; step++) {
        if (rand_r(&seed) % 2 == 0 && count < 64) {
            unsigned order = rand_r(&seed) % 4 == 0 ? (unsigned)rand_r(&seed) % 6 : 0;
            paddr_t pa = page_alloc(order, ALLOC_KERNEL);
            if (pa == PADDR_NONE)
                continue;
            memset(arch_direct(pa), (int)fake_cpu + 1, (size_t)PAGE_SIZE << order);
            mine[count] = pa;
            orders[count++] = order;
        } else if (count > 0) {
            count--;
            const unsigned char *block = arch_direct(mine[count]);
            size_t size = (size_t)PAGE_SIZE << orders[count];
            if (block[0] != fake_cpu + 1 || memcmp(block, block + 1, size - 1) != 0)
                return "a block had two owners";
            page_free(mine[count], orders[count]);
        }
    }
    while (count > 0) {
        count--;
        page_free(mine[count], orders[count]);
    }
    return NULL;
}

static void cores_at_once(void **state)
{
    (void)state;
    pthread_t threads[CORES];
    for (uintptr_t cpu = 0; cpu < CORES; cpu++)
        assert_int_equal(pthread_create(&threads[cpu], NULL, core_at_work, (void *)cpu), 0);
    for (int cpu = 0; cpu < CORES; cpu++) {
        void *complaint = NULL;
        pthread_join(threads[cpu], &complaint);
        assert_null(complaint);
    }
    assert_int_equal(page_count_free(), all_frames);
    empty_caches();
    struct hoard hoard = take_all(PAGE_MAX_ORDER, ALLOC_ATOMIC);
    assert_int_equal(hoard.blocks, largest_blocks());
    give_all(hoard, PAGE_MAX_ORDER);
}

static void table_of_ranges_fills_up(void **state)
{
    (void)state;
    static unsigned char descriptors[PAGE_MAX_RANGES][8];
    const uint64_t far = UINT64_C(1) << 30; /* never touched, since never released */
    uint64_t frame = far;
    for (size_t i = LAYOUT; i < PAGE_MAX_RANGES; i++, frame += 2)
        assert_int_equal(page_add_range(frame_pa(frame), frame_pa(frame + 1), descriptors[i]), 0);
    assert_int_equal(page_add_range(frame_pa(frame), frame_pa(frame + 1), descriptors[0]), -ENOSPC);
    for (int i = 0; i < 1000; i++)
        page_free_one(page_alloc_one(ALLOC_USER)); /* still found among 64 ranges */
    assert_panics("never allocated", page_free(frame_pa(far), 0));
    assert_int_equal(page_count_total(), all_frames + PAGE_MAX_RANGES - LAYOUT);
    assert_int_equal(page_count_free(), all_frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_before_the_first_range),
        cmocka_unit_test(ranges_are_checked),
        cmocka_unit_test(release_takes_whole_frames_only),
        cmocka_unit_test(orders_and_zeroing),
        cmocka_unit_test(caches_begin_with_page_cpu_init),
        cmocka_unit_test(misuse_panics),
        cmocka_unit_test(only_what_was_allocated_is_freed),
        cmocka_unit_test(reserve_holds),
        cmocka_unit_test(own_cache_serves_the_last_frames),
        cmocka_unit_test(lock_is_taken_for_batches),
        cmocka_unit_test(random_against_the_model),
        cmocka_unit_test(cores_at_once),
        cmocka_unit_test(table_of_ranges_fills_up),
    };
    arena = aligned_alloc((size_t)MAX_BLOCK * PAGE_SIZE, (size_t)ARENA_FRAMES * PAGE_SIZE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
