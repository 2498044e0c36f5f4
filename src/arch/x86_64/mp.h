// SPDX-License-Identifier: MIT
/*
 * The MP tables of a machine that has no MADT: where they lie, and the switch that they may name.
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
