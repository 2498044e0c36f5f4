// SPDX-License-Identifier: MIT
/*
 * The calls of both gates, all but syslog (syslog.c). The gates pass the program's registers as C
 * passes arguments (stubs.asm), and of a register that holds an int C looks at the low 32 bits
 * alone. Each function checks in the contract's order: the form of the arguments, then the core,
 * then what is there.
 *
 * Context: thread, interrupts on, for all of this file.
 */
#include "arch/arch.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "sched/claim.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "smp/ipi.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

enum {
    WRITE_PIECE = 256,      /* bytes copied at a time */
    WRITE_MAX = 0x7ffff000, /* as on Linux: one call moves no more */
    FD_COUNT = 3,           /* 0, 1 and 2 are the console */
};

_Static_assert((int)SYSCALL_TABLE_SIZE == (int)ARCH_GATE_CALLS, "tools/gen-syscalls");

long sys_none(void)
{
    return -ENOSYS;
}

long sys_exit(int status)
{
    process_exit(status);
}

long sys_write(int fd, uintptr_t buf, size_t size)
{
    if (fd < 0 || fd >= FD_COUNT)
        return -EBADF;
    if (!user_range_ok(buf, size))
        return -EFAULT;
    if (size > WRITE_MAX)
        size = WRITE_MAX;
    size_t written = 0;
    console_begin();
    while (written < size) {
        char piece[WRITE_PIECE];
        size_t wanted = size - written < WRITE_PIECE ? size - written : WRITE_PIECE;
        size_t got = copy_from_user_partly(piece, buf + written, wanted);
        console_put(piece, got);
        written += got;
        if (got < wanted)
            break;
    }
    console_end();
    return written == 0 && size > 0 ? -EFAULT : (long)written;
}

long sys_getpid(void)
{
    return process_current()->pid;
}

long sys_sched_yield(void)
{
    thread_yield();
    return 0;
}

long sys_klog(uintptr_t text, int len)
{
    if (len < 0 || len > LOG_TEXT_MAX)
        return -EINVAL;
    if (len == 0)
        return 0;
    if (!user_range_ok(text, (size_t)len))
        return -EFAULT;
    char *copy = heap_alloc((size_t)len, ALLOC_USER);
    if (copy == NULL)
        return -ENOMEM;
    int error = copy_from_user(copy, text, (size_t)len);
    if (error == 0)
        log_text(LOG_INFO, copy, (size_t)len);
    heap_free(copy);
    return error;
}

long sys_send_ipi(int core, int vector)
{
    return ipi_send(core, vector);
}

long sys_register_ipi(int vector)
{
    return ipi_register(vector);
}

long sys_unregister_ipi(int vector)
{
    return claim_unregister(vector);
}

long sys_putc(int c)
{
    char byte = (char)c;
    console_begin();
    console_put(&byte, 1);
    console_end();
    return (uint8_t)byte;
}

long sys_getcore(void)
{
    return arch_cpu();
}

long sys_ncores(void)
{
    return arch_cpu_count();
}

long sys_ncores_online(void)
{
    return smp_online_count();
}
