// SPDX-License-Identifier: MIT
/*
 * Intel's Gigabit Ethernet controllers 82540EM (QEMU's e1000), 82545EM (e1000-82545em, and what
 * other hypervisors call E1000) and 82574L (e1000e).
 */
#pragma once

/* Let PCI's scan find such cards. Context: boot cpu only, before pci_scan(). */
void e1000_register(void);
