// SPDX-License-Identifier: MIT
/*
 * The dispatch of both gates: number -> function, through the tables that tools/gen-syscalls makes
 * from syscalls.tbl. A call that stands in both is one function.
 *
 * All 64 bits of the number are compared. Behind the comparison the index is clamped without a
 * branch, so that a CPU which guesses the comparison wrong still reads inside the table.
 */
#include "arch/arch.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/lock_debug.h"
#include "lib/log.h"
#include "syscall_proto.h"
#include "syscall_table.inc"

/* `index` if it is below `size`, else 0, by arithmetic alone. */
static inline uint64_t clamp_index(uint64_t index, uint64_t size)
{
    uint64_t mask;
    /* the carry of the comparison, spread over all bits */
    __asm__ volatile("cmp %1, %2; sbb %0, %0" : "=r"(mask) : "r"(size), "r"(index) : "cc");
    return index & mask;
}

static long dispatch(const struct syscall_entry *table, uint64_t size, uint64_t number,
                     const uint64_t args[6])
{
    ASSERT_IRQS_ON();
    ASSERT_THREAD();
    if (number >= size)
        return -ENOSYS;
    const struct syscall_entry *entry = &table[clamp_index(number, size)];
    return entry->call == NULL ? -ENOSYS : entry->call(args);
}

long syscall_int80(uint64_t number, const uint64_t args[6])
{
    return dispatch(syscall_table, SYSCALL_TABLE_SIZE, number, args);
}

long syscall_linux(uint64_t number, const uint64_t args[6])
{
    return dispatch(linux_table, LINUX_TABLE_SIZE, number, args);
}

void user_return_work(void)
{
    if (log_pending())
        log_drain();
    if (DEBUG_KERNEL)
        lock_debug_none("goes to ring 3");
}
