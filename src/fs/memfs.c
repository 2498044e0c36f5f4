// SPDX-License-Identifier: MIT
/*
 * The calls with paths. Each takes `tree`, walks, judges, changes; what has to be freed is put when
 * `tree` is free again, since that may take long.
 *
 * The invariant of every change: all memory is had before the tree is touched. So whoever looks
 * sees the tree before or after the call, and an error leaves nothing behind.
 *
 * The order in which errors are looked for is Linux's (fs/namei.c), as far as a program can tell.
 */
#include "fs/memfs.h"

#include "fs/file.h"
#include "fs/memfs_internal.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"

enum { DIR_MODE_MASK = 01777 }; /* mkdir(2) sets no other bits */

/* What the path names, with a reference. */
static int get_node(struct memfs_node *dir, const char *path, bool follow, struct memfs_node **out)
{
    mutex_lock(&memfs_tree);
    int error = find_node(dir, path, follow, out);
    if (error == 0)
        (void)memfs_node_get(*out);
    memfs_tree_unlock();
    return error;
}

int memfs_lookup_dir(struct memfs_node *dir, const char *path, struct memfs_node **out)
{
    struct memfs_node *node;
    int error = get_node(dir, path, true, &node);
    if (error != 0)
        return error;
    if (node->kind != MEMFS_DIR) {
        memfs_node_put(node);
        return -ENOTDIR;
    }
    *out = node;
    return 0;
}

/* ---- getcwd ---------------------------------------------------------------------------------- */

/* Write the path of `dir` to the end of the buffer. L: tree. Returns: where it begins, or an error.
 */
static long write_path(const struct memfs_node *dir, char *buf, size_t size)
{
    if (size < sizeof("/"))
        return -ERANGE;
    size_t start = size - 1;
    buf[start] = '\0';
    if (dir == node_root())
        buf[--start] = '/';
    for (; dir != node_root(); dir = dir->dir.parent) {
        const struct memfs_entry *entry = dir->dir.name;
        if (entry == NULL)
            return -ENOENT;
        if (entry->length + 1 > start)
            return -ERANGE;
        start -= entry->length;
        memcpy(buf + start, entry->name, entry->length);
        buf[--start] = '/';
    }
    return (long)start;
}

long memfs_get_path(struct memfs_node *dir, char *buf, size_t size)
{
    if (dir->kind != MEMFS_DIR)
        return -ENOTDIR;
    mutex_lock(&memfs_tree);
    long start = write_path(dir, buf, size);
    memfs_tree_unlock();
    if (start < 0)
        return start;
    size_t length = size - (size_t)start;
    memmove(buf, buf + start, length);
    return (long)length;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Not in a directory that was removed, nor in /proc. */
static bool may_make_in(const struct memfs_node *dir)
{
    return !dir_is_dead(dir) && dir->proc == NULL;
}

/* Walk to where something new gets its name. */
static int walk_to_new(struct walk *walk, struct memfs_node *dir, const char *path, bool is_dir)
{
    struct memfs_node *node;
    int error = walk_start(walk, dir, path);
    if (error == 0)
        error = walk_to_last(walk);
    if (error == 0)
        error = walk_find(walk, &node);
    if (error != 0)
        return error;
    if (node != NULL)
        return -EEXIST;
    return (walk->must_be_dir && !is_dir) || !may_make_in(walk->dir) ? -ENOENT : 0;
}

/* Give a node the name that the walk stands at. Returns: 0, -ENOSPC. */
static int name_node(struct walk *walk, struct memfs_node *node)
{
    struct memfs_entry *entry = entry_new(walk->name, walk->length);
    if (entry == NULL)
        return -ENOSPC;
    dir_add(walk->dir, entry, node);
    return 0;
}

/* Give a new node a name, and its reference back; without a node there was no memory for it. */
static int plant_new(struct memfs_node *dir, const char *path, struct memfs_node *node)
{
    struct walk walk;
    mutex_lock(&memfs_tree);
    int error = walk_to_new(&walk, dir, path, node != NULL && node->kind == MEMFS_DIR);
    if (error == 0)
        error = node != NULL ? name_node(&walk, node) : -ENOSPC;
    memfs_tree_unlock();
    memfs_node_put(node);
    return error;
}

int memfs_mkdir(struct memfs_node *dir, const char *path, uint32_t mode)
{
    return plant_new(dir, path, node_new(MEMFS_DIR, mode & DIR_MODE_MASK));
}

int memfs_symlink(const char *target, struct memfs_node *dir, const char *path)
{
    size_t length = strnlen(target, MEMFS_PATH_MAX + 1);
    if (length == 0)
        return -ENOENT;
    if (length > MEMFS_PATH_MAX)
        return -ENAMETOOLONG;
    return plant_new(dir, path, node_new_symlink(target));
}

int memfs_make_device(const char *path, const struct device *device, uint32_t mode)
{
    struct memfs_node *node = node_new(MEMFS_DEVICE, mode);
    if (node != NULL)
        node->device = device;
    return plant_new(NULL, path, node);
}

/* L: tree */
static int link_node(struct memfs_node *node, struct memfs_node *dir, const char *path)
{
    struct walk walk;
    int error = walk_to_new(&walk, dir, path, false);
    if (error != 0)
        return error;
    if (node->proc != NULL)
        return -EXDEV;
    return node->kind == MEMFS_DIR ? -EPERM : name_node(&walk, node);
}

int memfs_link(struct memfs_node *old_dir, const char *old_path, bool follow,
               struct memfs_node *new_dir, const char *new_path)
{
    struct memfs_node *node;
    mutex_lock(&memfs_tree);
    int error = find_node(old_dir, old_path, follow, &node);
    if (error == 0)
        error = link_node(node, new_dir, new_path);
    memfs_tree_unlock();
    return error;
}

/* ---- open ------------------------------------------------------------------------------------ */

static bool wants_to_write(unsigned flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
}

/* May what was there already be opened with these flags? */
static int judge_open(const struct walk *walk, const struct memfs_node *node, unsigned flags)
{
    bool is_dir = node->kind == MEMFS_DIR;
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0)
        return -EEXIST;
    if ((flags & O_CREAT) != 0 && is_dir)
        return -EISDIR;
    if ((walk->must_be_dir || (flags & O_DIRECTORY) != 0) && !is_dir)
        return -ENOTDIR;
    if (node->kind == MEMFS_SYMLINK)
        return -ELOOP; /* O_NOFOLLOW */
    return is_dir && wants_to_write(flags) ? -EISDIR : 0;
}

/* Make the file that the walk did not find. */
static int create_file(struct walk *walk, uint32_t mode, struct memfs_node **out)
{
    if (!may_make_in(walk->dir))
        return -ENOENT;
    struct memfs_node *node = node_new(MEMFS_FILE, mode);
    if (node == NULL)
        return -ENOSPC;
    int error = name_node(walk, node);
    if (error == 0)
        *out = node;
    else
        memfs_node_put(node);
    return error;
}

/* Walk to what is to be opened; *node is NULL if it is to be made there. */
static int walk_to_open(struct walk *walk, unsigned flags, struct memfs_node **node)
{
    bool create = (flags & O_CREAT) != 0;
    for (;;) {
        int error = walk_to_last(walk);
        if (error != 0)
            return error;
        if (create && walk->must_be_dir && !walk_is_special(walk))
            return -EISDIR;
        error = walk_find(walk, node);
        if (error != 0)
            return error;
        if (*node == NULL)
            return create ? 0 : -ENOENT;
        bool follow = (flags & O_NOFOLLOW) == 0 && !(create && (flags & O_EXCL) != 0);
        if ((*node)->kind != MEMFS_SYMLINK || !(follow || walk->must_be_dir))
            return 0;
        error = walk_follow(walk, *node);
        if (error != 0)
            return error;
    }
}

/* Find or make what is to be opened, with a reference. */
static int open_node(struct memfs_node *dir, const char *path, unsigned flags, uint32_t mode,
                     struct memfs_node **out)
{
    struct walk walk;
    struct memfs_node *node = NULL;
    mutex_lock(&memfs_tree);
    int error = walk_start(&walk, dir, path);
    if (error == 0)
        error = walk_to_open(&walk, flags, &node);
    if (error == 0 && node == NULL)
        error = create_file(&walk, mode, &node); /* its first reference is the caller's */
    else if (error == 0 && (error = judge_open(&walk, node, flags)) == 0)
        (void)memfs_node_get(node);
    memfs_tree_unlock();
    if (error == 0)
        *out = node;
    return error;
}

/* A device and a file of /proc make their own file. */
static int open_own(struct file **file, const struct memfs_node *node, unsigned flags)
{
    struct file *opened;
    int error = node->kind == MEMFS_DEVICE ? device_open(node->device, flags, &opened)
                                           : procfs_open(node, flags, &opened);
    if (error != 0)
        return error;
    opened->path = (*file)->path;
    (*file)->path = NULL;
    file_put(*file);
    *file = opened;
    return 0;
}

/* Open into `*file`, which holds the path and nothing else yet. */
static int open_into(struct file **file, struct memfs_node *dir, unsigned flags, uint32_t mode)
{
    struct memfs_node *node;
    int error = open_node(dir, (*file)->path, flags, mode, &node);
    if (error != 0)
        return error;
    if (node->kind == MEMFS_DIR)
        (*file)->ops = &memfs_dir_ops;
    else if (node->kind == MEMFS_DEVICE || node->kind == MEMFS_PROC)
        error = open_own(file, node, flags);
    else if ((flags & O_TRUNC) != 0)
        error = node_truncate(node, 0);
    if (error == 0)
        (*file)->node = node;
    else
        memfs_node_put(node);
    return error;
}

int memfs_open(struct memfs_node *dir, const char *path, unsigned flags, uint32_t mode,
               struct file **out)
{
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    if ((flags & O_CREAT) != 0 && (flags & O_DIRECTORY) != 0)
        return -EINVAL;
    size_t length = strnlen(path, MEMFS_PATH_MAX + 1);
    if (length > MEMFS_PATH_MAX)
        return -ENAMETOOLONG;
    struct file *file = file_create(&memfs_file_ops, NULL, flags);
    if (file == NULL)
        return -ENOMEM;
    file->path = heap_alloc(length + 1, ALLOC_USER);
    int error = -ENOMEM;
    if (file->path != NULL) {
        memcpy(file->path, path, length + 1);
        error = open_into(&file, dir, flags, mode);
    }
    if (error == 0)
        *out = file;
    else
        file_put(file);
    return error;
}

/* ---- of a path ------------------------------------------------------------------------------- */

int memfs_stat(struct memfs_node *dir, const char *path, bool follow, struct file_stat *stat)
{
    struct memfs_node *node;
    int error = get_node(dir, path, follow, &node);
    if (error != 0)
        return error;
    memfs_node_stat(node, stat);
    memfs_node_put(node);
    return 0;
}

int memfs_chmod(struct memfs_node *dir, const char *path, uint32_t mode)
{
    struct memfs_node *node;
    int error = get_node(dir, path, true, &node);
    if (error != 0)
        return error;
    memfs_node_chmod(node, mode);
    memfs_node_put(node);
    return 0;
}

int memfs_truncate(struct memfs_node *dir, const char *path, int64_t size)
{
    struct memfs_node *node;
    if (size < 0)
        return -EINVAL;
    int error = get_node(dir, path, true, &node);
    if (error != 0)
        return error;
    error = node_truncate(node, (uint64_t)size);
    memfs_node_put(node);
    return error;
}

int memfs_set_times(struct memfs_node *dir, const char *path, bool follow, uint64_t atime_ns,
                    uint64_t mtime_ns)
{
    struct memfs_node *node;
    int error = get_node(dir, path, follow, &node);
    if (error != 0)
        return error;
    atomic_store_explicit(&node->atime, atime_ns, memory_order_relaxed);
    atomic_store_explicit(&node->mtime, mtime_ns, memory_order_relaxed);
    node_changed(node);
    memfs_node_put(node);
    return 0;
}

long memfs_readlink(struct memfs_node *dir, const char *path, char *buf, size_t size)
{
    struct memfs_node *node;
    if (size == 0)
        return -EINVAL;
    int error = get_node(dir, path, false, &node);
    if (error != 0)
        return error;
    long result = -EINVAL;
    if (node->kind == MEMFS_SYMLINK) {
        size_t length = strlen(node->target);
        result = (long)(length < size ? length : size);
        memcpy(buf, node->target, (size_t)result);
    }
    memfs_node_put(node);
    return result;
}

/* ---- taking names away ----------------------------------------------------------------------- */

static int walk_to_entry(struct walk *walk, struct memfs_node *dir, const char *path)
{
    int error = walk_start(walk, dir, path);
    return error != 0 ? error : walk_to_last(walk);
}

/* What Linux calls a mount point. */
static bool is_proc_root(const struct memfs_entry *entry)
{
    return entry->node->proc != NULL && entry->dir->proc == NULL;
}

/* The entry that rmdir() is to remove. */
static int find_for_rmdir(const struct walk *walk, struct memfs_entry **out)
{
    if (walk_is_special(walk))
        return walk_is(walk, "") ? -EBUSY : walk_is(walk, ".") ? -EINVAL : -ENOTEMPTY;
    int error = walk_find_entry(walk, out);
    if (error != 0 || *out == NULL)
        return error != 0 ? error : -ENOENT;
    const struct memfs_node *node = (*out)->node;
    if (node->kind != MEMFS_DIR)
        return -ENOTDIR;
    if (node->proc != NULL)
        return is_proc_root(*out) ? -EBUSY : -EPERM;
    return dir_is_empty(node) ? 0 : -ENOTEMPTY;
}

/* The entry that unlink() is to remove. */
static int find_for_unlink(const struct walk *walk, struct memfs_entry **out)
{
    if (walk_is_special(walk))
        return -EISDIR;
    int error = walk_find_entry(walk, out);
    if (error != 0 || *out == NULL)
        return error != 0 ? error : -ENOENT;
    if ((*out)->node->kind == MEMFS_DIR)
        return -EISDIR;
    if (walk->must_be_dir)
        return -ENOTDIR;
    return walk->dir->proc != NULL ? -EPERM : 0;
}

static int remove_name(struct memfs_node *dir, const char *path,
                       int (*find)(const struct walk *walk, struct memfs_entry **out))
{
    struct walk walk;
    struct memfs_entry *entry;
    struct memfs_node *removed = NULL;
    mutex_lock(&memfs_tree);
    int error = walk_to_entry(&walk, dir, path);
    if (error == 0)
        error = find(&walk, &entry);
    if (error == 0)
        removed = dir_remove(entry);
    memfs_tree_unlock();
    memfs_node_put(removed);
    return error;
}

int memfs_rmdir(struct memfs_node *dir, const char *path)
{
    return remove_name(dir, path, find_for_rmdir);
}

int memfs_unlink(struct memfs_node *dir, const char *path)
{
    return remove_name(dir, path, find_for_unlink);
}

/* ---- rename ---------------------------------------------------------------------------------- */

struct renaming {
    struct walk from, to;
    struct memfs_entry *old; /* the entry to move */
    struct memfs_entry *new; /* the one that is there already, or NULL */
    bool keep;
};

/* May the one there already be replaced? */
static int judge_replacing(const struct renaming *r)
{
    bool is_dir = r->old->node->kind == MEMFS_DIR;
    const struct memfs_node *target = r->new->node;
    if (is_dir != (target->kind == MEMFS_DIR))
        return is_dir ? -ENOTDIR : -EISDIR;
    return is_dir && !dir_is_empty(target) ? -ENOTEMPTY : 0;
}

static int judge_rename(const struct renaming *r)
{
    struct memfs_node *node = r->old->node;
    bool is_dir = node->kind == MEMFS_DIR;
    if (r->new != NULL && r->keep)
        return -EEXIST;
    if (r->to.dir->proc != NULL)
        return r->new != NULL ? -EPERM : -ENOENT;
    if (is_proc_root(r->old) || (r->new != NULL &&is_proc_root(r->new)))
        return -EBUSY;
    if (!is_dir && (r->from.must_be_dir || r->to.must_be_dir))
        return -ENOTDIR;
    if (is_dir && dir_is_above(node, r->to.dir))
        return -EINVAL;
    if (r->new != NULL && r->new->node->kind == MEMFS_DIR &&dir_is_above(r->new->node, r->from.dir))
        return -ENOTEMPTY;
    if (r->new == NULL)
        return dir_is_dead(r->to.dir) ? -ENOENT : 0;
    return r->new->node == node ? 0 : judge_replacing(r);
}

static int find_for_rename(struct renaming *r, struct memfs_node *old_dir, const char *old_path,
                           struct memfs_node *new_dir, const char *new_path)
{
    int error = walk_to_entry(&r->from, old_dir, old_path);
    if (error == 0)
        error = walk_to_entry(&r->to, new_dir, new_path);
    if (error != 0)
        return error;
    if ((r->from.dir->proc != NULL) != (r->to.dir->proc != NULL))
        return -EXDEV;
    if (walk_is_special(&r->from))
        return -EBUSY;
    if (walk_is_special(&r->to))
        return r->keep ? -EEXIST : -EBUSY;
    error = walk_find_entry(&r->from, &r->old);
    if (error == 0 && r->old == NULL)
        error = -ENOENT;
    if (error == 0)
        error = walk_find_entry(&r->to, &r->new);
    if (error != 0)
        return error;
    /* in /proc the second look may have taken away the entry that the first one found */
    r->old = dir_find(r->from.dir, r->from.name, r->from.length);
    return r->old == NULL ? -ENOENT : judge_rename(r);
}

/* Returns: 0 and *replaced, the node that lost its name, or NULL; -ENOSPC. */
static int do_rename(struct renaming *r, struct memfs_node **replaced)
{
    struct memfs_node *node = r->old->node;
    struct memfs_entry *made = NULL;
    if (r->new != NULL && r->new->node == node)
        return 0; /* two names of one file: POSIX leaves both */
    if (r->new == NULL && (made = entry_new(r->to.name, r->to.length)) == NULL)
        return -ENOSPC;
    struct memfs_node *moved = dir_remove(r->old);
    if (made != NULL)
        dir_add(r->to.dir, made, moved);
    else
        *replaced = dir_replace(r->new, moved);
    memfs_node_put(moved); /* the old entry's; the new one has its own */
    return 0;
}

int memfs_rename(struct memfs_node *old_dir, const char *old_path, struct memfs_node *new_dir,
                 const char *new_path, bool keep)
{
    struct renaming r = {.keep = keep};
    struct memfs_node *replaced = NULL;
    mutex_lock(&memfs_tree);
    int error = find_for_rename(&r, old_dir, old_path, new_dir, new_path);
    if (error == 0)
        error = do_rename(&r, &replaced);
    memfs_tree_unlock();
    memfs_node_put(replaced);
    return error;
}
