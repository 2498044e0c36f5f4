// SPDX-License-Identifier: MIT
/*
 * The two kinds of interrupts that devices have here: an I/O APIC's line, and a message that the
 * device itself writes (MSI, MSI-X). Both end as a vector at a Local APIC.
 */
#include "irq/irq_internal.h"

static void line_mask(struct irq_desc *desc, bool masked)
{
    arch_line_mask(desc->hwirq, masked);
}

static void line_route(struct irq_desc *desc, cpu_t cpu, uint8_t vector)
{
    struct arch_line line = {.gsi = desc->hwirq,
                             .level = (desc->status & DESC_LEVEL) != 0,
                             .active_low = (desc->status & DESC_ACTIVE_LOW) != 0};
    arch_line_route(&line, cpu, vector);
}

static bool line_in_flight(struct irq_desc *desc)
{
    return arch_line_in_flight(desc->hwirq);
}

const struct irq_chip irq_chip_ioapic = {
    .name = "IO-APIC", .mask = line_mask, .route = line_route, .in_flight = line_in_flight};

static void msi_mask(struct irq_desc *desc, bool masked)
{
    if (desc->msi->mask != NULL)
        desc->msi->mask(desc->msi_data, masked);
}

static void msi_route(struct irq_desc *desc, cpu_t cpu, uint8_t vector)
{
    struct arch_message message = arch_message(cpu, vector);
    desc->msi->write(desc->msi_data, message.address, message.value);
}

const struct irq_chip irq_chip_msi = {.name = "PCI-MSI", .mask = msi_mask, .route = msi_route};
