// SPDX-License-Identifier: MIT
/*
 * Each I/O APIC has a window of two registers: an index and the data behind it. They are used as a
 * pair under one lock. A redirection entry is changed in an order in which the line never fires at
 * a half-written target: destination half first, the half with the mask bit last.
 *
 * Source: Intel 82093AA data sheet, "Register Description".
 */
#include "arch/x86_64/ioapic.h"

#include "arch/arch.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic_encode.h"
#include "arch/x86_64/cpus.h"
#include "arch/x86_64/paging.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"

/* clang-format off: fields stand under their register */
enum {
    IOAPIC_WINDOW_BYTES = 0x20,
    IOAPIC_INDEX = 0x00,
    IOAPIC_DATA = 0x10,

    GSI_BASE_MAX = 4096, /* beyond it the MADT is wrong: the irq table is sized by these */

    IOAPIC_REG_VERSION = 0x01,
    IOAPIC_VERSION_MAX_ENTRY_SHIFT = 16,
    IOAPIC_REG_TABLE = 0x10, /* entry n: low half at 0x10 + 2n, high half after it */
};
/* clang-format on */

struct ioapic {
    volatile uint32_t *window; /* I */
    uint32_t gsi_base;         /* I */
    uint32_t inputs;           /* I */
};

static struct spinlock ioapic_lock = SPINLOCK(RANK_IOAPIC, "ioapic");
static struct ioapic ioapics[MADT_IOAPICS_MAX];
static size_t ioapic_count;
static uint32_t gsi_count;

static uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t reg)
{
    ioapic->window[IOAPIC_INDEX / 4] = reg;
    return ioapic->window[IOAPIC_DATA / 4];
}

static void ioapic_write(const struct ioapic *ioapic, uint32_t reg, uint32_t value)
{
    ioapic->window[IOAPIC_INDEX / 4] = reg;
    ioapic->window[IOAPIC_DATA / 4] = value;
}

static void mask_input(const struct ioapic *ioapic, uint32_t input)
{
    uint32_t low = ioapic_read(ioapic, IOAPIC_REG_TABLE + 2 * input);
    ioapic_write(ioapic, IOAPIC_REG_TABLE + 2 * input, low | RTE_MASKED);
}

/* An input that the firmware keeps for system management interrupts is not ours to touch. */
static bool is_smi_input(const struct ioapic *ioapic, uint32_t input)
{
    uint32_t low = ioapic_read(ioapic, IOAPIC_REG_TABLE + 2 * input);
    return (low >> RTE_DELIVERY_SHIFT & RTE_DELIVERY) == APIC_SMI;
}

/* 0: nothing answers there; an empty place reads as all ones on a bus, as 0 in QEMU. */
static uint32_t read_inputs(const struct ioapic *ioapic)
{
    uint32_t version = ioapic_read(ioapic, IOAPIC_REG_VERSION);
    if (version == 0 || version == UINT32_MAX)
        return 0;
    return (version >> IOAPIC_VERSION_MAX_ENTRY_SHIFT & 0xff) + 1;
}

uint32_t ioapic_inputs_at(paddr_t address)
{
    const struct ioapic ioapic = {
        .window = map_physical(address, IOAPIC_WINDOW_BYTES, PROT_W | PROT_DEVICE)};
    return ioapic.window == NULL ? 0 : read_inputs(&ioapic);
}

static void add_ioapic(const struct madt_ioapic *entry)
{
    volatile uint32_t *window =
        map_physical(entry->address, IOAPIC_WINDOW_BYTES, PROT_W | PROT_DEVICE);
    if (window == NULL || entry->gsi_base > GSI_BASE_MAX) {
        log_warn("apic: I/O APIC %u with gsi base %u passed over", entry->id, entry->gsi_base);
        return;
    }
    struct ioapic *ioapic = &ioapics[ioapic_count];
    ioapic->window = window;
    ioapic->gsi_base = entry->gsi_base;
    ioapic->inputs = read_inputs(ioapic);
    if (ioapic->inputs == 0) {
        log_warn("apic: no I/O APIC at %#llx, though the firmware lists one",
                 (unsigned long long)entry->address);
        return;
    }
    for (uint32_t input = 0; input < ioapic->inputs; input++) {
        if (!is_smi_input(ioapic, input))
            mask_input(ioapic, input);
    }
    if (ioapic->gsi_base + ioapic->inputs > gsi_count)
        gsi_count = ioapic->gsi_base + ioapic->inputs;
    ioapic_count++;
    log_info("apic: I/O APIC %u at %#llx, gsi %u to %u", entry->id,
             (unsigned long long)entry->address, ioapic->gsi_base,
             ioapic->gsi_base + ioapic->inputs - 1);
}

void ioapic_init(void)
{
    for (size_t i = 0; i < acpi.madt.ioapic_count; i++)
        add_ioapic(&acpi.madt.ioapics[i]);
}

uint32_t arch_gsi_count(void)
{
    return gsi_count;
}

static const struct ioapic *ioapic_of(uint32_t gsi)
{
    for (size_t i = 0; i < ioapic_count; i++) {
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].inputs)
            return &ioapics[i];
    }
    return NULL;
}

int arch_isa_irq_gsi(uint8_t isa_irq, uint32_t *gsi)
{
    struct madt_route route;
    if (madt_route(&acpi.madt, isa_irq, &route) != 0)
        return -EINVAL;
    *gsi = route.gsi;
    return ioapic_of(route.gsi) != NULL ? 0 : -ENODEV;
}

int arch_isa_irq_route(uint8_t isa_irq, uint8_t vector, cpu_t cpu, uint32_t *gsi)
{
    struct madt_route route;
    if (madt_route(&acpi.madt, isa_irq, &route) != 0)
        return -EINVAL;
    const struct ioapic *ioapic = ioapic_of(route.gsi);
    if (ioapic == NULL)
        return -ENODEV;
    uint32_t input = route.gsi - ioapic->gsi_base;
    uint64_t flags = spin_lock_irqsave(&ioapic_lock);
    mask_input(ioapic, input);
    ioapic_write(ioapic, IOAPIC_REG_TABLE + 2 * input + 1,
                 cpus_apic_id(cpu) << RTE_DESTINATION_SHIFT);
    ioapic_write(ioapic, IOAPIC_REG_TABLE + 2 * input,
                 rte_encode(vector, route.level, route.active_low, false));
    spin_unlock_irqrestore(&ioapic_lock, flags);
    if (gsi != NULL)
        *gsi = route.gsi;
    return 0;
}

int arch_isa_irq_mask(uint8_t isa_irq)
{
    struct madt_route route;
    if (madt_route(&acpi.madt, isa_irq, &route) != 0)
        return -EINVAL;
    const struct ioapic *ioapic = ioapic_of(route.gsi);
    if (ioapic == NULL)
        return -ENODEV;
    uint64_t flags = spin_lock_irqsave(&ioapic_lock);
    mask_input(ioapic, route.gsi - ioapic->gsi_base);
    spin_unlock_irqrestore(&ioapic_lock, flags);
    return 0;
}
