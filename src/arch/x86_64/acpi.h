// SPDX-License-Identifier: MIT
/*
 * ACPI without an interpreter: the tables that name this machine's parts, power-off and reset.
 */
#pragma once

#include "arch/arch.h"
#include "arch/x86_64/acpi_tables.h"
#include "arch/x86_64/madt.h"

struct acpi {
    bool present;  /* a root table was found */
    bool has_madt; /* or what stands in for it: the MP tables */
    bool has_fadt, has_hpet, has_s5;
    uint8_t s5_type_a, s5_type_b;
    struct acpi_fadt_info fadt;
    struct acpi_hpet_info hpet;
    struct madt_info madt;
};
extern struct acpi acpi; /* I: filled by acpi_init() */

/*
 * Find the root pointer (from the boot tags, else by scanning), walk the tables and fill `acpi`.
 * What is damaged is named in the log and passed over. Without a MADT the MP tables fill its place.
 * Context: boot cpu only, interrupts off.
 */
void acpi_init(void);
