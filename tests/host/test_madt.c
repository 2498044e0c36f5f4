// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/madt.c src/arch/x86_64/acpi_tables.c */
/* The MADT: a PC's, sparse ones, ones in which ids repeat, and ones that lie about lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/madt.h"
#include "hostile.h"
#include "lib/errno.h"

static uint8_t table[65536];
static size_t used;
static struct madt_info info;

static void put8(uint8_t value)
{
    table[used++] = value;
}

static void put16(uint16_t value)
{
    memcpy(table + used, &value, sizeof(value));
    used += sizeof(value);
}

static void put32(uint32_t value)
{
    memcpy(table + used, &value, sizeof(value));
    used += sizeof(value);
}

static void set_length(size_t length)
{
    uint32_t value = (uint32_t)length;
    memcpy(table + 4, &value, sizeof(value));
}

static void begin(void)
{
    memset(table, 0, sizeof(table));
    memcpy(table, "APIC", 4);
    table[8] = 3;
    used = 36;
    put32(0xfee00000);
    put32(1);
}

static void put_cpu(uint8_t uid, uint8_t apic_id, uint32_t flags)
{
    put8(0);
    put8(8);
    put8(uid);
    put8(apic_id);
    put32(flags);
}

static void put_x2apic(uint32_t uid, uint32_t apic_id, uint32_t flags)
{
    put8(9);
    put8(16);
    put16(0);
    put32(apic_id);
    put32(flags);
    put32(uid);
}

static void put_ioapic(uint8_t id, uint32_t address, uint32_t gsi_base)
{
    put8(1);
    put8(12);
    put8(id);
    put8(0);
    put32(address);
    put32(gsi_base);
}

static void put_override(uint8_t bus, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    put8(2);
    put8(10);
    put8(bus);
    put8(irq);
    put32(gsi);
    put16(flags);
}

static void put_nmi_source(uint32_t gsi, uint16_t flags)
{
    put8(3);
    put8(8);
    put16(flags);
    put32(gsi);
}

static void put_lapic_nmi(uint8_t uid, uint16_t flags, uint8_t lint)
{
    put8(4);
    put8(6);
    put8(uid);
    put16(flags);
    put8(lint);
}

static void put_x2apic_nmi(uint32_t uid, uint16_t flags, uint8_t lint)
{
    put8(10);
    put8(12);
    put16(flags);
    put32(uid);
    put8(lint);
    put8(0);
    put16(0);
}

static void put_address_override(uint64_t address)
{
    put8(5);
    put8(12);
    put16(0);
    put32((uint32_t)address);
    put32((uint32_t)(address >> 32));
}

/* As QEMU writes it, and one of each other kind. */
static void build_sample(void)
{
    begin();
    put_cpu(0, 0, 1);
    put_cpu(1, 1, 1);
    put_cpu(2, 4, 0);
    put_ioapic(0, 0xfec00000, 0);
    put_ioapic(1, 0xfec10000, 24);
    put_override(0, 0, 2, 0);
    put_override(0, 9, 9, 0xd);
    put_override(0, 10, 26, 0xf);
    put_nmi_source(30, 5);
    put_lapic_nmi(0xff, 0, 1);
    put8(0x0d); /* a multiprocessor wake-up structure: unknown here */
    put8(16);
    used += 14;
    put_address_override(UINT64_C(0x1fee00000));
    put_x2apic(300, 0x12345, 1);
    put_x2apic_nmi(UINT32_MAX, 5, 0);
    set_length(used);
}

static int collect(size_t length)
{
    uint8_t *copy = exact_copy(table, length);
    memset(&info, 0xa5, sizeof(info));
    int result = madt_collect(copy, length, &info);
    free(copy);
    return result;
}

static void assert_sane(void)
{
    assert_true(info.cpu_count <= MADT_CPUS_MAX);
    assert_true(info.ioapic_count <= MADT_IOAPICS_MAX);
    assert_true(info.override_count <= MADT_OVERRIDES_MAX);
    assert_true(info.nmi_source_count <= MADT_NMI_SOURCES_MAX);
    assert_true(info.local_nmi_count <= MADT_LOCAL_NMIS_MAX);
    for (size_t i = 0; i < info.cpu_count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_true(info.cpus[i].apic_id != info.cpus[k].apic_id);
    }
}

static void test_sample(void **state)
{
    (void)state;
    build_sample();
    assert_int_equal(collect(used), 0);
    assert_sane();
    assert_int_equal(info.revision, 3);
    assert_int_equal(info.bad_offset, 0);
    assert_int_equal(info.lapic_address, UINT64_C(0x1fee00000));
    assert_true(info.pcat_compat);
    assert_int_equal(info.cpu_count, 4);
    assert_int_equal(info.cpus[2].apic_id, 4);
    assert_int_equal(info.cpus[2].flags, 0);
    assert_int_equal(info.cpus[3].apic_id, 0x12345);
    assert_int_equal(info.cpus[3].uid, 300);
    assert_int_equal(info.ioapic_count, 2);
    assert_int_equal(info.ioapics[1].id, 1);
    assert_int_equal(info.ioapics[1].address, 0xfec10000);
    assert_int_equal(info.ioapics[1].gsi_base, 24);
    assert_int_equal(info.override_count, 3);
    assert_int_equal(info.nmi_source_count, 1);
    assert_int_equal(info.nmi_sources[0].gsi, 30);
    assert_int_equal(info.nmi_sources[0].flags, 5);
    assert_int_equal(info.local_nmi_count, 2);
    assert_int_equal(info.local_nmis[0].uid, MADT_UID_ALL);
    assert_int_equal(info.local_nmis[0].lint, 1);
    assert_int_equal(info.local_nmis[1].uid, MADT_UID_ALL);
    assert_int_equal(info.local_nmis[1].flags, 5);
    assert_int_equal(info.local_nmis[1].lint, 0);
}

static void test_routes(void **state)
{
    struct madt_route route;

    (void)state;
    build_sample();
    assert_int_equal(collect(used), 0);

    assert_int_equal(madt_route(&info, 0, &route), 0);
    assert_int_equal(route.gsi, 2);
    assert_false(route.level);
    assert_false(route.active_low);
    assert_int_equal(madt_route(&info, 4, &route), 0); /* no override: identity */
    assert_int_equal(route.gsi, 4);
    assert_false(route.level);
    assert_false(route.active_low);
    assert_int_equal(madt_route(&info, 9, &route), 0);
    assert_int_equal(route.gsi, 9);
    assert_true(route.level);
    assert_false(route.active_low);
    assert_int_equal(madt_route(&info, 10, &route), 0);
    assert_int_equal(route.gsi, 26);
    assert_true(route.level);
    assert_true(route.active_low);
    assert_int_equal(madt_route(&info, 16, &route), -EINVAL);
    assert_int_equal(madt_route(&info, 255, &route), -EINVAL);

    /* each half by itself; reserved values and another bus are as if nothing was said */
    static const struct {
        uint8_t bus, flags;
        bool level, low, moved;
    } cases[] = {
        {0, 0x1, false, false, true}, {0, 0x3, false, true, true},   {0, 0x4, false, false, true},
        {0, 0xc, true, false, true},  {0, 0x7, false, true, true},   {0, 0x2, false, false, true},
        {0, 0x8, false, false, true}, {1, 0xf, false, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        put_override(cases[i].bus, 5, 21, cases[i].flags);
        set_length(used);
        assert_int_equal(collect(used), 0);
        assert_int_equal(madt_route(&info, 5, &route), 0);
        assert_int_equal(route.gsi, cases[i].moved ? 21 : 5);
        assert_int_equal(route.level, cases[i].level);
        assert_int_equal(route.active_low, cases[i].low);
    }

    begin();
    put_override(0, 5, 21, 0);
    put_override(0, 5, 22, 0xf);
    set_length(used);
    assert_int_equal(collect(used), 0);
    assert_int_equal(madt_route(&info, 5, &route), 0);
    assert_int_equal(route.gsi, 21); /* the first word counts */
}

static void test_same_id_twice(void **state)
{
    (void)state;
    begin();
    put_cpu(0, 0, 1);
    put_cpu(7, 3, 0);
    put_cpu(1, 0xff, 1);
    put_cpu(2, 0, 0);
    put_x2apic(3, 3, 1);
    put_x2apic(4, 0, 1);
    put_x2apic(5, 0xff, 1); /* an ordinary id in this kind of entry */
    put_x2apic(6, 0xffffffff, 1);
    set_length(used);
    assert_int_equal(collect(used), 0);
    assert_int_equal(info.cpu_count, 3);
    assert_int_equal(info.cpus[0].apic_id, 0);
    assert_int_equal(info.cpus[0].flags, 1);
    assert_int_equal(info.cpus[0].uid, 0);
    assert_int_equal(info.cpus[1].apic_id, 3);
    assert_int_equal(info.cpus[1].flags, 1); /* enabled in one of its two entries */
    assert_int_equal(info.cpus[1].uid, 3);
    assert_int_equal(info.cpus[2].apic_id, 0xff);
    assert_int_equal(info.cpus_dropped, 0);
}

static void test_too_many(void **state)
{
    (void)state;
    begin();
    for (uint32_t i = 0; i < MADT_CPUS_MAX + 3; i++)
        put_x2apic(i, i * 2, 1);
    put_x2apic(0, 0, 1); /* known: not one too many */
    for (uint8_t i = 0; i < MADT_IOAPICS_MAX + 2; i++)
        put_ioapic(i, 0xfec00000, i);
    for (uint8_t i = 0; i < MADT_OVERRIDES_MAX + 4; i++)
        put_override(0, i, i, 0);
    for (uint8_t i = 0; i < MADT_NMI_SOURCES_MAX + 5; i++)
        put_nmi_source(i, 0);
    for (uint32_t i = 0; i < MADT_LOCAL_NMIS_MAX + 6; i++)
        put_x2apic_nmi(i, 0, 1);
    set_length(used);
    assert_int_equal(collect(used), 0);
    assert_sane();
    assert_int_equal(info.cpu_count, MADT_CPUS_MAX);
    assert_int_equal(info.cpus_dropped, 3);
    assert_int_equal(info.ioapics_dropped, 2);
    assert_int_equal(info.overrides_dropped, 4);
    assert_int_equal(info.nmi_sources_dropped, 5);
    assert_int_equal(info.local_nmis_dropped, 6);
}

/* A big machine: both kinds of ids, some cores for later, I/O APICs in no order of their gsis. */
static void test_hundreds(void **state)
{
    enum { SHORT = 255, LONG = 300, IOAPICS = 8, GSIS = 24 };

    (void)state;
    begin();
    table[8] = 5;
    for (uint32_t i = 0; i < LONG; i++)
        put_x2apic(SHORT + i, 0x300 + 2 * i, i % 3 == 0 ? MADT_CPU_ONLINE_CAPABLE : 1);
    for (uint32_t i = SHORT; i-- > 0;)
        put_cpu((uint8_t)i, (uint8_t)i, 1); /* the highest id first */
    for (uint8_t i = 0; i < IOAPICS; i++)
        put_ioapic(i, 0xfec00000 + 0x1000U * i, (IOAPICS - 1U - i) * GSIS);
    for (uint32_t i = 0; i < 200; i++)
        put_x2apic_nmi(i, 5, i % 2);
    put_override(0, 4, 3 * GSIS + 1, 0xf);
    set_length(used);
    assert_int_equal(collect(used), 0);
    assert_sane();
    assert_int_equal(info.cpu_count, LONG + SHORT);
    assert_int_equal(info.cpus_dropped, 0);
    for (uint32_t i = 0; i < LONG; i++) {
        assert_int_equal(info.cpus[i].apic_id, 0x300 + 2 * i);
        assert_int_equal(info.cpus[i].uid, SHORT + i);
        assert_int_equal(madt_cpu_usable(info.cpus[i].flags, info.revision, 0, 0),
                         i % 3 == 0 ? MADT_CPU_LEAVE : MADT_CPU_START);
    }
    for (uint32_t i = 0; i < SHORT; i++)
        assert_int_equal(info.cpus[LONG + i].apic_id, SHORT - 1 - i);
    assert_int_equal(info.ioapic_count, IOAPICS);
    for (uint32_t i = 0; i < IOAPICS; i++) {
        assert_int_equal(info.ioapics[i].address, 0xfec00000 + 0x1000 * i);
        assert_int_equal(info.ioapics[i].gsi_base, (IOAPICS - 1 - i) * GSIS);
    }
    assert_int_equal(info.local_nmi_count, 200);
    assert_int_equal(info.local_nmis[199].uid, 199);
    assert_int_equal(info.local_nmis[199].lint, 1);
    struct madt_route route;
    assert_int_equal(madt_route(&info, 4, &route), 0);
    assert_int_equal(route.gsi, 3 * GSIS + 1);
    assert_true(route.level);
}

static void test_bad_entries(void **state)
{
    static const uint8_t types[] = {0, 1, 2, 3, 4, 5, 9, 10};
    static const uint8_t least[] = {8, 12, 10, 8, 6, 12, 16, 12};

    (void)state;
    for (size_t i = 0; i < sizeof(types); i++) {
        for (unsigned length = 0; length < 20; length++) {
            begin();
            put_cpu(0, 0, 1);
            size_t bad = used;
            put8(types[i]);
            put8((uint8_t)length);
            used += length > 2 ? length - 2 : 0;
            put_cpu(1, 0x77, 1);
            set_length(used);
            int result = collect(used);
            if (length < least[i]) {
                assert_int_equal(result, -EINVAL);
                assert_int_equal(info.bad_offset, bad);
                assert_int_equal(info.cpu_count, 1);
            } else {
                assert_int_equal(result, 0);
                assert_int_equal(info.cpus[info.cpu_count - 1].apic_id, 0x77);
            }
        }
    }

    /* unknown types are passed over, unless they do not move on or reach past the end */
    static const struct {
        uint8_t length;
        int result;
    } unknown[] = {{0, -EINVAL}, {1, -EINVAL}, {2, 0}, {10, 0}, {11, -EINVAL}, {255, -EINVAL}};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        begin();
        put8(0x80);
        put8(unknown[i].length);
        put_cpu(0, 0, 1);
        set_length(used);
        assert_int_equal(collect(used), unknown[i].result);
        assert_int_equal(info.bad_offset, unknown[i].result == 0 ? 0 : 44);
    }
}

/* An error stays where it is. */
static void test_cursor_stays_at_error(void **state)
{
    struct madt_cursor cursor;
    struct madt_entry entry;

    (void)state;
    begin();
    put_cpu(0, 3, 1);
    put8(0);
    put8(0);
    set_length(used);
    assert_int_equal(madt_open(&cursor, table, used), 0);
    assert_int_equal(madt_next(&cursor, &entry), 1);
    assert_int_equal(entry.type, MADT_LOCAL_APIC);
    assert_int_equal(entry.offset, 44);
    assert_int_equal(entry.cpu.apic_id, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(madt_next(&cursor, &entry), -EINVAL);
        assert_int_equal(cursor.offset, 52);
    }
}

static void test_every_length(void **state)
{
    (void)state;
    build_sample();
    size_t full = used;
    for (size_t length = 0; length < full; length++)
        assert_int_equal(collect(length), -EINVAL); /* the table says it is longer */
    for (size_t length = 0; length < full; length++) {
        set_length(length);
        int result = collect(length);
        assert_sane();
        if (length < 44)
            assert_int_equal(result, -EINVAL);
        else
            assert_int_equal(result == 0, info.bad_offset == 0);
    }
    set_length(0xffffffff);
    assert_int_equal(collect(full), -EINVAL);
    build_sample();
    memcpy(table, "FACP", 4);
    assert_int_equal(collect(used), -EINVAL);
    assert_int_equal(info.cpu_count, 0);
}

static void test_usable(void **state)
{
    static const struct {
        uint32_t flags;
        uint8_t madt, major, minor;
        enum madt_cpu_state state;
    } cases[] = {
        {1, 1, 1, 0, MADT_CPU_START},   {3, 5, 6, 3, MADT_CPU_START},
        {1, 5, 6, 3, MADT_CPU_START},   {0, 5, 6, 3, MADT_CPU_ABSENT},
        {2, 5, 0, 0, MADT_CPU_LEAVE},   {2, 4, 6, 3, MADT_CPU_LEAVE},
        {2, 4, 7, 0, MADT_CPU_LEAVE},   {2, 4, 6, 2, MADT_CPU_ABSENT},
        {2, 1, 1, 15, MADT_CPU_ABSENT}, {0xfffffffc, 5, 6, 5, MADT_CPU_ABSENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            madt_cpu_usable(cases[i].flags, cases[i].madt, cases[i].major, cases[i].minor),
            cases[i].state);
}

static void test_random_damage(void **state)
{
    uint64_t seed = 6;

    (void)state;
    for (int round = 0; round < 40000; round++) {
        struct madt_route route;
        build_sample();
        if (round % 8 == 0)
            damage(table, used, &seed);
        else
            damage(table + 44, used - 44, &seed);
        int result = collect(used);
        assert_sane();
        assert_true(result == 0 || result == -EINVAL);
        assert_true(info.bad_offset < used);
        for (uint8_t irq = 0; irq < 16; irq++)
            madt_route(&info, irq, &route);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_same_id_twice), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_bad_entries),   cmocka_unit_test(test_cursor_stays_at_error),
        cmocka_unit_test(test_every_length),  cmocka_unit_test(test_usable),
        cmocka_unit_test(test_random_damage), cmocka_unit_test(test_hundreds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
