// SPDX-License-Identifier: MIT
/*
 * /proc/net: a file for each network card, and the queues of the processes that hear frames.
 */
#pragma once

/* Make the files, for the cards that there are. Context: thread, after procfs_init() and the scan
 * of PCI. Sleeps: yes. */
void procfs_net_create(void);
