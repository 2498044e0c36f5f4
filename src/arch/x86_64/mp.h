// SPDX-License-Identifier: MIT
/*
 * The MP tables: where they lie; what they say of a machine that has no MADT, and the switch that
 * they may name; and what they say of the lines of PCI, which no MADT does.
 */
#pragma once

#include "arch/x86_64/madt.h"

/*
 * Find the MP tables and fill *out with what they say; what is damaged is named in the log. Where
 * they say that the 8259s' line goes past the APICs, it is switched.
 * Returns: false if there are none, or none that can be used.
 * Context: boot cpu only, interrupts off.
 * Source: Intel MultiProcessor Specification 1.4, "MP Configuration Table"
 */
bool mp_read(struct madt_info *out);

/*
 * Read what the MP table, if there is one, says of the lines of PCI, for arch_pci_line(). `info` is
 * where the I/O APICs' gsis are from: the MADT's, or what mp_read() filled.
 * Context: boot cpu only, interrupts off.
 */
void mp_read_pci(const struct madt_info *info);
