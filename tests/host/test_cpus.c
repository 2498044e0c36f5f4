// SPDX-License-Identifier: MIT
/* links: src/arch/x86_64/madt.c src/arch/x86_64/acpi_tables.c tests/host/fake/panic.c */
/* The numbering of cores: 0 is the core that runs, whatever the firmware calls it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/cpus.c"

struct acpi acpi;
static uint32_t own_id;

uint32_t lapic_id(void)
{
    return own_id;
}

/* A machine whose boot core has this id, without a word of the firmware yet. */
static void begin(uint32_t boot_id)
{
    memset(&acpi, 0, sizeof(acpi));
    memset(cpus, 0, sizeof(cpus));
    cpu_count = 1;
    cpus_listed = 1;
    own_id = boot_id;
    acpi.has_madt = true;
}

static void list(uint32_t apic_id, uint32_t flags)
{
    const struct madt_entry entry = {
        .type = MADT_LOCAL_X2APIC,
        .cpu = {.apic_id = apic_id, .uid = 1000 + apic_id, .flags = flags}};
    madt_add(&acpi.madt, &entry);
}

static void assert_ids(const uint32_t *ids, cpu_t count)
{
    assert_int_equal(arch_cpu_count(), count);
    for (cpu_t cpu = 0; cpu < count; cpu++) {
        assert_int_equal(cpus_apic_id(cpu), ids[cpu]);
        assert_int_equal(cpus_uid(cpu), 1000 + ids[cpu]);
        assert_int_equal(arch_cpu_hardware_id(cpu), ids[cpu]);
    }
}

/* Wherever the boot core stands in the table, it is 0 and the others keep their order. */
static void test_boot_core_anywhere(void **state)
{
    static const uint32_t ids[] = {0, 1, 4, 5, 9};
    enum { COUNT = sizeof(ids) / sizeof(ids[0]) };

    (void)state;
    for (size_t boot = 0; boot < COUNT; boot++) {
        uint32_t expected[COUNT] = {ids[boot]};
        size_t next = 1;
        begin(ids[boot]);
        for (size_t i = 0; i < COUNT; i++) {
            list(ids[i], MADT_CPU_ENABLED);
            if (i != boot)
                expected[next++] = ids[i];
        }
        cpus_init();
        assert_ids(expected, COUNT);
        assert_int_equal(arch_cpu_listed(), COUNT);
    }
}

/* The core that runs is there, though its entry be disabled or missing. */
static void test_boot_core_denied(void **state)
{
    (void)state;
    begin(3);
    list(0, MADT_CPU_ENABLED);
    list(3, 0);
    cpus_init();
    assert_ids((const uint32_t[]){3, 0}, 2);
    assert_int_equal(arch_cpu_listed(), 2);

    begin(3);
    list(0, MADT_CPU_ENABLED);
    list(7, MADT_CPU_ENABLED);
    cpus_init();
    assert_int_equal(arch_cpu_count(), 3);
    assert_int_equal(cpus_apic_id(0), 3);
    assert_int_equal(cpus_apic_id(1), 0);
    assert_int_equal(cpus_apic_id(2), 7);
}

static void test_for_later(void **state)
{
    (void)state;
    begin(2);
    acpi.madt.revision = 5;
    list(8, MADT_CPU_ONLINE_CAPABLE);
    list(0, 0);
    list(2, MADT_CPU_ENABLED);
    list(6, MADT_CPU_ENABLED | MADT_CPU_ONLINE_CAPABLE);
    list(4, MADT_CPU_ONLINE_CAPABLE);
    list(1, MADT_CPU_ENABLED);
    cpus_init();
    assert_ids((const uint32_t[]){2, 6, 1}, 3);
    assert_int_equal(arch_cpu_listed(), 3);
}

/* What decides between xAPIC and x2APIC: the highest id that will be started. */
static void test_highest_id(void **state)
{
    (void)state;
    begin(40);
    assert_int_equal(cpus_highest_listed_id(), 0);
    list(300, 0);
    list(9, MADT_CPU_ENABLED);
    list(254, MADT_CPU_ENABLED);
    list(40, MADT_CPU_ENABLED);
    assert_int_equal(cpus_highest_listed_id(), 254);
    acpi.madt.revision = 5;
    list(400, MADT_CPU_ONLINE_CAPABLE);
    assert_int_equal(cpus_highest_listed_id(), 254);
    list(0x10000, MADT_CPU_ENABLED);
    assert_int_equal(cpus_highest_listed_id(), 0x10000);
}

static void test_more_than_indices(void **state)
{
    (void)state;
    begin(2 * 500);
    for (uint32_t i = 0; i < 600; i++)
        list(2 * i, MADT_CPU_ENABLED);
    cpus_init();
    assert_int_equal(arch_cpu_count(), MAX_CPUS);
    assert_int_equal(arch_cpu_listed(), 600);
    assert_int_equal(cpus_apic_id(0), 1000); /* though it stands behind those that fit */
    assert_int_equal(cpus_uid(0), 2000);
    for (cpu_t cpu = 1; cpu < MAX_CPUS; cpu++)
        assert_int_equal(cpus_apic_id(cpu), 2 * (cpu - 1));
}

static void test_no_table(void **state)
{
    (void)state;
    begin(5);
    acpi.has_madt = false;
    cpus_init();
    assert_int_equal(arch_cpu_count(), 1);
    assert_int_equal(arch_cpu_listed(), 1);
    assert_int_equal(cpus_apic_id(0), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boot_core_anywhere), cmocka_unit_test(test_boot_core_denied),
        cmocka_unit_test(test_for_later),          cmocka_unit_test(test_more_than_indices),
        cmocka_unit_test(test_highest_id),         cmocka_unit_test(test_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
