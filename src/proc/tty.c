// SPDX-License-Identifier: MIT
/*
 * The terminal. A typed byte goes three steps:
 *
 *     tty_input()  hardirq: into a ring, and wake the tty's thread
 *     tty_thread   out of the ring, through the line discipline, which echoes; wake readers
 *     tty_read()   out of the line discipline, to the program
 *
 * So echo comes at once, whether or not somebody reads, and the line discipline runs in threads
 * alone, under a mutex. When nobody reads and the line discipline is full, bytes stay in the ring;
 * when that is full too, they are dropped, and the log says so once.
 *
 * Who waits looks at `ready` and `room`, which say without the mutex what the line discipline
 * would: each change of it is followed by publish() and a wake-up (sched/wait.h).
 *
 * Output goes straight to the consoles; a line that one write wrote stays in one piece. It takes
 * the mutex too, because it moves the cursor, which the echo of a tab has to know.
 */
#include "proc/tty.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "fs/device.h"
#include "fs/file.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "proc/tty_line.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include "vm/user_copy.h"

enum {
    INPUT_SIZE = 4096,  /* a power of two */
    PIECE = 256,        /* bytes copied from a program at a time */
    TYPED_AT_ONCE = 64, /* bytes worked on before others may have the console */
    ECHO_SIZE = 128,
    BREATH = 4 << 10,      /* so many bytes are written before others may have the console */
    LINE_MAX = 64 << 10,   /* a longer line is not kept together */
    ALL_LINES = INT32_MAX, /* `ready` in canonical mode */
};
#define TENTH_NS UINT64_C(100000000)

/* Requests of ioctl, with Linux's numbers. */
enum {
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCSBRK = 0x5409,
    TCFLSH = 0x540b,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    FIONREAD = 0x541b,

    TCIFLUSH = 0, /* arguments of TCFLSH */
    TCOFLUSH = 1,
    TCIOFLUSH = 2,
};

struct window_size {
    uint16_t rows, columns, x_pixels, y_pixels; /* 0: not known */
};

/* What comes from handlers. */
static struct spinlock input_lock = SPINLOCK(RANK_TTY_INPUT, "tty input");
static uint8_t input[INPUT_SIZE];
static uint32_t input_head, input_tail;             /* L: input_lock; positions, modulo the size */
static bool input_loss_said;                        /* L: input_lock */
static struct wait_queue typed = WAIT_QUEUE(typed); /* the tty's thread */

static struct mutex tty_lock = MUTEX(tty_lock);
static struct tty_line line;           /* L: tty_lock */
static struct window_size window_size; /* L: tty_lock */
static char echoed[ECHO_SIZE];         /* L: tty_lock */
static size_t echoed_count;            /* L: tty_lock */
static struct wait_queue readers = WAIT_QUEUE(readers);
static _Atomic int32_t ready;       /* L: tty_lock for changes: bytes that can be read */
static _Atomic bool room;           /* L: tty_lock for changes: the line discipline takes bytes */
static _Atomic bool input_is_there; /* L: input_lock for changes */

/* What others ask about the line discipline has perhaps changed. Locks: caller holds tty_lock. */
static void publish(void)
{
    int32_t bytes =
        (line.modes.lflag & TTY_ICANON) != 0 ? ALL_LINES : (int32_t)tty_line_count(&line);
    /* release: pairs with the acquires of who waits; the wake-up comes behind */
    atomic_store_explicit(&ready, tty_line_is_ready(&line) ? bytes : 0, memory_order_release);
    atomic_store_explicit(&room, tty_line_has_room(&line), memory_order_release);
    wake_all(&readers);
    wake_one(&typed);
}

/* ---- input ----------------------------------------------------------------------------------- */

static void tty_input(uint8_t byte)
{
    uint64_t flags = spin_lock_irqsave(&input_lock);
    bool fits = input_head - input_tail < INPUT_SIZE;
    bool say = !fits && !input_loss_said;
    if (fits)
        input[input_head++ % INPUT_SIZE] = byte;
    input_loss_said |= say;
    atomic_store_explicit(&input_is_there, true, memory_order_release);
    spin_unlock_irqrestore(&input_lock, flags);
    if (say)
        log_warn("tty: typed bytes were dropped: nobody reads them (said once)");
    wake_one(&typed);
}

/* Returns: false if there is none. */
static bool next_input(uint8_t *byte)
{
    uint64_t flags = spin_lock_irqsave(&input_lock);
    bool any = input_head != input_tail;
    if (any)
        *byte = input[input_tail++ % INPUT_SIZE];
    atomic_store_explicit(&input_is_there, input_head != input_tail, memory_order_release);
    spin_unlock_irqrestore(&input_lock, flags);
    return any;
}

static bool has_work(void *arg)
{
    (void)arg;
    return atomic_load_explicit(&input_is_there, memory_order_acquire) &&
           atomic_load_explicit(&room, memory_order_acquire);
}

static void put_echo(void)
{
    console_put(echoed, echoed_count);
    echoed_count = 0;
}

static void echo(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (echoed_count == ECHO_SIZE)
            put_echo();
        echoed[echoed_count++] = text[i];
    }
}

/* INTR, QUIT or SUSP was typed. Nobody can be sent a signal yet: the place to do so is here. */
static void interrupt(int cc)
{
    (void)cc;
}

/* Let the log and others at the console, and others at this core. */
static void take_a_breath(void)
{
    console_end();
    thread_point();
    console_begin();
}

static void tty_thread(void *arg)
{
    uint8_t byte;
    (void)arg;
    for (;;) {
        (void)wait_for(&typed, has_work, NULL, WAIT_FOR_EVER);
        mutex_lock(&tty_lock);
        console_begin();
        for (int i = 0; i < TYPED_AT_ONCE && tty_line_has_room(&line) && next_input(&byte); i++) {
            tty_line_receive(&line, byte);
            if (echoed_count > 0) {
                put_echo();
                take_a_breath();
            }
        }
        publish();
        mutex_unlock(&tty_lock);
        console_end();
        thread_point();
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What a read waits for. */
struct demand {
    int32_t bytes;
    uint64_t first_ns; /* how long for the first byte, */
    uint64_t next_ns;  /* and for each one behind it */
};

/* Locks: caller holds tty_lock. */
static struct demand demand_of(size_t size)
{
    const struct tty_modes *modes = &line.modes;
    uint64_t time = modes->cc[TTY_CC_TIME] * TENTH_NS;
    size_t min = modes->cc[TTY_CC_MIN];
    if ((modes->lflag & TTY_ICANON) != 0)
        return (struct demand){.bytes = 1, .first_ns = WAIT_FOR_EVER};
    if (min == 0)
        return (struct demand){.bytes = 1, .first_ns = time};
    return (struct demand){.bytes = (int32_t)(min < size ? min : size),
                           .first_ns = WAIT_FOR_EVER,
                           .next_ns = time != 0 ? time : WAIT_FOR_EVER};
}

static int32_t bytes_ready(void)
{
    return atomic_load_explicit(&ready, memory_order_acquire);
}

static bool has_bytes(void *arg)
{
    return bytes_ready() >= *(const int32_t *)arg;
}

/* Returns: false if its time is over; there may be some bytes all the same. */
static bool wait_for_demand(const struct demand *demand)
{
    int32_t have = bytes_ready();
    while (have < demand->bytes) {
        int32_t wanted = have + 1;
        if (!wait_for(&readers, has_bytes, &wanted, have == 0 ? demand->first_ns : demand->next_ns))
            return false;
        have = bytes_ready();
    }
    return true;
}

/* What there is, to the program. Locks: caller holds tty_lock. Returns: bytes, or -EFAULT; what
 * could not be copied is still there. */
static long take_line(uintptr_t buf, size_t size)
{
    struct tty_read read = tty_line_read(&line, size);
    size_t done = 0;
    while (done < read.len) {
        size_t len;
        const uint8_t *from = tty_line_bytes(&line, done, &len);
        if (len > read.len - done)
            len = read.len - done;
        if (copy_to_user(buf + done, from, len) != 0)
            break;
        done += len;
    }
    tty_line_take(&line, done == read.len ? read.used : done);
    publish();
    return done == 0 && read.len > 0 ? -EFAULT : (long)done;
}

static long tty_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    bool waits = (file_flags(file) & O_NONBLOCK) == 0;
    (void)position;
    if (size == 0)
        return 0;
    for (bool late = false;;) {
        mutex_lock(&tty_lock);
        struct demand demand = demand_of(size);
        int32_t wanted = late || !waits ? 1 : demand.bytes;
        long result = bytes_ready() >= wanted ? take_line(buf, size) : -EAGAIN;
        mutex_unlock(&tty_lock);
        if (result != -EAGAIN)
            return result;
        if (demand.first_ns == 0)
            return 0;
        if (!waits)
            return -EAGAIN;
        if (late)
            return 0;
        late = !wait_for_demand(&demand);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static struct thread *_Atomic holder; /* who has held the output; L: tty_lock for changes */

static void tty_hold(struct file *file)
{
    (void)file;
    mutex_lock(&tty_lock);
    atomic_store_explicit(&holder, thread_current(), memory_order_relaxed);
    console_begin();
}

static void tty_release(struct file *file)
{
    (void)file;
    atomic_store_explicit(&holder, NULL, memory_order_relaxed);
    mutex_unlock(&tty_lock); /* before the drain, which may take its time */
    console_end();
}

static void put(const char *text, size_t len)
{
    console_put(text, len);
    tty_line_wrote(&line, text, len);
}

/* How many bytes there are up to the last newline, and with it. */
static size_t whole_lines(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] != '\n')
        len--;
    return len;
}

/* Long output lets others in between two lines; one line that is longer than LINE_MAX ends the
 * write. Returns: bytes written. */
static size_t put_bytes(uintptr_t buf, size_t size)
{
    size_t written = 0, since = 0; /* the last breath */
    while (written < size && since < LINE_MAX) {
        char piece[PIECE];
        size_t wanted = size - written < PIECE ? size - written : PIECE;
        size_t got = copy_from_user_partly(piece, buf + written, wanted);
        size_t lines = since >= BREATH ? whole_lines(piece, got) : 0;
        put(piece, lines);
        if (lines > 0) {
            take_a_breath();
            since = 0;
        }
        put(piece + lines, got - lines);
        since += got - lines;
        written += got;
        if (got < wanted)
            break;
    }
    return written;
}

static long tty_write(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    (void)position;
    bool is_held = atomic_load_explicit(&holder, memory_order_relaxed) == thread_current();
    if (!is_held)
        tty_hold(file);
    size_t written = put_bytes(buf, size);
    if (!is_held)
        tty_release(file);
    return written == 0 && size > 0 ? -EFAULT : (long)written;
}

/* ---- ioctl ----------------------------------------------------------------------------------- */

static void flush_input(void)
{
    uint8_t byte;
    while (next_input(&byte))
        continue;
    tty_line_flush(&line);
}

/* Locks: caller holds tty_lock, here and below. */
static int set_modes(uintptr_t arg, bool flush)
{
    struct tty_modes modes;
    int error = copy_from_user(&modes, arg, sizeof(modes));
    if (error != 0)
        return error;
    if (flush)
        flush_input();
    tty_line_set_modes(&line, &modes);
    publish();
    return 0;
}

static int flush(uintptr_t which)
{
    if (which > TCIOFLUSH)
        return -EINVAL;
    if (which != TCOFLUSH) /* what was written is out already */
        flush_input();
    publish();
    return 0;
}

static long set_window_size(uintptr_t arg)
{
    uint16_t size[sizeof(window_size) / sizeof(uint16_t)];
    if (copy_from_user(size, arg, sizeof(size)) != 0)
        return -EFAULT;
    memcpy(&window_size, size, sizeof(size));
    return 0;
}

static long do_ioctl(unsigned command, uintptr_t arg)
{
    int count = (int)tty_line_count(&line);
    switch (command) {
    case TCGETS:
        return copy_to_user(arg, &line.modes, sizeof(line.modes));
    case TCSETS:
    case TCSETSW: /* nothing that was written waits */
    case TCSETSF:
        return set_modes(arg, command == TCSETSF);
    case TCSBRK:
        console_flush();
        return 0;
    case TCFLSH:
        return flush(arg);
    case TIOCGWINSZ:
        return copy_to_user(arg, &window_size, sizeof(window_size));
    case TIOCSWINSZ:
        return set_window_size(arg);
    case FIONREAD:
        return copy_to_user(arg, &count, sizeof(count));
    default:
        return -ENOTTY;
    }
}

static long tty_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
    (void)file;
    mutex_lock(&tty_lock);
    long result = do_ioctl(command, arg);
    mutex_unlock(&tty_lock);
    return result;
}

/* ---- opening --------------------------------------------------------------------------------- */

static const struct file_ops tty_ops = {
    .read = tty_read,
    .write = tty_write,
    .hold_output = tty_hold,
    .release_output = tty_release,
    .ioctl = tty_ioctl,
};

int tty_open(unsigned flags, struct file **file)
{
    *file = file_create(&tty_ops, NULL, flags & (O_ACCMODE | O_NONBLOCK | O_APPEND));
    return *file != NULL ? 0 : -ENOMEM;
}

int tty_init(void)
{
    tty_line_init(&line, echo, interrupt);
    publish();
    struct thread *thread = thread_create("tty", tty_thread, NULL, NULL);
    if (thread == NULL)
        return -ENOMEM;
    thread_put(thread);
    /* release: who finds the hook finds the rest */
    atomic_store_explicit(&console_input_hook, tty_input, memory_order_release);
    int error = fs_register_device("console", 5, 1, tty_open);
    return error != 0 ? error : fs_register_device("tty", 5, 0, tty_open);
}
