// SPDX-License-Identifier: MIT
/*
 * The calls that take descriptors.
 *
 * Context: thread, interrupts on, for all of this file. Sleeps: yes.
 */
#include "fs/fd.h"
#include "fs/file.h"
#include "fs/memfs.h"
#include "fs/pipe.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "syscall/linux.h"
#include "syscall/stat.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

#define NS_PER_S UINT64_C(1000000000)
enum { IOVECS_MAX = 1024 };

static int file_of(int fd, struct file **file)
{
    return fd_get(process_current()->files, fd, file);
}

/* What a write came to: who writes into a pipe that nobody reads is told by a signal. */
static long written(long result)
{
    if (result == -EPIPE)
        (void)signal_self(SIGNAL_PIPE);
    return result;
}

/* ---- reading and writing --------------------------------------------------------------------- */

long sys_read(int fd, uintptr_t buf, size_t size)
{
    struct file *file;
    long result = file_of(fd, &file);
    if (result != 0)
        return result;
    result = file_read(file, buf, size);
    file_put(file);
    return result;
}

long sys_write(int fd, uintptr_t buf, size_t size)
{
    struct file *file;
    long result = file_of(fd, &file);
    if (result != 0)
        return result;
    result = file_write(file, buf, size);
    file_put(file);
    return written(result);
}

long sys_pread64(int fd, uintptr_t buf, size_t size, int64_t offset)
{
    struct file *file;
    long result = file_of(fd, &file);
    if (result != 0)
        return result;
    result = file_pread(file, buf, size, offset);
    file_put(file);
    return result;
}

long sys_pwrite64(int fd, uintptr_t buf, size_t size, int64_t offset)
{
    struct file *file;
    long result = file_of(fd, &file);
    if (result != 0)
        return result;
    result = file_pwrite(file, buf, size, offset);
    file_put(file);
    return result;
}

/* All pieces together are cut to what one call moves. Returns: 0, -EINVAL, -EFAULT. */
static int check_pieces(struct linux_iovec *pieces, int count)
{
    size_t sum = 0;
    for (int i = 0; i < count; i++) {
        if (pieces[i].bytes > INT64_MAX)
            return -EINVAL;
        if (!user_range_ok(pieces[i].base, pieces[i].bytes))
            return -EFAULT;
        if (pieces[i].bytes > FILE_IO_MAX - sum)
            pieces[i].bytes = FILE_IO_MAX - sum;
        sum += pieces[i].bytes;
    }
    return 0;
}

/* The pieces of readv and writev. Returns: 0 and *pieces, from the heap; -EINVAL, -EFAULT, -ENOMEM.
 */
static int get_pieces(uintptr_t array, int count, struct linux_iovec **pieces)
{
    if (count < 0 || count > IOVECS_MAX)
        return -EINVAL;
    size_t bytes = (size_t)count * sizeof(**pieces);
    *pieces = heap_alloc(bytes == 0 ? 1 : bytes, ALLOC_USER);
    if (*pieces == NULL)
        return -ENOMEM;
    int error = copy_from_user(*pieces, array, bytes);
    if (error == 0)
        error = check_pieces(*pieces, count);
    if (error != 0)
        heap_free(*pieces);
    return error;
}

/* Do with all pieces what `one` does with one, until one comes short. */
static long do_pieces(struct file *file, const struct linux_iovec *pieces, int count,
                      long (*one)(struct file *file, uintptr_t buf, size_t size))
{
    long done = 0, result = 0;
    for (int i = 0; i < count; i++) {
        if (pieces[i].bytes == 0)
            continue;
        result = one(file, pieces[i].base, pieces[i].bytes);
        if (result > 0)
            done += result;
        if (result < 0 || (size_t)result < pieces[i].bytes)
            break;
        if (one == file_read && file_is_stream(file))
            break; /* the next piece would wait, although there is something to return */
    }
    return done > 0 ? done : result;
}

static long for_pieces(int fd, uintptr_t array, int count,
                       long (*one)(struct file *file, uintptr_t buf, size_t size))
{
    struct linux_iovec *pieces;
    struct file *file;
    long result = file_of(fd, &file);
    if (result != 0)
        return result;
    result = get_pieces(array, count, &pieces);
    if (result == 0) {
        if (one == file_write)
            file_hold_output(file); /* together they are one write */
        result = do_pieces(file, pieces, count, one);
        if (one == file_write)
            file_release_output(file);
        heap_free(pieces);
    }
    file_put(file);
    return result;
}

long sys_readv(int fd, uintptr_t pieces, int count)
{
    return for_pieces(fd, pieces, count, file_read);
}

long sys_writev(int fd, uintptr_t pieces, int count)
{
    return written(for_pieces(fd, pieces, count, file_write));
}

/* ---- the open file --------------------------------------------------------------------------- */

long sys_lseek(int fd, int64_t offset, int whence)
{
    struct file *file;
    int64_t result = file_of(fd, &file);
    if (result != 0)
        return result;
    result = file_seek(file, offset, whence);
    file_put(file);
    return result;
}

long sys_ftruncate(int fd, int64_t size)
{
    struct file *file;
    int error = file_of(fd, &file);
    if (error != 0)
        return error;
    error = file_truncate(file, size);
    file_put(file);
    return error;
}

long sys_ioctl(int fd, uint64_t command, uintptr_t arg)
{
    struct file *file;
    long result = file_of(fd, &file);
    if (result != 0)
        return result;
    result = file_ioctl(file, (unsigned)command, arg);
    file_put(file);
    return result;
}

long sys_getdents64(int fd, uintptr_t buf, int size)
{
    struct file *file;
    long result = file_of(fd, &file);
    if (result != 0)
        return result;
    result = size < 0 ? -EINVAL : file_getdents(file, buf, (size_t)size);
    file_put(file);
    return result;
}

long sys_fchmod(int fd, int mode)
{
    struct file *file;
    int error = file_of(fd, &file);
    if (error != 0)
        return error;
    if (file->node != NULL)
        memfs_node_chmod(file->node, (uint32_t)mode & S_MODE_MASK);
    else
        error = -EINVAL;
    file_put(file);
    return error;
}

/* There is nothing behind the memory to bring it to. */
long sys_fsync(int fd)
{
    struct file *file;
    int error = file_of(fd, &file);
    if (error == 0)
        file_put(file);
    return error;
}

/* ---- its state ------------------------------------------------------------------------------- */

static struct linux_timespec timespec_of(uint64_t ns)
{
    return (struct linux_timespec){.tv_sec = (int64_t)(ns / NS_PER_S),
                                   .tv_nsec = (int64_t)(ns % NS_PER_S)};
}

int stat_to_user(const struct file_stat *stat, uintptr_t buf)
{
    const struct linux_stat linux_stat = {
        .st_dev = stat->dev,
        .st_ino = stat->ino,
        .st_nlink = stat->links,
        .st_mode = stat->mode,
        .st_rdev = stat->rdev,
        .st_size = (int64_t)stat->size,
        .st_blksize = (int64_t)stat->block_size,
        .st_blocks = (int64_t)stat->blocks,
        .st_atime = timespec_of(stat->atime_ns),
        .st_mtime = timespec_of(stat->mtime_ns),
        .st_ctime = timespec_of(stat->ctime_ns),
    };
    return copy_to_user(buf, &linux_stat, sizeof(linux_stat));
}

int stat_node_to_user(const struct memfs_node *node, uintptr_t buf)
{
    struct file_stat stat;
    memfs_node_stat(node, &stat);
    return stat_to_user(&stat, buf);
}

long sys_fstat(int fd, uintptr_t buf)
{
    struct file *file;
    struct file_stat stat;
    int error = file_of(fd, &file);
    if (error != 0)
        return error;
    error = file_get_stat(file, &stat);
    file_put(file);
    return error == 0 ? stat_to_user(&stat, buf) : error;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

long sys_close(int fd)
{
    return fd_close(process_current()->files, fd);
}

long sys_dup(int fd)
{
    return fd_dup(process_current()->files, fd, 0, false);
}

long sys_dup2(int from, int to)
{
    return fd_dup2(process_current()->files, from, to);
}

long sys_dup3(int from, int to, int flags)
{
    if ((flags & ~O_CLOEXEC) != 0)
        return -EINVAL;
    return fd_dup3(process_current()->files, from, to, flags != 0);
}

enum { /* linux/fcntl.h */
       F_DUPFD = 0,
       F_GETFD = 1,
       F_SETFD = 2,
       F_GETFL = 3,
       F_SETFL = 4,
       F_DUPFD_CLOEXEC = 1030,
       FD_CLOEXEC = 1,
};

static long set_flags(int fd, unsigned flags)
{
    struct file *file;
    int error = file_of(fd, &file);
    if (error != 0)
        return error;
    file_set_flags(file, flags);
    file_put(file);
    return 0;
}

static long get_flags(int fd)
{
    struct file *file;
    int error = file_of(fd, &file);
    if (error != 0)
        return error;
    long flags = file_flags(file);
    file_put(file);
    return flags;
}

long sys_fcntl(int fd, int command, uint64_t arg)
{
    struct fd_table *files = process_current()->files;
    switch (command) {
    case F_DUPFD:
        return fd_dup(files, fd, (int)arg, false);
    case F_DUPFD_CLOEXEC:
        return fd_dup(files, fd, (int)arg, true);
    case F_GETFD:
        return fd_get_cloexec(files, fd);
    case F_SETFD:
        return fd_set_cloexec(files, fd, (arg & FD_CLOEXEC) != 0);
    case F_GETFL:
        return get_flags(fd);
    case F_SETFL:
        return set_flags(fd, (unsigned)arg);
    default:
        return fd_get_cloexec(files, fd) < 0 ? -EBADF : -EINVAL;
    }
}

/* ---- pipes ----------------------------------------------------------------------------------- */

/* Give both ends a descriptor, or none. */
static int install_ends(struct file *ends[2], bool cloexec, int fds[2])
{
    struct fd_table *files = process_current()->files;
    fds[0] = fd_reserve(files, cloexec);
    if (fds[0] < 0)
        return fds[0];
    fds[1] = fd_reserve(files, cloexec);
    if (fds[1] < 0) {
        fd_unreserve(files, fds[0]);
        return fds[1];
    }
    fd_fill(files, fds[0], ends[0]);
    fd_fill(files, fds[1], ends[1]);
    return 0;
}

long sys_pipe2(uintptr_t fds_at, int flags)
{
    struct file *ends[2];
    int fds[2];
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0)
        return -EINVAL;
    int error = pipe_create((unsigned)flags & O_NONBLOCK, ends);
    if (error != 0)
        return error;
    error = install_ends(ends, (flags & O_CLOEXEC) != 0, fds);
    if (error != 0) {
        file_put(ends[0]);
        file_put(ends[1]);
        return error;
    }
    if (copy_to_user(fds_at, fds, sizeof(fds)) == 0)
        return 0;
    (void)fd_close(process_current()->files, fds[0]);
    (void)fd_close(process_current()->files, fds[1]);
    return -EFAULT;
}

long sys_pipe(uintptr_t fds)
{
    return sys_pipe2(fds, 0);
}
