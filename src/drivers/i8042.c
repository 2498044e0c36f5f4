// SPDX-License-Identifier: MIT
/*
 * The keyboard controller. A byte that waits for us raises ISA interrupt 1, an edge; reading it
 * lets go of the line, so each further byte is a new edge.
 *
 * Invariant: each wait for the controller or the keyboard is bounded, by a count of looks 10 us
 * apart. A port that does not exist reads 0xff, which looks like a byte that waits for ever: that
 * is asked for first.
 *
 * The controller has a second port, for a mouse, at the same two addresses. It stays switched off,
 * and a byte that comes from there all the same is dropped.
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller"
 */
#include "drivers/i8042.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/scan_code.h"
#include "irq/irq.h"
#include "lib/console.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"

/* clang-format off */
enum {
    I8042_DATA = 0x60,
    I8042_STATUS = 0x64, /* read */
        I8042_STATUS_OUTPUT = 1 << 0, /* a byte waits for us */
        I8042_STATUS_INPUT = 1 << 1,  /* what we wrote has not been taken yet */
        I8042_STATUS_SECOND = 1 << 5, /* the byte that waits comes from the second port */
        I8042_FLOATING = 0xff,
    I8042_COMMAND = 0x64, /* written */
        I8042_READ_CONFIG = 0x20,
        I8042_WRITE_CONFIG = 0x60,
            I8042_CONFIG_IRQ = 1 << 0,
            I8042_CONFIG_SECOND_IRQ = 1 << 1,
            I8042_CONFIG_FIRST_OFF = 1 << 4,  /* as the command of that name leaves it */
            I8042_CONFIG_SECOND_OFF = 1 << 5,
            I8042_CONFIG_TRANSLATE = 1 << 6, /* the keyboard's codes to those of set 1 */
        I8042_SECOND_OFF = 0xa7,
        I8042_SELF_TEST = 0xaa,
            I8042_SELF_TEST_OK = 0x55,
        I8042_TEST_FIRST = 0xab,
            I8042_TEST_FIRST_OK = 0x00,
        I8042_FIRST_OFF = 0xad,
        I8042_FIRST_ON = 0xae,
};
/* clang-format on */

/* What the keyboard itself is told, and says. */
enum { KEYBOARD_SEND_CODES = 0xf4, KEYBOARD_ACK = 0xfa };

enum {
    I8042_ISA_IRQ = 1,
    LOOK_US = 10,
    WAIT_US = 50 * 1000,
    SELF_TEST_US = 500 * 1000,
    KEYBOARD_US = 100 * 1000,
    BYTES_MAX = 16, /* taken at a time; more are another interrupt */
};

struct i8042 {
    struct console *console; /* I */
    struct spinlock lock;
    struct keyboard keyboard; /* L: lock */
    int mode;                 /* L: lock; enum console_keyboard_mode */
};

static struct i8042 the_i8042 = {
    .lock = SPINLOCK(RANK_KEYBOARD, "keyboard"),
    .mode = CONSOLE_KEYBOARD_CHARACTERS,
};

/* Wait until the bits `mask` of the status are `wanted`. Returns: false if that takes too long. */
static bool wait_status(uint8_t mask, uint8_t wanted, unsigned limit_us)
{
    for (unsigned us = 0; us <= limit_us; us += LOOK_US) {
        if ((io_in8(I8042_STATUS) & mask) == wanted)
            return true;
        arch_udelay(LOOK_US);
    }
    return false;
}

static bool put_byte(uint16_t port, uint8_t value)
{
    if (!wait_status(I8042_STATUS_INPUT, 0, WAIT_US))
        return false;
    io_out8(port, value);
    return true;
}

static bool command(uint8_t value)
{
    return put_byte(I8042_COMMAND, value);
}

/* A command that the controller answers with a byte. */
static bool ask(uint8_t value, unsigned limit_us, uint8_t *answer)
{
    if (!command(value) || !wait_status(I8042_STATUS_OUTPUT, I8042_STATUS_OUTPUT, limit_us))
        return false;
    *answer = io_in8(I8042_DATA);
    return true;
}

static bool write_config(uint8_t config)
{
    return command(I8042_WRITE_CONFIG) && put_byte(I8042_DATA, config);
}

/* ---- input ----------------------------------------------------------------------------------- */

/* Locks: caller holds the keyboard's. */
static void take_code(struct i8042 *i8042, uint8_t code)
{
    char text[SCAN_CODE_TEXT_MAX];
    size_t length = scan_code_take(&i8042->keyboard, code, text);
    if (i8042->mode == CONSOLE_KEYBOARD_CODES) {
        console_input(i8042->console, code);
        return;
    }
    for (size_t i = 0; i < length; i++)
        console_input(i8042->console, (uint8_t)text[i]);
}

/* Returns: was there a byte? */
static bool take_bytes(struct i8042 *i8042)
{
    bool any = false;
    uint64_t flags = spin_lock_irqsave(&i8042->lock);
    for (int i = 0; i < BYTES_MAX; i++) {
        uint8_t status = io_in8(I8042_STATUS);
        if (status == I8042_FLOATING || (status & I8042_STATUS_OUTPUT) == 0)
            break;
        uint8_t code = io_in8(I8042_DATA);
        any = true;
        if ((status & I8042_STATUS_SECOND) == 0)
            take_code(i8042, code);
    }
    spin_unlock_irqrestore(&i8042->lock, flags);
    return any;
}

static enum irq_result i8042_interrupt(uint32_t irq, void *dev)
{
    (void)irq;
    return take_bytes(dev) ? IRQ_HANDLED : IRQ_NONE;
}

static int keyboard_mode(struct console *console, int mode)
{
    struct i8042 *i8042 = &the_i8042;
    (void)console;
    uint64_t flags = spin_lock_irqsave(&i8042->lock);
    if (mode != CONSOLE_KEYBOARD_ASK)
        i8042->mode = mode;
    int now = i8042->mode;
    spin_unlock_irqrestore(&i8042->lock, flags);
    return now;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

/* Drop what waits. Returns: false if it does not end. */
static bool flush(void)
{
    for (int i = 0; i < 2 * BYTES_MAX; i++) {
        if ((io_in8(I8042_STATUS) & I8042_STATUS_OUTPUT) == 0)
            return true;
        (void)io_in8(I8042_DATA);
        arch_udelay(LOOK_US);
    }
    return false;
}

/* Both ports off, no interrupts, codes of set 1. Returns: what is wrong, or NULL. */
static const char *set_up_controller(uint8_t *config)
{
    uint8_t answer = 0;
    if (!command(I8042_FIRST_OFF) || !command(I8042_SECOND_OFF))
        return "takes no commands";
    if (!flush())
        return "has always one more byte";
    if (!ask(I8042_READ_CONFIG, WAIT_US, config))
        return "does not answer";
    *config &= (uint8_t) ~(I8042_CONFIG_IRQ | I8042_CONFIG_SECOND_IRQ);
    *config |= I8042_CONFIG_TRANSLATE | I8042_CONFIG_FIRST_OFF | I8042_CONFIG_SECOND_OFF;
    if (!ask(I8042_SELF_TEST, SELF_TEST_US, &answer) || answer != I8042_SELF_TEST_OK)
        return "fails its self-test";
    if (!write_config(*config)) /* behind the test, which may have reset it */
        return "takes no configuration";
    if (!ask(I8042_TEST_FIRST, WAIT_US, &answer) || answer != I8042_TEST_FIRST_OK)
        return "says that the keyboard's line is broken";
    return command(I8042_FIRST_ON) ? NULL : "does not switch the keyboard on";
}

/* Have the keyboard send its codes. Returns: false if none answers. */
static bool start_keyboard(void)
{
    if (!put_byte(I8042_DATA, KEYBOARD_SEND_CODES))
        return false;
    for (int i = 0; i < BYTES_MAX; i++) {
        if (!wait_status(I8042_STATUS_OUTPUT, I8042_STATUS_OUTPUT, KEYBOARD_US))
            return false;
        if (io_in8(I8042_DATA) == KEYBOARD_ACK)
            return true;
    }
    return false;
}

static bool is_there(void)
{
    if (!arch_may_have(ARCH_LEGACY_8042)) {
        log_info("keyboard: the firmware says that there is no controller (i8042)");
        return false;
    }
    if (io_in8(I8042_STATUS) == I8042_FLOATING) {
        log_info("keyboard: no controller (i8042)");
        return false;
    }
    return true;
}

int i8042_init(struct console *console)
{
    struct i8042 *i8042 = &the_i8042;
    uint8_t config;
    if (console == NULL || !is_there())
        return -ENODEV;
    const char *wrong = set_up_controller(&config);
    if (wrong != NULL) {
        log_warn("keyboard: the controller (i8042) %s: not used", wrong);
        return -EIO;
    }
    if (!start_keyboard())
        log_info("keyboard: none answers; one that is plugged in later may work");
    i8042->console = console;
    console->keyboard_mode = keyboard_mode;
    console->has_input = true;
    int irq = irq_of_isa(I8042_ISA_IRQ);
    if (irq >= 0)
        irq = request_irq((uint32_t)irq, i8042_interrupt, 0, "i8042", i8042) == 0 ? irq : -ENODEV;
    if (irq < 0) {
        console->has_input = false;
        console->keyboard_mode = NULL;
        log_warn("keyboard: no interrupt for the controller (i8042): not used");
        return -ENODEV;
    }
    config &= (uint8_t)~I8042_CONFIG_FIRST_OFF;
    if (!write_config(config | I8042_CONFIG_IRQ))
        log_warn("keyboard: the controller (i8042) does not let itself be opened");
    (void)take_bytes(i8042); /* one that came before the line was open is no edge any more */
    return 0;
}
