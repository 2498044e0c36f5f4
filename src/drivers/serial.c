// SPDX-License-Identifier: MIT
/*
 * 16550 UARTs at COM1 and COM2 as the consoles ttyS0 and ttyS1.
 *
 * Output goes into a ring, and from there to the device, as much as its FIFO takes whenever that is
 * empty: by interrupt. Who writes does not wait (serial_put), or polls until the ring has room
 * (serial_write, for the kernel's lines). Before serial_start(), and in a panic, the ring is
 * emptied by polling each time, so that the port works without interrupts.
 *
 * The interrupt comes to one core. Should that one be away, or an edge be lost, every core that
 * left bytes in a ring looks at it after a while and sends in its place (look_out): what the
 * watchdog says of the core that takes the interrupts comes out.
 *
 * Invariant: each wait for the device is bounded, by 100 ms and the time that its own bytes need on
 * the line. A port that does not exist reads 0xff in every register, which looks ready for ever, so
 * serial_init() first asks for something that only a UART answers. One that stops taking characters
 * later on is marked dead; text for it is dropped at once, and once a second one look tells whether
 * it came back.
 *
 * The interrupt is an edge: the next one comes only after none was left. So its handler goes on
 * until IIR says so; with a device that never ends it stops after a number of turns, and a timer
 * looks again. When the terminal has no room, the receiver's interrupt is off and RTS dropped: the
 * bytes stay in the FIFO and, if the other side heeds RTS, with their sender. Reading LSR clears
 * its error bits, whoever reads it, so all reads go through read_status().
 *
 * The lock is the innermost one: nobody else's function is called under it. A panic does without it
 * if its holder was stopped. Source: National Semiconductor PC16550D data sheet, "Registers"
 */
#include "drivers/serial.h"

#include <stdbool.h>
#include <stddef.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "irq/irq.h"
#include "irq/timer.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/spinlock.h"

/* clang-format off */
/* Registers, 8 bits each, by offset; two share an offset where one is read and one written. */
enum {
    UART_RBR = 0, /* receiver buffer (read) */
    UART_THR = 0, /* transmitter holding (write) */
    UART_DLL = 0, /* divisor latch, low byte, while LCR_DLAB is set */
    UART_IER = 1, /* interrupt enable */
        UART_IER_NONE = 0x00,
        UART_IER_RECEIVED = 0x01, /* bytes wait */
        UART_IER_EMPTY = 0x02,    /* the transmitter's buffer is empty */
    UART_DLM = 1, /* divisor latch, high byte, while LCR_DLAB is set */
    UART_IIR = 2, /* interrupt identification (read) */
        UART_IIR_NONE = 0x01, /* no interrupt waits; reading another value ends that of EMPTY */
        UART_IIR_FIFO = 0xc0, /* both bits: the FIFOs are on and work */
    UART_FCR = 2, /* FIFO control (write) */
        UART_FCR_ENABLE = 0x01,
        UART_FCR_CLEAR_RX = 0x02,
        UART_FCR_CLEAR_TX = 0x04,
        UART_FCR_TRIGGER_8 = 0x80, /* RECEIVED comes with the 8th byte, or 4 bytes' time after the
                                      last one */
    UART_LCR = 3, /* line control */
        UART_LCR_8BITS = 0x03, /* no parity, 1 stop bit */
        UART_LCR_DLAB = 0x80,
    UART_MCR = 4, /* modem control */
        UART_MCR_DTR = 0x01,
        UART_MCR_RTS = 0x02,
        UART_MCR_OUT2 = 0x08, /* on a PC: lets its interrupts out */
        UART_MCR_LOOP = 0x10,
    UART_LSR = 5, /* line status */
        UART_LSR_DR = 0x01,   /* a received byte waits */
        UART_LSR_OE = 0x02,   /* a byte was lost; reading clears it */
        UART_LSR_THRE = 0x20, /* the transmitter's buffer (with FIFO: all of it) is empty */
        UART_LSR_TEMT = 0x40, /* and so is its shift register */
    UART_SCR = 7, /* scratch */
};
/* clang-format on */

enum {
    UART_RATE_MAX = 115200, /* with divisor 1 */
    UART_RATE_MIN = 2,      /* with the largest that 16 bits hold and that divides it */
    UART_FIFO_SIZE = 16,
    UART_FLOATING = 0xff,    /* what a bus without a device reads */
    UART_BITS_PER_BYTE = 10, /* with start and stop bit */

    TX_SIZE = 4096,       /* a power of two */
    TX_LOW = TX_SIZE / 2, /* so few bytes are in the ring when who waits for room is told */
    RX_BATCH = 32,        /* bytes taken under one hold of the lock */
    RX_MAX = 256,         /* bytes taken in one go */
    TURNS_MAX = 16,       /* of an interrupt that does not end */
    LOOK_BURSTS = 16,     /* sent at one look, if the device takes them */

    NS_PER_S = 1000 * 1000 * 1000,
    NS_PER_US = 1000,
    GRACE_NS = 100 * 1000 * 1000, /* that a send may take beyond its own time on the line */
    RETRY_NS = NS_PER_S,
    POLLS_MAX = 1000 * 1000, /* the limit while the clock stands still */
    LOOK_MIN_NS = 1000 * 1000,
    LOOK_OUT_NS = 10 * 1000 * 1000, /* that an interrupt may be late */
    PANIC_TRIES = 1000 * 1000,      /* for the lock */
};

struct uart {
    struct console console;
    const char *name; /* I: on the PC */
    int64_t limit_ns; /* I: that an empty transmitter may take to send what it takes, */
    unsigned burst;   /* I: so many bytes */
    uint16_t port;    /* I */
    uint8_t isa_irq;  /* I */
    bool found;       /* I: it is there */
    uint64_t look_ns; /* I: after which its FIFO may be full */
    bool started;     /* I: what is in the ring goes out by itself */
    bool by_looking;  /* I: there is no interrupt, a timer looks at it */

    bool lock_is_lost;     /* P: the core that panics: its holder will not give it back */
    uint8_t ier;           /* L: which interrupts are on */
    bool dead;             /* L: it does not take anything */
    bool room_wanted;      /* L: somebody is to be told of room */
    struct spinlock lock;  /* L */
    uint64_t dead_since;   /* L: ns, or of the last look at it */
    uint64_t tx_moved_ns;  /* L: when the device last took something, or there was nothing */
    uint8_t tx[TX_SIZE];   /* L: positions tx_tail..tx_head-1, modulo the size */
    uint32_t tx_head;      /* L */
    uint32_t tx_tail;      /* L */
    struct timer look;     /* by who set look_queued */
    _Atomic uint32_t lost; /* times that bytes were lost */
    bool look_queued;      /* L: the timer is on */
    bool receiving;        /* L: somebody takes bytes, and alone passes them on */
    bool receive_again;    /* L: he is to look once more */
    bool lost_said;        /* P: who receives */
};

static struct uart uarts[SERIAL_PORTS];
static DEFINE_PERCPU(struct timer, lookout); /* P: this core's: its bytes are in a ring */

static uint8_t uart_read(const struct uart *uart, unsigned reg)
{
    return io_in8((uint16_t)(uart->port + reg));
}

static void uart_write(const struct uart *uart, unsigned reg, uint8_t value)
{
    io_out8((uint16_t)(uart->port + reg), value);
}

static uint8_t read_status(struct uart *uart)
{
    uint8_t status = uart_read(uart, UART_LSR);
    if ((status & UART_LSR_OE) != 0 && status != UART_FLOATING)
        atomic_fetch_add_explicit(&uart->lost, 1, memory_order_relaxed);
    return status;
}

/* Context: the lock held. */
static void set_interrupts(struct uart *uart, uint8_t ier)
{
    uart->ier = ier;
    uart_write(uart, UART_IER, ier);
}

/* ---- the lock, and patience ------------------------------------------------------------------ */

struct hold {
    bool held;
    uint64_t flags;
};

static struct hold uart_lock(struct uart *uart)
{
    struct hold hold = {.held = true};
    if (!panic_is_here()) {
        hold.flags = spin_lock_irqsave(&uart->lock);
        return hold;
    }
    hold.flags = arch_irq_save();
    for (int i = 0; !uart->lock_is_lost; i++) {
        if (spin_trylock(&uart->lock))
            return hold;
        uart->lock_is_lost = i == PANIC_TRIES;
        arch_relax();
    }
    hold.held = false;
    return hold;
}

static void uart_unlock(struct uart *uart, struct hold hold)
{
    if (hold.held)
        spin_unlock(&uart->lock);
    arch_irq_restore(hold.flags);
}

/* A wait that ends, even if the clock stands still. */
struct patience {
    uint64_t since_ns;
    unsigned polls;
};

static struct patience patience_begin(void)
{
    return (struct patience){.since_ns = arch_clock_ns()};
}

/* Ask it once in each turn of the wait. The clocks of two cores may differ a little. */
static bool patience_is_over(const struct uart *uart, struct patience *patience)
{
    int64_t waited = (int64_t)(arch_clock_ns() - patience->since_ns);
    return waited > uart->limit_ns || (waited == 0 && ++patience->polls > POLLS_MAX);
}

/* ---- the transmitter, under the lock --------------------------------------------------------- */

static uint32_t tx_count(const struct uart *uart)
{
    return uart->tx_head - uart->tx_tail;
}

/* Is it worth while to give the device anything? One that died is looked at once a second. */
static bool is_alive(struct uart *uart)
{
    if (!uart->dead)
        return true;
    uint64_t now = arch_clock_ns();
    if ((int64_t)(now - uart->dead_since) < RETRY_NS)
        return false;
    uart->dead_since = now;
    uart->dead = (read_status(uart) & UART_LSR_THRE) == 0;
    return !uart->dead;
}

/* The device has not taken anything for too long: what waits for it is dropped. */
static void bury(struct uart *uart)
{
    uart->dead = true;
    uart->dead_since = arch_clock_ns();
    uart->tx_tail = uart->tx_head;
    set_interrupts(uart, (uint8_t)(uart->ier & ~UART_IER_EMPTY)); /* it begins anew, if ever */
}

/* Give the device what it takes at once. */
static void send_burst(struct uart *uart)
{
    if (tx_count(uart) == 0 || (read_status(uart) & UART_LSR_THRE) == 0)
        return;
    for (unsigned n = 0; n < uart->burst && tx_count(uart) > 0; n++)
        uart_write(uart, UART_THR, uart->tx[uart->tx_tail++ % TX_SIZE]);
    uart->tx_moved_ns = arch_clock_ns();
}

/* The interrupt goes on from here, if there is one. */
static void start_sending(struct uart *uart)
{
    if ((uart->ier & UART_IER_EMPTY) != 0)
        return;
    send_burst(uart);
    if (uart->started && !uart->by_looking && tx_count(uart) > 0)
        set_interrupts(uart, uart->ier | UART_IER_EMPTY);
}

/* Text into the ring, up to its end, a newline, or the ring's end. Returns: how many bytes. */
static size_t fill_run(struct uart *uart, const char *text, size_t len)
{
    uint32_t place = uart->tx_head % TX_SIZE, room = TX_SIZE - tx_count(uart);
    size_t max = TX_SIZE - place, run = 0;
    if (max > room)
        max = room;
    if (max > len)
        max = len;
    for (uint8_t *to = &uart->tx[place]; run < max && text[run] != '\n'; run++)
        to[run] = (uint8_t)text[run];
    uart->tx_head += (uint32_t)run;
    return run;
}

/* Text into the ring, in the terminal's form: a '\r' before every '\n'. Returns: how many bytes of
 * it fitted. */
static size_t fill_ring(struct uart *uart, const char *text, size_t len)
{
    size_t done = 0;
    if (tx_count(uart) == 0)
        uart->tx_moved_ns = arch_clock_ns();
    while (done < len) {
        size_t run = fill_run(uart, text + done, len - done);
        done += run;
        if (done < len && text[done] == '\n') {
            if (TX_SIZE - tx_count(uart) < 2)
                break;
            uart->tx[uart->tx_head++ % TX_SIZE] = '\r';
            uart->tx[uart->tx_head++ % TX_SIZE] = '\n';
            done++;
        } else if (run == 0) {
            break;
        }
    }
    return done;
}

/* What a dead device is given is gone. Returns: as fill_ring. */
static size_t give(struct uart *uart, const char *text, size_t len)
{
    if (!is_alive(uart))
        return len;
    size_t taken = fill_ring(uart, text, len);
    start_sending(uart);
    return taken;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void look_out(struct timer *timer);

/* This core left bytes in a ring that an interrupt is to empty: look after it. */
static void look_out_in(uint64_t ns)
{
    uint64_t flags = arch_irq_save();
    struct timer *timer = this_cpu_ptr(lookout);
    timer->fn = look_out;
    if (!timer->queued)
        timer_start(timer, ns);
    arch_irq_restore(flags);
}

/* Is somebody to look after it? Context: the lock held. */
static bool needs_lookout(const struct uart *uart)
{
    return uart->started && !uart->by_looking && tx_count(uart) > 0;
}

/* Send by polling until at most `left` bytes are in the ring of those that are there now; a device
 * that is dead has none. Others may fill the ring as fast as it is sent. */
static void poll_ring(struct uart *uart, uint32_t left)
{
    struct patience patience = patience_begin();
    struct hold hold = uart_lock(uart);
    const uint32_t end = uart->tx_head - left;
    uint32_t seen = uart->tx_tail;
    while ((int32_t)(end - uart->tx_tail) > 0) {
        send_burst(uart);
        if (uart->tx_tail != seen)
            patience = patience_begin();
        else if (patience_is_over(uart, &patience))
            bury(uart);
        seen = uart->tx_tail;
        uart_unlock(uart, hold);
        arch_relax();
        hold = uart_lock(uart);
    }
    uart_unlock(uart, hold);
}

static void serial_write(struct console *self, const char *text, size_t len)
{
    struct uart *uart = (struct uart *)self;
    bool left;
    for (size_t done = 0;;) {
        struct hold hold = uart_lock(uart);
        done += give(uart, text + done, len - done);
        left = needs_lookout(uart);
        uart_unlock(uart, hold);
        if (done == len)
            break;
        poll_ring(uart, TX_LOW);
    }
    if (!uart->started || panic_is_here())
        poll_ring(uart, 0);
    else if (left)
        look_out_in(LOOK_OUT_NS);
}

/* Too little room: has the device stopped, or shall the one who asks be told? Context: the lock
 * held. Returns: true if he need not wait. */
static bool is_hopeless(struct uart *uart)
{
    send_burst(uart); /* it is the interrupt that did not come, perhaps */
    if ((int64_t)(arch_clock_ns() - uart->tx_moved_ns) > uart->limit_ns) {
        bury(uart);
        return true;
    }
    uart->room_wanted = true;
    return false;
}

static size_t serial_put(struct console *self, const char *text, size_t len)
{
    struct uart *uart = (struct uart *)self;
    struct hold hold = uart_lock(uart);
    size_t taken = give(uart, text, len);
    if (taken < len && is_hopeless(uart))
        taken = len;
    bool left = needs_lookout(uart);
    uart_unlock(uart, hold);
    if (left)
        look_out_in(LOOK_OUT_NS);
    return taken;
}

static bool serial_is_ready(struct console *self, size_t len)
{
    struct uart *uart = (struct uart *)self;
    struct hold hold = uart_lock(uart);
    size_t room = TX_SIZE - tx_count(uart), needed = len + 2; /* two newlines' '\r' */
    bool ready = room >= needed || tx_count(uart) <= TX_LOW || is_hopeless(uart);
    uart_unlock(uart, hold);
    return ready;
}

static void serial_flush(struct console *self)
{
    struct uart *uart = (struct uart *)self;
    poll_ring(uart, 0);
    struct patience patience = patience_begin();
    for (bool empty = false; !empty && !patience_is_over(uart, &patience); arch_relax()) {
        struct hold hold = uart_lock(uart);
        empty = uart->dead || (read_status(uart) & UART_LSR_TEMT) != 0;
        uart_unlock(uart, hold);
    }
}

static bool serial_is_sent(struct console *self)
{
    struct uart *uart = (struct uart *)self;
    struct hold hold = uart_lock(uart);
    send_burst(uart); /* as in is_hopeless() */
    bool sent = tx_count(uart) == 0 && (read_status(uart) & UART_LSR_TEMT) != 0;
    bool late = (int64_t)(arch_clock_ns() - uart->tx_moved_ns) > uart->limit_ns;
    if (late && tx_count(uart) > 0)
        bury(uart);
    uart_unlock(uart, hold);
    return sent || late;
}

/* Up to `bursts` of what is in the ring; who waits for room is told. Context: hardirq. */
static void transmit(struct uart *uart, unsigned bursts)
{
    struct hold hold = uart_lock(uart);
    for (; bursts > 0; bursts--)
        send_burst(uart);
    if (tx_count(uart) == 0 && (uart->ier & UART_IER_EMPTY) != 0)
        set_interrupts(uart, (uint8_t)(uart->ier & ~UART_IER_EMPTY));
    bool tell = uart->room_wanted && tx_count(uart) <= TX_LOW;
    if (tell)
        uart->room_wanted = false;
    uart_unlock(uart, hold);
    if (tell)
        console_has_room(&uart->console);
}

/* ---- input ----------------------------------------------------------------------------------- */

static void say_loss(struct uart *uart)
{
    if (uart->lost_said || atomic_load_explicit(&uart->lost, memory_order_relaxed) == 0)
        return;
    uart->lost_said = true;
    log_warn("serial: typed bytes were lost: the receiver was not emptied in time (said once)");
}

static void throttle(struct uart *uart, bool stop)
{
    struct hold hold = uart_lock(uart);
    uint8_t modem = UART_MCR_DTR | UART_MCR_OUT2;
    uint8_t others = (uint8_t)(uart->ier & ~UART_IER_RECEIVED);
    uart_write(uart, UART_MCR, stop ? modem : modem | UART_MCR_RTS);
    set_interrupts(uart, stop || uart->by_looking ? others : others | UART_IER_RECEIVED);
    uart_unlock(uart, hold);
}

static void serial_resume_input(struct console *self)
{
    throttle((struct uart *)self, false); /* what waits in the FIFO interrupts now */
}

/* How many bytes the terminal takes; if none, the device is throttled until it does. */
static size_t input_room(struct uart *uart)
{
    size_t room = console_input_room(&uart->console);
    if (room > 0)
        return room;
    throttle(uart, true);
    room = console_input_room(&uart->console); /* it may have resumed us before we stopped */
    if (room > 0)
        throttle(uart, false);
    return room;
}

/* Take up to `max` bytes from the device. */
static size_t take(struct uart *uart, uint8_t *bytes, size_t max)
{
    size_t count = 0;
    struct hold hold = uart_lock(uart);
    for (; count < max; count++) {
        uint8_t status = read_status(uart);
        if ((status & UART_LSR_DR) == 0 || status == UART_FLOATING)
            break;
        bytes[count] = uart_read(uart, UART_RBR);
    }
    uart_unlock(uart, hold);
    return count;
}

/* Bytes to the terminal, until there are none or it has no room; RX_MAX at most. Returns: how many
 * more it would have been. */
static unsigned pass_on(struct uart *uart, unsigned left)
{
    uint8_t bytes[RX_BATCH];
    while (left > 0) {
        size_t room = input_room(uart);
        size_t count = take(uart, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
        for (size_t i = 0; i < count; i++)
            console_input(&uart->console, bytes[i]);
        if (count == 0)
            break;
        left -= left < count ? left : (unsigned)count;
    }
    return left;
}

/* Is the caller the one who receives now? Else who does looks once more. */
static bool begin_receiving(struct uart *uart)
{
    struct hold hold = uart_lock(uart);
    bool begins = !uart->receiving;
    uart->receiving = true;
    uart->receive_again = !begins;
    uart_unlock(uart, hold);
    return begins;
}

/* Returns: false if there is reason to go on, and the caller still receives. */
static bool end_receiving(struct uart *uart, bool must)
{
    struct hold hold = uart_lock(uart);
    uart->receiving = uart->receive_again && !must;
    uart->receive_again = false;
    bool ended = !uart->receiving;
    uart_unlock(uart, hold);
    return ended;
}

/* Returns: false if there may be more than was taken. Context: hardirq. */
static bool receive(struct uart *uart)
{
    unsigned left = RX_MAX;
    if (!begin_receiving(uart))
        return true;
    do {
        left = pass_on(uart, left);
    } while (!end_receiving(uart, left == 0));
    say_loss(uart);
    return left > 0;
}

/* ---- interrupts, and looking ----------------------------------------------------------------- */

static void look_soon(struct uart *uart)
{
    struct hold hold = uart_lock(uart);
    bool queue = !uart->look_queued;
    uart->look_queued = true;
    uart_unlock(uart, hold);
    if (queue)
        timer_start(&uart->look, uart->look_ns);
}

/* Returns: was there an interrupt of this device? Context: hardirq. */
static bool serve(struct uart *uart)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        if ((uart_read(uart, UART_IIR) & UART_IIR_NONE) != 0)
            return turn > 0;
        transmit(uart, 1);
        if (!receive(uart))
            break;
    }
    look_soon(uart); /* no further edge comes */
    return true;
}

static void look(struct timer *timer)
{
    struct uart *uart = list_entry(timer, struct uart, look);
    struct hold hold = uart_lock(uart);
    uart->look_queued = false;
    uart_unlock(uart, hold);
    if (!uart->by_looking) {
        (void)serve(uart);
        return;
    }
    transmit(uart, LOOK_BURSTS);
    (void)receive(uart);
    look_soon(uart);
}

/* Send what no interrupt has sent for too long. Returns: ns after which it is to be looked after
 * again; more where the device itself has stopped. Or 0: the ring is empty. */
static uint64_t look_after(struct uart *uart)
{
    struct hold hold = uart_lock(uart);
    bool left = needs_lookout(uart);
    int64_t still_ns = (int64_t)(arch_clock_ns() - uart->tx_moved_ns);
    uart_unlock(uart, hold);
    if (!left)
        return 0;
    if (still_ns >= LOOK_OUT_NS)
        transmit(uart, LOOK_BURSTS);
    return still_ns <= uart->limit_ns ? LOOK_OUT_NS : RETRY_NS;
}

static void look_out(struct timer *timer)
{
    uint64_t soonest = 0;
    (void)timer;
    for (unsigned port = 0; port < SERIAL_PORTS; port++) {
        uint64_t ns = look_after(&uarts[port]);
        if (ns != 0 && (soonest == 0 || ns < soonest))
            soonest = ns;
    }
    if (soonest != 0)
        look_out_in(soonest);
}

static enum irq_result serial_interrupt(uint32_t irq, void *dev)
{
    (void)irq;
    return serve(dev) ? IRQ_HANDLED : IRQ_NONE;
}

/* Returns: false if there is no interrupt. ISA's serial ports share their lines, COM3 that of COM1.
 */
static bool ask_for_interrupt(struct uart *uart)
{
    int irq = irq_of_isa(uart->isa_irq);
    return irq >= 0 &&
           request_irq((uint32_t)irq, serial_interrupt, IRQF_SHARED, uart->console.name, uart) == 0;
}

/* ---- finding it ------------------------------------------------------------------------------ */

/* Does a UART answer? It keeps a value in its scratch register, and LSR is never all ones. */
static bool answers(const struct uart *uart)
{
    static const uint8_t patterns[] = {0x55, 0xaa};
    for (size_t i = 0; i < sizeof(patterns); i++) {
        uart_write(uart, UART_SCR, patterns[i]);
        if (uart_read(uart, UART_SCR) != patterns[i])
            return false;
    }
    return uart_read(uart, UART_LSR) != UART_FLOATING;
}

/* Drop what was received, within bounds: a device stuck at "ready" has more for ever. */
static void drain_receiver(const struct uart *uart)
{
    for (int i = 0; i < 2 * UART_FIFO_SIZE; i++) {
        if ((uart_read(uart, UART_LSR) & UART_LSR_DR) == 0)
            return;
        uart_read(uart, UART_RBR);
    }
}

static void set_line(struct uart *uart, uint32_t baud)
{
    uint32_t divisor = UART_RATE_MAX / baud;
    set_interrupts(uart, UART_IER_NONE);
    uart_write(uart, UART_LCR, UART_LCR_DLAB);
    uart_write(uart, UART_DLL, (uint8_t)divisor);
    uart_write(uart, UART_DLM, (uint8_t)(divisor >> 8));
    uart_write(uart, UART_LCR, UART_LCR_8BITS);
    uart_write(uart, UART_FCR,
               UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX | UART_FCR_TRIGGER_8);
    bool has_fifo = (uart_read(uart, UART_IIR) & UART_IIR_FIFO) == UART_IIR_FIFO;
    uart->burst = has_fifo ? UART_FIFO_SIZE : 1;
    /* one byte more: the shift register's */
    int64_t line_ns = (int64_t)NS_PER_S * UART_BITS_PER_BYTE * (uart->burst + 1) / baud;
    uart->limit_ns = GRACE_NS + line_ns;
    uint64_t fifo_ns = (uint64_t)NS_PER_S * UART_BITS_PER_BYTE * uart->burst / baud;
    uart->look_ns = fifo_ns / 2 > LOOK_MIN_NS ? fifo_ns / 2 : LOOK_MIN_NS;
}

/* Wait until all of `mask` is set in LSR. Returns: false if that takes too long. */
static bool wait_status(struct uart *uart, uint8_t mask)
{
    struct patience patience = patience_begin();
    while ((read_status(uart) & mask) != mask) {
        if (patience_is_over(uart, &patience))
            return false;
        arch_relax();
    }
    return true;
}

/* Send a byte to ourselves. */
static bool loopback_works(struct uart *uart)
{
    enum { PROBE = 0xae };
    uart_write(uart, UART_MCR, UART_MCR_LOOP);
    drain_receiver(uart);
    uart_write(uart, UART_THR, PROBE);
    bool works = wait_status(uart, UART_LSR_DR) && uart_read(uart, UART_RBR) == PROBE;
    uart_write(uart, UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
    drain_receiver(uart);
    return works;
}

#define UART(com, com_port, com_irq, tty, tty_minor)                                               \
    {                                                                                              \
        .console = {.name = (tty),                                                                 \
                    .minor = (tty_minor),                                                          \
                    .write = serial_write,                                                         \
                    .put = serial_put,                                                             \
                    .is_ready = serial_is_ready,                                                   \
                    .flush = serial_flush,                                                         \
                    .is_sent = serial_is_sent,                                                     \
                    .resume_input = serial_resume_input},                                          \
        .name = (com), .port = (com_port), .isa_irq = (com_irq),                                   \
        .lock = SPINLOCK(RANK_UART, (tty)), .look = TIMER(look),                                   \
    }

static struct uart uarts[SERIAL_PORTS] = {
    UART("COM1", 0x3f8, 4, "ttyS0", 64),
    UART("COM2", 0x2f8, 3, "ttyS1", 65),
};

int serial_init(unsigned port, uint32_t baud)
{
    struct uart *uart = &uarts[port];
    if (baud < UART_RATE_MIN || baud > UART_RATE_MAX || UART_RATE_MAX % baud != 0)
        return -EINVAL;
    if (!answers(uart))
        return -ENODEV;
    set_line(uart, baud);
    if (!loopback_works(uart))
        return -ENODEV;
    uart->found = true;
    console_register(&uart->console);
    return 0;
}

int serial_start(unsigned port)
{
    struct uart *uart = &uarts[port];
    if (!uart->found)
        return -ENODEV;
    uart->console.has_input = true;
    uart->by_looking = !ask_for_interrupt(uart);
    uart->started = true;
    if (uart->by_looking) {
        log_info("serial: no interrupt for %s: looked at every %llu us", uart->name,
                 (unsigned long long)(uart->look_ns / NS_PER_US));
        look_soon(uart);
    }
    throttle(uart, false); /* what waits already interrupts now */
    return 0;
}
