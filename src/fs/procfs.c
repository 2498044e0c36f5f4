// SPDX-License-Identifier: MIT
/*
 * Texts, and open files of /proc. An open file keeps the text that its last read from the start
 * made, in frames as a file of the memory file system has, so that it may be long.
 */
#include "fs/procfs.h"

#include <stdarg.h>

#include "fs/file.h"
#include "fs/fs_internal.h"
#include "fs/procfs_internal.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "vm/user_copy.h"

/* ---- texts ----------------------------------------------------------------------------------- */

/* Add what fits into the last frame. Returns: how many bytes that were, 0 without memory. */
static size_t append_piece(struct procfs_text *text, const char *bytes, size_t count)
{
    size_t at = text->bytes % PAGE_SIZE;
    size_t part = count < PAGE_SIZE - at ? count : PAGE_SIZE - at;
    char *frame = contents_make(&text->contents, text->bytes / PAGE_SIZE);
    if (frame == NULL)
        return 0;
    memcpy(frame + at, bytes, part);
    text->bytes += part;
    return part;
}

void procfs_append(struct procfs_text *text, const char *bytes, size_t count)
{
    if (count > PROCFS_TEXT_MAX - text->bytes)
        text->failed = true;
    while (count > 0 && !text->failed) {
        size_t part = append_piece(text, bytes, count);
        text->failed = part == 0;
        bytes += part;
        count -= part;
    }
    thread_point();
}

void procfs_puts(struct procfs_text *text, const char *string)
{
    procfs_append(text, string, strlen(string));
}

void procfs_printf(struct procfs_text *text, const char *fmt, ...)
{
    char buf[PROCFS_PRINT_MAX + 1];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);
    procfs_append(text, buf, length < (int)sizeof(buf) ? (size_t)length : sizeof(buf) - 1);
}

/* ---- open files ------------------------------------------------------------------------------ */

struct reading {
    struct mutex lock;
    struct procfs_text text; /* L: lock */
    bool made;               /* L: lock: there is one */
};

static const struct procfs_node *proc_of(const struct file *file)
{
    return file->node->proc;
}

static void forget_text(struct reading *reading)
{
    contents_cut(&reading->text.contents, 0);
    reading->text = (struct procfs_text){0};
    reading->made = false;
}

/* L: reading->lock */
static int make_text(struct reading *reading, const struct procfs_node *proc)
{
    forget_text(reading);
    if (proc->ops->show == NULL)
        return -EIO;
    if (!procfs_is_alive(proc))
        return -ESRCH;
    int error = proc->ops->show(&reading->text, proc->data);
    if (error == 0 && reading->text.failed)
        error = -ENOMEM;
    if (error == 0 && !procfs_is_alive(proc)) /* the number may be another one's by now */
        error = -ESRCH;
    if (error != 0)
        forget_text(reading);
    reading->made = error == 0;
    return error;
}

/* L: reading->lock. Returns: bytes, or -EFAULT. */
static long copy_text(const struct procfs_text *text, uint64_t at, uintptr_t buf, size_t size)
{
    if (at >= text->bytes)
        return 0;
    size_t want = text->bytes - at < size ? (size_t)(text->bytes - at) : size;
    size_t done = 0;
    while (done < want) {
        size_t part = fs_piece(at + done, buf + done, want - done);
        const char *frame = contents_find(&text->contents, (at + done) / PAGE_SIZE);
        if (copy_to_user(buf + done, frame + (at + done) % PAGE_SIZE, part) != 0)
            break;
        done += part;
        thread_point();
    }
    return done == 0 ? -EFAULT : (long)done;
}

static long procfs_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    struct reading *reading = file->data;
    if (size == 0)
        return 0;
    mutex_lock(&reading->lock);
    long result = *position == 0 || !reading->made ? make_text(reading, proc_of(file)) : 0;
    if (result == 0)
        result = copy_text(&reading->text, *position, buf, size);
    mutex_unlock(&reading->lock);
    if (result > 0)
        *position += (uint64_t)result;
    return result;
}

static int write_text(const struct procfs_node *proc, uintptr_t buf, size_t size)
{
    char *text = heap_alloc(size + 1, ALLOC_USER);
    if (text == NULL)
        return -ENOMEM;
    int error = copy_from_user(text, buf, size);
    text[size] = '\0';
    if (error == 0)
        error = proc->ops->write(proc->data, text, size);
    heap_free(text);
    return error;
}

static long procfs_write(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    const struct procfs_node *proc = proc_of(file);
    if (proc->ops->write == NULL)
        return -EIO;
    if (size == 0)
        return 0;
    if (size > PROCFS_WRITE_MAX)
        return -EINVAL;
    int error = procfs_is_alive(proc) ? write_text(proc, buf, size) : -ESRCH;
    if (error != 0)
        return error;
    *position += size;
    return (long)size;
}

static int64_t procfs_seek(struct file *file, uint64_t position, int64_t offset, int whence)
{
    (void)file;
    int64_t result;
    if (whence != SEEK_FROM_START && whence != SEEK_FROM_HERE)
        return -EINVAL; /* nobody knows where the end of the next text will be */
    int64_t from = whence == SEEK_FROM_HERE ? (int64_t)position : 0;
    if (__builtin_add_overflow(from, offset, &result) || result < 0)
        return -EINVAL;
    return result;
}

static int procfs_truncate(struct file *file, uint64_t size)
{
    (void)file, (void)size;
    return 0;
}

static void procfs_release(struct file *file)
{
    forget_text(file->data);
    heap_free(file->data);
}

static const struct file_ops procfs_file_ops = {
    .read = procfs_read,
    .write = procfs_write,
    .seek = procfs_seek,
    .truncate = procfs_truncate,
    .release = procfs_release,
};

int procfs_open(const struct memfs_node *node, unsigned flags, struct file **file)
{
    if (node->proc->ops->open != NULL)
        return node->proc->ops->open(node->proc->data, flags, file);
    struct reading *reading = heap_alloc(sizeof(*reading), ALLOC_USER | ALLOC_ZERO);
    if (reading == NULL)
        return -ENOMEM;
    mutex_init(&reading->lock);
    *file = file_create(&procfs_file_ops, reading, flags);
    if (*file != NULL)
        return 0;
    heap_free(reading);
    return -ENOMEM;
}
