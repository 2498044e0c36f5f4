// SPDX-License-Identifier: MIT
/*
 * Paths as programs give them: a string in their memory, and where it begins.
 */
#pragma once

#include <stdint.h>

struct memfs_node;

enum { AT_FDCWD = -100 };

struct user_path {
    char *text;             /* a copy */
    struct memfs_node *dir; /* where it begins, with a reference */
};

/*
 * Take the path at `text`, relative to what `dirfd` stands for (AT_FDCWD: the working directory).
 * Returns: 0; -EBADF, -ENOTDIR (dirfd is of no file that has a name), -EFAULT, -ENAMETOOLONG,
 * -ENOMEM. After 0 user_path_end() gives all back. Context: thread, in a system call.
 */
int user_path_begin(struct user_path *path, int dirfd, uintptr_t text);
void user_path_end(struct user_path *path);
