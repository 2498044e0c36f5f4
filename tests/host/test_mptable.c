// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/mptable.c src/arch/x86_64/madt.c src/arch/x86_64/acpi_tables.c */
/* The MP tables: where they may lie, a PC's, sparse ones, and ones that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/mptable.h"
#include "hostile.h"
#include "lib/errno.h"

enum { INT = 0, NMI = 1, SMI = 2, EXTINT = 3, ENABLED = 1, BOOT = 2 };

static uint8_t table[70000];
static size_t used;
static struct madt_info info;

static void put8(uint8_t value)
{
    table[used++] = value;
}

static void put32(uint32_t value)
{
    memcpy(table + used, &value, sizeof(value));
    used += sizeof(value);
}

/* The byte at `at` such that the `length` bytes add up to 0. */
static void seal(uint8_t *bytes, size_t length, size_t at)
{
    uint8_t sum = 0;
    bytes[at] = 0;
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    bytes[at] = (uint8_t)-sum;
}

static void set_length(size_t length)
{
    uint16_t value = (uint16_t)length;
    memcpy(table + 4, &value, sizeof(value));
    seal(table, length, 7);
}

static void begin(void)
{
    memset(table, 0, sizeof(table));
    memcpy(table, "PCMP", 4);
    table[6] = 4;
    used = 36;
    put32(0xfee00000);
    used = 44;
}

static void put_cpu(uint8_t apic_id, uint8_t flags)
{
    put8(0);
    put8(apic_id);
    put8(0x14);
    put8(flags);
    used += 16;
}

static void put_bus(uint8_t id, const char *type)
{
    put8(1);
    put8(id);
    memcpy(table + used, type, 6);
    used += 6;
}

static void put_ioapic(uint8_t id, uint8_t flags, uint32_t address)
{
    put8(2);
    put8(id);
    put8(0x11);
    put8(flags);
    put32(address);
}

static void put_line(uint8_t entry, uint8_t type, uint16_t flags, uint8_t bus, uint8_t irq,
                     uint8_t apic, uint8_t input)
{
    put8(entry);
    put8(type);
    put8((uint8_t)flags);
    put8((uint8_t)(flags >> 8));
    put8(bus);
    put8(irq);
    put8(apic);
    put8(input);
}

/* The inputs of the I/O APIC at 0xfecX0000: the first has 24, then 16, then 4; else none answers */
static uint32_t inputs(paddr_t address)
{
    switch (address) {
    case 0xfec00000:
        return 24;
    case 0xfec10000:
        return 16;
    case 0xfec20000:
        return 4;
    default:
        return 0;
    }
}

static int collect(size_t length)
{
    uint8_t *copy = exact_copy(table, length);
    memset(&info, 0xa5, sizeof(info));
    int result = mptable_collect(copy, length, inputs, &info);
    free(copy);
    return result;
}

static void build_sample(void)
{
    begin();
    put_cpu(6, ENABLED);
    put_cpu(0, 0);
    put_cpu(2, ENABLED | BOOT);
    put_bus(0, "PCI   ");
    put_bus(1, "ISA   ");
    put_bus(7, "EISA  ");
    put_ioapic(8, ENABLED, 0xfec00000);
    put_ioapic(9, 0, 0xfec20000);
    put_ioapic(10, ENABLED, 0xfec10000);
    put_line(3, EXTINT, 0, 1, 0, 8, 0);
    put_line(3, INT, 0, 1, 0, 8, 2);
    put_line(3, INT, 0xd, 1, 9, 8, 9);
    put_line(3, INT, 0xf, 7, 10, 10, 3);
    put_line(3, INT, 0, 1, 11, 0xff, 20);
    put_line(3, INT, 0, 0, 12, 8, 5);   /* PCI: not ours */
    put_line(3, INT, 0, 9, 12, 8, 5);   /* no such bus */
    put_line(3, INT, 0, 1, 16, 8, 5);   /* no such ISA line */
    put_line(3, INT, 0, 1, 12, 9, 0);   /* a disabled I/O APIC */
    put_line(3, INT, 0, 1, 12, 77, 0);  /* none of that id */
    put_line(3, INT, 0, 1, 12, 8, 24);  /* would be the next one's first input */
    put_line(3, INT, 0, 1, 12, 10, 16); /* beyond the last one's */
    put_line(3, SMI, 0, 1, 13, 8, 13);
    put_line(3, NMI, 5, 1, 0, 10, 15);
    put_line(4, EXTINT, 0, 1, 0, 0xff, 0);
    put_line(4, NMI, 5, 1, 0, 0xff, 1);
    put_line(4, NMI, 0, 1, 0, 6, 0);
    set_length(used);
}

static void assert_sane(void)
{
    assert_true(info.cpu_count <= MADT_CPUS_MAX);
    assert_true(info.ioapic_count <= MADT_IOAPICS_MAX);
    assert_true(info.override_count <= MADT_OVERRIDES_MAX);
    assert_true(info.nmi_source_count <= MADT_NMI_SOURCES_MAX);
    assert_true(info.local_nmi_count <= MADT_LOCAL_NMIS_MAX);
    for (size_t i = 0; i < info.cpu_count; i++) {
        assert_true(info.cpus[i].apic_id < 0xff && info.cpus[i].uid == info.cpus[i].apic_id);
        for (size_t k = 0; k < i; k++)
            assert_true(info.cpus[i].apic_id != info.cpus[k].apic_id);
    }
    for (size_t i = 0; i < info.override_count; i++)
        assert_true(info.overrides[i].isa_irq < MADT_ISA_IRQS && info.overrides[i].bus == 0);
}

static void test_sample(void **state)
{
    (void)state;
    build_sample();
    assert_int_equal(collect(used), 0);
    assert_sane();
    assert_int_equal(info.bad_offset, 0);
    assert_int_equal(info.lapic_address, 0xfee00000);
    assert_true(info.pcat_compat);
    assert_int_equal(info.cpu_count, 3);
    static const uint32_t ids[] = {6, 0, 2}, flags[] = {1, 0, 1};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(info.cpus[i].apic_id, ids[i]);
        assert_int_equal(info.cpus[i].uid, ids[i]);
        assert_int_equal(info.cpus[i].flags, flags[i]);
    }
    assert_int_equal(info.ioapic_count, 2);
    assert_int_equal(info.ioapics[0].id, 8);
    assert_int_equal(info.ioapics[0].gsi_base, 0);
    assert_int_equal(info.ioapics[0].address, 0xfec00000);
    assert_int_equal(info.ioapics[1].id, 10);
    assert_int_equal(info.ioapics[1].gsi_base, 24);
    assert_int_equal(info.ioapics[1].address, 0xfec10000);
    assert_int_equal(info.override_count, 4);
    assert_int_equal(info.nmi_source_count, 1);
    assert_int_equal(info.nmi_sources[0].gsi, 24 + 15);
    assert_int_equal(info.nmi_sources[0].flags, 5);
    assert_int_equal(info.local_nmi_count, 2);
    assert_int_equal(info.local_nmis[0].uid, MADT_UID_ALL);
    assert_int_equal(info.local_nmis[0].flags, 5);
    assert_int_equal(info.local_nmis[0].lint, 1);
    assert_int_equal(info.local_nmis[1].uid, 6);
    assert_int_equal(info.local_nmis[1].lint, 0);
}

static void assert_route(uint8_t irq, uint32_t gsi, bool level, bool low)
{
    struct madt_route route;
    assert_int_equal(madt_route(&info, irq, &route), 0);
    assert_int_equal(route.gsi, gsi);
    assert_int_equal(route.level, level);
    assert_int_equal(route.active_low, low);
}

static void test_routes(void **state)
{
    (void)state;
    build_sample();
    assert_int_equal(collect(used), 0);
    assert_route(0, 2, false, false);
    assert_route(4, 4, false, false);
    assert_route(9, 9, true, false);
    assert_route(10, 24 + 3, true, true);
    assert_route(11, 20, false, false); /* "all I/O APICs": the first has that input */
    assert_route(12, 12, false, false);
}

/* Lines before the parts that they join: against the book, and read all the same. */
static void test_any_order(void **state)
{
    (void)state;
    begin();
    put_line(3, INT, 0xf, 3, 5, 4, 21);
    put_line(4, NMI, 0, 3, 0, 0xff, 1);
    put_ioapic(4, ENABLED, 0xfec00000);
    put_bus(3, "ISA   ");
    put_cpu(1, ENABLED | BOOT);
    set_length(used);
    assert_int_equal(collect(used), 0);
    assert_int_equal(info.cpu_count, 1);
    assert_int_equal(info.local_nmi_count, 1);
    assert_route(5, 21, true, true);
}

static void test_ioapics(void **state)
{
    (void)state;
    begin();
    put_bus(0, "ISA   ");
    put_ioapic(1, ENABLED, 0xfec20000);
    put_ioapic(2, ENABLED, 0xdead0000); /* nobody answers: no gsis, but ioapic.c is to say so */
    put_ioapic(2, ENABLED, 0xfec10000); /* the same id again: lines mean the first */
    put_ioapic(3, ENABLED, 0xfec00000);
    put_line(3, INT, 0, 0, 3, 1, 3);
    put_line(3, INT, 0, 0, 4, 2, 0);
    put_line(3, INT, 0, 0, 5, 3, 23);
    set_length(used);
    assert_int_equal(collect(used), 0);
    static const uint32_t bases[] = {0, 4, 4, 20};
    assert_int_equal(info.ioapic_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(info.ioapics[i].gsi_base, bases[i]);
    assert_int_equal(info.override_count, 2);
    assert_route(3, 3, false, false);
    assert_route(5, 43, false, false);

    /* one that does not fit lends no inputs to the last one that does */
    begin();
    put_bus(0, "ISA   ");
    for (uint8_t i = 0; i < MADT_IOAPICS_MAX + 1; i++)
        put_ioapic(i, ENABLED, 0xfec00000);
    put_line(3, INT, 0, 0, 3, MADT_IOAPICS_MAX - 1, 23);
    put_line(3, INT, 0, 0, 4, MADT_IOAPICS_MAX - 1, 24);
    set_length(used);
    assert_int_equal(collect(used), 0);
    assert_int_equal(info.override_count, 1);
    assert_route(3, MADT_IOAPICS_MAX * 24 - 1, false, false);
}

static void test_hundreds(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 300; i++)
        put_cpu((uint8_t)(i * 7), i < 256 ? ENABLED : 0); /* each of 256 ids, some twice */
    for (unsigned i = 0; i < 300; i++)
        put_bus((uint8_t)i, "ISA   ");
    for (unsigned i = 0; i < 300; i++)
        put_ioapic((uint8_t)i, ENABLED, 0xfec00000);
    for (unsigned i = 0; i < 300; i++)
        put_line(3, INT, 0, (uint8_t)i, i % 16, 0, i % 24);
    for (unsigned i = 0; i < 300; i++)
        put_line(3, NMI, 0, 0, 0, 0, 3);
    for (unsigned i = 0; i < 300; i++)
        put_line(4, NMI, 0, 0, 0, (uint8_t)i, 1);
    set_length(used);
    assert_int_equal(collect(used), 0);
    assert_sane();
    assert_int_equal(info.cpu_count, 255); /* 0xff is no core's id */
    assert_int_equal(info.cpus_dropped, 0);
    for (size_t i = 0; i < info.cpu_count; i++)
        assert_int_equal(info.cpus[i].flags, ENABLED);
    assert_int_equal(info.ioapics_dropped, 300 - MADT_IOAPICS_MAX);
    assert_int_equal(info.ioapics[MADT_IOAPICS_MAX - 1].gsi_base, (MADT_IOAPICS_MAX - 1) * 24);
    assert_int_equal(info.overrides_dropped, 300 - MADT_OVERRIDES_MAX);
    assert_int_equal(info.nmi_sources_dropped, 300 - MADT_NMI_SOURCES_MAX);
    assert_int_equal(info.local_nmis_dropped, 300 - MADT_LOCAL_NMIS_MAX);

    /* the longest that a length of 16 bits can say */
    begin();
    for (unsigned i = 0; i < (65535 - 44) / 20; i++)
        put_cpu((uint8_t)(i % 200), ENABLED);
    size_t whole = used;
    used = 65535;
    set_length(used);
    assert_int_equal(collect(used), -EINVAL); /* the rest is no entry */
    assert_int_equal(info.bad_offset, whole);
    assert_int_equal(info.cpu_count, 200);
}

static void test_bad_entries(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        begin();
        put_cpu(5, ENABLED);
        size_t bad = used;
        put8((uint8_t)type);
        used += (type == 0 ? 20 : 8) - 1;
        put_cpu(6, ENABLED);
        set_length(used);
        int result = collect(used);
        if (type < 5) {
            assert_int_equal(result, 0);
            assert_int_equal(info.cpus[info.cpu_count - 1].apic_id, 6);
            continue;
        }
        assert_int_equal(result, -EINVAL);
        assert_int_equal(info.bad_offset, bad);
        assert_int_equal(info.cpu_count, 1);
    }
}

/* The header's count of entries, whatever it says, changes nothing. */
static void test_count_lies(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 0x10000; count += 0x1111) {
        build_sample();
        memcpy(table + 34, &count, 2);
        set_length(used);
        assert_int_equal(collect(used), 0);
        assert_int_equal(info.cpu_count, 3);
    }
}

static void test_every_length(void **state)
{
    (void)state;
    build_sample();
    size_t full = used;
    for (size_t length = 0; length < full; length++) {
        assert_int_equal(collect(length), -EINVAL); /* the table says it is longer */
        assert_int_equal(info.cpu_count, 0);
    }
    for (size_t length = 0; length < full; length++) {
        build_sample();
        set_length(length < 8 ? 8 : length); /* the seal needs its place */
        memcpy(table + 4, &(uint16_t){(uint16_t)length}, 2);
        if (length >= 44)
            set_length(length);
        int result = collect(full);
        assert_sane();
        assert_int_equal(result == 0, length >= 44 && info.bad_offset == 0);
        assert_true(info.bad_offset <= length);
    }
    build_sample();
    table[60] ^= 1;
    assert_int_equal(collect(used), -EIO);
    assert_int_equal(info.cpu_count, 0);
    build_sample();
    table[0] = 'X';
    seal(table, used, 7);
    assert_int_equal(collect(used), -EINVAL);
}

static void test_random_damage(void **state)
{
    uint64_t seed = 8;

    (void)state;
    for (int round = 0; round < 40000; round++) {
        build_sample();
        size_t full = used;
        damage(table + 44, used - 44, &seed);
        if (round % 8 == 0)
            damage(table, used, &seed);
        if (round % 16 != 0)
            seal(table, full, 7);
        int result = collect(full);
        assert_sane();
        assert_true(result == 0 || result == -EINVAL || result == -EIO);
        assert_true(info.bad_offset < full);
        assert_true(result != 0 || info.bad_offset == 0);
    }
}

/* ---- the floating pointer -------------------------------------------------------------------- */

static void build_pointer(uint8_t *at, uint32_t pa, uint8_t config, uint8_t features)
{
    memset(at, 0, 16);
    memcpy(at, "_MP_", 4);
    memcpy(at + 4, &pa, sizeof(pa));
    at[8] = 1;
    at[9] = 4;
    at[11] = config;
    at[12] = features;
    seal(at, 16, 10);
}

static int find(const uint8_t *area, size_t length, struct mptable_pointer *out)
{
    uint8_t *copy = exact_copy(area, length);
    int result = mptable_find_pointer(copy, length, out);
    free(copy);
    return result;
}

static void test_pointer(void **state)
{
    static uint8_t area[1024];
    struct mptable_pointer pointer;

    (void)state;
    assert_int_equal(find(area, sizeof(area), &pointer), -ENOENT);
    for (size_t at = 0; at < sizeof(area); at++) {
        memset(area, 0, sizeof(area));
        if (at + 16 > sizeof(area))
            continue;
        build_pointer(area + at, 0xf1234, 0, 0);
        assert_int_equal(find(area, sizeof(area), &pointer), at % 16 == 0 ? 0 : -ENOENT);
        if (at % 16 == 0) {
            assert_int_equal(pointer.table, 0xf1234);
            assert_int_equal(pointer.default_config, 0);
            assert_false(pointer.imcr);
        }
        for (size_t length = 0; length < at + 16; length += 3)
            assert_int_equal(find(area, length, &pointer), -ENOENT);
    }
}

static void test_pointer_passed_over(void **state)
{
    uint8_t area[64];
    struct mptable_pointer pointer = {0};

    (void)state;
    static const struct {
        uint32_t pa;
        uint8_t config, length;
    } bad[] = {{0, 0, 1}, {0xf0000, 8, 1}, {0, 255, 1}, {0xf0000, 0, 0}, {0xf0000, 0, 255}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(area, 0, sizeof(area));
        build_pointer(area, bad[i].pa, bad[i].config, 0);
        area[8] = bad[i].length;
        seal(area, 16, 10);
        assert_int_equal(find(area, sizeof(area), &pointer), -ENOENT);
        build_pointer(area + 48, 0, 5, 0x80); /* the next one counts */
        assert_int_equal(find(area, sizeof(area), &pointer), 0);
        assert_int_equal(pointer.default_config, 5);
        assert_true(pointer.imcr);
    }
    for (size_t i = 0; i < 16; i++) { /* any byte wrong */
        memset(area, 0, sizeof(area));
        build_pointer(area, 0xf0000, 0, 0);
        area[i] ^= 0x10;
        assert_int_equal(find(area, sizeof(area), &pointer), -ENOENT);
    }
    /* longer than the part that we know, all of it under the checksum */
    memset(area, 0x11, sizeof(area));
    build_pointer(area, 0xf0000, 0, 0x7f);
    area[8] = 2;
    seal(area, 32, 10);
    assert_int_equal(find(area, 32, &pointer), 0);
    assert_false(pointer.imcr);
    assert_int_equal(find(area, 31, &pointer), -ENOENT);
}

static void test_places(void **state)
{
    static const struct {
        uint16_t ebda, base_kib;
        size_t count;
        paddr_t first;
    } cases[] = {
        {0x9fc0, 639, 3, 0x9fc00}, {0, 640, 2, 0x9fc00}, {0, 0, 1, 0xf0000},
        {0, 641, 1, 0xf0000},      {0, 1, 2, 0},         {0xffff, 0xffff, 1, 0xf0000},
        {0x1, 512, 3, 0x10},
    };
    struct mptable_place places[MPTABLE_PLACES];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bda[MPTABLE_BDA_BYTES] = {0};
        memcpy(bda + 0x40e, &cases[i].ebda, 2);
        memcpy(bda + 0x413, &cases[i].base_kib, 2);
        uint8_t *copy = exact_copy(bda, sizeof(bda));
        size_t count = mptable_places(copy, places);
        free(copy);
        assert_int_equal(count, cases[i].count);
        assert_int_equal(places[0].start, cases[i].first);
        assert_int_equal(places[count - 1].start, 0xf0000);
        assert_int_equal(places[count - 1].bytes, 0x10000);
        for (size_t k = 0; k < count; k++)
            assert_true(places[k].start + places[k].bytes <= 0x100000);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    for (unsigned config = 0; config < 256; config++) {
        memset(&info, 0xa5, sizeof(info));
        bool known = config >= 1 && config <= 7;
        assert_int_equal(mptable_default((uint8_t)config, &info), known ? 0 : -EINVAL);
        assert_int_equal(info.cpu_count, known ? 2 : 0);
        assert_int_equal(info.ioapic_count, known ? 1 : 0);
        assert_int_equal(info.local_nmi_count, known ? 1 : 0);
        if (!known)
            continue;
        assert_sane();
        assert_int_equal(info.cpus[0].apic_id, 0);
        assert_int_equal(info.cpus[1].apic_id, 1);
        assert_int_equal(info.cpus[1].flags, MADT_CPU_ENABLED);
        assert_int_equal(info.ioapics[0].address, 0xfec00000);
        assert_int_equal(info.local_nmis[0].uid, MADT_UID_ALL);
        assert_int_equal(info.local_nmis[0].lint, 1);
        assert_route(0, 2, false, false);
        assert_route(4, 4, false, false);
    }
}

/* ---- the lines of PCI ------------------------------------------------------------------------ */

static struct mptable_pci pci;

static int collect_pci(size_t length)
{
    uint8_t *copy = exact_copy(table, length);
    memset(&pci, 0xa5, sizeof(pci));
    int result = mptable_collect_pci(copy, length, inputs, &info, &pci);
    free(copy);
    return result;
}

/* A MADT's view: the same I/O APICs, with ids of its own. */
static void take_madt_ioapics(void)
{
    memset(&info, 0, sizeof(info));
    info.ioapics[0] = (struct madt_ioapic){.id = 3, .address = 0xfec00000, .gsi_base = 0};
    info.ioapics[1] = (struct madt_ioapic){.id = 4, .address = 0xfec10000, .gsi_base = 24};
    info.ioapic_count = 2;
}

static void build_pci(void)
{
    begin();
    put_bus(0, "PCI   ");
    put_bus(3, "PCI   ");
    put_bus(5, "ISA   ");
    put_ioapic(8, ENABLED, 0xfec00000);
    put_ioapic(9, ENABLED, 0xfec10000);
    put_ioapic(10, 0, 0xfec00000);
    put_ioapic(11, ENABLED, 0xfec20000);
    put_line(3, INT, 1, 0, 3 << 2 | 0, 8, 11);     /* active high, as SeaBIOS says */
    put_line(3, INT, 0, 3, 31 << 2 | 3, 9, 15);    /* as PCI has it: active low */
    put_line(3, INT, 7, 0, 4 << 2 | 1, 8, 7);      /* low, and by edges */
    put_line(3, INT, 0, 5, 6 << 2, 8, 5);          /* ISA's */
    put_line(3, NMI, 0, 0, 7 << 2, 8, 5);          /* no interrupt */
    put_line(3, INT, 0, 0, 8 << 2, 9, 16);         /* beyond the last input */
    put_line(3, INT, 0, 0, 9 << 2, 10, 3);         /* an I/O APIC that is disabled */
    put_line(3, INT, 0, 0, 10 << 2, 11, 3);        /* one that the MADT does not name */
    put_line(3, INT, 0, 0, 11 << 2, 12, 3);        /* one that is nowhere */
    put_line(3, INT, 0, 0, 3 << 2 | 0, 8, 10);     /* the first line for a pin holds */
    put_line(3, INT, 0, 0, 0x80 | 12 << 2, 8, 12); /* the reserved bit means nothing */
    set_length(used);
    take_madt_ioapics();
}

static void assert_pci_line(unsigned bus, unsigned slot, unsigned pin, uint32_t gsi, bool level,
                            bool low)
{
    struct mptable_pci_line line;
    assert_int_equal(mptable_pci_route(&pci, (uint8_t)bus, (uint8_t)slot, (uint8_t)pin, &line), 0);
    assert_int_equal(line.gsi, gsi);
    assert_int_equal(line.level, level);
    assert_int_equal(line.active_low, low);
}

static void test_pci_lines(void **state)
{
    struct mptable_pci_line line;
    (void)state;
    build_pci();
    assert_int_equal(collect_pci(used), 0);
    assert_int_equal(pci.count, 4);
    assert_pci_line(0, 3, 1, 11, true, false);
    assert_pci_line(3, 31, 4, 39, true, true);
    assert_pci_line(0, 4, 2, 7, false, true);
    assert_pci_line(0, 12, 1, 12, true, true);
    for (unsigned slot = 5; slot < 12; slot++)
        assert_int_equal(mptable_pci_route(&pci, 0, (uint8_t)slot, 1, &line), -ENOENT);
    assert_int_equal(mptable_pci_route(&pci, 0, 3, 2, &line), -ENOENT);
    assert_int_equal(mptable_pci_route(&pci, 5, 6, 1, &line), -ENODEV);
    assert_int_equal(mptable_pci_route(&pci, 1, 0, 1, &line), -ENODEV);
}

/* Lines before the parts that they name, and the MP table's own view of the I/O APICs. */
static void test_pci_lines_first(void **state)
{
    (void)state;
    begin();
    put_line(3, INT, 0, 2, 3 << 2, 0xff, 4);
    put_ioapic(9, ENABLED, 0xfec20000);
    put_ioapic(8, ENABLED, 0xfec10000);
    put_line(3, INT, 0, 2, 4 << 2, 8, 4);
    put_bus(2, "PCI   ");
    set_length(used);
    assert_int_equal(collect(used), 0);
    assert_int_equal(collect_pci(used), 0);
    assert_int_equal(pci.count, 1); /* input 4 of the first one is not there */
    assert_pci_line(2, 4, 1, 8, true, true);
}

static void test_pci_hundreds(void **state)
{
    (void)state;
    begin();
    put_ioapic(8, ENABLED, 0xfec00000);
    for (unsigned bus = 0; bus < 5; bus++) {
        put_bus((uint8_t)bus, "PCI   ");
        for (unsigned source = 0; source < 128; source++)
            put_line(3, INT, 0, (uint8_t)bus, (uint8_t)source, 8, (uint8_t)(source % 24));
    }
    set_length(used);
    take_madt_ioapics();
    assert_int_equal(collect_pci(used), 0);
    assert_int_equal(pci.count, MPTABLE_PCI_LINES_MAX);
    assert_int_equal(pci.dropped, 5 * 128 - MPTABLE_PCI_LINES_MAX);
}

static void test_pci_bad_tables(void **state)
{
    (void)state;
    build_pci();
    table[7] ^= 1;
    assert_int_equal(collect_pci(used), -EIO);
    assert_int_equal(pci.count, 0);
    build_pci();
    for (size_t length = 0; length < used; length++)
        assert_int_equal(collect_pci(length), -EINVAL);
    size_t whole = used;
    put8(0x77);
    set_length(used);
    assert_int_equal(collect_pci(used), -EINVAL);
    assert_int_equal(pci.count, 4); /* what came before the bad entry */
    set_length(whole);
}

static void test_pci_random_damage(void **state)
{
    uint64_t seed = 0x2545f4914f6cdd1d;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        build_pci();
        damage(table + MPTABLE_HEADER_BYTES, used - MPTABLE_HEADER_BYTES, &seed);
        set_length(used);
        int error = collect_pci(used);
        assert_true(error == 0 || error == -EINVAL);
        for (size_t i = 0; i < pci.count; i++) {
            assert_in_range(pci.lines[i].gsi, 0, 39);
            assert_in_range(pci.lines[i].pin, 1, 4);
            assert_in_range(pci.lines[i].slot, 0, 31);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),          cmocka_unit_test(test_routes),
        cmocka_unit_test(test_any_order),       cmocka_unit_test(test_ioapics),
        cmocka_unit_test(test_hundreds),        cmocka_unit_test(test_bad_entries),
        cmocka_unit_test(test_count_lies),      cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_random_damage),   cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_places),          cmocka_unit_test(test_pointer_passed_over),
        cmocka_unit_test(test_defaults),        cmocka_unit_test(test_pci_lines),
        cmocka_unit_test(test_pci_lines_first), cmocka_unit_test(test_pci_hundreds),
        cmocka_unit_test(test_pci_bad_tables),  cmocka_unit_test(test_pci_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
