// SPDX-License-Identifier: MIT
/*
 * Interrupts as messages: a device that has one to send writes 32 bits to an address, and the Local
 * APICs take what is written to theirs. What is written where is the irq core's business; this file
 * puts it into the device, MSI-X into a table in the device's memory, MSI into its configuration
 * space.
 *
 * No message is lost while the irq moves:
 *  - An entry of MSI-X has a mask bit. The entry is masked while it is changed; what the device has
 *    to send meanwhile stays noted in its pending bits and is sent when the mask is taken away.
 *  - MSI mostly has none, and the device may send at any moment, so it must never see half a
 * change. Address and value are two registers, and the irq core changes one of them at a time
 * (irq/irq.h): each change is one write of 32 or 16 bits, which the device sees whole.
 *
 * The write to the device is followed by a read from it: the read's answer pushes before it
 * whatever the device sent earlier, so when write() returns, the messages of the old kind have
 * arrived.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.1 "MSI Capability Structure", 6.8.2 "MSI-X
 * Capability and Table Structures", 6.8.3 "MSI and MSI-X Operation"; 3.2.5 "Transaction Ordering
 * and Posting"
 */
#include "drivers/pci.h"
#include "drivers/pci_internal.h"

/* clang-format off: fields stand under their register */
enum msi_register {
    MSI_CONTROL = 2,
    MSI_ENABLE = 1 << 0,
    MSI_MULTIPLE = 7 << 4, /* log2 of how many messages it may send */
    MSI_64_BITS = 1 << 7,
    MSI_CAN_MASK = 1 << 8,
    MSI_ADDRESS = 4,
    MSI_ADDRESS_HIGH = 8, /* with MSI_64_BITS; all behind it is 4 bytes further on then */
    MSI_DATA = 8,
    MSI_MASK = 12,
    MSI_WIDE = 4,
};

enum msix_register {
    MSIX_CONTROL = 2,
    MSIX_ENABLE = 1 << 15,
    MSIX_FUNCTION_MASK = 1 << 14,
    MSIX_LAST_ENTRY = 0x7ff,
    MSIX_TABLE = 4,
    MSIX_TABLE_BAR = 7, /* the rest is the offset there */
};

/* An entry of the MSI-X table, in words of 32 bits. */
enum msix_entry {
    MSIX_ENTRY_ADDRESS = 0,
    MSIX_ENTRY_ADDRESS_HIGH = 1,
    MSIX_ENTRY_DATA = 2,
    MSIX_ENTRY_CONTROL = 3,
    MSIX_ENTRY_MASKED = 1 << 0,
    MSIX_ENTRY_WORDS = 4,
};
/* clang-format on */

/* ---- MSI-X ----------------------------------------------------------------------------------- */

static volatile uint32_t *msix_entry(const struct pci_message *message)
{
    return message->of->dev->msix_table + (size_t)message->entry * MSIX_ENTRY_WORDS;
}

static void msix_mask(void *data, bool masked)
{
    volatile uint32_t *entry = msix_entry(data);
    uint32_t control = entry[MSIX_ENTRY_CONTROL] & ~(uint32_t)MSIX_ENTRY_MASKED;
    entry[MSIX_ENTRY_CONTROL] = control | (masked ? MSIX_ENTRY_MASKED : 0);
    (void)entry[MSIX_ENTRY_CONTROL]; /* it has arrived */
}

static void msix_write(void *data, uint64_t address, uint32_t value)
{
    volatile uint32_t *entry = msix_entry(data);
    uint32_t control = entry[MSIX_ENTRY_CONTROL];
    entry[MSIX_ENTRY_CONTROL] = control | MSIX_ENTRY_MASKED;
    entry[MSIX_ENTRY_ADDRESS] = (uint32_t)address;
    entry[MSIX_ENTRY_ADDRESS_HIGH] = (uint32_t)(address >> 32);
    entry[MSIX_ENTRY_DATA] = value;
    entry[MSIX_ENTRY_CONTROL] = control;
    (void)entry[MSIX_ENTRY_CONTROL];
}

const struct irq_msi_ops pci_msix_ops = {.write = msix_write, .mask = msix_mask};

/* The table in the device's memory, if its place makes sense. */
static bool map_table(struct pci_irqs *irqs, unsigned entries)
{
    struct pci_device *dev = irqs->dev;
    uint32_t place = pci_read32(dev, irqs->capability + MSIX_TABLE);
    unsigned bar = place & MSIX_TABLE_BAR;
    uint64_t offset = place & ~(uint32_t)MSIX_TABLE_BAR;
    uint64_t bytes = (uint64_t)entries * MSIX_ENTRY_WORDS * sizeof(uint32_t);

    if (dev->msix_table != NULL)
        return true;
    if (bar >= PCI_BARS || offset + bytes > dev->bars[bar].bytes)
        return false;
    if (dev->bars[bar].kind != PCI_BAR_MEMORY && dev->bars[bar].kind != PCI_BAR_MEMORY64)
        return false;
    dev->msix_table = arch_map_device(dev->bars[bar].address + offset, bytes);
    return dev->msix_table != NULL;
}

static void msix_control(const struct pci_irqs *irqs, uint16_t clear, uint16_t set)
{
    unsigned at = irqs->capability + MSIX_CONTROL;
    uint16_t control = pci_read16(irqs->dev, at);
    pci_write16(irqs->dev, at, (uint16_t)((control & ~clear) | set));
}

unsigned pci_msix_begin(struct pci_irqs *irqs, const char **why)
{
    irqs->capability = pci_find_capability(irqs->dev, PCI_CAP_MSIX);
    if (irqs->capability == 0) {
        *why = "the device has none";
        return 0;
    }
    uint16_t control = pci_read16(irqs->dev, irqs->capability + MSIX_CONTROL);
    unsigned entries = (control & MSIX_LAST_ENTRY) + 1U;
    if (!map_table(irqs, entries)) {
        *why = "its table is where nothing can be mapped";
        return 0;
    }
    pci_let_through(irqs->dev, PCI_COMMAND_MEMORY);
    /* the function's mask holds all back until each entry has its own */
    msix_control(irqs, 0, MSIX_ENABLE | MSIX_FUNCTION_MASK);
    for (unsigned entry = 0; entry < entries; entry++)
        msix_mask(&(struct pci_message){.of = irqs, .entry = entry}, true);
    msix_control(irqs, MSIX_FUNCTION_MASK, 0);
    return entries;
}

void pci_msix_end(struct pci_irqs *irqs)
{
    msix_control(irqs, MSIX_ENABLE, 0);
}

/* ---- MSI ------------------------------------------------------------------------------------- */

static uint16_t msi_control(const struct pci_irqs *irqs)
{
    return pci_read16(irqs->dev, irqs->capability + MSI_CONTROL);
}

/* A register that stands behind the address. */
static unsigned msi_behind(const struct pci_irqs *irqs, unsigned reg)
{
    bool wide = (msi_control(irqs) & MSI_64_BITS) != 0;
    return irqs->capability + reg + (wide ? MSI_WIDE : 0);
}

static void msi_mask(void *data, bool masked)
{
    const struct pci_irqs *irqs = ((struct pci_message *)data)->of;
    unsigned at = msi_behind(irqs, MSI_MASK);
    pci_write32(irqs->dev, at, masked ? UINT32_MAX : UINT32_MAX - 1); /* bit 0 is our message's */
    (void)pci_read32(irqs->dev, at);
}

/* What does not change is not written: the device may be about to send. */
static void msi_write(void *data, uint64_t address, uint32_t value)
{
    const struct pci_irqs *irqs = ((struct pci_message *)data)->of;
    const struct pci_device *dev = irqs->dev;
    unsigned at = irqs->capability;
    uint16_t control = msi_control(irqs);

    if ((control & MSI_64_BITS) != 0)
        pci_write32(dev, at + MSI_ADDRESS_HIGH, (uint32_t)(address >> 32)); /* always the same */
    if (pci_read32(dev, at + MSI_ADDRESS) != (uint32_t)address)
        pci_write32(dev, at + MSI_ADDRESS, (uint32_t)address);
    if (pci_read16(dev, msi_behind(irqs, MSI_DATA)) != (uint16_t)value)
        pci_write16(dev, msi_behind(irqs, MSI_DATA), (uint16_t)value);
    if ((control & MSI_ENABLE) == 0)
        pci_write16(dev, at + MSI_CONTROL, control | MSI_ENABLE);
    (void)msi_control(irqs);
}

const struct irq_msi_ops pci_msi_ops = {.write = msi_write, .mask = msi_mask};
const struct irq_msi_ops pci_msi_ops_no_mask = {.write = msi_write};

static void msi_off(struct pci_irqs *irqs)
{
    uint16_t control = msi_control(irqs);
    pci_write16(irqs->dev, irqs->capability + MSI_CONTROL,
                control & (uint16_t) ~(MSI_ENABLE | MSI_MULTIPLE));
}

const struct irq_msi_ops *pci_msi_begin(struct pci_irqs *irqs, const char **why)
{
    irqs->capability = pci_find_capability(irqs->dev, PCI_CAP_MSI);
    if (irqs->capability == 0) {
        *why = "the device has none";
        return NULL;
    }
    msi_off(irqs);
    if ((msi_control(irqs) & MSI_CAN_MASK) == 0)
        return &pci_msi_ops_no_mask;
    msi_mask(&(struct pci_message){.of = irqs}, true);
    return &pci_msi_ops;
}

void pci_msi_end(struct pci_irqs *irqs)
{
    msi_off(irqs);
}

/* ---- both ------------------------------------------------------------------------------------ */

static void switch_off(const struct pci_device *dev, uint8_t capability, unsigned control,
                       uint16_t enable)
{
    uint8_t at = pci_find_capability(dev, capability);
    if (at != 0)
        pci_write16(dev, at + control, pci_read16(dev, at + control) & (uint16_t)~enable);
}

void pci_messages_off(const struct pci_device *dev)
{
    switch_off(dev, PCI_CAP_MSI, MSI_CONTROL, MSI_ENABLE);
    switch_off(dev, PCI_CAP_MSIX, MSIX_CONTROL, MSIX_ENABLE);
}
