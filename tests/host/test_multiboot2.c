// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/multiboot2.c */
/* Multiboot2 boot information: what GRUB gives, cut at every length, and with every lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/multiboot2.h"
#include "hostile.h"
#include "lib/errno.h"

static struct boot_info out;

/* ---- building boot information --------------------------------------------------------------- */

static uint8_t info[65536];
static size_t used;

static void put(const void *bytes, size_t length)
{
    memcpy(info + used, bytes, length);
    used += length;
}

static void put8(uint8_t value)
{
    put(&value, sizeof(value));
}

static void put32(uint32_t value)
{
    put(&value, sizeof(value));
}

static void put64(uint64_t value)
{
    put(&value, sizeof(value));
}

static void begin(void)
{
    memset(info, 0, sizeof(info));
    used = 8;
}

static size_t begin_tag(uint32_t type)
{
    size_t tag = used;
    put32(type);
    put32(0);
    return tag;
}

static void end_tag(size_t tag)
{
    uint32_t size = (uint32_t)(used - tag);
    memcpy(info + tag + 4, &size, sizeof(size));
    used = (used + 7) / 8 * 8;
}

static void finish(void)
{
    uint32_t total;

    end_tag(begin_tag(0));
    total = (uint32_t)used;
    memcpy(info, &total, sizeof(total));
}

static void put_text_tag(uint32_t type, const char *text)
{
    size_t tag = begin_tag(type);
    put(text, strlen(text) + 1);
    end_tag(tag);
}

static void put_module(uint32_t start, uint32_t end, const char *name)
{
    size_t tag = begin_tag(3);
    put32(start);
    put32(end);
    put(name, strlen(name) + 1);
    end_tag(tag);
}

static void put_entry(uint64_t base, uint64_t length, uint32_t type)
{
    put64(base);
    put64(length);
    put32(type);
    put32(0);
}

static size_t begin_map(uint32_t entry_size)
{
    size_t tag = begin_tag(6);
    put32(entry_size);
    put32(0);
    return tag;
}

static void put_map(void)
{
    size_t tag = begin_map(24);
    put_entry(0, 0x9fc00, 1);
    put_entry(0x100000, 0x7ee0000, 1);
    put_entry(0xfffc0000, 0x40000, 2);
    end_tag(tag);
}

static void put_rsdp(uint32_t type, size_t length, uint8_t fill)
{
    size_t tag = begin_tag(type);
    for (size_t i = 0; i < length; i++)
        put8(fill);
    end_tag(tag);
}

static void put_basic(uint32_t lower_kb, uint32_t upper_kb)
{
    size_t tag = begin_tag(4);
    put32(lower_kb);
    put32(upper_kb);
    end_tag(tag);
}

/* Positions and widths of red, green and blue, eight bits each. */
static void put_colours(void)
{
    for (int i = 0; i < 3; i++) {
        put8((uint8_t)(16 - 8 * i));
        put8(8);
    }
}

static void build_sample(void)
{
    begin();
    put_text_tag(1, "init=/bin/demo loglevel=7 -- a b");
    put_text_tag(2, "GRUB 2.06");
    put_module(0x200000, 0x234567, "/boot/initrd.tar");
    put_basic(639, 129920);
    put_map();
    size_t tag = begin_tag(8);
    put64(0xfd000000);
    put32(4096);
    put32(1024);
    put32(768);
    put8(32);
    put8(1);
    put8(0);
    put8(0);
    put_colours();
    end_tag(tag);
    put_rsdp(14, 20, 0x14);
    put_rsdp(15, 36, 0x15);
    put_text_tag(9, "ELF symbols, say");
    finish();
}

/* Parse an exact copy, placed so that it is aligned or not. */
static int parse(size_t length, size_t skew)
{
    uint8_t *copy = malloc(length + skew);
    memcpy(copy + skew, info, length);
    memset(&out, 0xa5, sizeof(out));
    int result = multiboot2_parse(copy + skew, length, &out);
    free(copy);
    return result;
}

static void assert_sane(void)
{
    assert_true(out.range_count <= BOOT_RANGES_MAX);
    assert_true(out.module_count <= BOOT_MODULES_MAX);
    assert_non_null(memchr(out.cmdline, 0, sizeof(out.cmdline)));
    assert_non_null(memchr(out.loader, 0, sizeof(out.loader)));
    assert_true(out.rsdp_length <= BOOT_RSDP_MAX);
    for (size_t i = 0; i < out.range_count; i++)
        assert_true(out.ranges[i].start < out.ranges[i].end);
    for (size_t i = 0; i < out.module_count; i++) {
        assert_true(out.modules[i].start <= out.modules[i].end);
        assert_non_null(memchr(out.modules[i].name, 0, sizeof(out.modules[i].name)));
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_sample(void **state)
{
    (void)state;
    build_sample();
    for (size_t skew = 0; skew < 2; skew++) {
        assert_int_equal(parse(used, skew), 0);
        assert_sane();
        assert_int_equal(out.bad_offset, 0);
        assert_string_equal(out.cmdline, "init=/bin/demo loglevel=7 -- a b");
        assert_false(out.cmdline_cut);
        assert_string_equal(out.loader, "GRUB 2.06");
        assert_int_equal(out.module_count, 1);
        assert_int_equal(out.modules[0].start, 0x200000);
        assert_int_equal(out.modules[0].end, 0x234567);
        assert_string_equal(out.modules[0].name, "/boot/initrd.tar");
        assert_int_equal(out.range_count, 3); /* the map alone: basic memory is not added */
        assert_int_equal(out.ranges[1].start, 0x100000);
        assert_int_equal(out.ranges[1].end, 0x7fe0000);
        assert_int_equal(out.ranges[2].type, 2);
        assert_int_equal(out.ranges_dropped, 0);
        assert_true(out.framebuffer.present);
        assert_int_equal(out.framebuffer.address, 0xfd000000);
        assert_int_equal(out.framebuffer.pitch, 4096);
        assert_int_equal(out.framebuffer.width, 1024);
        assert_int_equal(out.framebuffer.height, 768);
        assert_int_equal(out.framebuffer.bpp, 32);
        assert_int_equal(out.framebuffer.type, 1);
        assert_int_equal(out.framebuffer.red.position, 16);
        assert_int_equal(out.framebuffer.green.position, 8);
        assert_int_equal(out.framebuffer.blue.position, 0);
        assert_int_equal(out.framebuffer.blue.bits, 8);
        assert_int_equal(out.rsdp_length, 36);
        assert_int_equal(out.rsdp[0], 0x15);
        assert_int_equal(out.rsdp_address, 0);
    }
}

static void test_basic_memory_alone(void **state)
{
    (void)state;
    begin();
    put_basic(639, 129920);
    finish();
    assert_int_equal(parse(used, 0), 0);
    assert_int_equal(out.range_count, 2);
    assert_int_equal(out.ranges[0].end, 639 * 1024);
    assert_int_equal(out.ranges[1].start, 0x100000);
    assert_int_equal(out.ranges[1].end, 0x100000 + 129920 * 1024);
    assert_int_equal(out.ranges[1].type, MEMMAP_USABLE);
}

static void test_nothing_usable(void **state)
{
    (void)state;
    begin();
    put_text_tag(1, "loglevel=3");
    finish();
    assert_int_equal(parse(used, 0), -EINVAL);
    assert_string_equal(out.cmdline, "loglevel=3");

    begin();
    put_basic(0, 0);
    finish();
    assert_int_equal(parse(used, 0), -EINVAL);

    /* a map that is there and holds nothing is not improved upon by guessing */
    begin();
    put_basic(639, 1024);
    end_tag(begin_map(24));
    finish();
    assert_int_equal(parse(used, 0), -EINVAL);
}

static void test_old_rsdp(void **state)
{
    (void)state;
    begin();
    put_map();
    put_rsdp(15, 36, 0x15);
    put_rsdp(14, 20, 0x14);
    finish();
    assert_int_equal(parse(used, 0), 0);
    assert_int_equal(out.rsdp_length, 36);
    assert_int_equal(out.rsdp[35], 0x15);

    begin();
    put_map();
    put_rsdp(14, 28, 0x14);
    finish();
    assert_int_equal(parse(used, 0), 0);
    assert_int_equal(out.rsdp_length, 20);
    assert_int_equal(out.rsdp[19], 0x14);
    assert_int_equal(out.rsdp[20], 0);

    begin();
    put_map();
    put_rsdp(15, 19, 0x15);
    finish();
    assert_int_equal(parse(used, 0), 0);
    assert_int_equal(out.rsdp_length, 0);
    assert_int_not_equal(out.bad_offset, 0);
}

static void test_entry_size(void **state)
{
    (void)state;
    begin();
    size_t tag = begin_map(40);
    for (uint64_t i = 0; i < 3; i++) {
        put_entry(0x100000 * i, 0x1000, 1);
        put64(~UINT64_C(0));
        put64(~UINT64_C(0));
    }
    end_tag(tag);
    finish();
    assert_int_equal(parse(used, 0), 0);
    assert_int_equal(out.range_count, 3);
    assert_int_equal(out.ranges[2].start, 0x200000);
    assert_int_equal(out.ranges[2].end, 0x201000);

    static const uint32_t sizes[] = {0, 1, 8, 23, 0x7fffffff, 0xffffffe8, 0xffffffff};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        begin();
        tag = begin_map(sizes[i]);
        put_entry(0x100000, 0x1000, 1);
        put_entry(0x200000, 0x1000, 1);
        end_tag(tag);
        finish();
        int result = parse(used, 0);
        assert_sane();
        assert_int_equal(result, sizes[i] < 24 ? -EINVAL : 0);
        assert_int_equal(out.bad_offset, sizes[i] < 24 ? 8 : 0);
    }
}

/* Only direct colours need the positions of their fields behind the part that all have. */
static void test_framebuffer_types(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 4; type++) {
        begin();
        put_basic(639, 1024);
        size_t tag = begin_tag(8);
        put64(0xb8000);
        put32(160);
        put32(80);
        put32(25);
        put8(16);
        put8((uint8_t)type);
        put8(0);
        put8(0);
        end_tag(tag);
        finish();
        assert_int_equal(parse(used, 0), 0);
        assert_int_equal(out.framebuffer.present, type != 1);
        assert_int_equal(out.bad_offset != 0, type == 1);
        assert_int_equal(out.framebuffer.red.bits, 0);
    }
}

static void test_wild_ranges(void **state)
{
    (void)state;
    begin();
    size_t tag = begin_map(24);
    put_entry(0x1000, 0, 1);
    put_entry(UINT64_MAX, 2, 1);
    put_entry(0x100000, UINT64_MAX, 1);
    put_entry(0x100000, 0x1000, 1);
    end_tag(tag);
    finish();
    assert_int_equal(parse(used, 0), 0);
    assert_int_equal(out.range_count, 1);
    assert_int_equal(out.ranges_dropped, 2);
}

static void test_too_many(void **state)
{
    (void)state;
    begin();
    size_t tag = begin_map(24);
    for (uint64_t i = 0; i < BOOT_RANGES_MAX + 5; i++)
        put_entry(i * 0x2000, 0x1000, 1);
    end_tag(tag);
    for (uint32_t i = 0; i < BOOT_MODULES_MAX + 2; i++)
        put_module(i, i, "m");
    put_module(2, 1, "inverted");
    finish();
    assert_int_equal(parse(used, 0), 0);
    assert_int_equal(out.range_count, BOOT_RANGES_MAX);
    assert_int_equal(out.ranges_dropped, 5);
    assert_int_equal(out.module_count, BOOT_MODULES_MAX);
    assert_int_equal(out.modules_dropped, 3);
}

static void test_texts(void **state)
{
    static char text[BOOT_CMDLINE_MAX + 100];

    (void)state;
    for (size_t length = BOOT_CMDLINE_MAX - 3; length < BOOT_CMDLINE_MAX + 3; length++) {
        memset(text, 'x', sizeof(text));
        memcpy(text, "loglevel=7 maxcpus=1", 20);
        text[length] = '\0';
        begin();
        put_text_tag(1, text);
        put_text_tag(2, text);
        put_map();
        put_module(0, 1, text);
        finish();
        assert_int_equal(parse(used, 0), 0);
        assert_sane();
        assert_int_equal(out.cmdline_cut, length >= BOOT_CMDLINE_MAX);
        if (out.cmdline_cut)
            assert_string_equal(out.cmdline, "loglevel=7 "); /* half a word is no word */
        else
            assert_string_equal(out.cmdline, text);
        assert_int_equal(strlen(out.loader), BOOT_NAME_MAX - 1);
        assert_int_equal(strlen(out.modules[0].name), BOOT_NAME_MAX - 1);
    }

    /* no terminator, no text at all */
    begin();
    size_t tag = begin_tag(1);
    put("loglevel", 8);
    end_tag(tag);
    end_tag(begin_tag(2));
    tag = begin_tag(3);
    put32(1);
    put32(2);
    end_tag(tag);
    put_map();
    finish();
    assert_int_equal(parse(used, 0), 0);
    assert_string_equal(out.cmdline, "loglevel");
    assert_string_equal(out.loader, "");
    assert_string_equal(out.modules[0].name, "");
}

static void test_bad_total(void **state)
{
    static const uint32_t totals[] = {0, 1, 7, 0x80000000, 0xffffffff};

    (void)state;
    build_sample();
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        memcpy(info, &totals[i], sizeof(totals[i]));
        assert_int_equal(parse(used, 0), -EINVAL);
    }
    for (size_t length = 0; length < 8; length++)
        assert_int_equal(parse(length, 0), -EINVAL);
}

/* What is readable ends early: the announced total no longer fits, so nothing is believed. */
static void test_every_readable_length(void **state)
{
    (void)state;
    build_sample();
    for (size_t length = 0; length < used; length++)
        assert_int_equal(parse(length, 0), -EINVAL);
}

/* The information itself ends early: what is whole counts. */
static void test_every_total(void **state)
{
    (void)state;
    build_sample();
    size_t full = used;
    for (size_t length = 8; length < full; length++) {
        uint32_t total = (uint32_t)length;
        memcpy(info, &total, sizeof(total));
        int result = parse(length, length % 3);
        assert_sane();
        assert_true(result == 0 || result == -EINVAL);
        assert_int_equal(result == 0, out.range_count > 0);
        assert_in_range(out.bad_offset, 8, (length + 7) / 8 * 8);
    }
}

static void test_every_tag_size(void **state)
{
    static const uint32_t sizes[] = {0, 1, 7, 9, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};

    (void)state;
    build_sample();
    for (size_t tag = 8; tag < used; tag += 8) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            build_sample();
            memcpy(info + tag + 4, &sizes[i], sizeof(sizes[i]));
            parse(used, 0);
            assert_sane();
        }
    }
}

static void test_random_damage(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int round = 0; round < 40000; round++) {
        build_sample();
        /* mostly behind the total size, or little else would be reached */
        size_t from = round % 8 == 0 ? 0 : 8;
        damage(info + from, used - from, &seed);
        int result = parse(used, (size_t)round % 2);
        assert_sane();
        assert_true(result == -EINVAL || out.range_count > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),         cmocka_unit_test(test_basic_memory_alone),
        cmocka_unit_test(test_nothing_usable), cmocka_unit_test(test_old_rsdp),
        cmocka_unit_test(test_entry_size),     cmocka_unit_test(test_wild_ranges),
        cmocka_unit_test(test_too_many),       cmocka_unit_test(test_texts),
        cmocka_unit_test(test_bad_total),      cmocka_unit_test(test_every_readable_length),
        cmocka_unit_test(test_every_total),    cmocka_unit_test(test_every_tag_size),
        cmocka_unit_test(test_random_damage),  cmocka_unit_test(test_framebuffer_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
