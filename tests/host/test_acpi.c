// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/acpi_tables.c */
/* ACPI tables as firmware writes them, as old firmware wrote them, and as no one should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/acpi_tables.h"
#include "hostile.h"
#include "lib/errno.h"

static uint8_t table[512];

static void put16(size_t offset, uint16_t value)
{
    memcpy(table + offset, &value, sizeof(value));
}

static void put32(size_t offset, uint32_t value)
{
    memcpy(table + offset, &value, sizeof(value));
}

static void put64(size_t offset, uint64_t value)
{
    memcpy(table + offset, &value, sizeof(value));
}

/* Make the `length` bytes add up, by the byte at `where`. */
static void seal(size_t length, size_t where)
{
    uint8_t sum = 0;
    table[where] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + table[i]);
    table[where] = (uint8_t)-sum;
}

static void begin_table(const char *signature, uint32_t length, uint8_t revision)
{
    memset(table, 0, sizeof(table));
    memcpy(table, signature, 4);
    put32(4, length);
    table[8] = revision;
}

/* ---- root pointer ---------------------------------------------------------------------------- */

static void build_rsdp(uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
    memset(table, 0, sizeof(table));
    memcpy(table, "RSD PTR ", 8);
    table[15] = revision;
    put32(16, rsdt);
    seal(20, 8);
    put32(20, 36);
    put64(24, xsdt);
    seal(36, 32);
}

static int read_rsdp(size_t length, struct acpi_rsdp_info *info)
{
    uint8_t *copy = exact_copy(table, length);
    memset(info, 0xa5, sizeof(*info));
    int result = acpi_rsdp_read(copy, length, info);
    free(copy);
    return result;
}

static void test_rsdp(void **state)
{
    struct acpi_rsdp_info info;

    (void)state;
    build_rsdp(2, 0x7fe1000, 0x7fe2000);
    assert_int_equal(read_rsdp(36, &info), 0);
    assert_int_equal(info.revision, 2);
    assert_int_equal(info.rsdt, 0x7fe1000);
    assert_int_equal(info.xsdt, 0x7fe2000);

    /* the old part alone, because only that is there, or only that is sound */
    for (size_t length = 20; length < 36; length++) {
        assert_int_equal(read_rsdp(length, &info), 0);
        assert_int_equal(info.xsdt, 0);
        assert_int_equal(info.rsdt, 0x7fe1000);
    }
    for (size_t length = 0; length < 20; length++)
        assert_int_equal(read_rsdp(length, &info), -EINVAL);
    table[33] ^= 1;
    assert_int_equal(read_rsdp(36, &info), 0);
    assert_int_equal(info.xsdt, 0);

    static const uint32_t lengths[] = {0, 20, 35, 37, 0xffffffff};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        build_rsdp(2, 0x7fe1000, 0x7fe2000);
        put32(20, lengths[i]);
        seal(36, 32);
        assert_int_equal(read_rsdp(36, &info), 0);
        assert_int_equal(info.xsdt, 0);
    }

    build_rsdp(0, 0x7fe1000, 0x7fe2000);
    assert_int_equal(read_rsdp(36, &info), 0);
    assert_int_equal(info.xsdt, 0);
    build_rsdp(0, 0, 0x7fe2000);
    assert_int_equal(read_rsdp(36, &info), -EINVAL);
    build_rsdp(2, 0, 0x7fe2000);
    assert_int_equal(read_rsdp(36, &info), 0);
    assert_int_equal(info.rsdt, 0);
    table[9] ^= 1;
    assert_int_equal(read_rsdp(36, &info), -EINVAL);
}

static void test_find_rsdp(void **state)
{
    uint8_t *area = calloc(1, 1024);

    (void)state;
    assert_null(acpi_find_rsdp_in(area, 1024));
    build_rsdp(0, 0x7fe1000, 0);
    memcpy(area + 520, table, 20); /* not on a boundary of 16 */
    assert_null(acpi_find_rsdp_in(area, 1024));
    memcpy(area + 1024 - 16, table, 16); /* cut by the end */
    assert_null(acpi_find_rsdp_in(area, 1024));
    memcpy(area + 992, table, 20);
    assert_ptr_equal(acpi_find_rsdp_in(area, 1024), area + 992);
    memcpy(area + 96, table, 20);
    area[96 + 10] ^= 1; /* a false one before it */
    assert_ptr_equal(acpi_find_rsdp_in(area, 1024), area + 992);
    assert_null(acpi_find_rsdp_in(area, 0));
    free(area);
}

/* ---- root table ------------------------------------------------------------------------------ */

static void test_root(void **state)
{
    struct acpi_root root;

    (void)state;
    begin_table("XSDT", 36 + 3 * 8 + 5, 1); /* a few bytes that are no entry */
    put64(36, 0x1111);
    put64(44, 0);
    put64(52, UINT64_C(0x123456789a));
    seal(65, 9);
    uint8_t *copy = exact_copy(table, 65);
    assert_int_equal(acpi_table_check(copy, 65, "XSDT"), 0);
    assert_int_equal(acpi_root_open(copy, 65, &root), 0);
    assert_int_equal(root.count, 3);
    assert_int_equal(acpi_root_entry(&root, 0), 0x1111);
    assert_int_equal(acpi_root_entry(&root, 1), 0);
    assert_int_equal(acpi_root_entry(&root, 2), UINT64_C(0x123456789a));
    assert_int_equal(acpi_root_entry(&root, 3), 0);
    assert_int_equal(acpi_root_entry(&root, SIZE_MAX), 0);
    for (size_t length = 0; length < 65; length++)
        assert_int_equal(acpi_root_open(copy, length, &root), -EINVAL);
    free(copy);

    begin_table("RSDT", 36 + 2 * 4, 1);
    put32(36, 0xfffffff0);
    put32(40, 7);
    copy = exact_copy(table, 44);
    assert_int_equal(acpi_root_open(copy, 44, &root), 0);
    assert_int_equal(root.count, 2);
    assert_int_equal(acpi_root_entry(&root, 0), 0xfffffff0);
    assert_int_equal(acpi_root_entry(&root, 1), 7);
    assert_int_equal(acpi_root_entry(&root, 2), 0);
    free(copy);

    begin_table("RSDT", 36, 1);
    assert_int_equal(acpi_root_open(table, 36, &root), 0);
    assert_int_equal(root.count, 0);
    begin_table("FACP", 44, 1);
    assert_int_equal(acpi_root_open(table, 44, &root), -EINVAL);
}

static void test_table_check(void **state)
{
    static const uint32_t lengths[] = {0, 35, 41, 0x80000000, 0xffffffff};
    struct acpi_header header;

    (void)state;
    begin_table("APIC", 40, 3);
    seal(40, 9);
    uint8_t *copy = exact_copy(table, 40);
    assert_int_equal(acpi_table_check(copy, 40, "APIC"), 0);
    assert_int_equal(acpi_table_check(copy, 40, NULL), 0);
    assert_int_equal(acpi_table_check(copy, 40, "FACP"), -EINVAL);
    assert_int_equal(acpi_header_read(copy, 36, &header), 0);
    assert_string_equal(header.signature, "APIC");
    assert_int_equal(header.length, 40);
    assert_int_equal(header.revision, 3);
    copy[39] ^= 1;
    assert_int_equal(acpi_table_check(copy, 40, "APIC"), -EIO);
    for (size_t length = 0; length < 40; length++)
        assert_int_equal(acpi_table_check(copy, length, "APIC"), -EINVAL);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        memcpy(copy + 4, &lengths[i], sizeof(lengths[i]));
        assert_int_equal(acpi_table_check(copy, 40, "APIC"), -EINVAL);
    }
    free(copy);
}

/* ---- FADT ------------------------------------------------------------------------------------ */

static void put_gas(size_t offset, uint8_t space, uint8_t bits, uint64_t address)
{
    table[offset] = space;
    table[offset + 1] = bits;
    put64(offset + 4, address);
}

/* As on q35, with each number a different one. */
static void build_fadt(uint32_t length, uint8_t revision)
{
    begin_table("FACP", length, revision);
    put32(40, 0x7fe0040);
    put32(48, 0xb2);
    table[52] = 2;
    put32(56, 0x600);
    put32(60, 0x680);
    put32(64, 0x604);
    put32(68, 0x684);
    put32(76, 0x608);
    put16(109, 0x3);
    table[108] = 0x32;
    put32(112, ACPI_FADT_RESET_REG_SUP | ACPI_FADT_TMR_VAL_EXT);
    put_gas(116, ACPI_SPACE_IO, 8, 0xcf9);
    table[128] = 0xf;
    table[131] = 0x53;
    put64(140, UINT64_C(0x17fe0040));
    put_gas(148, ACPI_SPACE_IO, 32, 0x1600);
    put_gas(172, ACPI_SPACE_IO, 16, 0x1604);
    put_gas(208, ACPI_SPACE_IO, 32, 0x1608);
}

static int read_fadt(size_t length, struct acpi_fadt_info *info)
{
    uint8_t *copy = exact_copy(table, length);
    memset(info, 0xa5, sizeof(*info));
    int result = acpi_fadt_read(copy, length, info);
    free(copy);
    return result;
}

static void test_fadt(void **state)
{
    struct acpi_fadt_info info;

    (void)state;
    build_fadt(244, 6);
    assert_int_equal(read_fadt(244, &info), 0);
    assert_int_equal(info.revision, 6);
    assert_int_equal(info.minor, 3);
    assert_int_equal(info.boot_arch, 3);
    assert_int_equal(info.century, 0x32);
    assert_int_equal(info.smi_cmd, 0xb2);
    assert_int_equal(info.acpi_enable, 2);
    assert_int_equal(info.dsdt, 0x17fe0040);
    assert_int_equal(info.pm1a_evt.address, 0x1600);
    assert_int_equal(info.pm1b_evt.address, 0x680); /* its extended field says nothing */
    assert_int_equal(info.pm1a_cnt.address, 0x1604);
    assert_int_equal(info.pm1a_cnt.space, ACPI_SPACE_IO);
    assert_int_equal(info.pm1b_cnt.address, 0x684);
    assert_int_equal(info.pm_tmr.address, 0x1608);
    assert_int_equal(info.pm_tmr_bits, 32);
    assert_int_equal(info.reset.address, 0xcf9);
    assert_int_equal(info.reset_value, 0xf);
}

static void test_fadt_of_acpi_1(void **state)
{
    struct acpi_fadt_info info;

    (void)state;
    build_fadt(116, 1);
    put16(109, 0);
    put32(112, 0);
    assert_int_equal(read_fadt(116, &info), 0);
    assert_int_equal(info.minor, 0);
    assert_int_equal(info.boot_arch, ACPI_BOOT_LEGACY_DEVICES | ACPI_BOOT_8042);
    assert_int_equal(info.dsdt, 0x7fe0040);
    assert_int_equal(info.pm1a_cnt.address, 0x604);
    assert_int_equal(info.pm1a_cnt.space, ACPI_SPACE_IO);
    assert_int_equal(info.pm_tmr.address, 0x608);
    assert_int_equal(info.pm_tmr_bits, 24);
    assert_int_equal(info.reset.address, 0);
}

static void test_fadt_odd_fields(void **state)
{
    struct acpi_fadt_info info;

    (void)state;
    /* extended fields in an unknown space, or at a port that is none, do not count */
    build_fadt(244, 6);
    put_gas(172, 0x7f, 16, 0x1604);
    put_gas(208, ACPI_SPACE_IO, 32, 0x10000);
    put_gas(148, ACPI_SPACE_MEMORY, 32, UINT64_C(0xfed80800));
    put_gas(116, 2, 8, 0xcf9);
    assert_int_equal(read_fadt(244, &info), 0);
    assert_int_equal(info.pm1a_cnt.address, 0x604);
    assert_int_equal(info.pm_tmr.address, 0x608);
    assert_int_equal(info.pm1a_evt.address, 0xfed80800);
    assert_int_equal(info.pm1a_evt.space, ACPI_SPACE_MEMORY);
    assert_int_equal(info.reset.address, 0);

    build_fadt(116, 1);
    put32(64, 0x10604);
    put32(76, 0);
    assert_int_equal(read_fadt(116, &info), 0);
    assert_int_equal(info.pm1a_cnt.address, 0);
    assert_int_equal(info.pm_tmr_bits, 0);

    build_fadt(244, 6);
    put32(112, ACPI_FADT_HW_REDUCED_ACPI);
    assert_int_equal(read_fadt(244, &info), 0);
    assert_int_equal(info.smi_cmd, 0);
    assert_int_equal(info.pm1a_cnt.address, 0);
    assert_int_equal(info.pm_tmr_bits, 0);
    assert_int_equal(info.reset.address, 0);
    assert_int_equal(info.dsdt, 0x17fe0040);
}

/* Every announced length, with exactly that much to read. */
static void test_fadt_every_length(void **state)
{
    struct acpi_fadt_info info;

    (void)state;
    for (uint32_t length = 0; length <= 276; length++) {
        build_fadt(length, 6);
        int result = read_fadt(length, &info);
        assert_int_equal(result, length < 36 ? -EINVAL : 0);
        if (result != 0)
            continue;
        assert_int_equal(info.dsdt, length >= 148 ? 0x17fe0040 : length >= 44 ? 0x7fe0040 : 0);
        assert_int_equal(info.pm1a_cnt.address, length >= 184 ? 0x1604 : length >= 68 ? 0x604 : 0);
        assert_int_equal(info.pm_tmr.address, length >= 220 ? 0x1608 : length >= 80 ? 0x608 : 0);
        assert_int_equal(info.reset.address, length >= 128 ? 0xcf9 : 0);
    }
    build_fadt(244, 6);
    for (size_t length = 0; length < 244; length++)
        assert_int_equal(read_fadt(length, &info), -EINVAL);
}

/* ---- HPET ------------------------------------------------------------------------------------ */

static void build_hpet(uint32_t length)
{
    begin_table("HPET", length, 1);
    put32(36, 0x8086a201);
    put_gas(40, ACPI_SPACE_MEMORY, 64, 0xfed00000);
    table[52] = 1;
    put16(53, 0x1234);
}

static void test_hpet(void **state)
{
    struct acpi_hpet_info info;

    (void)state;
    build_hpet(56);
    uint8_t *copy = exact_copy(table, 56);
    assert_int_equal(acpi_hpet_read(copy, 56, &info), 0);
    assert_int_equal(info.base.address, 0xfed00000);
    assert_int_equal(info.base.space, ACPI_SPACE_MEMORY);
    assert_int_equal(info.number, 1);
    assert_int_equal(info.minimum_tick, 0x1234);
    for (size_t length = 0; length < 56; length++)
        assert_int_equal(acpi_hpet_read(copy, length, &info), -EINVAL);
    free(copy);

    for (uint32_t length = 36; length < 56; length++) {
        build_hpet(length);
        assert_int_equal(acpi_hpet_read(table, 56, &info), -EINVAL);
    }
    build_hpet(56);
    put_gas(40, ACPI_SPACE_MEMORY, 64, 0);
    assert_int_equal(acpi_hpet_read(table, 56, &info), -EINVAL);
    put_gas(40, 3, 64, 0xfed00000);
    assert_int_equal(acpi_hpet_read(table, 56, &info), -EINVAL);
    put_gas(40, ACPI_SPACE_IO, 64, 0x500);
    assert_int_equal(acpi_hpet_read(table, 56, &info), 0);
    assert_int_equal(info.base.space, ACPI_SPACE_IO);
}

/* ---- S5 -------------------------------------------------------------------------------------- */

struct s5_case {
    int result;
    uint8_t a, b;
    size_t length;
    uint8_t aml[48];
};

#define S5 0x08, '_', 'S', '5', '_', 0x12
#define ROOT_S5 0x08, '\\', '_', 'S', '5', '_', 0x12

static const struct s5_case s5_cases[] = {
    /* QEMU: four ZeroOps */
    {0, 0, 0, 12, {S5, 6, 4, 0, 0, 0, 0}},
    /* rooted, byte constants */
    {0, 5, 7, 15, {ROOT_S5, 7, 4, 0x0a, 5, 0x0a, 7, 0, 0}},
    /* one, then a word; length in two bytes */
    {0, 1, 3, 13, {S5, 0x47, 0, 2, 1, 0x0b, 3, 0}},
    /* double word; length in three and in four bytes */
    {0, 6, 1, 16, {S5, 0x8a, 0, 0, 2, 0x0c, 6, 0, 0, 0, 1}},
    {0, 6, 1, 17, {S5, 0xcb, 0, 0, 0, 2, 0x0c, 6, 0, 0, 0, 1}},
    /* a look-alike without NameOp, then one with a bad package, then the real one */
    {0, 2, 2, 35, {0x10, '_', 'S', '5', '_', 0x12, 6, 4,    0, 0,    0, 0, S5,
                   63,   4,   0,   0,   S5,  7,    2, 0x0a, 2, 0x0a, 2, 0}},
    /* values that do not fit the field, a wide one, a string, a name */
    {-ENOENT, 0, 0, 12, {S5, 6, 2, 0x0a, 8, 0, 0}},
    {-ENOENT, 0, 0, 13, {S5, 7, 2, 0x0b, 1, 1, 0, 0}},
    {-ENOENT, 0, 0, 13, {S5, 7, 2, 0x0d, 'a', 0, 0, 0}},
    {-ENOENT, 0, 0, 13, {S5, 7, 2, 'A', 'B', 'C', 'D', 0}},
    {-ENOENT, 0, 0, 10, {S5, 4, 2, 0xff, 0xff}},
    /* too few elements, by count or by length */
    {-ENOENT, 0, 0, 12, {S5, 6, 1, 0, 0, 0, 0}},
    {-ENOENT, 0, 0, 12, {S5, 3, 4, 0, 0, 0, 0}},
    {-ENOENT, 0, 0, 12, {S5, 2, 4, 0, 0, 0, 0}},
    {-ENOENT, 0, 0, 12, {S5, 1, 4, 0, 0, 0, 0}},
    {-ENOENT, 0, 0, 12, {S5, 0, 4, 0, 0, 0, 0}},
    /* a number cut by the package's end */
    {-ENOENT, 0, 0, 14, {S5, 5, 2, 0, 0x0c, 1, 0, 0, 0}},
    /* lengths that reach past the end */
    {-ENOENT, 0, 0, 12, {S5, 7, 4, 0, 0, 0, 0}},
    {-ENOENT, 0, 0, 14, {S5, 0xcf, 0xff, 0xff, 0xff, 2, 0, 0, 0}},
    /* lengths that do not cover themselves */
    {-ENOENT, 0, 0, 14, {S5, 0xc3, 0, 0, 0, 2, 0, 0, 0}},
    /* a method, not a package */
    {-ENOENT, 0, 0, 12, {0x08, '_', 'S', '5', '_', 0x14, 6, 4, 0, 0, 0, 0}},
    {-ENOENT, 0, 0, 0, {0}},
};

static void test_s5(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(s5_cases) / sizeof(s5_cases[0]); i++) {
        const struct s5_case *c = &s5_cases[i];
        uint8_t *copy = exact_copy(c->aml, c->length);
        uint8_t a = 0xee, b = 0xee;
        assert_int_equal(acpi_find_s5(copy, c->length, &a, &b), c->result);
        assert_int_equal(a, c->result == 0 ? c->a : 0xee);
        assert_int_equal(b, c->result == 0 ? c->b : 0xee);
        for (size_t length = 0; length < c->length; length++) {
            uint8_t *shorter = exact_copy(c->aml, length);
            acpi_find_s5(shorter, length, &a, &b);
            free(shorter);
        }
        free(copy);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void test_random_damage(void **state)
{
    struct acpi_fadt_info fadt;
    struct acpi_hpet_info hpet;
    struct acpi_root root;
    struct acpi_rsdp_info rsdp;
    uint64_t seed = 5;

    (void)state;
    for (int round = 0; round < 40000; round++) {
        size_t length = 36 + random_below(&seed, 240);
        build_fadt((uint32_t)length, (uint8_t)random_below(&seed, 8));
        damage(table, length, &seed);
        if (read_fadt(length, &fadt) == 0) {
            assert_true(fadt.pm_tmr_bits == 0 || fadt.pm_tmr.address != 0);
            assert_true(fadt.reset.space == ACPI_SPACE_MEMORY || fadt.reset.address <= 0xffff);
        }

        build_hpet(56);
        damage(table, 56, &seed);
        uint8_t *copy = exact_copy(table, 56);
        if (acpi_hpet_read(copy, 56, &hpet) == 0)
            assert_true(hpet.base.address != 0);
        free(copy);

        begin_table(round % 2 == 0 ? "RSDT" : "XSDT", 100, 1);
        damage(table, 100, &seed);
        copy = exact_copy(table, 100);
        if (acpi_root_open(copy, 100, &root) == 0) {
            for (size_t i = 0; i <= root.count; i++)
                acpi_root_entry(&root, i);
        }
        acpi_table_check(copy, 100, NULL);
        free(copy);

        build_rsdp(2, 1, 2);
        damage(table, 36, &seed);
        if (round % 2 == 0)
            seal(20, 8);
        read_rsdp(36, &rsdp);

        const struct s5_case *c = &s5_cases[round % 6];
        uint8_t a = 0, b = 0;
        copy = exact_copy(c->aml, c->length);
        damage(copy, c->length, &seed);
        acpi_find_s5(copy, c->length, &a, &b);
        assert_true(a <= 7 && b <= 7);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsdp),
        cmocka_unit_test(test_find_rsdp),
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_table_check),
        cmocka_unit_test(test_fadt),
        cmocka_unit_test(test_fadt_of_acpi_1),
        cmocka_unit_test(test_fadt_odd_fields),
        cmocka_unit_test(test_fadt_every_length),
        cmocka_unit_test(test_hpet),
        cmocka_unit_test(test_s5),
        cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
