// SPDX-License-Identifier: MIT
/* links: src/vm/regions.c */
/*
 * The list of regions held against an array that says of each page what it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "vm/regions.h"

enum { PAGES = 200, LOW = 3, STEPS = 200000, LONGEST = 20, PROTS = 3, KINDS = 2 };

static bool heap_is_empty; /* every request fails */

void *heap_alloc(size_t size, enum page_alloc how)
{
    (void)how;
    return heap_is_empty ? NULL : malloc(size);
}

void heap_free(void *object)
{
    free(object);
}

struct page {
    bool mapped;
    unsigned prot, kind;
};

static struct page pages[PAGES];
static struct regions regions;

static uintptr_t at(size_t page)
{
    return page * PAGE_SIZE;
}

static bool alike(const struct page *a, const struct page *b)
{
    return a->mapped && b->mapped && a->prot == b->prot && a->kind == b->kind;
}

/* The list is what the array says: sorted, and with as few regions as can be. */
static void assert_same(void)
{
    size_t count = 0;
    for (size_t page = 0; page < PAGES; page++) {
        const struct region *region = regions_find(&regions, at(page) + page % PAGE_SIZE);
        if (!pages[page].mapped) {
            assert_null(region);
            continue;
        }
        count += page == 0 || !alike(&pages[page], &pages[page - 1]);
        assert_non_null(region);
        assert_ptr_equal(region, &regions.list[count - 1]);
        assert_int_equal(region->prot, pages[page].prot);
        assert_int_equal(region->kind, pages[page].kind);
    }
    assert_int_equal(regions.count, count);
    assert_true(regions.count <= regions.room);
}

static size_t below(size_t limit)
{
    return (size_t)rand() % limit;
}

static bool nothing_in(size_t start, size_t end)
{
    for (size_t page = start; page < end; page++) {
        if (pages[page].mapped)
            return false;
    }
    return true;
}

static bool all_in(size_t start, size_t end)
{
    for (size_t page = start; page < end; page++) {
        if (!pages[page].mapped)
            return false;
    }
    return true;
}

static void fill(size_t start, size_t end, struct page what)
{
    for (size_t page = start; page < end; page++)
        pages[page] = what;
}

static void add(size_t start, size_t end, unsigned prot, unsigned kind)
{
    assert_int_equal(regions_reserve(&regions, 1), 0);
    regions_add(&regions, (struct region){at(start), at(end), prot, kind});
    fill(start, end, (struct page){true, prot, kind});
}

static void start_anew(void)
{
    regions_free(&regions);
    memset(pages, 0, sizeof(pages));
}

/* The highest place for `count` pages in [LOW, high); 0: none. */
static size_t place_for(size_t count, size_t high)
{
    for (size_t start = high; start-- > LOW;) {
        if (start + count <= high && nothing_in(start, start + count))
            return start;
    }
    return 0;
}

static void take_a_step(void)
{
    size_t start = below(PAGES - LONGEST), end = start + 1 + below(LONGEST - 1);
    unsigned prot = (unsigned)below(PROTS), kind = (unsigned)below(KINDS);
    assert_int_equal(regions_reserve(&regions, 2), 0);
    assert_int_equal(regions_cover(&regions, at(start), at(end)), all_in(start, end));
    assert_int_equal(regions_first_in(&regions, at(start), at(end)) == NULL,
                     nothing_in(start, end));
    switch (below(4)) {
    case 0:
        regions_remove(&regions, at(start), at(end));
        fill(start, end, (struct page){0});
        break;
    case 1:
        regions_protect(&regions, at(start), at(end), prot);
        for (size_t page = start; page < end; page++)
            pages[page].prot = prot;
        break;
    case 2: {
        size_t count = 1 + below(LONGEST), high = LOW + below(PAGES - LOW);
        uintptr_t place = regions_find_room(&regions, at(LOW), at(high), count * PAGE_SIZE);
        assert_int_equal(place, at(place_for(count, high)));
        break;
    }
    default:
        if (nothing_in(start, end))
            add(start, end, prot, kind);
        break;
    }
}

static void random_against_pages(void **state)
{
    (void)state;
    srand(5);
    start_anew();
    for (int i = 0; i < STEPS; i++) {
        take_a_step();
        if (i % 16 == 0)
            assert_same();
    }
    assert_same();
    start_anew();
}

static void an_empty_list(void **state)
{
    (void)state;
    start_anew();
    assert_null(regions_find(&regions, 0));
    assert_false(regions_cover(&regions, 0, 1));
    assert_int_equal(regions_find_room(&regions, at(1), at(3), PAGE_SIZE), at(2));
    assert_int_equal(regions_find_room(&regions, at(1), at(3), 3 * (size_t)PAGE_SIZE), 0);
    assert_int_equal(regions_find_room(&regions, at(3), at(1), PAGE_SIZE), 0);
    assert_int_equal(regions_reserve(&regions, 2), 0);
    regions_remove(&regions, at(1), at(2));
    regions_protect(&regions, at(1), at(2), 1);
    assert_int_equal(regions.count, 0);
    start_anew();
}

static void without_memory(void **state)
{
    (void)state;
    start_anew();
    add(1, 2, 0, 0);
    add(3, 4, 0, 0);
    heap_is_empty = true;
    size_t room = regions.room - regions.count;
    assert_int_equal(regions_reserve(&regions, room), 0);
    assert_int_equal(regions_reserve(&regions, room + 1), -ENOMEM);
    heap_is_empty = false;
    assert_same();
    start_anew();
}

static void as_many_as_there_may_be(void **state)
{
    (void)state;
    start_anew();
    for (size_t i = 0; i < REGIONS_MAX; i++) {
        assert_int_equal(regions_reserve(&regions, 1), 0);
        regions_add(&regions, (struct region){at(2 * i), at(2 * i + 1), 0, 0});
    }
    assert_int_equal(regions.count, REGIONS_MAX);
    assert_int_equal(regions_reserve(&regions, 1), -ENOMEM);
    assert_non_null(regions_find(&regions, at(2 * (size_t)REGIONS_MAX - 2)));
    assert_null(regions_find(&regions, at(2 * (size_t)REGIONS_MAX - 1)));
    start_anew();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_pages),
        cmocka_unit_test(an_empty_list),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(as_many_as_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
