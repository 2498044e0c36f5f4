// SPDX-License-Identifier: MIT
/*
 * The serial ports COM1 and COM2 as the consoles ttyS0 and ttyS1: output and input by interrupt, or
 * by looking at the port; polled before that, and in a panic.
 */
#pragma once

#include <stdint.h>

enum { SERIAL_PORTS = 2 };

/*
 * Find port `port` (0..SERIAL_PORTS-1), set it to `baud` bits a second, 8 data bits, no parity, 1
 * stop bit, and register its console, which shows the log so far if it takes the log.
 * Context: boot cpu only, once each. Sleeps: no. Locks: console.
 * Returns: 0, -EINVAL (baud is not 2..115200, or does not divide 115200), -ENODEV (no working port
 * there).
 */
int serial_init(unsigned port, uint32_t baud);

/*
 * From now on the port sends what programs write while they sleep, and hands what is typed at it to
 * console_input(): by its interrupt, or, where no I/O APIC has that, by looking at it so often that
 * its FIFO does not fill. When the terminal has no room, input stays in the port and RTS is
 * dropped. Bytes that were lost because nobody took them in time are counted, and the log says so
 * once. Context: boot cpu only, once each, after serial_init() and irq_init(). Sleeps: no. Returns:
 * 0, -ENODEV (serial_init() found no port).
 */
int serial_start(unsigned port);
