// SPDX-License-Identifier: MIT
/*
 * Reading the kernel log from a program, with the types of Linux (syslog(2) manual page).
 *
 * Lines are formatted into a kernel buffer and copied out from there, so that the program's memory
 * is touched with no lock held. Types 2 and 9 are proc/kmsg.h's.
 */
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "mm/heap.h"
#include "proc/kmsg.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

enum syslog_type {
    SYSLOG_CLOSE = 0,
    SYSLOG_OPEN = 1,
    SYSLOG_READ = 2,
    SYSLOG_READ_ALL = 3,
    SYSLOG_READ_CLEAR = 4,
    SYSLOG_CLEAR = 5,
    SYSLOG_CONSOLE_OFF = 6,
    SYSLOG_CONSOLE_ON = 7,
    SYSLOG_CONSOLE_LEVEL = 8,
    SYSLOG_SIZE_UNREAD = 9,
    SYSLOG_SIZE_BUFFER = 10,
};

enum { CONSOLE_LEVEL_OFF = LOG_EMERG, NO_SAVED_LEVEL = -1 };

static struct spinlock syslog_lock = SPINLOCK(RANK_SYSLOG, "syslog");
static struct log_cursor cleared_at;     /* L: types 3 and 4 begin here */
static int saved_level = NO_SAVED_LEVEL; /* L: what type 7 brings back */

/* Type 3: the newest whole lines that fit, since the last clear. */
static long read_newest(char *line, uintptr_t buf, size_t len)
{
    spin_lock(&syslog_lock);
    struct log_cursor at = cleared_at;
    spin_unlock(&syslog_lock);
    const struct log_cursor end = log_end();
    size_t left = kmsg_bytes_between(line, at, end);
    size_t done = 0;
    long bytes;
    while (log_is_before(at, end) && (bytes = log_read(&at, line, LOG_FORMATTED_MAX)) > 0) {
        bool fits = left <= len && (size_t)bytes <= len - done;
        left -= (size_t)bytes < left ? (size_t)bytes : left;
        if (!fits)
            continue;
        if (copy_to_user(buf + done, line, (size_t)bytes) != 0)
            return -EFAULT;
        done += (size_t)bytes;
    }
    return (long)done;
}

static void clear(void)
{
    spin_lock(&syslog_lock);
    cleared_at = log_end();
    spin_unlock(&syslog_lock);
}

static long read_into(int type, uintptr_t buf, int len)
{
    if (buf == 0 || len < 0)
        return -EINVAL;
    if (len == 0)
        return 0;
    if (!user_range_ok(buf, (size_t)len))
        return -EFAULT;
    if (type == SYSLOG_READ)
        return kmsg_read(buf, (size_t)len, true); /* as on Linux, it waits for the first line */
    char *line = heap_alloc(LOG_FORMATTED_MAX, ALLOC_USER);
    if (line == NULL)
        return -ENOMEM;
    long result = read_newest(line, buf, (size_t)len);
    heap_free(line);
    if (type == SYSLOG_READ_CLEAR && result >= 0)
        clear();
    return result;
}

static void console_off(void)
{
    spin_lock(&syslog_lock);
    if (saved_level == NO_SAVED_LEVEL)
        saved_level = log_console_level();
    log_set_console_level(CONSOLE_LEVEL_OFF);
    spin_unlock(&syslog_lock);
}

static void console_on(void)
{
    spin_lock(&syslog_lock);
    if (saved_level != NO_SAVED_LEVEL)
        log_set_console_level(saved_level);
    saved_level = NO_SAVED_LEVEL;
    spin_unlock(&syslog_lock);
}

/* The console shows levels below `level`: 1..8. */
static long console_level(int level)
{
    if (level < 1 || level > LOG_DEBUG + 1)
        return -EINVAL;
    spin_lock(&syslog_lock);
    log_set_console_level(level - 1);
    saved_level = NO_SAVED_LEVEL;
    spin_unlock(&syslog_lock);
    return 0;
}

long sys_syslog(int type, uintptr_t buf, int len)
{
    switch (type) {
    case SYSLOG_CLOSE:
    case SYSLOG_OPEN:
        return 0;
    case SYSLOG_READ:
    case SYSLOG_READ_ALL:
    case SYSLOG_READ_CLEAR:
        return read_into(type, buf, len);
    case SYSLOG_CLEAR:
        clear();
        return 0;
    case SYSLOG_CONSOLE_OFF:
        console_off();
        return 0;
    case SYSLOG_CONSOLE_ON:
        console_on();
        return 0;
    case SYSLOG_CONSOLE_LEVEL:
        return console_level(len);
    case SYSLOG_SIZE_UNREAD:
        return kmsg_unread();
    case SYSLOG_SIZE_BUFFER:
        return LOG_RING_BYTES;
    default:
        return -EINVAL;
    }
}
