// SPDX-License-Identifier: MIT
/*
 * Lines are formatted into a kernel buffer and copied out from there, so that the program's memory
 * is touched with no spin lock held. A line stays there until all of it was read: should the ring
 * overtake the reader meanwhile, that line is whole nevertheless, and the report of what was lost
 * comes after it.
 */
#include "proc/kmsg.h"

#include "fs/file.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/heap.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "vm/user_copy.h"

#define LOOK_AGAIN_NS UINT64_C(10000000)

/* Held for a whole pass, which touches the program's memory: two readers share the lines out. */
static struct mutex kmsg_mutex = MUTEX(kmsg_mutex);
static struct log_cursor read_at;    /* L: what comes behind `line` */
static char line[LOG_FORMATTED_MAX]; /* L: the line that is being read */
static size_t line_bytes, line_read; /* L: its length; how much of it was read */

/* Have an unread part in `line`, if there is anything to read before `end`. L: kmsg_mutex */
static bool has_part(struct log_cursor end)
{
    if (line_read < line_bytes)
        return true;
    long bytes = log_is_before(read_at, end) ? log_read(&read_at, line, sizeof(line)) : 0;
    line_bytes = bytes > 0 ? (size_t)bytes : 0;
    line_read = 0;
    return bytes > 0;
}

/* L: kmsg_mutex */
static long read_lines(uintptr_t buf, size_t len)
{
    const struct log_cursor end = log_end();
    size_t done = 0;
    while (done < len && has_part(end)) {
        size_t rest = line_bytes - line_read;
        size_t piece = rest < len - done ? rest : len - done;
        if (piece < rest && done > 0)
            break;
        if (copy_to_user(buf + done, line + line_read, piece) != 0)
            return done > 0 ? (long)done : -EFAULT;
        done += piece;
        line_read += piece;
    }
    return (long)done;
}

/* Once, without waiting. */
static long read_on(uintptr_t buf, size_t len)
{
    mutex_lock(&kmsg_mutex);
    long result = read_lines(buf, len);
    mutex_unlock(&kmsg_mutex);
    return result;
}

/* Who writes a line may be an NMI, which can wake nobody, so it is looked for now and then. */
long kmsg_read(uintptr_t buf, size_t len, bool wait)
{
    long result;
    while ((result = read_on(buf, len)) == 0 && wait && len > 0)
        thread_sleep(LOOK_AGAIN_NS);
    return result;
}

size_t kmsg_bytes_between(char *buf, struct log_cursor at, struct log_cursor end)
{
    size_t total = 0;
    long bytes;
    while (log_is_before(at, end) && (bytes = log_read(&at, buf, LOG_FORMATTED_MAX)) > 0)
        total += (size_t)bytes;
    return total;
}

long kmsg_unread(void)
{
    char *buf = heap_alloc(LOG_FORMATTED_MAX, ALLOC_USER);
    if (buf == NULL)
        return -ENOMEM;
    mutex_lock(&kmsg_mutex);
    struct log_cursor from = read_at;
    size_t bytes = line_bytes - line_read;
    mutex_unlock(&kmsg_mutex);
    bytes += kmsg_bytes_between(buf, from, log_end());
    heap_free(buf);
    return (long)bytes;
}

/* ---- /proc/kmsg ------------------------------------------------------------------------------ */

static long kmsg_file_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    (void)position;
    bool wait = (file_flags(file) & O_NONBLOCK) == 0;
    long result = kmsg_read(buf, size, wait);
    return result == 0 && size > 0 ? -EAGAIN : result;
}

static const struct file_ops kmsg_ops = {.read = kmsg_file_read};

int kmsg_open(void *data, unsigned flags, struct file **file)
{
    (void)data;
    *file = file_create(&kmsg_ops, NULL, flags);
    return *file != NULL ? 0 : -ENOMEM;
}
