// SPDX-License-Identifier: MIT
/*
 * What all kinds of open files have in common: references, flags, the offset, and the checks that
 * come before a kind's own function.
 *
 * The offset is one for all who share the file. A read or write that uses it holds offset_lock from
 * looking at it to moving it on, so that two sharers never get the same bytes. Kinds without places
 * (a pipe, a terminal) may block for long and take no such lock.
 */
#include "fs/file.h"

#include "fs/memfs.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "vm/user_copy.h"

enum {
    CHANGEABLE_FLAGS = O_APPEND | O_NONBLOCK,
    KEPT_FLAGS = O_ACCMODE | CHANGEABLE_FLAGS,
    NAMELESS_MODE = 0600,
    NAMELESS_BLOCK = 4096,
};

/* ---- life ------------------------------------------------------------------------------------ */

struct file *file_create(const struct file_ops *ops, void *data, unsigned flags)
{
    struct file *file = heap_alloc(sizeof(*file), ALLOC_USER | ALLOC_ZERO);
    if (file == NULL)
        return NULL;
    file->ops = ops;
    file->data = data;
    atomic_init(&file->flags, flags & KEPT_FLAGS);
    atomic_init(&file->refs, 1);
    mutex_init(&file->offset_lock);
    return file;
}

struct file *file_get(struct file *file)
{
    atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
    return file;
}

void file_put(struct file *file)
{
    /* acquire and release: what the others did to the file is done before it goes */
    if (file == NULL || atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (file->ops->release != NULL)
        file->ops->release(file);
    memfs_node_put(file->node);
    heap_free(file->path);
    heap_free(file);
}

/* ---- reading and writing --------------------------------------------------------------------- */

unsigned file_flags(const struct file *file)
{
    return atomic_load_explicit(&file->flags, memory_order_relaxed);
}

void file_set_flags(struct file *file, unsigned flags)
{
    unsigned old = file_flags(file);
    unsigned kept;
    do
        kept = (old & ~(unsigned)CHANGEABLE_FLAGS) | (flags & CHANGEABLE_FLAGS);
    while (!atomic_compare_exchange_weak_explicit(&file->flags, &old, kept, memory_order_relaxed,
                                                  memory_order_relaxed));
}

typedef long transfer_fn(struct file *file, uint64_t *position, uintptr_t buf, size_t size);

/* The kind's function for a transfer in this direction. */
static int find_transfer(struct file *file, bool writing, uintptr_t buf, size_t size,
                         transfer_fn **transfer)
{
    unsigned access = file_flags(file) & O_ACCMODE;
    if (access != O_RDWR && access != (writing ? O_WRONLY : O_RDONLY))
        return -EBADF;
    *transfer = writing ? file->ops->write : file->ops->read;
    if (*transfer == NULL)
        return -EINVAL;
    return user_range_ok(buf, size) ? 0 : -EFAULT;
}

static size_t limit(size_t size)
{
    return size < FILE_IO_MAX ? size : FILE_IO_MAX;
}

/* Transfer at a place; the last byte asked for must have one too. */
static long transfer_place(struct file *file, transfer_fn *transfer, uint64_t *position,
                           uintptr_t buf, size_t size)
{
    if (size > (uint64_t)INT64_MAX - *position)
        return -EINVAL;
    return transfer(file, position, buf, limit(size));
}

static long transfer_here(struct file *file, bool writing, uintptr_t buf, size_t size)
{
    transfer_fn *transfer;
    uint64_t nowhere = 0;
    int error = find_transfer(file, writing, buf, size, &transfer);
    if (error != 0)
        return error;
    if (file->ops->seek == NULL)
        return transfer(file, &nowhere, buf, limit(size));
    mutex_lock(&file->offset_lock);
    long result = transfer_place(file, transfer, &file->offset, buf, size);
    mutex_unlock(&file->offset_lock);
    return result;
}

static long transfer_at(struct file *file, bool writing, uintptr_t buf, size_t size, int64_t offset)
{
    transfer_fn *transfer;
    if (offset < 0)
        return -EINVAL;
    if (file->ops->seek == NULL)
        return -ESPIPE;
    uint64_t position = (uint64_t)offset;
    int error = find_transfer(file, writing, buf, size, &transfer);
    return error != 0 ? error : transfer_place(file, transfer, &position, buf, size);
}

long file_read(struct file *file, uintptr_t buf, size_t size)
{
    return transfer_here(file, false, buf, size);
}

long file_write(struct file *file, uintptr_t buf, size_t size)
{
    return transfer_here(file, true, buf, size);
}

long file_pread(struct file *file, uintptr_t buf, size_t size, int64_t offset)
{
    return transfer_at(file, false, buf, size, offset);
}

long file_pwrite(struct file *file, uintptr_t buf, size_t size, int64_t offset)
{
    return transfer_at(file, true, buf, size, offset);
}

long file_read_kernel(struct file *file, uint64_t offset, void *buf, size_t size)
{
    if (file->ops->read_kernel == NULL || offset > INT64_MAX || size > SIZE_MAX / 2)
        return -EINVAL;
    return file->ops->read_kernel(file, offset, buf, size);
}

/* ---- the rest -------------------------------------------------------------------------------- */

int64_t file_seek(struct file *file, int64_t offset, int whence)
{
    if (file->ops->seek == NULL)
        return -ESPIPE;
    mutex_lock(&file->offset_lock);
    int64_t result = file->ops->seek(file, file->offset, offset, whence);
    if (result >= 0)
        file->offset = (uint64_t)result;
    mutex_unlock(&file->offset_lock);
    return result;
}

long file_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
    return file->ops->ioctl != NULL ? file->ops->ioctl(file, command, arg) : -ENOTTY;
}

int file_get_stat(struct file *file, struct file_stat *stat)
{
    if (file->ops->stat != NULL)
        return file->ops->stat(file, stat);
    if (file->node != NULL) {
        memfs_node_stat(file->node, stat);
        return 0;
    }
    *stat = (struct file_stat){
        .mode = S_IFCHR | NAMELESS_MODE, .links = 1, .block_size = NAMELESS_BLOCK};
    return 0;
}

bool file_is_stream(const struct file *file)
{
    return file->ops->seek == NULL;
}

void file_hold_output(struct file *file)
{
    if (file->ops->hold_output != NULL)
        file->ops->hold_output(file);
}

void file_release_output(struct file *file)
{
    if (file->ops->release_output != NULL)
        file->ops->release_output(file);
}

long file_getdents(struct file *file, uintptr_t buf, size_t size)
{
    if (file->ops->getdents == NULL)
        return -ENOTDIR;
    if (!user_range_ok(buf, size))
        return -EFAULT;
    mutex_lock(&file->offset_lock);
    long result = file->ops->getdents(file, &file->offset, buf, limit(size));
    mutex_unlock(&file->offset_lock);
    return result;
}

int file_truncate(struct file *file, int64_t size)
{
    unsigned access = file_flags(file) & O_ACCMODE;
    if (size < 0 || (access != O_WRONLY && access != O_RDWR) || file->ops->truncate == NULL)
        return -EINVAL;
    return file->ops->truncate(file, (uint64_t)size);
}
