// SPDX-License-Identifier: MIT
/*
 * Reading the kernel log from a program, with the types of Linux (syslog(2) manual page).
 *
 * Lines are formatted into a kernel buffer and copied out from there, so that the program's memory
 * is touched with no lock held. Type 2 has one place in the log for the whole machine, which may be
 * in the middle of a line that did not fit.
 */
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "mm/heap.h"
#include "sched/thread.h"
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

#define LOOK_AGAIN_NS UINT64_C(10000000)
enum { CONSOLE_LEVEL_OFF = LOG_EMERG, NO_SAVED_LEVEL = -1 };

static struct spinlock syslog_lock = SPINLOCK(RANK_SYSLOG, "syslog");
static struct log_cursor read_at;        /* L: type 2 */
static size_t read_partial;              /* L: bytes of the line there that were read already */
static struct log_cursor cleared_at;     /* L: types 3 and 4 begin here */
static int saved_level = NO_SAVED_LEVEL; /* L: what type 7 brings back */

/* Type 2, once: whole lines as long as they fit, a part of a line only if it is the first. */
static long read_on(char *line, uintptr_t buf, size_t len)
{
    size_t done = 0;
    while (done < len) {
        spin_lock(&syslog_lock);
        struct log_cursor next = read_at;
        size_t skip = read_partial;
        spin_unlock(&syslog_lock);

        long bytes = log_read(&next, line, LOG_FORMATTED_MAX);
        if (bytes <= 0)
            break;
        size_t rest = (size_t)bytes > skip ? (size_t)bytes - skip : 0;
        size_t piece = rest < len - done ? rest : len - done;
        if (piece < rest && done > 0)
            break;
        if (copy_to_user(buf + done, line + skip, piece) != 0)
            return done > 0 ? (long)done : -EFAULT;
        done += piece;

        spin_lock(&syslog_lock);
        if (piece == rest) {
            read_at = next;
            read_partial = 0;
        } else {
            read_partial = skip + piece;
        }
        spin_unlock(&syslog_lock);
    }
    return (long)done;
}

/* As on Linux, type 2 waits for the first line. Who writes one may be an NMI, which can wake
 * nobody, so it is looked for now and then. */
static long read_waiting(char *line, uintptr_t buf, size_t len)
{
    long result;
    while ((result = read_on(line, buf, len)) == 0)
        thread_sleep(LOOK_AGAIN_NS);
    return result;
}

/* Bytes of all lines from `from` to the log's end as it is now. */
static size_t bytes_from(char *line, struct log_cursor from)
{
    size_t total = 0;
    long bytes;
    while ((bytes = log_read(&from, line, LOG_FORMATTED_MAX)) > 0)
        total += (size_t)bytes;
    return total;
}

/* Type 3: the newest whole lines that fit, since the last clear. */
static long read_newest(char *line, uintptr_t buf, size_t len)
{
    spin_lock(&syslog_lock);
    struct log_cursor at = cleared_at;
    spin_unlock(&syslog_lock);
    size_t left = bytes_from(line, at);
    size_t done = 0;
    long bytes;
    while ((bytes = log_read(&at, line, LOG_FORMATTED_MAX)) > 0) {
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

static long unread(char *line)
{
    spin_lock(&syslog_lock);
    struct log_cursor from = read_at;
    size_t partial = read_partial;
    spin_unlock(&syslog_lock);
    size_t bytes = bytes_from(line, from);
    return (long)(bytes > partial ? bytes - partial : 0);
}

static long read_into(int type, uintptr_t buf, int len)
{
    if (buf == 0 || len < 0)
        return -EINVAL;
    if (len == 0)
        return 0;
    if (!user_range_ok(buf, (size_t)len))
        return -EFAULT;
    char *line = heap_alloc(LOG_FORMATTED_MAX, ALLOC_USER);
    if (line == NULL)
        return -ENOMEM;
    long result = type == SYSLOG_READ ? read_waiting(line, buf, (size_t)len)
                                      : read_newest(line, buf, (size_t)len);
    heap_free(line);
    if (type == SYSLOG_READ_CLEAR && result >= 0)
        clear();
    return result;
}

static long size_unread(void)
{
    char *line = heap_alloc(LOG_FORMATTED_MAX, ALLOC_USER);
    if (line == NULL)
        return -ENOMEM;
    long result = unread(line);
    heap_free(line);
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
        return size_unread();
    case SYSLOG_SIZE_BUFFER:
        return LOG_RING_BYTES;
    default:
        return -EINVAL;
    }
}
