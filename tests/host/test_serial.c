// SPDX-License-Identifier: MIT
/* links: src/lib/spinlock.c */
/*
 * The serial driver against a model of a 16550 that may be absent, slow, stuck
 * or old. The source is included, so that each test begins with a driver that has seen nothing.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/serial.c"
#include "irq/irq.h"
#include "irq/timer.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/log.h"

enum { BASE = 0x3f8, RING = 4096 };

static struct model {
    bool present, never_dry, overrun, no_fifo, no_loopback, stuck, no_scratch;
    unsigned slow; /* reads of LSR until the transmitter is empty again */
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
    uint8_t received[16];
    unsigned receive_count;
    unsigned in_transmitter, wait;
    bool empty_pending; /* the interrupt that the transmitter is empty */
    unsigned long lsr_reads, overruns;
    char sent[1 << 16];
    size_t sent_count;
} model;

static struct console *registered;

void console_register(struct console *console)
{
    registered = console;
}

/* ---- what the driver asks of the kernel ------------------------------------------------------ */

static int irq_result; /* of irq_of_isa() */
static irq_handler *handler;
static void *handler_dev;
static struct timer *timer; /* the one that runs */
static uint64_t timer_ns;
static uint64_t lookout_ns; /* of this core's lookout */
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
    assert_int_equal(irq, 4);
    assert_int_equal(flags, IRQF_SHARED);
    assert_string_equal(name, "ttyS0");
    assert_int_equal(model.ier, 0); /* not before there is a handler */
    handler = function;
    handler_dev = dev;
    return 0;
}

static bool interrupt(void)
{
    return handler(4, handler_dev) == IRQ_HANDLED;
}

void timer_start(struct timer *started, uint64_t ns)
{
    if (started == this_cpu_ptr(lookout)) {
        started->queued = true;
        lookout_ns = ns;
        return;
    }
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

/* Time passes until this core looks after the ring. */
static void fire_lookout(void)
{
    struct timer *fired = this_cpu_ptr(lookout);
    assert_true(fired->queued);
    atomic_fetch_add(&fake_ticks, lookout_ns);
    fired->queued = false;
    fired->fn(fired);
}

static size_t terminal_room;
static unsigned rooms_told;

void console_input(struct console *console, uint8_t byte)
{
    assert_ptr_equal(console, registered);
    assert_true(typed_count < sizeof(typed));
    typed[typed_count++] = (char)byte;
    if (terminal_room != SIZE_MAX) {
        assert_true(terminal_room > 0);
        terminal_room--;
    }
}

size_t console_input_room(struct console *console)
{
    assert_ptr_equal(console, registered);
    return terminal_room;
}

void console_has_room(struct console *console)
{
    assert_ptr_equal(console, registered);
    rooms_told++;
}

static bool panicking;

bool panic_is_here(void)
{
    return panicking;
}

void log_drain(void)
{
}

void log_line(enum log_level level, const char *fmt, ...)
{
    (void)fmt;
    warnings += level <= LOG_WARNING;
}

/* ---- the model ------------------------------------------------------------------------------- */

static uint8_t read_lsr(void)
{
    model.lsr_reads++;
    uint8_t lsr = model.receive_count > 0 || model.never_dry ? 0x01 : 0;
    lsr |= model.overrun ? 0x02 : 0;
    model.overrun = false;
    if (model.stuck)
        return lsr;
    if (model.wait > 0)
        model.wait--;
    if (model.wait == 0)
        model.in_transmitter = 0;
    return model.in_transmitter == 0 ? lsr | 0x60 : lsr;
}

static uint8_t read_iir(void)
{
    uint8_t fifo = !model.no_fifo && (model.fcr & 1) != 0 ? 0xc0 : 0;
    if ((model.ier & 1) != 0 && (model.receive_count > 0 || model.never_dry))
        return fifo | 4;
    if ((model.ier & 2) == 0 || !model.empty_pending)
        return fifo | 1;
    model.empty_pending = false;
    return fifo | 2;
}

/* What was given to the device is out. */
static void transmitter_empties(void)
{
    model.wait = 0;
    model.in_transmitter = 0;
    model.empty_pending = true;
}

uint8_t io_in8(uint16_t port)
{
    assert_in_range(port, BASE, BASE + 7);
    if (!model.present)
        return 0xff;
    switch (port - BASE) {
    case 0:
        if (model.receive_count == 0)
            return 'n';
        uint8_t byte = model.received[0];
        memmove(model.received, model.received + 1, --model.receive_count);
        return byte;
    case 2:
        return read_iir();
    case 5:
        return read_lsr();
    case 7:
        return model.no_scratch ? 0 : model.scr;
    default:
        return 0;
    }
}

void io_out8(uint16_t port, uint8_t value)
{
    assert_in_range(port, BASE, BASE + 7);
    if (!model.present)
        return;
    bool dlab = (model.lcr & 0x80) != 0;
    switch (port - BASE) {
    case 0:
        if (dlab) {
            model.dll = value;
        } else if ((model.mcr & 0x10) != 0) {
            if (!model.no_loopback && model.receive_count < 16)
                model.received[model.receive_count++] = value;
        } else {
            unsigned room = !model.no_fifo && (model.fcr & 1) != 0 ? 16 : 1;
            if (model.in_transmitter >= room)
                model.overruns++;
            model.in_transmitter++;
            model.wait = model.slow;
            model.empty_pending = false;
            model.sent[model.sent_count++] = (char)value;
        }
        break;
    case 1:
        if (dlab)
            model.dlm = value;
        else {
            model.empty_pending |= (value & ~model.ier & 2) != 0 && model.in_transmitter == 0;
            model.ier = value;
        }
        break;
    case 2:
        model.fcr = value;
        if ((value & 2) != 0)
            model.receive_count = 0;
        break;
    case 3:
        model.lcr = value;
        break;
    case 4:
        model.mcr = value;
        break;
    case 7:
        model.scr = value;
        break;
    }
}

static int fresh(void **state)
{
    (void)state;
    model = (struct model){.present = true, .slow = 3, .ier = 0xff, .receive_count = 4};
    static struct uart new_uarts[SERIAL_PORTS];
    static bool kept;
    if (!kept)
        memcpy(new_uarts, uarts, sizeof(uarts));
    kept = true;
    memcpy(uarts, new_uarts, sizeof(uarts));
    registered = NULL;
    handler = NULL;
    timer = NULL;
    this_cpu_ptr(lookout)->queued = false;
    typed_count = 0;
    warnings = 0;
    irq_result = 4;
    terminal_room = SIZE_MAX;
    rooms_told = 0;
    panicking = false;
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
        assert_int_equal(serial_init(0, bad[i]), -EINVAL);
    assert_null(registered);
    static const uint32_t good[] = {115200, 57600, 9600, 300, 50, 2};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(serial_init(0, good[i]), 0);
        assert_int_equal(model.dlm << 8 | model.dll, 115200 / good[i]);
        assert_int_equal(model.lcr, 3);
        assert_int_equal(model.ier, 0);
        assert_int_equal(model.mcr, 3);
        assert_int_equal(model.receive_count, 0);
        assert_string_equal(registered->name, "ttyS0");
    }
}

static void test_text(void **state)
{
    (void)state;
    for (int no_fifo = 0; no_fifo < 2; no_fifo++) {
        fresh(NULL);
        model.no_fifo = no_fifo;
        assert_int_equal(serial_init(0, 115200), 0);
        put("a\nb\r\n\n0123456789abcdefghijklmnop");
        put("");
        put("\n");
        assert_string_equal(model.sent, "a\r\nb\r\r\n\r\n0123456789abcdefghijklmnop\r\n");
        assert_int_equal(model.overruns, 0);
        registered->flush(registered);
        assert_int_equal(model.in_transmitter, 0);
    }
}

static void test_absent(void **state)
{
    (void)state;
    model.present = false;
    assert_int_equal(serial_init(0, 115200), -ENODEV);
    fresh(NULL);
    model.no_scratch = true;
    assert_int_equal(serial_init(0, 115200), -ENODEV);
    fresh(NULL);
    model.no_loopback = true;
    assert_int_equal(serial_init(0, 115200), -ENODEV);
    assert_null(registered);
    fresh(NULL);
    model.no_loopback = true;
    atomic_store(&fake_tick_step, 0); /* nor does the clock run */
    assert_int_equal(serial_init(0, 115200), -ENODEV);
}

static void test_device_dies_and_comes_back(void **state)
{
    (void)state;
    assert_int_equal(serial_init(0, 115200), 0);
    put("one");
    model.stuck = true;
    uint64_t start = atomic_load(&fake_ticks);
    put("lost");
    uint64_t spent = atomic_load(&fake_ticks) - start;
    assert_in_range(spent, 100000000, 103000000);

    unsigned long reads = model.lsr_reads;
    start = atomic_load(&fake_ticks);
    for (int i = 0; i < 100; i++)
        put("dropped quickly");
    registered->flush(registered);
    assert_int_equal(model.lsr_reads, reads);
    assert_true(atomic_load(&fake_ticks) - start < 1000000);

    for (int i = 0; i < 10; i++) {
        atomic_fetch_add(&fake_ticks, 300000000);
        put("x");
    }
    assert_in_range(model.lsr_reads - reads, 2, 3); /* one look a second */
    model.stuck = false;
    model.wait = 0;
    atomic_fetch_add(&fake_ticks, 1100000000);
    put("two");
    assert_string_equal(model.sent, "onetwo");
}

/* ---- input ----------------------------------------------------------------------------------- */

static void type(const char *text)
{
    for (; *text != '\0' && model.receive_count < 16; text++)
        model.received[model.receive_count++] = (uint8_t)*text;
    model.overrun = *text != '\0';
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
    assert_int_equal(serial_start(0), -ENODEV);
    assert_null(handler);
    assert_null(timer);
}

static void start(void)
{
    assert_int_equal(serial_init(0, 115200), 0);
    assert_int_equal(serial_start(0), 0);
}

static void test_input_by_interrupt(void **state)
{
    (void)state;
    start();
    assert_int_equal(model.ier, 1);
    assert_int_equal(model.mcr, 0x0b);
    assert_null(timer);
    type("ls -l\r");
    assert_true(interrupt());
    expect_typed("ls -l\r");
    assert_false(interrupt()); /* whose byte an earlier one took, or another device's */
    expect_typed("");
    assert_int_equal(warnings, 0);
}

static void test_input_by_looking(void **state)
{
    (void)state;
    irq_result = -ENODEV;
    start();
    assert_int_equal(model.ier, 0);
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
    model.never_dry = true;
    assert_true(interrupt());
    assert_int_equal(typed_count, 256);
    assert_non_null(timer);
    assert_true(interrupt());
    fire_timer();
    assert_int_equal(typed_count, 3 * 256);
    assert_non_null(timer);
    model.never_dry = false;
    fire_timer();
    assert_null(timer);
}

static void test_input_lost(void **state)
{
    (void)state;
    start();
    type("0123456789abcdef, and more");
    put("x"); /* the writer's look at LSR finds the overrun, not the receiver's */
    assert_true(interrupt());
    expect_typed("0123456789abcdef");
    assert_int_equal(warnings, 1);
    type("0123456789abcdef, once again");
    assert_true(interrupt());
    assert_int_equal(warnings, 1);
}

/* ---- output by interrupt --------------------------------------------------------------------- */

static size_t put_some(size_t len)
{
    static char text[2 * RING];
    memset(text, 'x', sizeof(text));
    return registered->put(registered, text, len);
}

static void test_output_by_interrupt(void **state)
{
    (void)state;
    start();
    model.slow = 1000000; /* it empties when the test says so */
    put("0123456789abcdefgh\n");
    assert_int_equal(model.sent_count, 16); /* the rest does not wait for it */
    assert_int_equal(model.ier, 3);
    assert_false(interrupt());
    transmitter_empties();
    assert_true(interrupt());
    assert_string_equal(model.sent, "0123456789abcdefgh\r\n");
    assert_int_equal(model.ier, 1); /* nothing left: no more of them */
    transmitter_empties();
    assert_false(interrupt());
    put("next");
    assert_int_equal(model.sent_count, 24);
    assert_int_equal(model.ier, 1);
    assert_int_equal(model.overruns, 0);
}

static void test_full_ring(void **state)
{
    (void)state;
    start();
    model.slow = 1000000;
    assert_int_equal(put_some(RING), RING);
    assert_int_equal(put_some(100), 16); /* what went to the device made room */
    assert_int_equal(put_some(1), 0);
    assert_false(registered->is_ready(registered, 10));
    unsigned interrupts = 0;
    for (; rooms_told == 0; interrupts++) {
        transmitter_empties();
        assert_true(interrupt());
        assert_true(interrupts < RING);
    }
    assert_int_equal(interrupts, RING / 2 / 16); /* told when half is free, once */
    assert_true(registered->is_ready(registered, 10));
    assert_int_equal(put_some(10), 10);
    assert_int_equal(rooms_told, 1);
    registered->write(registered, "\n\n", 2);
    transmitter_empties();
    model.slow = 3;
    registered->flush(registered);
    assert_int_equal(model.sent_count, RING + 16 + 10 + 4);
    assert_int_equal(model.in_transmitter, 0);
    assert_int_equal(model.overruns, 0);
}

/* Who waits in his sleep asks, and is answered at once; a device that has stopped is not waited
 * for. */
static void test_is_it_sent(void **state)
{
    (void)state;
    start();
    assert_true(registered->is_sent(registered));
    model.slow = 1000000;
    assert_int_equal(put_some(40), 40);
    unsigned long reads = model.lsr_reads;
    assert_false(registered->is_sent(registered));
    assert_in_range(model.lsr_reads - reads, 1, 2);
    for (int burst = 0; burst < 3; burst++) {
        assert_false(registered->is_sent(registered));
        transmitter_empties();
    }
    assert_true(registered->is_sent(registered));
    assert_int_equal(model.sent_count, 40);
    model.stuck = true;
    assert_int_equal(put_some(20), 20);
    assert_false(registered->is_sent(registered));
    atomic_fetch_add(&fake_ticks, 102000000);
    assert_true(registered->is_sent(registered));
    assert_int_equal(model.sent_count, 40); /* what it did not take is dropped */
}

/* The kernel's own text waits for room by polling; a newline is two bytes or none. */
static void test_write_waits(void **state)
{
    (void)state;
    start();
    assert_int_equal(put_some(RING + 16), RING);
    assert_int_equal(put_some(15), 15);
    assert_int_equal(registered->put(registered, "\n", 1), 0);
    put("\n");
    registered->flush(registered);
    assert_int_equal(model.sent_count, RING + 15 + 2);
    assert_int_equal(model.overruns, 0);
}

static void test_output_stops(void **state)
{
    (void)state;
    start();
    model.stuck = true;
    assert_int_equal(put_some(RING), RING);
    assert_int_equal(put_some(10), 0); /* patience */
    atomic_fetch_add(&fake_ticks, 102000000);
    assert_int_equal(put_some(10), 10); /* dropped, and what was in the ring */
    assert_true(registered->is_ready(registered, RING));
    model.stuck = false;
    atomic_fetch_add(&fake_ticks, 1100000000);
    assert_int_equal(registered->put(registered, "back", 4), 4);
    assert_string_equal(model.sent, "back");
}

/* The core that takes the interrupt is away, or the edge was lost: the text comes all the same. */
static void test_no_interrupt_comes(void **state)
{
    (void)state;
    start();
    put("the core that takes this port's interrupts does not answer\n");
    assert_true(model.sent_count < 60);
    for (int i = 0; model.sent_count < 60; i++) {
        assert_true(i < 5);
        fire_lookout();
    }
    assert_string_equal(model.sent,
                        "the core that takes this port's interrupts does not answer\r\n");
    fire_lookout();
    assert_false(this_cpu_ptr(lookout)->queued); /* nothing is left to look after */
    assert_int_equal(model.overruns, 0);
}

/* The same with writers that come, find no room, and are told of it. */
static void test_no_interrupt_and_full(void **state)
{
    (void)state;
    start();
    assert_int_equal(put_some(RING), RING);
    (void)put_some(RING);
    atomic_fetch_add(&fake_ticks, 200000000); /* away for longer than the device may take */
    transmitter_empties();
    size_t before = model.sent_count;
    assert_int_equal(put_some(1), 0); /* nothing is dropped: the device was willing all the time */
    assert_true(model.sent_count > before);
    for (int i = 0; rooms_told == 0; i++) {
        assert_true(i < RING);
        fire_lookout();
    }
    assert_true(registered->is_ready(registered, 10));
}

/* A device that takes nothing is looked after more seldom. */
static void test_lookout_of_a_dead_device(void **state)
{
    (void)state;
    start();
    model.stuck = true;
    assert_int_equal(put_some(100), 100);
    assert_int_equal(lookout_ns, 10000000);
    for (int i = 0; lookout_ns == 10000000; i++) {
        assert_true(i < 20);
        fire_lookout();
    }
    assert_int_equal(lookout_ns, 1000000000);
    model.stuck = false;
    for (int i = 0; this_cpu_ptr(lookout)->queued; i++) {
        assert_true(i < 20);
        fire_lookout();
    }
    assert_int_equal(model.sent_count, 100);
}

static void test_output_by_looking(void **state)
{
    (void)state;
    irq_result = -ENODEV;
    start();
    model.slow = 1000000;
    assert_int_equal(put_some(40), 40);
    assert_int_equal(model.ier, 0);
    for (size_t sent = 16; sent < 40; sent += 16) {
        assert_int_equal(model.sent_count, sent);
        transmitter_empties();
        fire_timer();
    }
    assert_int_equal(model.sent_count, 40);
}

/* Without interrupts, and behind what was in the ring. */
static void test_panic_polls(void **state)
{
    (void)state;
    start();
    assert_int_equal(put_some(100), 100);
    panicking = true;
    put("panic\n");
    assert_int_equal(model.sent_count, 107);
    assert_memory_equal(model.sent + 100, "panic\r\n", 7);
    assert_int_equal(model.overruns, 0);
}

/* ---- a terminal without room ----------------------------------------------------------------- */

static void test_throttle(void **state)
{
    (void)state;
    start();
    terminal_room = 5;
    type("0123456789");
    assert_true(interrupt());
    expect_typed("01234");
    assert_int_equal(model.receive_count, 5); /* they stay where they are, */
    assert_int_equal(model.ier, 0);
    assert_int_equal(model.mcr, 0x09); /* and RTS says so */
    assert_false(interrupt());
    terminal_room = 100;
    registered->resume_input(registered);
    assert_int_equal(model.ier, 1);
    assert_int_equal(model.mcr, 0x0b);
    assert_true(interrupt());
    expect_typed("56789");
    assert_int_equal(warnings, 0);
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
        cmocka_unit_test_setup(test_output_by_interrupt, fresh),
        cmocka_unit_test_setup(test_full_ring, fresh),
        cmocka_unit_test_setup(test_is_it_sent, fresh),
        cmocka_unit_test_setup(test_write_waits, fresh),
        cmocka_unit_test_setup(test_output_stops, fresh),
        cmocka_unit_test_setup(test_no_interrupt_comes, fresh),
        cmocka_unit_test_setup(test_no_interrupt_and_full, fresh),
        cmocka_unit_test_setup(test_lookout_of_a_dead_device, fresh),
        cmocka_unit_test_setup(test_output_by_looking, fresh),
        cmocka_unit_test_setup(test_panic_polls, fresh),
        cmocka_unit_test_setup(test_throttle, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
