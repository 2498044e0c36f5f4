// SPDX-License-Identifier: MIT
/*
 * The calls that take paths. Each old one (open) is the newer one (openat) at the working
 * directory.
 *
 * Context: thread, interrupts on, for all of this file. Sleeps: yes.
 */
#include "syscall/path.h"

#include "fs/fd.h"
#include "fs/file.h"
#include "fs/memfs.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "syscall/linux.h"
#include "syscall/stat.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

enum { /* linux/fcntl.h, linux/fs.h */
       AT_SYMLINK_NOFOLLOW = 0x100,
       AT_REMOVEDIR = 0x200,
       AT_EACCESS = 0x200,
       AT_SYMLINK_FOLLOW = 0x400,
       AT_EMPTY_PATH = 0x1000,
       RENAME_NOREPLACE = 1,
       ACCESS_EXECUTE = 1,
       ACCESS_ALL = 7,
       MODE_EXECUTE = 0111,
};

static int dir_of(int dirfd, struct memfs_node **dir)
{
    struct process *self = process_current();
    struct file *file;
    if (dirfd == AT_FDCWD) {
        *dir = memfs_node_get(self->cwd);
        return 0;
    }
    int error = fd_get(self->files, dirfd, &file);
    if (error != 0)
        return error;
    *dir = file->node != NULL ? memfs_node_get(file->node) : NULL;
    file_put(file);
    return *dir != NULL ? 0 : -ENOTDIR;
}

int user_path_begin(struct user_path *path, int dirfd, uintptr_t text)
{
    path->text = heap_alloc(MEMFS_PATH_MAX + 1, ALLOC_USER);
    if (path->text == NULL)
        return -ENOMEM;
    path->dir = NULL;
    long length = copy_string_from_user(path->text, text, MEMFS_PATH_MAX + 1);
    int error = length < 0 ? (int)length : 0;
    if (error == 0 && path->text[0] != '/' &&
        path->text[0] != '\0') /* else dirfd does not matter */
        error = dir_of(dirfd, &path->dir);
    if (error != 0)
        heap_free(path->text);
    return error;
}

void user_path_end(struct user_path *path)
{
    memfs_node_put(path->dir);
    heap_free(path->text);
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_at(const struct user_path *path, unsigned flags, uint32_t mode)
{
    struct process *self = process_current();
    struct file *file;
    int fd = fd_reserve(self->files, (flags & O_CLOEXEC) != 0);
    if (fd < 0)
        return fd;
    int error = memfs_open(path->dir, path->text, flags, mode & ~self->umask, &file);
    if (error != 0) {
        fd_unreserve(self->files, fd);
        return error;
    }
    fd_fill(self->files, fd, file);
    return fd;
}

long sys_openat(int dir, uintptr_t path, int flags, int mode)
{
    struct user_path at;
    int result = user_path_begin(&at, dir, path);
    if (result != 0)
        return result;
    result = open_at(&at, (unsigned)flags, (uint32_t)mode & S_MODE_MASK);
    user_path_end(&at);
    return result;
}

long sys_open(uintptr_t path, int flags, int mode)
{
    return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(uintptr_t path, int mode)
{
    return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- looking --------------------------------------------------------------------------------- */

long sys_newfstatat(int dir, uintptr_t path, uintptr_t buf, int flags)
{
    struct user_path at;
    struct file_stat stat;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    int error = user_path_begin(&at, dir, path);
    if (error != 0)
        return error;
    bool itself = at.text[0] == '\0' && (flags & AT_EMPTY_PATH) != 0;
    if (!itself)
        error = memfs_stat(at.dir, at.text, (flags & AT_SYMLINK_NOFOLLOW) == 0, &stat);
    user_path_end(&at);
    if (itself)
        return dir == AT_FDCWD ? stat_node_to_user(process_current()->cwd, buf)
                               : sys_fstat(dir, buf);
    return error == 0 ? stat_to_user(&stat, buf) : error;
}

long sys_stat(uintptr_t path, uintptr_t buf)
{
    return sys_newfstatat(AT_FDCWD, path, buf, 0);
}

long sys_lstat(uintptr_t path, uintptr_t buf)
{
    return sys_newfstatat(AT_FDCWD, path, buf, AT_SYMLINK_NOFOLLOW);
}

/* Everything runs as root, whom only a missing execute bit stops. */
long sys_faccessat(int dir, uintptr_t path, int mode)
{
    struct user_path at;
    struct file_stat stat;
    if ((mode & ~ACCESS_ALL) != 0)
        return -EINVAL;
    int error = user_path_begin(&at, dir, path);
    if (error != 0)
        return error;
    error = memfs_stat(at.dir, at.text, true, &stat);
    user_path_end(&at);
    if (error == 0 && (mode & ACCESS_EXECUTE) != 0 && (stat.mode & S_IFMT) != S_IFDIR &&
        (stat.mode & MODE_EXECUTE) == 0)
        error = -EACCES;
    return error;
}

long sys_access(uintptr_t path, int mode)
{
    return sys_faccessat(AT_FDCWD, path, mode);
}

long sys_readlinkat(int dir, uintptr_t path, uintptr_t buf, int size)
{
    struct user_path at;
    if (size <= 0)
        return -EINVAL;
    long result = user_path_begin(&at, dir, path);
    if (result != 0)
        return result;
    size_t room = size < MEMFS_PATH_MAX ? (size_t)size : MEMFS_PATH_MAX;
    char *target = heap_alloc(room, ALLOC_USER);
    result = target != NULL ? memfs_readlink(at.dir, at.text, target, room) : -ENOMEM;
    if (result >= 0 && copy_to_user(buf, target, (size_t)result) != 0)
        result = -EFAULT;
    heap_free(target);
    user_path_end(&at);
    return result;
}

long sys_readlink(uintptr_t path, uintptr_t buf, int size)
{
    return sys_readlinkat(AT_FDCWD, path, buf, size);
}

/* ---- changing -------------------------------------------------------------------------------- */

long sys_mkdirat(int dir, uintptr_t path, int mode)
{
    struct user_path at;
    int error = user_path_begin(&at, dir, path);
    if (error != 0)
        return error;
    uint32_t bits = (uint32_t)mode & S_MODE_MASK & ~process_current()->umask;
    error = memfs_mkdir(at.dir, at.text, bits);
    user_path_end(&at);
    return error;
}

long sys_mkdir(uintptr_t path, int mode)
{
    return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_unlinkat(int dir, uintptr_t path, int flags)
{
    struct user_path at;
    if ((flags & ~AT_REMOVEDIR) != 0)
        return -EINVAL;
    int error = user_path_begin(&at, dir, path);
    if (error != 0)
        return error;
    error =
        (flags & AT_REMOVEDIR) != 0 ? memfs_rmdir(at.dir, at.text) : memfs_unlink(at.dir, at.text);
    user_path_end(&at);
    return error;
}

long sys_unlink(uintptr_t path)
{
    return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(uintptr_t path)
{
    return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

long sys_renameat2(int old_dir, uintptr_t old, int new_dir, uintptr_t new, int flags)
{
    struct user_path from, to;
    if ((flags & ~RENAME_NOREPLACE) != 0)
        return -EINVAL;
    int error = user_path_begin(&from, old_dir, old);
    if (error != 0)
        return error;
    error = user_path_begin(&to, new_dir, new);
    if (error == 0) {
        error = memfs_rename(from.dir, from.text, to.dir, to.text, flags != 0);
        user_path_end(&to);
    }
    user_path_end(&from);
    return error;
}

long sys_renameat(int old_dir, uintptr_t old, int new_dir, uintptr_t new)
{
    return sys_renameat2(old_dir, old, new_dir, new, 0);
}

long sys_rename(uintptr_t old, uintptr_t new)
{
    return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

long sys_linkat(int old_dir, uintptr_t old, int new_dir, uintptr_t new, int flags)
{
    struct user_path from, to;
    if ((flags & ~AT_SYMLINK_FOLLOW) != 0)
        return -EINVAL;
    int error = user_path_begin(&from, old_dir, old);
    if (error != 0)
        return error;
    error = user_path_begin(&to, new_dir, new);
    if (error == 0) {
        error = memfs_link(from.dir, from.text, flags != 0, to.dir, to.text);
        user_path_end(&to);
    }
    user_path_end(&from);
    return error;
}

long sys_link(uintptr_t old, uintptr_t new)
{
    return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

long sys_symlinkat(uintptr_t target, int dir, uintptr_t path)
{
    struct user_path to, at;
    int error = user_path_begin(&to, AT_FDCWD, target);
    if (error != 0)
        return error;
    error = user_path_begin(&at, dir, path);
    if (error == 0) {
        error = memfs_symlink(to.text, at.dir, at.text);
        user_path_end(&at);
    }
    user_path_end(&to);
    return error;
}

long sys_symlink(uintptr_t target, uintptr_t path)
{
    return sys_symlinkat(target, AT_FDCWD, path);
}

long sys_fchmodat(int dir, uintptr_t path, int mode)
{
    struct user_path at;
    int error = user_path_begin(&at, dir, path);
    if (error != 0)
        return error;
    error = memfs_chmod(at.dir, at.text, (uint32_t)mode & S_MODE_MASK);
    user_path_end(&at);
    return error;
}

long sys_chmod(uintptr_t path, int mode)
{
    return sys_fchmodat(AT_FDCWD, path, mode);
}

long sys_truncate(uintptr_t path, int64_t size)
{
    struct user_path at;
    int error = user_path_begin(&at, AT_FDCWD, path);
    if (error != 0)
        return error;
    error = memfs_truncate(at.dir, at.text, size);
    user_path_end(&at);
    return error;
}

/* ---- the working directory ------------------------------------------------------------------- */

static void change_dir(struct memfs_node *dir)
{
    struct process *self = process_current();
    memfs_node_put(self->cwd);
    self->cwd = dir;
}

long sys_chdir(uintptr_t path)
{
    struct user_path at;
    struct memfs_node *dir;
    int error = user_path_begin(&at, AT_FDCWD, path);
    if (error != 0)
        return error;
    error = memfs_lookup_dir(at.dir, at.text, &dir);
    user_path_end(&at);
    if (error == 0)
        change_dir(dir);
    return error;
}

long sys_fchdir(int fd)
{
    struct memfs_node *dir;
    int error = fd == AT_FDCWD ? -EBADF : dir_of(fd, &dir);
    if (error != 0)
        return error;
    if (!memfs_is_dir(dir)) {
        memfs_node_put(dir);
        return -ENOTDIR;
    }
    change_dir(dir);
    return 0;
}

long sys_getcwd(uintptr_t buf, size_t size)
{
    size_t room = size < MEMFS_PATH_MAX + 1 ? size : MEMFS_PATH_MAX + 1;
    char *path = room > 0 ? heap_alloc(room, ALLOC_USER) : NULL;
    if (path == NULL)
        return room == 0 ? -ERANGE : -ENOMEM;
    long length = memfs_get_path(process_current()->cwd, path, room);
    if (length >= 0 && copy_to_user(buf, path, (size_t)length) != 0)
        length = -EFAULT;
    heap_free(path);
    return length;
}

long sys_umask(int mask)
{
    enum { PERMISSIONS = 0777 };
    struct process *self = process_current();
    unsigned old = self->umask;
    self->umask = (unsigned)mask & PERMISSIONS;
    return old;
}
