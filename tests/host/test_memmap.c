// SPDX-License-Identifier: MIT
/* links: src/mm/memmap.c */
/*
 * Memory map arithmetic against a model: a small address space in which each cell knows its type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostile.h"
#include "mm/memmap.h"

enum { CELLS = 64, ENTRIES = 12 };

/* The brief order of strictness, written a second time on purpose. */
static int rank_of(uint32_t type)
{
    static const int ranks[] = {[1] = 1, [2] = 4, [3] = 2, [4] = 3, [5] = 5};
    return type >= 1 && type <= 5 ? ranks[type] : 4;
}

static void model_fill(const struct mem_range *in, size_t n, uint32_t *cells)
{
    memset(cells, 0, CELLS * sizeof(*cells));
    for (size_t i = 0; i < n; i++) {
        for (paddr_t a = in[i].start; a < in[i].end; a++) {
            if (cells[a] == 0 || rank_of(in[i].type) > rank_of(cells[a]))
                cells[a] = in[i].type >= 1 && in[i].type <= 5 ? in[i].type : 2;
        }
    }
}

static void assert_normal(const struct mem_range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(ranges[i].start < ranges[i].end);
        assert_in_range(ranges[i].type, 1, 5);
        if (i == 0)
            continue;
        assert_true(ranges[i - 1].end <= ranges[i].start);
        if (ranges[i - 1].type == ranges[i].type)
            assert_true(ranges[i - 1].end < ranges[i].start);
    }
}

static size_t random_map(struct mem_range *in, uint64_t *seed)
{
    size_t n = random_below(seed, ENTRIES + 1);
    for (size_t i = 0; i < n; i++) {
        in[i].start = random_below(seed, CELLS + 1);
        in[i].end = random_below(seed, CELLS + 1);
        in[i].type = random_below(seed, 8);
    }
    return n;
}

static void test_against_model(void **state)
{
    struct mem_range in[ENTRIES];
    uint32_t expected[CELLS], seen[CELLS];
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = random_map(in, &seed);
        size_t cap = random_below(&seed, 4) == 0 ? random_below(&seed, 6) : 2 * ENTRIES;
        struct mem_range *out = malloc(cap * sizeof(*out));
        size_t count = memmap_normalize(in, n, out, cap);

        assert_true(count <= cap);
        assert_normal(out, count);
        model_fill(in, n, expected);
        model_fill(out, count, seen);
        for (int a = 0; a < CELLS; a++) {
            if (cap == 2 * ENTRIES || seen[a] != 0)
                assert_int_equal(seen[a], expected[a]);
        }
        free(out);
    }
}

static void test_subtract_against_model(void **state)
{
    struct mem_range in[ENTRIES];
    uint32_t before[CELLS], after[CELLS];
    uint64_t seed = 2;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct mem_range out[2 * ENTRIES];
        size_t count = memmap_normalize(in, random_map(in, &seed), out, 2 * ENTRIES);
        size_t cap = random_below(&seed, 2) == 0 ? count : count + 1;
        struct mem_range *exact = malloc(cap * sizeof(*exact));
        memcpy(exact, out, count * sizeof(*exact));
        paddr_t start = random_below(&seed, CELLS + 1);
        paddr_t end = random_below(&seed, CELLS + 1);

        model_fill(out, count, before);
        size_t left = memmap_subtract(exact, count, cap, start, end);
        assert_true(left <= cap);
        assert_normal(exact, left);
        model_fill(exact, left, after);
        for (paddr_t a = 0; a < CELLS; a++) {
            bool cut = a >= start && a < end;
            if (cut)
                assert_int_equal(after[a], 0);
            else if (cap > count)
                assert_int_equal(after[a], before[a]);
            else if (after[a] != 0)
                assert_int_equal(after[a], before[a]);
        }
        free(exact);
    }
}

static void test_subtract_full_keeps_larger(void **state)
{
    struct mem_range ranges[1] = {{0, 100, MEMMAP_USABLE}};

    (void)state;
    assert_int_equal(memmap_subtract(ranges, 1, 1, 20, 30), 1);
    assert_int_equal(ranges[0].start, 30);
    assert_int_equal(ranges[0].end, 100);
    assert_int_equal(memmap_subtract(ranges, 1, 1, 90, 95), 1);
    assert_int_equal(ranges[0].start, 30);
    assert_int_equal(ranges[0].end, 90);
    assert_int_equal(memmap_subtract(ranges, 1, 1, 50, 50), 1);
    assert_int_equal(memmap_subtract(ranges, 1, 1, 60, 50), 1);
    assert_int_equal(ranges[0].end, 90);
    assert_int_equal(memmap_subtract(ranges, 1, 1, 0, UINT64_MAX), 0);
    assert_int_equal(memmap_subtract(ranges, 0, 1, 0, UINT64_MAX), 0);
}

static void test_a_pc(void **state)
{
    static const struct mem_range in[] = {
        {0x100000, 0x7fe0000, 1},         {0, 0x9fc00, 1},           {0x9fc00, 0xa0000, 2},
        {0xf0000, 0x100000, 2},           {0x7fe0000, 0x8000000, 3}, {0xfffc0000, 0x100000000, 2},
        {0xfd00000000, 0x10000000000, 2},
    };
    struct mem_range out[14];

    (void)state;
    assert_int_equal(memmap_normalize(in, 7, out, 14), 7);
    assert_int_equal(out[0].end, 0x9fc00);
    assert_int_equal(out[2].start, 0xf0000);
    assert_int_equal(out[3].start, 0x100000);
    assert_int_equal(memmap_subtract(out, 7, 14, 0x200000, 0x312345), 8);
    assert_int_equal(memmap_page_align(out, 8), 8);
    assert_int_equal(out[0].end, 0x9f000);
    assert_int_equal(out[1].start, 0x9fc00); /* reserved ones stay as they are */
    assert_int_equal(out[3].end, 0x200000);
    assert_int_equal(out[4].start, 0x313000);
    assert_int_equal(out[4].end, 0x7fe0000);
}

static void test_edges_of_the_address_space(void **state)
{
    static const struct mem_range in[] = {
        {0, UINT64_MAX, 1}, {UINT64_MAX - 4096, UINT64_MAX, 7}, {5, 5, 5},
        {9, 3, 5},          {UINT64_MAX - 10, 4096, 5}, /* wraps */
    };
    struct mem_range out[10];

    (void)state;
    assert_int_equal(memmap_normalize(in, 5, out, 10), 2);
    assert_int_equal(out[0].start, 0);
    assert_int_equal(out[0].end, UINT64_MAX - 4096);
    assert_int_equal(out[1].type, MEMMAP_RESERVED);
    assert_int_equal(out[1].end, UINT64_MAX);
    assert_int_equal(memmap_normalize(in, 5, out, 0), 0);
    assert_int_equal(memmap_normalize(in, 0, out, 10), 0);
    assert_int_equal(memmap_normalize(in + 2, 3, out, 10), 0);
}

static void test_page_align(void **state)
{
    struct mem_range ranges[] = {
        {0x1, 0xfff, 1},
        {0x1001, 0x1fff, 1},
        {0x2fff, 0x4001, 1},
        {0x4001, 0x4fff, 5},
        {0x5000, 0x6000, 1},
        {0x6fff, 0x7001, 1},
        {UINT64_MAX - 0xffe, UINT64_MAX, 1},
    };

    (void)state;
    assert_int_equal(memmap_page_align(ranges, 7), 3);
    assert_int_equal(ranges[0].start, 0x3000);
    assert_int_equal(ranges[0].end, 0x4000);
    assert_int_equal(ranges[1].start, 0x4001);
    assert_int_equal(ranges[2].start, 0x5000);
    assert_int_equal(ranges[2].end, 0x6000);

    struct mem_range top[] = {{UINT64_MAX - 0x1ffe, UINT64_MAX, 1}};
    assert_int_equal(memmap_page_align(top, 1), 0);
    struct mem_range whole[] = {{0, UINT64_MAX, 1}};
    assert_int_equal(memmap_page_align(whole, 1), 1);
    assert_int_equal(whole[0].end, UINT64_MAX - 0xfff);
}

/* The largest list that a loader's data may give: every second page bad, in wild order. */
static void test_many(void **state)
{
    static struct mem_range in[512], out[1024];

    (void)state;
    for (size_t i = 0; i < 511; i++) {
        paddr_t start = 0x2000 * ((i * 37) % 511);
        in[i] = (struct mem_range){start, start + 0x1000, MEMMAP_BAD};
    }
    in[511] = (struct mem_range){0, 0x2000 * 511, MEMMAP_USABLE};
    assert_int_equal(memmap_normalize(in, 512, out, 1024), 1022);
    assert_normal(out, 1022);
    assert_int_equal(memmap_normalize(in, 512, out, 100), 100);
    assert_normal(out, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_subtract_against_model),
        cmocka_unit_test(test_subtract_full_keeps_larger),
        cmocka_unit_test(test_a_pc),
        cmocka_unit_test(test_edges_of_the_address_space),
        cmocka_unit_test(test_page_align),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
