// SPDX-License-Identifier: MIT
/*
 * A page is taken away, again and again, while all other cores read it by user copies, and its
 * frame is written to at once by its next owner. What a reader gets is the page's byte, zero (a
 * fresh frame), or -EFAULT; the next owner's byte means that its core had not forgotten the page.
 *
 * The readers leave the space and come back all the time. The last of them leaves while the test
 * frees the space.
 */
#include <stdatomic.h>

#include "irq/timer.h"
#include "lib/errno.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "smp/delay_selftest.h"
#include "vm/space.h"
#include "vm/user_copy.h"

enum {
    ROUNDS = 25,
    ROUNDS_DELAYED = 60,
    ROUNDS_SLOWLY = 25,
    PAGES_A_ROUND = 10,
    READS = 4,
    HELD_US = 100,
    LARGEST_IN_SLAB = 1984, /* mm/heap.c */
    NEXT_OWNER_NS = 50000,
    MINE = 0x60, /* bytes: a copy of more may be torn */
    NEXT_OWNERS = 0xba,
};

#define PLACE ((uintptr_t)0x10000000) /* tests/delay_bugs.py knows it, too */

static struct space *_Atomic shared; /* of this round */
static _Atomic bool over;            /* this round is */
static _Atomic uint64_t begun;       /* rounds; UINT64_MAX: no more will come */
static _Atomic uint64_t gone;        /* readers that will not come into this round's space again */
static _Atomic uint64_t reads, faults, strays;

/* Stays in the space for a while every other time. */
static void read_page(uint64_t turn)
{
    for (int i = 0; i < READS; i++) {
        if (i > 0 && turn % 2 == 0)
            arch_udelay(HELD_US);
        uint8_t byte;
        int error = copy_from_user(&byte, PLACE, sizeof(byte));
        bool fine = error == -EFAULT || (error == 0 && (byte == MINE || byte == 0));
        atomic_fetch_add_explicit(fine ? (error == 0 ? &reads : &faults) : &strays, 1,
                                  memory_order_relaxed);
    }
}

/* One round. */
static void come_and_go(struct space *space)
{
    bool last;
    uint64_t turn = arch_cpu();
    do {
        last = atomic_load(&over);
        thread_use_space(&space->tlb);
        read_page(turn++);
        if (last)
            atomic_fetch_add(&gone, 1);
        thread_use_space(&tlb_kernel);
        thread_point();
    } while (!last);
}

static void read_in_rounds(void *arg)
{
    (void)arg;
    for (uint64_t round = 1;; round++) {
        uint64_t now;
        while ((now = atomic_load(&begun)) < round)
            thread_yield();
        if (now == UINT64_MAX)
            return;
        come_and_go(atomic_load(&shared)); /* which stays until all readers have gone */
    }
}

/* ---- who takes the page away ----------------------------------------------------------------- */

static bool give_page(struct space *space)
{
    const uint8_t byte = MINE;
    return space_mmap(space, PLACE, PAGE_SIZE, PROT_W, SPACE_FIXED) == (long)PLACE &&
           copy_to_user(PLACE, &byte, sizeof(byte)) == 0;
}

/* The frame that was freed last is what this core's cache gives next. */
static void use_frame_again(void)
{
    void *frame = page_alloc_one(ALLOC_ATOMIC);
    if (frame != NULL)
        memset(frame, NEXT_OWNERS, PAGE_SIZE);
    page_free_one(frame);
}

/* An interrupt wants a frame, too, while a page is being taken away. */
static void next_owner(struct timer *timer)
{
    use_frame_again();
    timer_start(timer, NEXT_OWNER_NS);
}

static bool take_page_away(struct space *space)
{
    uint8_t byte;
    arch_udelay(HELD_US);
    int error = space_munmap(space, PLACE, PAGE_SIZE);
    use_frame_again();
    arch_udelay(HELD_US);
    return selftest_expect(error == 0, "munmap: %d", error) &&
           selftest_expect(copy_from_user(&byte, PLACE, sizeof(byte)) == -EFAULT,
                           "who took the page away can still read it");
}

static bool run_round(uint64_t round, uint64_t readers)
{
    struct space *space = space_create();
    if (!selftest_expect(space != NULL, "no memory"))
        return false;
    thread_use_space(&space->tlb);
    bool fine = selftest_expect(give_page(space), "no page");
    atomic_store(&gone, 0);
    atomic_store(&shared, space);
    atomic_store(&over, false);
    atomic_store(&begun, round);
    for (int i = 0; i < PAGES_A_ROUND && fine; i++)
        fine = take_page_away(space) && selftest_expect(give_page(space), "no page");
    atomic_store(&over, true);
    thread_use_space(&tlb_kernel);
    while (atomic_load(&gone) < readers)
        thread_point();
    space_put(space); /* while some are still on their way out */
    return fine;
}

/* Let the heap have its empty slab of every size: it keeps one, and from then on gives back what it
 * takes. */
static void settle_heap(void)
{
    for (size_t size = 16; size <= LARGEST_IN_SLAB; size += 16) {
        void **last = NULL;
        for (size_t i = 0; i < 2 * PAGE_SIZE / size; i++) {
            void **object = heap_alloc(size, ALLOC_KERNEL);
            if (object == NULL)
                break;
            *object = (void *)last;
            last = object;
        }
        while (last != NULL) {
            void **object = last;
            last = *object;
            heap_free((void *)object);
        }
    }
}

static void run_rounds(uint64_t rounds)
{
    struct thread *threads[MAX_CPUS] = {0};
    struct timer timer = {.fn = next_owner, .cpu = arch_cpu()};
    uint64_t readers = 0, round = 1;
    atomic_store(&begun, 0);
    atomic_store(&reads, 0);
    atomic_store(&faults, 0);
    atomic_store(&strays, 0);
    cpumask_for_each (cpu, &smp_online) {
        if (cpu == arch_cpu())
            continue;
        threads[readers] = thread_create_on(cpu, "reader", read_in_rounds, NULL);
        readers += threads[readers] != NULL;
    }
    settle_heap();
    uint64_t before = page_count_free(); /* threads' stacks and structs are taken already */
    timer_start(&timer, NEXT_OWNER_NS);
    while (round <= rounds && run_round(round, readers) && atomic_load(&strays) == 0)
        round++;
    (void)timer_cancel(&timer);
    uint64_t after = page_count_free();
    atomic_store(&begun, UINT64_MAX);
    for (uint64_t i = 0; i < readers; i++)
        thread_join(threads[i]);
    selftest_expect(atomic_load(&strays) == 0, "%llu reads of a frame that was free",
                    (unsigned long long)atomic_load(&strays));
    selftest_expect(round <= rounds || after == before, "%llu free frames before, %llu afterwards",
                    (unsigned long long)before, (unsigned long long)after);
    selftest_note("%llu reads, %llu faults", (unsigned long long)atomic_load(&reads),
                  (unsigned long long)atomic_load(&faults));
}

static void test_shootdown(void)
{
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    /* with more cores than the host has, each page costs turns of the host's scheduler */
    uint64_t cores = smp_online_count();
    run_rounds(4 * ROUNDS / (cores * cores) + 1);
}
SELFTEST("vm-shootdown", test_shootdown);

/* models/shootdown.pml. The longest delay is longer than the frame's next owner has it. */
static void test_delays(void)
{
    static const struct delays delays = {
        .steps = DELAY_RANGE(DELAY_U1, DELAY_E2), .one_in = 2, .longest_ns = UINT64_C(400000)};
    /* the entry is about to change while cores come in */
    static const struct delays of_the_change = {
        .steps = DELAY_RANGE(DELAY_F1, DELAY_F1), .one_in = 1, .longest_ns = UINT64_C(2000000)};
    if (!delay_test_begin(&delays))
        return;
    run_rounds(ROUNDS_DELAYED);
    delay_test_end();
    if (atomic_load(&strays) == 0 && delay_test_begin(&of_the_change)) {
        run_rounds(ROUNDS_SLOWLY);
        delay_test_end();
    }
}
SELFTEST("delay-shootdown", test_delays);
