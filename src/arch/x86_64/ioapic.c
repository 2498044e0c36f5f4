// SPDX-License-Identifier: MIT
/*
 * Each I/O APIC has a window of two registers: an index and the data behind it. They are used as a
 * pair under one lock. A redirection entry has two halves, written one after the other, while its
 * line may interrupt: arch_line_route() and its caller (irq/affinity.c) see to it that what stands
 * there in between is a good target too.
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

int arch_line_of_isa(uint8_t isa_irq, struct arch_line *line)
{
    struct madt_route route;
    if (madt_route(&acpi.madt, isa_irq, &route) != 0)
        return -EINVAL;
    *line = (struct arch_line){route.gsi, route.level, route.active_low};
    return arch_line_exists(route.gsi) ? 0 : -ENODEV;
}

bool arch_line_exists(uint32_t gsi)
{
    const struct ioapic *ioapic = ioapic_of(gsi);
    if (ioapic == NULL)
        return false;
    uint64_t flags = spin_lock_irqsave(&ioapic_lock);
    bool ours = !is_smi_input(ioapic, gsi - ioapic->gsi_base);
    spin_unlock_irqrestore(&ioapic_lock, flags);
    return ours;
}

/* ---- changing an entry ----------------------------------------------------------------------- */

/* The register number of the entry's low half. */
static uint32_t entry_of(const struct ioapic *ioapic, uint32_t gsi)
{
    return IOAPIC_REG_TABLE + 2 * (gsi - ioapic->gsi_base);
}

void arch_line_route(const struct arch_line *line, cpu_t cpu, uint8_t vector)
{
    const struct ioapic *ioapic = ioapic_of(line->gsi);
    uint32_t reg = entry_of(ioapic, line->gsi);
    uint32_t destination = cpus_apic_id(cpu) << RTE_DESTINATION_SHIFT;
    uint64_t flags = spin_lock_irqsave(&ioapic_lock);
    uint32_t before = ioapic_read(ioapic, reg);
    bool masked = (before & RTE_MASKED) != 0;
    uint32_t low = rte_encode(vector, line->level, line->active_low, masked);
    if ((before & ~(uint32_t)RTE_READ_ONLY) != low)
        ioapic_write(ioapic, reg, low);
    if (ioapic_read(ioapic, reg + 1) != destination)
        ioapic_write(ioapic, reg + 1, destination);
    spin_unlock_irqrestore(&ioapic_lock, flags);
}

void arch_line_mask(uint32_t gsi, bool masked)
{
    const struct ioapic *ioapic = ioapic_of(gsi);
    uint32_t reg = entry_of(ioapic, gsi);
    uint64_t flags = spin_lock_irqsave(&ioapic_lock);
    uint32_t low = ioapic_read(ioapic, reg) & ~(uint32_t)RTE_MASKED;
    ioapic_write(ioapic, reg, masked ? low | RTE_MASKED : low);
    spin_unlock_irqrestore(&ioapic_lock, flags);
}

bool arch_line_in_flight(uint32_t gsi)
{
    const struct ioapic *ioapic = ioapic_of(gsi);
    uint64_t flags = spin_lock_irqsave(&ioapic_lock);
    uint32_t low = ioapic_read(ioapic, entry_of(ioapic, gsi));
    spin_unlock_irqrestore(&ioapic_lock, flags);
    /* of an edge, Remote IRR means nothing */
    return (low & RTE_BUSY) != 0 || ((low & RTE_LEVEL) != 0 && (low & RTE_REMOTE_IRR) != 0);
}

/* ---- who can be addressed, and how ----------------------------------------------------------- */

bool arch_irq_targetable(cpu_t cpu)
{
    return cpus_apic_id(cpu) < APIC_ID_BROADCAST;
}

struct arch_message arch_message(cpu_t cpu, uint8_t vector)
{
    return (struct arch_message){msi_address_encode((uint8_t)cpus_apic_id(cpu)), vector};
}
