// SPDX-License-Identifier: MIT
/*
 * /dev/rtc: the real-time clock as a file, as on Linux (rtc(4)).
 *
 *     read    waits for the next periodic interrupt; 8 bytes (or 4): how many came since the last
 *             read, shifted left by 8, and the flags of the last one. -EAGAIN with O_NONBLOCK,
 *             -EINVAL (size below 4), -EFAULT (they are counted by the next read)
 *     ioctl   RTC_RD_TIME, RTC_IRQP_READ, RTC_IRQP_SET (a power of two, 2 to 8192 Hz; -EINVAL),
 *             RTC_PIE_ON, RTC_PIE_OFF (-ENODEV: it has no interrupt); else -ENOTTY
 *
 * One at a time may have it open: -EBUSY.
 */
#pragma once

/*
 * Make the device known, if there is a clock. Returns: 0, -ENODEV, or as fs_register_device().
 * Context: boot cpu only, before fs_create_devices().
 */
int rtc_device_init(void);
