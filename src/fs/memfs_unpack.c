// SPDX-License-Identifier: MIT
/*
 * Unpacking an archive into the tree. Unlike the calls of programs, it makes missing directories of
 * a path as it goes, and the last entry of a name wins. What a path made on its way is taken back
 * if its last step fails.
 */
#include "fs/file.h"
#include "fs/memfs_internal.h"
#include "fs/tar.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"

/* ---- entries --------------------------------------------------------------------------------- */

/* Let the walk's last component name the node. *replaced is what it named before, or NULL. */
static int plant_at(struct walk *walk, struct memfs_node *node, struct memfs_node **replaced)
{
    if (walk_is_special(walk) || (walk->must_be_dir && node->kind != MEMFS_DIR))
        return -EISDIR;
    struct memfs_entry *entry;
    int error = walk_find_entry(walk, &entry);
    if (error != 0)
        return error;
    if (entry == NULL) {
        entry = entry_new(walk->name, walk->length);
        if (entry == NULL)
            return -ENOSPC;
        dir_add(walk->dir, entry, node);
        return 0;
    }
    if (entry->node->kind == MEMFS_DIR)
        return -EISDIR;
    *replaced = dir_replace(entry, node);
    return 0;
}

/* Let the path name the node, whose reference is given back; NULL: there was no memory for it. */
static int plant(const char *path, struct memfs_node *node)
{
    struct walk walk;
    struct memfs_node *replaced = NULL;
    if (node == NULL)
        return -ENOSPC;
    mutex_lock(&memfs_tree);
    int error = walk_start_making(&walk, path);
    if (error == 0)
        error = walk_to_last(&walk);
    if (error == 0)
        error = plant_at(&walk, node, &replaced);
    if (error != 0)
        walk_undo(&walk);
    mutex_unlock(&memfs_tree);
    memfs_node_put(replaced);
    memfs_node_put(node);
    return error;
}

static int unpack_file(const struct tar_entry *entry)
{
    struct memfs_node *file = node_new(MEMFS_FILE, entry->mode);
    if (file == NULL)
        return -ENOSPC;
    int error = node_append_kernel(file, entry->data, entry->size);
    if (error == 0)
        return plant(entry->name, file);
    memfs_node_put(file);
    return error;
}

/* A directory that is there gets the mode. Returns: was it there? */
static bool set_dir_mode(const char *path, uint32_t mode)
{
    struct memfs_node *dir;
    mutex_lock(&memfs_tree);
    bool there = find_node(NULL, path, false, &dir) == 0 && dir->kind == MEMFS_DIR;
    if (there)
        memfs_node_chmod(dir, mode);
    mutex_unlock(&memfs_tree);
    return there;
}

static int unpack_dir(const struct tar_entry *entry)
{
    if (set_dir_mode(entry->name, entry->mode))
        return 0;
    return plant(entry->name, node_new(MEMFS_DIR, entry->mode));
}

static int unpack_symlink(const struct tar_entry *entry)
{
    return plant(entry->name, node_new_symlink(entry->link));
}

static int unpack_hard_link(const struct tar_entry *entry)
{
    struct memfs_node *node;
    mutex_lock(&memfs_tree);
    int error = find_node(NULL, entry->link, false, &node);
    if (error == 0 && node->kind == MEMFS_DIR)
        error = -EPERM;
    if (error == 0)
        (void)memfs_node_get(node);
    mutex_unlock(&memfs_tree);
    return error != 0 ? error : plant(entry->name, node);
}

static int unpack_entry(const struct tar_entry *entry)
{
    switch (entry->type) {
    case TAR_FILE:
        return unpack_file(entry);
    case TAR_DIRECTORY:
        return unpack_dir(entry);
    case TAR_SYMLINK:
        return unpack_symlink(entry);
    case TAR_HARD_LINK:
        return unpack_hard_link(entry);
    case TAR_OTHER:
        break;
    }
    return -EINVAL;
}

/* ---- the archive ----------------------------------------------------------------------------- */

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
        if (error == -ENOSPC)
            return report_end(report, -ENOMEM, "out of memory", entry.offset);
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
