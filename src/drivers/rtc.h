// SPDX-License-Identifier: MIT
/*
 * The PC's real-time clock (Motorola MC146818 and its heirs), ISA interrupt 8: the date, and
 * periodic interrupts. It registers itself with lib/rtc.h.
 */
#pragma once

/*
 * Find it, set the wall clock (lib/wall_clock.h) by it, and register it.
 * Returns: 0, -ENODEV (none, or one that does not keep time), -EIO (its date makes no sense; it is
 * registered all the same). The log has a line in each case.
 * Context: boot cpu only, once, after irq_init(). Sleeps: no.
 */
int rtc_init(void);
