// SPDX-License-Identifier: MIT
/*
 * A pipe is a ring of 16 frames with two running counts, bytes written and bytes read; their
 * difference is what it holds. A frame is taken when the first byte goes into it and kept until the
 * pipe goes.
 *
 * One mutex guards the ring, and is held over the copies, so that a write that finds room for all
 * it has goes in as one piece. The counts and the numbers of ends are atomic because who sleeps
 * looks at them without the mutex; each change is followed by a wake-up (sched/wait.h).
 */
#include "fs/pipe.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/file.h"
#include "fs/fs_internal.h"
#include "lib/errno.h"
#include "lib/wall_clock.h"
#include "mm/heap.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include "vm/user_copy.h"

enum { FRAMES = PIPE_BYTES / PAGE_SIZE, PIPE_MODE = 0600 };

struct pipe {
    struct mutex lock;
    char *frames[FRAMES];     /* L: lock; NULL until used */
    _Atomic uint64_t written; /* bytes in all; changed under lock */
    _Atomic uint64_t taken;   /* bytes in all; changed under lock */
    _Atomic bool has_reader;
    _Atomic bool has_writer;
    struct wait_queue readers; /* wait for bytes, or for the last writer to go */
    struct wait_queue writers; /* wait for room, or for the reader to go */
    _Atomic unsigned ends;     /* struct files; the last one frees the pipe */
    uint64_t ino;              /* I */
    uint64_t made_ns;          /* I */
};

/* Acquire, release: pair with each other, so that who sees the count sees what came before it. */
static uint64_t bytes_in(struct pipe *pipe)
{
    return atomic_load_explicit(&pipe->written, memory_order_acquire) -
           atomic_load_explicit(&pipe->taken, memory_order_acquire);
}

static size_t room_in(struct pipe *pipe)
{
    return PIPE_BYTES - (size_t)bytes_in(pipe);
}

static bool is_there(_Atomic bool *end)
{
    return atomic_load_explicit(end, memory_order_acquire);
}

/* How far one copy at `count` in the ring and `user` may go: within a frame, and a user's page. */
static size_t piece(uint64_t count, uintptr_t user, size_t left)
{
    return fs_piece(count, user, left);
}

static char *place(struct pipe *pipe, uint64_t count)
{
    return pipe->frames[count / PAGE_SIZE % FRAMES] + count % PAGE_SIZE;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool has_news_for_reader(void *arg)
{
    struct pipe *pipe = arg;
    return !is_there(&pipe->has_writer) || bytes_in(pipe) > 0;
}

/* Copy what is there, at most `size`. L: lock. Returns: bytes, or -EFAULT. */
static long take_bytes(struct pipe *pipe, uintptr_t buf, size_t size)
{
    uint64_t taken = atomic_load_explicit(&pipe->taken, memory_order_relaxed);
    uint64_t there = bytes_in(pipe);
    size_t want = there < size ? (size_t)there : size;
    size_t done = 0;
    while (done < want) {
        size_t part = piece(taken + done, buf + done, want - done);
        if (copy_to_user(buf + done, place(pipe, taken + done), part) != 0)
            break;
        done += part;
    }
    atomic_store_explicit(&pipe->taken, taken + done, memory_order_release);
    return done == 0 && want > 0 ? -EFAULT : (long)done;
}

static long pipe_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    struct pipe *pipe = file->data;
    (void)position;
    if (size == 0)
        return 0;
    for (;;) {
        mutex_lock(&pipe->lock);
        bool ended = !is_there(&pipe->has_writer); /* asked first: what it wrote before counts */
        long result = take_bytes(pipe, buf, size);
        mutex_unlock(&pipe->lock);
        if (result > 0)
            wake_all(&pipe->writers);
        if (result != 0 || ended)
            return result;
        if ((file_flags(file) & O_NONBLOCK) != 0)
            return -EAGAIN;
        (void)wait_for(&pipe->readers, has_news_for_reader, pipe, WAIT_FOR_EVER);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

struct wait_for_room {
    struct pipe *pipe;
    size_t need;
};

static bool has_news_for_writer(void *arg)
{
    struct wait_for_room *wait = arg;
    return !is_there(&wait->pipe->has_reader) || room_in(wait->pipe) >= wait->need;
}

/* See to it that the ring has frames for the next `size` bytes. L: lock. */
static bool provide_frames(struct pipe *pipe, size_t size)
{
    uint64_t written = atomic_load_explicit(&pipe->written, memory_order_relaxed);
    for (uint64_t i = written / PAGE_SIZE; i <= (written + size - 1) / PAGE_SIZE; i++) {
        char **frame = &pipe->frames[i % FRAMES];
        if (*frame == NULL)
            *frame = page_alloc_one(ALLOC_USER);
        if (*frame == NULL)
            return false;
    }
    return true;
}

/* Copy in as much as there is room for, if that is at least `need`. L: lock. Returns: bytes, 0 (no
 * room), -EFAULT, -ENOMEM. */
static long put_bytes(struct pipe *pipe, uintptr_t buf, size_t size, size_t need)
{
    uint64_t written = atomic_load_explicit(&pipe->written, memory_order_relaxed);
    size_t room = room_in(pipe);
    if (room < need)
        return 0;
    size_t want = size < room ? size : room;
    if (!provide_frames(pipe, want))
        return -ENOMEM;
    size_t done = 0;
    while (done < want) {
        size_t part = piece(written + done, buf + done, want - done);
        if (copy_from_user(place(pipe, written + done), buf + done, part) != 0)
            break;
        done += part;
    }
    atomic_store_explicit(&pipe->written, written + done, memory_order_release);
    return done == 0 ? -EFAULT : (long)done;
}

/* One turn: what goes in now. Returns: as put_bytes; -EPIPE. */
static long write_once(struct pipe *pipe, uintptr_t buf, size_t size, size_t need)
{
    mutex_lock(&pipe->lock);
    long result = is_there(&pipe->has_reader) ? put_bytes(pipe, buf, size, need) : -EPIPE;
    mutex_unlock(&pipe->lock);
    if (result > 0)
        wake_all(&pipe->readers);
    return result;
}

static long pipe_write(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    struct pipe *pipe = file->data;
    (void)position;
    struct wait_for_room wait = {.pipe = pipe, .need = size <= PIPE_BUF ? size : 1};
    size_t done = 0;
    long result = 0;
    while (done < size) {
        result = write_once(pipe, buf + done, size - done, wait.need);
        if (result > 0)
            done += (size_t)result;
        if (result < 0 || done == size)
            break;
        if (result > 0 && size <= PIPE_BUF)
            break; /* a bad page: what is behind it does not go in */
        if (result == 0 && (file_flags(file) & O_NONBLOCK) != 0) {
            result = -EAGAIN;
            break;
        }
        if (result == 0)
            (void)wait_for(&pipe->writers, has_news_for_writer, &wait, WAIT_FOR_EVER);
        thread_point();
    }
    return done > 0 ? (long)done : result;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void free_pipe(struct pipe *pipe)
{
    for (size_t i = 0; i < FRAMES; i++)
        page_free_one(pipe->frames[i]);
    heap_free(pipe);
}

static void pipe_release(struct file *file)
{
    struct pipe *pipe = file->data;
    bool reader = (file_flags(file) & O_ACCMODE) == O_RDONLY;
    atomic_store_explicit(reader ? &pipe->has_reader : &pipe->has_writer, false,
                          memory_order_release);
    wake_all(reader ? &pipe->writers : &pipe->readers);
    if (atomic_fetch_sub_explicit(&pipe->ends, 1, memory_order_acq_rel) == 1)
        free_pipe(pipe);
}

static int pipe_stat(struct file *file, struct file_stat *stat)
{
    struct pipe *pipe = file->data;
    *stat = (struct file_stat){.dev = FS_DEV_PIPES,
                               .ino = pipe->ino,
                               .mode = S_IFIFO | PIPE_MODE,
                               .links = 1,
                               .block_size = PAGE_SIZE,
                               .atime_ns = pipe->made_ns,
                               .mtime_ns = pipe->made_ns,
                               .ctime_ns = pipe->made_ns};
    return 0;
}

static const struct file_ops pipe_ops = {
    .read = pipe_read,
    .write = pipe_write,
    .stat = pipe_stat,
    .release = pipe_release,
};

static struct pipe *pipe_new(void)
{
    static _Atomic uint64_t last_ino;
    struct pipe *pipe = heap_alloc(sizeof(*pipe), ALLOC_USER | ALLOC_ZERO);
    if (pipe == NULL)
        return NULL;
    mutex_init(&pipe->lock);
    wait_queue_init(&pipe->readers);
    wait_queue_init(&pipe->writers);
    atomic_init(&pipe->has_reader, true);
    atomic_init(&pipe->has_writer, true);
    atomic_init(&pipe->ends, 2);
    pipe->ino = atomic_fetch_add_explicit(&last_ino, 1, memory_order_relaxed) + 1;
    pipe->made_ns = wall_clock_ns();
    return pipe;
}

int pipe_create(unsigned flags, struct file *ends[2])
{
    struct pipe *pipe = pipe_new();
    if (pipe == NULL)
        return -ENOMEM;
    ends[0] = file_create(&pipe_ops, pipe, (flags & O_NONBLOCK) | O_RDONLY);
    ends[1] = file_create(&pipe_ops, pipe, (flags & O_NONBLOCK) | O_WRONLY);
    if (ends[0] != NULL && ends[1] != NULL)
        return 0;
    if (ends[0] == NULL && ends[1] == NULL)
        free_pipe(pipe);
    else
        atomic_store_explicit(&pipe->ends, 1, memory_order_relaxed);
    file_put(ends[0]);
    file_put(ends[1]);
    return -ENOMEM;
}
