// SPDX-License-Identifier: MIT
/*
 * Reading, writing and cutting files. A file's lock is held over a whole read or write, so that a
 * reader sees a write whole or not at all, and O_APPEND finds the end where it is.
 *
 * What lies in the last frame behind the end is zero, always: so a file that grows later, by a
 * write further on or by ftruncate, reads zeros in between.
 */
#include "fs/file.h"
#include "fs/fs_internal.h"
#include "fs/memfs_internal.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "lib/wall_clock.h"
#include "sched/thread.h"
#include "vm/user_copy.h"

#define FILE_SIZE_MAX ((uint64_t)INT64_MAX)

const char fs_zeros[PAGE_SIZE];

static uint64_t size_of(const struct memfs_node *node)
{
    return atomic_load_explicit(&node->size, memory_order_relaxed);
}

/* L: the node's lock */
static void set_size(struct memfs_node *node, uint64_t size)
{
    atomic_store_explicit(&node->size, size, memory_order_relaxed);
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef int copy_out_fn(uintptr_t dst, const void *src, size_t bytes);

static int copy_to_kernel(uintptr_t dst, const void *src, size_t bytes)
{
    memcpy((void *)dst, src, bytes);
    return 0;
}

/* L: the node's lock. Returns: bytes, or -EFAULT. */
static long read_locked(struct memfs_node *node, uint64_t at, uintptr_t buf, size_t size,
                        copy_out_fn *copy)
{
    uint64_t end = size_of(node);
    if (at >= end)
        return 0;
    size_t want = end - at < size ? (size_t)(end - at) : size;
    size_t done = 0;
    while (done < want) {
        size_t part = fs_piece(at + done, buf + done, want - done);
        const char *frame = contents_find(&node->contents, (at + done) / PAGE_SIZE);
        const char *from = frame != NULL ? frame : fs_zeros;
        if (copy(buf + done, from + (at + done) % PAGE_SIZE, part) != 0)
            break;
        done += part;
        thread_point();
    }
    return done == 0 ? -EFAULT : (long)done;
}

static long node_read(struct memfs_node *node, uint64_t at, uintptr_t buf, size_t size,
                      copy_out_fn *copy)
{
    if (size == 0)
        return 0;
    mutex_lock(&node->lock);
    long result = read_locked(node, at, buf, size, copy);
    mutex_unlock(&node->lock);
    if (result > 0)
        atomic_store_explicit(&node->atime, wall_clock_ns(), memory_order_relaxed);
    return result;
}

static long memfs_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    long result = node_read(file->node, *position, buf, size, copy_to_user);
    if (result > 0)
        *position += (uint64_t)result;
    return result;
}

static long memfs_read_kernel(struct file *file, uint64_t position, void *buf, size_t size)
{
    return node_read(file->node, position, (uintptr_t)buf, size, copy_to_kernel);
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef int copy_in_fn(void *dst, uintptr_t src, size_t bytes);

static int copy_from_kernel(void *dst, uintptr_t src, size_t bytes)
{
    memcpy(dst, (const void *)src, bytes);
    return 0;
}

/* One piece, within a frame. Returns: 0, -ENOSPC, -EFAULT. */
static int write_piece(struct memfs_node *node, uint64_t at, uintptr_t buf, size_t part,
                       copy_in_fn *copy)
{
    char *frame = contents_make(&node->contents, at / PAGE_SIZE);
    if (frame == NULL)
        return -ENOSPC;
    if (copy(frame + at % PAGE_SIZE, buf, part) == 0)
        return 0;
    /* the copy may have moved some bytes nevertheless: behind the end there are only zeros */
    uint64_t end = size_of(node);
    if (at + part > end) {
        uint64_t from = at > end ? at : end;
        memset(frame + from % PAGE_SIZE, 0, (size_t)(at + part - from));
    }
    return -EFAULT;
}

/* L: the node's lock. Returns: bytes, or -ENOSPC, -EFAULT. */
static long write_locked(struct memfs_node *node, uint64_t at, uintptr_t buf, size_t size,
                         copy_in_fn *copy)
{
    size_t done = 0;
    int error = 0;
    while (done < size) {
        size_t part = fs_piece(at + done, buf + done, size - done);
        error = write_piece(node, at + done, buf + done, part, copy);
        if (error != 0)
            break;
        done += part;
        if (at + done > size_of(node))
            set_size(node, at + done);
        thread_point();
    }
    if (done > 0)
        node_modified(node);
    return done > 0 ? (long)done : error;
}

static long memfs_write(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    struct memfs_node *node = file->node;
    if (size == 0)
        return 0;
    mutex_lock(&node->lock);
    uint64_t at = (file_flags(file) & O_APPEND) != 0 ? size_of(node) : *position;
    long result = -EFBIG;
    if (at < FILE_SIZE_MAX) {
        size_t room = FILE_SIZE_MAX - at < size ? (size_t)(FILE_SIZE_MAX - at) : size;
        result = write_locked(node, at, buf, room, copy_from_user);
    }
    mutex_unlock(&node->lock);
    if (result > 0)
        *position = at + (uint64_t)result;
    return result;
}

int node_append_kernel(struct memfs_node *node, const void *data, size_t size)
{
    mutex_lock(&node->lock);
    long done = write_locked(node, size_of(node), (uintptr_t)data, size, copy_from_kernel);
    mutex_unlock(&node->lock);
    return done == (long)size ? 0 : -ENOSPC;
}

/* ---- the rest -------------------------------------------------------------------------------- */

int node_truncate(struct memfs_node *node, uint64_t size)
{
    if (node->kind == MEMFS_PROC)
        return 0; /* as on Linux: there is nothing to cut */
    if (node->kind != MEMFS_FILE)
        return node->kind == MEMFS_DIR ? -EISDIR : -EINVAL;
    mutex_lock(&node->lock);
    if (size < size_of(node)) {
        set_size(node, size);
        contents_cut(&node->contents, (size + PAGE_SIZE - 1) / PAGE_SIZE);
        char *last = contents_find(&node->contents, size / PAGE_SIZE);
        if (last != NULL)
            memset(last + size % PAGE_SIZE, 0, PAGE_SIZE - (size_t)(size % PAGE_SIZE));
    }
    set_size(node, size);
    node_modified(node);
    mutex_unlock(&node->lock);
    return 0;
}

static int memfs_file_truncate(struct file *file, uint64_t size)
{
    return node_truncate(file->node, size);
}

static int64_t memfs_seek(struct file *file, uint64_t position, int64_t offset, int whence)
{
    int64_t from = 0;
    int64_t result;
    if (whence == SEEK_FROM_HERE)
        from = (int64_t)position;
    else if (whence == SEEK_FROM_END)
        from = (int64_t)size_of(file->node);
    else if (whence != SEEK_FROM_START)
        return -EINVAL;
    if (__builtin_add_overflow(from, offset, &result) || result < 0)
        return -EINVAL;
    return result;
}

const struct file_ops memfs_file_ops = {
    .read = memfs_read,
    .write = memfs_write,
    .read_kernel = memfs_read_kernel,
    .seek = memfs_seek,
    .truncate = memfs_file_truncate,
};
