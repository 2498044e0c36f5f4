// SPDX-License-Identifier: MIT
/*
 * The few ACPI tables that the kernel reads, as pure functions over memory that the caller has
 * mapped. Nothing here follows an address: a table names others by physical address, and the
 * caller decides what is in reach. The MADT has a header of its own, madt.h.
 *
 * The way of a caller: acpi_rsdp_read() gives the root table's address; acpi_header_read() on its
 * first ACPI_HEADER_BYTES gives its length; acpi_table_check() on all of it; acpi_root_open() and
 * acpi_root_entry() then name the other tables, each read in the same two steps.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 * Source: ACPI specification, "ACPI Software Programming Model"
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/text.h"

enum {
    ACPI_RSDP_V1_BYTES = 20,
    ACPI_RSDP_V2_BYTES = 36,
    ACPI_HEADER_BYTES = 36,
    ACPI_SIGNATURE_BYTES = 4,
};

/* Little-endian numbers at any offset of a table: its fields are not aligned. */
static inline uint8_t acpi_load8(const void *table, size_t offset)
{
    return ((const uint8_t *)table)[offset];
}

static inline uint16_t acpi_load16(const void *table, size_t offset)
{
    uint16_t value;
    memcpy(&value, (const uint8_t *)table + offset, sizeof(value));
    return value;
}

static inline uint32_t acpi_load32(const void *table, size_t offset)
{
    uint32_t value;
    memcpy(&value, (const uint8_t *)table + offset, sizeof(value));
    return value;
}

static inline uint64_t acpi_load64(const void *table, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const uint8_t *)table + offset, sizeof(value));
    return value;
}

/* Do the `length` bytes add up to 0 modulo 256? */
bool acpi_checksum_ok(const void *bytes, size_t length);

/* ---- root pointer ---------------------------------------------------------------------------- */

struct acpi_rsdp_info {
    uint8_t revision; /* 0: ACPI 1.0 */
    paddr_t rsdt;     /* 0: none */
    paddr_t xsdt;     /* 0: none; preferred where there is one */
};

/*
 * Check a root pointer of which `available` bytes may be read: signature, length, checksums. If
 * only the part of ACPI 1.0 is sound, or only it is available, the RSDT alone is reported.
 * Returns: 0, or -EINVAL (not a root pointer, a bad checksum, or no root table named).
 * Source: ACPI specification, "Root System Description Pointer (RSDP)"
 */
int acpi_rsdp_read(const void *rsdp, size_t available, struct acpi_rsdp_info *out);

/*
 * Look at each 16th byte of the `length` bytes at `area` for a root pointer that
 * acpi_rsdp_read() accepts. Returns: it, or NULL.
 * Source: ACPI specification, "Finding the RSDP on IA-PC Systems"
 */
const void *acpi_find_rsdp_in(const void *area, size_t length);

/* ---- any table ------------------------------------------------------------------------------- */

struct acpi_header {
    char signature[ACPI_SIGNATURE_BYTES + 1];
    uint32_t length; /* of the whole table in bytes, at least ACPI_HEADER_BYTES */
    uint8_t revision;
};

/*
 * Read a table's header; `available` bytes may be read.
 * Returns: 0, or -EINVAL (fewer than ACPI_HEADER_BYTES available, or a length below that).
 * Source: ACPI specification, "System Description Table Header"
 */
int acpi_header_read(const void *table, size_t available, struct acpi_header *out);

/*
 * Is this a whole table with that signature ("APIC", or NULL for any) and a right checksum, within
 * the `available` bytes?
 * Returns: 0, or -EINVAL (header, length or signature wrong), -EIO (only the checksum is wrong).
 */
int acpi_table_check(const void *table, size_t available, const char *signature);

/* ---- root table ------------------------------------------------------------------------------ */

struct acpi_root {
    const void *table;
    size_t entry_bytes; /* 4 for an RSDT, 8 for an XSDT */
    size_t count;
};

/*
 * Open an RSDT or XSDT, told apart by their signatures. The checksum is acpi_table_check()'s.
 * Returns: 0, or -EINVAL (neither, or its length is impossible or over `available`).
 * Source: ACPI specification, "Root System Description Table (RSDT)", "Extended System
 * Description Table (XSDT)"
 */
int acpi_root_open(const void *table, size_t available, struct acpi_root *out);

/* Physical address of table number `index`; 0 for an index >= count or an empty entry. */
paddr_t acpi_root_entry(const struct acpi_root *root, size_t index);

/* ---- FADT ------------------------------------------------------------------------------------ */

/* Source: ACPI specification, "Generic Address Structure (GAS)" */
enum acpi_space {
    ACPI_SPACE_MEMORY = 0,
    ACPI_SPACE_IO = 1,
};

struct acpi_register {
    uint64_t address; /* 0: there is no such register; a port number is at most 0xffff */
    enum acpi_space space;
};

/* Bits of acpi_fadt_info.flags that the kernel looks at. */
enum acpi_fadt_flags {
    ACPI_FADT_TMR_VAL_EXT = 1 << 8,
    ACPI_FADT_RESET_REG_SUP = 1 << 10,
    ACPI_FADT_HW_REDUCED_ACPI = 1 << 20,
};

/* Bits of acpi_fadt_info.boot_arch. */
enum acpi_boot_arch {
    ACPI_BOOT_LEGACY_DEVICES = 1 << 0,
    ACPI_BOOT_8042 = 1 << 1,
    ACPI_BOOT_NO_VGA = 1 << 2,
    ACPI_BOOT_NO_MSI = 1 << 3,
    ACPI_BOOT_NO_CMOS_RTC = 1 << 5,
};

struct acpi_fadt_info {
    uint8_t revision; /* of the table: major ... */
    uint8_t minor;    /* ... and minor, 0 where the table is too old to say */
    uint32_t flags;
    uint16_t boot_arch; /* an ACPI 1.0 table has none and means: legacy devices and 8042 */
    uint8_t century;    /* index of the century in the RTC's memory; 0: none */
    uint32_t smi_cmd;   /* port; 0: no System Management Mode, ACPI is always on */
    uint8_t acpi_enable;
    paddr_t dsdt; /* X_DSDT if there is one; 0: none */
    struct acpi_register pm1a_evt;
    struct acpi_register pm1b_evt;
    struct acpi_register pm1a_cnt;
    struct acpi_register pm1b_cnt;
    struct acpi_register pm_tmr;
    uint32_t pm_tmr_bits;       /* 24 or 32; 0 without a timer */
    struct acpi_register reset; /* address 0 unless the flags say that it is supported */
    uint8_t reset_value;
};

/*
 * Read the Fixed ACPI Description Table. Short tables are old ones: what they lack is 0. An
 * extended (X_) field counts only where it is not 0 and in memory or I/O space; else the old one.
 * Returns: 0, or -EINVAL (not a FADT, or its length is impossible or over `available`).
 * Source: ACPI specification, "Fixed ACPI Description Table (FADT)"
 */
int acpi_fadt_read(const void *table, size_t available, struct acpi_fadt_info *out);

/* ---- HPET ------------------------------------------------------------------------------------ */

struct acpi_hpet_info {
    struct acpi_register base; /* of the register block; the kernel can use one in memory only */
    uint16_t minimum_tick;     /* main counter ticks between two periodic interrupts, at least */
    uint8_t number;
};

/*
 * Returns: 0, or -EINVAL (not an HPET table, too short, or no address in a known space).
 * Source: IA-PC HPET specification, "The HPET Description Table"
 */
int acpi_hpet_read(const void *table, size_t available, struct acpi_hpet_info *out);

/* ---- S5 -------------------------------------------------------------------------------------- */

/*
 * Find Name(\_S5_, Package{SLP_TYPa, SLP_TYPb, ...}) in a DSDT or SSDT by its bytes, without an
 * interpreter. `aml` may be the table with or without its header. The values are 0..7.
 * Returns: 0 and both values, or -ENOENT (no such object made of plain numbers).
 * Source: ACPI specification, "\_Sx (System States)" and "AML Grammar Definition"
 */
int acpi_find_s5(const void *aml, size_t length, uint8_t *typ_a, uint8_t *typ_b);
