// SPDX-License-Identifier: MIT
/*
 * Sets of cores as text, in the two forms of Linux's /proc: a hexadecimal mask in groups of 32
 * cores
 * ("ff,ffffffff"), and a list ("0-3,8").
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 * Source: Linux man-pages, cpuset(7), "Mask format" and "List format"
 */
#pragma once

#include <stddef.h>

#include "lib/cpumask.h"

enum {
    CPUMASK_HEX_MAX = MAX_CPUS / 4 + MAX_CPUS / 32, /* bytes with the terminator */
    CPUMASK_LIST_MAX = MAX_CPUS * 4,                /* the longest: every other core */
};

/*
 * Write the cores 0..cores-1 (cores is 1..MAX_CPUS) of a mask, with as many digits as they need:
 * into the CPUMASK_HEX_MAX or CPUMASK_LIST_MAX bytes at buf, terminated.
 */
void cpumask_format_hex(const struct cpumask *mask, cpu_t cores, char *buf);
void cpumask_format_list(const struct cpumask *mask, cpu_t cores, char *buf);

/*
 * Read a mask of cores 0..cores-1 from the `len` bytes at text; white space around it is passed
 * over. It may be empty: "0"; the list may not.
 * Returns: 0 and *mask; -EINVAL (no such text; *mask is then undefined), and for a core that there
 * is not: hexadecimal -EOVERFLOW, as for a group of more than 8 digits, list -ERANGE.
 */
int cpumask_parse_hex(const char *text, size_t len, cpu_t cores, struct cpumask *mask);
int cpumask_parse_list(const char *text, size_t len, cpu_t cores, struct cpumask *mask);
