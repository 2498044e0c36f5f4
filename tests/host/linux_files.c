// SPDX-License-Identifier: MIT
/* See linux_files.h. */
#define _GNU_SOURCE
#include "linux_files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static int root_fd = -1;

static long result(long value)
{
    return value < 0 ? -errno : value;
}

static int at(int dir)
{
    return dir == LINUX_ROOT ? root_fd : dir;
}

/* ---- a place --------------------------------------------------------------------------------- */

const char *linux_make_place(void)
{
    static char path[] = "/dev/shm/carillon-test-XXXXXX";
    struct statfs fs;
    if (statfs("/dev/shm", &fs) != 0 || fs.f_type != TMPFS_MAGIC)
        return NULL;
    return mkdtemp(path);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

void linux_remove_place(const char *place)
{
    if (nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        perror(place);
}

bool linux_enter(const char *place)
{
    if (chdir(place) != 0)
        return false;
    if (chroot(".") != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot(".") != 0))
        return false;
    umask(0);
    root_fd = open("/", O_RDONLY | O_DIRECTORY);
    return root_fd >= 0;
}

/* ---- open files ------------------------------------------------------------------------------ */

long linux_open(int dir, const char *path, unsigned flags, unsigned mode)
{
    return result(openat(at(dir), path, (int)flags, mode));
}

void linux_close(int fd)
{
    close(fd);
}

long linux_read(int fd, void *buf, size_t size)
{
    return result(read(fd, buf, size));
}

long linux_write(int fd, const void *buf, size_t size)
{
    return result(write(fd, buf, size));
}

long linux_pread(int fd, void *buf, size_t size, int64_t offset)
{
    return result(pread(fd, buf, size, offset));
}

long linux_pwrite(int fd, const void *buf, size_t size, int64_t offset)
{
    return result(pwrite(fd, buf, size, offset));
}

long linux_seek(int fd, int64_t offset, int whence)
{
    return result(lseek(fd, offset, whence));
}

long linux_ftruncate(int fd, int64_t size)
{
    return result(ftruncate(fd, size));
}

long linux_getdents(int fd, void *buf, size_t size)
{
    return result(syscall(SYS_getdents64, fd, buf, size));
}

static void convert(const struct stat *from, struct linux_stat *to)
{
    to->mode = from->st_mode;
    to->links = (uint32_t)from->st_nlink;
    to->size = (uint64_t)from->st_size;
    to->ino = from->st_ino;
}

long linux_fstat(int fd, struct linux_stat *stat)
{
    struct stat theirs = {0};
    long error = result(fstat(fd, &theirs));
    convert(&theirs, stat);
    return error;
}

long linux_getcwd(int fd, char *buf, size_t size)
{
    if (fchdir(at(fd)) != 0)
        return -errno;
    return result(syscall(SYS_getcwd, buf, size));
}

/* ---- names ----------------------------------------------------------------------------------- */

long linux_stat(int dir, const char *path, bool follow, struct linux_stat *stat)
{
    struct stat theirs = {0};
    long error = result(fstatat(at(dir), path, &theirs, follow ? 0 : AT_SYMLINK_NOFOLLOW));
    convert(&theirs, stat);
    return error;
}

long linux_mkdir(int dir, const char *path, unsigned mode)
{
    return result(mkdirat(at(dir), path, mode));
}

long linux_rmdir(int dir, const char *path)
{
    return result(unlinkat(at(dir), path, AT_REMOVEDIR));
}

long linux_unlink(int dir, const char *path)
{
    return result(unlinkat(at(dir), path, 0));
}

long linux_rename(int from, const char *old_path, int to, const char *new_path, bool keep)
{
    return result(renameat2(at(from), old_path, at(to), new_path, keep ? RENAME_NOREPLACE : 0));
}

long linux_link(int from, const char *old_path, bool follow, int to, const char *new_path)
{
    return result(linkat(at(from), old_path, at(to), new_path, follow ? AT_SYMLINK_FOLLOW : 0));
}

long linux_symlink(const char *target, int dir, const char *path)
{
    return result(symlinkat(target, at(dir), path));
}

long linux_readlink(int dir, const char *path, char *buf, size_t size)
{
    return result(readlinkat(at(dir), path, buf, size));
}

long linux_chmod(int dir, const char *path, unsigned mode)
{
    return result(fchmodat(at(dir), path, mode, 0));
}

/* There is no truncateat: by way of the working directory, which has to be one. */
long linux_truncate(int dir, const char *path, int64_t size)
{
    if (fchdir(at(dir)) != 0)
        return -errno;
    return result(truncate(path, size));
}
