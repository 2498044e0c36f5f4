// SPDX-License-Identifier: MIT
/*
 * Base address registers: what a device answers at, and how much. Their size is learned by writing
 * ones and reading which of them stay, with the device's decoding off meanwhile: a BAR full of ones
 * would claim what is others'. Addresses are the firmware's; a BAR that it left out stays unused.
 *
 * Source: PCI Local Bus Specification 3.0, 6.2.5 "Base Addresses"
 */
#include "drivers/pci.h"
#include "drivers/pci_internal.h"
#include "lib/log.h"
#include "lib/text.h"

enum {
    IO_PORTS = 0x10000,
    BAR_REGISTER_BYTES = 4,
};
#define ADDRESS_LIMIT (UINT64_C(1) << 52) /* what page tables can name */

static unsigned bar_register(unsigned n)
{
    return PCI_BAR0 + n * BAR_REGISTER_BYTES;
}

/* Which bits of the register can be set? It holds `value` again afterwards. */
static uint32_t writable_bits(const struct pci_device *dev, unsigned n, uint32_t value)
{
    pci_write32(dev, bar_register(n), UINT32_MAX);
    uint32_t bits = pci_read32(dev, bar_register(n));
    pci_write32(dev, bar_register(n), value);
    return bits;
}

/* An address of 0 is what a BAR has after reset; the BIOS never gives it. */
static bool is_assigned(const struct pci_bar *bar, uint64_t limit)
{
    return bar->address != 0 && bar->bytes <= limit && bar->address <= limit - bar->bytes &&
           bar->address % bar->bytes == 0;
}

static void read_io_bar(const struct pci_device *dev, unsigned n, uint32_t low, struct pci_bar *bar)
{
    /* the upper 16 bits may be wired to zero */
    uint32_t mask = writable_bits(dev, n, low) & ~(uint32_t)PCI_BAR_IO_FLAGS & (IO_PORTS - 1);
    if (mask == 0)
        return;
    bar->bytes = mask & -mask;
    bar->address = low & ~(uint32_t)PCI_BAR_IO_FLAGS;
    bar->kind = is_assigned(bar, IO_PORTS) ? PCI_BAR_IO : PCI_BAR_UNASSIGNED;
}

static void read_memory_bar(const struct pci_device *dev, unsigned n, uint32_t low, bool wide,
                            struct pci_bar *bar)
{
    uint32_t high = wide ? pci_read32(dev, bar_register(n + 1)) : 0;
    uint64_t mask = writable_bits(dev, n, low) & ~(uint32_t)PCI_BAR_MEMORY_FLAGS;
    if (wide)
        mask |= (uint64_t)writable_bits(dev, n + 1, high) << 32;
    if (mask == 0)
        return;
    bar->bytes = mask & -mask;
    bar->address = (uint64_t)high << 32 | (low & ~(uint32_t)PCI_BAR_MEMORY_FLAGS);
    bar->prefetchable = (low & PCI_BAR_PREFETCHABLE) != 0;
    bar->kind = !is_assigned(bar, ADDRESS_LIMIT) ? PCI_BAR_UNASSIGNED
                : wide                           ? PCI_BAR_MEMORY64
                                                 : PCI_BAR_MEMORY;
}

void pci_bars_read(struct pci_device *dev, unsigned count)
{
    uint16_t command = pci_read16(dev, PCI_COMMAND);
    uint16_t decoding = command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY);

    pci_command(dev, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 0);
    for (unsigned n = 0; n < count; n++) {
        uint32_t low = pci_read32(dev, bar_register(n));
        bool wide = (low & PCI_BAR_IS_IO) == 0 && (low & PCI_BAR_TYPE) == PCI_BAR_TYPE_64;
        if ((low & PCI_BAR_IS_IO) != 0)
            read_io_bar(dev, n, low, &dev->bars[n]);
        else if (!wide || n + 1 < count)
            read_memory_bar(dev, n, low, wide, &dev->bars[n]);
        if (wide)
            n++; /* the next register is the upper half of this one */
    }
    pci_command(dev, 0, decoding);
}

void pci_let_through(const struct pci_device *dev, uint16_t command)
{
    for (; dev != NULL; dev = dev->bridge)
        pci_command(dev, 0, command);
}

static void *refuse(const struct pci_device *dev, unsigned n, const char *why)
{
    char name[PCI_NAME_BYTES];
    log_warn("pci: %s: BAR %u cannot be used: %s", pci_name(dev, name), n, why);
    return NULL;
}

volatile void *pci_map_bar(struct pci_device *dev, unsigned n)
{
    if (n >= PCI_BARS || dev->bars[n].kind == PCI_BAR_NONE)
        return refuse(dev, n, "the device has none");
    const struct pci_bar *bar = &dev->bars[n];
    if (bar->kind == PCI_BAR_UNASSIGNED)
        return refuse(dev, n, "the firmware gave it no address");
    if (bar->kind == PCI_BAR_IO)
        return refuse(dev, n, "it is ports, not memory");
    if (bar->bytes > PCI_MAP_MAX)
        return refuse(dev, n, "it is too large to be mapped");
    volatile void *registers = arch_map_device(bar->address, bar->bytes);
    if (registers == NULL)
        return refuse(dev, n, "its address cannot be mapped");
    pci_let_through(dev, PCI_COMMAND_MEMORY);
    return registers;
}

uint16_t pci_io_bar(struct pci_device *dev, unsigned n)
{
    if (n >= PCI_BARS || dev->bars[n].kind != PCI_BAR_IO) {
        (void)refuse(dev, n, "it is no ports, or without address");
        return 0;
    }
    pci_let_through(dev, PCI_COMMAND_IO);
    return (uint16_t)dev->bars[n].address;
}

void pci_enable_bus_master(struct pci_device *dev)
{
    pci_let_through(dev, PCI_COMMAND_MASTER); /* a bridge passes on what it may send itself */
}

void pci_disable_bus_master(struct pci_device *dev)
{
    pci_command(dev, PCI_COMMAND_MASTER, 0);
}
