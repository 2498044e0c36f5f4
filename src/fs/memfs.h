// SPDX-License-Identifier: MIT
/*
 * The memory file system: one tree of directories, files, symbolic links and device nodes, filled
 * from the boot archive and changed by programs.
 *
 * Names. Each call that takes a path takes the directory where a path that does not begin with '/'
 * begins (`dir`; NULL is the root): a working directory, or file->node of a dirfd. If it is no
 * directory, such a path is -ENOTDIR; a file without a node (a pipe) is none either, but the caller
 * has to say so. Everything runs as root, so permission bits stop nobody but who executes. The file
 * mode creation mask is applied by the caller.
 *
 * Errors are those of Linux. Each call with a path may return: -ENOENT (nothing there, empty path,
 * a directory that was removed), -ENOTDIR, -ENAMETOOLONG, -ELOOP, and each that makes something
 * -ENOSPC, which is what a full memory is called here (file contents, nodes and names are taken as
 * ALLOC_USER). After an error the tree is what it was before.
 *
 * Life. A node stays as long as it has a name or somebody has a reference (an open file, a working
 * directory). A removed directory is empty, and nothing can be made in it (-ENOENT).
 *
 * A part of the tree is /proc (fs/procfs.h): nothing can be made in it (-ENOENT), taken away
 * (-EPERM), or brought over its border (-EXDEV), and it can neither be removed nor renamed itself
 * (-EBUSY).
 *
 * Context: thread, for all of this file. Sleeps: yes. Locks: takes `tree`, or a node's `lock`,
 * neither of them while it waits for the other (docs/locking.md).
 * Source: POSIX.1-2017, Base Definitions, "Pathname Resolution"; Linux man-pages, section 2
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file;
struct file_stat;
struct memfs_node;

enum {
    MEMFS_NAME_MAX = 255,  /* bytes of one component */
    MEMFS_PATH_MAX = 4095, /* bytes of a path or of a symbolic link's target */
    MEMFS_LINKS_MAX = 40,  /* symbolic links followed for one path */
};

/* Make the root. A second call changes nothing. Returns: 0, -ENOMEM. Sleeps: no. Locks: none. */
int memfs_init(void);

/* ---- nodes ----------------------------------------------------------------------------------- */

/* Another reference, and giving one back (NULL is passed over; no lock held). */
struct memfs_node *memfs_node_get(struct memfs_node *node);
void memfs_node_put(struct memfs_node *node);

/* The root, with a reference for the caller. */
struct memfs_node *memfs_root(void);

/*
 * The directory that a path names, with a reference: for chdir. A file's is file->node: for fchdir
 * and dirfds. Returns: 0 and *out; the errors of a path.
 */
int memfs_lookup_dir(struct memfs_node *dir, const char *path, struct memfs_node **out);

/* Is it a directory? Context: any. */
bool memfs_is_dir(const struct memfs_node *node);

/*
 * getcwd(2): the path of a directory into the `size` bytes at buf (kernel memory), terminated.
 * Returns: its length with the terminator; -ERANGE (does not fit), -ENOENT (removed), -ENOTDIR.
 */
long memfs_get_path(struct memfs_node *dir, char *buf, size_t size);

/* ---- files ----------------------------------------------------------------------------------- */

/*
 * open(2), `mode` for what O_CREAT makes (permission bits). O_CLOEXEC and O_NOCTTY are the
 * caller's. Returns: 0 and *out, with a reference; the errors of a path; -EEXIST (O_EXCL), -EISDIR
 * (writing, O_CREAT or O_TRUNC of a directory), -ENOTDIR (O_DIRECTORY), -ELOOP (O_NOFOLLOW),
 * -EINVAL (O_DIRECTORY with O_CREAT), -EOPNOTSUPP (O_TMPFILE), -ENXIO (a device that is not there),
 * -ENOMEM (for the open file itself), and what opening a device returns.
 */
int memfs_open(struct memfs_node *dir, const char *path, unsigned flags, uint32_t mode,
               struct file **out);

/* stat(2), or lstat(2) if a symbolic link at the end is not to be followed. */
int memfs_stat(struct memfs_node *dir, const char *path, bool follow, struct file_stat *stat);

/* fstat(2) of a node. */
void memfs_node_stat(const struct memfs_node *node, struct file_stat *stat);

/* chmod(2), fchmod(2); the permission bits of mode count. */
int memfs_chmod(struct memfs_node *dir, const char *path, uint32_t mode);
void memfs_node_chmod(struct memfs_node *node, uint32_t mode);

/* truncate(2). Also returns: -EISDIR, -EINVAL (negative, no regular file), -EFBIG. */
int memfs_truncate(struct memfs_node *dir, const char *path, int64_t size);

/* utimensat(2), the times in ns of wall_clock_ns(). */
int memfs_set_times(struct memfs_node *dir, const char *path, bool follow, uint64_t atime_ns,
                    uint64_t mtime_ns);

/* ---- names ----------------------------------------------------------------------------------- */

/* mkdir(2). Also returns: -EEXIST. */
int memfs_mkdir(struct memfs_node *dir, const char *path, uint32_t mode);

/* rmdir(2). Also returns: -ENOTEMPTY (also for "x/.."), -EINVAL ("x/."), -EBUSY (the root). */
int memfs_rmdir(struct memfs_node *dir, const char *path);

/* unlink(2). Also returns: -EISDIR. */
int memfs_unlink(struct memfs_node *dir, const char *path);

/*
 * rename(2), or with `keep` renameat2's RENAME_NOREPLACE. Also returns: -EEXIST (`keep`), -EISDIR,
 * -ENOTEMPTY, -EINVAL (into itself), -EBUSY (a path that ends in "." or "..").
 */
int memfs_rename(struct memfs_node *old_dir, const char *old_path, struct memfs_node *new_dir,
                 const char *new_path, bool keep);

/*
 * link(2): what old_path names gets the name new_path; `follow` as linkat's AT_SYMLINK_FOLLOW.
 * Also returns: -EEXIST, -EPERM (a directory).
 */
int memfs_link(struct memfs_node *old_dir, const char *old_path, bool follow,
               struct memfs_node *new_dir, const char *new_path);

/* symlink(2): `target` need not exist. Also returns: -EEXIST. */
int memfs_symlink(const char *target, struct memfs_node *dir, const char *path);

/*
 * readlink(2) into kernel memory, not terminated. Returns: bytes, cut to size; -EINVAL (no symbolic
 * link, or size 0).
 */
long memfs_readlink(struct memfs_node *dir, const char *path, char *buf, size_t size);

/* ---- archives -------------------------------------------------------------------------------- */

enum { MEMFS_SKIP_KINDS = 12, MEMFS_SKIP_NAME = 64 };

/* Why entries were passed over: one for each reason, with the first entry that it befell. */
struct memfs_skip {
    const char *why;            /* "hard link to a missing file", for instance */
    uint64_t count;             /* entries, at least 1 */
    size_t offset;              /* of the first one's header in the archive */
    char name[MEMFS_SKIP_NAME]; /* of the first one, cut to fit; "" if it could not be read */
};

struct memfs_unpack_report {
    uint64_t files;      /* entries unpacked: files, directories and links */
    uint64_t bytes;      /* of contents in them */
    uint64_t skipped;    /* entries passed over, for all reasons */
    const char *error;   /* why unpacking ended before the archive's end; NULL: it did not */
    size_t error_offset; /* of the header concerned */
    size_t skip_kinds;   /* how many of these are used; all reasons fit */
    struct memfs_skip skips[MEMFS_SKIP_KINDS];
};

/*
 * Unpack the tar archive of `size` bytes at data into the root. Missing directories of a path are
 * made (mode 0755), and the last entry of a name wins: a file or symbolic link is replaced, a
 * directory stays and gets the new mode. What cannot be made is passed over and reported; what was
 * unpacked before an error stays. The report (about 1 KiB) is always filled.
 * Returns: 0; -EINVAL (empty or damaged), -ENOMEM, both with error and error_offset.
 */
int memfs_unpack_tar(const void *data, size_t size, struct memfs_unpack_report *report);
