// SPDX-License-Identifier: MIT
/*
 * Nodes: made, counted, told about, freed.
 */
#include "fs/device.h"
#include "fs/file.h"
#include "fs/fs_internal.h"
#include "fs/memfs_internal.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "lib/wall_clock.h"
#include "mm/heap.h"

enum {
    ROOT_MODE = 0755,
    SYMLINK_MODE = 0777,
    ROOT_LINKS = 2,
    STAT_BLOCK = 512,
};

struct mutex memfs_tree = MUTEX(memfs_tree);
static struct memfs_node *root; /* I: by memfs_init */
static _Atomic uint64_t last_ino;

void memfs_tree_unlock(void)
{
    struct memfs_node *removed = procfs_removed();
    mutex_unlock(&memfs_tree);
    while (removed != NULL) {
        struct memfs_node *next = procfs_next_removed(removed);
        memfs_node_put(removed);
        removed = next;
    }
}

struct memfs_node *node_root(void)
{
    return root;
}

static void set_time(_Atomic uint64_t *time, uint64_t ns)
{
    atomic_store_explicit(time, ns, memory_order_relaxed);
}

void node_changed(struct memfs_node *node)
{
    set_time(&node->ctime, wall_clock_ns());
}

void node_modified(struct memfs_node *node)
{
    uint64_t now = wall_clock_ns();
    set_time(&node->mtime, now);
    set_time(&node->ctime, now);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct memfs_node *node_new(enum memfs_kind kind, uint32_t mode)
{
    struct memfs_node *node = heap_alloc(sizeof(*node), ALLOC_USER | ALLOC_ZERO);
    if (node == NULL)
        return NULL;
    node->kind = kind;
    node->ino = atomic_fetch_add_explicit(&last_ino, 1, memory_order_relaxed) + 1;
    atomic_init(&node->mode, mode & S_MODE_MASK);
    atomic_init(&node->refs, 1);
    mutex_init(&node->lock);
    if (kind == MEMFS_DIR)
        list_init(&node->dir.entries);
    node_modified(node);
    set_time(&node->atime, node->mtime);
    return node;
}

struct memfs_node *node_new_symlink(const char *target)
{
    size_t length = strlen(target);
    struct memfs_node *symlink = node_new(MEMFS_SYMLINK, SYMLINK_MODE);
    if (symlink == NULL)
        return NULL;
    symlink->target = heap_alloc(length + 1, ALLOC_USER);
    if (symlink->target == NULL) {
        memfs_node_put(symlink);
        return NULL;
    }
    memcpy(symlink->target, target, length + 1);
    atomic_init(&symlink->size, length);
    return symlink;
}

int memfs_init(void)
{
    if (root != NULL)
        return 0;
    struct memfs_node *node = node_new(MEMFS_DIR, ROOT_MODE);
    if (node == NULL)
        return -ENOMEM;
    node->dir.parent = node;
    atomic_init(&node->links, ROOT_LINKS);
    root = node;
    return 0;
}

struct memfs_node *memfs_node_get(struct memfs_node *node)
{
    atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    return node;
}

struct memfs_node *memfs_root(void)
{
    return memfs_node_get(root);
}

/* Free what nobody knows any more. Returns: the parent that it held, or NULL. */
static struct memfs_node *node_free(struct memfs_node *node)
{
    struct memfs_node *parent = NULL;
    if (node->kind == MEMFS_FILE)
        contents_cut(&node->contents, 0);
    else if (node->kind == MEMFS_SYMLINK)
        heap_free(node->target);
    else if (node->kind == MEMFS_DIR)
        parent = node->dir.parent;
    heap_free(node->proc);
    heap_free(node);
    return parent;
}

void memfs_node_put(struct memfs_node *node)
{
    /* acquire and release: what the others did to the node is done before it goes */
    while (node != NULL && atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) == 1)
        node = node_free(node);
}

/* ---- what stat tells ------------------------------------------------------------------------- */

bool memfs_is_dir(const struct memfs_node *node)
{
    return node->kind == MEMFS_DIR;
}

static uint64_t look(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

void memfs_node_stat(const struct memfs_node *node, struct file_stat *stat)
{
    static const uint32_t kinds[] = {[MEMFS_FILE] = S_IFREG,
                                     [MEMFS_DIR] = S_IFDIR,
                                     [MEMFS_SYMLINK] = S_IFLNK,
                                     [MEMFS_DEVICE] = S_IFCHR,
                                     [MEMFS_PROC] = S_IFREG};
    *stat = (struct file_stat){
        .dev = node->proc == NULL ? FS_DEV_MEMFS : FS_DEV_PROC,
        .ino = node->ino,
        .mode = kinds[node->kind] | atomic_load_explicit(&node->mode, memory_order_relaxed),
        .links = atomic_load_explicit(&node->links, memory_order_relaxed),
        .size = node->proc == NULL ? look(&node->size) : 0,
        .block_size = PAGE_SIZE,
        .atime_ns = look(&node->atime),
        .mtime_ns = look(&node->mtime),
        .ctime_ns = look(&node->ctime),
    };
    if (node->kind == MEMFS_FILE)
        stat->blocks = look(&node->contents.frames) * (PAGE_SIZE / STAT_BLOCK);
    if (node->kind == MEMFS_DEVICE)
        stat->rdev = device_number(node->device);
}

void memfs_node_chmod(struct memfs_node *node, uint32_t mode)
{
    atomic_store_explicit(&node->mode, mode & S_MODE_MASK, memory_order_relaxed);
    node_changed(node);
}
