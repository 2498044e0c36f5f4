// SPDX-License-Identifier: MIT
/* links: src/lib/symbols.c */
/* The look-up of an address among the kernel's functions: the edges, and all of it by brute force.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hostile.h"
#include "lib/symbols.h"

#define START UINT64_C(0xffffffff80200000)

static const char names[] = "first\0second\0last";
static const struct symbol symbols[] = {{0x10, 0}, {0x40, 6}, {0x48, 13}};
static const struct symbol_table three = {
    .start = START, .end = START + 0x100, .symbols = symbols, .count = 3, .names = names};

static void assert_found(uintptr_t address, const char *name, size_t offset)
{
    struct symbol_place place;
    assert_true(symbols_find(&three, address, &place));
    assert_string_equal(place.name, name);
    assert_int_equal(place.offset, offset);
}

static void assert_missing(const struct symbol_table *table, uintptr_t address)
{
    struct symbol_place place = {.name = "untouched"};
    assert_false(symbols_find(table, address, &place));
    assert_string_equal(place.name, "untouched");
}

static void test_first(void **state)
{
    (void)state;
    assert_found(START + 0x10, "first", 0);
    assert_found(START + 0x11, "first", 1);
}

static void test_between(void **state)
{
    (void)state;
    assert_found(START + 0x3f, "first", 0x2f);
    assert_found(START + 0x40, "second", 0);
    assert_found(START + 0x47, "second", 7);
}

static void test_last(void **state)
{
    (void)state;
    assert_found(START + 0x48, "last", 0);
    assert_found(START + 0xff, "last", 0xb7);
}

static void test_below(void **state)
{
    (void)state;
    assert_missing(&three, START + 0xf); /* text, but no function yet */
    assert_missing(&three, START);
    assert_missing(&three, START - 1);
    assert_missing(&three, 0);
}

static void test_above(void **state)
{
    (void)state;
    assert_missing(&three, START + 0x100);
    assert_missing(&three, UINTPTR_MAX);
}

static void test_empty(void **state)
{
    static const struct symbol_table empty = {.start = START, .end = START + 0x100};

    (void)state;
    assert_missing(&empty, START);
    assert_missing(&empty, START + 0x80);
}

/* Every address of random tables, against a plain walk. */
static void test_all_addresses(void **state)
{
    enum { COUNT_MAX = 40, STEP_MAX = 9 };
    struct symbol random[COUNT_MAX];
    uint64_t seed = 0x5eed;

    (void)state;
    for (size_t count = 1; count <= COUNT_MAX; count++) {
        uint32_t offset = 0;
        for (size_t i = 0; i < count; i++) {
            offset += 1 + (uint32_t)random_below(&seed, STEP_MAX);
            random[i] = (struct symbol){.offset = offset, .name = 0};
        }
        struct symbol_table table = {START, START + offset + STEP_MAX, random, count, names};
        for (size_t at = random[0].offset; at < offset + STEP_MAX; at++) {
            size_t want = 0;
            for (size_t i = 0; i < count; i++)
                want = random[i].offset <= at ? random[i].offset : want;
            struct symbol_place place;
            assert_true(symbols_find(&table, START + at, &place));
            assert_int_equal(place.offset, at - want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),         cmocka_unit_test(test_between),
        cmocka_unit_test(test_last),          cmocka_unit_test(test_below),
        cmocka_unit_test(test_above),         cmocka_unit_test(test_empty),
        cmocka_unit_test(test_all_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
