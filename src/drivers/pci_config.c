// SPDX-License-Identifier: MIT
/*
 * Configuration space by mechanism #1: one port takes an address, the next ones are a window on the
 * four bytes there. The pair is used under one lock, from any context that takes locks.
 *
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2 "Software Generation of Configuration
 * Transactions"; 6.7 "Capabilities List"
 */
#include "arch/x86_64/io.h"
#include "drivers/pci.h"
#include "drivers/pci_internal.h"
#include "lib/spinlock.h"

enum {
    CONFIG_ADDRESS = 0xcf8, /* 32 bits wide; narrower accesses go elsewhere */
    CONFIG_DATA = 0xcfc,

    ADDRESS_BUS_SHIFT = 16,
    ADDRESS_SLOT_SHIFT = 11,
    ADDRESS_FUNCTION_SHIFT = 8,

    HEADER_BYTES = 0x40, /* capabilities are behind it, four bytes each at least */
    CAPABILITIES_MAX = (PCI_CONFIG_BYTES - HEADER_BYTES) / 4,
};
#define ADDRESS_ENABLE UINT32_C(0x80000000)
#define CLASS_HOST_BRIDGE UINT32_C(0x0600)

static struct spinlock config_lock = SPINLOCK(RANK_PCI_CONFIG, "pci config");

static uint32_t config_address(const struct pci_device *dev, unsigned offset)
{
    return ADDRESS_ENABLE | (uint32_t)dev->bus << ADDRESS_BUS_SHIFT |
           (uint32_t)dev->slot << ADDRESS_SLOT_SHIFT |
           (uint32_t)dev->function << ADDRESS_FUNCTION_SHIFT | (offset & ~3U);
}

/* `bytes` is 1, 2 or 4, and the access aligned. Locks: caller holds config_lock. */
static uint32_t read_locked(const struct pci_device *dev, unsigned offset, unsigned bytes)
{
    uint16_t port = (uint16_t)(CONFIG_DATA + (offset & 3U));

    io_out32(CONFIG_ADDRESS, config_address(dev, offset));
    return bytes == 1 ? io_in8(port) : bytes == 2 ? io_in16(port) : io_in32(port);
}

static void write_locked(const struct pci_device *dev, unsigned offset, unsigned bytes,
                         uint32_t value)
{
    uint16_t port = (uint16_t)(CONFIG_DATA + (offset & 3U));

    io_out32(CONFIG_ADDRESS, config_address(dev, offset));
    if (bytes == 1)
        io_out8(port, (uint8_t)value);
    else if (bytes == 2)
        io_out16(port, (uint16_t)value);
    else
        io_out32(port, value);
}

static bool access_ok(unsigned offset, unsigned bytes)
{
    return offset < PCI_CONFIG_BYTES && offset % bytes == 0;
}

static uint32_t config_read(const struct pci_device *dev, unsigned offset, unsigned bytes)
{
    if (!access_ok(offset, bytes))
        return UINT32_MAX;
    uint64_t flags = spin_lock_irqsave(&config_lock);
    uint32_t value = read_locked(dev, offset, bytes);
    spin_unlock_irqrestore(&config_lock, flags);
    return value;
}

static void config_write(const struct pci_device *dev, unsigned offset, unsigned bytes,
                         uint32_t value)
{
    if (!access_ok(offset, bytes))
        return;
    uint64_t flags = spin_lock_irqsave(&config_lock);
    write_locked(dev, offset, bytes, value);
    spin_unlock_irqrestore(&config_lock, flags);
}

uint8_t pci_read8(const struct pci_device *dev, unsigned offset)
{
    return (uint8_t)config_read(dev, offset, 1);
}

uint16_t pci_read16(const struct pci_device *dev, unsigned offset)
{
    return (uint16_t)config_read(dev, offset, 2);
}

uint32_t pci_read32(const struct pci_device *dev, unsigned offset)
{
    return config_read(dev, offset, 4);
}

void pci_write8(const struct pci_device *dev, unsigned offset, uint8_t value)
{
    config_write(dev, offset, 1, value);
}

void pci_write16(const struct pci_device *dev, unsigned offset, uint16_t value)
{
    config_write(dev, offset, 2, value);
}

void pci_write32(const struct pci_device *dev, unsigned offset, uint32_t value)
{
    config_write(dev, offset, 4, value);
}

/* 16 bits alone: the status register beside it clears what ones are written to. */
void pci_command(const struct pci_device *dev, uint16_t clear, uint16_t set)
{
    uint64_t flags = spin_lock_irqsave(&config_lock);
    uint32_t command = read_locked(dev, PCI_COMMAND, 2);
    write_locked(dev, PCI_COMMAND, 2, (command & ~(uint32_t)clear) | set);
    spin_unlock_irqrestore(&config_lock, flags);
}

uint8_t pci_find_capability(const struct pci_device *dev, uint8_t id)
{
    if ((pci_read16(dev, PCI_STATUS) & PCI_STATUS_CAPABILITIES) == 0)
        return 0;
    unsigned at = pci_read8(dev, PCI_CAPABILITIES) & ~3U; /* the two low bits mean nothing */
    for (unsigned n = 0; n < CAPABILITIES_MAX && at >= HEADER_BYTES; n++) {
        if (pci_read8(dev, at) == id)
            return (uint8_t)at;
        at = pci_read8(dev, at + 1) & ~3U;
    }
    return 0;
}

/* Does the address port hold what is written to it? Without PCI nothing, or another device, is
 * there. */
static bool address_port_answers(void)
{
    uint32_t before = io_in32(CONFIG_ADDRESS);
    io_out32(CONFIG_ADDRESS, ADDRESS_ENABLE);
    bool answers = io_in32(CONFIG_ADDRESS) == ADDRESS_ENABLE;
    io_out32(CONFIG_ADDRESS, before);
    return answers;
}

bool pci_config_present(void)
{
    uint64_t flags = spin_lock_irqsave(&config_lock);
    bool answers = address_port_answers();
    spin_unlock_irqrestore(&config_lock, flags);

    struct pci_device dev = {0};
    for (unsigned slot = 0; answers && slot < PCI_SLOTS; slot++) {
        dev.slot = (uint8_t)slot;
        if (pci_read16(&dev, PCI_VENDOR) != PCI_VENDOR_NONE &&
            pci_read32(&dev, PCI_REVISION) >> 16 == CLASS_HOST_BRIDGE)
            return true;
    }
    return false;
}
