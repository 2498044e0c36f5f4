// SPDX-License-Identifier: MIT
/*
 * The registers of an MC146818, and what a reading of them means. Pure functions.
 * Source: Motorola MC146818A data sheet, "Address Map", "Time, Calendar, and Alarm Locations";
 * Intel I/O Controller Hub 9 datasheet, "RTC_REGD: Register D (Flag Register)"
 */
#pragma once

#include <stdint.h>

#include "lib/rtc.h"

/* clang-format off */
enum {
    RTC_SECONDS = 0x00,
    RTC_MINUTES = 0x02,
    RTC_HOURS = 0x04,
        RTC_HOURS_PM = 0x80, /* in 12-hour mode */
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
        RTC_A_UPDATING = 0x80,  /* the time is being updated, or will be within 244 us */
        RTC_A_RATE = 0x0f,      /* of the periodic interrupt: 32768 Hz >> (rate - 1) */
    RTC_B = 0x0b,
        RTC_B_PERIODIC = 0x40,
        RTC_B_ALARM = 0x20,
        RTC_B_UPDATE = 0x10,
        RTC_B_BINARY = 0x04,    /* else two decimal digits in a byte */
        RTC_B_24_HOURS = 0x02,
    RTC_C = 0x0c,               /* reading it takes the interrupt back */
    RTC_D = 0x0d,
        RTC_D_VALID = 0x80,     /* the battery has held */
        RTC_D_ZERO = 0x40,      /* always 0; those below it may be the alarm's day */
};
/* clang-format on */

/* One reading. */
struct rtc_registers {
    uint8_t second, minute, hour, day, month, year;
    uint8_t century; /* 0: there is no such register */
    uint8_t b;
};

/*
 * Returns: 0 and *time; -EIO (no date that there is). Without a century, or with one that makes no
 * sense, years from 70 on are of the 20th century and the others of the 21st.
 */
int rtc_decode(const struct rtc_registers *raw, struct rtc_time *time);

/* The rate's number for `hz`, a power of two from RTC_RATE_MIN to RTC_RATE_MAX; 0: it is none. */
uint8_t rtc_encode_rate(unsigned hz);
