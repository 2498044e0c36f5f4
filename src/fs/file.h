// SPDX-License-Identifier: MIT
/*
 * Open files: what a descriptor stands for ("open file description" in POSIX). A struct file has a
 * table of functions, so that a file of the memory file system, an end of a pipe, and a device are
 * used alike; two descriptors that share one (dup, exec, vfork) share its offset and flags.
 *
 * Buffers are addresses of the running program; a copy that meets a bad page ends there: the bytes
 * before it count, and -EFAULT is returned only if there are none. Numbers, flags and records are
 * those of Linux on x86_64.
 *
 * Source: POSIX.1-2017, Base Definitions, "Open File Description"; Linux man-pages, open(2),
 * read(2), lseek(2), getdents(2)
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/mutex.h"

struct memfs_node;

/* Flags of open(2). O_CLOEXEC belongs to the descriptor (fs/fd.h) and is passed over here. */
enum {
    O_RDONLY = 00,
    O_WRONLY = 01,
    O_RDWR = 02,
    O_ACCMODE = 03, /* as a value: neither reading nor writing */
    O_CREAT = 0100,
    O_EXCL = 0200,
    O_NOCTTY = 0400,
    O_TRUNC = 01000,
    O_APPEND = 02000,
    O_NONBLOCK = 04000,
    O_DIRECTORY = 0200000,
    O_NOFOLLOW = 0400000,
    O_CLOEXEC = 02000000,
    O_TMPFILE = 020000000 | O_DIRECTORY, /* not supported: -EOPNOTSUPP */
};

/* The kind of a file, in file_stat.mode, and its permission bits. */
enum {
    S_IFMT = 0170000,
    S_IFIFO = 0010000,
    S_IFCHR = 0020000,
    S_IFDIR = 0040000,
    S_IFREG = 0100000,
    S_IFLNK = 0120000,
    S_MODE_MASK = 07777,
};

enum { FILE_IO_MAX = 0x7ffff000 }; /* bytes of one read or write; more are not asked for */

/* All that struct stat wants. Owner and group are 0. */
struct file_stat {
    uint64_t dev;
    uint64_t ino;
    uint32_t mode; /* S_IF* and permission bits */
    uint32_t links;
    uint64_t rdev;       /* devices: (major << 8 | minor) */
    uint64_t size;       /* bytes */
    uint64_t block_size; /* a good size for one read */
    uint64_t blocks;     /* in use, of 512 bytes */
    uint64_t atime_ns;   /* of wall_clock_ns(), as are the others */
    uint64_t mtime_ns;
    uint64_t ctime_ns;
};

struct file;

/*
 * What a kind of file does. NULL stands for the error in brackets. All are called in a thread, hold
 * no spin lock, and may sleep.
 *
 * read and write get `*position`, use it as the place and move it on by what they return; files
 * without a place (seek is NULL) leave it alone. They get a range that user_range_ok() accepts, of
 * at most FILE_IO_MAX bytes, and only if the file was opened for it.
 */
struct file_ops {
    /* [-EINVAL] Returns: bytes, 0 at the end, or an error. */
    long (*read)(struct file *file, uint64_t *position, uintptr_t buf, size_t size);
    /* [-EINVAL] */
    long (*write)(struct file *file, uint64_t *position, uintptr_t buf, size_t size);
    /* [nothing] Until release_output the caller's writes come out as one: nobody's between them. */
    void (*hold_output)(struct file *file);
    void (*release_output)(struct file *file);
    /* [-EINVAL] A read into the kernel's memory, at any place, whatever the file was opened for. */
    long (*read_kernel)(struct file *file, uint64_t position, void *buf, size_t size);
    /* [-ESPIPE] The new place for lseek's arguments, from the old one. */
    int64_t (*seek)(struct file *file, uint64_t position, int64_t offset, int whence);
    /* [-ENOTTY] `arg` is what the program gave: a number or an address. */
    long (*ioctl)(struct file *file, unsigned command, uintptr_t arg);
    /* [what the node says; without one a character device without a name] */
    int (*stat)(struct file *file, struct file_stat *stat);
    /* [-ENOTDIR] Records of getdents64 from *position on. Returns: their bytes, 0 at the end. */
    long (*getdents)(struct file *file, uint64_t *position, uintptr_t buf, size_t size);
    /* [-EINVAL] */
    int (*truncate)(struct file *file, uint64_t size);
    /* [nothing] The last reference is gone: give back what `data` holds. */
    void (*release)(struct file *file);
};

struct file {
    const struct file_ops *ops; /* I */
    void *data;                 /* I: the kind's own */
    struct memfs_node *node;    /* I: what it was opened by, with a reference; NULL: by no name */
    char *path;                 /* I: as it was given to open(); NULL: by no name */
    _Atomic unsigned flags;     /* O_ACCMODE (I), O_APPEND, O_NONBLOCK */
    _Atomic unsigned refs;
    struct mutex offset_lock; /* held over a read or write that uses and moves `offset` */
    uint64_t offset;          /* L: offset_lock; at most INT64_MAX */
};

/*
 * Make one, with a reference for the caller. From then on ops->release gives `data` back.
 * Returns: the file, or NULL without memory. Context: thread. Sleeps: no.
 */
struct file *file_create(const struct file_ops *ops, void *data, unsigned flags);

/* Another reference. Returns: file. Context: any. */
struct file *file_get(struct file *file);

/* Give a reference back; the last one closes the file. NULL is passed over.
 * Context: thread, no lock held. Sleeps: yes. */
void file_put(struct file *file);

/*
 * read(2), write(2), pread(2), pwrite(2). As on Linux, a pwrite to an O_APPEND file appends.
 * Returns: bytes; -EBADF (not opened for it), -EINVAL (offset negative, or no such thing for
 * this kind), -EFAULT (a size beyond all memory too), -ESPIPE (pread and pwrite: no places),
 * -EISDIR, -EFBIG, -ENOSPC, -EAGAIN, -EPIPE (who calls raises SIGPIPE), and what the kind says.
 * Context: thread. Sleeps: yes. Locks: takes offset_lock (read, write), and the kind's own.
 */
long file_read(struct file *file, uintptr_t buf, size_t size);
long file_write(struct file *file, uintptr_t buf, size_t size);
long file_pread(struct file *file, uintptr_t buf, size_t size, int64_t offset);
long file_pwrite(struct file *file, uintptr_t buf, size_t size, int64_t offset);

/*
 * Read up to `size` bytes from `offset` on into the kernel's memory: for loading programs.
 * Returns: bytes, less only at the end of the file; -EINVAL, -EISDIR. Context: thread. Sleeps: yes.
 */
long file_read_kernel(struct file *file, uint64_t offset, void *buf, size_t size);

/* Is it a file without places, such as a pipe or a terminal? Context: any. */
bool file_is_stream(const struct file *file);

/*
 * What the caller writes to a terminal in between is one write. It may not sleep meanwhile.
 * Context: thread. Sleeps: yes (hold). Locks: the kind's own, until the release.
 */
void file_hold_output(struct file *file);
void file_release_output(struct file *file);

/* lseek(2). Returns: the new offset; -ESPIPE, -EINVAL. */
enum { SEEK_FROM_START, SEEK_FROM_HERE, SEEK_FROM_END };
int64_t file_seek(struct file *file, int64_t offset, int whence);

/* ioctl(2). Returns: as the kind says; -ENOTTY. Context: thread. Sleeps: yes. */
long file_ioctl(struct file *file, unsigned command, uintptr_t arg);

/* fstat(2). Returns: 0. Context: thread. Sleeps: yes. */
int file_get_stat(struct file *file, struct file_stat *stat);

/*
 * getdents64(2): whole records of struct linux_dirent64. An entry that is there all the time is
 * told of exactly once, whatever comes and goes meanwhile. Returns: bytes, 0 at the end; -ENOTDIR,
 * -EINVAL (the next record does not fit), -ENOENT (the directory was removed), -EFAULT.
 */
long file_getdents(struct file *file, uintptr_t buf, size_t size);

/* ftruncate(2). Returns: 0; -EINVAL (negative, not opened for writing, no such thing), -EFBIG. */
int file_truncate(struct file *file, int64_t size);

/* fcntl(2), F_GETFL and F_SETFL: of the flags, O_APPEND and O_NONBLOCK can be changed. */
unsigned file_flags(const struct file *file);
void file_set_flags(struct file *file, unsigned flags);
