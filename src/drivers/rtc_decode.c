// SPDX-License-Identifier: MIT
/*
 * Digits, hours and centuries, as PCs' clocks have them in several ways.
 */
#include "drivers/rtc_decode.h"

#include "lib/errno.h"

enum {
    NOT_A_NUMBER = 0xffff,
    CENTURY_FIRST = 19,
    CENTURY_LAST = 23,
    YEAR_TURN = 70, /* below it, years of two digits are of the 21st century */
    NOON = 12,
    RATE_FASTEST = 3, /* 8192 Hz */
};

static unsigned number_of(const struct rtc_registers *raw, uint8_t value)
{
    if ((raw->b & RTC_B_BINARY) != 0)
        return value;
    unsigned tens = value >> 4, ones = value & 0x0f;
    return tens > 9 || ones > 9 ? NOT_A_NUMBER : tens * 10 + ones;
}

static unsigned hour_of(const struct rtc_registers *raw)
{
    if ((raw->b & RTC_B_24_HOURS) != 0)
        return number_of(raw, raw->hour);
    unsigned hour = number_of(raw, raw->hour & (uint8_t)~RTC_HOURS_PM);
    if (hour < 1 || hour > NOON)
        return NOT_A_NUMBER;
    return hour % NOON + ((raw->hour & RTC_HOURS_PM) != 0 ? NOON : 0);
}

static unsigned year_of(const struct rtc_registers *raw)
{
    unsigned year = number_of(raw, raw->year), century = number_of(raw, raw->century);
    if (year > 99)
        return NOT_A_NUMBER;
    if (century >= CENTURY_FIRST && century <= CENTURY_LAST)
        return century * 100 + year;
    return year < YEAR_TURN ? 2000 + year : 1900 + year;
}

int rtc_decode(const struct rtc_registers *raw, struct rtc_time *time)
{
    struct rtc_time read = {
        .year = year_of(raw),
        .month = number_of(raw, raw->month),
        .day = number_of(raw, raw->day),
        .hour = hour_of(raw),
        .minute = number_of(raw, raw->minute),
        .second = number_of(raw, raw->second),
    };
    if (!rtc_time_is_valid(&read))
        return -EIO;
    *time = read;
    return 0;
}

uint8_t rtc_encode_rate(unsigned hz)
{
    uint8_t rate = RATE_FASTEST;
    for (unsigned at = RTC_RATE_MAX; at >= RTC_RATE_MIN; at /= 2, rate++) {
        if (at == hz)
            return rate;
    }
    return 0;
}
