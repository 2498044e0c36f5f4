// SPDX-License-Identifier: MIT
/*
 * Carillon's own calls, but for those that start programs (processes.c) and syslog (syslog.c). The
 * gates pass the program's registers as C passes arguments (stubs.asm), and of a register that
 * holds an int C looks at the low 32 bits alone. Each function checks in the contract's order: the
 * form of the arguments, then the core, then what is there.
 *
 * Context: thread, interrupts on, for all of this file.
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "proc/tty.h"
#include "sched/claim.h"
#include "smp/cores.h"
#include "smp/ipi.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

/* What Linux calls its numbers. */
#include "syscall_names.h"

_Static_assert((int)SYSCALL_TABLE_SIZE == (int)ARCH_GATE_CALLS, "tools/gen-syscalls");

/* Who relies on a call that is not there should not have to guess: each is named once. */
static void tell_missing(uint64_t number)
{
    static _Atomic bool told[SYSCALL_TABLE_SIZE];
    const struct process *self = process_current();
    if (number < SYSCALL_TABLE_SIZE && !atomic_exchange(&told[number], true))
        log_warn("%s[%d]: asked for the system call %llu (%s), which is not there", self->name,
                 self->pid, (unsigned long long)number,
                 linux_names[number] != NULL ? linux_names[number] : "unknown");
}

long sys_none(void)
{
    if (arch_user_call_is_linux())
        tell_missing(arch_user_call_number());
    return -ENOSYS;
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

long sys_ipi_wait(int vector, int64_t timeout_ns)
{
    return ipi_wait(vector, timeout_ns);
}

long sys_putc(int c)
{
    tty_putc((char)c);
    return (uint8_t)c;
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
