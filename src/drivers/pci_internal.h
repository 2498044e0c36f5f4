// SPDX-License-Identifier: MIT
/*
 * What the files of PCI share (pci*.c, and their tests): the registers of the header, and the steps
 * between them. No driver includes it.
 */
#pragma once

#include "drivers/pci.h"
#include "irq/irq.h"

/* clang-format off: fields stand under their register */
/* Source: PCI Local Bus Specification 3.0, 6.1 "Configuration Space Organization", and for the
 * registers of a bridge PCI-to-PCI Bridge Architecture Specification 1.2, 3.2 */
enum pci_register {
    PCI_VENDOR = 0x00,
    PCI_VENDOR_NONE = 0xffff, /* what nobody's answer reads as */
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_COMMAND_IO = 1 << 0,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_INTX_OFF = 1 << 10,
    PCI_STATUS = 0x06,
    PCI_STATUS_CAPABILITIES = 1 << 4,
    PCI_REVISION = 0x08, /* and the class code in the upper three bytes */
    PCI_HEADER_TYPE = 0x0e,
    PCI_HEADER_LAYOUT = 0x7f,
    PCI_HEADER_DEVICE = 0,
    PCI_HEADER_BRIDGE = 1,
    PCI_HEADER_MULTI_FUNCTION = 0x80,
    PCI_BAR0 = 0x10,
    PCI_BAR_IS_IO = 1 << 0,
    PCI_BAR_IO_FLAGS = 0x3,
    PCI_BAR_TYPE = 0x6,
    PCI_BAR_TYPE_64 = 0x4,
    PCI_BAR_PREFETCHABLE = 1 << 3,
    PCI_BAR_MEMORY_FLAGS = 0xf,
    PCI_SECONDARY_BUS = 0x19,   /* of a bridge */
    PCI_SUBORDINATE_BUS = 0x1a, /* of a bridge */
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};
/* clang-format on */

enum {
    PCI_BUSES = 256,
    PCI_SLOTS = 32,
    PCI_FUNCTIONS = 8,
    PCI_DEVICES_MAX = 512, /* more are passed over, in words */
};

/* ---- pci_config.c ---------------------------------------------------------------------------- */

/* Is there configuration mechanism #1, with a host bridge behind it? Context: boot cpu only. */
bool pci_config_present(void);

/* Clear the bits `clear` of the command register, then set `set`, in one step. Context, locks: as
 * pci_read8. */
void pci_command(const struct pci_device *dev, uint16_t clear, uint16_t set);

/* ---- pci_bar.c ------------------------------------------------------------------------------- */

/* Fill dev->bars, of which the header has `count`. Context: boot cpu only. */
void pci_bars_read(struct pci_device *dev, unsigned count);

/* Set bits of the command register, of the device and of the bridges on the way to it, which pass
 * on what they are themselves let do. Context, locks: as pci_read8. */
void pci_let_through(const struct pci_device *dev, uint16_t command);

/* ---- pci_intx.c ------------------------------------------------------------------------------ */

/* Where a device's line arrives, and who said so. */
struct pci_route {
    uint32_t gsi;
    bool active_low;    /* always by level */
    const char *source; /* "the MP table", ... */
};

/*
 * Find the input of the I/O APICs that the device's line arrives at: what the MP table or the
 * chipset's routing registers say, where the interrupt line register agrees.
 * Returns: 0, or -ENODEV: *why says it in words. Context: thread. Locks: pci config.
 */
int pci_intx_route(const struct pci_device *dev, struct pci_route *route, const char **why);

/* ---- pci_msi.c ------------------------------------------------------------------------------- */

/* One message that a device may send: the data of its irq_msi_ops. */
struct pci_message {
    struct pci_irqs *of;
    unsigned entry; /* of the MSI-X table */
    uint32_t irq;
};

struct pci_irqs {
    struct pci_device *dev;
    enum pci_irq_kind kind;
    uint8_t capability; /* the offset of MSI's or MSI-X's */
    unsigned count;
    struct pci_message messages[PCI_IRQS_MAX];
};

extern const struct irq_msi_ops pci_msix_ops;
extern const struct irq_msi_ops pci_msi_ops, pci_msi_ops_no_mask;

/* Turn off what the firmware left on: a device with MSI on may neither use MSI-X nor its line.
 * Context, locks: as pci_read8. */
void pci_messages_off(const struct pci_device *dev);

/*
 * Turn MSI-X on with every entry of the table masked, and off again.
 * Returns: how many entries there are; 0: it cannot be used, which *why says.
 * Context: thread. Locks: pci config, kva.
 */
unsigned pci_msix_begin(struct pci_irqs *irqs, const char **why);
void pci_msix_end(struct pci_irqs *irqs);

/*
 * Prepare MSI for one message; the first ops->write() turns it on, since before that it would send
 * to no sensible address. Returns: the ops that fit it, or NULL: *why. Context, locks: as above.
 */
const struct irq_msi_ops *pci_msi_begin(struct pci_irqs *irqs, const char **why);
void pci_msi_end(struct pci_irqs *irqs);
