// SPDX-License-Identifier: MIT
/*
 * The names in /proc. Each is an entry and a node of the memory file system's tree, so that a walk
 * needs to know nothing. What comes and goes (a directory for each process, the target of
 * /proc/self) is put right when a walk looks up that very name, or when its directory is listed.
 *
 * A walk may stand on what a later step of it takes away: so such a node is kept in a list until
 * `tree` is given free (memfs_tree_unlock).
 *
 * L: tree, for everything here but what the header declares.
 */
#include "fs/file.h"
#include "fs/procfs_internal.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "sched/thread.h"

#define PROC_PATH "/proc"

enum {
    DIR_MODE = 0555,
    FILE_MODE = 0444,
    WRITABLE_MODE = 0644,
    OWN_MODE = 0400,
    NUMBER_DIGITS = 10,
    SWEEP_MIN = 64, /* numbered directories; fewer are not worth looking through */
};

static struct memfs_node *proc_root;     /* I: by procfs_init, with a reference; NULL: no /proc */
static struct memfs_node *first_removed; /* L: tree */

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct memfs_node *proc_node_new(enum memfs_kind kind, uint32_t mode,
                                        const struct procfs_node *proc)
{
    struct memfs_node *node = node_new(kind, mode);
    if (node == NULL)
        return NULL;
    node->proc = heap_alloc(sizeof(*proc), ALLOC_USER);
    if (node->proc == NULL) {
        memfs_node_put(node);
        return NULL;
    }
    *node->proc = *proc;
    return node;
}

static struct memfs_node *file_new(const struct procfs_node *proc)
{
    uint32_t mode = proc->ops->open != NULL    ? OWN_MODE
                    : proc->ops->write != NULL ? WRITABLE_MODE
                                               : FILE_MODE;
    return proc_node_new(MEMFS_PROC, mode, proc);
}

static struct memfs_node *link_new(const char *target, const struct procfs_node *proc)
{
    struct memfs_node *node = node_new_symlink(target);
    struct procfs_node *own = heap_alloc(sizeof(*proc), ALLOC_USER);
    if (node == NULL || own == NULL) {
        memfs_node_put(node);
        heap_free(own);
        return NULL;
    }
    *own = *proc;
    node->proc = own;
    return node;
}

static struct memfs_node *file_or_link_new(const struct procfs_node *proc)
{
    char target[PROCFS_TARGET_MAX + 1];
    if (proc->target == NULL) {
        ASSERT(proc->ops != NULL);
        return file_new(proc);
    }
    proc->target(proc->data, target, sizeof(target));
    return link_new(target, proc);
}

/* Give a new node a name in `dir`, and its reference back; without a node there was no memory. */
static int name_new(struct memfs_node *dir, const char *name, size_t length,
                    struct memfs_node *node)
{
    struct memfs_entry *entry = node != NULL ? entry_new(name, length) : NULL;
    if (entry != NULL)
        dir_add(dir, entry, node);
    memfs_node_put(node);
    return entry != NULL ? 0 : -ENOMEM;
}

/* ---- taking away ----------------------------------------------------------------------------- */

static void set_aside(struct memfs_node *node)
{
    node->proc->next_removed = first_removed;
    first_removed = node;
}

struct memfs_node *procfs_removed(void)
{
    struct memfs_node *list = first_removed;
    first_removed = NULL;
    return list;
}

struct memfs_node *procfs_next_removed(const struct memfs_node *node)
{
    return node->proc->next_removed;
}

/* Take all out of a numbered directory: files and links. */
static void empty_numbered(const struct memfs_node *dir)
{
    while (!list_is_empty(&dir->dir.entries))
        set_aside(dir_remove(list_entry(dir->dir.entries.next, struct memfs_entry, in_dir)));
}

static void remove_numbered(struct memfs_entry *entry)
{
    entry->dir->proc->child_count--;
    empty_numbered(entry->node);
    set_aside(dir_remove(entry));
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Is it a name that a number has: decimal, no zero before it? */
static bool parse_number(const char *name, size_t length, uint32_t *number)
{
    uint64_t value = 0;
    if (length == 0 || length > NUMBER_DIGITS || (name[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(name[i] - '0');
    }
    *number = (uint32_t)value;
    return value < PROCFS_NO_NUMBER;
}

/* A numbered directory, its files in it, without a name. */
static struct memfs_node *numbered_new(const struct procfs_numbers *numbers, uint32_t number,
                                       uint64_t mark)
{
    struct procfs_node proc = {
        .owner = numbers, .mark = mark, .data = (void *)(uintptr_t)number}; /* procfs_number() */
    struct memfs_node *dir = proc_node_new(MEMFS_DIR, DIR_MODE, &proc);
    if (dir == NULL)
        return NULL;
    for (const struct procfs_entry *entry = numbers->entries; entry->name != NULL; entry++) {
        proc.ops = entry->ops;
        proc.target = entry->target;
        if (name_new(dir, entry->name, strlen(entry->name), file_or_link_new(&proc)) != 0) {
            empty_numbered(dir);
            memfs_node_put(dir);
            return NULL;
        }
    }
    return dir;
}

static bool is_numbered(const struct memfs_node *node)
{
    return node->kind == MEMFS_DIR && node->proc != NULL && node->proc->owner != NULL;
}

/* Take away all whose number has ended. */
static void sweep(struct memfs_node *dir)
{
    const struct list_node *head = &dir->dir.entries;
    for (struct list_node *at = head->next; at != head;) {
        struct memfs_entry *entry = list_entry(at, struct memfs_entry, in_dir);
        at = at->next;
        if (is_numbered(entry->node) && !procfs_is_alive(entry->node->proc))
            remove_numbered(entry);
    }
    size_t twice = 2 * dir->proc->child_count;
    dir->proc->sweep_at = twice > SWEEP_MIN ? twice : SWEEP_MIN;
}

/* Put the directory of one number right. Those that have ended and are looked up by nobody are
 * found when there are twice as many as the last time, so that they stay few. */
static int look_up_number(struct memfs_node *dir, uint32_t number, const char *name, size_t length)
{
    struct procfs_node *proc = dir->proc;
    struct memfs_entry *entry = dir_find(dir, name, length);
    uint64_t mark = proc->children->mark(number);
    if (entry != NULL && (!is_numbered(entry->node) || entry->node->proc->mark == mark))
        return 0;
    if (entry != NULL)
        remove_numbered(entry);
    if (mark == 0)
        return 0;
    if (proc->child_count >= proc->sweep_at)
        sweep(dir);
    /* the name first: what would have to be undone is easier to undo */
    struct memfs_entry *made = entry_new(name, length);
    struct memfs_node *node = made != NULL ? numbered_new(proc->children, number, mark) : NULL;
    if (node == NULL) {
        entry_free(made);
        return -ENOMEM;
    }
    dir_add(dir, made, node);
    memfs_node_put(node);
    proc->child_count++;
    return 0;
}

/* ---- what walks call ------------------------------------------------------------------------- */

static int look_up_link(struct memfs_entry *entry)
{
    char target[PROCFS_TARGET_MAX + 1];
    const struct procfs_node *proc = entry->node->proc;
    proc->target(proc->data, target, sizeof(target));
    if (strcmp(entry->node->target, target) == 0)
        return 0;
    struct memfs_node *node = link_new(target, proc);
    if (node == NULL)
        return -ENOMEM;
    set_aside(dir_replace(entry, node));
    memfs_node_put(node); /* the entry has its own reference */
    return 0;
}

int procfs_look_up(struct memfs_node *dir, const char *name, size_t length)
{
    uint32_t number;
    if (dir->proc->children != NULL && parse_number(name, length, &number))
        return look_up_number(dir, number, name, length);
    struct memfs_entry *entry = dir_find(dir, name, length);
    bool is_link = entry != NULL && entry->node->proc != NULL && entry->node->proc->target != NULL;
    return is_link ? look_up_link(entry) : 0;
}

int procfs_list(struct memfs_node *dir)
{
    const struct procfs_numbers *numbers = dir->proc->children;
    int error = 0;
    if (numbers == NULL)
        return 0;
    sweep(dir);
    for (uint32_t number = numbers->next(0); number != PROCFS_NO_NUMBER && error == 0;
         number = numbers->next(number + 1)) {
        char name[NUMBER_DIGITS + 1];
        int length = snprintf(name, sizeof(name), "%u", number);
        error = look_up_number(dir, number, name, (size_t)length);
        thread_point();
    }
    return error;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* A directory that was made here, or that the archive brought, is of /proc from now on. */
static int adopt(struct memfs_node *dir)
{
    if (dir->proc == NULL)
        dir->proc = heap_alloc(sizeof(*dir->proc), ALLOC_USER | ALLOC_ZERO);
    return dir->proc != NULL ? 0 : -ENOMEM;
}

/* Go into the directory `name` of *dir; it is made if it is missing. */
static int enter(struct memfs_node **dir, const char *name, size_t length)
{
    struct memfs_entry *entry = dir_find(*dir, name, length);
    int error = 0;
    if (entry == NULL) {
        error = name_new(*dir, name, length, node_new(MEMFS_DIR, DIR_MODE));
        entry = dir_find(*dir, name, length);
    }
    if (error != 0)
        return error;
    if (entry->node->kind != MEMFS_DIR)
        return -ENOTDIR;
    *dir = entry->node;
    return adopt(*dir);
}

/* Go down to the last part of a path below /proc. */
static int enter_all(struct memfs_node **dir, const char **path)
{
    *dir = proc_root;
    const char *slash;
    int error = *dir != NULL ? 0 : -ENOENT;
    while (error == 0 && (slash = strchr(*path, '/')) != NULL) {
        error = enter(dir, *path, (size_t)(slash - *path));
        *path = slash + 1;
    }
    return error;
}

static int create(const char *path, const struct procfs_node *proc)
{
    struct memfs_node *dir;
    const char *name = path;
    mutex_lock(&memfs_tree);
    int error = enter_all(&dir, &name);
    if (error == 0 && dir_find(dir, name, strlen(name)) != NULL)
        error = -EEXIST;
    if (error == 0)
        error = name_new(dir, name, strlen(name), file_or_link_new(proc));
    memfs_tree_unlock();
    if (error == -EEXIST)
        log_warn(PROC_PATH "/%s: the archive has something of that name", path);
    else if (error != 0)
        log_warn(PROC_PATH "/%s: it cannot be made: error %d", path, -error);
    return error;
}

int procfs_create(const char *path, const struct procfs_ops *ops, void *data)
{
    return create(path, &(struct procfs_node){.ops = ops, .data = data});
}

int procfs_create_link(const char *path, procfs_target_fn *target, void *data)
{
    return create(path, &(struct procfs_node){.target = target, .data = data});
}

int procfs_create_numbers(const char *path, const struct procfs_numbers *numbers)
{
    struct memfs_node *dir;
    const char *name = path;
    mutex_lock(&memfs_tree);
    int error = enter_all(&dir, &name);
    if (error == 0 && name[0] != '\0')
        error = enter(&dir, name, strlen(name));
    if (error == 0 && dir->proc->children != NULL)
        error = -EEXIST;
    if (error == 0)
        dir->proc->children = numbers;
    memfs_tree_unlock();
    if (error != 0)
        log_warn(PROC_PATH "/%s: its numbers cannot be shown: error %d", path, -error);
    return error;
}

/* Make the directory, or find it; a symbolic link of that name is none. */
static int find_root(struct memfs_node **dir)
{
    struct file_stat stat;
    int made = memfs_mkdir(NULL, PROC_PATH, DIR_MODE);
    if (made != 0 && made != -EEXIST)
        return made;
    int error = memfs_stat(NULL, PROC_PATH, false, &stat);
    if (error == 0 && (stat.mode & S_IFMT) != S_IFDIR)
        error = -ENOTDIR;
    return error == 0 ? memfs_lookup_dir(NULL, PROC_PATH, dir) : error;
}

int procfs_init(void)
{
    struct memfs_node *dir = NULL;
    int error = find_root(&dir);
    if (error == 0 && !dir_is_empty(dir))
        log_warn(PROC_PATH
                 ": the archive brought files: they stay, and what has their names is not "
                 "there");
    if (error == 0)
        error = adopt(dir);
    if (error == 0)
        proc_root = dir;
    else
        memfs_node_put(dir);
    if (error != 0)
        log_warn(PROC_PATH ": %s: there is none",
                 error == -ENOTDIR ? "the archive has something else of that name" : "no memory");
    return error;
}
