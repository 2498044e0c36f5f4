// SPDX-License-Identifier: MIT
/*
 * A 16550 UART at COM1 as a console. The transmitter is polled; the receiver interrupts.
 *
 * Invariant: each wait for the device is bounded, by 100 ms and the time that its own bytes need on
 * the line. A port that does not exist 0xff in every register, which looks ready for ever, so
 * serial_init() first asks for something that only a UART answers. One that stops taking characters
 * later on is marked dead; text for it is dropped at once, and once a second one look tells whether
 * it came back.
 *
 * The receiver's interrupt is an edge: the next one comes only after no byte was left. So its
 * handler takes bytes until there is none; from a device that never runs dry it takes a bounded
 * number, and a timer looks at it again. Reading LSR clears its error bits, whoever reads it, so
 * all reads go through read_status().
 *
 * Who writes holds the console lock, or panics; a flush only waits, and needs none. Input is the
 * boot core's, in hardirq. Source: National Semiconductor PC16550D data sheet, "Registers"
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
#include "lib/log.h"

enum { COM1 = 0x3f8 };

/* clang-format off */
/* Registers, 8 bits each, by offset; two share an offset where one is read and one written. */
enum {
    UART_RBR = 0, /* receiver buffer (read) */
    UART_THR = 0, /* transmitter holding (write) */
    UART_DLL = 0, /* divisor latch, low byte, while LCR_DLAB is set */
    UART_IER = 1, /* interrupt enable */
        UART_IER_NONE = 0x00,
        UART_IER_RECEIVED = 0x01, /* a byte waits */
    UART_DLM = 1, /* divisor latch, high byte, while LCR_DLAB is set */
    UART_IIR = 2, /* interrupt identification (read) */
        UART_IIR_FIFO = 0xc0, /* both bits: the FIFOs are on and work */
    UART_FCR = 2, /* FIFO control (write) */
        UART_FCR_ENABLE = 0x01,
        UART_FCR_CLEAR_RX = 0x02,
        UART_FCR_CLEAR_TX = 0x04,
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
    COM1_ISA_IRQ = 4,
    RECEIVE_MAX = 256, /* bytes taken at a time */

    NS_PER_S = 1000 * 1000 * 1000,
    NS_PER_US = 1000,
    GRACE_NS = 100 * 1000 * 1000, /* that a send may take beyond its own time on the line */
    RETRY_NS = NS_PER_S,
    POLLS_MAX = 1000 * 1000, /* the limit while the clock stands still */
    LOOK_MIN_NS = 1000 * 1000,
};

struct uart {
    struct console console;
    uint16_t port;
    unsigned burst;   /* bytes that an empty transmitter takes */
    int64_t limit_ns; /* that it may take to send them */
    bool dead;
    uint64_t dead_since; /* ns, or of the last look at it */
    bool found;          /* I: it is there */

    struct timer look_again;   /* P: boot core */
    uint64_t look_ns;          /* I: after which its FIFO may be full */
    bool by_looking;           /* I: it has no interrupt */
    _Atomic uint32_t overruns; /* times that bytes were lost */
    bool overrun_said;         /* P: boot core */
};

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
        atomic_fetch_add_explicit(&uart->overruns, 1, memory_order_relaxed);
    return status;
}

/* Wait until all of `mask` is set in LSR. Returns: false if that takes longer than the limit. */
static bool wait_status(struct uart *uart, uint8_t mask)
{
    if ((read_status(uart) & mask) == mask)
        return true;
    uint64_t start = arch_clock_ns();
    int64_t waited = 0; /* signed: the clocks of two cores may differ a little */
    for (unsigned polls = 0; waited <= uart->limit_ns; polls++) {
        if (waited == 0 && polls > POLLS_MAX)
            return false;
        arch_relax();
        if ((read_status(uart) & mask) == mask)
            return true;
        waited = (int64_t)(arch_clock_ns() - start);
    }
    return false;
}

/* Is it worth while to wait for the device? One that died is looked at once a second. */
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

static bool wait_alive(struct uart *uart, uint8_t mask)
{
    if (!is_alive(uart))
        return false;
    if (wait_status(uart, mask))
        return true;
    uart->dead = true;
    uart->dead_since = arch_clock_ns();
    return false;
}

/* Text on its way out, in the terminal's form: a '\r' before every '\n'. */
struct outgoing {
    const char *text;
    size_t left;
    bool returned; /* the '\r' of the newline at `text` is out */
};

static uint8_t next_byte(struct outgoing *out)
{
    if (*out->text == '\n' && !out->returned) {
        out->returned = true;
        return '\r';
    }
    out->returned = false;
    out->left--;
    return (uint8_t)*out->text++;
}

static void serial_write(struct console *self, const char *text, size_t len)
{
    struct uart *uart = (struct uart *)self;
    struct outgoing out = {.text = text, .left = len};
    while (out.left > 0 && wait_alive(uart, UART_LSR_THRE)) {
        for (unsigned n = 0; n < uart->burst && out.left > 0; n++)
            uart_write(uart, UART_THR, next_byte(&out));
    }
}

static void serial_flush(struct console *self)
{
    wait_alive((struct uart *)self, UART_LSR_TEMT);
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
    uart_write(uart, UART_IER, UART_IER_NONE);
    uart_write(uart, UART_LCR, UART_LCR_DLAB);
    uart_write(uart, UART_DLL, (uint8_t)divisor);
    uart_write(uart, UART_DLM, (uint8_t)(divisor >> 8));
    uart_write(uart, UART_LCR, UART_LCR_8BITS);
    uart_write(uart, UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX);
    bool has_fifo = (uart_read(uart, UART_IIR) & UART_IIR_FIFO) == UART_IIR_FIFO;
    uart->burst = has_fifo ? UART_FIFO_SIZE : 1;
    /* one byte more: the shift register's */
    int64_t line_ns = (int64_t)NS_PER_S * UART_BITS_PER_BYTE * (uart->burst + 1) / baud;
    uart->limit_ns = GRACE_NS + line_ns;
    uint64_t fifo_ns = (uint64_t)NS_PER_S * UART_BITS_PER_BYTE * uart->burst / baud;
    uart->look_ns = fifo_ns / 2 > LOOK_MIN_NS ? fifo_ns / 2 : LOOK_MIN_NS;
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

static struct uart com1 = {
    .console = {.name = "ttyS0", .write = serial_write, .flush = serial_flush},
    .port = COM1,
};

int serial_init(uint32_t baud)
{
    struct uart *uart = &com1;
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

/* ---- input ----------------------------------------------------------------------------------- */

static void say_overrun(struct uart *uart)
{
    if (uart->overrun_said || atomic_load_explicit(&uart->overruns, memory_order_relaxed) == 0)
        return;
    uart->overrun_said = true;
    log_warn("serial: typed bytes were lost: the receiver was not emptied in time (said once)");
}

/* Take what was received. Returns: false if there may be more. */
static bool receive_all(struct uart *uart)
{
    for (int i = 0; i < RECEIVE_MAX; i++) {
        uint8_t status = read_status(uart);
        if ((status & UART_LSR_DR) == 0 || status == UART_FLOATING) {
            say_overrun(uart);
            return true;
        }
        console_input(uart_read(uart, UART_RBR));
    }
    return false;
}

static void look_again(struct timer *timer)
{
    struct uart *uart = &com1;
    if (!receive_all(uart) || uart->by_looking)
        timer_start(timer, uart->look_ns);
}

static enum irq_result serial_interrupt(uint32_t irq, void *dev)
{
    struct uart *uart = dev;
    (void)irq;
    if (!receive_all(uart) && !uart->look_again.queued)
        timer_start(&uart->look_again, uart->look_ns);
    return IRQ_HANDLED;
}

int serial_start_input(void)
{
    struct uart *uart = &com1;
    if (!uart->found)
        return -ENODEV;
    uart->look_again = (struct timer)TIMER(look_again);
    struct cpumask boot_core = {0};
    cpumask_set(&boot_core, 0);
    int irq = irq_of_isa(COM1_ISA_IRQ);
    uart->by_looking = irq < 0 ||
                       request_irq((uint32_t)irq, serial_interrupt, 0, "serial", uart) != 0 ||
                       irq_set_affinity((uint32_t)irq, &boot_core) != 0;
    if (uart->by_looking) {
        log_info("serial: no interrupt for COM1: looked at every %llu us",
                 (unsigned long long)(uart->look_ns / NS_PER_US));
        timer_start(&uart->look_again, uart->look_ns);
        return 0;
    }
    uart_write(uart, UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
    uart_write(uart, UART_IER, UART_IER_RECEIVED); /* what waits already interrupts now */
    return 0;
}
