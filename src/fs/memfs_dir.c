// SPDX-License-Identifier: MIT
/*
 * Directories: entries, and listing them.
 *
 * All entries of all directories are in one hash table, by directory and name, so that a directory
 * of a hundred thousand names is no slower than one of ten. Beside that, each directory has a list
 * of its own in the order in which entries were made. An entry's number in that order, its cookie,
 * is its place in a listing: numbers only grow and are never used again, so a listing that goes on
 * at "from cookie n" neither misses nor repeats what was there all the time.
 */
#include "fs/file.h"
#include "fs/fs_internal.h"
#include "fs/memfs_internal.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "sched/thread.h"
#include "vm/user_copy.h"

enum {
    BUCKETS = 1024,
    PLACE_DOT = 0, /* "." and ".." have the first places, the entries' cookies follow */
    PLACE_DOT_DOT = 1,
    FIRST_COOKIE = 2,
    DIR_LINKS = 2, /* of a directory without directories: its name and its "." */
};

static struct memfs_entry *buckets[BUCKETS]; /* L: tree */

/* ---- entries --------------------------------------------------------------------------------- */

struct memfs_entry *entry_new(const char *name, size_t length)
{
    struct memfs_entry *entry = heap_alloc(sizeof(*entry) + length, ALLOC_USER | ALLOC_ZERO);
    if (entry == NULL)
        return NULL;
    entry->length = length;
    memcpy(entry->name, name, length);
    return entry;
}

void entry_free(struct memfs_entry *entry)
{
    heap_free(entry);
}

/* FNV-1a over the name, begun with the directory. */
static struct memfs_entry **bucket_of(const struct memfs_node *dir, const char *name, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uintptr_t)dir;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
    return &buckets[(hash ^ hash >> 32) % BUCKETS];
}

struct memfs_entry *dir_find(const struct memfs_node *dir, const char *name, size_t length)
{
    struct memfs_entry *entry = *bucket_of(dir, name, length);
    while (entry != NULL &&
           (entry->dir != dir || entry->length != length || memcmp(entry->name, name, length) != 0))
        entry = entry->next_in_bucket;
    return entry;
}

bool dir_is_dead(const struct memfs_node *dir)
{
    return atomic_load_explicit(&dir->links, memory_order_relaxed) == 0;
}

bool dir_is_empty(const struct memfs_node *dir)
{
    return list_is_empty(&dir->dir.entries);
}

bool dir_is_above(const struct memfs_node *dir, const struct memfs_node *other)
{
    while (other != dir && other != other->dir.parent)
        other = other->dir.parent;
    return other == dir;
}

static void add_links(struct memfs_node *node, uint32_t count)
{
    atomic_fetch_add_explicit(&node->links, count, memory_order_relaxed);
}

/* The entry names `node` from now on. */
static void attach(struct memfs_entry *entry, struct memfs_node *node)
{
    struct memfs_node *dir = entry->dir;
    entry->node = memfs_node_get(node);
    if (node->kind == MEMFS_DIR) {
        struct memfs_node *old_parent = node->dir.parent;
        node->dir.parent = memfs_node_get(dir);
        node->dir.name = entry;
        atomic_store_explicit(&node->links, atomic_load(&node->links) + DIR_LINKS,
                              memory_order_relaxed);
        add_links(dir, 1);
        memfs_node_put(old_parent); /* never the last: it was a directory with entries just now */
    } else {
        add_links(node, 1);
    }
    node_changed(node);
    node_modified(dir);
}

/* The entry no longer names its node. Returns: it, with the entry's reference. */
static struct memfs_node *detach(struct memfs_entry *entry)
{
    struct memfs_node *node = entry->node;
    if (node->kind == MEMFS_DIR) {
        node->dir.name = NULL;
        add_links(node, (uint32_t)-DIR_LINKS);
        add_links(entry->dir, (uint32_t)-1);
    } else {
        add_links(node, (uint32_t)-1);
    }
    node_changed(node);
    node_modified(entry->dir);
    return node;
}

void dir_add(struct memfs_node *dir, struct memfs_entry *entry, struct memfs_node *node)
{
    struct memfs_entry **bucket = bucket_of(dir, entry->name, entry->length);
    entry->dir = dir;
    entry->cookie = FIRST_COOKIE + dir->dir.next_cookie++;
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    list_push_back(&dir->dir.entries, &entry->in_dir);
    attach(entry, node);
}

struct memfs_node *dir_replace(struct memfs_entry *entry, struct memfs_node *node)
{
    struct memfs_node *replaced = detach(entry);
    attach(entry, node);
    return replaced;
}

struct memfs_node *dir_remove(struct memfs_entry *entry)
{
    struct memfs_entry **link = bucket_of(entry->dir, entry->name, entry->length);
    while (*link != entry)
        link = &(*link)->next_in_bucket;
    *link = entry->next_in_bucket;
    list_remove(&entry->in_dir);
    struct memfs_node *node = detach(entry);
    entry_free(entry);
    return node;
}

/* ---- listing --------------------------------------------------------------------------------- */

/* struct linux_dirent64 of getdents64(2); the terminated name follows. */
struct record {
    uint64_t ino;
    int64_t next; /* the place to go on from */
    uint16_t bytes;
    uint8_t type;
    char name[];
} __attribute__((packed));

enum {
    RECORD_ALIGN = 8,
    RECORD_MAX = (sizeof(struct record) + MEMFS_NAME_MAX + 1 + RECORD_ALIGN - 1) / RECORD_ALIGN *
                 RECORD_ALIGN,
};

struct listing {
    uint64_t *position;
    uintptr_t buf;
    size_t size;
    size_t done;
};

/* DT_*: the kind bits of a mode, moved down. */
static uint8_t type_of(const struct memfs_node *node)
{
    struct file_stat stat;
    memfs_node_stat(node, &stat);
    return (uint8_t)((stat.mode & S_IFMT) >> 12);
}

/* Copy the record of what stands at `place` out. Returns: 0, -EINVAL (no room), -EFAULT. */
static int list_one(struct listing *listing, uint64_t place, const struct memfs_node *node,
                    const char *name, size_t length)
{
    _Alignas(struct record) char bytes[RECORD_MAX] = {0};
    struct record *record = (struct record *)bytes;
    size_t size = (sizeof(*record) + length + 1 + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
    if (size > listing->size - listing->done)
        return -EINVAL;
    record->ino = node->ino;
    record->next = (int64_t)place + 1;
    record->bytes = (uint16_t)size;
    record->type = type_of(node);
    memcpy(record->name, name, length);
    if (copy_to_user(listing->buf + listing->done, bytes, size) != 0)
        return -EFAULT;
    listing->done += size;
    *listing->position = place + 1;
    return 0;
}

/* L: tree */
static int list_from(struct listing *listing, const struct memfs_node *dir)
{
    int error = 0;
    if (dir_is_dead(dir))
        return -ENOENT;
    if (*listing->position == PLACE_DOT)
        error = list_one(listing, PLACE_DOT, dir, ".", 1);
    if (error == 0 && *listing->position == PLACE_DOT_DOT)
        error = list_one(listing, PLACE_DOT_DOT, dir->dir.parent, "..", 2);
    const struct list_node *head = &dir->dir.entries;
    for (struct list_node *at = head->next; error == 0 && at != head; at = at->next) {
        struct memfs_entry *entry = list_entry(at, struct memfs_entry, in_dir);
        if (entry->cookie >= *listing->position)
            error = list_one(listing, entry->cookie, entry->node, entry->name, entry->length);
    }
    return error;
}

static long dir_getdents(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    struct listing listing = {.position = position, .buf = buf, .size = size};
    mutex_lock(&memfs_tree);
    /* once for a listing: what is there all the time has its entry from here on */
    bool begins = *position == PLACE_DOT;
    int error = file->node->proc != NULL && begins ? procfs_list(file->node) : 0;
    if (error == 0)
        error = list_from(&listing, file->node);
    memfs_tree_unlock();
    thread_point();
    return listing.done > 0 ? (long)listing.done : error;
}

static int64_t dir_seek(struct file *file, uint64_t position, int64_t offset, int whence)
{
    (void)file;
    if (whence != SEEK_FROM_START && whence != SEEK_FROM_HERE)
        return -EINVAL;
    int64_t from = whence == SEEK_FROM_HERE ? (int64_t)position : 0;
    int64_t result;
    if (__builtin_add_overflow(from, offset, &result) || result < 0)
        return -EINVAL;
    return result;
}

static long dir_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    (void)file, (void)position, (void)buf, (void)size;
    return -EISDIR;
}

static long dir_read_kernel(struct file *file, uint64_t position, void *buf, size_t size)
{
    (void)file, (void)position, (void)buf, (void)size;
    return -EISDIR;
}

const struct file_ops memfs_dir_ops = {
    .read = dir_read,
    .read_kernel = dir_read_kernel,
    .seek = dir_seek,
    .getdents = dir_getdents,
};
