// SPDX-License-Identifier: MIT
/* links: src/drivers/i8042.c src/drivers/scan_code.c */
/*
 * The keyboard's driver against a model of its controller, which may be absent, broken at any step,
 * or full of another device's bytes. Time passes with each look at it, so every wait ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/i8042.h"
#include "irq/irq.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"

enum fault {
    NO_FAULT,
    NOT_SAID,    /* the firmware says that there is none */
    ABSENT,      /* all ones */
    INPUT_FULL,  /* takes no byte */
    NEVER_EMPTY, /* has always one more byte */
    SILENT,      /* answers nothing */
    TEST_FAILS,
    LINE_BROKEN,
    NO_KEYBOARD,
    NO_LINE, /* no I/O APIC has its interrupt */
    LINE_TAKEN,
};

static struct model {
    enum fault fault;
    uint8_t config, command;
    uint8_t waiting[64];
    bool second[64]; /* from the second port */
    size_t count, read;
    bool first_on, second_on, sends;
} model;

static irq_handler *handler;
static void *handler_dev;
static unsigned lines_logged;
static char typed[256];
static size_t typed_count;
static struct console screen;

static void bring(uint8_t byte, bool second)
{
    model.waiting[model.count] = byte;
    model.second[model.count++] = second;
}

bool arch_may_have(enum arch_legacy device)
{
    assert_int_equal(device, ARCH_LEGACY_8042);
    return model.fault != NOT_SAID;
}

uint8_t io_in8(uint16_t port)
{
    bool full = model.read < model.count;
    if (model.fault == ABSENT)
        return 0xff;
    if (port == 0x64)
        return (uint8_t)((full || model.fault == NEVER_EMPTY ? 1 : 0) |
                         (model.fault == INPUT_FULL ? 2 : 0) |
                         (full && model.second[model.read] ? 0x20 : 0));
    assert_int_equal(port, 0x60);
    return full ? model.waiting[model.read++] : 0;
}

static void obey(uint8_t command)
{
    model.command = command;
    if (command == 0x20 && model.fault != SILENT)
        bring(model.config, false);
    if (command == 0xaa) {
        model.config = 0x34; /* its own idea, with nothing of ours */
        bring(model.fault == TEST_FAILS ? 0xfc : 0x55, false);
    }
    if (command == 0xab)
        bring(model.fault == LINE_BROKEN ? 1 : 0, false);
    if (command == 0xad || command == 0xae)
        model.config = (uint8_t)(command == 0xad ? model.config | 0x10 : model.config & ~0x10);
    if (command == 0xa7)
        model.config |= 0x20;
}

void io_out8(uint16_t port, uint8_t value)
{
    assert_int_not_equal(model.fault, ABSENT);
    if (port == 0x64) {
        obey(value);
    } else if (model.command == 0x60) {
        model.config = value;
        model.command = 0;
    } else {
        assert_int_equal(value, 0xf4);
        assert_int_equal(model.config & 0x10, 0); /* the keyboard hears it */
        model.sends = true;
        bring(0x9e, false); /* a key came up before */
        if (model.fault != NO_KEYBOARD)
            bring(0xfa, false);
    }
}

int irq_of_isa(uint8_t isa_irq)
{
    assert_int_equal(isa_irq, 1);
    return model.fault == NO_LINE ? -ENODEV : 1;
}

int request_irq(uint32_t irq, irq_handler *function, unsigned flags, const char *name, void *dev)
{
    (void)name;
    assert_int_equal(irq, 1);
    assert_int_equal(flags, 0);
    assert_int_equal(model.config & 1, 0); /* not before there is a handler */
    handler = function;
    handler_dev = dev;
    return model.fault == LINE_TAKEN ? -EBUSY : 0;
}

void console_input(struct console *console, uint8_t byte)
{
    assert_ptr_equal(console, &screen);
    typed[typed_count++] = (char)byte;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    (void)level, (void)fmt;
    lines_logged++;
}

void spin_lock(struct spinlock *lock)
{
    assert_false(lock->taken);
    lock->taken = true;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static int start(enum fault fault)
{
    model = (struct model){.fault = fault, .config = 0x47};
    screen = (struct console){.name = "tty0"};
    handler = NULL;
    typed_count = lines_logged = 0;
    bring(0x1e, false); /* typed before, for nobody */
    bring(0x08, true);
    uint64_t before = fake_ticks;
    int result = i8042_init(&screen);
    assert_true(fake_ticks - before < 3 * UINT64_C(1000000000)); /* ns */
    return result;
}

static void test_absent(void **state)
{
    (void)state;
    assert_int_equal(i8042_init(NULL), -ENODEV);
    assert_int_equal(start(NOT_SAID), -ENODEV);
    assert_int_equal(lines_logged, 1);
    assert_int_equal(start(ABSENT), -ENODEV);
    assert_int_equal(lines_logged, 1);
    assert_false(screen.has_input);
}

static void test_broken(void **state)
{
    static const enum fault faults[] = {INPUT_FULL, NEVER_EMPTY, SILENT, TEST_FAILS, LINE_BROKEN};
    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_int_equal(start(faults[i]), -EIO);
        assert_int_equal(lines_logged, 1);
        assert_null(handler);
        assert_false(screen.has_input);
    }
    assert_int_equal(start(NO_LINE), -ENODEV);
    assert_int_equal(start(LINE_TAKEN), -ENODEV);
    assert_false(screen.has_input);
    assert_null(screen.keyboard_mode);
    assert_int_equal(model.config & 1, 0);
}

/* One that is not plugged in may be later. */
static void test_no_keyboard(void **state)
{
    (void)state;
    assert_int_equal(start(NO_KEYBOARD), 0);
    assert_int_equal(lines_logged, 1);
    assert_true(screen.has_input);
}

static void test_typing(void **state)
{
    (void)state;
    assert_int_equal(start(NO_FAULT), 0);
    assert_int_equal(lines_logged, 0);
    assert_int_equal(model.config, 0x61 | (model.config & 0x04)); /* IRQ 1, second off, set 1 */
    assert_true(model.sends);
    assert_true(screen.has_input);
    assert_int_equal(typed_count, 0); /* what came before is gone */

    bring(0x23, false);
    bring(0xa3, false);
    bring(0x08, true); /* a mouse's */
    bring(0x17, false);
    assert_int_equal(handler(1, handler_dev), IRQ_HANDLED);
    assert_int_equal(typed_count, 2);
    assert_memory_equal(typed, "hi", 2);
    assert_int_equal(handler(1, handler_dev), IRQ_NONE);

    model.fault = NEVER_EMPTY; /* a device that never runs dry does not keep the core */
    assert_int_equal(handler(1, handler_dev), IRQ_HANDLED);
    model.fault = ABSENT;
    assert_int_equal(handler(1, handler_dev), IRQ_NONE);
}

static void test_modes(void **state)
{
    (void)state;
    assert_int_equal(start(NO_FAULT), 0);
    int (*mode)(struct console *, int) = screen.keyboard_mode;
    assert_int_equal(mode(&screen, CONSOLE_KEYBOARD_ASK), CONSOLE_KEYBOARD_CHARACTERS);
    assert_int_equal(mode(&screen, CONSOLE_KEYBOARD_CODES), CONSOLE_KEYBOARD_CODES);
    bring(0x2a, false);
    bring(0xe0, false);
    bring(0x48, false);
    (void)handler(1, handler_dev);
    assert_int_equal(typed_count, 3);
    assert_memory_equal(typed, "\x2a\xe0\x48", 3);
    assert_int_equal(mode(&screen, CONSOLE_KEYBOARD_CHARACTERS), CONSOLE_KEYBOARD_CHARACTERS);
    bring(0x10, false);
    (void)handler(1, handler_dev);
    assert_int_equal(typed[3], 'Q'); /* shift is still down */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent),      cmocka_unit_test(test_broken),
        cmocka_unit_test(test_no_keyboard), cmocka_unit_test(test_typing),
        cmocka_unit_test(test_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
