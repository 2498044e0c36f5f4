// SPDX-License-Identifier: MIT
/*
 * PCI: which devices there are, what drives them, their registers, and how they interrupt.
 *
 * pci_scan() finds the devices behind all bridges. A driver fills a struct pci_driver and registers
 * it; pci_probe() then offers each device to the drivers whose ids match. A probe takes what it
 * needs, in this order:
 *
 *     regs = pci_map_bar(dev, 0)         registers; turns memory decoding on
 *     pci_enable_bus_master(dev)         before the device is to read or write memory
 *     n = pci_alloc_irqs(dev, 1, 3)      n irqs: MSI-X, else MSI, else INTx
 *     request_irq(pci_irq(dev, i), handler, pci_irq_flags(dev), name, cookie)
 *
 * and on a failure gives it back the other way round (free_irq, pci_free_irqs, ...).
 *
 * There are no device removals and no hot plug: a struct pci_device stays for ever, and all of it
 * but `driver`, `driver_data` and `irqs` is fixed once pci_scan() is back.
 *
 * Addresses in messages are bus:slot.function, in hexadecimal: 00:1f.2.
 * Source: PCI Local Bus Specification 3.0; PCI-to-PCI Bridge Architecture Specification 1.2
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

enum {
    PCI_BARS = 6,
    PCI_CONFIG_BYTES = 256,
    PCI_PINS = 4, /* INTA# to INTD# */
    PCI_ANY_ID = 0xffff,
    PCI_IRQS_MAX = 16, /* messages that one device gets at most */
};

/* Source: PCI Local Bus Specification 3.0, 6.7 "Capabilities List", appendix H */
enum pci_capability {
    PCI_CAP_POWER = 0x01,
    PCI_CAP_MSI = 0x05,
    PCI_CAP_EXPRESS = 0x10,
    PCI_CAP_MSIX = 0x11,
};

enum pci_bar_kind {
    PCI_BAR_NONE,       /* not implemented, or the upper half of the one before */
    PCI_BAR_IO,         /* ports */
    PCI_BAR_MEMORY,     /* below 4 GiB */
    PCI_BAR_MEMORY64,   /* anywhere; takes the next BAR's register too */
    PCI_BAR_UNASSIGNED, /* the firmware gave it no address, or one that makes no sense */
};

struct pci_bar {
    enum pci_bar_kind kind;
    bool prefetchable;
    uint64_t address; /* physical, or the first port */
    uint64_t bytes;   /* a power of two; known of PCI_BAR_UNASSIGNED too */
};

struct pci_device {
    uint8_t bus, slot, function;
    uint16_t vendor_id, device_id;
    uint32_t class_code; /* class << 16 | subclass << 8 | programming interface */
    uint8_t revision;
    uint8_t pin;  /* 1..4: INTA#..INTD#; 0: the device drives none */
    uint8_t line; /* the interrupt line register as the firmware left it */

    const struct pci_device *bridge; /* the bridge that this bus is behind; NULL: a root bus */
    struct pci_bar bars[PCI_BARS];

    const struct pci_driver *driver; /* the one whose probe() took it, or NULL */
    void *driver_data;               /* the driver's own */

    struct pci_irqs *irqs;         /* what pci_alloc_irqs() gave; pci_irq.c's and pci_msi.c's */
    volatile uint32_t *msix_table; /* theirs too: mapped once */
    struct pci_device *next;       /* in the order of the scan */
};

/* PCI_ANY_ID in vendor or device matches all; of the class the bits in class_mask have to agree. */
struct pci_id {
    uint16_t vendor_id, device_id;
    uint32_t class_code, class_mask;
};

#define PCI_ID(vendor, device)                                                                     \
    {                                                                                              \
        .vendor_id = (vendor), .device_id = (device)                                               \
    }
#define PCI_CLASS(code, mask)                                                                      \
    {                                                                                              \
        .vendor_id = PCI_ANY_ID, .device_id = PCI_ANY_ID, .class_code = (code),                    \
        .class_mask = (mask)                                                                       \
    }

struct pci_driver {
    const char *name; /* short, for messages: "e1000" */
    const struct pci_id *ids;
    size_t id_count;

    /*
     * Take the device. What it says in the log begins with the device's address.
     * Returns: 0; -errno leaves the device to the next driver that matches, with all given back.
     * Context: boot cpu only, interrupts on. Sleeps: no.
     */
    int (*probe)(struct pci_device *dev);

    struct pci_driver *next; /* pci.c's */
};

/* ---- the bus --------------------------------------------------------------------------------- */

/*
 * Find all devices by configuration mechanism #1, learn their BARs, and log each (debug level; one
 * line of summary at info level). A machine without PCI is said in one line. While a BAR is sized
 * its device does not answer, so nobody else may use one meanwhile: no other core runs yet. INTx of
 * every device is off afterwards, so that one that the firmware left asserting holds no shared
 * line; and so are its messages. Host bridges are left alone.
 * Returns: how many devices there are.
 * Context: boot cpu only, once, before other cores run; mm is ready. Sleeps: no.
 */
size_t pci_scan(void);

/* Add a driver to those that pci_probe() asks; `driver` stays for ever. Context: boot cpu only,
 * before pci_probe(). */
void pci_register_driver(struct pci_driver *driver);

/*
 * Offer each device to the registered drivers that match, in the order of registration, until one
 * takes it. Bus mastering is off when probe() is called, whatever the firmware left.
 * Context: boot cpu only, once, after pci_scan(); interrupts on, the irq core ready.
 */
void pci_probe(void);

/*
 * Call fn() for each device, in the order of bus, slot, function. What it sees is no copy: the
 * device's own struct, of which all but driver, driver_data and irqs is fixed. After pci_scan() no
 * device comes or goes, so fn() may sleep. Stops when fn() returns other than 0.
 * Returns: what the last fn() returned. Context: any, after pci_scan(). Locks: none.
 */
int pci_for_each(int (*fn)(struct pci_device *dev, void *arg), void *arg);

/* A class's name for people: "Ethernet controller"; "device" of what is not in the list.
 * Context: any. */
const char *pci_class_name(uint32_t class_code);

/* "00:1f.2" into the 8 bytes at text, for messages. Returns: text. Context: any. */
enum { PCI_NAME_BYTES = 8 };
const char *pci_name(const struct pci_device *dev, char text[PCI_NAME_BYTES]);

/* ---- configuration space ---------------------------------------------------------------------
 * `offset` is 0..255 and aligned to the access; anything else reads as all ones and writes nothing.
 * A write of 16 or 8 bits touches these alone, as the bus has byte enables.
 * Context: hardirq. Sleeps: no. Locks: pci config.
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2 "Software Generation of Configuration
 * Transactions"
 */
uint8_t pci_read8(const struct pci_device *dev, unsigned offset);
uint16_t pci_read16(const struct pci_device *dev, unsigned offset);
uint32_t pci_read32(const struct pci_device *dev, unsigned offset);
void pci_write8(const struct pci_device *dev, unsigned offset, uint8_t value);
void pci_write16(const struct pci_device *dev, unsigned offset, uint16_t value);
void pci_write32(const struct pci_device *dev, unsigned offset, uint32_t value);

/* The offset of the first capability `id`; 0: it has none. A list that loops or leaves the
 * configuration space ends there. Context, locks: as pci_read8. */
uint8_t pci_find_capability(const struct pci_device *dev, uint8_t id);

/* ---- registers and memory -------------------------------------------------------------------- */

/*
 * Map all of memory BAR n, uncached, and let the device answer there. Mapped for good: a second
 * call maps again.
 * Returns: its address, or NULL, which the log explains (no such BAR, ports, no address assigned,
 * more than PCI_MAP_MAX bytes, no memory). Context: thread. Locks: kva, pci config.
 */
enum { PCI_MAP_MAX = 16 << 20 };
volatile void *pci_map_bar(struct pci_device *dev, unsigned n);

/* The first port of I/O BAR n, and let the device answer there. Returns: 0 (the log explains) or
 * the port. Context: thread. Locks: pci config. */
uint16_t pci_io_bar(struct pci_device *dev, unsigned n);

/* May the device read and write memory, and so send messages? Off until its driver asks; a device
 * without a driver keeps what the firmware gave it. Context: thread. Locks: pci config. */
void pci_enable_bus_master(struct pci_device *dev);
void pci_disable_bus_master(struct pci_device *dev);

/* ---- interrupts (pci_irq.c, pci_msi.c, pci_intx.c) ------------------------------------------- */

enum pci_irq_kind {
    PCI_IRQ_MSIX = 1 << 0,
    PCI_IRQ_MSI = 1 << 1,
    PCI_IRQ_INTX = 1 << 2,
    PCI_IRQ_ANY = PCI_IRQ_MSIX | PCI_IRQ_MSI | PCI_IRQ_INTX,
};

/*
 * Give the device between `min` and `max` (1..PCI_IRQS_MAX) irqs: messages by MSI-X, one message by
 * MSI, or its INTx line, the first of these that the device has, the machine can bring to a core,
 * and that yields `min`. MSI gives one at most, and so does INTx. Where vectors are short there are
 * fewer than `max`. One line in the log says how this device interrupts, or why it does not.
 *
 * A message needs bus mastering, which stays the driver's to turn on. MSI-X entry i is irq i; all
 * further entries of the table stay masked, and entry i is open only between request_irq() and
 * free_irq(). A device that is given its line may assert it from then on: its driver has quieted it
 * before, and quiets it again before pci_free_irqs(), which shuts the line off at the device.
 * Returns: how many; -EINVAL (min, max; it has some already), -ENOSPC (fewer than `min`), -ENODEV
 * (none of these ways works here), -ENOMEM. Context: thread. Sleeps: no. Locks: those of the irq
 * core, pci config, kva.
 */
int pci_alloc_irqs(struct pci_device *dev, unsigned min, unsigned max);

/* The same, by the ways in `kinds` (enum pci_irq_kind) alone. */
int pci_alloc_irqs_by(struct pci_device *dev, unsigned min, unsigned max, unsigned kinds);

/* How it was done; 0: no irqs are allocated. Context: any. */
enum pci_irq_kind pci_irq_kind(const struct pci_device *dev);

/* The irq number of message i, below what pci_alloc_irqs() returned. Context: any. */
uint32_t pci_irq(const struct pci_device *dev, unsigned i);

/* The flags for request_irq(): IRQF_SHARED for a line, 0 for messages. Context: any. */
unsigned pci_irq_flags(const struct pci_device *dev);

/* Give all back. The driver has freed its handlers before. Does nothing where there are none.
 * Context, locks: as pci_alloc_irqs. */
void pci_free_irqs(struct pci_device *dev);
