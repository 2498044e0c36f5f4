// SPDX-License-Identifier: MIT
/*
 * The PC's old timer (Intel 8254), channel 0: a line_source at ISA interrupt 0.
 */
#pragma once

/*
 * Register it. Returns: 0, -ENODEV (no input for its line, or a counter that does not count).
 * Context: boot cpu only, once, after irq_init(). Sleeps: no.
 */
int pit_init(void);
