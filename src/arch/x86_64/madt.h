// SPDX-License-Identifier: MIT
/*
 * The Multiple APIC Description Table: which Local APICs, I/O APICs and interrupt lines there are.
 * Pure functions over a table that the caller has mapped and checked with acpi_table_check().
 *
 *     apic_id  the hardware's id of a Local APIC       uid  the number that ACPI objects use for it
 *     gsi      an I/O APIC input, numbered across all  ISA irq  0..15, the PC's old lines
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 * Source: ACPI specification, "Multiple APIC Description Table (MADT)"
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

enum {
    MADT_CPUS_MAX = 1024,
    MADT_IOAPICS_MAX = 16,
    MADT_OVERRIDES_MAX = 32,
    MADT_NMI_SOURCES_MAX = 16,
    MADT_LOCAL_NMIS_MAX = 256,
    MADT_ISA_IRQS = 16,
};

#define MADT_UID_ALL UINT32_MAX /* a Local APIC NMI entry that means every core */

/* ---- entries --------------------------------------------------------------------------------- */

enum madt_type {
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_SOURCE_OVERRIDE = 2,
    MADT_NMI_SOURCE = 3,
    MADT_LOCAL_APIC_NMI = 4,
    MADT_ADDRESS_OVERRIDE = 5,
    MADT_LOCAL_X2APIC = 9,
    MADT_LOCAL_X2APIC_NMI = 10,
};

struct madt_cpu {
    uint32_t apic_id;
    uint32_t uid;
    uint32_t flags; /* MADT_CPU_ENABLED, MADT_CPU_ONLINE_CAPABLE */
};

/* Source: ACPI specification, "Local APIC Flags" */
enum madt_cpu_flags {
    MADT_CPU_ENABLED = 1 << 0,
    MADT_CPU_ONLINE_CAPABLE = 1 << 1,
};

struct madt_ioapic {
    uint32_t id;
    uint32_t gsi_base; /* the gsi of its input 0 */
    paddr_t address;
};

struct madt_override {
    uint8_t bus; /* 0: ISA */
    uint8_t isa_irq;
    uint16_t flags; /* MPS INTI flags: see madt_route() */
    uint32_t gsi;
};

struct madt_nmi_source {
    uint32_t gsi;
    uint16_t flags;
};

struct madt_local_nmi {
    uint32_t uid; /* or MADT_UID_ALL */
    uint16_t flags;
    uint8_t lint; /* 0 or 1 */
};

/* One entry, of whichever kind `type` says (x2APIC kinds use the same members). */
struct madt_entry {
    enum madt_type type;
    size_t offset; /* in the table */
    union {
        struct madt_cpu cpu;               /* MADT_LOCAL_APIC, MADT_LOCAL_X2APIC */
        struct madt_ioapic ioapic;         /* MADT_IO_APIC */
        struct madt_override source;       /* MADT_SOURCE_OVERRIDE */
        struct madt_nmi_source nmi_source; /* MADT_NMI_SOURCE */
        struct madt_local_nmi local_nmi;   /* MADT_LOCAL_APIC_NMI, MADT_LOCAL_X2APIC_NMI */
        paddr_t lapic_address;             /* MADT_ADDRESS_OVERRIDE */
    };
};

struct madt_cursor {
    const uint8_t *table;
    size_t length;
    size_t offset; /* of the next entry; after an error, of the bad one */
};

/*
 * Set the cursor on the first entry. `available` bytes of the table may be read.
 * Returns: 0, or -EINVAL (not a MADT, or its length is impossible or over `available`).
 */
int madt_open(struct madt_cursor *cursor, const void *table, size_t available);

/*
 * The next entry of a known type; others are passed over.
 * Returns: 1 and *out, 0 at the end, or -EINVAL (length of 0, past the end, or too short for its
 * type): cursor->offset names it, and there is no going on.
 */
int madt_next(struct madt_cursor *cursor, struct madt_entry *out);

/* ---- the whole table ------------------------------------------------------------------------- */

/* About 16 KiB: static, never on a stack. */
struct madt_info {
    uint8_t revision;
    paddr_t lapic_address; /* an address override included */
    bool pcat_compat;      /* there are 8259s, to be masked */

    struct madt_cpu cpus[MADT_CPUS_MAX]; /* in the table's order, each apic_id once */
    size_t cpu_count;
    size_t cpus_dropped; /* did not fit */

    struct madt_ioapic ioapics[MADT_IOAPICS_MAX];
    size_t ioapic_count;
    size_t ioapics_dropped;

    struct madt_override overrides[MADT_OVERRIDES_MAX];
    size_t override_count;
    size_t overrides_dropped;

    struct madt_nmi_source nmi_sources[MADT_NMI_SOURCES_MAX];
    size_t nmi_source_count;
    size_t nmi_sources_dropped;

    struct madt_local_nmi local_nmis[MADT_LOCAL_NMIS_MAX];
    size_t local_nmi_count;
    size_t local_nmis_dropped;

    size_t bad_offset; /* of the entry that made no sense; 0: all was read */
};

/*
 * Collect all entries into *out, which need not be initialised. An apic_id listed twice counts
 * once, as enabled if either entry is; apic_id 0xff of a Local APIC entry and 0xffffffff of an
 * x2APIC entry mean nothing and are passed over.
 * Returns: 0, or -EINVAL (madt_open refused: *out is empty; or a bad entry: out->bad_offset names
 * it and what came before it stays).
 */
int madt_collect(const void *table, size_t available, struct madt_info *out);

/* Add one entry by the same rules; whoever reads another table than the MADT collects so too. */
void madt_add(struct madt_info *info, const struct madt_entry *entry);

/* ---- decisions ------------------------------------------------------------------------------- */

enum madt_cpu_state {
    MADT_CPU_START,  /* enabled: start it */
    MADT_CPU_LEAVE,  /* may be plugged in later: leave it alone */
    MADT_CPU_ABSENT, /* a placeholder: there is no such core */
};

/*
 * What to do with a core. The online-capable flag was reserved before ACPI 6.3, so it is looked at
 * only from MADT revision 5 or FADT revision 6.3 on (fadt_major 0: no FADT).
 * Source: ACPI specification, "Local APIC Flags"
 */
enum madt_cpu_state madt_cpu_usable(uint32_t flags, uint8_t madt_revision, uint8_t fadt_major,
                                    uint8_t fadt_minor);

struct madt_route {
    uint32_t gsi;
    bool level;      /* else edge-triggered */
    bool active_low; /* else active high */
};

/*
 * Where ISA irq 0..15 arrives: as the first override for it says, else gsi = irq, edge, high (the
 * ISA bus's default, also for the parts that an override leaves open).
 * Returns: 0, or -EINVAL (isa_irq over 15; *out is untouched).
 * Source: ACPI specification, "Interrupt Source Override Structure", table "MPS INTI Flags"
 */
int madt_route(const struct madt_info *info, uint8_t isa_irq, struct madt_route *out);
