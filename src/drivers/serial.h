// SPDX-License-Identifier: MIT
/*
 * The first serial port (COM1) as a console: output, polled.
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
