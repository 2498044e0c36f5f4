// SPDX-License-Identifier: MIT
/*
 * A file's state in Linux's layout.
 */
#pragma once

#include <stdint.h>

struct file_stat;
struct memfs_node;

/* Write it to the calling program's memory. Returns: 0, -EFAULT. Context: thread. */
int stat_to_user(const struct file_stat *stat, uintptr_t buf);

/* The same of a node. */
int stat_node_to_user(const struct memfs_node *node, uintptr_t buf);
