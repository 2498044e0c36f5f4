// SPDX-License-Identifier: MIT
/* links: src/drivers/pci_config.c src/drivers/pci_bar.c src/drivers/pci_msi.c */
/* links: src/lib/spinlock.c src/lib/format.c */
/* links: tests/host/fake/memory.c tests/host/fake/panic.c */
/*
 * The walk over the buses against a model of configuration space: machines as they are, bridges
 * that lie, BARs of all kinds, and registers full of chance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86_64/io.h"
#include "drivers/pci.c" /* its list of devices is begun anew for each machine */
#include "fake_memory.h"
#include "hostile.h"
#include "lib/errno.h"

cpu_t cpu_count = 1;

/* ---- the model ------------------------------------------------------------------------------- */

struct function {
    bool present;
    uint8_t bytes[PCI_CONFIG_BYTES];
    uint8_t writable[PCI_CONFIG_BYTES];
    bool sized_while_decoding;
};

static struct function *space[PCI_BUSES][PCI_SLOTS][PCI_FUNCTIONS];
static uint32_t address_port;
static bool no_ports;
static unsigned long reads;
static char last_warning[256];
static unsigned warnings;
static unsigned command_writes;

static struct function *selected(void)
{
    if ((address_port & 0x80000000) == 0)
        return NULL;
    return space[address_port >> 16 & 0xff][address_port >> 11 & 31][address_port >> 8 & 7];
}

static uint32_t window_read(uint16_t port, unsigned bytes)
{
    uint32_t value = UINT32_MAX;
    assert_in_range(port, 0xcfc, 0xcff);
    assert_true(port % bytes == 0);
    reads++;
    struct function *function = selected();
    if (function != NULL && function->present)
        memcpy(&value, function->bytes + (address_port & 0xfc) + (port & 3), bytes);
    return value;
}

static void window_write(uint16_t port, unsigned bytes, uint32_t value)
{
    unsigned at = (address_port & 0xfc) + (port & 3);
    struct function *function = selected();
    assert_true(port % bytes == 0);
    if (function == NULL || !function->present)
        return;
    command_writes += at == PCI_COMMAND;
    if (at >= PCI_BAR0 && at < PCI_BAR0 + 24 && value == UINT32_MAX &&
        (function->bytes[PCI_COMMAND] & 3) != 0)
        function->sized_while_decoding = true;
    for (unsigned i = 0; i < bytes; i++) {
        uint8_t mask = function->writable[at + i];
        uint8_t byte = (uint8_t)(value >> 8 * i);
        function->bytes[at + i] = (uint8_t)((function->bytes[at + i] & ~mask) | (byte & mask));
    }
}

uint8_t io_in8(uint16_t port)
{
    return (uint8_t)window_read(port, 1);
}

uint16_t io_in16(uint16_t port)
{
    return (uint16_t)window_read(port, 2);
}

uint32_t io_in32(uint16_t port)
{
    if (port == 0xcf8)
        return no_ports ? UINT32_MAX : address_port;
    return window_read(port, 4);
}

void io_out8(uint16_t port, uint8_t value)
{
    window_write(port, 1, value);
}

void io_out16(uint16_t port, uint16_t value)
{
    window_write(port, 2, value);
}

void io_out32(uint16_t port, uint32_t value)
{
    if (port == 0xcf8)
        address_port = value;
    else
        window_write(port, 4, value);
}

void *arch_map_device(paddr_t pa, size_t bytes)
{
    return pa == 0xbad00000 ? NULL : (void *)(uintptr_t)(pa + 0 * bytes);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (level == LOG_WARNING) {
        warnings++;
        (void)vsnprintf(last_warning, sizeof(last_warning), fmt, ap);
    }
    va_end(ap);
}

/* ---- building machines ----------------------------------------------------------------------- */

static struct function *put(unsigned bus, unsigned slot, unsigned function, uint32_t ids,
                            uint32_t class)
{
    struct function *made = calloc(1, sizeof(*made));
    made->present = true;
    memcpy(made->bytes + PCI_VENDOR, &ids, 4);
    class <<= 8;
    memcpy(made->bytes + PCI_REVISION, &class, 4);
    memset(made->writable + PCI_COMMAND, 0xff, 2);
    free(space[bus][slot][function]);
    space[bus][slot][function] = made;
    return made;
}

static struct function *put_bridge(unsigned bus, unsigned slot, unsigned secondary, unsigned last)
{
    struct function *made = put(bus, slot, 0, 0x00011b36, 0x060400);
    made->bytes[PCI_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    made->bytes[PCI_SECONDARY_BUS] = (uint8_t)secondary;
    made->bytes[PCI_SUBORDINATE_BUS] = (uint8_t)last;
    return made;
}

/* A BAR that holds `value`, of which the bits of `mask` can be written. */
static void put_bar(struct function *function, unsigned n, uint32_t value, uint32_t mask)
{
    memcpy(function->bytes + PCI_BAR0 + 4 * n, &value, 4);
    memcpy(function->writable + PCI_BAR0 + 4 * n, &mask, 4);
}

static int begin(void **state)
{
    (void)state;
    for (unsigned bus = 0; bus < PCI_BUSES; bus++) {
        for (unsigned i = 0; i < PCI_SLOTS * PCI_FUNCTIONS; i++) {
            free(space[bus][i / PCI_FUNCTIONS][i % PCI_FUNCTIONS]);
            space[bus][i / PCI_FUNCTIONS][i % PCI_FUNCTIONS] = NULL;
        }
    }
    while (devices != NULL) {
        struct pci_device *next = devices->next;
        heap_free(devices);
        devices = next;
    }
    devices_end = &devices;
    device_count = lost_count = 0;
    memset(buses, 0, sizeof(buses));
    drivers = NULL;
    drivers_end = &drivers;
    no_ports = false;
    address_port = 0;
    reads = warnings = command_writes = 0;
    last_warning[0] = '\0';
    put(0, 0, 0, 0x12378086, 0x060000);
    return 0;
}

static struct pci_device *found(unsigned bus, unsigned slot, unsigned function)
{
    for (struct pci_device *dev = devices; dev != NULL; dev = dev->next) {
        if (dev->bus == bus && dev->slot == slot && dev->function == function)
            return dev;
    }
    return NULL;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static void test_machine_without_pci(void **state)
{
    (void)state;
    no_ports = true;
    assert_int_equal(pci_scan(), 0);
}

/* The port holds what is written, as memory might, but there is no host bridge. */
static void test_ports_without_host_bridge(void **state)
{
    (void)state;
    space[0][0][0]->present = false;
    put(0, 3, 0, 0x10001000, 0x020000);
    assert_int_equal(pci_scan(), 0);
}

static void test_functions(void **state)
{
    (void)state;
    put(0, 1, 0, 0x70008086, 0x060100)->bytes[PCI_HEADER_TYPE] = PCI_HEADER_MULTI_FUNCTION;
    put(0, 1, 1, 0x70108086, 0x010180);
    put(0, 1, 3, 0x71138086, 0x068000);
    put(0, 2, 0, 0x11111234, 0x030000);
    put(0, 2, 5, 0x11111234, 0x030000); /* a single-function device answers for all of them */
    assert_int_equal(pci_scan(), 5);
    assert_non_null(found(0, 1, 3));
    assert_null(found(0, 2, 5));
    assert_int_equal(found(0, 1, 1)->class_code, 0x010180);
    assert_string_equal(pci_class_name(found(0, 1, 1)->class_code), "IDE controller");
    char name[PCI_NAME_BYTES];
    assert_string_equal(pci_name(found(0, 1, 3), name), "00:01.3");
}

static void test_no_memory_for_devices(void **state)
{
    (void)state;
    put(0, 1, 0, 0x70008086, 0x060100);
    fake_fail_after = 1;
    assert_int_equal(pci_scan(), 1);
    fake_fail_after = -1;
    assert_int_equal(warnings, 1);
}

static void test_buses_behind_bridges(void **state)
{
    (void)state;
    put_bridge(0, 4, 1, 5);
    put_bridge(1, 0, 3, 4);
    put(3, 31, 0, 0x100e8086, 0x020000);
    put_bridge(0, 5, 6, 6);
    put(6, 2, 0, 0x10d38086, 0x020000);
    put(2, 0, 0, 0x10d38086, 0x020000); /* on a bus that no bridge leads to */
    assert_int_equal(pci_scan(), 6);
    assert_ptr_equal(found(3, 31, 0)->bridge, found(1, 0, 0));
    assert_ptr_equal(found(1, 0, 0)->bridge, found(0, 4, 0));
    assert_null(found(0, 4, 0)->bridge);
    assert_null(found(2, 0, 0));
    assert_int_equal(warnings, 0);
}

static void test_bridges_that_lie(void **state)
{
    static const struct {
        unsigned secondary, last;
    } lies[] = {{0, 9}, {1, 0}, {1, 5}, {1, 9}, {2, 9}, {4, 3}, {7, 7}, {3, 255}};
    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        begin(NULL);
        put_bridge(0, 1, 2, 5);
        put_bridge(2, 0, lies[i].secondary, lies[i].last);
        for (unsigned bus = 1; bus < PCI_BUSES; bus++) {
            if (space[bus][9][0] == NULL)
                put(bus, 9, 0, 0x100e8086, 0x020000);
        }
        assert_int_equal(pci_scan(), 4); /* the host, two bridges, the device on bus 2 */
        assert_int_equal(warnings, 1);
    }
}

static void test_bridge_without_bus(void **state)
{
    (void)state;
    put_bridge(0, 1, 0, 0);
    assert_int_equal(pci_scan(), 2);
    assert_non_null(strstr(last_warning, "gave the bridge no bus"));
}

static void test_two_bridges_to_one_bus(void **state)
{
    (void)state;
    put_bridge(0, 1, 3, 3);
    put_bridge(0, 2, 3, 3);
    put(3, 0, 0, 0x100e8086, 0x020000);
    assert_int_equal(pci_scan(), 4);
    assert_ptr_equal(found(3, 0, 0)->bridge, found(0, 1, 0));
    assert_int_equal(warnings, 1);
}

/* ---- BARs ------------------------------------------------------------------------------------ */

static void assert_bar(const struct pci_device *dev, unsigned n, enum pci_bar_kind kind,
                       uint64_t address, uint64_t bytes)
{
    assert_int_equal(dev->bars[n].kind, kind);
    assert_int_equal(dev->bars[n].address, address);
    assert_int_equal(dev->bars[n].bytes, bytes);
}

static void test_bars(void **state)
{
    (void)state;
    struct function *card = put(0, 3, 0, 0x100e8086, 0x020000);
    card->bytes[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    put_bar(card, 0, 0xfebc0000, 0xfffe0000);
    put_bar(card, 1, 0xc001, 0xffffffc0);
    put_bar(card, 2, 0x8000000c, 0xffffc000); /* 64 bits, prefetchable, at 0x1280000000 */
    put_bar(card, 3, 0x12, 0xffffffff);
    put_bar(card, 5, 0x0000d001, 0x0000fff8); /* ports, the upper half wired to zero */
    assert_int_equal(pci_scan(), 2);

    struct pci_device *dev = found(0, 3, 0);
    assert_bar(dev, 0, PCI_BAR_MEMORY, 0xfebc0000, 0x20000);
    assert_bar(dev, 1, PCI_BAR_IO, 0xc000, 0x40);
    assert_bar(dev, 2, PCI_BAR_MEMORY64, 0x1280000000, 0x4000);
    assert_bar(dev, 3, PCI_BAR_NONE, 0, 0);
    assert_bar(dev, 4, PCI_BAR_NONE, 0, 0);
    assert_bar(dev, 5, PCI_BAR_IO, 0xd000, 8);
    assert_true(dev->bars[2].prefetchable);
    assert_false(card->sized_while_decoding);
    assert_int_equal(pci_read32(dev, PCI_BAR0), 0xfebc0000); /* as they were */
    assert_int_equal(pci_read32(dev, PCI_BAR0 + 12), 0x12);
    assert_int_equal(pci_read16(dev, PCI_COMMAND), PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
                                                       PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
}

/* A firmware that used the device may have left its messages on. */
static void test_messages_are_off(void **state)
{
    static const uint8_t list[] = {
        [0x00] = PCI_CAP_MSI,  0x60, 0xa1, 0x01, /* on, for four messages, with a mask */
        [0x10] = PCI_CAP_MSIX, 0,    0x02, 0xc0, /* on, all masked, three entries */
    };
    (void)state;
    struct function *card = put(0, 3, 0, 0x10d38086, 0x020000);
    card->bytes[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    card->bytes[PCI_CAPABILITIES] = 0x50;
    memcpy(card->bytes + 0x50, list, sizeof(list));
    memset(card->writable + 0x50, 0xff, sizeof(list));
    struct function *port = put_bridge(0, 4, 1, 1);
    port->bytes[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    port->bytes[PCI_CAPABILITIES] = 0x50;
    memcpy(port->bytes + 0x50, list, 4);
    port->bytes[0x51] = 0; /* the end of the list */
    memset(port->writable + 0x50, 0xff, 4);
    assert_int_equal(pci_scan(), 3);
    assert_int_equal(pci_read16(found(0, 3, 0), 0x52), 0x01a0);
    assert_int_equal(pci_read16(found(0, 3, 0), 0x62), 0x4002);
    assert_int_equal(pci_read16(found(0, 4, 0), 0x52), 0x01a0);
}

/* Its command register is never touched. */
static void test_host_bridge_is_left_alone(void **state)
{
    (void)state;
    struct function *host = space[0][0][0];
    put_bar(host, 0, 0xe0000008, 0xf0000000);
    host->bytes[PCI_COMMAND] = PCI_COMMAND_MEMORY;
    assert_int_equal(pci_scan(), 1);
    assert_int_equal(devices->bars[0].kind, PCI_BAR_NONE);
    assert_int_equal(command_writes, 0);
}

static void test_bars_that_cannot_be_used(void **state)
{
    (void)state;
    struct function *card = put(0, 3, 0, 0x100e8086, 0x020000);
    put_bar(card, 0, 0, 0xfffe0000);          /* no address */
    put_bar(card, 1, 0xfff00001, 0xffffffc0); /* a port beyond the last one */
    put_bar(card, 2, 0xc0000000, 0xfc000000); /* larger than is mapped */
    put_bar(card, 3, 0xbad00000, 0xffff0000); /* cannot be mapped */
    put_bar(card, 5, 0x80000004, 0xffffc000); /* 64 bits without a second register */
    assert_int_equal(pci_scan(), 2);

    struct pci_device *dev = found(0, 3, 0);
    assert_bar(dev, 0, PCI_BAR_UNASSIGNED, 0, 0x20000);
    assert_int_equal(dev->bars[1].kind, PCI_BAR_UNASSIGNED);
    assert_int_equal(dev->bars[5].kind, PCI_BAR_NONE);
    for (unsigned n = 0; n < PCI_BARS + 1; n++) {
        assert_null(pci_map_bar(dev, n));
        assert_int_equal(warnings, n + 1);
    }
    assert_int_equal(pci_io_bar(dev, 0), 0);
    assert_int_equal(pci_read16(dev, PCI_COMMAND) & 7, 0);
}

/* What a device needs, the bridges above it pass on. */
static void test_decoding_and_bus_mastering_through_bridges(void **state)
{
    (void)state;
    struct function *bridge = put_bridge(0, 1, 1, 1);
    struct function *card = put(1, 0, 0, 0x100e8086, 0x020000);
    put_bar(card, 0, 0xfebc0000, 0xfffe0000);
    put_bar(card, 1, 0xc001, 0xffffffc0);
    assert_int_equal(pci_scan(), 3);

    struct pci_device *dev = found(1, 0, 0);
    assert_ptr_equal(pci_map_bar(dev, 0), (void *)(uintptr_t)0xfebc0000);
    assert_int_equal(bridge->bytes[PCI_COMMAND], PCI_COMMAND_MEMORY);
    assert_int_equal(card->bytes[PCI_COMMAND], PCI_COMMAND_MEMORY);
    assert_int_equal(pci_io_bar(dev, 1), 0xc000);
    pci_enable_bus_master(dev);
    assert_int_equal(bridge->bytes[PCI_COMMAND], 7);
    pci_disable_bus_master(dev);
    assert_int_equal(card->bytes[PCI_COMMAND], 3);
    assert_int_equal(bridge->bytes[PCI_COMMAND], 7); /* others may be behind it */
}

/* ---- registers ------------------------------------------------------------------------------- */

static void test_accesses_that_are_not_made(void **state)
{
    (void)state;
    assert_int_equal(pci_scan(), 1);
    unsigned long before = reads;
    assert_int_equal(pci_read32(devices, 2), UINT32_MAX);
    assert_int_equal(pci_read16(devices, 0x100), 0xffff);
    assert_int_equal(pci_read8(devices, 0x100), 0xff);
    pci_write32(devices, 6, 0);
    assert_int_equal(reads, before);
}

static void test_capabilities(void **state)
{
    (void)state;
    struct function *card = put(0, 3, 0, 0x10d38086, 0x020000);
    assert_int_equal(pci_scan(), 2);
    struct pci_device *dev = found(0, 3, 0);
    card->bytes[PCI_CAPABILITIES] = 0x53; /* the low bits are to be masked */
    card->bytes[0x50] = PCI_CAP_POWER;
    card->bytes[0x51] = 0xa0;
    card->bytes[0xa0] = PCI_CAP_MSIX;
    card->bytes[0xa1] = 0x40;
    card->bytes[0x40] = PCI_CAP_MSI;
    assert_int_equal(pci_find_capability(dev, PCI_CAP_MSIX), 0); /* the status says: no list */
    card->bytes[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    assert_int_equal(pci_find_capability(dev, PCI_CAP_POWER), 0x50);
    assert_int_equal(pci_find_capability(dev, PCI_CAP_MSIX), 0xa0);
    assert_int_equal(pci_find_capability(dev, PCI_CAP_MSI), 0x40);
    assert_int_equal(pci_find_capability(dev, PCI_CAP_EXPRESS), 0);
    card->bytes[0x41] = 0x50; /* a ring */
    assert_int_equal(pci_find_capability(dev, PCI_CAP_EXPRESS), 0);
    card->bytes[0x51] = 0x38; /* back into the header */
    card->bytes[0x38] = PCI_CAP_MSIX;
    assert_int_equal(pci_find_capability(dev, PCI_CAP_MSIX), 0);
}

/* ---- drivers --------------------------------------------------------------------------------- */

static unsigned refused, taken;

static int refuse_it(struct pci_device *dev)
{
    assert_int_equal(pci_read16(dev, PCI_COMMAND) & PCI_COMMAND_MASTER, 0);
    refused++;
    return -ENODEV;
}

static int take_it(struct pci_device *dev)
{
    dev->driver_data = &taken;
    taken++;
    return 0;
}

static void test_drivers(void **state)
{
    static const struct pci_id network[] = {PCI_CLASS(0x020000, 0xff0000)};
    static const struct pci_id cards[] = {PCI_ID(0x8086, 0x100e), PCI_ID(0x8086, 0x10d3)};
    static struct pci_driver first = {
        .name = "first", .ids = network, .id_count = 1, .probe = refuse_it};
    static struct pci_driver second = {
        .name = "second", .ids = cards, .id_count = 2, .probe = take_it};
    static struct pci_driver third = {
        .name = "third", .ids = network, .id_count = 1, .probe = take_it};
    (void)state;
    put(0, 3, 0, 0x100e8086, 0x020000)->bytes[PCI_COMMAND] = PCI_COMMAND_MASTER;
    put(0, 4, 0, 0x43211234, 0x028000);
    put(0, 5, 0, 0x10d38086, 0x030000);
    put(0, 6, 0, 0x100e1234, 0x030000)->bytes[PCI_COMMAND] = PCI_COMMAND_MASTER;
    pci_register_driver(&first);
    pci_register_driver(&second);
    pci_register_driver(&third);
    assert_int_equal(pci_scan(), 5);
    pci_probe();
    assert_int_equal(refused, 2);
    assert_int_equal(taken, 3);
    assert_ptr_equal(found(0, 3, 0)->driver, &second);
    assert_ptr_equal(found(0, 4, 0)->driver, &third);
    assert_ptr_equal(found(0, 5, 0)->driver, &second);
    assert_null(found(0, 6, 0)->driver);
    /* what nobody drives keeps what the firmware gave it */
    assert_int_equal(pci_read16(found(0, 6, 0), PCI_COMMAND) & PCI_COMMAND_MASTER,
                     PCI_COMMAND_MASTER);
}

/* ---- chance ---------------------------------------------------------------------------------- */

static int touch_device(struct pci_device *dev, void *arg)
{
    char name[PCI_NAME_BYTES];
    (void)arg;
    assert_int_equal(strlen(pci_name(dev, name)), 7);
    (void)pci_find_capability(dev, PCI_CAP_MSIX);
    for (unsigned n = 0; n < PCI_BARS; n++) {
        const struct pci_bar *bar = &dev->bars[n];
        if (bar->kind != PCI_BAR_NONE)
            assert_true(bar->bytes != 0 && (bar->bytes & (bar->bytes - 1)) == 0);
        (void)pci_map_bar(dev, n);
    }
    for (const struct pci_device *bridge = dev->bridge; bridge != NULL; bridge = bridge->bridge)
        assert_true(bridge->bus < dev->bus);
    return 0;
}

static void test_registers_of_chance(void **state)
{
    uint64_t seed = 0x9e3779b97f4a7c15;
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        begin(NULL);
        for (unsigned n = 0; n < 40; n++) {
            unsigned bus = random_below(&seed, 4) == 0 ? random_below(&seed, PCI_BUSES)
                                                       : random_below(&seed, 4);
            struct function *card =
                put(bus, random_below(&seed, PCI_SLOTS), random_below(&seed, 2), 1, 0);
            for (unsigned i = 0; i < PCI_CONFIG_BYTES; i++) {
                card->bytes[i] = (uint8_t)random_next(&seed);
                card->writable[i] = (uint8_t)random_next(&seed);
            }
            card->bytes[PCI_HEADER_TYPE] = (uint8_t)random_below(&seed, 3);
        }
        put(0, 0, 0, 0x12378086, 0x060000);
        (void)pci_scan();
        assert_int_equal(pci_for_each(touch_device, NULL), 0);
        assert_true(reads < 400000);
    }
}

static int leave(struct pci_device *dev, void *arg)
{
    (void)dev;
    ++*(int *)arg;
    return -ENOENT;
}

static void test_the_list_can_be_left(void **state)
{
    (void)state;
    put(0, 1, 0, 0x70008086, 0x060100);
    assert_int_equal(pci_scan(), 2);
    int calls = 0;
    assert_int_equal(pci_for_each(leave, &calls), -ENOENT);
    assert_int_equal(calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_machine_without_pci, begin),
        cmocka_unit_test_setup(test_ports_without_host_bridge, begin),
        cmocka_unit_test_setup(test_functions, begin),
        cmocka_unit_test_setup(test_no_memory_for_devices, begin),
        cmocka_unit_test_setup(test_buses_behind_bridges, begin),
        cmocka_unit_test_setup(test_bridges_that_lie, begin),
        cmocka_unit_test_setup(test_bridge_without_bus, begin),
        cmocka_unit_test_setup(test_two_bridges_to_one_bus, begin),
        cmocka_unit_test_setup(test_bars, begin),
        cmocka_unit_test_setup(test_messages_are_off, begin),
        cmocka_unit_test_setup(test_host_bridge_is_left_alone, begin),
        cmocka_unit_test_setup(test_bars_that_cannot_be_used, begin),
        cmocka_unit_test_setup(test_decoding_and_bus_mastering_through_bridges, begin),
        cmocka_unit_test_setup(test_accesses_that_are_not_made, begin),
        cmocka_unit_test_setup(test_capabilities, begin),
        cmocka_unit_test_setup(test_drivers, begin),
        cmocka_unit_test_setup(test_registers_of_chance, begin),
        cmocka_unit_test_setup(test_the_list_can_be_left, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
