// SPDX-License-Identifier: MIT
/*
 * From a path to a node. L: tree, for everything here.
 *
 * Source: POSIX.1-2017, Base Definitions, "Pathname Resolution"
 */
#include "fs/memfs_internal.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/text.h"

enum { MADE_DIR_MODE = 0755 };

/* ---- components ------------------------------------------------------------------------------ */

int walk_start(struct walk *walk, struct memfs_node *dir, const char *path)
{
    ASSERT(node_root() != NULL);
    memset(walk, 0, sizeof(*walk));
    walk->dir = dir != NULL && path[0] != '/' ? dir : node_root();
    walk->text = path;
    if (path[0] == '\0')
        return -ENOENT;
    if (strnlen(path, MEMFS_PATH_MAX + 1) > MEMFS_PATH_MAX)
        return -ENAMETOOLONG;
    return walk->dir->kind == MEMFS_DIR ? 0 : -ENOTDIR;
}

int walk_start_making(struct walk *walk, const char *path)
{
    int error = walk_start(walk, NULL, path);
    walk->make = true;
    return error;
}

static const char *skip_slashes(const char *text)
{
    while (*text == '/')
        text++;
    return text;
}

/* Read the next component. */
static void walk_read(struct walk *walk)
{
    walk->name = skip_slashes(walk->text);
    walk->length = 0;
    while (walk->name[walk->length] != '/' && walk->name[walk->length] != '\0')
        walk->length++;
    const char *end = walk->name + walk->length;
    walk->text = skip_slashes(end);
    if (*walk->text != '\0')
        return;
    if (walk->depth > 0)
        walk->text = walk->aside[--walk->depth];
    else if (*end == '/')
        walk->must_be_dir = true;
}

bool walk_is(const struct walk *walk, const char *name)
{
    return walk->length == strlen(name) && memcmp(walk->name, name, walk->length) == 0;
}

bool walk_is_special(const struct walk *walk)
{
    return walk_is(walk, "") || walk_is(walk, ".") || walk_is(walk, "..");
}

int walk_find_entry(const struct walk *walk, struct memfs_entry **out)
{
    *out = NULL;
    if (dir_is_dead(walk->dir))
        return 0;
    if (walk->length > MEMFS_NAME_MAX)
        return -ENAMETOOLONG;
    int error = walk->dir->proc != NULL ? procfs_look_up(walk->dir, walk->name, walk->length) : 0;
    if (error != 0)
        return error;
    *out = dir_find(walk->dir, walk->name, walk->length);
    return 0;
}

int walk_find(const struct walk *walk, struct memfs_node **out)
{
    struct memfs_entry *entry;
    if (walk_is_special(walk)) {
        *out = walk_is(walk, "..") ? walk->dir->dir.parent : walk->dir;
        return 0;
    }
    int error = walk_find_entry(walk, &entry);
    *out = entry != NULL ? entry->node : NULL;
    return error;
}

/* ---- going on -------------------------------------------------------------------------------- */

int walk_follow(struct walk *walk, const struct memfs_node *symlink)
{
    if (walk->followed == MEMFS_LINKS_MAX)
        return -ELOOP;
    walk->followed++;
    if (*walk->text != '\0')
        walk->aside[walk->depth++] = walk->text;
    walk->text = symlink->target;
    if (symlink->target[0] == '/')
        walk->dir = node_root();
    return 0;
}

static int walk_make_dir(struct walk *walk)
{
    struct memfs_node *dir = node_new(MEMFS_DIR, MADE_DIR_MODE);
    struct memfs_entry *entry = entry_new(walk->name, walk->length);
    if (dir == NULL || entry == NULL) {
        memfs_node_put(dir);
        entry_free(entry);
        return -ENOSPC;
    }
    dir_add(walk->dir, entry, dir);
    memfs_node_put(dir); /* the entry has its own reference */
    dir->dir.made_before = walk->made;
    walk->made = dir;
    walk->dir = dir;
    return 0;
}

/* Each of them holds at most such as were made after it. */
void walk_undo(struct walk *walk)
{
    while (walk->made != NULL) {
        struct memfs_node *dir = walk->made;
        walk->made = dir->dir.made_before;
        memfs_node_put(dir_remove(dir->dir.name));
    }
}

/* Go into the directory that the component names. */
static int walk_enter(struct walk *walk)
{
    struct memfs_node *node;
    int error = walk_find(walk, &node);
    if (error != 0)
        return error;
    if (node == NULL)
        return walk->make ? walk_make_dir(walk) : -ENOENT;
    if (node->kind == MEMFS_SYMLINK)
        return walk_follow(walk, node);
    if (node->kind != MEMFS_DIR)
        return -ENOTDIR;
    walk->dir = node;
    return 0;
}

int walk_to_last(struct walk *walk)
{
    walk_read(walk);
    while (*walk->text != '\0') {
        int error = walk_enter(walk);
        if (error != 0)
            return error;
        walk_read(walk);
    }
    return 0;
}

int find_node(struct memfs_node *dir, const char *path, bool follow, struct memfs_node **out)
{
    struct walk walk;
    struct memfs_node *node = NULL;
    int error = walk_start(&walk, dir, path);
    while (error == 0) {
        error = walk_to_last(&walk);
        if (error == 0)
            error = walk_find(&walk, &node);
        if (error != 0)
            return error;
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
