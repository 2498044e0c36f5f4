// SPDX-License-Identifier: MIT
/*
 * The first serial port (COM1) as a console: output, polled; input, by interrupt.
 */
#pragma once

#include <stdint.h>

/*
 * Find the port, set it to `baud` bits a second, 8 data bits, no parity, 1 stop bit, and register
 * the console "ttyS0", which shows the log so far.
 * Context: boot cpu only, once. Sleeps: no. Locks: console.
 * Returns: 0, -EINVAL (baud is not 2..115200, or does not divide 115200), -ENODEV (no working port
 * there).
 */
int serial_init(uint32_t baud);

/*
 * Hand what is typed at the port to console_input(), from now on: by its interrupt on the boot
 * core, or, where no I/O APIC has that, by looking at it so often that its FIFO does not fill.
 * Bytes that were lost because nobody took them in time are counted, and the log says so once.
 * Context: boot cpu only, once, after serial_init() and irq_init(). Sleeps: no.
 * Returns: 0, -ENODEV (serial_init() found no port).
 */
int serial_start_input(void);
