// SPDX-License-Identifier: MIT
/* links: src/drivers/pci_msi.c */
/*
 * What is written into a device to have it send messages, and in which order: a model of the
 * registers that complains of what a device must never see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/pci.h"
#include "drivers/pci_internal.h"

enum { CAPABILITY = 0x50, TABLE_ADDRESS = 0x1000 };

static uint8_t config[PCI_CONFIG_BYTES];
static unsigned config_writes;
static bool has_msi, has_msix;
static uint32_t table[8 * 4];
static uint64_t mapped_at;
static size_t mapped_bytes;
static struct pci_device dev;
static struct pci_irqs irqs;
static struct pci_message message;
static const char *why;

uint8_t pci_find_capability(const struct pci_device *device, uint8_t id)
{
    (void)device;
    return (id == PCI_CAP_MSI && has_msi) || (id == PCI_CAP_MSIX && has_msix) ? CAPABILITY : 0;
}

uint16_t pci_read16(const struct pci_device *device, unsigned offset)
{
    uint16_t value;
    (void)device;
    memcpy(&value, config + offset, sizeof(value));
    return value;
}

uint32_t pci_read32(const struct pci_device *device, unsigned offset)
{
    uint32_t value;
    (void)device;
    memcpy(&value, config + offset, sizeof(value));
    return value;
}

void pci_write16(const struct pci_device *device, unsigned offset, uint16_t value)
{
    (void)device;
    config_writes++;
    memcpy(config + offset, &value, sizeof(value));
}

void pci_write32(const struct pci_device *device, unsigned offset, uint32_t value)
{
    (void)device;
    config_writes++;
    memcpy(config + offset, &value, sizeof(value));
}

void pci_let_through(const struct pci_device *device, uint16_t command)
{
    (void)device;
    assert_int_equal(command, PCI_COMMAND_MEMORY);
}

void *arch_map_device(paddr_t pa, size_t bytes)
{
    mapped_at = pa;
    mapped_bytes = bytes;
    return table;
}

static int begin(void **state)
{
    (void)state;
    memset(config, 0, sizeof(config));
    memset(table, 0, sizeof(table));
    has_msi = has_msix = false;
    dev = (struct pci_device){0};
    dev.bars[3] = (struct pci_bar){.kind = PCI_BAR_MEMORY, .address = 0xfebd0000, .bytes = 0x4000};
    irqs = (struct pci_irqs){.dev = &dev};
    message = (struct pci_message){.of = &irqs};
    mapped_bytes = 0;
    why = NULL;
    return 0;
}

static void put16(unsigned offset, uint16_t value)
{
    memcpy(config + offset, &value, sizeof(value));
}

static void put32(unsigned offset, uint32_t value)
{
    memcpy(config + offset, &value, sizeof(value));
}

/* ---- MSI ------------------------------------------------------------------------------------- */

static void test_no_capability(void **state)
{
    (void)state;
    assert_null(pci_msi_begin(&irqs, &why));
    assert_non_null(why);
    why = NULL;
    assert_int_equal(pci_msix_begin(&irqs, &why), 0);
    assert_non_null(why);
}

/* `data_at` is where the layout has its data; the words beside it stay. */
static void check_msi(uint16_t control, unsigned data_at, const struct irq_msi_ops *expected)
{
    begin(NULL);
    has_msi = true;
    put16(CAPABILITY + 2, control | 0x21); /* on, for four messages, as a firmware may leave it */
    put16(CAPABILITY + data_at + 2, 0xabcd);
    const struct irq_msi_ops *ops = pci_msi_begin(&irqs, &why);
    assert_ptr_equal(ops, expected);
    assert_int_equal(pci_read16(&dev, CAPABILITY + 2), control); /* off until there is an address */

    ops->write(&message, 0xfee01000, 0x41);
    assert_int_equal(pci_read32(&dev, CAPABILITY + 4), 0xfee01000);
    assert_int_equal(pci_read16(&dev, CAPABILITY + data_at), 0x41);
    assert_int_equal(pci_read16(&dev, CAPABILITY + data_at + 2), 0xabcd);
    assert_int_equal(pci_read16(&dev, CAPABILITY + 2), control | 1);
    pci_msi_end(&irqs);
    assert_int_equal(pci_read16(&dev, CAPABILITY + 2), control);
}

static void test_msi_layouts(void **state)
{
    (void)state;
    check_msi(0x0000, 8, &pci_msi_ops_no_mask);
    check_msi(0x0080, 12, &pci_msi_ops_no_mask);
    check_msi(0x0100, 8, &pci_msi_ops);
    check_msi(0x0180, 12, &pci_msi_ops);
}

/* A device that may send at any moment sees one register change, in one write. */
static void test_msi_changes_one_register(void **state)
{
    (void)state;
    has_msi = true;
    const struct irq_msi_ops *ops = pci_msi_begin(&irqs, &why);
    ops->write(&message, 0xfee01000, 0x41);
    config_writes = 0;
    ops->write(&message, 0xfee01000, 0x42);
    assert_int_equal(config_writes, 1);
    assert_int_equal(pci_read16(&dev, CAPABILITY + 8), 0x42);
    ops->write(&message, 0xfee02000, 0x42);
    assert_int_equal(config_writes, 2);
    assert_int_equal(pci_read32(&dev, CAPABILITY + 4), 0xfee02000);
    ops->write(&message, 0xfee02000, 0x42);
    assert_int_equal(config_writes, 2);
}

static void test_msi_mask(void **state)
{
    (void)state;
    has_msi = true;
    put16(CAPABILITY + 2, 0x180);
    const struct irq_msi_ops *ops = pci_msi_begin(&irqs, &why);
    assert_int_equal(pci_read32(&dev, CAPABILITY + 16), UINT32_MAX); /* behind the wide data */
    ops->mask(&message, false);
    assert_int_equal(pci_read32(&dev, CAPABILITY + 16), UINT32_MAX - 1);
    ops->mask(&message, true);
    assert_int_equal(pci_read32(&dev, CAPABILITY + 16), UINT32_MAX);
}

/* ---- MSI-X ----------------------------------------------------------------------------------- */

static void put_msix(uint16_t control, uint32_t place)
{
    has_msix = true;
    put16(CAPABILITY + 2, control);
    put32(CAPABILITY + 4, place);
}

static void test_msix(void **state)
{
    (void)state;
    put_msix(0x0004, TABLE_ADDRESS | 3);
    assert_int_equal(pci_msix_begin(&irqs, &why), 5);
    assert_int_equal(mapped_at, 0xfebd1000);
    assert_int_equal(mapped_bytes, 5 * 16);
    assert_int_equal(pci_read16(&dev, CAPABILITY + 2), 0x8004);
    for (unsigned entry = 0; entry < 8; entry++)
        assert_int_equal(table[entry * 4 + 3], entry < 5); /* masked, and not one beyond */

    message.entry = 2;
    table[2 * 4 + 3] = 0xf0; /* open, with bits that are reserved and stay */
    pci_msix_ops.write(&message, UINT64_C(0x1fee03000), 0x43);
    assert_int_equal(table[8], 0xfee03000);
    assert_int_equal(table[9], 1);
    assert_int_equal(table[10], 0x43);
    assert_int_equal(table[11], 0xf0);
    pci_msix_ops.mask(&message, true);
    assert_int_equal(table[11], 0xf1);
    pci_msix_ops.write(&message, 0xfee03000, 0x44);
    assert_int_equal(table[11], 0xf1);
    pci_msix_ops.mask(&message, false);
    assert_int_equal(table[11], 0xf0);
    pci_msix_end(&irqs);
    assert_int_equal(pci_read16(&dev, CAPABILITY + 2), 0x0004);
}

/* A table that cannot be: no such BAR, beyond its end, in ports, without address. */
static void test_msix_tables_that_cannot_be(void **state)
{
    static const struct {
        uint16_t control;
        uint32_t place;
        enum pci_bar_kind kind;
    } bad[] = {
        {4, 0x1000 | 7, PCI_BAR_MEMORY},       {4, 0x1000 | 2, PCI_BAR_MEMORY},
        {4, 0x3fc0 | 3, PCI_BAR_MEMORY},       {0x7ff, 0x0 | 3, PCI_BAR_MEMORY},
        {4, 0xfffffff8 | 3, PCI_BAR_MEMORY64}, {4, 0x1000 | 3, PCI_BAR_IO},
        {4, 0x1000 | 3, PCI_BAR_UNASSIGNED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin(NULL);
        put_msix(bad[i].control, bad[i].place);
        dev.bars[3].kind = bad[i].kind;
        assert_int_equal(pci_msix_begin(&irqs, &why), 0);
        assert_non_null(why);
        assert_int_equal(mapped_bytes, 0);
        assert_int_equal(pci_read16(&dev, CAPABILITY + 2), bad[i].control);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_no_capability, begin),
        cmocka_unit_test_setup(test_msi_layouts, begin),
        cmocka_unit_test_setup(test_msi_changes_one_register, begin),
        cmocka_unit_test_setup(test_msi_mask, begin),
        cmocka_unit_test_setup(test_msix, begin),
        cmocka_unit_test_setup(test_msix_tables_that_cannot_be, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
