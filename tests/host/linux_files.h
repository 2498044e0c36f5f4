// SPDX-License-Identifier: MIT
/*
 * The file calls of the machine that runs the tests, in the kernel's form: -errno for an error, and
 * no name of libc's in sight (this header and the kernel's may be included together). Paths begin
 * at the directory `dir`, a descriptor, or LINUX_ROOT.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINUX_ROOT = -1 };

struct linux_stat {
    uint32_t mode, links;
    uint64_t size, ino;
};

/*
 * Make an empty directory in a tmpfs. Returns: its path, or NULL (there is no tmpfs here, or no
 * right to write to it).
 */
const char *linux_make_place(void);

/* Remove it with all that is in it. */
void linux_remove_place(const char *place);

/* Make that directory this process's root. Returns: false if this user may not, in no way. */
bool linux_enter(const char *place);

long linux_open(int dir, const char *path, unsigned flags, unsigned mode);
void linux_close(int fd);
long linux_read(int fd, void *buf, size_t size);
long linux_write(int fd, const void *buf, size_t size);
long linux_pread(int fd, void *buf, size_t size, int64_t offset);
long linux_pwrite(int fd, const void *buf, size_t size, int64_t offset);
long linux_seek(int fd, int64_t offset, int whence);
long linux_ftruncate(int fd, int64_t size);
long linux_getdents(int fd, void *buf, size_t size);
long linux_fstat(int fd, struct linux_stat *stat);
long linux_getcwd(int fd, char *buf, size_t size);

long linux_stat(int dir, const char *path, bool follow, struct linux_stat *stat);
long linux_mkdir(int dir, const char *path, unsigned mode);
long linux_rmdir(int dir, const char *path);
long linux_unlink(int dir, const char *path);
long linux_rename(int from, const char *old_path, int to, const char *new_path, bool keep);
long linux_link(int from, const char *old_path, bool follow, int to, const char *new_path);
long linux_symlink(const char *target, int dir, const char *path);
long linux_readlink(int dir, const char *path, char *buf, size_t size);
long linux_chmod(int dir, const char *path, unsigned mode);
long linux_truncate(int dir, const char *path, int64_t size);
