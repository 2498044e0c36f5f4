// SPDX-License-Identifier: MIT
/*
 * The keyboard at a PC's keyboard controller (i8042): what is typed goes to a console.
 */
#pragma once

struct console;

/*
 * Find the controller, bring it and the keyboard into a known state, and hand what is typed to
 * console_input(console, ...) from now on. Without a console the keyboard is left alone.
 * Returns: 0, -ENODEV (no controller, no interrupt for it, or no console), -EIO (it does not do as
 * it is told). The log has a line in each case but that of no console.
 * Context: boot cpu only, once, after irq_init(). Sleeps: no (spins up to 1 s for a bad device).
 */
int i8042_init(struct console *console);
