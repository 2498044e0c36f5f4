// SPDX-License-Identifier: MIT
/*
 * The floating pointer, the table behind it, and the machines that need no table.
 *
 * Invariant: an entry is read only when all of it lies inside the table. An entry's length is given
 * by its type alone, so after one of an unknown type nothing more can be trusted; what came before
 * it stays good. The header's count of entries is not looked at: the length is under the checksum
 * and says the same.
 *
 * The table is read twice, first for the parts and then for the lines between them: the book asks
 * for that order in the table, but nothing enforces it.
 * Source: Intel MultiProcessor Specification 1.4, "MP Configuration Table"
 */
#include "arch/x86_64/mptable.h"

#include "arch/x86_64/acpi_tables.h"
#include "lib/errno.h"
#include "lib/text.h"

/* The BIOS data area's words, and what they may say. */
enum bda_field {
    BDA_EBDA_SEGMENT = 0x40e,
    BDA_BASE_MEMORY_KIB = 0x413,
    BASE_MEMORY_KIB_MAX = 640,
    SCAN_BYTES = 1024,
    BIOS_START = 0xf0000,
    BIOS_BYTES = 0x10000,
};

/* Source: MP Specification, "MP Floating Pointer Structure" */
enum pointer_field {
    POINTER_TABLE = 4,
    POINTER_LENGTH = 8, /* in units of POINTER_ALIGN */
    POINTER_CONFIG = 11,
    POINTER_FEATURES = 12,
    FEATURE_IMCR = 1 << 7,
    POINTER_BYTES = 16,
    POINTER_ALIGN = 16,
};

/* Source: MP Specification, "MP Configuration Table Header" */
enum header_field {
    HEADER_LENGTH = 4,
    HEADER_LAPIC_ADDRESS = 36,
};

/* Source: MP Specification, "Base MP Configuration Table Entries", and a section for each */
enum entry_type {
    ENTRY_PROCESSOR = 0,
    ENTRY_BUS = 1,
    ENTRY_IOAPIC = 2,
    ENTRY_LINE = 3,
    ENTRY_LOCAL_LINE = 4,
    ENTRY_TYPES,
};

static const uint8_t entry_bytes[ENTRY_TYPES] = {
    [ENTRY_PROCESSOR] = 20, [ENTRY_BUS] = 8,        [ENTRY_IOAPIC] = 8,
    [ENTRY_LINE] = 8,       [ENTRY_LOCAL_LINE] = 8,
};

enum processor_field {
    PROCESSOR_APIC_ID = 1,
    PROCESSOR_FLAGS = 3,
    PROCESSOR_ENABLED = 1 << 0, /* the next bit marks the boot core, which knows it by itself */
};

enum bus_field {
    BUS_ID = 1,
    BUS_TYPE = 2, /* six letters, filled up with blanks */
};

enum ioapic_field {
    IOAPIC_ID = 1,
    IOAPIC_FLAGS = 3,
    IOAPIC_ENABLED = 1 << 0,
    IOAPIC_ADDRESS = 4,
};

/* The same for both kinds of line. */
enum line_field {
    LINE_TYPE = 1,
    LINE_TYPE_INT = 0,
    LINE_TYPE_NMI = 1,
    LINE_FLAGS = 2, /* as the MADT's "MPS INTI Flags", which are named after these */
    LINE_BUS = 4,
    LINE_BUS_IRQ = 5,
    LINE_APIC = 6,
    LINE_APIC_ALL = 0xff,
    LINE_INPUT = 7,
};

enum {
    BUS_IDS = 256,
    DEFAULT_CONFIGS = 7,
    DEFAULT_IOAPIC_ID = 2,
};
#define DEFAULT_LAPIC_ADDRESS 0xfee00000
#define DEFAULT_IOAPIC_ADDRESS 0xfec00000

/* ---- the floating pointer -------------------------------------------------------------------- */

size_t mptable_places(const void *bda, struct mptable_place out[MPTABLE_PLACES])
{
    paddr_t ebda = (paddr_t)acpi_load16(bda, BDA_EBDA_SEGMENT) << 4;
    uint16_t base_kib = acpi_load16(bda, BDA_BASE_MEMORY_KIB);
    size_t count = 0;

    if (ebda != 0 && ebda < BIOS_START)
        out[count++] = (struct mptable_place){ebda, SCAN_BYTES};
    if (base_kib != 0 && base_kib <= BASE_MEMORY_KIB_MAX)
        out[count++] = (struct mptable_place){(paddr_t)(base_kib - 1) << 10, SCAN_BYTES};
    out[count++] = (struct mptable_place){BIOS_START, BIOS_BYTES};
    return count;
}

static bool pointer_ok(const uint8_t *pointer, size_t available)
{
    if (memcmp(pointer, "_MP_", 4) != 0)
        return false;
    size_t length = (size_t)pointer[POINTER_LENGTH] * POINTER_ALIGN;
    if (length < POINTER_BYTES || length > available || !acpi_checksum_ok(pointer, length))
        return false;
    return pointer[POINTER_CONFIG] == 0 ? acpi_load32(pointer, POINTER_TABLE) != 0
                                        : pointer[POINTER_CONFIG] <= DEFAULT_CONFIGS;
}

int mptable_find_pointer(const void *area, size_t length, struct mptable_pointer *out)
{
    for (size_t at = 0; at + POINTER_BYTES <= length; at += POINTER_ALIGN) {
        const uint8_t *pointer = (const uint8_t *)area + at;
        if (!pointer_ok(pointer, length - at))
            continue;
        out->table = acpi_load32(pointer, POINTER_TABLE);
        out->default_config = pointer[POINTER_CONFIG];
        out->imcr = (pointer[POINTER_FEATURES] & FEATURE_IMCR) != 0;
        return 0;
    }
    return -ENOENT;
}

/* ---- the parts ------------------------------------------------------------------------------- */

struct collection {
    struct madt_info *info;
    mptable_inputs *inputs;
    uint32_t next_gsi;
    bool isa_bus[BUS_IDS]; /* by bus id: ISA or EISA */
};

static void add_processor(struct collection *to, const uint8_t *entry)
{
    bool enabled = (entry[PROCESSOR_FLAGS] & PROCESSOR_ENABLED) != 0;
    struct madt_entry cpu = {.type = MADT_LOCAL_APIC};

    cpu.cpu.apic_id = entry[PROCESSOR_APIC_ID];
    cpu.cpu.uid = entry[PROCESSOR_APIC_ID];
    cpu.cpu.flags = enabled ? MADT_CPU_ENABLED : 0;
    madt_add(to->info, &cpu);
}

static void add_bus(struct collection *to, const uint8_t *entry)
{
    to->isa_bus[entry[BUS_ID]] =
        memcmp(entry + BUS_TYPE, "ISA   ", 6) == 0 || memcmp(entry + BUS_TYPE, "EISA  ", 6) == 0;
}

static void add_ioapic(struct collection *to, const uint8_t *entry)
{
    struct madt_entry ioapic = {.type = MADT_IO_APIC};

    if ((entry[IOAPIC_FLAGS] & IOAPIC_ENABLED) == 0)
        return;
    ioapic.ioapic.id = entry[IOAPIC_ID];
    ioapic.ioapic.address = acpi_load32(entry, IOAPIC_ADDRESS);
    ioapic.ioapic.gsi_base = to->next_gsi;
    /* one that does not fit is not driven: asking it would give gsis to nobody */
    if (to->info->ioapic_count < MADT_IOAPICS_MAX)
        to->next_gsi += to->inputs(ioapic.ioapic.address);
    madt_add(to->info, &ioapic);
}

static void add_part(struct collection *to, const uint8_t *entry)
{
    switch (entry[0]) {
    case ENTRY_PROCESSOR:
        add_processor(to, entry);
        break;
    case ENTRY_BUS:
        add_bus(to, entry);
        break;
    case ENTRY_IOAPIC:
        add_ioapic(to, entry);
        break;
    default:
        break;
    }
}

/* ---- the lines ------------------------------------------------------------------------------- */

/* The gsi of an I/O APIC's input; false if there is no such I/O APIC, or input. */
static bool find_gsi(const struct collection *in, uint8_t ioapic_id, uint8_t input, uint32_t *gsi)
{
    const struct madt_info *info = in->info;

    for (size_t i = 0; i < info->ioapic_count; i++) {
        if (info->ioapics[i].id != ioapic_id && ioapic_id != LINE_APIC_ALL)
            continue;
        uint32_t end = i + 1 < info->ioapic_count ? info->ioapics[i + 1].gsi_base : in->next_gsi;
        *gsi = info->ioapics[i].gsi_base + input;
        return *gsi < end;
    }
    return false;
}

static void add_line(struct collection *to, const uint8_t *entry)
{
    struct madt_entry line = {.type = MADT_SOURCE_OVERRIDE};
    uint16_t flags = acpi_load16(entry, LINE_FLAGS);
    uint32_t gsi;

    if (!find_gsi(to, entry[LINE_APIC], entry[LINE_INPUT], &gsi))
        return;
    if (entry[LINE_TYPE] == LINE_TYPE_NMI) {
        line.type = MADT_NMI_SOURCE;
        line.nmi_source = (struct madt_nmi_source){.gsi = gsi, .flags = flags};
        madt_add(to->info, &line);
    } else if (entry[LINE_TYPE] == LINE_TYPE_INT && to->isa_bus[entry[LINE_BUS]] &&
               entry[LINE_BUS_IRQ] < MADT_ISA_IRQS) {
        line.source = (struct madt_override){
            .isa_irq = entry[LINE_BUS_IRQ], .flags = flags, .gsi = gsi}; /* bus 0 is ISA there */
        madt_add(to->info, &line);
    }
}

static void add_local_line(struct collection *to, const uint8_t *entry)
{
    struct madt_entry line = {.type = MADT_LOCAL_APIC_NMI};
    uint8_t apic_id = entry[LINE_APIC];

    if (entry[LINE_TYPE] != LINE_TYPE_NMI)
        return; /* the 8259s' line is of no use to a kernel that masks them */
    line.local_nmi.uid = apic_id == LINE_APIC_ALL ? MADT_UID_ALL : apic_id;
    line.local_nmi.flags = acpi_load16(entry, LINE_FLAGS);
    line.local_nmi.lint = entry[LINE_INPUT];
    madt_add(to->info, &line);
}

static void add_any_line(struct collection *to, const uint8_t *entry)
{
    if (entry[0] == ENTRY_LINE)
        add_line(to, entry);
    else if (entry[0] == ENTRY_LOCAL_LINE)
        add_local_line(to, entry);
}

/* ---- the table ------------------------------------------------------------------------------- */

int mptable_length(const void *header, size_t *length)
{
    if (memcmp(header, "PCMP", 4) != 0)
        return -EINVAL;
    *length = acpi_load16(header, HEADER_LENGTH);
    return *length < MPTABLE_HEADER_BYTES ? -EINVAL : 0;
}

/* How far the entries make sense. */
static size_t sound_bytes(const uint8_t *table, size_t length)
{
    size_t at = MPTABLE_HEADER_BYTES;

    while (at < length && table[at] < ENTRY_TYPES && entry_bytes[table[at]] <= length - at)
        at += entry_bytes[table[at]];
    return at;
}

static void each_entry(const uint8_t *table, size_t end, struct collection *to,
                       void (*add)(struct collection *to, const uint8_t *entry))
{
    for (size_t at = MPTABLE_HEADER_BYTES; at < end; at += entry_bytes[table[at]])
        add(to, table + at);
}

static int check_table(const void *table, size_t available, size_t *length)
{
    if (available < MPTABLE_HEADER_BYTES || mptable_length(table, length) != 0 ||
        *length > available)
        return -EINVAL;
    return acpi_checksum_ok(table, *length) ? 0 : -EIO;
}

int mptable_collect(const void *table, size_t available, mptable_inputs *inputs,
                    struct madt_info *out)
{
    struct collection to = {.info = out, .inputs = inputs};
    size_t length;

    memset(out, 0, sizeof(*out));
    int error = check_table(table, available, &length);
    if (error != 0)
        return error;
    out->lapic_address = acpi_load32(table, HEADER_LAPIC_ADDRESS);
    out->pcat_compat = true; /* the book is about PC/AT-compatible machines only */
    size_t end = sound_bytes(table, length);
    each_entry(table, end, &to, add_part);
    each_entry(table, end, &to, add_any_line);
    if (end == length)
        return 0;
    out->bad_offset = end;
    return -EINVAL;
}

/* ---- the lines of PCI ------------------------------------------------------------------------ */

/* The source of a PCI line: two bits for the pin, five for the slot. */
enum pci_source {
    SOURCE_PIN = 0x03,
    SOURCE_SLOT_SHIFT = 2,
    SOURCE_SLOT = 0x1f,
};

enum line_flags {
    LINE_POLARITY = 0x3,
    LINE_ACTIVE_HIGH = 0x1,
    LINE_TRIGGER = 0xc,
    LINE_EDGE = 0x4,
};

struct pci_collection {
    const uint8_t *table;
    size_t end; /* how far the entries make sense */
    const struct madt_info *info;
    mptable_inputs *inputs;
    struct mptable_pci *out;
    bool pci_bus[BUS_IDS];
};

/* The gsi of `input` of the I/O APIC at this address. */
static bool gsi_at(const struct pci_collection *in, paddr_t address, uint8_t input, uint32_t *gsi)
{
    for (size_t i = 0; i < in->info->ioapic_count; i++) {
        if (in->info->ioapics[i].address == address && input < in->inputs(address)) {
            *gsi = in->info->ioapics[i].gsi_base + input;
            return true;
        }
    }
    return false;
}

/* The same for an I/O APIC's id in this table, which need not be the one that the MADT has. */
static bool gsi_of(const struct pci_collection *in, uint8_t ioapic_id, uint8_t input, uint32_t *gsi)
{
    for (size_t at = MPTABLE_HEADER_BYTES; at < in->end; at += entry_bytes[in->table[at]]) {
        const uint8_t *entry = in->table + at;
        if (entry[0] == ENTRY_IOAPIC && (entry[IOAPIC_FLAGS] & IOAPIC_ENABLED) != 0 &&
            (entry[IOAPIC_ID] == ioapic_id || ioapic_id == LINE_APIC_ALL))
            return gsi_at(in, acpi_load32(entry, IOAPIC_ADDRESS), input, gsi);
    }
    return false;
}

static void add_pci_line(struct pci_collection *to, const uint8_t *entry)
{
    uint16_t flags = acpi_load16(entry, LINE_FLAGS);
    uint8_t source = entry[LINE_BUS_IRQ];
    struct mptable_pci_line known, line = {
                                       .bus = entry[LINE_BUS],
                                       .slot = source >> SOURCE_SLOT_SHIFT & SOURCE_SLOT,
                                       .pin = (uint8_t)((source & SOURCE_PIN) + 1),
                                       .level = (flags & LINE_TRIGGER) != LINE_EDGE,
                                       .active_low = (flags & LINE_POLARITY) != LINE_ACTIVE_HIGH,
                                   };

    if (entry[LINE_TYPE] != LINE_TYPE_INT || !to->pci_bus[line.bus] ||
        !gsi_of(to, entry[LINE_APIC], entry[LINE_INPUT], &line.gsi) ||
        mptable_pci_route(to->out, line.bus, line.slot, line.pin, &known) == 0)
        return;
    if (to->out->count == MPTABLE_PCI_LINES_MAX)
        to->out->dropped++;
    else
        to->out->lines[to->out->count++] = line;
}

int mptable_collect_pci(const void *table, size_t available, mptable_inputs *inputs,
                        const struct madt_info *info, struct mptable_pci *out)
{
    struct pci_collection to = {.table = table, .info = info, .inputs = inputs, .out = out};
    size_t length;

    memset(out, 0, sizeof(*out));
    int error = check_table(table, available, &length);
    if (error != 0)
        return error;
    to.end = sound_bytes(table, length);
    for (size_t at = MPTABLE_HEADER_BYTES; at < to.end; at += entry_bytes[to.table[at]]) {
        const uint8_t *entry = to.table + at;
        if (entry[0] == ENTRY_BUS)
            to.pci_bus[entry[BUS_ID]] = memcmp(entry + BUS_TYPE, "PCI   ", 6) == 0;
    }
    for (size_t at = MPTABLE_HEADER_BYTES; at < to.end; at += entry_bytes[to.table[at]]) {
        if (to.table[at] == ENTRY_LINE)
            add_pci_line(&to, to.table + at);
    }
    return to.end == length ? 0 : -EINVAL;
}

int mptable_pci_route(const struct mptable_pci *pci, uint8_t bus, uint8_t slot, uint8_t pin,
                      struct mptable_pci_line *out)
{
    int result = -ENODEV;
    for (size_t i = 0; i < pci->count; i++) {
        const struct mptable_pci_line *line = &pci->lines[i];
        if (line->bus != bus)
            continue;
        result = -ENOENT;
        if (line->slot == slot && line->pin == pin) {
            *out = *line;
            return 0;
        }
    }
    return result;
}

/* ---- machines without one -------------------------------------------------------------------- */

int mptable_default(uint8_t config, struct madt_info *out)
{
    memset(out, 0, sizeof(*out));
    if (config == 0 || config > DEFAULT_CONFIGS)
        return -EINVAL;
    out->lapic_address = DEFAULT_LAPIC_ADDRESS;
    out->pcat_compat = true;
    for (uint32_t id = 0; id < 2; id++)
        out->cpus[out->cpu_count++] =
            (struct madt_cpu){.apic_id = id, .uid = id, .flags = MADT_CPU_ENABLED};
    out->ioapics[out->ioapic_count++] =
        (struct madt_ioapic){.id = DEFAULT_IOAPIC_ID, .address = DEFAULT_IOAPIC_ADDRESS};
    /* the 8259s' line takes input 0, the timer the one that their cascade leaves free */
    out->overrides[out->override_count++] = (struct madt_override){.isa_irq = 0, .gsi = 2};
    out->local_nmis[out->local_nmi_count++] =
        (struct madt_local_nmi){.uid = MADT_UID_ALL, .lint = 1};
    return 0;
}
