// SPDX-License-Identifier: MIT
/*
 * ACPI tables: checks, the walk of the root table, and the few fields that the kernel needs.
 *
 * Invariant: a length that a table announces is believed only after it was compared with what the
 * caller can read, and no field is read beyond either. The tables are packed and grew over the
 * years, so fields are read by offset, one by one, and those beyond the end are 0.
 * Source: ACPI specification, "ACPI Software Programming Model"
 */
#include "arch/x86_64/acpi_tables.h"

#include "lib/errno.h"

enum {
    RSDP_ALIGN = 16, /* where in the BIOS areas a root pointer may begin */
    PORT_MAX = 0xffff,
};

/* Offsets in the root pointer. */
enum rsdp_field {
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_LENGTH = 20,
    RSDP_XSDT = 24,
};

/* Offsets in every table's header. */
enum header_field {
    HEADER_LENGTH = 4,
    HEADER_REVISION = 8,
};

/* Offsets in the FADT. */
enum fadt_field {
    FADT_DSDT = 40,
    FADT_SMI_CMD = 48,
    FADT_ACPI_ENABLE = 52,
    FADT_PM1A_EVT = 56,
    FADT_PM1B_EVT = 60,
    FADT_PM1A_CNT = 64,
    FADT_PM1B_CNT = 68,
    FADT_PM_TMR = 76,
    FADT_CENTURY = 108,
    FADT_BOOT_ARCH = 109,
    FADT_FLAGS = 112,
    FADT_RESET_REG = 116,
    FADT_RESET_VALUE = 128,
    FADT_MINOR = 131,
    FADT_MINOR_MASK = 0x0f, /* the other half counts errata */
    FADT_X_DSDT = 140,
    FADT_X_PM1A_EVT = 148,
    FADT_X_PM1B_EVT = 160,
    FADT_X_PM1A_CNT = 172,
    FADT_X_PM1B_CNT = 184,
    FADT_X_PM_TMR = 208,
};

/* Offsets in a Generic Address Structure. */
enum gas_field {
    GAS_SPACE = 0,
    GAS_ADDRESS = 4,
    GAS_BYTES = 12,
};

/* Offsets in the HPET table. */
enum hpet_field {
    HPET_BASE = 40,
    HPET_NUMBER = 52,
    HPET_MINIMUM_TICK = 53,
    HPET_BYTES = 56,
};

bool acpi_checksum_ok(const void *bytes, size_t length)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + acpi_load8(bytes, i));
    return sum == 0;
}

/* ---- root pointer ---------------------------------------------------------------------------- */

/* The part that came with ACPI 2.0: is it there, whole and sound? */
static bool rsdp_has_xsdt(const void *rsdp, size_t available, uint8_t revision)
{
    if (revision < 2 || available < ACPI_RSDP_V2_BYTES)
        return false;
    uint32_t length = acpi_load32(rsdp, RSDP_LENGTH);
    return length >= ACPI_RSDP_V2_BYTES && length <= available && acpi_checksum_ok(rsdp, length);
}

int acpi_rsdp_read(const void *rsdp, size_t available, struct acpi_rsdp_info *out)
{
    static const char signature[8] = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '};

    if (available < ACPI_RSDP_V1_BYTES || memcmp(rsdp, signature, sizeof(signature)) != 0 ||
        !acpi_checksum_ok(rsdp, ACPI_RSDP_V1_BYTES))
        return -EINVAL;

    struct acpi_rsdp_info info = {
        .revision = acpi_load8(rsdp, RSDP_REVISION),
        .rsdt = acpi_load32(rsdp, RSDP_RSDT),
    };
    if (rsdp_has_xsdt(rsdp, available, info.revision))
        info.xsdt = acpi_load64(rsdp, RSDP_XSDT);
    if (info.rsdt == 0 && info.xsdt == 0)
        return -EINVAL;
    *out = info;
    return 0;
}

const void *acpi_find_rsdp_in(const void *area, size_t length)
{
    struct acpi_rsdp_info info;

    for (size_t at = 0; at < length; at += RSDP_ALIGN) {
        const uint8_t *here = (const uint8_t *)area + at;
        if (acpi_rsdp_read(here, length - at, &info) == 0)
            return here;
    }
    return NULL;
}

/* ---- any table ------------------------------------------------------------------------------- */

int acpi_header_read(const void *table, size_t available, struct acpi_header *out)
{
    if (available < ACPI_HEADER_BYTES || acpi_load32(table, HEADER_LENGTH) < ACPI_HEADER_BYTES)
        return -EINVAL;
    memcpy(out->signature, table, ACPI_SIGNATURE_BYTES);
    out->signature[ACPI_SIGNATURE_BYTES] = '\0';
    out->length = acpi_load32(table, HEADER_LENGTH);
    out->revision = acpi_load8(table, HEADER_REVISION);
    return 0;
}

/* Read the header of a table that must lie within `available` and have that signature. */
static int open_table(const void *table, size_t available, const char *signature,
                      struct acpi_header *out)
{
    if (acpi_header_read(table, available, out) != 0 || out->length > available)
        return -EINVAL;
    if (signature != NULL && memcmp(out->signature, signature, ACPI_SIGNATURE_BYTES) != 0)
        return -EINVAL;
    return 0;
}

int acpi_table_check(const void *table, size_t available, const char *signature)
{
    struct acpi_header header;

    if (open_table(table, available, signature, &header) != 0)
        return -EINVAL;
    return acpi_checksum_ok(table, header.length) ? 0 : -EIO;
}

/* ---- root table ------------------------------------------------------------------------------ */

int acpi_root_open(const void *table, size_t available, struct acpi_root *out)
{
    struct acpi_header header;

    if (open_table(table, available, "XSDT", &header) == 0)
        out->entry_bytes = sizeof(uint64_t);
    else if (open_table(table, available, "RSDT", &header) == 0)
        out->entry_bytes = sizeof(uint32_t);
    else
        return -EINVAL;
    out->table = table;
    out->count = (header.length - ACPI_HEADER_BYTES) / out->entry_bytes;
    return 0;
}

paddr_t acpi_root_entry(const struct acpi_root *root, size_t index)
{
    if (index >= root->count)
        return 0;
    size_t offset = ACPI_HEADER_BYTES + index * root->entry_bytes;
    return root->entry_bytes == sizeof(uint64_t) ? acpi_load64(root->table, offset)
                                                 : acpi_load32(root->table, offset);
}

/* ---- FADT ------------------------------------------------------------------------------------ */

/* A table and its length, for fields that may lie beyond the end: those are 0. */
struct span {
    const void *table;
    size_t length;
};

static bool has_field(struct span fadt, size_t offset, size_t bytes)
{
    return offset + bytes <= fadt.length;
}

static uint8_t field8(struct span fadt, size_t offset)
{
    return has_field(fadt, offset, 1) ? acpi_load8(fadt.table, offset) : 0;
}

static uint16_t field16(struct span fadt, size_t offset)
{
    return has_field(fadt, offset, 2) ? acpi_load16(fadt.table, offset) : 0;
}

static uint32_t field32(struct span fadt, size_t offset)
{
    return has_field(fadt, offset, 4) ? acpi_load32(fadt.table, offset) : 0;
}

static uint64_t field64(struct span fadt, size_t offset)
{
    return has_field(fadt, offset, 8) ? acpi_load64(fadt.table, offset) : 0;
}

/* A Generic Address Structure; its address is 0 if it is missing or in a space unknown to us. */
static struct acpi_register read_gas(struct span table, size_t offset)
{
    struct acpi_register none = {0};

    if (!has_field(table, offset, GAS_BYTES))
        return none;
    struct acpi_register found = {.address = acpi_load64(table.table, offset + GAS_ADDRESS)};
    switch (acpi_load8(table.table, offset + GAS_SPACE)) {
    case ACPI_SPACE_MEMORY:
        found.space = ACPI_SPACE_MEMORY;
        return found;
    case ACPI_SPACE_IO:
        found.space = ACPI_SPACE_IO;
        return found.address <= PORT_MAX ? found : none;
    default:
        return none;
    }
}

/* A register block: its extended field if that says anything, else the port in the old one. */
static struct acpi_register read_block(struct span fadt, size_t x_offset, size_t offset)
{
    struct acpi_register block = read_gas(fadt, x_offset);
    uint32_t port = field32(fadt, offset);

    if (block.address == 0 && port <= PORT_MAX)
        block = (struct acpi_register){.address = port, .space = ACPI_SPACE_IO};
    return block;
}

/* On hardware-reduced ACPI these blocks do not exist, whatever the fields hold. */
static void read_blocks(struct span fadt, struct acpi_fadt_info *out)
{
    if ((out->flags & ACPI_FADT_HW_REDUCED_ACPI) != 0)
        return;
    out->smi_cmd = field32(fadt, FADT_SMI_CMD);
    out->acpi_enable = field8(fadt, FADT_ACPI_ENABLE);
    out->pm1a_evt = read_block(fadt, FADT_X_PM1A_EVT, FADT_PM1A_EVT);
    out->pm1b_evt = read_block(fadt, FADT_X_PM1B_EVT, FADT_PM1B_EVT);
    out->pm1a_cnt = read_block(fadt, FADT_X_PM1A_CNT, FADT_PM1A_CNT);
    out->pm1b_cnt = read_block(fadt, FADT_X_PM1B_CNT, FADT_PM1B_CNT);
    out->pm_tmr = read_block(fadt, FADT_X_PM_TMR, FADT_PM_TMR);
    if (out->pm_tmr.address != 0)
        out->pm_tmr_bits = (out->flags & ACPI_FADT_TMR_VAL_EXT) != 0 ? 32 : 24;
}

int acpi_fadt_read(const void *table, size_t available, struct acpi_fadt_info *out)
{
    struct acpi_header header;

    if (open_table(table, available, "FACP", &header) != 0)
        return -EINVAL;
    struct span fadt = {.table = table, .length = header.length};

    memset(out, 0, sizeof(*out));
    out->revision = header.revision;
    out->minor = field8(fadt, FADT_MINOR) & FADT_MINOR_MASK;
    out->flags = field32(fadt, FADT_FLAGS);
    out->boot_arch = header.revision >= 2 ? field16(fadt, FADT_BOOT_ARCH)
                                          : ACPI_BOOT_LEGACY_DEVICES | ACPI_BOOT_8042;
    out->century = field8(fadt, FADT_CENTURY);
    out->dsdt = field64(fadt, FADT_X_DSDT);
    if (out->dsdt == 0)
        out->dsdt = field32(fadt, FADT_DSDT);
    read_blocks(fadt, out);
    if ((out->flags & ACPI_FADT_RESET_REG_SUP) != 0) {
        out->reset = read_gas(fadt, FADT_RESET_REG);
        out->reset_value = field8(fadt, FADT_RESET_VALUE);
    }
    return 0;
}

/* ---- HPET ------------------------------------------------------------------------------------ */

int acpi_hpet_read(const void *table, size_t available, struct acpi_hpet_info *out)
{
    struct acpi_header header;

    if (open_table(table, available, "HPET", &header) != 0 || header.length < HPET_BYTES)
        return -EINVAL;
    struct span hpet = {.table = table, .length = header.length};
    struct acpi_register base = read_gas(hpet, HPET_BASE);

    if (base.address == 0)
        return -EINVAL;
    out->base = base;
    out->number = acpi_load8(table, HPET_NUMBER);
    out->minimum_tick = acpi_load16(table, HPET_MINIMUM_TICK);
    return 0;
}

/* ---- S5 -------------------------------------------------------------------------------------- */

/* Source: ACPI specification, "AML Byte Stream Byte Values" */
enum aml_op {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_NAME = 0x08,
    AML_BYTE = 0x0a,
    AML_WORD = 0x0b,
    AML_DWORD = 0x0c,
    AML_PACKAGE = 0x12,
    AML_ROOT = '\\',
};

/* PkgLength: the two top bits of the first byte count the bytes that follow it. */
enum pkg_length {
    PKG_FOLLOWING_SHIFT = 6,
    PKG_SHORT_MASK = 0x3f, /* nothing follows: the length */
    PKG_LOW_MASK = 0x0f,   /* bytes follow: its low bits */
    PKG_LOW_BITS = 4,
};

enum { SLP_TYP_MAX = 7 }; /* a field of three bits in PM1_CNT */

/* A reader of AML bytes that never leaves [at, end). */
struct aml {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take_byte(struct aml *aml, uint8_t *byte)
{
    if (aml->at >= aml->end)
        return false;
    *byte = *aml->at++;
    return true;
}

/* Take the next bytes if they are `text`. */
static bool take_text(struct aml *aml, const char *text, size_t length)
{
    if ((size_t)(aml->end - aml->at) < length || memcmp(aml->at, text, length) != 0)
        return false;
    aml->at += length;
    return true;
}

/* Take `bytes` bytes (at most 4) as a number, the low one first. */
static bool take_number(struct aml *aml, unsigned bytes, uint32_t *number)
{
    uint8_t byte;

    *number = 0;
    for (unsigned i = 0; i < bytes; i++) {
        if (!take_byte(aml, &byte))
            return false;
        *number |= (uint32_t)byte << (8 * i);
    }
    return true;
}

/* Take a package's length, which counts from its own first byte, and end the reader there. */
static bool take_package_length(struct aml *aml)
{
    const uint8_t *start = aml->at;
    uint8_t lead;
    uint32_t high;

    if (!take_byte(aml, &lead))
        return false;
    unsigned following = lead >> PKG_FOLLOWING_SHIFT;
    if (!take_number(aml, following, &high))
        return false;
    uint32_t length =
        following == 0 ? lead & PKG_SHORT_MASK : (lead & PKG_LOW_MASK) | high << PKG_LOW_BITS;
    if (length > (size_t)(aml->end - start) || length < (size_t)(aml->at - start))
        return false;
    aml->end = start + length;
    return true;
}

/* Take one element of the package: a number that fits SLP_TYP. */
static bool take_sleep_type(struct aml *aml, uint8_t *type)
{
    uint8_t op;
    uint32_t number;

    if (!take_byte(aml, &op))
        return false;
    switch (op) {
    case AML_ZERO:
    case AML_ONE:
        number = op;
        break;
    case AML_BYTE:
    case AML_WORD:
    case AML_DWORD:
        if (!take_number(aml, 1U << (op - AML_BYTE), &number))
            return false;
        break;
    default:
        return false;
    }
    *type = (uint8_t)number;
    return number <= SLP_TYP_MAX;
}

/* Is what follows a NameOp the \_S5_ package? `aml` is a copy: a false start costs nothing. */
static bool read_s5(struct aml aml, uint8_t *typ_a, uint8_t *typ_b)
{
    static const char root[] = {AML_ROOT};
    static const char package[] = {AML_PACKAGE};
    uint8_t count;

    take_text(&aml, root, sizeof(root)); /* optional: in the root scope the name stands alone */
    return take_text(&aml, "_S5_", 4) && take_text(&aml, package, sizeof(package)) &&
           take_package_length(&aml) && take_byte(&aml, &count) && count >= 2 &&
           take_sleep_type(&aml, typ_a) && take_sleep_type(&aml, typ_b);
}

int acpi_find_s5(const void *aml, size_t length, uint8_t *typ_a, uint8_t *typ_b)
{
    struct aml reader = {.at = aml, .end = (const uint8_t *)aml + length};
    uint8_t op, a, b;

    while (take_byte(&reader, &op)) {
        if (op == AML_NAME && read_s5(reader, &a, &b)) {
            *typ_a = a;
            *typ_b = b;
            return 0;
        }
    }
    return -ENOENT;
}
