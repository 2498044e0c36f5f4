// SPDX-License-Identifier: MIT
/*
 * The memory file system: one tree of directories, files and symbolic links, filled from the boot
 * archive.
 *
 * Paths begin at the root, with or without a leading '/'. "." and ".." are understood, ".." in the
 * root is the root. Symbolic links inside a path are followed, MEMFS_LINKS_MAX at most.
 *
 * The calls that change the tree make missing directories of a path as they go (mode 0755), and
 * the last call wins, as in unpacking an archive: an existing file or symbolic link is replaced, a
 * directory stays. After an error the tree is what it was before. All memory is taken as
 * ALLOC_USER.
 *
 * There is no lock yet: a call that changes the tree runs alone (the boot, before the first
 * program); after that any number of readers may run. A node stays until its last name is replaced.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    MEMFS_NAME_MAX = 255,  /* bytes of one component */
    MEMFS_PATH_MAX = 4095, /* bytes of a path or of a symbolic link's target */
    MEMFS_LINKS_MAX = 40,  /* symbolic links followed for one path */
    MEMFS_MODE_MASK = 07777,
};

enum memfs_kind { MEMFS_FILE, MEMFS_DIR, MEMFS_SYMLINK };

struct memfs_node {
    enum memfs_kind kind;
    uint32_t mode;  /* permission bits, 0..07777 */
    uint32_t links; /* names that it has; the root has 1 */
    uint64_t size;  /* bytes of a file, or of a link's target; 0 for a directory */
    union {
        void **frames;             /* file: its contents; behind their end zeros; NULL if empty */
        char *target;              /* symbolic link: terminated, never empty */
        struct memfs_node *parent; /* directory; the root's is the root */
    };
};

/*
 * Make the root. A second call changes nothing.
 * Returns: 0, -ENOMEM. Context: thread. Sleeps: no. Locks: none.
 */
int memfs_init(void);

/*
 * Make a directory, or give the existing one this mode. A file in its place is replaced.
 * Returns: 0, -ENOENT (empty path), -ENOTDIR (a file inside the path), -ENAMETOOLONG, -ELOOP,
 * -ENOMEM. Context: thread. Sleeps: no. Locks: none.
 */
int memfs_mkdir(const char *path, uint32_t mode);

/*
 * Make a file that holds a copy of the `size` bytes at data (NULL if size is 0).
 * Returns: as memfs_mkdir; -EISDIR (a directory has that name, or the path ends in '/').
 * Context: thread. Sleeps: no. Locks: none.
 */
int memfs_create(const char *path, uint32_t mode, const void *data, size_t size);

/*
 * Make a symbolic link to `target`, which need not exist.
 * Returns: as memfs_create; -ENOENT also for an empty target. Context: as there.
 */
int memfs_symlink(const char *path, const char *target);

/*
 * Give what `existing` names a second name. A symbolic link there is not followed: it gets the
 * name. Returns: as memfs_create; -ENOENT also where nothing is named so, -EPERM for a directory.
 * Context: as there.
 */
int memfs_link(const char *path, const char *existing);

/*
 * Find the file or directory that a path names, symbolic links followed; a path that ends in '/'
 * names a directory.
 * Returns: 0 and *out; -ENOENT, -ENOTDIR, -ENAMETOOLONG, -ELOOP.
 * Context: thread. Sleeps: no. Locks: none.
 */
int memfs_lookup(const char *path, struct memfs_node **out);

/*
 * Copy up to `len` bytes of a file, from byte `offset` on, to buf (kernel memory).
 * Returns: how many, 0 at or behind the end; -EISDIR, -EINVAL (a symbolic link).
 * Context: thread. Sleeps: no. Locks: none.
 */
long memfs_read(const struct memfs_node *node, uint64_t offset, void *buf, size_t len);

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
 * Unpack the tar archive of `size` bytes at data into the root. What cannot be made is passed over
 * and reported; what was unpacked before an error stays. The report (about 1 KiB) is always filled.
 * Returns: 0; -EINVAL (empty or damaged), -ENOMEM, both with error and error_offset.
 * Context: thread. Sleeps: no. Locks: none.
 */
int memfs_unpack_tar(const void *data, size_t size, struct memfs_unpack_report *report);
