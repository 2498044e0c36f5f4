// SPDX-License-Identifier: MIT
/*
 * Numbers and layouts of Linux for x86-64, as its programs have them compiled in.
 *
 * Source: the headers that Linux exports to programs (asm-generic, asm/stat.h, linux/...), and the
 * manual pages of section 2
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct linux_timespec {
    int64_t tv_sec;
    int64_t tv_nsec;
};

struct linux_timeval {
    int64_t tv_sec;
    int64_t tv_usec;
};

struct linux_iovec {
    uintptr_t base;
    size_t bytes;
};

struct linux_stat {
    uint64_t st_dev;
    uint64_t st_ino;
    uint64_t st_nlink;
    uint32_t st_mode;
    uint32_t st_uid;
    uint32_t st_gid;
    uint32_t pad;
    uint64_t st_rdev;
    int64_t st_size;
    int64_t st_blksize;
    int64_t st_blocks; /* of 512 bytes */
    struct linux_timespec st_atime, st_mtime, st_ctime;
    int64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "asm/stat.h");

enum { LINUX_NAME_BYTES = 65 };
struct linux_utsname {
    char sysname[LINUX_NAME_BYTES];
    char nodename[LINUX_NAME_BYTES];
    char release[LINUX_NAME_BYTES];
    char version[LINUX_NAME_BYTES];
    char machine[LINUX_NAME_BYTES];
    char domainname[LINUX_NAME_BYTES];
};

struct linux_sysinfo {
    int64_t uptime; /* seconds */
    uint64_t loads[3];
    uint64_t totalram, freeram, sharedram, bufferram, totalswap, freeswap; /* mem_unit each */
    uint16_t procs;
    uint16_t pad;
    uint32_t pad2;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit; /* bytes */
};
_Static_assert(sizeof(struct linux_sysinfo) == 112, "linux/sysinfo.h");

struct linux_rusage {
    struct linux_timeval ru_utime, ru_stime;
    int64_t ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap, ru_inblock,
        ru_oublock, ru_msgsnd, ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
};
_Static_assert(sizeof(struct linux_rusage) == 144, "linux/resource.h");

struct linux_rlimit {
    uint64_t current;
    uint64_t maximum;
};
#define LINUX_RLIM_INFINITY UINT64_MAX

/* Everybody is root: there are no users. */
enum { LINUX_ROOT = 0 };
