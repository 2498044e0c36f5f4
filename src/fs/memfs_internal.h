// SPDX-License-Identifier: MIT
/*
 * What the files of the memory file system share; for src/fs/ alone.
 *
 * A node is a thing (file, directory, symbolic link, device, file of /proc), an entry gives it a
 * name in a directory; a hard link is a second entry. An entry holds a reference to its node, a
 * directory one to its parent.
 *
 * Two kinds of locks. `tree` guards all entries, where directories hang, and what hangs in them; a
 * file's `lock` its contents. Nobody waits for one while holding the other. Numbers that stat tells
 * are atomic, so that it waits for nobody who copies.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/contents.h"
#include "fs/memfs.h"
#include "lib/list.h"
#include "sched/mutex.h"

struct device;
struct file;
struct file_ops;
struct procfs_node;

enum memfs_kind { MEMFS_FILE, MEMFS_DIR, MEMFS_SYMLINK, MEMFS_DEVICE, MEMFS_PROC };

/* L: tree */
struct memfs_dir {
    struct memfs_node *parent; /* with a reference, also when removed; the root's is the root */
    struct memfs_entry *name;  /* its entry there; NULL: the root, or removed */
    struct list_node entries;  /* by rising cookie */
    uint64_t next_cookie;      /* of the next entry that is made here */
    struct memfs_node *made_before; /* while a walk makes directories: the one before this */
};

struct memfs_node {
    enum memfs_kind kind;     /* I */
    _Atomic uint32_t mode;    /* permission bits */
    _Atomic uint32_t refs;    /* entries, children of a directory, open files, walkers */
    _Atomic uint32_t links;   /* as stat tells; L: tree for changes; 0: has no name any more */
    uint64_t ino;             /* I */
    struct procfs_node *proc; /* I: what it is in /proc; NULL: it is not of /proc */
    _Atomic uint64_t size;    /* bytes of a file (L: lock for changes), or of a link's target */
    _Atomic uint64_t atime;   /* ns of wall_clock_ns() */
    _Atomic uint64_t mtime;
    _Atomic uint64_t ctime;
    struct mutex lock; /* of a file */
    union {
        struct contents contents;    /* file; L: lock */
        struct memfs_dir dir;        /* directory */
        char *target;                /* I: symbolic link: terminated, never empty */
        const struct device *device; /* I: device */
    };
};

struct memfs_entry {
    struct memfs_entry *next_in_bucket;
    struct list_node in_dir;
    uint64_t cookie; /* place of the entry in a listing; never used twice in one directory */
    struct memfs_node *dir;
    struct memfs_node *node;
    size_t length; /* of the name, 1..MEMFS_NAME_MAX */
    char name[];   /* not terminated */
};

extern struct mutex memfs_tree;

/* Give `tree` free, and then put what walks took away meanwhile (procfs_tree.c). */
void memfs_tree_unlock(void);

/* ---- memfs_node.c ---------------------------------------------------------------------------- */

/* A node without a name, with one reference. Returns: it; NULL without memory. */
struct memfs_node *node_new(enum memfs_kind kind, uint32_t mode);

/* The same for a symbolic link. `target` is not empty. */
struct memfs_node *node_new_symlink(const char *target);

/* The root, without a reference. */
struct memfs_node *node_root(void);

/* Note that contents or entries have changed now; that what stat tells has. */
void node_modified(struct memfs_node *node);
void node_changed(struct memfs_node *node);

/* ---- memfs_dir.c: entries; L: tree, for all of them but entry_new() -------------------------- */

/* An entry that is in no directory yet. Returns: it; NULL without memory. */
struct memfs_entry *entry_new(const char *name, size_t length);
void entry_free(struct memfs_entry *entry);

struct memfs_entry *dir_find(const struct memfs_node *dir, const char *name, size_t length);

/* Was it removed? Then nothing can be made in it. */
bool dir_is_dead(const struct memfs_node *dir);
bool dir_is_empty(const struct memfs_node *dir);

/* Is `dir` the directory `other`, or somewhere above it? */
bool dir_is_above(const struct memfs_node *dir, const struct memfs_node *other);

/* Put a new entry for `node` into `dir`; a reference to the node is taken for it. */
void dir_add(struct memfs_node *dir, struct memfs_entry *entry, struct memfs_node *node);

/* Let an entry name another node. Returns: the one that it named, whose reference is the caller's,
 * to be put when `tree` is free again. */
struct memfs_node *dir_replace(struct memfs_entry *entry, struct memfs_node *node);

/* Take an entry away, and free it. Returns: as dir_replace. */
struct memfs_node *dir_remove(struct memfs_entry *entry);

/* ---- memfs_walk.c ---------------------------------------------------------------------------- */

/*
 * A walk reads one component after the other. At a symbolic link it puts the rest of the text
 * aside and goes on with the link's target, so the components come in order without any copying.
 * L: tree, from the start until the last look at it.
 */
struct walk {
    struct memfs_node *dir; /* where the component is looked up */
    const char *name;       /* the component; with length 0 it is the root */
    size_t length;
    const char *text;        /* what follows the component; "" if it is the last */
    bool must_be_dir;        /* the path ended in '/' */
    bool make;               /* missing directories are made ... */
    struct memfs_node *made; /* ... and remembered here, the newest first */
    unsigned followed;       /* symbolic links so far */
    unsigned depth;          /* texts put aside, none of them "" */
    const char *aside[MEMFS_LINKS_MAX];
};

/* Begin at `dir`, or at the root, and walk until the component is the last one. */
int walk_start(struct walk *walk, struct memfs_node *dir, const char *path);
int walk_start_making(struct walk *walk, const char *path);
int walk_to_last(struct walk *walk);

/* Is the component ".", "..", or the root's no name at all? */
bool walk_is(const struct walk *walk, const char *name);
bool walk_is_special(const struct walk *walk);

/*
 * What the component names, and the entry by which it does (not for a special one).
 * Returns: 0 and *out, which is NULL if there is no such thing; -ENAMETOOLONG, as late as this,
 * since Linux tells other errors first.
 */
int walk_find(const struct walk *walk, struct memfs_node **out);
int walk_find_entry(const struct walk *walk, struct memfs_entry **out);

/* Go on with the target of a symbolic link. */
int walk_follow(struct walk *walk, const struct memfs_node *symlink);

/* Take back the directories that the walk made. */
void walk_undo(struct walk *walk);

/* What the path names, without a reference; a link at its end is followed, or is the answer. */
int find_node(struct memfs_node *dir, const char *path, bool follow, struct memfs_node **out);

/* ---- memfs_file.c ---------------------------------------------------------------------------- */

extern const struct file_ops memfs_file_ops;
extern const struct file_ops memfs_dir_ops;

/* Cut or extend a file. Returns: 0, -EISDIR, -EINVAL (no file). Locks: takes lock. */
int node_truncate(struct memfs_node *node, uint64_t size);

/* Append the kernel's bytes to a file that nobody else knows. Returns: 0, -ENOSPC. */
int node_append_kernel(struct memfs_node *node, const void *data, size_t size);

/* ---- memfs.c --------------------------------------------------------------------------------- */

/* Make a device node. Returns: as memfs_mkdir. */
int memfs_make_device(const char *path, const struct device *device, uint32_t mode);

/* ---- procfs_tree.c: L: tree ------------------------------------------------------------------ */

/*
 * Before something of /proc is looked up in `dir`, or a listing of `dir` begins: make and take away
 * what comes and goes. A node that is taken away stays until memfs_tree_unlock(). Returns: 0,
 * -ENOMEM.
 */
int procfs_look_up(struct memfs_node *dir, const char *name, size_t length);
int procfs_list(struct memfs_node *dir);

/* Nodes that were taken away; the caller takes the list over. */
struct memfs_node *procfs_removed(void);
struct memfs_node *procfs_next_removed(const struct memfs_node *node);

/* ---- procfs.c -------------------------------------------------------------------------------- */

/* Open a file of /proc. Returns: 0 and *file; -ENOMEM, and what the file's ops->open returns. */
int procfs_open(const struct memfs_node *node, unsigned flags, struct file **file);

/* ---- device.c -------------------------------------------------------------------------------- */

/* struct stat's number of a device. */
uint64_t device_number(const struct device *device);

/* Returns: as fs_open_device(). */
int device_open(const struct device *device, unsigned flags, struct file **file);
