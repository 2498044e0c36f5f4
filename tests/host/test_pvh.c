// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/pvh.c */
/*
 * PVH boot information. Physical memory is a heap buffer of exactly MEMORY bytes that begins at
 * BASE; at() gives what lies inside, so the sanitizer sees any step beyond what was asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/pvh.h"
#include "hostile.h"
#include "lib/errno.h"

enum {
    BASE = 0x1000,
    MEMORY = 0x6000,
    MODULES = BASE + 0x100,
    MEMMAP = BASE + 0x400,
    RSDP = BASE + 0x800,
    CMDLINE = BASE + 0x900,
    NAME = BASE + 0x3000,
};

static struct boot_info out;
static uint8_t sample[MEMORY];
static uint8_t *memory;      /* what at() shows */
static size_t memory_length; /* and how much of it */
static size_t calls;
static void *loans[8]; /* the last pieces shown, freed one by one */

/* Show a copy of exactly what was asked for, so that reading more is seen. */
static const void *at(paddr_t pa, size_t len)
{
    calls++;
    if (pa < BASE || pa - BASE > memory_length || memory_length - (pa - BASE) < len)
        return NULL;
    void **loan = &loans[calls % 8];
    free(*loan);
    *loan = exact_copy(memory + (pa - BASE), len);
    return *loan;
}

static void put32(size_t offset, uint32_t value)
{
    memcpy(sample + offset, &value, sizeof(value));
}

static void put64(size_t offset, uint64_t value)
{
    memcpy(sample + offset, &value, sizeof(value));
}

static void put_module(size_t i, uint64_t start, uint64_t size, uint64_t cmdline)
{
    size_t offset = MODULES - BASE + i * 32;
    put64(offset, start);
    put64(offset + 8, size);
    put64(offset + 16, cmdline);
    put64(offset + 24, 0);
}

static void put_range(size_t i, uint64_t start, uint64_t size, uint32_t type)
{
    size_t offset = MEMMAP - BASE + i * 24;
    put64(offset, start);
    put64(offset + 8, size);
    put32(offset + 16, type);
    put32(offset + 20, 0);
}

static void build_sample(void)
{
    memset(sample, 0, sizeof(sample));
    put32(0, 0x336ec578);
    put32(4, 1);
    put32(8, 0);
    put32(12, 2);
    put64(16, MODULES);
    put64(24, CMDLINE);
    put64(32, RSDP);
    put64(40, MEMMAP);
    put32(48, 3);
    put_module(0, 0x7f00000, 0x12345, NAME);
    put_module(1, 0x7f80000, 0, 0);
    put_range(0, 0, 0x9fc00, 1);
    put_range(1, 0x100000, 0x7ee0000, 1);
    put_range(2, 0xfffc0000, 0x40000, 2);
    memset(sample + RSDP - BASE, 0x77, 36);
    strcpy((char *)sample + CMDLINE - BASE, "init=/bin/demo -- x");
    strcpy((char *)sample + NAME - BASE, "initrd.tar");
}

/* Parse with `start_length` bytes of start info readable and `length` bytes of memory. */
static int parse(size_t start_length, size_t length)
{
    uint8_t *start = exact_copy(sample, start_length);
    memory = exact_copy(sample, length);
    memory_length = length;
    calls = 0;
    memset(&out, 0xa5, sizeof(out));
    int result = pvh_parse(start, at, &out);
    free(start);
    free(memory);
    for (size_t i = 0; i < 8; i++) {
        free(loans[i]);
        loans[i] = NULL;
    }
    return result;
}

static void assert_sane(void)
{
    assert_true(out.range_count <= BOOT_RANGES_MAX);
    assert_true(out.module_count <= BOOT_MODULES_MAX);
    assert_non_null(memchr(out.cmdline, 0, sizeof(out.cmdline)));
    assert_true(out.rsdp_length <= BOOT_RSDP_MAX);
    for (size_t i = 0; i < out.range_count; i++)
        assert_true(out.ranges[i].start < out.ranges[i].end);
    for (size_t i = 0; i < out.module_count; i++) {
        assert_true(out.modules[i].start <= out.modules[i].end);
        assert_non_null(memchr(out.modules[i].name, 0, sizeof(out.modules[i].name)));
    }
    assert_true(calls < 10000); /* a wild count must not become a long loop */
}

static void test_sample(void **state)
{
    (void)state;
    build_sample();
    assert_int_equal(parse(56, MEMORY), 0);
    assert_sane();
    assert_string_equal(out.cmdline, "init=/bin/demo -- x");
    assert_int_equal(out.module_count, 2);
    assert_int_equal(out.modules[0].start, 0x7f00000);
    assert_int_equal(out.modules[0].end, 0x7f12345);
    assert_string_equal(out.modules[0].name, "initrd.tar");
    assert_int_equal(out.modules[1].start, out.modules[1].end);
    assert_string_equal(out.modules[1].name, "");
    assert_int_equal(out.modules_dropped, 0);
    assert_int_equal(out.range_count, 3);
    assert_int_equal(out.ranges[1].end, 0x7fe0000);
    assert_int_equal(out.ranges[2].type, 2);
    assert_int_equal(out.ranges_dropped, 0);
    assert_int_equal(out.rsdp_address, RSDP);
    assert_int_equal(out.rsdp_length, 36);
    assert_int_equal(out.rsdp[35], 0x77);
    assert_false(out.framebuffer.present);
}

static void test_version_0(void **state)
{
    (void)state;
    build_sample();
    put32(4, 0);
    assert_int_equal(parse(40, MEMORY), -EINVAL);
    assert_int_equal(out.range_count, 0);
    assert_int_equal(out.module_count, 2);
    assert_string_equal(out.cmdline, "init=/bin/demo -- x");
}

static void test_wrong_magic(void **state)
{
    (void)state;
    build_sample();
    put32(0, 0x2badb002);
    assert_int_equal(parse(40, MEMORY), -EINVAL);
    assert_int_equal(out.module_count, 0);
    assert_int_equal(calls, 0);
}

static void test_nothing_given(void **state)
{
    (void)state;
    build_sample();
    memset(sample + 12, 0, 28); /* all but the memory map */
    assert_int_equal(parse(56, MEMORY), 0);
    assert_string_equal(out.cmdline, "");
    assert_int_equal(out.module_count, 0);
    assert_int_equal(out.rsdp_address, 0);
    assert_int_equal(out.rsdp_length, 0);
    assert_int_equal(out.range_count, 3);
}

static void test_wild_counts(void **state)
{
    (void)state;
    build_sample();
    put32(12, 0xffffffff);
    put32(48, 0xffffffff);
    assert_int_equal(parse(56, MEMORY), 0);
    assert_sane();
    assert_int_equal(out.module_count + out.modules_dropped, 0xffffffff);
    assert_in_range(out.range_count, 3, BOOT_RANGES_MAX);
    assert_true(out.ranges_dropped > 0xfffff000);
    assert_true(calls < BOOT_RANGES_MAX + 100); /* empty entries fill no place, but end too */
}

static void test_wild_addresses(void **state)
{
    static const uint64_t addresses[] = {0,
                                         1,
                                         BASE - 1,
                                         BASE + MEMORY,
                                         BASE + MEMORY - 1,
                                         UINT64_MAX - 7,
                                         UINT64_MAX,
                                         UINT64_C(1) << 63};

    (void)state;
    for (size_t field = 16; field <= 40; field += 8) {
        for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
            build_sample();
            put64(field, addresses[i]);
            int result = parse(56, MEMORY);
            assert_sane();
            assert_int_equal(result, field == 40 ? -EINVAL : 0);
            if (field == 16)
                assert_int_equal(out.modules_dropped, 2);
            if (field == 24)
                assert_string_equal(out.cmdline, "");
            if (field == 32)
                assert_int_equal(out.rsdp_length, 0);
            if (field == 40)
                assert_int_equal(out.ranges_dropped, 3);
        }
    }
}

static void test_wrapping_elements(void **state)
{
    (void)state;
    build_sample();
    put_module(0, UINT64_MAX - 5, 10, UINT64_MAX);
    put_range(0, UINT64_MAX - 5, 10, 1);
    put_range(1, 0, 0, 1);
    assert_int_equal(parse(56, MEMORY), 0);
    assert_int_equal(out.module_count, 1);
    assert_int_equal(out.modules_dropped, 1);
    assert_int_equal(out.range_count, 1);
    assert_int_equal(out.ranges_dropped, 1);
}

static void test_short_rsdp(void **state)
{
    (void)state;
    build_sample();
    put64(32, BASE + MEMORY - 20);
    assert_int_equal(parse(56, MEMORY), 0);
    assert_int_equal(out.rsdp_length, 20);
}

static void test_long_cmdline(void **state)
{
    (void)state;
    build_sample();
    memset(sample + CMDLINE - BASE, 'y', BOOT_CMDLINE_MAX - 1);
    memcpy(sample + CMDLINE - BASE, "nosmp\tmaxcpus=", 14);
    assert_int_equal(parse(56, MEMORY), 0);
    assert_int_equal(strlen(out.cmdline), BOOT_CMDLINE_MAX - 1);
    assert_false(out.cmdline_cut);
    sample[CMDLINE - BASE + BOOT_CMDLINE_MAX - 1] = 'y';
    assert_int_equal(parse(56, MEMORY), 0);
    assert_true(out.cmdline_cut);
    assert_string_equal(out.cmdline, "nosmp\t");
}

/* Memory ends at every possible place. */
static void test_every_length(void **state)
{
    (void)state;
    build_sample();
    for (size_t length = 0; length < NAME - BASE + 16; length++) {
        int result = parse(56, length);
        assert_sane();
        assert_int_equal(result, length >= MEMMAP - BASE + 24 ? 0 : -EINVAL);
    }
}

static void test_random_damage(void **state)
{
    uint64_t seed = 4;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        build_sample();
        switch (round % 3) {
        case 0:
            damage(sample + 4, 52, &seed);
            break;
        case 1:
            damage(sample + MODULES - BASE, 64, &seed);
            break;
        default:
            damage(sample + MEMMAP - BASE, 72, &seed);
            break;
        }
        int result = parse(56, NAME - BASE + 16);
        assert_sane();
        assert_int_equal(result, out.range_count > 0 ? 0 : -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_version_0),
        cmocka_unit_test(test_wrong_magic),
        cmocka_unit_test(test_nothing_given),
        cmocka_unit_test(test_wild_counts),
        cmocka_unit_test(test_wild_addresses),
        cmocka_unit_test(test_wrapping_elements),
        cmocka_unit_test(test_short_rsdp),
        cmocka_unit_test(test_long_cmdline),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
