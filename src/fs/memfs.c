// SPDX-License-Identifier: MIT
/*
 * memfs.c: the tree of memfs.h.
 *
 * A node is a thing (file, directory, symbolic link), an entry gives it a name in a directory; a
 * hard link is a second entry. All entries of all directories are in one hash table, by directory
 * and name, so that a directory of a hundred thousand names is no slower than one of ten.
 *
 * The invariant of every change: all memory is had before the tree is touched; the directories
 * made on the way are remembered in the walk and taken back if the last step fails. So whoever
 * looks sees the tree before or after the call, and an error leaves nothing behind.
 *
 * Source: POSIX.1-2017, Base Definitions, "Pathname Resolution"
 */
#include "fs/memfs.h"

#include <stdbool.h>

#include "fs/tar.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "mm/page.h"

enum { BUCKETS = 1024, DIR_MODE = 0755, SYMLINK_MODE = 0777 };

struct memfs_entry {
    struct memfs_entry *next_in_bucket;
    struct memfs_entry *made_before; /* while a walk makes directories: the one before this */
    struct memfs_node *dir;
    struct memfs_node *node;
    size_t length; /* of the name, 1..MEMFS_NAME_MAX */
    char name[];   /* not terminated */
};

static struct memfs_node *root; /* I: by memfs_init */
static struct memfs_entry *buckets[BUCKETS];

/* ---- nodes ----------------------------------------------------------------------------------- */

static uint64_t frames_for(uint64_t size)
{
    return size / PAGE_SIZE + (size % PAGE_SIZE != 0);
}

static struct memfs_node *node_new(enum memfs_kind kind, uint32_t mode)
{
    struct memfs_node *node = heap_alloc(sizeof(*node), ALLOC_USER | ALLOC_ZERO);
    if (node == NULL)
        return NULL;
    node->kind = kind;
    node->mode = mode & MEMFS_MODE_MASK;
    return node;
}

static void file_free_contents(struct memfs_node *file)
{
    for (uint64_t i = 0; file->frames != NULL && i < frames_for(file->size); i++)
        page_free_one(file->frames[i]);
    heap_free(file->frames);
}

/* Free the node unless it has a name. */
static void node_free_unnamed(struct memfs_node *node)
{
    if (node->links != 0)
        return;
    if (node->kind == MEMFS_FILE)
        file_free_contents(node);
    else if (node->kind == MEMFS_SYMLINK)
        heap_free(node->target);
    heap_free(node);
}

static void node_drop_name(struct memfs_node *node)
{
    node->links--;
    node_free_unnamed(node);
}

/* Give an empty file its contents. On -ENOMEM it is to be freed as it is. */
static int file_fill(struct memfs_node *file, const void *data, size_t size)
{
    if (size == 0)
        return 0;
    uint64_t frames = frames_for(size);
    file->frames = heap_alloc(frames * sizeof(void *), ALLOC_USER | ALLOC_ZERO);
    if (file->frames == NULL)
        return -ENOMEM;
    file->size = size;
    for (uint64_t i = 0; i < frames; i++) {
        size_t left = size - i * PAGE_SIZE;
        size_t part = left < PAGE_SIZE ? left : PAGE_SIZE;
        char *frame = page_alloc_one(ALLOC_USER);
        if (frame == NULL)
            return -ENOMEM;
        memcpy(frame, (const char *)data + i * PAGE_SIZE, part);
        memset(frame + part, 0, PAGE_SIZE - part);
        file->frames[i] = frame;
    }
    return 0;
}

/* ---- entries --------------------------------------------------------------------------------- */

/* FNV-1a over the name, begun with the directory. */
static struct memfs_entry **bucket_of(const struct memfs_node *dir, const char *name, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uintptr_t)dir;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
    return &buckets[(hash ^ hash >> 32) % BUCKETS];
}

static struct memfs_entry *entry_find(const struct memfs_node *dir, const char *name, size_t length)
{
    struct memfs_entry *entry = *bucket_of(dir, name, length);
    while (entry != NULL &&
           (entry->dir != dir || entry->length != length || memcmp(entry->name, name, length) != 0))
        entry = entry->next_in_bucket;
    return entry;
}

/* A new entry for `node`, in its bucket, or NULL. */
static struct memfs_entry *entry_add(struct memfs_node *dir, const char *name, size_t length,
                                     struct memfs_node *node)
{
    struct memfs_entry *entry = heap_alloc(sizeof(*entry) + length, ALLOC_USER);
    if (entry == NULL)
        return NULL;
    struct memfs_entry **bucket = bucket_of(dir, name, length);
    *entry =
        (struct memfs_entry){.next_in_bucket = *bucket, .dir = dir, .node = node, .length = length};
    memcpy(entry->name, name, length);
    *bucket = entry;
    node->links++;
    if (node->kind == MEMFS_DIR)
        node->parent = dir;
    return entry;
}

static void entry_remove(struct memfs_entry *entry)
{
    struct memfs_entry **link = bucket_of(entry->dir, entry->name, entry->length);
    while (*link != entry)
        link = &(*link)->next_in_bucket;
    *link = entry->next_in_bucket;
    node_drop_name(entry->node);
    heap_free(entry);
}

/* ---- walking a path -------------------------------------------------------------------------- */

/*
 * A walk reads one component after the other. At a symbolic link it puts the rest of the text
 * aside and goes on with the link's target, so the components come in order without any copying.
 */
struct walk {
    struct memfs_node *dir; /* where the component is looked up */
    const char *name;       /* the component; with length 0 it is the directory itself */
    size_t length;
    const char *text;         /* what follows the component; "" if it is the last */
    bool must_be_dir;         /* the path ended in '/' */
    bool make;                /* missing directories are made ... */
    struct memfs_entry *made; /* ... and remembered here, the newest first */
    unsigned followed;        /* symbolic links so far */
    unsigned depth;           /* texts put aside, none of them "" */
    const char *aside[MEMFS_LINKS_MAX];
};

static int walk_start(struct walk *walk, const char *path, bool make)
{
    ASSERT(root != NULL);
    memset(walk, 0, sizeof(*walk));
    walk->dir = root;
    walk->text = path;
    walk->make = make;
    if (path[0] == '\0')
        return -ENOENT;
    return strnlen(path, MEMFS_PATH_MAX + 1) > MEMFS_PATH_MAX ? -ENAMETOOLONG : 0;
}

static const char *skip_slashes(const char *text)
{
    while (*text == '/')
        text++;
    return text;
}

/* Read the next component. */
static int walk_read(struct walk *walk)
{
    walk->name = skip_slashes(walk->text);
    walk->length = 0;
    while (walk->name[walk->length] != '/' && walk->name[walk->length] != '\0')
        walk->length++;
    if (walk->length > MEMFS_NAME_MAX)
        return -ENAMETOOLONG;
    const char *end = walk->name + walk->length;
    walk->text = skip_slashes(end);
    if (*walk->text != '\0')
        return 0;
    if (walk->depth > 0)
        walk->text = walk->aside[--walk->depth];
    else if (*end == '/')
        walk->must_be_dir = true;
    return 0;
}

static bool walk_names(const struct walk *walk, const char *name)
{
    return walk->length == strlen(name) && memcmp(walk->name, name, walk->length) == 0;
}

/* The directory that a component without a name of its own ("", "." or "..") means, or NULL. */
static struct memfs_node *walk_dots(const struct walk *walk)
{
    if (walk->length == 0 || walk_names(walk, "."))
        return walk->dir;
    return walk_names(walk, "..") ? walk->dir->parent : NULL;
}

/* What the component names, or NULL. */
static struct memfs_node *walk_find(const struct walk *walk)
{
    struct memfs_node *dots = walk_dots(walk);
    if (dots != NULL)
        return dots;
    struct memfs_entry *entry = entry_find(walk->dir, walk->name, walk->length);
    return entry != NULL ? entry->node : NULL;
}

/* Go on with the target of a symbolic link. */
static int walk_follow(struct walk *walk, const struct memfs_node *symlink)
{
    if (walk->followed == MEMFS_LINKS_MAX)
        return -ELOOP;
    walk->followed++;
    if (*walk->text != '\0')
        walk->aside[walk->depth++] = walk->text;
    walk->text = symlink->target;
    if (symlink->target[0] == '/')
        walk->dir = root;
    return 0;
}

static int walk_make_dir(struct walk *walk)
{
    struct memfs_node *dir = node_new(MEMFS_DIR, DIR_MODE);
    if (dir == NULL)
        return -ENOMEM;
    struct memfs_entry *entry = entry_add(walk->dir, walk->name, walk->length, dir);
    if (entry == NULL) {
        node_free_unnamed(dir);
        return -ENOMEM;
    }
    entry->made_before = walk->made;
    walk->made = entry;
    walk->dir = dir;
    return 0;
}

/* Take back the directories that the walk made; each holds at most one made after it. */
static void walk_undo(struct walk *walk)
{
    while (walk->made != NULL) {
        struct memfs_entry *entry = walk->made;
        walk->made = entry->made_before;
        entry_remove(entry);
    }
}

/* Go into the directory that the component names. */
static int walk_enter(struct walk *walk)
{
    struct memfs_node *node = walk_find(walk);
    if (node == NULL)
        return walk->make ? walk_make_dir(walk) : -ENOENT;
    if (node->kind == MEMFS_SYMLINK)
        return walk_follow(walk, node);
    if (node->kind != MEMFS_DIR)
        return -ENOTDIR;
    walk->dir = node;
    return 0;
}

/* Walk until the component is the last one. */
static int walk_to_last(struct walk *walk)
{
    int error = walk_read(walk);
    while (error == 0 && *walk->text != '\0') {
        error = walk_enter(walk);
        if (error == 0)
            error = walk_read(walk);
    }
    return error;
}

/* What the path names; a symbolic link at its end is followed, or is itself the answer. */
static int find_node(const char *path, bool follow, struct memfs_node **out)
{
    struct walk walk;
    struct memfs_node *node = NULL;
    int error = walk_start(&walk, path, false);
    while (error == 0) {
        error = walk_to_last(&walk);
        if (error != 0)
            return error;
        node = walk_find(&walk);
        if (node == NULL)
            return -ENOENT;
        if (node->kind != MEMFS_SYMLINK || !(follow || walk.must_be_dir))
            break;
        error = walk_follow(&walk, node);
    }
    if (error == 0 && walk.must_be_dir && node->kind != MEMFS_DIR)
        error = -ENOTDIR;
    if (error == 0)
        *out = node;
    return error;
}

/* ---- changing the tree ----------------------------------------------------------------------- */

/* Let the walk's last component name the node. */
static int plant_at(struct walk *walk, struct memfs_node *node)
{
    bool is_dir = node->kind == MEMFS_DIR;
    if (walk_dots(walk) != NULL || (walk->must_be_dir && !is_dir))
        return -EISDIR;
    struct memfs_entry *entry = entry_find(walk->dir, walk->name, walk->length);
    if (entry == NULL)
        return entry_add(walk->dir, walk->name, walk->length, node) != NULL ? 0 : -ENOMEM;
    if (entry->node->kind == MEMFS_DIR)
        return -EISDIR;
    struct memfs_node *replaced = entry->node;
    node->links++; /* first: it may be the same node */
    entry->node = node;
    if (is_dir)
        node->parent = walk->dir;
    node_drop_name(replaced);
    return 0;
}

/* Let the path name the node; if that fails and the node has no other name, it is freed. */
static int plant(const char *path, struct memfs_node *node)
{
    struct walk walk;
    int error = walk_start(&walk, path, true);
    if (error == 0)
        error = walk_to_last(&walk);
    if (error == 0)
        error = plant_at(&walk, node);
    if (error != 0) {
        walk_undo(&walk);
        node_free_unnamed(node);
    }
    return error;
}

int memfs_init(void)
{
    if (root != NULL)
        return 0;
    root = node_new(MEMFS_DIR, DIR_MODE);
    if (root == NULL)
        return -ENOMEM;
    root->links = 1;
    root->parent = root;
    return 0;
}

int memfs_mkdir(const char *path, uint32_t mode)
{
    struct memfs_node *dir;
    if (find_node(path, false, &dir) == 0 && dir->kind == MEMFS_DIR) {
        dir->mode = mode & MEMFS_MODE_MASK;
        return 0;
    }
    dir = node_new(MEMFS_DIR, mode);
    return dir == NULL ? -ENOMEM : plant(path, dir);
}

int memfs_create(const char *path, uint32_t mode, const void *data, size_t size)
{
    struct memfs_node *file = node_new(MEMFS_FILE, mode);
    if (file == NULL)
        return -ENOMEM;
    int error = file_fill(file, data, size);
    if (error != 0) {
        node_free_unnamed(file);
        return error;
    }
    return plant(path, file);
}

int memfs_symlink(const char *path, const char *target)
{
    size_t length = strnlen(target, MEMFS_PATH_MAX + 1);
    if (length == 0)
        return -ENOENT;
    if (length > MEMFS_PATH_MAX)
        return -ENAMETOOLONG;
    struct memfs_node *symlink = node_new(MEMFS_SYMLINK, SYMLINK_MODE);
    if (symlink == NULL)
        return -ENOMEM;
    symlink->size = length;
    symlink->target = heap_alloc(length + 1, ALLOC_USER);
    if (symlink->target == NULL) {
        node_free_unnamed(symlink);
        return -ENOMEM;
    }
    memcpy(symlink->target, target, length + 1);
    return plant(path, symlink);
}

int memfs_link(const char *path, const char *existing)
{
    struct memfs_node *node;
    int error = find_node(existing, false, &node);
    if (error != 0)
        return error;
    return node->kind == MEMFS_DIR ? -EPERM : plant(path, node);
}

/* ---- looking --------------------------------------------------------------------------------- */

int memfs_lookup(const char *path, struct memfs_node **out)
{
    return find_node(path, true, out);
}

long memfs_read(const struct memfs_node *node, uint64_t offset, void *buf, size_t len)
{
    if (node->kind != MEMFS_FILE)
        return node->kind == MEMFS_DIR ? -EISDIR : -EINVAL;
    if (offset >= node->size)
        return 0;
    if (len > node->size - offset)
        len = (size_t)(node->size - offset);
    for (size_t done = 0; done < len;) {
        uint64_t at = offset + done;
        size_t part = PAGE_SIZE - (size_t)(at % PAGE_SIZE);
        if (part > len - done)
            part = len - done;
        const char *frame = node->frames[at / PAGE_SIZE];
        memcpy((char *)buf + done, frame + at % PAGE_SIZE, part);
        done += part;
    }
    return (long)len;
}

/* ---- archives -------------------------------------------------------------------------------- */

static int unpack_entry(const struct tar_entry *entry)
{
    switch (entry->type) {
    case TAR_FILE:
        return memfs_create(entry->name, entry->mode, entry->data, entry->size);
    case TAR_DIRECTORY:
        return memfs_mkdir(entry->name, entry->mode);
    case TAR_SYMLINK:
        return memfs_symlink(entry->name, entry->link);
    case TAR_HARD_LINK:
        return memfs_link(entry->name, entry->link);
    case TAR_OTHER:
        break;
    }
    return -EINVAL;
}

/* What unpack_entry's error means to a person. */
static const char *skip_reason(int error)
{
    switch (error) {
    case -ENOENT:
        return "hard link to a missing file";
    case -EPERM:
        return "hard link to a directory";
    case -EISDIR:
        return "a directory is in its place";
    case -ENOTDIR:
        return "a part of its path is not a directory";
    case -ELOOP:
        return "too many symbolic links in its path";
    case -ENAMETOOLONG:
        return "name too long";
    default:
        return "not a file, a link or a directory";
    }
}

static void report_skip(struct memfs_unpack_report *report, const char *why, const char *name,
                        size_t offset)
{
    report->skipped++;
    for (size_t i = 0; i < report->skip_kinds; i++) {
        if (strcmp(report->skips[i].why, why) == 0) {
            report->skips[i].count++;
            return;
        }
    }
    if (report->skip_kinds == MEMFS_SKIP_KINDS)
        return;
    struct memfs_skip *skip = &report->skips[report->skip_kinds++];
    skip->why = why;
    skip->count = 1;
    skip->offset = offset;
    text_copy(skip->name, name, sizeof(skip->name));
}

static int report_end(struct memfs_unpack_report *report, int error, const char *text,
                      size_t offset)
{
    report->error = text;
    report->error_offset = offset;
    return error;
}

static int unpack_all(struct tar_cursor *cursor, struct memfs_unpack_report *report)
{
    struct tar_entry entry;
    for (int result; (result = tar_next(cursor, &entry)) != 0;) {
        if (result < 0 && cursor->ended)
            return report_end(report, -EINVAL, cursor->error, cursor->error_offset);
        if (result < 0) {
            report_skip(report, cursor->error, "", cursor->error_offset);
            continue;
        }
        int error = unpack_entry(&entry);
        if (error == -ENOMEM)
            return report_end(report, error, "out of memory", entry.offset);
        if (error != 0) {
            report_skip(report, skip_reason(error), entry.name, entry.offset);
            continue;
        }
        report->files++;
        report->bytes += entry.size;
    }
    return tar_is_empty(cursor) ? report_end(report, -EINVAL, "empty archive", 0) : 0;
}

int memfs_unpack_tar(const void *data, size_t size, struct memfs_unpack_report *report)
{
    memset(report, 0, sizeof(*report));
    struct tar_cursor *cursor = heap_alloc(sizeof(*cursor), ALLOC_KERNEL);
    if (cursor == NULL)
        return report_end(report, -ENOMEM, "out of memory", 0);
    tar_open(cursor, data, size);
    int error = unpack_all(cursor, report);
    heap_free(cursor);
    return error;
}
