// SPDX-License-Identifier: MIT
/*
 * How a device gets its interrupts: as messages if it and the machine can, else by its line. The
 * numbers are the irq core's; what the device must be told is in pci_msi.c, where a line arrives in
 * pci_intx.c.
 */
#include "drivers/pci.h"
#include "drivers/pci_internal.h"
#include "irq/irq.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/heap.h"

/* A message's number for people, unique in the machine: bus, slot, function and entry. */
static uint32_t message_hwirq(const struct pci_device *dev, unsigned entry)
{
    enum { ENTRY_BITS = 11, FUNCTION_BITS = 3, SLOT_BITS = 5 };
    uint32_t place = (uint32_t)dev->bus << (SLOT_BITS + FUNCTION_BITS) |
                     (uint32_t)dev->slot << FUNCTION_BITS | dev->function;
    return place << ENTRY_BITS | entry;
}

static void free_messages(struct pci_irqs *irqs)
{
    for (unsigned i = 0; i < irqs->count; i++)
        irq_free_msi(irqs->messages[i].irq);
    irqs->count = 0;
}

/* Numbers for `max` messages, or for as many as there are. Returns: 0, or why there are fewer than
 * `min`; then there is none. */
static int alloc_messages(struct pci_irqs *irqs, const struct irq_msi_ops *ops, unsigned min,
                          unsigned max)
{
    int irq = 0;
    for (irqs->count = 0; irqs->count < max; irqs->count++) {
        struct pci_message *message = &irqs->messages[irqs->count];
        message->of = irqs;
        message->entry = irqs->count;
        irq = irq_alloc_msi(ops, message, message_hwirq(irqs->dev, irqs->count));
        if (irq < 0)
            break;
        message->irq = (uint32_t)irq;
    }
    if (irqs->count >= min)
        return 0;
    free_messages(irqs);
    return irq < 0 ? irq : -ENOSPC;
}

static const char *trouble(int error)
{
    return error == -ENOSPC ? "too few of them" : "no core can be reached by messages";
}

/* ---- the three ways: each returns 0, or an error that *why explains -------------------------- */

static int use_msix(struct pci_irqs *irqs, unsigned min, unsigned max, const char **why)
{
    unsigned entries = pci_msix_begin(irqs, why);
    if (entries == 0)
        return -ENODEV;
    int error = entries < min
                    ? -ENOSPC
                    : alloc_messages(irqs, &pci_msix_ops, min, max < entries ? max : entries);
    if (error != 0) {
        *why = trouble(error);
        pci_msix_end(irqs);
    }
    return error;
}

static int use_msi(struct pci_irqs *irqs, unsigned min, const char **why)
{
    const struct irq_msi_ops *ops = pci_msi_begin(irqs, why);
    if (ops == NULL)
        return -ENODEV;
    int error = min > 1 ? -ENOSPC : alloc_messages(irqs, ops, 1, 1);
    if (error != 0)
        *why = trouble(error);
    return error;
}

static int use_intx(struct pci_irqs *irqs, unsigned min, struct pci_route *route, const char **why)
{
    if (min > 1) {
        *why = "it is one, and more are needed";
        return -ENOSPC;
    }
    int error = pci_intx_route(irqs->dev, route, why);
    if (error != 0)
        return error;
    int irq = irq_of_gsi(route->gsi, true, route->active_low);
    if (irq < 0) {
        *why = irq == -EBUSY ? "others use that input with another trigger or polarity"
                             : "no I/O APIC has the input that it arrives at";
        return irq;
    }
    irqs->messages[0].irq = (uint32_t)irq;
    irqs->count = 1;
    pci_command(irqs->dev, PCI_COMMAND_INTX_OFF, 0);
    return 0;
}

/* ---- the choice ------------------------------------------------------------------------------ */

struct reasons {
    const char *msix, *msi, *intx;
};

static int choose(struct pci_irqs *irqs, unsigned min, unsigned max, unsigned kinds,
                  struct pci_route *route, struct reasons *why)
{
    int error = -ENODEV, last;

    if ((kinds & PCI_IRQ_MSIX) != 0) {
        irqs->kind = PCI_IRQ_MSIX;
        error = use_msix(irqs, min, max, &why->msix);
        if (error == 0)
            return 0;
    }
    if ((kinds & PCI_IRQ_MSI) != 0) {
        irqs->kind = PCI_IRQ_MSI;
        last = use_msi(irqs, min, &why->msi);
        if (last == 0)
            return 0;
        error = error == -ENODEV ? last : error;
    }
    if ((kinds & PCI_IRQ_INTX) != 0) {
        irqs->kind = PCI_IRQ_INTX;
        last = use_intx(irqs, min, route, &why->intx);
        if (last == 0)
            return 0;
        error = error == -ENODEV ? last : error;
    }
    return error == -ENOSPC ? -ENOSPC : -ENODEV;
}

static void report(const struct pci_irqs *irqs, const struct pci_route *route)
{
    char name[PCI_NAME_BYTES];
    (void)pci_name(irqs->dev, name);
    if (irqs->kind == PCI_IRQ_INTX)
        log_info("pci: %s: interrupts by INT%c#, at gsi %u: %s and the line register agree", name,
                 'A' + irqs->dev->pin - 1, route->gsi, route->source);
    else
        log_info("pci: %s: interrupts by %s, %u message%s", name,
                 irqs->kind == PCI_IRQ_MSIX ? "MSI-X" : "MSI", irqs->count,
                 irqs->count == 1 ? "" : "s");
}

static void report_failure(const struct pci_irqs *irqs, const struct reasons *why)
{
    char name[PCI_NAME_BYTES];
    log_warn("pci: %s: cannot interrupt: MSI-X: %s; MSI: %s; INTx: %s", pci_name(irqs->dev, name),
             why->msix, why->msi, why->intx);
}

int pci_alloc_irqs_by(struct pci_device *dev, unsigned min, unsigned max, unsigned kinds)
{
    struct reasons why = {.msix = "not asked for", .msi = "not asked for", .intx = "not asked for"};
    struct pci_route route = {0};

    ASSERT_THREAD();
    if (min == 0 || max < min || max > PCI_IRQS_MAX || dev->irqs != NULL)
        return -EINVAL;
    struct pci_irqs *irqs = heap_alloc(sizeof(*irqs), ALLOC_KERNEL);
    if (irqs == NULL)
        return -ENOMEM;
    irqs->dev = dev;
    int error = choose(irqs, min, max, kinds, &route, &why);
    if (error != 0) {
        report_failure(irqs, &why);
        heap_free(irqs);
        return error;
    }
    dev->irqs = irqs;
    report(irqs, &route);
    return (int)irqs->count;
}

int pci_alloc_irqs(struct pci_device *dev, unsigned min, unsigned max)
{
    return pci_alloc_irqs_by(dev, min, max, PCI_IRQ_ANY);
}

enum pci_irq_kind pci_irq_kind(const struct pci_device *dev)
{
    return dev->irqs == NULL ? 0 : dev->irqs->kind;
}

uint32_t pci_irq(const struct pci_device *dev, unsigned i)
{
    return dev->irqs->messages[i].irq;
}

unsigned pci_irq_flags(const struct pci_device *dev)
{
    return pci_irq_kind(dev) == PCI_IRQ_INTX ? IRQF_SHARED : 0;
}

void pci_free_irqs(struct pci_device *dev)
{
    struct pci_irqs *irqs = dev->irqs;

    ASSERT_THREAD();
    if (irqs == NULL)
        return;
    if (irqs->kind == PCI_IRQ_INTX) {
        pci_command(dev, 0, PCI_COMMAND_INTX_OFF);
    } else {
        if (irqs->kind == PCI_IRQ_MSIX)
            pci_msix_end(irqs);
        else
            pci_msi_end(irqs);
        free_messages(irqs);
    }
    dev->irqs = NULL;
    heap_free(irqs);
}
