// SPDX-License-Identifier: MIT
/*
 * Descriptor tables: small numbers for open files. A table has references, so that the threads of a
 * process can share one. Each call is whole for all who share it.
 *
 * Context: thread, for all of this file. Sleeps: yes. Locks: takes the table's mutex, which is
 * never held while a file is closed.
 */
#pragma once

#include <stdbool.h>

struct file;
struct fd_table;

enum { FD_MAX = 1024 }; /* descriptors are 0..FD_MAX-1 */

/* An empty table with one reference, or NULL without memory. */
struct fd_table *fd_table_create(void);

/* Another reference. Returns: table. */
struct fd_table *fd_table_get(struct fd_table *table);

/* Give a reference back; the last one closes all. NULL is passed over. */
void fd_table_put(struct fd_table *table);

/*
 * A new table that shares the files of descriptors 0..below-1, close-on-exec bits too: below = 3
 * for what exec_ap starts, FD_MAX for all. Returns: the table, or NULL without memory.
 */
struct fd_table *fd_table_copy(struct fd_table *table, int below);

/* The file of a descriptor, with a reference for the caller. Returns: 0 and *file, or -EBADF. */
int fd_get(struct fd_table *table, int fd, struct file **file);

/*
 * Give a file the lowest free descriptor; the table takes the caller's reference over if it worked.
 * Returns: the descriptor; -EMFILE, -ENOMEM.
 */
int fd_install(struct fd_table *table, struct file *file, bool cloexec);

/*
 * The same in two steps, so that open() has its number before it creates or cuts a file. A reserved
 * descriptor is -EBADF to everybody (fd_dup2 onto it: -EBUSY); fd_fill() or fd_unreserve() follows.
 */
int fd_reserve(struct fd_table *table, bool cloexec);
void fd_fill(struct fd_table *table, int fd, struct file *file);
void fd_unreserve(struct fd_table *table, int fd);

/* close(2). Returns: 0, -EBADF. */
int fd_close(struct fd_table *table, int fd);

/*
 * F_DUPFD: a second descriptor for the file of `from`, the lowest free one from `lowest` on.
 * Returns: it; -EBADF, -EINVAL (lowest out of range), -EMFILE, -ENOMEM.
 */
int fd_dup(struct fd_table *table, int from, int lowest, bool cloexec);

/*
 * dup2(2): `to` stands for the file of `from`; what it stood for is closed. If both are the same,
 * nothing changes. Returns: to; -EBADF (also: `to` out of range), -EBUSY, -ENOMEM.
 */
int fd_dup2(struct fd_table *table, int from, int to);

/* dup3(2). Returns: as fd_dup2; -EINVAL if both are the same. */
int fd_dup3(struct fd_table *table, int from, int to, bool cloexec);

/* F_GETFD and F_SETFD. Returns: 0 or 1; 0; -EBADF. */
int fd_get_cloexec(struct fd_table *table, int fd);
int fd_set_cloexec(struct fd_table *table, int fd, bool cloexec);

/* Close what is marked so; close everything. */
void fd_close_on_exec(struct fd_table *table);
void fd_close_all(struct fd_table *table);
