// SPDX-License-Identifier: MIT
/*
 * A table is a growing array of files with two bit maps beside it: which numbers are taken, and
 * which are closed on exec. A number that is taken without a file is reserved.
 */
#include "fs/fd.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/file.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "sched/mutex.h"

enum { WORD_BITS = 64, WORDS = FD_MAX / WORD_BITS, FIRST_ROOM = 32 };

struct fd_table {
    _Atomic unsigned refs;
    struct mutex lock;
    struct file **files;     /* L: lock; `room` of them; NULL: not open */
    int room;                /* L: a power of two times FIRST_ROOM, or 0 */
    uint64_t taken[WORDS];   /* L: open or reserved */
    uint64_t cloexec[WORDS]; /* L: of those taken */
};

/* ---- bits, and the array; L: lock, for all of them ------------------------------------------- */

static bool bit_of(const uint64_t *bits, int fd)
{
    return (bits[fd / WORD_BITS] >> (fd % WORD_BITS) & 1) != 0;
}

static void set_bit(uint64_t *bits, int fd, bool value)
{
    uint64_t mask = UINT64_C(1) << (fd % WORD_BITS);
    bits[fd / WORD_BITS] = value ? bits[fd / WORD_BITS] | mask : bits[fd / WORD_BITS] & ~mask;
}

/* The file of a descriptor, or NULL. */
static struct file *file_of(const struct fd_table *table, int fd)
{
    return fd >= 0 && fd < table->room ? table->files[fd] : NULL;
}

/* The lowest number from `fd` on whose bit is `value`, or FD_MAX. */
static int next_bit(const uint64_t *bits, int fd, bool value)
{
    while (fd < FD_MAX) {
        uint64_t word = value ? bits[fd / WORD_BITS] : ~bits[fd / WORD_BITS];
        word >>= fd % WORD_BITS;
        if (word != 0)
            return fd + __builtin_ctzll(word);
        fd = (fd / WORD_BITS + 1) * WORD_BITS;
    }
    return FD_MAX;
}

static int grow_for(struct fd_table *table, int fd)
{
    int room = table->room == 0 ? FIRST_ROOM : table->room;
    while (room <= fd)
        room *= 2;
    if (room == table->room)
        return 0;
    size_t bytes = (size_t)room * sizeof(struct file *);
    struct file **files = heap_alloc(bytes, ALLOC_USER | ALLOC_ZERO);
    if (files == NULL)
        return -ENOMEM;
    if (table->room > 0)
        memcpy(files, table->files, (size_t)table->room * sizeof(struct file *));
    heap_free(table->files);
    table->files = files;
    table->room = room;
    return 0;
}

/* Take the lowest free number from `lowest` on. */
static int take_lowest(struct fd_table *table, int lowest, bool cloexec)
{
    int fd = next_bit(table->taken, lowest, false);
    if (fd == FD_MAX)
        return -EMFILE;
    int error = grow_for(table, fd);
    if (error != 0)
        return error;
    set_bit(table->taken, fd, true);
    set_bit(table->cloexec, fd, cloexec);
    return fd;
}

/* Free a number. Returns: the file that it stood for, whose reference is the caller's. */
static struct file *give_up(struct fd_table *table, int fd)
{
    struct file *file = table->files[fd];
    table->files[fd] = NULL;
    set_bit(table->taken, fd, false);
    set_bit(table->cloexec, fd, false);
    return file;
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct fd_table *fd_table_create(void)
{
    struct fd_table *table = heap_alloc(sizeof(*table), ALLOC_USER | ALLOC_ZERO);
    if (table == NULL)
        return NULL;
    atomic_init(&table->refs, 1);
    mutex_init(&table->lock);
    return table;
}

struct fd_table *fd_table_get(struct fd_table *table)
{
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

void fd_table_put(struct fd_table *table)
{
    /* acquire and release: what the others did to the table is done before it goes */
    if (table == NULL || atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1)
        return;
    fd_close_all(table);
    heap_free(table->files);
    heap_free(table);
}

/* Share the open files below `below` with the new table `copy`. Locks: caller holds table's. */
static int share_files(struct fd_table *table, struct fd_table *copy, int below)
{
    int last = (below < table->room ? below : table->room) - 1;
    while (last >= 0 && table->files[last] == NULL)
        last--;
    int error = last < 0 ? 0 : grow_for(copy, last);
    for (int fd = 0; fd <= last && error == 0; fd++) {
        if (table->files[fd] == NULL)
            continue;
        copy->files[fd] = file_get(table->files[fd]);
        set_bit(copy->taken, fd, true);
        set_bit(copy->cloexec, fd, bit_of(table->cloexec, fd));
    }
    return error;
}

struct fd_table *fd_table_copy(struct fd_table *table, int below)
{
    struct fd_table *copy = fd_table_create();
    if (copy == NULL)
        return NULL;
    mutex_lock(&table->lock);
    int error = share_files(table, copy, below);
    mutex_unlock(&table->lock);
    if (error == 0)
        return copy;
    fd_table_put(copy);
    return NULL;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

int fd_get(struct fd_table *table, int fd, struct file **file)
{
    mutex_lock(&table->lock);
    struct file *found = file_of(table, fd);
    if (found != NULL)
        *file = file_get(found);
    mutex_unlock(&table->lock);
    return found != NULL ? 0 : -EBADF;
}

int fd_reserve(struct fd_table *table, bool cloexec)
{
    mutex_lock(&table->lock);
    int fd = take_lowest(table, 0, cloexec);
    mutex_unlock(&table->lock);
    return fd;
}

void fd_fill(struct fd_table *table, int fd, struct file *file)
{
    mutex_lock(&table->lock);
    ASSERT(bit_of(table->taken, fd) && table->files[fd] == NULL);
    table->files[fd] = file;
    mutex_unlock(&table->lock);
}

void fd_unreserve(struct fd_table *table, int fd)
{
    mutex_lock(&table->lock);
    ASSERT(bit_of(table->taken, fd) && table->files[fd] == NULL);
    (void)give_up(table, fd);
    mutex_unlock(&table->lock);
}

int fd_install(struct fd_table *table, struct file *file, bool cloexec)
{
    mutex_lock(&table->lock);
    int fd = take_lowest(table, 0, cloexec);
    if (fd >= 0)
        table->files[fd] = file;
    mutex_unlock(&table->lock);
    return fd;
}

int fd_close(struct fd_table *table, int fd)
{
    mutex_lock(&table->lock);
    struct file *file = file_of(table, fd);
    if (file != NULL)
        (void)give_up(table, fd);
    mutex_unlock(&table->lock);
    if (file == NULL)
        return -EBADF;
    file_put(file);
    return 0;
}

/* Locks: caller holds the table's. */
static int dup_lowest(struct fd_table *table, int from, int lowest, bool cloexec)
{
    struct file *file = file_of(table, from);
    if (file == NULL)
        return -EBADF;
    if (lowest < 0 || lowest >= FD_MAX)
        return -EINVAL;
    int fd = take_lowest(table, lowest, cloexec);
    if (fd >= 0)
        table->files[fd] = file_get(file);
    return fd;
}

int fd_dup(struct fd_table *table, int from, int lowest, bool cloexec)
{
    mutex_lock(&table->lock);
    int fd = dup_lowest(table, from, lowest, cloexec);
    mutex_unlock(&table->lock);
    return fd;
}

/* Locks: caller holds the table's, and puts *replaced when it has given it back. */
static int dup_onto(struct fd_table *table, int from, int to, bool cloexec, struct file **replaced)
{
    struct file *file = file_of(table, from);
    if (file == NULL || to < 0 || to >= FD_MAX)
        return -EBADF;
    *replaced = file_of(table, to);
    if (*replaced == NULL && bit_of(table->taken, to))
        return -EBUSY;
    int error = grow_for(table, to);
    if (error != 0)
        return error;
    table->files[to] = file_get(file);
    set_bit(table->taken, to, true);
    set_bit(table->cloexec, to, cloexec);
    return to;
}

int fd_dup3(struct fd_table *table, int from, int to, bool cloexec)
{
    struct file *replaced = NULL;
    if (from == to)
        return -EINVAL;
    mutex_lock(&table->lock);
    int fd = dup_onto(table, from, to, cloexec, &replaced);
    mutex_unlock(&table->lock);
    if (fd >= 0)
        file_put(replaced);
    return fd;
}

int fd_dup2(struct fd_table *table, int from, int to)
{
    if (from != to)
        return fd_dup3(table, from, to, false);
    mutex_lock(&table->lock);
    bool open = file_of(table, from) != NULL;
    mutex_unlock(&table->lock);
    return open ? to : -EBADF;
}

int fd_get_cloexec(struct fd_table *table, int fd)
{
    mutex_lock(&table->lock);
    int result = file_of(table, fd) == NULL ? -EBADF : bit_of(table->cloexec, fd);
    mutex_unlock(&table->lock);
    return result;
}

int fd_set_cloexec(struct fd_table *table, int fd, bool cloexec)
{
    mutex_lock(&table->lock);
    bool open = file_of(table, fd) != NULL;
    if (open)
        set_bit(table->cloexec, fd, cloexec);
    mutex_unlock(&table->lock);
    return open ? 0 : -EBADF;
}

/* Free the next number from *fd on that is open, and marked if only those are to be; *fd moves
 * behind it. Returns: the file that it stood for, or NULL if there is none. */
static struct file *give_up_next(struct fd_table *table, int *fd, bool only_marked)
{
    struct file *file = NULL;
    mutex_lock(&table->lock);
    const uint64_t *bits = only_marked ? table->cloexec : table->taken;
    while (file == NULL && (*fd = next_bit(bits, *fd, true)) < FD_MAX) {
        if (file_of(table, *fd) != NULL) /* not just reserved */
            file = give_up(table, *fd);
        ++*fd;
    }
    mutex_unlock(&table->lock);
    return file;
}

/* Close all descriptors, or those marked. One at a time: closing may sleep, so it is done outside
 * the lock. */
static void close_many(struct fd_table *table, bool only_marked)
{
    struct file *file;
    int fd = 0;
    while ((file = give_up_next(table, &fd, only_marked)) != NULL)
        file_put(file);
}

void fd_close_on_exec(struct fd_table *table)
{
    close_many(table, true);
}

void fd_close_all(struct fd_table *table)
{
    close_many(table, false);
}
