// SPDX-License-Identifier: MIT
/*
 * Real-time clocks: what a driver offers (struct rtc), and the arithmetic of dates. Who wants one
 * asks for rtc_registered(); there is one at most.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A date and time of day, in UTC, by the Gregorian calendar. */
struct rtc_time {
    unsigned year;   /* 1970..2399 */
    unsigned month;  /* 1..12 */
    unsigned day;    /* 1..31 */
    unsigned hour;   /* 0..23 */
    unsigned minute; /* 0..59 */
    unsigned second; /* 0..59 */
};

/* Flags of an interrupt, as the MC146818's register C and Linux's /dev/rtc have them. */
enum { RTC_FLAG_IRQ = 0x80, RTC_FLAG_PERIODIC = 0x40 };

enum { RTC_RATE_MIN = 2, RTC_RATE_MAX = 8192 }; /* Hz; powers of two alone */

struct rtc {
    /* Returns: 0, -EIO (it does not let itself be read, or says nonsense). Context: thread. */
    int (*read)(struct rtc_time *time);
    /*
     * Interrupt `hz` times a second from now on, and call tick(flags) each time, in hardirq; 0: no
     * more, and no tick() runs when this returns. Returns: 0, -EINVAL (hz is not a power of two
     * from RTC_RATE_MIN to RTC_RATE_MAX), -ENODEV (it has no interrupt). Context: thread; one at a
     * time.
     */
    int (*set_rate)(unsigned hz, void (*tick)(uint8_t flags));
};

/* Make the clock known. Context: boot cpu only, once. */
void rtc_register(const struct rtc *rtc);

/* The clock, or NULL. Context: any. */
const struct rtc *rtc_registered(void);

/* ---- dates: pure ----------------------------------------------------------------------------- */

/* Is it a date that there is, or was? */
bool rtc_time_is_valid(const struct rtc_time *time);

/* Seconds from 1970-01-01 00:00 to a valid `time`. */
uint64_t rtc_time_to_seconds(const struct rtc_time *time);

/* Day of the week, 0 (Sunday)..6, and of the year, 0..365, of a valid `time`. */
unsigned rtc_time_weekday(const struct rtc_time *time);
unsigned rtc_time_yearday(const struct rtc_time *time);
