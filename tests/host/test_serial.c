// SPDX-License-Identifier: MIT
/* links: src/drivers/serial.c */
/*
 * The serial driver against a model of a 16550 that may be absent, slow, stuck
 * or old.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/serial.h"
#include "irq/irq.h"
#include "irq/timer.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/log.h"

enum { BASE = 0x3f8 };

static struct model {
    bool present, never_dry, overrun, no_fifo, no_loopback, stuck, no_scratch;
    unsigned slow; /* reads of LSR until the transmitter is empty again */
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
    uint8_t received[16];
    unsigned receive_count;
    unsigned in_transmitter, wait;
    unsigned long lsr_reads, overruns;
    char sent[1 << 16];
    size_t sent_count;
} uart;

static struct console *registered;

void console_register(struct console *console)
{
    registered = console;
}

/* ---- what the driver asks of the kernel ------------------------------------------------------ */

static int irq_result; /* of irq_of_isa() and request_irq() */
static irq_handler *handler;
static void *handlers_dev;
static struct timer *timer; /* the one that runs */
static uint64_t timer_ns;
static char typed[4096];
static size_t typed_count;
static unsigned warnings;

int irq_of_isa(uint8_t isa_irq)
{
    assert_int_equal(isa_irq, 4);
    return irq_result;
}

int request_irq(uint32_t irq, irq_handler *function, unsigned flags, const char *name, void *dev)
{
    (void)name;
    assert_int_equal(irq, 4);
    assert_int_equal(flags, 0);
    assert_int_equal(uart.ier, 0); /* not before there is a handler */
    handler = function;
    handlers_dev = dev;
    return 0;
}

int irq_set_affinity(uint32_t irq, const struct cpumask *mask)
{
    assert_int_equal(irq, 4);
    assert_true(cpumask_test(mask, 0));
    return 0;
}

void timer_start(struct timer *started, uint64_t ns)
{
    assert_null(timer);
    timer = started;
    timer->queued = true;
    timer_ns = ns;
}

static void fire_timer(void)
{
    struct timer *fired = timer;
    assert_non_null(fired);
    timer = NULL;
    fired->queued = false;
    fired->fn(fired);
}

void console_input(uint8_t byte)
{
    assert_true(typed_count < sizeof(typed));
    typed[typed_count++] = (char)byte;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    (void)fmt;
    warnings += level <= LOG_WARNING;
}

/* ---- the model ------------------------------------------------------------------------------- */

static uint8_t read_lsr(void)
{
    uart.lsr_reads++;
    uint8_t lsr = uart.receive_count > 0 || uart.never_dry ? 0x01 : 0;
    lsr |= uart.overrun ? 0x02 : 0;
    uart.overrun = false;
    if (uart.stuck)
        return lsr;
    if (uart.wait > 0)
        uart.wait--;
    if (uart.wait == 0)
        uart.in_transmitter = 0;
    return uart.in_transmitter == 0 ? lsr | 0x60 : lsr;
}

uint8_t io_in8(uint16_t port)
{
    assert_in_range(port, BASE, BASE + 7);
    if (!uart.present)
        return 0xff;
    switch (port - BASE) {
    case 0:
        if (uart.receive_count == 0)
            return 'n';
        uint8_t byte = uart.received[0];
        memmove(uart.received, uart.received + 1, --uart.receive_count);
        return byte;
    case 2:
        return !uart.no_fifo && (uart.fcr & 1) != 0 ? 0xc1 : 0x01;
    case 5:
        return read_lsr();
    case 7:
        return uart.no_scratch ? 0 : uart.scr;
    default:
        return 0;
    }
}

void io_out8(uint16_t port, uint8_t value)
{
    assert_in_range(port, BASE, BASE + 7);
    if (!uart.present)
        return;
    bool dlab = (uart.lcr & 0x80) != 0;
    switch (port - BASE) {
    case 0:
        if (dlab) {
            uart.dll = value;
        } else if ((uart.mcr & 0x10) != 0) {
            if (!uart.no_loopback && uart.receive_count < 16)
                uart.received[uart.receive_count++] = value;
        } else {
            unsigned room = !uart.no_fifo && (uart.fcr & 1) != 0 ? 16 : 1;
            if (uart.in_transmitter >= room)
                uart.overruns++;
            uart.in_transmitter++;
            uart.wait = uart.slow;
            uart.sent[uart.sent_count++] = (char)value;
        }
        break;
    case 1:
        if (dlab)
            uart.dlm = value;
        else
            uart.ier = value;
        break;
    case 2:
        uart.fcr = value;
        if ((value & 2) != 0)
            uart.receive_count = 0;
        break;
    case 3:
        uart.lcr = value;
        break;
    case 4:
        uart.mcr = value;
        break;
    case 7:
        uart.scr = value;
        break;
    }
}

static int fresh(void **state)
{
    (void)state;
    uart = (struct model){.present = true, .slow = 3, .ier = 0xff, .receive_count = 4};
    registered = NULL;
    handler = NULL;
    timer = NULL;
    typed_count = 0;
    warnings = 0;
    irq_result = 4;
    atomic_store(&fake_tick_step, 1000);
    return 0;
}

static void put(const char *text)
{
    registered->write(registered, text, strlen(text));
}

static void test_rates(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0, 1, 7, 115201, 230400, 4294967295U, 100000, 115199};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(serial_init(bad[i]), -EINVAL);
    assert_null(registered);
    static const uint32_t good[] = {115200, 57600, 9600, 300, 50, 2};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(serial_init(good[i]), 0);
        assert_int_equal(uart.dlm << 8 | uart.dll, 115200 / good[i]);
        assert_int_equal(uart.lcr, 3);
        assert_int_equal(uart.ier, 0);
        assert_int_equal(uart.mcr, 3);
        assert_int_equal(uart.receive_count, 0);
        assert_string_equal(registered->name, "ttyS0");
    }
}

static void test_text(void **state)
{
    (void)state;
    for (int no_fifo = 0; no_fifo < 2; no_fifo++) {
        fresh(NULL);
        uart.no_fifo = no_fifo;
        assert_int_equal(serial_init(115200), 0);
        put("a\nb\r\n\n0123456789abcdefghijklmnop");
        put("");
        put("\n");
        assert_string_equal(uart.sent, "a\r\nb\r\r\n\r\n0123456789abcdefghijklmnop\r\n");
        assert_int_equal(uart.overruns, 0);
        registered->flush(registered);
        assert_int_equal(uart.in_transmitter, 0);
    }
}

static void test_absent(void **state)
{
    (void)state;
    uart.present = false;
    assert_int_equal(serial_init(115200), -ENODEV);
    fresh(NULL);
    uart.no_scratch = true;
    assert_int_equal(serial_init(115200), -ENODEV);
    fresh(NULL);
    uart.no_loopback = true;
    assert_int_equal(serial_init(115200), -ENODEV);
    assert_null(registered);
    fresh(NULL);
    uart.no_loopback = true;
    atomic_store(&fake_tick_step, 0); /* nor does the clock run */
    assert_int_equal(serial_init(115200), -ENODEV);
}

static void test_device_dies_and_comes_back(void **state)
{
    (void)state;
    assert_int_equal(serial_init(115200), 0);
    put("one");
    uart.stuck = true;
    uint64_t start = atomic_load(&fake_ticks);
    put("lost");
    uint64_t spent = atomic_load(&fake_ticks) - start;
    assert_in_range(spent, 100000000, 103000000);

    unsigned long reads = uart.lsr_reads;
    start = atomic_load(&fake_ticks);
    for (int i = 0; i < 100; i++)
        put("dropped quickly");
    registered->flush(registered);
    assert_int_equal(uart.lsr_reads, reads);
    assert_true(atomic_load(&fake_ticks) - start < 1000000);

    for (int i = 0; i < 10; i++) {
        atomic_fetch_add(&fake_ticks, 300000000);
        put("x");
    }
    assert_in_range(uart.lsr_reads - reads, 2, 3); /* one look a second */
    uart.stuck = false;
    uart.wait = 0;
    atomic_fetch_add(&fake_ticks, 1100000000);
    put("two");
    assert_string_equal(uart.sent, "onetwo");
}

/* ---- input ----------------------------------------------------------------------------------- */

static void type(const char *text)
{
    for (; *text != '\0' && uart.receive_count < 16; text++)
        uart.received[uart.receive_count++] = (uint8_t)*text;
    uart.overrun = *text != '\0';
}

static void expect_typed(const char *expected)
{
    assert_int_equal(typed_count, strlen(expected));
    assert_memory_equal(typed, expected, typed_count);
    typed_count = 0;
}

static void test_input_without_port(void **state)
{
    (void)state;
    assert_int_equal(serial_start_input(), -ENODEV);
    assert_null(handler);
    assert_null(timer);
}

static void start(void)
{
    assert_int_equal(serial_init(115200), 0);
    assert_int_equal(serial_start_input(), 0);
}

static void test_input_by_interrupt(void **state)
{
    (void)state;
    start();
    assert_int_equal(uart.ier, 1);
    assert_int_equal(uart.mcr, 0x0b);
    assert_null(timer);
    type("ls -l\r");
    assert_int_equal(handler(4, handlers_dev), IRQ_HANDLED);
    expect_typed("ls -l\r");
    assert_int_equal(handler(4, handlers_dev),
                     IRQ_HANDLED); /* an interrupt whose byte an earlier one took */
    expect_typed("");
    assert_int_equal(warnings, 0);
}

static void test_input_by_looking(void **state)
{
    (void)state;
    irq_result = -ENODEV;
    start();
    assert_int_equal(uart.ier, 0);
    assert_in_range(timer_ns, 1, 1390000); /* in which 16 bytes come */
    type("abc");
    fire_timer();
    expect_typed("abc");
    fire_timer();
    expect_typed("");
    type("0123456789abcdef");
    fire_timer();
    expect_typed("0123456789abcdef");
    assert_non_null(timer);
}

/* A handler ends, and an edge that does not come any more is not waited for. */
static void test_input_never_dry(void **state)
{
    (void)state;
    start();
    uart.never_dry = true;
    assert_int_equal(handler(4, handlers_dev), IRQ_HANDLED);
    assert_int_equal(typed_count, 256);
    assert_non_null(timer);
    assert_int_equal(handler(4, handlers_dev), IRQ_HANDLED);
    fire_timer();
    assert_int_equal(typed_count, 3 * 256);
    assert_non_null(timer);
    uart.never_dry = false;
    fire_timer();
    assert_null(timer);
}

static void test_input_lost(void **state)
{
    (void)state;
    start();
    type("0123456789abcdef, and more");
    put("x"); /* the writer's look at LSR finds the overrun, not the receiver's */
    assert_int_equal(handler(4, handlers_dev), IRQ_HANDLED);
    expect_typed("0123456789abcdef");
    assert_int_equal(warnings, 1);
    type("0123456789abcdef, once again");
    assert_int_equal(handler(4, handlers_dev), IRQ_HANDLED);
    assert_int_equal(warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_input_without_port, fresh), /* before there ever was one */
        cmocka_unit_test_setup(test_rates, fresh),
        cmocka_unit_test_setup(test_text, fresh),
        cmocka_unit_test_setup(test_absent, fresh),
        cmocka_unit_test_setup(test_device_dies_and_comes_back, fresh),
        cmocka_unit_test_setup(test_input_by_interrupt, fresh),
        cmocka_unit_test_setup(test_input_by_looking, fresh),
        cmocka_unit_test_setup(test_input_never_dry, fresh),
        cmocka_unit_test_setup(test_input_lost, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
