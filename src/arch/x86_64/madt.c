// SPDX-License-Identifier: MIT
/*
 * The Multiple APIC Description Table, entry by entry (madt_next) and as a whole (madt_collect).
 *
 * Invariant: an entry is read only when it lies inside the table and is as long as its type needs;
 * after the first that is not, nothing more can be trusted, since each entry's place depends on
 * the one before it. What came before stays good.
 * Source: ACPI specification, "Multiple APIC Description Table (MADT)"
 */
#include "arch/x86_64/madt.h"

#include "arch/x86_64/acpi_tables.h"
#include "lib/errno.h"

/* Offsets in the table. */
enum madt_field {
    FIELD_LAPIC_ADDRESS = 36,
    FIELD_FLAGS = 40,
    FLAG_PCAT_COMPAT = 1 << 0,
    FIELD_ENTRIES = 44,
};

/* Offsets in each entry; the rest depends on its type. */
enum entry_field {
    ENTRY_TYPE = 0,
    ENTRY_LENGTH = 1,
    ENTRY_BODY = 2,
};

/* Source: ACPI specification, "Processor Local APIC Structure" */
enum local_apic_field {
    LOCAL_APIC_UID = 2,
    LOCAL_APIC_ID = 3,
    LOCAL_APIC_FLAGS = 4,
    LOCAL_APIC_BYTES = 8,
};

/* Source: ACPI specification, "I/O APIC Structure" */
enum io_apic_field {
    IO_APIC_ID = 2,
    IO_APIC_ADDRESS = 4,
    IO_APIC_GSI_BASE = 8,
    IO_APIC_BYTES = 12,
};

/* Source: ACPI specification, "Interrupt Source Override Structure" */
enum source_override_field {
    SOURCE_OVERRIDE_BUS = 2,
    SOURCE_OVERRIDE_IRQ = 3,
    SOURCE_OVERRIDE_GSI = 4,
    SOURCE_OVERRIDE_FLAGS = 8,
    SOURCE_OVERRIDE_BYTES = 10,
};

/* Source: ACPI specification, "Non-Maskable Interrupt (NMI) Source Structure" */
enum nmi_source_field {
    NMI_SOURCE_FLAGS = 2,
    NMI_SOURCE_GSI = 4,
    NMI_SOURCE_BYTES = 8,
};

/* Source: ACPI specification, "Local APIC NMI Structure" */
enum local_apic_nmi_field {
    LOCAL_APIC_NMI_UID = 2,
    LOCAL_APIC_NMI_FLAGS = 3,
    LOCAL_APIC_NMI_LINT = 5,
    LOCAL_APIC_NMI_BYTES = 6,
};

/* Source: ACPI specification, "Local APIC Address Override Structure" */
enum address_override_field {
    ADDRESS_OVERRIDE_ADDRESS = 4,
    ADDRESS_OVERRIDE_BYTES = 12,
};

/* Source: ACPI specification, "Processor Local x2APIC Structure" */
enum local_x2apic_field {
    LOCAL_X2APIC_ID = 4,
    LOCAL_X2APIC_FLAGS = 8,
    LOCAL_X2APIC_UID = 12,
    LOCAL_X2APIC_BYTES = 16,
};

/* Source: ACPI specification, "Local x2APIC NMI Structure" */
enum local_x2apic_nmi_field {
    LOCAL_X2APIC_NMI_FLAGS = 2,
    LOCAL_X2APIC_NMI_UID = 4,
    LOCAL_X2APIC_NMI_LINT = 8,
    LOCAL_X2APIC_NMI_BYTES = 12,
};

enum {
    APIC_ID_NONE = 0xff,   /* "every core": no core's own id */
    UID_ALL_SHORT = 0xff,  /* "every core" in the one-byte uid of a Local APIC NMI entry */
    MADT_REVISION_6_3 = 5, /* the revision that ACPI 6.3 gave this table */
};

#define X2APIC_ID_NONE UINT32_MAX

/* Source: ACPI specification, table "MPS INTI Flags" */
enum inti_flags {
    INTI_POLARITY_MASK = 0x3,
    INTI_POLARITY_LOW = 0x3,
    INTI_TRIGGER_MASK = 0xc,
    INTI_TRIGGER_LEVEL = 0xc,
};

/* ---- entries --------------------------------------------------------------------------------- */

static void read_local_apic(const uint8_t *from, struct madt_entry *out)
{
    out->cpu.uid = acpi_load8(from, LOCAL_APIC_UID);
    out->cpu.apic_id = acpi_load8(from, LOCAL_APIC_ID);
    out->cpu.flags = acpi_load32(from, LOCAL_APIC_FLAGS);
}

static void read_io_apic(const uint8_t *from, struct madt_entry *out)
{
    out->ioapic.id = acpi_load8(from, IO_APIC_ID);
    out->ioapic.address = acpi_load32(from, IO_APIC_ADDRESS);
    out->ioapic.gsi_base = acpi_load32(from, IO_APIC_GSI_BASE);
}

static void read_source_override(const uint8_t *from, struct madt_entry *out)
{
    out->source.bus = acpi_load8(from, SOURCE_OVERRIDE_BUS);
    out->source.isa_irq = acpi_load8(from, SOURCE_OVERRIDE_IRQ);
    out->source.gsi = acpi_load32(from, SOURCE_OVERRIDE_GSI);
    out->source.flags = acpi_load16(from, SOURCE_OVERRIDE_FLAGS);
}

static void read_nmi_source(const uint8_t *from, struct madt_entry *out)
{
    out->nmi_source.flags = acpi_load16(from, NMI_SOURCE_FLAGS);
    out->nmi_source.gsi = acpi_load32(from, NMI_SOURCE_GSI);
}

static void read_local_apic_nmi(const uint8_t *from, struct madt_entry *out)
{
    uint8_t uid = acpi_load8(from, LOCAL_APIC_NMI_UID);

    out->local_nmi.uid = uid == UID_ALL_SHORT ? MADT_UID_ALL : uid;
    out->local_nmi.flags = acpi_load16(from, LOCAL_APIC_NMI_FLAGS);
    out->local_nmi.lint = acpi_load8(from, LOCAL_APIC_NMI_LINT);
}

static void read_address_override(const uint8_t *from, struct madt_entry *out)
{
    out->lapic_address = acpi_load64(from, ADDRESS_OVERRIDE_ADDRESS);
}

static void read_local_x2apic(const uint8_t *from, struct madt_entry *out)
{
    out->cpu.apic_id = acpi_load32(from, LOCAL_X2APIC_ID);
    out->cpu.flags = acpi_load32(from, LOCAL_X2APIC_FLAGS);
    out->cpu.uid = acpi_load32(from, LOCAL_X2APIC_UID);
}

static void read_local_x2apic_nmi(const uint8_t *from, struct madt_entry *out)
{
    out->local_nmi.flags = acpi_load16(from, LOCAL_X2APIC_NMI_FLAGS);
    out->local_nmi.uid = acpi_load32(from, LOCAL_X2APIC_NMI_UID);
    out->local_nmi.lint = acpi_load8(from, LOCAL_X2APIC_NMI_LINT);
}

/* The kinds that we know, and how long each is at least. */
static const struct entry_kind {
    enum madt_type type;
    uint8_t min_length;
    void (*read)(const uint8_t *from, struct madt_entry *out);
} kinds[] = {
    {MADT_LOCAL_APIC, LOCAL_APIC_BYTES, read_local_apic},
    {MADT_IO_APIC, IO_APIC_BYTES, read_io_apic},
    {MADT_SOURCE_OVERRIDE, SOURCE_OVERRIDE_BYTES, read_source_override},
    {MADT_NMI_SOURCE, NMI_SOURCE_BYTES, read_nmi_source},
    {MADT_LOCAL_APIC_NMI, LOCAL_APIC_NMI_BYTES, read_local_apic_nmi},
    {MADT_ADDRESS_OVERRIDE, ADDRESS_OVERRIDE_BYTES, read_address_override},
    {MADT_LOCAL_X2APIC, LOCAL_X2APIC_BYTES, read_local_x2apic},
    {MADT_LOCAL_X2APIC_NMI, LOCAL_X2APIC_NMI_BYTES, read_local_x2apic_nmi},
};

static const struct entry_kind *find_kind(uint8_t type)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].type == (enum madt_type)type)
            return &kinds[i];
    }
    return NULL;
}

int madt_open(struct madt_cursor *cursor, const void *table, size_t available)
{
    struct acpi_header header;

    if (acpi_header_read(table, available, &header) != 0 || header.length > available ||
        header.length < FIELD_ENTRIES || strcmp(header.signature, "APIC") != 0)
        return -EINVAL;
    cursor->table = table;
    cursor->length = header.length;
    cursor->offset = FIELD_ENTRIES;
    return 0;
}

int madt_next(struct madt_cursor *cursor, struct madt_entry *out)
{
    while (cursor->offset < cursor->length) {
        const uint8_t *entry = cursor->table + cursor->offset;
        size_t left = cursor->length - cursor->offset;

        if (left < ENTRY_BODY || entry[ENTRY_LENGTH] < ENTRY_BODY || entry[ENTRY_LENGTH] > left)
            return -EINVAL;
        const struct entry_kind *kind = find_kind(entry[ENTRY_TYPE]);
        if (kind != NULL && entry[ENTRY_LENGTH] < kind->min_length)
            return -EINVAL;
        if (kind != NULL) {
            memset(out, 0, sizeof(*out));
            out->type = kind->type;
            out->offset = cursor->offset;
            kind->read(entry, out);
        }
        cursor->offset += entry[ENTRY_LENGTH];
        if (kind != NULL)
            return 1;
    }
    return 0;
}

/* ---- the whole table ------------------------------------------------------------------------- */

static struct madt_cpu *find_cpu(struct madt_info *info, uint32_t apic_id)
{
    for (size_t i = 0; i < info->cpu_count; i++) {
        if (info->cpus[i].apic_id == apic_id)
            return &info->cpus[i];
    }
    return NULL;
}

/* Of two entries for one core the enabled one tells the truth. */
static void add_cpu(struct madt_info *info, const struct madt_cpu *cpu)
{
    struct madt_cpu *known = find_cpu(info, cpu->apic_id);

    if (known != NULL) {
        if ((known->flags & MADT_CPU_ENABLED) == 0 && (cpu->flags & MADT_CPU_ENABLED) != 0)
            *known = *cpu;
    } else if (info->cpu_count < MADT_CPUS_MAX) {
        info->cpus[info->cpu_count++] = *cpu;
    } else {
        info->cpus_dropped++;
    }
}

static void add_ioapic(struct madt_info *info, const struct madt_ioapic *ioapic)
{
    if (info->ioapic_count < MADT_IOAPICS_MAX)
        info->ioapics[info->ioapic_count++] = *ioapic;
    else
        info->ioapics_dropped++;
}

static void add_override(struct madt_info *info, const struct madt_override *source)
{
    if (info->override_count < MADT_OVERRIDES_MAX)
        info->overrides[info->override_count++] = *source;
    else
        info->overrides_dropped++;
}

static void add_nmi_source(struct madt_info *info, const struct madt_nmi_source *nmi)
{
    if (info->nmi_source_count < MADT_NMI_SOURCES_MAX)
        info->nmi_sources[info->nmi_source_count++] = *nmi;
    else
        info->nmi_sources_dropped++;
}

static void add_local_nmi(struct madt_info *info, const struct madt_local_nmi *nmi)
{
    if (info->local_nmi_count < MADT_LOCAL_NMIS_MAX)
        info->local_nmis[info->local_nmi_count++] = *nmi;
    else
        info->local_nmis_dropped++;
}

void madt_add(struct madt_info *info, const struct madt_entry *entry)
{
    switch (entry->type) {
    case MADT_LOCAL_APIC:
        if (entry->cpu.apic_id != APIC_ID_NONE)
            add_cpu(info, &entry->cpu);
        break;
    case MADT_LOCAL_X2APIC:
        if (entry->cpu.apic_id != X2APIC_ID_NONE)
            add_cpu(info, &entry->cpu);
        break;
    case MADT_IO_APIC:
        add_ioapic(info, &entry->ioapic);
        break;
    case MADT_SOURCE_OVERRIDE:
        add_override(info, &entry->source);
        break;
    case MADT_NMI_SOURCE:
        add_nmi_source(info, &entry->nmi_source);
        break;
    case MADT_LOCAL_APIC_NMI:
    case MADT_LOCAL_X2APIC_NMI:
        add_local_nmi(info, &entry->local_nmi);
        break;
    case MADT_ADDRESS_OVERRIDE:
        info->lapic_address = entry->lapic_address;
        break;
    }
}

int madt_collect(const void *table, size_t available, struct madt_info *out)
{
    struct madt_cursor cursor;
    struct madt_entry entry;
    struct acpi_header header;
    int result;

    memset(out, 0, sizeof(*out));
    if (madt_open(&cursor, table, available) != 0 ||
        acpi_header_read(table, available, &header) != 0)
        return -EINVAL;
    out->revision = header.revision;
    out->lapic_address = acpi_load32(table, FIELD_LAPIC_ADDRESS);
    out->pcat_compat = (acpi_load32(table, FIELD_FLAGS) & FLAG_PCAT_COMPAT) != 0;

    while ((result = madt_next(&cursor, &entry)) > 0)
        madt_add(out, &entry);
    if (result < 0)
        out->bad_offset = cursor.offset;
    return result;
}

/* ---- decisions ------------------------------------------------------------------------------- */

enum madt_cpu_state madt_cpu_usable(uint32_t flags, uint8_t madt_revision, uint8_t fadt_major,
                                    uint8_t fadt_minor)
{
    bool flag_means_something = madt_revision >= MADT_REVISION_6_3 || fadt_major > 6 ||
                                (fadt_major == 6 && fadt_minor >= 3);

    if ((flags & MADT_CPU_ENABLED) != 0)
        return MADT_CPU_START;
    if (flag_means_something && (flags & MADT_CPU_ONLINE_CAPABLE) != 0)
        return MADT_CPU_LEAVE;
    return MADT_CPU_ABSENT;
}

int madt_route(const struct madt_info *info, uint8_t isa_irq, struct madt_route *out)
{
    enum { BUS_ISA = 0 };

    if (isa_irq >= MADT_ISA_IRQS)
        return -EINVAL;
    *out = (struct madt_route){.gsi = isa_irq};
    for (size_t i = 0; i < info->override_count; i++) {
        const struct madt_override *source = &info->overrides[i];
        if (source->bus != BUS_ISA || source->isa_irq != isa_irq)
            continue;
        out->gsi = source->gsi;
        out->level = (source->flags & INTI_TRIGGER_MASK) == INTI_TRIGGER_LEVEL;
        out->active_low = (source->flags & INTI_POLARITY_MASK) == INTI_POLARITY_LOW;
        break;
    }
    return 0;
}
