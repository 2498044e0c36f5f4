// SPDX-License-Identifier: MIT
/*
 * Where a device's line arrives. Nothing that a device has says so: its pin (INTA# to INTD#) is
 * wired to something by the board's maker. Three parties know of it, none of them all:
 *
 * - The interrupt line register holds the number that the firmware gave the line at the 8259s. They
 *   are masked here, and the I/O APIC may have the line elsewhere.
 * - The MP table names inputs of the I/O APICs by bus, slot and pin; UEFI has none.
 * - The chipset's registers say where its four or eight PIRQ lines go, but, of slots outside of the
 *   chipset, not which of these a pin is wired to.
 *
 * ACPI knows it too, in _PRT, a program for an interpreter that this kernel has not got. A wrong
 * guess would be a device that never interrupts, or a line held for ever; so a line is used where
 * two of the three agree, and refused in words elsewhere.
 *
 * Source: Intel MultiProcessor Specification 1.4, Appendix D "Multiple I/O APIC Multiple PCI Bus
 * Systems"; PCI-to-PCI Bridge Architecture Specification 1.2, 9.1 "Interrupt Routing"; Intel 82371
 * (PIIX3) data sheet, "PIRQRC[A:D]: PIRQx Route Control Registers", "ELCR1, ELCR2"; Intel ICH9 data
 * sheet, "PIRQ[n]_ROUT", "Chipset Configuration Registers", "APIC Interrupt Mapping"
 */
#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/pci.h"
#include "drivers/pci_internal.h"
#include "lib/errno.h"

enum {
    LINE_LAST = 15, /* of the line register; above: reserved, or 255 for "connected to nothing" */
    CLASS_ISA_BRIDGE = 0x0601,
    VENDOR_INTEL = 0x8086,

    /* PIRQ[A:D] are at 0x60 to 0x63 of PIIX and ICH, PIRQ[E:H] at 0x68 to 0x6b of ICH */
    PIRQ_ROUTE_A = 0x60,
    PIRQ_ROUTE_E = 0x68,
    PIRQ_PER_BLOCK = 4,
    PIRQ_ROUTE_OFF = 1 << 7,
    PIRQ_ROUTE_IRQ = 0xf,

    ELCR = 0x4d0, /* two ports, a bit for each ISA irq: triggered by level */

    ICH_RCBA = 0xf0,
    ICH_RCBA_ENABLED = 1 << 0,
    ICH_ROUTES = 0x3000, /* the page of the chipset configuration registers that has them */
    ICH_ROUTES_BYTES = 0x1000,
    ICH_FIRST_OWN_SLOT = 25, /* from here on slots of bus 0 are functions of the chipset */
    ICH_PIRQ_BITS = 4,       /* of a route register, for each pin */
    ICH_PIRQ_MASK = 0x7,
    ICH_PIRQ_GSI = 16,
};
#define ICH_RCBA_ADDRESS UINT32_C(0xffffc000)

/* D25IR to D31IR, within ICH_ROUTES; D30, the bridge to PCI, has none. */
static const uint16_t ich_route_register[] = {0x150, 0x14c, 0x148, 0x146, 0x144, 0, 0x140};

/* ---- the MP table ---------------------------------------------------------------------------- */

/* A bridge rotates the pins of the slots behind it. */
static uint8_t pin_above(const struct pci_device *dev, uint8_t pin)
{
    return (uint8_t)((pin - 1U + dev->slot) % PCI_PINS + 1U);
}

/* What the table says of the device's pin, or of the pin of the bridge that passes it on. */
static int look_up_mp(const struct pci_device *dev, struct arch_line *line)
{
    uint8_t pin = dev->pin;
    int error = arch_pci_line(dev->bus, dev->slot, pin, line);
    while (error == -ENODEV && dev->bridge != NULL) {
        pin = pin_above(dev, pin);
        dev = dev->bridge;
        error = arch_pci_line(dev->bus, dev->slot, pin, line);
    }
    return error;
}

static int mp_route(const struct pci_device *dev, struct pci_route *route, const char **why)
{
    struct arch_line line;
    if (look_up_mp(dev, &line) != 0) {
        *why = "no MP table names its pin, and no register of the chipset's does";
        return -ENODEV;
    }
    if (!line.level) {
        *why = "the MP table says that its line is edge-triggered";
        return -ENODEV;
    }
    /* the register's numbers are the 8259s', which inputs from 16 on have none of */
    if (line.gsi <= LINE_LAST && line.gsi != dev->line) {
        *why = "the MP table and the interrupt line register disagree";
        return -ENODEV;
    }
    *route = (struct pci_route){
        .gsi = line.gsi, .active_low = line.active_low, .source = "the MP table"};
    return 0;
}

/* ---- the chipset ----------------------------------------------------------------------------- */

/* Does PIRQ `n` (0: A) go to the ISA irq that the line register names? */
static bool pirq_goes_to(const struct pci_device *router, unsigned n, uint8_t isa_irq)
{
    unsigned at = n < PIRQ_PER_BLOCK ? PIRQ_ROUTE_A + n : PIRQ_ROUTE_E + n - PIRQ_PER_BLOCK;
    uint8_t route = pci_read8(router, at);
    return (route & PIRQ_ROUTE_OFF) == 0 && (route & PIRQ_ROUTE_IRQ) == isa_irq;
}

static bool is_level_triggered(uint8_t isa_irq)
{
    return (io_in8((uint16_t)(ELCR + isa_irq / 8)) >> isa_irq % 8 & 1) != 0;
}

/*
 * PIIX: the PIRQ lines become ISA irqs, and those are what the I/O APIC sees too. Which of the four
 * a pin is wired to does not matter: the firmware has given the device an irq that one of them goes
 * to. That it is no ISA device's own, by edges, the 8259s' trigger register says, or the MADT; OVMF
 * leaves the former as it was.
 */
static int piix_route(const struct pci_device *router, const struct pci_device *dev,
                      struct pci_route *route)
{
    struct arch_line line;
    bool routed = false;
    for (unsigned n = 0; n < PIRQ_PER_BLOCK; n++)
        routed = routed || pirq_goes_to(router, n, dev->line);
    if (!routed || arch_line_of_isa(dev->line, &line) != 0)
        return -ENODEV;
    if (!line.level && !is_level_triggered(dev->line))
        return -ENODEV;
    *route = (struct pci_route){.gsi = line.gsi,
                                .active_low = line.level && line.active_low,
                                .source = "the PIIX's routing registers"};
    return 0;
}

/* The page of registers, mapped once. */
static volatile uint8_t *ich_routes(const struct pci_device *router)
{
    static volatile uint8_t *routes;
    uint32_t base = pci_read32(router, ICH_RCBA);
    if (routes == NULL && (base & ICH_RCBA_ENABLED) != 0)
        routes = arch_map_device((base & ICH_RCBA_ADDRESS) + ICH_ROUTES, ICH_ROUTES_BYTES);
    return routes;
}

/*
 * ICH9: PIRQ[A:H] arrive at the I/O APIC's inputs 16 to 23, and as ISA irqs at the 8259s alone.
 * Only of the chipset's own functions do registers say which PIRQ a pin is.
 */
static int ich_route(const struct pci_device *router, const struct pci_device *dev,
                     struct pci_route *route)
{
    if (dev->bus != 0 || dev->slot < ICH_FIRST_OWN_SLOT ||
        ich_route_register[dev->slot - ICH_FIRST_OWN_SLOT] == 0)
        return -ENODEV;
    volatile uint8_t *routes = ich_routes(router);
    if (routes == NULL)
        return -ENODEV;
    unsigned at = ich_route_register[dev->slot - ICH_FIRST_OWN_SLOT];
    uint16_t pins = *(volatile uint16_t *)(routes + at);
    unsigned pirq = pins >> (dev->pin - 1) * ICH_PIRQ_BITS & ICH_PIRQ_MASK;
    if (!pirq_goes_to(router, pirq, dev->line))
        return -ENODEV;
    *route = (struct pci_route){
        .gsi = ICH_PIRQ_GSI + pirq, .active_low = true, .source = "the ICH9's routing registers"};
    return 0;
}

/* The bridges to ISA that route the PIRQ lines. */
static const struct router {
    uint16_t device_id;
    int (*route)(const struct pci_device *router, const struct pci_device *dev,
                 struct pci_route *route);
} routers[] = {
    {0x122e, piix_route}, /* PIIX */
    {0x7000, piix_route}, /* PIIX3 */
    {0x7110, piix_route}, /* PIIX4 */
    {0x2912, ich_route},  /* ICH9DH */
    {0x2914, ich_route},  /* ICH9DO */
    {0x2916, ich_route},  /* ICH9R */
    {0x2917, ich_route},  /* ICH9M-E */
    {0x2918, ich_route},  /* ICH9 */
    {0x2919, ich_route},  /* ICH9M */
};

struct question {
    const struct pci_device *dev;
    struct pci_route *route;
};

/* Ask `at` if it is such a bridge. Returns: 1: it has answered. */
static int ask_router(struct pci_device *at, void *arg)
{
    const struct question *question = arg;
    if (at->vendor_id != VENDOR_INTEL || at->class_code >> 8 != CLASS_ISA_BRIDGE)
        return 0;
    for (size_t i = 0; i < sizeof(routers) / sizeof(routers[0]); i++) {
        if (routers[i].device_id == at->device_id)
            return routers[i].route(at, question->dev, question->route) == 0;
    }
    return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

int pci_intx_route(const struct pci_device *dev, struct pci_route *route, const char **why)
{
    struct question question = {.dev = dev, .route = route};
    if (dev->pin == 0) {
        *why = "the device has no pin";
        return -ENODEV;
    }
    if (dev->line == 0 || dev->line > LINE_LAST) {
        *why = "the firmware connected its pin to nothing";
        return -ENODEV;
    }
    if (mp_route(dev, route, why) == 0 || pci_for_each(ask_router, &question) == 1)
        return 0;
    return -ENODEV;
}
