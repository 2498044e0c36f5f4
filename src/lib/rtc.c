// SPDX-License-Identifier: MIT
/*
 * The one real-time clock, and the calendar.
 */
#include "lib/rtc.h"

#include <stddef.h>

enum {
    MONTHS = 12,
    DAYS_A_WEEK = 7,
    WEEKDAY_OF_1970 = 4, /* 1970-01-01 was a Thursday */
    YEAR_FIRST = 1970,
    YEAR_LAST = 2399,
    HOURS = 24,
    MINUTES = 60,
    SECONDS = 60,
};

static const struct rtc *registered; /* I: by the boot core, before programs run */

void rtc_register(const struct rtc *rtc)
{
    registered = rtc;
}

const struct rtc *rtc_registered(void)
{
    return registered;
}

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(unsigned month, unsigned year)
{
    static const uint8_t days[MONTHS] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

bool rtc_time_is_valid(const struct rtc_time *time)
{
    return time->year >= YEAR_FIRST && time->year <= YEAR_LAST && time->month >= 1 &&
           time->month <= MONTHS && time->day >= 1 &&
           time->day <= days_in(time->month, time->year) && time->hour < HOURS &&
           time->minute < MINUTES && time->second < SECONDS;
}

unsigned rtc_time_yearday(const struct rtc_time *time)
{
    unsigned days = time->day - 1;
    for (unsigned month = 1; month < time->month; month++)
        days += days_in(month, time->year);
    return days;
}

static uint64_t days_since_1970(const struct rtc_time *time)
{
    uint64_t days = rtc_time_yearday(time);
    for (unsigned year = YEAR_FIRST; year < time->year; year++)
        days += is_leap(year) ? 366 : 365;
    return days;
}

unsigned rtc_time_weekday(const struct rtc_time *time)
{
    return (unsigned)((days_since_1970(time) + WEEKDAY_OF_1970) % DAYS_A_WEEK);
}

uint64_t rtc_time_to_seconds(const struct rtc_time *time)
{
    uint64_t hours = days_since_1970(time) * HOURS + time->hour;
    return (hours * MINUTES + time->minute) * SECONDS + time->second;
}
