// SPDX-License-Identifier: MIT
/* links: src/mm/heap.c src/mm/page.c src/lib/spinlock.c tests/host/fake/panic.c */
/*
 * The heap over the real frame allocator, in an arena of 16 MiB.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_panic.h"
#include "mm/heap.h"

enum {
    MIB = 1 << 20,
    ARENA_BYTES = 16 * MIB,
    CLASSES = 16, /* each may keep one empty slab */
    CORES = 4,
};

#define ARENA_BASE UINT64_C(0x40000000)

static unsigned char *arena;

void *arch_direct(paddr_t pa)
{
    return arena + (pa - ARENA_BASE);
}

paddr_t arch_direct_to_phys(const void *va)
{
    return (uint64_t)((const unsigned char *)va - arena) + ARENA_BASE;
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

static int set_up(void **state)
{
    (void)state;
    size_t bytes = page_descriptor_bytes(ARENA_BYTES / PAGE_SIZE);
    arena = aligned_alloc(4 * MIB, ARENA_BYTES);
    if (page_add_range(ARENA_BASE, ARENA_BASE + ARENA_BYTES, malloc(bytes)) != 0)
        return -1;
    page_release_range(ARENA_BASE, ARENA_BASE + ARENA_BYTES);
    for (fake_cpu = 0; fake_cpu < CORES; fake_cpu++)
        page_cpu_init();
    fake_cpu = 0;
    return 0;
}

static void assert_nothing_held(void)
{
    assert_in_range(page_count_total() - page_count_free(), 0, CLASSES);
}

static void sizes_and_alignment(void **state)
{
    (void)state;
    assert_null(heap_alloc(0, ALLOC_KERNEL));
    assert_null(heap_alloc((size_t)HEAP_MAX + 1, ALLOC_KERNEL));
    assert_null(heap_alloc(SIZE_MAX, ALLOC_KERNEL));
    assert_null(heap_alloc(SIZE_MAX - 63, ALLOC_ATOMIC));
    heap_free(NULL);
    for (size_t size = 1; size < 20000; size += size < 2100 ? 1 : 97) {
        unsigned char *dirty = heap_alloc(size, ALLOC_KERNEL);
        assert_non_null(dirty);
        assert_int_equal((uintptr_t)dirty % (size >= 64 ? 64 : 16), 0);
        memset(dirty, 0xee, size);
        heap_free(dirty);
        unsigned char *clear = heap_alloc(size, ALLOC_KERNEL | ALLOC_ZERO);
        assert_ptr_equal(clear, dirty); /* so it was dirty */
        assert_int_equal(clear[0], 0);
        assert_memory_equal(clear, clear + 1, size - 1);
        heap_free(clear);
    }
    unsigned char *largest = heap_alloc(HEAP_MAX, ALLOC_KERNEL | ALLOC_ZERO);
    assert_non_null(largest);
    assert_int_equal(largest[HEAP_MAX - 1], 0);
    heap_free(largest);
    assert_nothing_held();
}

static void one_empty_slab_stays(void **state)
{
    (void)state;
    enum { OBJECTS = 1000 };
    static void *object[OBJECTS];
    for (size_t size = 1; size < 1984; size += 61) {
        for (int i = 0; i < OBJECTS; i++)
            assert_non_null(object[i] = heap_alloc(size, ALLOC_KERNEL));
        for (int i = 0; i < OBJECTS; i++) /* in an order that empties all slabs late */
            heap_free(object[(i * 389) % OBJECTS]);
        assert_nothing_held();
    }
}

/* ---- misuse ---------------------------------------------------------------------------------- */

static void misuse_panics(void **state)
{
    (void)state;
    char *small = heap_alloc(100, ALLOC_KERNEL);
    char *other = heap_alloc(100, ALLOC_KERNEL);
    char *frame = small - (uintptr_t)small % PAGE_SIZE;
    assert_panics("no object of 128 bytes", heap_free(small + 1));
    assert_panics("no object of 128 bytes", heap_free(small + 64));
    assert_panics("no object of 128 bytes", heap_free(frame));
    assert_panics("no object of 128 bytes", heap_free(frame + 63));
    assert_panics("no object of 128 bytes", heap_free(frame + 64 + 31 * 128));
    assert_panics("no object of 128 bytes", heap_free(frame + PAGE_SIZE - 1));
    assert_panics("it is free already", heap_free(other + 128)); /* not given out yet */
    heap_free(other);
    assert_panics("it is free already", heap_free(other));
    heap_free(small);

    char *large = heap_alloc(3 * PAGE_SIZE, ALLOC_KERNEL | ALLOC_ZERO);
    assert_panics("the object begins at", heap_free(large + 16));
    assert_panics("the object begins at", heap_free(large - 64));
    assert_panics("not an object", heap_free(large + PAGE_SIZE));
    memcpy(large + PAGE_SIZE - 64, large - 64, 64); /* a forged header in its second frame */
    assert_panics("not an object", heap_free(large + PAGE_SIZE));
    heap_free(large);
    assert_panics("not an object", heap_free(large));

    void *page = page_alloc_one(ALLOC_KERNEL | ALLOC_ZERO);
    assert_panics("not an object", heap_free(page));
    assert_panics("not an object", heap_free((char *)page + 64));
    page_free_one(page);
    assert_nothing_held();
}

/* A slab that was given back is no slab any more. */
static void stale_pointer_into_a_freed_slab(void **state)
{
    (void)state;
    enum { OBJECTS = 8 };
    char *object[OBJECTS];
    for (int i = 0; i < OBJECTS; i++)
        object[i] = heap_alloc(1900, ALLOC_KERNEL);
    for (int i = 0; i < OBJECTS; i++)
        heap_free(object[i]);
    int strangers = 0;
    for (int i = 0; i < OBJECTS; i += 2) {
        assert_panics("heap_free of", heap_free(object[i]));
        strangers += strstr(fake_panic_text, "not an object") != NULL;
    }
    assert_int_equal(strangers, OBJECTS / 2 - 1); /* all but the slab that is kept */
}

/* ---- none left ------------------------------------------------------------------------------- */

struct chain {
    struct chain *next;
};

static struct chain *take_all(size_t size, enum page_alloc how)
{
    struct chain *last = NULL;
    for (struct chain *new; (new = heap_alloc(size, how)) != NULL; last = new)
        new->next = last;
    return last;
}

static void give_all(struct chain *last)
{
    while (last != NULL) {
        struct chain *object = last;
        last = last->next;
        heap_free(object);
    }
}

static void exhaustion_is_null(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 64, 1984, 5000, 100000, MIB};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct chain *user = take_all(sizes[i], ALLOC_USER);
        assert_non_null(user);
        uint64_t left = page_count_free();
        assert_true(left >= page_count_total() / 64);
        assert_null(heap_alloc(sizes[i], ALLOC_USER | ALLOC_ZERO));
        struct chain *atomic = take_all(sizes[i], ALLOC_ATOMIC);
        assert_true(sizes[i] > PAGE_SIZE || page_count_free() == 0);
        give_all(user);
        give_all(atomic);
        assert_nothing_held();
    }
}

/* ---- at random, against the model ------------------------------------------------------------ */

enum { HELD_MAX = 3000, STEPS = 200000 };

struct held {
    unsigned char *object;
    size_t size;
    unsigned char pattern;
};

static size_t random_size(unsigned *seed)
{
    unsigned kind = (unsigned)rand_r(seed) % 100;
    unsigned limit = kind < 60 ? 200 : kind < 95 ? 2500 : kind < 99 ? 30000 : 300000;
    return 1 + (unsigned)rand_r(seed) % limit;
}

static bool intact(const struct held *held)
{
    return held->object[0] == held->pattern &&
           memcmp(held->object, held->object + 1, held->size - 1) == 0;
}

static const char *work_at_random(unsigned seed, struct held *held, size_t max, int steps)
{
    size_t count = 0;
    for (int step = 0; step < steps; step++) {
        if (rand_r(&seed) % 1000 < (step / 20000 % 2 == 0 ? 600 : 400)) {
            struct held new = {NULL, random_size(&seed), (unsigned char)rand_r(&seed)};
            if (count == max || (new.object = heap_alloc(new.size, ALLOC_KERNEL)) == NULL)
                continue;
            memset(new.object, new.pattern, new.size);
            held[count++] = new;
        } else if (count > 0) {
            size_t i = (unsigned)rand_r(&seed) % count;
            if (!intact(&held[i]))
                return "an object was overwritten";
            heap_free(held[i].object);
            held[i] = held[--count];
        }
    }
    while (count > 0) {
        if (!intact(&held[--count]))
            return "an object was overwritten";
        heap_free(held[count].object);
    }
    return NULL;
}

static void random_against_the_model(void **state)
{
    (void)state;
    static struct held held[HELD_MAX];
    assert_null(work_at_random(7, held, HELD_MAX, STEPS));
    assert_nothing_held();
}

static void *core_at_work(void *argument)
{
    fake_cpu = (cpu_t)(uintptr_t)argument;
    static struct held held[CORES][HELD_MAX / CORES];
    const char *complaint =
        work_at_random(fake_cpu + 1, held[fake_cpu], HELD_MAX / CORES, STEPS / 4);
    return (void *)(uintptr_t)complaint;
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
    assert_nothing_held();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_alignment), cmocka_unit_test(one_empty_slab_stays),
        cmocka_unit_test(misuse_panics),       cmocka_unit_test(stale_pointer_into_a_freed_slab),
        cmocka_unit_test(exhaustion_is_null),  cmocka_unit_test(random_against_the_model),
        cmocka_unit_test(cores_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
