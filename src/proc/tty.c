// SPDX-License-Identifier: MIT
/*
 * Terminals. A typed byte goes three steps:
 *
 *     tty_input()  hardirq: into a ring, and wake the terminal's thread
 *     tty_thread   out of the ring, through the line discipline, which echoes; wake readers
 *     tty_read()   out of the line discipline, to the program
 *
 * So echo comes at once, whether or not somebody reads, and the line discipline runs in threads
 * alone, under a mutex. When nobody reads and the line discipline is full, bytes stay in the ring;
 * when that is full too, the device is throttled, or, if it cannot be, bytes are dropped, and the
 * log says so once.
 *
 * Who waits looks at `ready` and `room`, which say without the mutex what the line discipline
 * would: each change of it is followed by publish() and a wake-up (sched/wait.h).
 *
 * Who writes has the mutex `output` and holds the console (lib/console.h), and sleeps while the
 * device has no room. A line that one write wrote stays in one piece; long output lets others in
 * between its lines. The terminal's own thread, which echoes, goes before programs.
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
#include "lib/list.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "proc/tty_line.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include "vm/user_copy.h"

enum {
    INPUT_SIZE = 4096,          /* a power of two */
    INPUT_LOW = INPUT_SIZE / 2, /* so few bytes are in the ring when a device may go on */
    PIECE = 256,                /* bytes copied from a program at a time */
    TYPED_AT_ONCE = 64,         /* bytes worked on before others may have the console */
    ECHO_SIZE = 128,
    BREATH = 4 << 10,      /* so many bytes are written before others may have the console */
    LINE_MAX = 64 << 10,   /* a longer line is not kept together */
    ALL_LINES = INT32_MAX, /* `ready` in canonical mode */

    TTY_MAJOR = 4, /* of a terminal by its console's name; its minor is the console's */
    TTY_MAJOR_SHIFT = 8,
    ALIAS_MAJOR = 5, /* of "tty" and "console" */
};
#define NS_PER_MS UINT64_C(1000000)
#define TENTH_NS (100 * NS_PER_MS)
#define ROOM_WAIT_NS (1000 * NS_PER_MS) /* then the device is looked at, whatever it says */
#define SENT_LOOK_NS (5 * NS_PER_MS)

/* Requests of ioctl, with Linux's numbers. */
enum {
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCSBRK = 0x5409,
    TCFLSH = 0x540b,
    TIOCSCTTY = 0x540e,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    FIONREAD = 0x541b,
    KDGKBTYPE = 0x4b33,
    KDGKBMODE = 0x4b44,
    KDSKBMODE = 0x4b45,

    KB_101 = 2,    /* an answer to KDGKBTYPE */
    K_UNICODE = 3, /* characters, too */
    TIOCGDEV = 0x80045432,

    TCIFLUSH = 0, /* arguments of TCFLSH */
    TCOFLUSH = 1,
    TCIOFLUSH = 2,
};

struct window_size {
    uint16_t rows, columns, x_pixels, y_pixels; /* 0: not known */
};

struct tty {
    struct console *console; /* I */

    /* What comes from handlers. */
    struct spinlock input_lock;
    uint8_t input[INPUT_SIZE];
    uint32_t input_head, input_tail; /* L: input_lock; positions, modulo the size */
    bool input_loss_said;            /* L: input_lock */
    bool throttled;                  /* L: input_lock; the device waits for room */
    _Atomic bool input_is_there;     /* L: input_lock for changes */
    struct wait_queue typed;         /* the terminal's thread */

    /* Output. Outside of `lock`. */
    struct mutex output;
    struct thread *_Atomic holder; /* who has held the output; L: output for changes */
    _Atomic bool device_has_room;  /* since it was last set to false */
    _Atomic bool echo_waits;       /* the terminal's thread wants the output */
    struct wait_queue writers;

    struct mutex lock;
    struct tty_line line;           /* L: lock */
    struct window_size window_size; /* L: lock */
    char echoed[ECHO_SIZE];         /* L: lock */
    size_t echoed_count;            /* L: lock */
    struct wait_queue readers;
    _Atomic int32_t ready; /* L: lock for changes: bytes that can be read */
    _Atomic bool room;     /* L: lock for changes: the line discipline takes bytes */
};

static struct tty *console_tty;     /* I: of /dev/console */
static _Atomic bool output_is_over; /* programs' writes wait for ever */

/* What the line discipline can tell others has perhaps changed. Locks: caller holds lock. */
static void publish(struct tty *tty)
{
    const struct tty_line *line = &tty->line;
    int32_t bytes =
        (line->modes.lflag & TTY_ICANON) != 0 ? ALL_LINES : (int32_t)tty_line_count(line);
    /* release: pairs with the acquires of who waits; the wake-up comes behind */
    atomic_store_explicit(&tty->ready, tty_line_is_ready(line) ? bytes : 0, memory_order_release);
    atomic_store_explicit(&tty->room, tty_line_has_room(line), memory_order_release);
    wake_all(&tty->readers);
    wake_one(&tty->typed);
}

/* ---- output, in turns ------------------------------------------------------------------------ */

/* Hook: the device may have room. Context: hardirq. */
static void tty_has_room(struct tty *tty)
{
    atomic_store_explicit(&tty->device_has_room, true, memory_order_release);
    wake_all(&tty->writers);
}

static bool has_room(void *arg)
{
    struct tty *tty = arg;
    return atomic_load_explicit(&tty->device_has_room, memory_order_acquire);
}

static void begin_room_wait(struct tty *tty)
{
    /* before the device is asked: its answer comes behind it */
    atomic_store_explicit(&tty->device_has_room, false, memory_order_relaxed);
}

static void wait_for_room(struct tty *tty)
{
    (void)wait_for(&tty->writers, has_room, tty, ROOM_WAIT_NS);
}

static void take_output(struct tty *tty)
{
    mutex_lock(&tty->output);
    begin_room_wait(tty);
    if (!console_try_hold(tty->console)) { /* the log's lines have their turn */
        wait_for_room(tty);
        log_drain();
        console_hold(tty->console);
    }
    atomic_store_explicit(&tty->holder, thread_current(), memory_order_relaxed);
}

static void give_output(struct tty *tty)
{
    atomic_store_explicit(&tty->holder, NULL, memory_order_relaxed);
    console_release(tty->console);
    mutex_unlock(&tty->output);
}

/* For the terminal's thread. */
static void take_output_first(struct tty *tty)
{
    atomic_store_explicit(&tty->echo_waits, true, memory_order_relaxed);
    take_output(tty);
    atomic_store_explicit(&tty->echo_waits, false, memory_order_release);
    wake_all(&tty->writers);
}

static bool is_programs_turn(void *arg)
{
    struct tty *tty = arg;
    return !atomic_load_explicit(&tty->echo_waits, memory_order_acquire) &&
           !atomic_load_explicit(&output_is_over, memory_order_relaxed);
}

/* For a program. */
static void take_output_in_turn(struct tty *tty)
{
    if (!is_programs_turn(tty))
        (void)wait_for(&tty->writers, is_programs_turn, tty, WAIT_FOR_EVER);
    take_output(tty);
}

/* All of it, in the caller's sleep. Locks: caller has the output. */
static void put_all(struct tty *tty, const char *text, size_t len)
{
    for (size_t done = 0;;) {
        begin_room_wait(tty);
        done += console_put(tty->console, text + done, len - done);
        if (done == len)
            return;
        wait_for_room(tty);
    }
}

/* ---- input ----------------------------------------------------------------------------------- */

/* Hook. Context: hardirq. */
static void tty_input(struct tty *tty, uint8_t byte)
{
    uint64_t flags = spin_lock_irqsave(&tty->input_lock);
    bool fits = tty->input_head - tty->input_tail < INPUT_SIZE;
    bool say = !fits && !tty->input_loss_said;
    if (fits)
        tty->input[tty->input_head++ % INPUT_SIZE] = byte;
    tty->input_loss_said |= say;
    atomic_store_explicit(&tty->input_is_there, true, memory_order_release);
    spin_unlock_irqrestore(&tty->input_lock, flags);
    if (say)
        log_warn("%s: typed bytes were dropped: nobody reads them (said once)", tty->console->name);
    wake_one(&tty->typed);
}

/* Hook. Context: hardirq. */
static size_t tty_input_room(struct tty *tty)
{
    uint64_t flags = spin_lock_irqsave(&tty->input_lock);
    size_t room = INPUT_SIZE - (tty->input_head - tty->input_tail);
    tty->throttled |= room == 0;
    spin_unlock_irqrestore(&tty->input_lock, flags);
    return room;
}

/* Returns: false if there is none. */
static bool next_input(struct tty *tty, uint8_t *byte)
{
    uint64_t flags = spin_lock_irqsave(&tty->input_lock);
    uint32_t count = tty->input_head - tty->input_tail;
    bool resume = tty->throttled && count <= INPUT_LOW;
    if (count > 0)
        *byte = tty->input[tty->input_tail++ % INPUT_SIZE];
    tty->throttled &= !resume;
    atomic_store_explicit(&tty->input_is_there, count > 1, memory_order_release);
    spin_unlock_irqrestore(&tty->input_lock, flags);
    if (resume && tty->console->resume_input != NULL)
        tty->console->resume_input(tty->console);
    return count > 0;
}

static bool has_work(void *arg)
{
    struct tty *tty = arg;
    return atomic_load_explicit(&tty->input_is_there, memory_order_acquire) &&
           atomic_load_explicit(&tty->room, memory_order_acquire);
}

static struct tty *tty_of_line(struct tty_line *line)
{
    return list_entry(line, struct tty, line);
}

/* Locks: caller has the output, and lock. */
static void put_echo(struct tty *tty)
{
    put_all(tty, tty->echoed, tty->echoed_count);
    tty->echoed_count = 0;
}

static void echo(struct tty_line *line, const char *text, size_t len)
{
    struct tty *tty = tty_of_line(line);
    for (size_t i = 0; i < len; i++) {
        if (tty->echoed_count == ECHO_SIZE)
            put_echo(tty);
        tty->echoed[tty->echoed_count++] = text[i];
    }
}

/* INTR, QUIT or SUSP was typed. Nobody can be sent a signal yet: the place to do so is here. */
static void interrupt(struct tty_line *line, int cc)
{
    (void)line;
    (void)cc;
}

/* Some typed bytes go through the line discipline. */
static void work_on_input(struct tty *tty)
{
    uint8_t byte;
    take_output_first(tty);
    mutex_lock(&tty->lock);
    for (int i = 0; i < TYPED_AT_ONCE; i++) {
        if (!tty_line_has_room(&tty->line) || !next_input(tty, &byte))
            break;
        tty_line_receive(&tty->line, byte);
        put_echo(tty);
    }
    publish(tty);
    mutex_unlock(&tty->lock);
    give_output(tty);
}

static void tty_thread(void *arg)
{
    struct tty *tty = arg;
    for (;;) {
        (void)wait_for(&tty->typed, has_work, tty, WAIT_FOR_EVER);
        work_on_input(tty);
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

/* Locks: caller holds lock. */
static struct demand demand_of(const struct tty *tty, size_t size)
{
    const struct tty_modes *modes = &tty->line.modes;
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

static int32_t bytes_ready(const struct tty *tty)
{
    return atomic_load_explicit(&tty->ready, memory_order_acquire);
}

struct wanted {
    const struct tty *tty;
    int32_t bytes;
};

static bool has_bytes(void *arg)
{
    const struct wanted *wanted = arg;
    return bytes_ready(wanted->tty) >= wanted->bytes;
}

/* Returns: false if its time is over; there may be some bytes all the same. */
static bool wait_for_demand(struct tty *tty, const struct demand *demand)
{
    int32_t have = bytes_ready(tty);
    while (have < demand->bytes) {
        struct wanted wanted = {.tty = tty, .bytes = have + 1};
        if (!wait_for(&tty->readers, has_bytes, &wanted,
                      have == 0 ? demand->first_ns : demand->next_ns))
            return false;
        have = bytes_ready(tty);
    }
    return true;
}

/* What there is, to the program. Locks: caller holds lock. Returns: bytes, or -EFAULT; what
 * could not be copied is still there. */
static long take_line(struct tty *tty, uintptr_t buf, size_t size)
{
    struct tty_read read = tty_line_read(&tty->line, size);
    size_t done = 0;
    while (done < read.len) {
        size_t len;
        const uint8_t *from = tty_line_bytes(&tty->line, done, &len);
        if (len > read.len - done)
            len = read.len - done;
        if (copy_to_user(buf + done, from, len) != 0)
            break;
        done += len;
    }
    tty_line_take(&tty->line, done == read.len ? read.used : done);
    publish(tty);
    return done == 0 && read.len > 0 ? -EFAULT : (long)done;
}

static long tty_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    struct tty *tty = file->data;
    bool waits = (file_flags(file) & O_NONBLOCK) == 0;
    (void)position;
    if (size == 0)
        return 0;
    if (!tty->console->has_input)
        return -EIO;
    for (bool late = false;;) {
        mutex_lock(&tty->lock);
        struct demand demand = demand_of(tty, size);
        int32_t wanted = late || !waits ? 1 : demand.bytes;
        long result = bytes_ready(tty) >= wanted ? take_line(tty, buf, size) : -EAGAIN;
        mutex_unlock(&tty->lock);
        if (result != -EAGAIN)
            return result;
        if (demand.first_ns == 0)
            return 0;
        if (!waits)
            return -EAGAIN;
        if (late && demand.first_ns != WAIT_FOR_EVER)
            return 0; /* else another reader took the byte, and this one begins anew */
        late = !wait_for_demand(tty, &demand);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static void tty_hold(struct file *file)
{
    take_output_in_turn(file->data);
}

static void tty_release(struct file *file)
{
    give_output(file->data);
}

/* Locks: caller has the output. */
static void put(struct tty *tty, const char *text, size_t len)
{
    if (len == 0)
        return;
    put_all(tty, text, len);
    mutex_lock(&tty->lock);
    tty_line_wrote(&tty->line, text, len);
    mutex_unlock(&tty->lock);
}

/* Let the log and others at the console, and others at this core. */
static void take_a_breath(struct tty *tty)
{
    give_output(tty);
    thread_point();
    take_output_in_turn(tty);
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
static size_t put_bytes(struct tty *tty, uintptr_t buf, size_t size)
{
    size_t written = 0, since = 0; /* the last breath */
    while (written < size && since < LINE_MAX) {
        char piece[PIECE];
        size_t wanted = size - written < PIECE ? size - written : PIECE;
        size_t got = copy_from_user_partly(piece, buf + written, wanted);
        size_t lines = since >= BREATH ? whole_lines(piece, got) : 0;
        put(tty, piece, lines);
        if (lines > 0) {
            take_a_breath(tty);
            since = 0;
        }
        put(tty, piece + lines, got - lines);
        since += got - lines;
        written += got;
        if (got < wanted)
            break;
    }
    return written;
}

static long tty_write(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    struct tty *tty = file->data;
    (void)position;
    bool is_held = atomic_load_explicit(&tty->holder, memory_order_relaxed) == thread_current();
    if (!is_held)
        take_output_in_turn(tty);
    size_t written = put_bytes(tty, buf, size);
    if (!is_held)
        give_output(tty);
    return written == 0 && size > 0 ? -EFAULT : (long)written;
}

/* ---- ioctl ----------------------------------------------------------------------------------- */

static void flush_input(struct tty *tty)
{
    uint8_t byte;
    while (next_input(tty, &byte))
        continue;
    tty_line_flush(&tty->line);
}

/* Locks: caller holds lock, here and below. */
static int set_modes(struct tty *tty, uintptr_t arg, bool flush)
{
    struct tty_modes modes;
    int error = copy_from_user(&modes, arg, sizeof(modes));
    if (error != 0)
        return error;
    if (flush)
        flush_input(tty);
    tty_line_set_modes(&tty->line, &modes);
    publish(tty);
    return 0;
}

static int flush(struct tty *tty, uintptr_t which)
{
    if (which > TCIOFLUSH)
        return -EINVAL;
    if (which != TCOFLUSH) /* what was written goes out all the same */
        flush_input(tty);
    publish(tty);
    return 0;
}

static long set_window_size(struct tty *tty, uintptr_t arg)
{
    uint16_t size[sizeof(tty->window_size) / sizeof(uint16_t)];
    if (copy_from_user(size, arg, sizeof(size)) != 0)
        return -EFAULT;
    memcpy(&tty->window_size, size, sizeof(size));
    return 0;
}

static long tell_count(const struct tty *tty, uintptr_t arg)
{
    int count = (int)tty_line_count(&tty->line);
    return tty->console->has_input ? copy_to_user(arg, &count, sizeof(count)) : -EIO;
}

static long tell_device(const struct tty *tty, uintptr_t arg)
{
    uint32_t number = TTY_MAJOR << TTY_MAJOR_SHIFT | tty->console->minor;
    return copy_to_user(arg, &number, sizeof(number));
}

/* What the keys type. Locks: caller holds tty->lock. */
static long keyboard_ioctl(struct tty *tty, unsigned command, uintptr_t arg)
{
    static const uint8_t type = KB_101;
    struct console *console = tty->console;
    if (console->keyboard_mode == NULL)
        return -ENOTTY;
    if (command == KDGKBTYPE)
        return copy_to_user(arg, &type, sizeof(type));
    if (command == KDGKBMODE) {
        int mode = console->keyboard_mode(console, CONSOLE_KEYBOARD_ASK);
        return copy_to_user(arg, &mode, sizeof(mode));
    }
    if (arg != CONSOLE_KEYBOARD_CODES && arg != CONSOLE_KEYBOARD_CHARACTERS && arg != K_UNICODE)
        return -EINVAL;
    (void)console->keyboard_mode(console, arg == CONSOLE_KEYBOARD_CODES
                                              ? CONSOLE_KEYBOARD_CODES
                                              : CONSOLE_KEYBOARD_CHARACTERS);
    flush_input(tty); /* what was typed in the other mode means something else */
    publish(tty);
    return 0;
}

static long do_ioctl(struct tty *tty, unsigned command, uintptr_t arg)
{
    switch (command) {
    case TCGETS:
        return copy_to_user(arg, &tty->line.modes, sizeof(tty->line.modes));
    case TCSETS:
    case TCSETSW: /* no mode changes what is on its way out */
    case TCSETSF:
        return set_modes(tty, arg, command == TCSETSF);
    case TCFLSH:
        return flush(tty, arg);
    case TIOCSCTTY:
        process_current()->tty = tty;
        return 0;
    case TIOCGWINSZ:
        return copy_to_user(arg, &tty->window_size, sizeof(tty->window_size));
    case TIOCSWINSZ:
        return set_window_size(tty, arg);
    case FIONREAD:
        return tell_count(tty, arg);
    case TIOCGDEV:
        return tell_device(tty, arg);
    case KDGKBTYPE:
    case KDGKBMODE:
    case KDSKBMODE:
        return keyboard_ioctl(tty, command, arg);
    default:
        return -ENOTTY;
    }
}

/* Wait until all that was written has left the machine. No device tells when, so it is asked now
 * and then: a full ring takes its time on a slow line, and others are to have the core. */
static long send_all(struct tty *tty)
{
    struct console *console = tty->console;
    take_output_in_turn(tty);
    while (console->is_sent != NULL && !console->is_sent(console))
        thread_sleep(SENT_LOOK_NS);
    give_output(tty);
    return 0;
}

static long tty_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
    struct tty *tty = file->data;
    if (command == TCSBRK)
        return send_all(tty);
    mutex_lock(&tty->lock);
    long result = do_ioctl(tty, command, arg);
    mutex_unlock(&tty->lock);
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

static int tty_open(void *tty, unsigned flags, struct file **file)
{
    *file = file_create(&tty_ops, tty, flags & (O_ACCMODE | O_NONBLOCK | O_APPEND));
    return *file != NULL ? 0 : -ENOMEM;
}

/* /dev/tty */
static int tty_open_own(void *data, unsigned flags, struct file **file)
{
    (void)data;
    struct tty *own = process_current() != NULL ? process_current()->tty : NULL;
    return tty_open(own != NULL ? own : console_tty, flags, file);
}

static const struct console_hooks hooks = {
    .input = tty_input,
    .input_room = tty_input_room,
    .has_room = tty_has_room,
};

/* Returns: the console's terminal, or NULL. */
static struct tty *create(struct console *console)
{
    struct tty *tty = heap_alloc(sizeof(*tty), ALLOC_KERNEL | ALLOC_ZERO);
    if (tty == NULL)
        return NULL;
    tty->console = console;
    tty->window_size = (struct window_size){.rows = console->rows, .columns = console->columns};
    tty->input_lock = (struct spinlock)SPINLOCK(RANK_TTY_INPUT, "tty input");
    wait_queue_init(&tty->typed);
    wait_queue_init(&tty->writers);
    wait_queue_init(&tty->readers);
    mutex_init(&tty->output);
    mutex_init(&tty->lock);
    tty_line_init(&tty->line, echo, interrupt);
    publish(tty);
    struct thread *thread = thread_create(console->name, tty_thread, tty, NULL);
    if (thread == NULL) {
        heap_free(tty);
        return NULL;
    }
    thread_put(thread);
    atomic_store_explicit(&console->tty, tty,
                          memory_order_relaxed); /* console_set_hooks() follows */
    return tty;
}

static void write_nowhere(struct console *self, const char *text, size_t len)
{
    (void)self, (void)text, (void)len;
}

/* Programs need a terminal for their input and output on a machine that has none, too. */
static struct console nowhere = {.name = "nowhere", .write = write_nowhere};

static int create_device(struct console *console)
{
    if (create(console) == NULL)
        return -ENOMEM;
    return fs_register_device(console->name, TTY_MAJOR, console->minor, tty_open, console->tty);
}

int tty_init(void)
{
    int error = 0;
    struct console *preferred = console_preferred();
    for (struct console *c = console_first(); c != NULL && error == 0; c = console_next(c))
        error = create_device(c);
    if (error == 0 && preferred == NULL)
        error = create(preferred = &nowhere) != NULL ? 0 : -ENOMEM;
    if (error != 0)
        return error;
    console_tty = preferred->tty;
    console_set_hooks(&hooks);
    error = fs_register_device("console", ALIAS_MAJOR, 1, tty_open, console_tty);
    return error != 0 ? error : fs_register_device("tty", ALIAS_MAJOR, 0, tty_open_own, NULL);
}

/* ---- for the kernel -------------------------------------------------------------------------- */

struct tty *tty_of_console(void)
{
    return console_tty;
}

void tty_putc(char c)
{
    struct tty *tty = process_current()->tty;
    if (tty == NULL) {
        if (console_preferred() != NULL)
            console_write(console_preferred(), &c, 1);
        return;
    }
    take_output_in_turn(tty);
    put(tty, &c, 1);
    give_output(tty);
}

static bool take_mutex(void *arg)
{
    return mutex_trylock(arg);
}

bool tty_close_output(uint64_t timeout_ns)
{
    bool all = true;
    atomic_store_explicit(&output_is_over, true, memory_order_relaxed);
    for (struct console *c = console_first(); c != NULL; c = console_next(c)) {
        struct mutex *output = &c->tty->output;
        if (c->tty != NULL && !wait_for(&output->waiters, take_mutex, output, timeout_ns))
            all = false;
    }
    return all;
}
