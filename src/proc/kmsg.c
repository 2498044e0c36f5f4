// SPDX-License-Identifier: MIT
/*
 * Lines are formatted into a kernel buffer and copied out from there, so that the program's memory
 * is touched with no lock held.
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
static struct log_cursor read_at; /* L */
static size_t read_partial;       /* L: bytes of the line there that were read already */

/* L: kmsg_mutex */
static long read_lines(char *line, uintptr_t buf, size_t len)
{
    const struct log_cursor end = log_end();
    size_t done = 0;
    while (done < len && log_is_before(read_at, end)) {
        struct log_cursor next = read_at;
        long bytes = log_read(&next, line, LOG_FORMATTED_MAX);
        if (bytes <= 0)
            break;
        size_t rest = (size_t)bytes > read_partial ? (size_t)bytes - read_partial : 0;
        size_t piece = rest < len - done ? rest : len - done;
        if (piece < rest && done > 0)
            break;
        if (copy_to_user(buf + done, line + read_partial, piece) != 0)
            return done > 0 ? (long)done : -EFAULT;
        done += piece;
        read_partial = piece == rest ? 0 : read_partial + piece;
        if (piece == rest)
            read_at = next;
    }
    return (long)done;
}

/* Once, without waiting. */
static long read_on(char *line, uintptr_t buf, size_t len)
{
    mutex_lock(&kmsg_mutex);
    long result = read_lines(line, buf, len);
    mutex_unlock(&kmsg_mutex);
    return result;
}

/* Who writes a line may be an NMI, which can wake nobody, so it is looked for now and then. */
long kmsg_read(uintptr_t buf, size_t len, bool wait)
{
    char *line = heap_alloc(LOG_FORMATTED_MAX, ALLOC_USER);
    if (line == NULL)
        return -ENOMEM;
    long result;
    while ((result = read_on(line, buf, len)) == 0 && wait && len > 0)
        thread_sleep(LOOK_AGAIN_NS);
    heap_free(line);
    return result;
}

size_t kmsg_bytes_between(char *line, struct log_cursor at, struct log_cursor end)
{
    size_t total = 0;
    long bytes;
    while (log_is_before(at, end) && (bytes = log_read(&at, line, LOG_FORMATTED_MAX)) > 0)
        total += (size_t)bytes;
    return total;
}

long kmsg_unread(void)
{
    char *line = heap_alloc(LOG_FORMATTED_MAX, ALLOC_USER);
    if (line == NULL)
        return -ENOMEM;
    mutex_lock(&kmsg_mutex);
    struct log_cursor from = read_at;
    size_t partial = read_partial;
    mutex_unlock(&kmsg_mutex);
    size_t bytes = kmsg_bytes_between(line, from, log_end());
    heap_free(line);
    return (long)(bytes > partial ? bytes - partial : 0);
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
