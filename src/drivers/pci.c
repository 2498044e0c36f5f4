// SPDX-License-Identifier: MIT
/*
 * The walk over the buses, the list of devices, and the drivers that take them.
 *
 * Buses have the numbers that the firmware gave to its bridges. A bridge's secondary bus must have
 * a higher number than the bus that the bridge is on, and lie within what the bridges above it pass
 * on; so the buses are walked once, in the order of their numbers, and whatever bridges claim, the
 * walk ends. A bus that a second bridge claims is the first one's.
 *
 * Source: PCI Local Bus Specification 3.0, 6.1 "Configuration Space Organization";
 * PCI-to-PCI Bridge Architecture Specification 1.2, 3.2.5 "Bus Number Registers"
 */
#include "drivers/pci.h"

#include "drivers/pci_internal.h"
#include "lib/log.h"
#include "lib/text.h"
#include "mm/heap.h"

enum {
    HEADER_BARS = PCI_BARS,
    BRIDGE_BARS = 2,
    CLASS_HOST_BRIDGE = 0x0600,
    CLASS_ETHERNET = 0x0200
};

static struct pci_device *devices; /* I: filled by pci_scan() */
static struct pci_device **devices_end = &devices;
static size_t device_count, lost_count;

static struct pci_driver *drivers; /* I: filled before pci_probe() */
static struct pci_driver **drivers_end = &drivers;

/* What is known of a bus before it is walked. */
static struct bus {
    bool exists;
    uint8_t last;                    /* the highest bus number that is passed on to it */
    const struct pci_device *bridge; /* NULL: the root */
} buses[PCI_BUSES];

/* ---- names ----------------------------------------------------------------------------------- */

/* Source: PCI Code and ID Assignment Specification, "Class Codes" */
static const struct class_name {
    uint16_t class;
    const char *name;
} class_names[] = {
    {0x0100, "SCSI controller"},     {0x0101, "IDE controller"},
    {0x0106, "SATA controller"},     {0x0108, "NVMe controller"},
    {0x0200, "Ethernet controller"}, {0x0280, "network controller"},
    {0x0300, "VGA controller"},      {0x0380, "display controller"},
    {0x0403, "audio device"},        {0x0500, "RAM controller"},
    {0x0600, "host bridge"},         {0x0601, "ISA bridge"},
    {0x0604, "PCI bridge"},          {0x0680, "bridge"},
    {0x0700, "serial controller"},   {0x0780, "communication controller"},
    {0x0c03, "USB controller"},      {0x0c05, "SMBus controller"},
};

const char *pci_class_name(uint32_t class_code)
{
    for (size_t i = 0; i < sizeof(class_names) / sizeof(class_names[0]); i++) {
        if (class_names[i].class == class_code >> 8)
            return class_names[i].name;
    }
    return "device";
}

const char *pci_name(const struct pci_device *dev, char text[PCI_NAME_BYTES])
{
    (void)snprintf(text, PCI_NAME_BYTES, "%02x:%02x.%x", dev->bus, dev->slot & (PCI_SLOTS - 1),
                   dev->function & (PCI_FUNCTIONS - 1));
    return text;
}

/* ---- one device ------------------------------------------------------------------------------ */

static void log_device(const struct pci_device *dev)
{
    char name[PCI_NAME_BYTES];
    log_debug("pci: %s: %04x:%04x, class %06x, %s", pci_name(dev, name), dev->vendor_id,
              dev->device_id, dev->class_code, pci_class_name(dev->class_code));
}

static void read_header(struct pci_device *dev, uint8_t layout)
{
    uint32_t ids = pci_read32(dev, PCI_VENDOR);
    uint32_t class = pci_read32(dev, PCI_REVISION);

    dev->vendor_id = (uint16_t)ids;
    dev->device_id = (uint16_t)(ids >> 16);
    dev->class_code = class >> 8;
    dev->revision = (uint8_t) class;
    dev->pin = pci_read8(dev, PCI_INTERRUPT_PIN);
    if (dev->pin > PCI_PINS)
        dev->pin = 0; /* the numbers above are reserved */
    dev->line = pci_read8(dev, PCI_INTERRUPT_LINE);
    /* a host bridge that decodes no memory may cut the processor off from it */
    if (layout == PCI_HEADER_DEVICE && dev->class_code >> 8 != CLASS_HOST_BRIDGE) {
        pci_bars_read(dev, HEADER_BARS);
        pci_command(dev, 0, PCI_COMMAND_INTX_OFF);
        pci_messages_off(dev);
    } else if (layout == PCI_HEADER_BRIDGE) {
        pci_bars_read(dev, BRIDGE_BARS);
        pci_messages_off(dev); /* those of hot plug and power management */
    }
}

/* The bus behind a bridge, unless its numbers make no sense. */
static void note_bus(const struct pci_device *bridge)
{
    unsigned secondary = pci_read8(bridge, PCI_SECONDARY_BUS);
    unsigned last = pci_read8(bridge, PCI_SUBORDINATE_BUS);
    char name[PCI_NAME_BYTES];

    if (secondary == 0 && last == 0) {
        log_warn("pci: %s: the firmware gave the bridge no bus: what is behind it is not seen",
                 pci_name(bridge, name));
    } else if (secondary <= bridge->bus || last < secondary || last > buses[bridge->bus].last ||
               buses[secondary].exists) {
        log_warn("pci: %s: the bridge claims buses %u to %u, which cannot be: passed over",
                 pci_name(bridge, name), secondary, last);
    } else {
        buses[secondary] = (struct bus){.exists = true, .last = (uint8_t)last, .bridge = bridge};
    }
}

static void add_device(const struct pci_device *at, uint8_t layout)
{
    struct pci_device *dev =
        device_count < PCI_DEVICES_MAX ? heap_alloc(sizeof(*dev), ALLOC_KERNEL) : NULL;
    if (dev == NULL) {
        lost_count++;
        return;
    }
    *dev = *at;
    read_header(dev, layout);
    *devices_end = dev;
    devices_end = &dev->next;
    device_count++;
    log_device(dev);
    if (layout == PCI_HEADER_BRIDGE)
        note_bus(dev);
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* Function 0 says whether there are others; one that is not there reads as all ones. */
static void scan_slot(unsigned bus, unsigned slot)
{
    unsigned functions = 1;

    for (unsigned function = 0; function < functions; function++) {
        struct pci_device at = {.bus = (uint8_t)bus,
                                .slot = (uint8_t)slot,
                                .function = (uint8_t)function,
                                .bridge = buses[bus].bridge};
        uint16_t vendor = pci_read16(&at, PCI_VENDOR);
        if (vendor == PCI_VENDOR_NONE || vendor == 0)
            continue;
        uint8_t header = pci_read8(&at, PCI_HEADER_TYPE);
        if (function == 0 && (header & PCI_HEADER_MULTI_FUNCTION) != 0)
            functions = PCI_FUNCTIONS;
        add_device(&at, header & PCI_HEADER_LAYOUT);
    }
}

size_t pci_scan(void)
{
    size_t bus_count = 0;

    if (!pci_config_present()) {
        log_info("pci: this machine has none");
        return 0;
    }
    buses[0] = (struct bus){.exists = true, .last = PCI_BUSES - 1};
    for (unsigned bus = 0; bus < PCI_BUSES; bus++) {
        for (unsigned slot = 0; buses[bus].exists && slot < PCI_SLOTS; slot++)
            scan_slot(bus, slot);
        bus_count += buses[bus].exists ? 1 : 0;
    }
    log_info("pci: %zu devices on %zu bus%s", device_count, bus_count, bus_count == 1 ? "" : "es");
    if (lost_count != 0)
        log_warn("pci: %zu more devices passed over: no memory, or more than %d", lost_count,
                 PCI_DEVICES_MAX);
    return device_count;
}

int pci_for_each(int (*fn)(struct pci_device *dev, void *arg), void *arg)
{
    int result = 0;
    for (struct pci_device *dev = devices; dev != NULL && result == 0; dev = dev->next)
        result = fn(dev, arg);
    return result;
}

/* ---- drivers --------------------------------------------------------------------------------- */

void pci_register_driver(struct pci_driver *driver)
{
    driver->next = NULL;
    *drivers_end = driver;
    drivers_end = &driver->next;
}

static bool id_matches(const struct pci_id *id, const struct pci_device *dev)
{
    return (id->vendor_id == PCI_ANY_ID || id->vendor_id == dev->vendor_id) &&
           (id->device_id == PCI_ANY_ID || id->device_id == dev->device_id) &&
           ((id->class_code ^ dev->class_code) & id->class_mask) == 0;
}

static bool driver_matches(const struct pci_driver *driver, const struct pci_device *dev)
{
    for (size_t i = 0; i < driver->id_count; i++) {
        if (id_matches(&driver->ids[i], dev))
            return true;
    }
    return false;
}

static void probe_device(struct pci_device *dev)
{
    char name[PCI_NAME_BYTES];

    for (struct pci_driver *driver = drivers; driver != NULL; driver = driver->next) {
        if (!driver_matches(driver, dev))
            continue;
        pci_disable_bus_master(dev);
        int error = driver->probe(dev);
        if (error == 0) {
            dev->driver = driver;
            return;
        }
        log_warn("pci: %s: %s does not take it (error %d)", pci_name(dev, name), driver->name,
                 -error);
    }
    if (dev->class_code >> 8 == CLASS_ETHERNET)
        log_info("pci: %s: %04x:%04x is a network card that no driver here has taken",
                 pci_name(dev, name), dev->vendor_id, dev->device_id);
}

void pci_probe(void)
{
    for (struct pci_device *dev = devices; dev != NULL; dev = dev->next)
        probe_device(dev);
}
