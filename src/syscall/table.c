// SPDX-License-Identifier: MIT
/*
 * The int 0x80 gate's dispatch: number -> function, through the table that tools/gen-syscalls makes
 * from syscalls.tbl.
 *
 * All 64 bits of the number are compared. Behind the comparison the index is clamped without a
 * branch, so that a CPU which guesses the comparison wrong still reads inside the table.
 */
#include "arch/arch.h"
#include "lib/errno.h"
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

long syscall_int80(uint64_t number, const uint64_t args[6])
{
    if (number >= SYSCALL_TABLE_SIZE)
        return -ENOSYS;
    const struct syscall_entry *entry = &syscall_table[clamp_index(number, SYSCALL_TABLE_SIZE)];
    return entry->call == NULL ? -ENOSYS : entry->call(args);
}

void user_return_work(void)
{
    if (log_pending())
        log_drain();
}
