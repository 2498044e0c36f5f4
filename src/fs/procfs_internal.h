// SPDX-License-Identifier: MIT
/*
 * What procfs.c and procfs_tree.c share; nobody else includes this file.
 */
#pragma once

#include "fs/memfs_internal.h"
#include "fs/procfs.h"

/* What a node of the tree is in /proc, besides what it is there anyhow. */
struct procfs_node {
    const struct procfs_ops *ops; /* I: of a file */
    procfs_target_fn *target;     /* I: of a link */
    void *data;                   /* I: what the two are called with */

    const struct procfs_numbers *children; /* L: tree: which numbers this directory has, or NULL */
    size_t child_count;                    /* L: tree: of them made, those that have ended too */
    size_t sweep_at;                       /* L: tree: when there are so many, look for the ended */

    const struct procfs_numbers
        *owner;    /* I: of a numbered directory and what is in it, else NULL */
    uint64_t mark; /* I: what its number stood for when it was made */

    struct memfs_node *next_removed; /* L: tree */
};

/* Does what the node was made for still exist? Context: thread. */
static inline bool procfs_is_alive(const struct procfs_node *proc)
{
    return proc->owner == NULL || proc->owner->mark(procfs_number(proc->data)) == proc->mark;
}
