// SPDX-License-Identifier: MIT
/*
 * What is in /proc. docs/proc.md lists the files and their fields.
 */
#pragma once

/*
 * Make /proc and all files in it; what cannot be made is missing, and the log says so. `cmdline` is
 * the kernel's command line, and stays.
 * Requires: memfs_init(), the archive unpacked. Context: thread. Sleeps: yes.
 */
void procfs_fill(const char *cmdline);
