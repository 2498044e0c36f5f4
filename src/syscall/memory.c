// SPDX-License-Identifier: MIT
/*
 * Linux's calls about a program's memory: its numbers on one side, vm/space.h on the other.
 *
 * Context: thread, interrupts on, for all of this file. Sleeps: yes.
 */
#include "arch/arch.h"
#include "fs/fd.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "proc/process.h"
#include "syscall_proto.h"
#include "vm/space.h"

enum { /* asm-generic/mman-common.h, asm-generic/mman.h */
       LINUX_PROT_READ = 1,
       LINUX_PROT_WRITE = 2,
       LINUX_PROT_EXEC = 4,
       LINUX_PROT_ALL = 7,
       MAP_SHARED = 0x01,
       MAP_PRIVATE = 0x02,
       MAP_TYPE = 0x0f,
       MAP_FIXED = 0x10,
       MAP_ANONYMOUS = 0x20,
       MAP_FIXED_NOREPLACE = 0x100000,
       MADV_NORMAL_LAST =
           3, /* normal, random, sequential, will need: advice that changes nothing */
};

/* Writable implies readable, as on the hardware. */
static unsigned prot_of(int linux_prot)
{
    if (linux_prot == 0)
        return PROT_NO_ACCESS;
    return ((linux_prot & LINUX_PROT_WRITE) != 0 ? PROT_W : PROT_R) |
           ((linux_prot & LINUX_PROT_EXEC) != 0 ? PROT_X : 0);
}

long sys_brk(uintptr_t wanted)
{
    return (long)space_brk(process_current()->space, wanted);
}

/* ---- mmap ------------------------------------------------------------------------------------ */

static unsigned flags_of(int linux_flags)
{
    return ((linux_flags & MAP_FIXED) != 0 ? SPACE_FIXED : 0) |
           ((linux_flags & MAP_FIXED_NOREPLACE) != 0 ? SPACE_NO_REPLACE : 0);
}

/* Returns: 0, or what reading returns; -ENOMEM if not all of it could be had. */
static int copy_file(struct file *file, uintptr_t at, size_t bytes, int64_t offset)
{
    struct file_stat stat;
    (void)file_get_stat(file, &stat);
    size_t there = stat.size > (uint64_t)offset ? (size_t)(stat.size - (uint64_t)offset) : 0;
    if (there > bytes)
        there = bytes;
    for (size_t done = 0; done < there;) {
        long got = file_pread(file, at + done, there - done, offset + (int64_t)done);
        if (got < 0)
            return got == -EFAULT ? -ENOMEM : (int)got;
        if (got == 0)
            break; /* it was cut meanwhile */
        done += (size_t)got;
    }
    return 0;
}

/* A private mapping of a file is a copy of it, made at once. */
static long map_file(int fd, uintptr_t addr, size_t bytes, int prot, int flags, int64_t offset)
{
    struct process *self = process_current();
    struct file *file;
    struct file_stat stat;
    long at = fd_get(self->files, fd, &file);
    if (at != 0)
        return at;
    at = file_get_stat(file, &stat);
    /* a file of /proc calls itself regular, but its text is made by a read: there is no memory */
    if (at == 0 && ((stat.mode & S_IFMT) != S_IFREG || file->ops->read_kernel == NULL))
        at = -ENODEV;
    if (at == 0)
        at = space_mmap(self->space, addr, bytes, PROT_W, flags_of(flags));
    if (at > 0) {
        int error = copy_file(file, (uintptr_t)at, bytes, offset);
        if (error == 0)
            error = space_mprotect(self->space, (uintptr_t)at, bytes, prot_of(prot));
        if (error != 0) {
            (void)space_munmap(self->space, (uintptr_t)at, bytes);
            at = error == -EBADF ? -EACCES : error;
        }
    }
    file_put(file);
    return at;
}

long sys_mmap(uintptr_t addr, size_t bytes, int prot, int flags, int fd, int64_t offset)
{
    if ((prot & ~LINUX_PROT_ALL) != 0 || offset % PAGE_SIZE != 0 || offset < 0)
        return -EINVAL;
    int type = flags & MAP_TYPE;
    if (type != MAP_PRIVATE && type != MAP_SHARED)
        return -EINVAL;
    /* who shares memory that has no name shares it with its children after a fork alone */
    if ((flags & MAP_ANONYMOUS) != 0)
        return space_mmap(process_current()->space, addr, bytes, prot_of(prot), flags_of(flags));
    if (type == MAP_SHARED)
        return -ENODEV;
    if ((prot & LINUX_PROT_WRITE) != 0 && (prot & LINUX_PROT_EXEC) != 0)
        return -EACCES;
    return map_file(fd, addr, bytes, prot, flags, offset);
}

long sys_munmap(uintptr_t addr, size_t bytes)
{
    return space_munmap(process_current()->space, addr, bytes);
}

long sys_mprotect(uintptr_t addr, size_t bytes, int prot)
{
    if ((prot & ~LINUX_PROT_ALL) != 0)
        return -EINVAL;
    return space_mprotect(process_current()->space, addr, bytes, prot_of(prot));
}

/* Advice that changes nothing is taken; what would change memory is refused. */
long sys_madvise(uintptr_t addr, size_t bytes, int advice)
{
    (void)bytes;
    if (addr % PAGE_SIZE != 0 || advice < 0 || advice > MADV_NORMAL_LAST)
        return -EINVAL;
    return 0;
}
