// SPDX-License-Identifier: MIT
/*
 * Linux's calls about the machine as a whole.
 *
 * Context: thread, interrupts on, for all of this file.
 */
#include "arch/arch.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/text.h"
#include "mm/page.h"
#include "proc/process.h"
#include "proc/shutdown.h"
#include "proc/system_name.h"
#include "sched/thread.h"
#include "syscall/linux.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

#define NS_PER_S UINT64_C(1000000000)

long sys_uname(uintptr_t buf)
{
    static const struct linux_utsname name = {
        .sysname = SYSTEM_NAME,
        .nodename = "carillon",
        .release = SYSTEM_RELEASE,
        .version = SYSTEM_VERSION,
        .machine = "x86_64",
        .domainname = "(none)",
    };
    return copy_to_user(buf, &name, sizeof(name));
}

long sys_sysinfo(uintptr_t info)
{
    const struct linux_sysinfo now = {
        .uptime = (int64_t)(arch_clock_ns() / NS_PER_S),
        .totalram = arch_memory_usable(),
        .freeram = page_count_free() * PAGE_SIZE,
        .procs = (uint16_t)process_count(),
        .mem_unit = 1,
    };
    return copy_to_user(info, &now, sizeof(now));
}

/* ---- random bytes ---------------------------------------------------------------------------- */

enum { GRND_ALL = 7, RANDOM_PIECE = 256, RANDOM_MAX = 33554431 /* as on Linux */ };

long sys_getrandom(uintptr_t buf, size_t size, int flags)
{
    char piece[RANDOM_PIECE];
    if ((flags & ~GRND_ALL) != 0)
        return -EINVAL;
    if (size > RANDOM_MAX)
        size = RANDOM_MAX;
    size_t done = 0;
    while (done < size) {
        size_t wanted = size - done < sizeof(piece) ? size - done : sizeof(piece);
        random_bytes(piece, wanted);
        if (copy_to_user(buf + done, piece, wanted) != 0)
            return done > 0 ? (long)done : -EFAULT;
        done += wanted;
        thread_point();
    }
    return (long)done;
}

/* ---- the end --------------------------------------------------------------------------------- */

enum { /* linux/reboot.h */
       REBOOT_MAGIC1 = 0xfee1dead - 0x100000000,
       REBOOT_MAGIC2 = 672274793,
       REBOOT_MAGIC2A = 85072278,
       REBOOT_MAGIC2B = 369367448,
       REBOOT_MAGIC2C = 537993216,
};
#define REBOOT_RESTART 0x01234567u
#define REBOOT_HALT 0xcdef0123u
#define REBOOT_POWER_OFF 0x4321fedcu
#define REBOOT_CAD_ON 0x89abcdefu /* Ctrl-Alt-Del means nothing here, on or off */
#define REBOOT_CAD_OFF 0u

static bool is_reboot_magic(int magic2)
{
    return magic2 == REBOOT_MAGIC2 || magic2 == REBOOT_MAGIC2A || magic2 == REBOOT_MAGIC2B ||
           magic2 == REBOOT_MAGIC2C;
}

long sys_reboot(int magic1, int magic2, int command, uintptr_t arg)
{
    (void)arg;
    if (magic1 != REBOOT_MAGIC1 || !is_reboot_magic(magic2))
        return -EINVAL;
    switch ((uint32_t)command) {
    case REBOOT_CAD_ON:
    case REBOOT_CAD_OFF:
        return 0;
    case REBOOT_POWER_OFF:
        shutdown_request(SHUTDOWN_POWER_OFF);
    case REBOOT_HALT:
        shutdown_request(SHUTDOWN_HALT);
    case REBOOT_RESTART:
        shutdown_request(SHUTDOWN_RESTART);
    default:
        return -EINVAL;
    }
}
