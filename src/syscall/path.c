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
    if (error == 0 && path->text[0] != '/') /* else dirfd does not matter */
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

long sys_openat(int dirfd, uintptr_t text, int flags, int mode)
{
    struct user_path path;
    int result = user_path_begin(&path, dirfd, text);
    if (result != 0)
        return result;
    result = open_at(&path, (unsigned)flags, (uint32_t)mode & S_MODE_MASK);
    user_path_end(&path);
    return result;
}

long sys_open(uintptr_t text, int flags, int mode)
{
    return sys_openat(AT_FDCWD, text, flags, mode);
}

long sys_creat(uintptr_t text, int mode)
{
    return sys_openat(AT_FDCWD, text, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- looking --------------------------------------------------------------------------------- */

long sys_newfstatat(int dirfd, uintptr_t text, uintptr_t buf, int flags)
{
    struct user_path path;
    struct file_stat stat;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    int error = user_path_begin(&path, dirfd, text);
    if (error != 0)
        return error;
    bool itself = path.text[0] == '\0' && (flags & AT_EMPTY_PATH) != 0;
    if (!itself)
        error = memfs_stat(path.dir, path.text, (flags & AT_SYMLINK_NOFOLLOW) == 0, &stat);
    user_path_end(&path);
    if (itself)
        return dirfd == AT_FDCWD ? stat_node_to_user(process_current()->cwd, buf)
                                 : sys_fstat(dirfd, buf);
    return error == 0 ? stat_to_user(&stat, buf) : error;
}

long sys_stat(uintptr_t text, uintptr_t buf)
{
    return sys_newfstatat(AT_FDCWD, text, buf, 0);
}

long sys_lstat(uintptr_t text, uintptr_t buf)
{
    return sys_newfstatat(AT_FDCWD, text, buf, AT_SYMLINK_NOFOLLOW);
}

/* Everything runs as root, whom only a missing execute bit stops. */
long sys_faccessat(int dirfd, uintptr_t text, int mode)
{
    struct user_path path;
    struct file_stat stat;
    if ((mode & ~ACCESS_ALL) != 0)
        return -EINVAL;
    int error = user_path_begin(&path, dirfd, text);
    if (error != 0)
        return error;
    error = memfs_stat(path.dir, path.text, true, &stat);
    user_path_end(&path);
    if (error == 0 && (mode & ACCESS_EXECUTE) != 0 && (stat.mode & S_IFMT) != S_IFDIR &&
        (stat.mode & MODE_EXECUTE) == 0)
        error = -EACCES;
    return error;
}

long sys_access(uintptr_t text, int mode)
{
    return sys_faccessat(AT_FDCWD, text, mode);
}

long sys_readlinkat(int dirfd, uintptr_t text, uintptr_t buf, int size)
{
    struct user_path path;
    if (size <= 0)
        return -EINVAL;
    long result = user_path_begin(&path, dirfd, text);
    if (result != 0)
        return result;
    size_t room = size < MEMFS_PATH_MAX ? (size_t)size : MEMFS_PATH_MAX;
    char *target = heap_alloc(room, ALLOC_USER);
    result = target != NULL ? memfs_readlink(path.dir, path.text, target, room) : -ENOMEM;
    if (result >= 0 && copy_to_user(buf, target, (size_t)result) != 0)
        result = -EFAULT;
    heap_free(target);
    user_path_end(&path);
    return result;
}

long sys_readlink(uintptr_t text, uintptr_t buf, int size)
{
    return sys_readlinkat(AT_FDCWD, text, buf, size);
}

/* ---- changing -------------------------------------------------------------------------------- */

long sys_mkdirat(int dirfd, uintptr_t text, int mode)
{
    struct user_path path;
    int error = user_path_begin(&path, dirfd, text);
    if (error != 0)
        return error;
    uint32_t bits = (uint32_t)mode & S_MODE_MASK & ~process_current()->umask;
    error = memfs_mkdir(path.dir, path.text, bits);
    user_path_end(&path);
    return error;
}

long sys_mkdir(uintptr_t text, int mode)
{
    return sys_mkdirat(AT_FDCWD, text, mode);
}

long sys_unlinkat(int dirfd, uintptr_t text, int flags)
{
    struct user_path path;
    if ((flags & ~AT_REMOVEDIR) != 0)
        return -EINVAL;
    int error = user_path_begin(&path, dirfd, text);
    if (error != 0)
        return error;
    error = (flags & AT_REMOVEDIR) != 0 ? memfs_rmdir(path.dir, path.text)
                                        : memfs_unlink(path.dir, path.text);
    user_path_end(&path);
    return error;
}

long sys_unlink(uintptr_t text)
{
    return sys_unlinkat(AT_FDCWD, text, 0);
}

long sys_rmdir(uintptr_t text)
{
    return sys_unlinkat(AT_FDCWD, text, AT_REMOVEDIR);
}

long sys_renameat2(int old_dirfd, uintptr_t old_text, int new_dirfd, uintptr_t new_text, int flags)
{
    struct user_path old, new;
    if ((flags & ~RENAME_NOREPLACE) != 0)
        return -EINVAL;
    int error = user_path_begin(&old, old_dirfd, old_text);
    if (error != 0)
        return error;
    error = user_path_begin(&new, new_dirfd, new_text);
    if (error == 0) {
        error = memfs_rename(old.dir, old.text, new.dir, new.text, flags != 0);
        user_path_end(&new);
    }
    user_path_end(&old);
    return error;
}

long sys_renameat(int old_dirfd, uintptr_t old_text, int new_dirfd, uintptr_t new_text)
{
    return sys_renameat2(old_dirfd, old_text, new_dirfd, new_text, 0);
}

long sys_rename(uintptr_t old_text, uintptr_t new_text)
{
    return sys_renameat2(AT_FDCWD, old_text, AT_FDCWD, new_text, 0);
}

long sys_linkat(int old_dirfd, uintptr_t old_text, int new_dirfd, uintptr_t new_text, int flags)
{
    struct user_path old, new;
    if ((flags & ~AT_SYMLINK_FOLLOW) != 0)
        return -EINVAL;
    int error = user_path_begin(&old, old_dirfd, old_text);
    if (error != 0)
        return error;
    error = user_path_begin(&new, new_dirfd, new_text);
    if (error == 0) {
        error = memfs_link(old.dir, old.text, flags != 0, new.dir, new.text);
        user_path_end(&new);
    }
    user_path_end(&old);
    return error;
}

long sys_link(uintptr_t old_text, uintptr_t new_text)
{
    return sys_linkat(AT_FDCWD, old_text, AT_FDCWD, new_text, 0);
}

long sys_symlinkat(uintptr_t target_text, int dirfd, uintptr_t text)
{
    struct user_path target, path;
    int error = user_path_begin(&target, AT_FDCWD, target_text);
    if (error != 0)
        return error;
    error = user_path_begin(&path, dirfd, text);
    if (error == 0) {
        error = memfs_symlink(target.text, path.dir, path.text);
        user_path_end(&path);
    }
    user_path_end(&target);
    return error;
}

long sys_symlink(uintptr_t target_text, uintptr_t text)
{
    return sys_symlinkat(target_text, AT_FDCWD, text);
}

long sys_fchmodat(int dirfd, uintptr_t text, int mode)
{
    struct user_path path;
    int error = user_path_begin(&path, dirfd, text);
    if (error != 0)
        return error;
    error = memfs_chmod(path.dir, path.text, (uint32_t)mode & S_MODE_MASK);
    user_path_end(&path);
    return error;
}

long sys_chmod(uintptr_t text, int mode)
{
    return sys_fchmodat(AT_FDCWD, text, mode);
}

long sys_truncate(uintptr_t text, int64_t size)
{
    struct user_path path;
    int error = user_path_begin(&path, AT_FDCWD, text);
    if (error != 0)
        return error;
    error = memfs_truncate(path.dir, path.text, size);
    user_path_end(&path);
    return error;
}

/* ---- the working directory ------------------------------------------------------------------- */

static void change_dir(struct memfs_node *dir)
{
    struct process *self = process_current();
    memfs_node_put(self->cwd);
    self->cwd = dir;
}

long sys_chdir(uintptr_t text)
{
    struct user_path path;
    struct memfs_node *dir;
    int error = user_path_begin(&path, AT_FDCWD, text);
    if (error != 0)
        return error;
    error = memfs_lookup_dir(path.dir, path.text, &dir);
    user_path_end(&path);
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
