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

#include <cmocka.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/serial.h"
#include "lib/console.h"
#include "lib/errno.h"

enum { BASE = 0x3f8 };

static struct model {
    bool present, no_fifo, no_loopback, stuck, no_scratch;
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

static uint8_t read_lsr(void)
{
    uart.lsr_reads++;
    uint8_t lsr = uart.receive_count > 0 ? 0x01 : 0;
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
            return 0;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rates, fresh),
        cmocka_unit_test_setup(test_text, fresh),
        cmocka_unit_test_setup(test_absent, fresh),
        cmocka_unit_test_setup(test_device_dies_and_comes_back, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
