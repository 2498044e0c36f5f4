// SPDX-License-Identifier: MIT
/* links: src/drivers/pci_intx.c */
/*
 * Where a line arrives: machines whose tables, registers and line registers agree, and such where
 * they do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/pci.h"
#include "drivers/pci_internal.h"
#include "lib/errno.h"

static struct pci_device dev, router, bridge, port;
static uint8_t router_config[PCI_CONFIG_BYTES];
static uint8_t routes[0x1000];
static uint16_t elcr;
static struct pci_route route;
static const char *why;

/* The MP table: one line, and a bus of which it names others than are asked for (0: none). */
static struct {
    bool present;
    uint8_t bus, slot, pin, other_bus;
    struct arch_line line;
} mp;

int arch_pci_line(uint8_t bus, uint8_t slot, uint8_t pin, struct arch_line *line)
{
    if (bus != 0 && bus == mp.other_bus)
        return -ENOENT;
    if (!mp.present || bus != mp.bus)
        return -ENODEV;
    *line = mp.line;
    return slot == mp.slot && pin == mp.pin ? 0 : -ENOENT;
}

/* As QEMU's MADT has it: 5, 9, 10 and 11 by level, active high; 11 is elsewhere here. */
int arch_line_of_isa(uint8_t isa_irq, struct arch_line *line)
{
    bool level = isa_irq == 5 || (isa_irq >= 9 && isa_irq <= 11);
    *line = (struct arch_line){.gsi = isa_irq == 11 ? 19 : isa_irq, .level = level};
    return isa_irq == 15 ? -ENODEV : 0;
}

int pci_for_each(int (*fn)(struct pci_device *at, void *arg), void *arg)
{
    struct pci_device other = {.vendor_id = 0x8086, .device_id = 0x1237, .class_code = 0x060000};
    int result = fn(&other, arg);
    return result != 0 ? result : fn(&router, arg);
}

uint8_t pci_read8(const struct pci_device *at, unsigned offset)
{
    assert_ptr_equal(at, &router);
    return router_config[offset];
}

uint32_t pci_read32(const struct pci_device *at, unsigned offset)
{
    uint32_t value;
    assert_ptr_equal(at, &router);
    memcpy(&value, router_config + offset, sizeof(value));
    return value;
}

void *arch_map_device(paddr_t pa, size_t bytes)
{
    assert_int_equal(pa, 0xfed1f000);
    assert_int_equal(bytes, sizeof(routes));
    return routes;
}

uint8_t io_in8(uint16_t port_number)
{
    assert_in_range(port_number, 0x4d0, 0x4d1);
    return (uint8_t)(elcr >> 8 * (port_number - 0x4d0));
}

static int begin(void **state)
{
    (void)state;
    bridge = (struct pci_device){.bus = 0, .slot = 4};
    port = (struct pci_device){.bus = 1, .slot = 1, .bridge = &bridge};
    dev = (struct pci_device){.slot = 3, .pin = 1, .line = 10};
    memset(&router, 0, sizeof(router));
    memset(router_config, 0x80, sizeof(router_config));
    memset(routes, 0, sizeof(routes));
    memset(&mp, 0, sizeof(mp));
    elcr = 1 << 10 | 1 << 11;
    why = NULL;
    return 0;
}

static void assert_route(uint32_t gsi, bool active_low)
{
    memset(&route, 0xa5, sizeof(route));
    assert_int_equal(pci_intx_route(&dev, &route, &why), 0);
    assert_int_equal(route.gsi, gsi);
    assert_int_equal(route.active_low, active_low);
    assert_non_null(route.source);
}

static void assert_refused(const char *words)
{
    why = NULL;
    assert_int_equal(pci_intx_route(&dev, &route, &why), -ENODEV);
    assert_non_null(why);
    assert_non_null(strstr(why, words));
}

static void put_mp(uint8_t bus, uint8_t slot, uint8_t pin, uint32_t gsi)
{
    mp.present = true;
    mp.bus = bus;
    mp.slot = slot;
    mp.pin = pin;
    mp.line = (struct arch_line){.gsi = gsi, .level = true, .active_low = gsi >= 16};
}

static void put_router(uint16_t device_id)
{
    router =
        (struct pci_device){.vendor_id = 0x8086, .device_id = device_id, .class_code = 0x060100};
}

static void test_no_line(void **state)
{
    (void)state;
    put_mp(0, 3, 1, 10);
    assert_route(10, false);
    dev.pin = 0;
    assert_refused("no pin");
    dev.pin = 1;
    dev.line = 255;
    assert_refused("connected");
    dev.line = 0;
    assert_refused("connected");
    dev.line = 16;
    assert_refused("connected");
}

static void test_mp_table(void **state)
{
    (void)state;
    assert_refused("no MP table");
    put_mp(0, 3, 1, 11);
    assert_refused("disagree");
    put_mp(0, 3, 1, 17); /* a number that the line register cannot hold */
    assert_route(17, true);
    mp.line.level = false;
    assert_refused("edge");
    put_mp(0, 3, 2, 10); /* another pin of this slot */
    assert_refused("no MP table");
}

/* INTA# of slot 3 is INTD# of the bridge in slot 1, which is INTA# of the bridge in slot 4. */
static void test_bridges_turn_pins(void **state)
{
    (void)state;
    dev = (struct pci_device){.bus = 2, .slot = 3, .pin = 1, .line = 10, .bridge = &port};
    put_mp(0, 4, 1, 10);
    assert_route(10, false);
    dev.slot = 2; /* it is INTC#, then INTD# */
    assert_refused("no MP table");
    put_mp(0, 4, 4, 10);
    assert_route(10, false);
    put_mp(1, 1, 3, 10); /* the table names the bus in between */
    assert_route(10, false);
    mp.other_bus = 2; /* it names lines of this very bus, but not of this slot: no guess */
    assert_refused("no MP table");
}

static void test_piix(void **state)
{
    (void)state;
    put_router(0x7000);
    assert_refused("no MP table");
    router_config[0x62] = 10;
    assert_route(10, false);
    dev.line = 11;
    assert_refused("no MP table");
    router_config[0x60] = 11;
    assert_route(19, false); /* where the MADT puts it */
    router_config[0x60] = 0x80 | 11;
    assert_refused("no MP table");
    router_config[0x60] = 11;
    elcr = 0;
    assert_route(19, false); /* the MADT says level */
    dev.line = router_config[0x60] = 7;
    assert_refused("no MP table"); /* by edges, as both say */
    elcr = 1 << 7;
    assert_route(7, false);
    elcr = 1 << 15;
    dev.line = router_config[0x61] = 15; /* no I/O APIC has it */
    assert_refused("no MP table");
    router.vendor_id = 0x1234;
    dev.line = 10;
    elcr = 1 << 10;
    assert_refused("no MP table");
}

/* Where the two disagree the chipset's registers may still know. */
static void test_piix_against_mp_table(void **state)
{
    (void)state;
    put_router(0x7000);
    put_mp(0, 3, 1, 11);
    assert_refused("disagree");
    router_config[0x63] = 10;
    assert_route(10, false);
}

static void put32(unsigned offset, uint32_t value)
{
    memcpy(router_config + offset, &value, sizeof(value));
}

static void test_ich9(void **state)
{
    (void)state;
    put_router(0x2918);
    for (unsigned n = 0; n < 4; n++) {
        router_config[0x60 + n] = 10;
        router_config[0x68 + n] = 11;
    }
    dev.slot = 27;
    put32(0xf0, 0xfed1c000); /* not enabled */
    assert_refused("no MP table");
    put32(0xf0, 0xfed1c001);
    routes[0x148] = 0x10;
    routes[0x149] = 0x52; /* INTA# to D: PIRQ A, B, C, F */
    assert_route(16, true);
    dev.pin = 3;
    assert_route(18, true);
    dev.pin = 4;
    assert_refused("no MP table"); /* PIRQF goes to 11 */
    dev.line = 11;
    assert_route(21, true);
    router_config[0x69] = 0x8b;
    assert_refused("no MP table");
    for (dev.slot = 0; dev.slot < 25; dev.slot++)
        assert_refused("no MP table"); /* not the chipset's own */
    dev.slot = 30;
    assert_refused("no MP table");
    dev.slot = 27;
    dev.pin = 1;
    dev.line = 10;
    dev.bus = 1;
    assert_refused("no MP table");
}

static void test_ich9_registers(void **state)
{
    static const struct {
        uint8_t slot;
        unsigned at;
    } registers[] = {{25, 0x150}, {26, 0x14c}, {27, 0x148}, {28, 0x146}, {29, 0x144}, {31, 0x140}};
    (void)state;
    put_router(0x2918);
    put32(0xf0, 0xfed1c001);
    router_config[0x6a] = 10;
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        memset(routes, 0, sizeof(routes));
        routes[registers[i].at] = 6;
        dev.slot = registers[i].slot;
        assert_route(22, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_no_line, begin),
        cmocka_unit_test_setup(test_mp_table, begin),
        cmocka_unit_test_setup(test_bridges_turn_pins, begin),
        cmocka_unit_test_setup(test_piix, begin),
        cmocka_unit_test_setup(test_piix_against_mp_table, begin),
        cmocka_unit_test_setup(test_ich9, begin),
        cmocka_unit_test_setup(test_ich9_registers, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
