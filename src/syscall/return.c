// SPDX-License-Identifier: MIT
/*
 * What a core does before ring 3 goes on, when something was noted for it (arch_work_note).
 */
#include "arch/arch.h"
#include "lib/debug.h"
#include "lib/lock_debug.h"
#include "lib/log.h"
#include "sched/thread.h"

void user_return_work(void)
{
    thread_point();
    log_drain();
    if (DEBUG_KERNEL)
        lock_debug_none("goes to ring 3");
}
