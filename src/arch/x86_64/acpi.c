// SPDX-License-Identifier: MIT
/*
 * Finding and mapping ACPI tables, and the two things that the machine does through them: S5 and
 * reset. The tables' formats are in acpi_tables.c and madt.c, which are pure; this file only maps
 * memory, logs and writes registers.
 *
 * Source: ACPI specification, "Finding the RSDP on IA-PC Systems", "Fixed Hardware Registers",
 * "Reset Register", "Transitioning from the Working to the Sleeping State".
 */
#include "arch/x86_64/acpi.h"

#include "arch/x86_64/entry.h"
#include "arch/x86_64/io.h"
#include "arch/x86_64/mp.h"
#include "arch/x86_64/paging.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/text.h"

enum {
    TABLE_BYTES_MAX = 16 << 20, /* a longer table is a damaged one */
    ROOT_ENTRIES_MAX = 256,
    EBDA_POINTER = 0x40e, /* real-mode segment of the EBDA */
    EBDA_SCAN_BYTES = 1024,
    BIOS_START = 0xe0000,
    BIOS_END = 0x100000,

    PM1_SCI_EN = 1 << 0,
    PM1_SLP_TYP_SHIFT = 10,
    PM1_SLP_TYP = 7 << PM1_SLP_TYP_SHIFT,
    PM1_SLP_EN = 1 << 13,
    ACPI_ENABLE_WAIT_MS = 3000,
    S5_WAIT_MS = 1000,

    KBC_STATUS = 0x64,
    KBC_INPUT_FULL = 1 << 1,
    KBC_PULSE_RESET = 0xfe,
    RESET_CONTROL = 0xcf9, /* PCI chipsets' reset control register */
    RESET_CONTROL_HARD = 0x02,
    RESET_CONTROL_GO = 0x06,
    RESET_WAIT_MS = 50,
};

struct acpi acpi;

/* ---- finding and reading tables -------------------------------------------------------------- */

static bool rsdp_from_scan(struct acpi_rsdp_info *out)
{
    const void *bios = map_physical(BIOS_START, BIOS_END - BIOS_START, PROT_R);
    const void *low = map_physical(0, PAGE_SIZE, PROT_R);
    const void *found = NULL;
    size_t available = 0;
    if (low != NULL) {
        uint16_t segment;
        memcpy(&segment, (const char *)low + EBDA_POINTER, sizeof(segment));
        paddr_t ebda = (paddr_t)segment << 4;
        const void *area = ebda == 0 ? NULL : map_physical(ebda, EBDA_SCAN_BYTES, PROT_R);
        found = area == NULL ? NULL : acpi_find_rsdp_in(area, EBDA_SCAN_BYTES);
        if (found != NULL)
            available = EBDA_SCAN_BYTES - (size_t)((const char *)found - (const char *)area);
    }
    if (found == NULL && bios != NULL) {
        found = acpi_find_rsdp_in(bios, BIOS_END - BIOS_START);
        if (found != NULL)
            available = BIOS_END - BIOS_START - (size_t)((const char *)found - (const char *)bios);
    }
    return found != NULL && acpi_rsdp_read(found, available, out) == 0;
}

static bool find_rsdp(struct acpi_rsdp_info *out)
{
    if (boot_info.rsdp_length != 0 &&
        acpi_rsdp_read(boot_info.rsdp, boot_info.rsdp_length, out) == 0)
        return true;
    if (boot_info.rsdp_address != 0) {
        const void *rsdp = map_physical(boot_info.rsdp_address, ACPI_RSDP_V2_BYTES, PROT_R);
        if (rsdp != NULL && acpi_rsdp_read(rsdp, ACPI_RSDP_V2_BYTES, out) == 0)
            return true;
    }
    return rsdp_from_scan(out);
}

/* Map a whole table and check it; NULL, with a line in the log, if it is damaged. */
static const void *table_open(paddr_t pa, struct acpi_header *header)
{
    const void *table = map_physical(pa, ACPI_HEADER_BYTES, PROT_R);
    if (table == NULL || acpi_header_read(table, ACPI_HEADER_BYTES, header) != 0 ||
        header->length > TABLE_BYTES_MAX) {
        log_warn("ACPI: no table at %#llx", (unsigned long long)pa);
        return NULL;
    }
    table = map_physical(pa, header->length, PROT_R);
    if (table == NULL || acpi_table_check(table, header->length, NULL) != 0) {
        log_warn("ACPI: table %s at %#llx has a wrong checksum: passed over", header->signature,
                 (unsigned long long)pa);
        return NULL;
    }
    return table;
}

static void read_madt(const void *table, size_t length)
{
    acpi.has_madt = true;
    if (madt_collect(table, length, &acpi.madt) != 0)
        log_warn("ACPI: the MADT makes no sense at byte %zu: what is before it holds",
                 acpi.madt.bad_offset);
}

static void report_lost(void)
{
    size_t lost = acpi.madt.cpus_dropped + acpi.madt.ioapics_dropped + acpi.madt.overrides_dropped +
                  acpi.madt.local_nmis_dropped;
    if (lost != 0)
        log_warn("ACPI: %zu entries of the firmware's table are more than this kernel holds", lost);
}

static void find_s5(const void *table, size_t length)
{
    if (!acpi.has_s5)
        acpi.has_s5 = acpi_find_s5(table, length, &acpi.s5_type_a, &acpi.s5_type_b) == 0;
}

static void read_fadt(const void *table, size_t length)
{
    acpi.has_fadt = acpi_fadt_read(table, length, &acpi.fadt) == 0;
    if (!acpi.has_fadt || acpi.fadt.dsdt == 0)
        return;
    struct acpi_header header;
    const void *dsdt = table_open(acpi.fadt.dsdt, &header);
    if (dsdt != NULL)
        find_s5(dsdt, header.length);
}

static void read_table(paddr_t pa)
{
    struct acpi_header header;
    const void *table = table_open(pa, &header);
    if (table == NULL)
        return;
    /* of several tables of one kind the first counts, as the specification asks of all but SSDTs */
    if (strcmp(header.signature, "APIC") == 0 && !acpi.has_madt)
        read_madt(table, header.length);
    else if (strcmp(header.signature, "FACP") == 0 && !acpi.has_fadt)
        read_fadt(table, header.length);
    else if (strcmp(header.signature, "HPET") == 0 && !acpi.has_hpet)
        acpi.has_hpet = acpi_hpet_read(table, header.length, &acpi.hpet) == 0;
    else if (strcmp(header.signature, "SSDT") == 0)
        find_s5(table, header.length);
}

/* Walk the root table at pa. Returns: false if it is not one, or damaged. */
static bool read_root(paddr_t pa)
{
    struct acpi_header header;
    struct acpi_root root;
    const void *table = pa == 0 ? NULL : table_open(pa, &header);
    if (table == NULL || acpi_root_open(table, header.length, &root) != 0)
        return false;
    for (size_t i = 0; i < root.count && i < ROOT_ENTRIES_MAX; i++) {
        paddr_t entry = acpi_root_entry(&root, i);
        if (entry != 0)
            read_table(entry);
    }
    return true;
}

/* ---- registers ------------------------------------------------------------------------------- */

/* The registers in memory are mapped once, by acpi_init(): the ends of the machine take no lock. */
static volatile uint16_t *pm1a_memory, *pm1b_memory;
static volatile uint8_t *reset_memory;

static volatile void *map_register(const struct acpi_register *reg, size_t bytes)
{
    if (reg->address == 0 || reg->space != ACPI_SPACE_MEMORY)
        return NULL;
    return map_physical(reg->address, bytes, PROT_W | PROT_DEVICE);
}

static void map_registers(void)
{
    pm1a_memory = map_register(&acpi.fadt.pm1a_cnt, sizeof(*pm1a_memory));
    pm1b_memory = map_register(&acpi.fadt.pm1b_cnt, sizeof(*pm1b_memory));
    reset_memory = map_register(&acpi.fadt.reset, sizeof(*reset_memory));
}

static uint16_t pm1_read(const struct acpi_register *reg, const volatile uint16_t *memory)
{
    if (reg->space == ACPI_SPACE_IO)
        return io_in16((uint16_t)reg->address);
    return memory == NULL ? 0 : *memory;
}

static void pm1_write(const struct acpi_register *reg, volatile uint16_t *memory, uint16_t value)
{
    if (reg->space == ACPI_SPACE_IO)
        io_out16((uint16_t)reg->address, value);
    else if (memory != NULL)
        *memory = value;
}

static void read_tables(void)
{
    struct acpi_rsdp_info rsdp;
    if (!find_rsdp(&rsdp)) {
        log_warn("ACPI: no root pointer: this machine cannot power off");
        return;
    }
    acpi.present = read_root(rsdp.xsdt) || read_root(rsdp.rsdt);
    if (!acpi.present)
        log_warn("ACPI: the root table is damaged: this machine cannot power off");
    if (acpi.has_fadt)
        map_registers();
}

void acpi_init(void)
{
    read_tables();
    if (!acpi.has_madt)
        acpi.has_madt = mp_read(&acpi.madt);
    if (!acpi.has_madt)
        log_warn("mp: no %s and no MP table: this machine runs on one core",
                 acpi.present ? "MADT" : "ACPI");
    report_lost();
}

bool arch_may_have(enum arch_legacy device)
{
    uint16_t word = acpi.fadt.boot_arch;
    if (!acpi.has_fadt)
        return true;
    switch (device) {
    case ARCH_LEGACY_8042:
        return (word & ACPI_BOOT_8042) != 0;
    default: /* ARCH_LEGACY_RTC */
        return (word & ACPI_BOOT_NO_CMOS_RTC) == 0;
    }
}

uint8_t arch_rtc_century_index(void)
{
    return acpi.fadt.century;
}

/* The PM1 registers obey only in ACPI mode; the firmware may have left legacy mode on. */
static bool enable_acpi_mode(void)
{
    const struct acpi_fadt_info *fadt = &acpi.fadt;
    if ((pm1_read(&fadt->pm1a_cnt, pm1a_memory) & PM1_SCI_EN) != 0 || fadt->smi_cmd == 0 ||
        fadt->acpi_enable == 0)
        return true;
    io_out8((uint16_t)fadt->smi_cmd, fadt->acpi_enable);
    for (int ms = 0; ms < ACPI_ENABLE_WAIT_MS; ms++) {
        if ((pm1_read(&fadt->pm1a_cnt, pm1a_memory) & PM1_SCI_EN) != 0)
            return true;
        arch_udelay(1000);
    }
    return false;
}

static void sleep_now(const struct acpi_register *control, volatile uint16_t *memory, uint8_t type)
{
    if (control->address == 0)
        return;
    uint32_t value = pm1_read(control, memory) & ~(uint32_t)(PM1_SLP_TYP | PM1_SLP_EN);
    value |= (uint32_t)type << PM1_SLP_TYP_SHIFT;
    pm1_write(control, memory, (uint16_t)value);
    pm1_write(control, memory, (uint16_t)(value | PM1_SLP_EN));
}

int arch_power_off(void)
{
    if (!acpi.has_fadt || !acpi.has_s5 || acpi.fadt.pm1a_cnt.address == 0)
        return -ENODEV;
    if (!enable_acpi_mode())
        return -EIO;
    arch_irq_disable();
    sleep_now(&acpi.fadt.pm1a_cnt, pm1a_memory, acpi.s5_type_a);
    sleep_now(&acpi.fadt.pm1b_cnt, pm1b_memory, acpi.s5_type_b);
    arch_udelay(S5_WAIT_MS * 1000);
    return -EIO;
}

static void reset_by_acpi(void)
{
    const struct acpi_register *reset = &acpi.fadt.reset;
    if (!acpi.has_fadt || reset->address == 0)
        return;
    if (reset->space == ACPI_SPACE_IO)
        io_out8((uint16_t)reset->address, acpi.fadt.reset_value);
    else if (reset_memory != NULL)
        *reset_memory = acpi.fadt.reset_value;
}

static void reset_by_keyboard_controller(void)
{
    for (int i = 0; i < 1000 && (io_in8(KBC_STATUS) & KBC_INPUT_FULL) != 0; i++)
        arch_udelay(10);
    io_out8(KBC_STATUS, KBC_PULSE_RESET);
}

void arch_reset(void)
{
    arch_irq_disable();
    reset_by_acpi();
    arch_udelay(RESET_WAIT_MS * 1000);
    io_out8(RESET_CONTROL, RESET_CONTROL_HARD);
    arch_udelay(50);
    io_out8(RESET_CONTROL, RESET_CONTROL_GO);
    arch_udelay(RESET_WAIT_MS * 1000);
    reset_by_keyboard_controller();
    arch_udelay(RESET_WAIT_MS * 1000);
    arch_halt_forever();
}
