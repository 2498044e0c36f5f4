// SPDX-License-Identifier: MIT
/*
 * Intel's Gigabit Ethernet controllers 82540EM (QEMU's e1000) and 82574L (its e1000e).
 */
#pragma once

/* Let PCI's scan find such cards. Context: boot cpu only, before pci_scan(). */
void e1000_register(void);
