// SPDX-License-Identifier: MIT
/* links: src/drivers/rtc.c src/drivers/rtc_decode.c src/lib/rtc.c src/lib/wall_clock.c */
/*
 * The calendar against the C library's; the clock's notations; and the driver against a model of an
 * MC146818 that updates its time in the midst of a reading.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/rtc.h"
#include "drivers/rtc_decode.h"
#include "irq/irq.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/wall_clock.h"

/* ---- the calendar ---------------------------------------------------------------------------- */

static void test_calendar(void **state)
{
    (void)state;
    for (int64_t at = 0; at < INT64_C(13569465600); at += 86400 - 1) { /* to the year 2400 */
        time_t seconds = (time_t)at;
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        struct rtc_time time = {.year = (unsigned)tm.tm_year + 1900,
                                .month = (unsigned)tm.tm_mon + 1,
                                .day = (unsigned)tm.tm_mday,
                                .hour = (unsigned)tm.tm_hour,
                                .minute = (unsigned)tm.tm_min,
                                .second = (unsigned)tm.tm_sec};
        assert_true(rtc_time_is_valid(&time));
        assert_int_equal(rtc_time_to_seconds(&time), at);
        assert_int_equal(rtc_time_weekday(&time), tm.tm_wday);
        assert_int_equal(rtc_time_yearday(&time), tm.tm_yday);
    }
}

static void test_no_dates(void **state)
{
    static const struct rtc_time wrong[] = {
        {1969, 12, 31, 0, 0, 0}, {2400, 1, 1, 0, 0, 0},     {2026, 0, 1, 0, 0, 0},
        {2026, 13, 1, 0, 0, 0},  {2026, 1, 0, 0, 0, 0},     {2026, 1, 32, 0, 0, 0},
        {2026, 2, 29, 0, 0, 0},  {2100, 2, 29, 0, 0, 0},    {2026, 4, 31, 0, 0, 0},
        {2026, 1, 1, 24, 0, 0},  {2026, 1, 1, 0, 60, 0},    {2026, 1, 1, 0, 0, 60},
        {2026, 255, 1, 0, 0, 0}, {2026, 1, 1, 65535, 0, 0},
    };
    static const struct rtc_time leap = {2000, 2, 29, 23, 59, 59};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(rtc_time_is_valid(&wrong[i]));
    assert_true(rtc_time_is_valid(&leap));
}

/* ---- notations ------------------------------------------------------------------------------- */

static struct rtc_time decoded(struct rtc_registers raw)
{
    struct rtc_time time = {0};
    assert_int_equal(rtc_decode(&raw, &time), 0);
    return time;
}

enum { DECIMAL_24 = RTC_B_24_HOURS, BINARY_24 = RTC_B_24_HOURS | RTC_B_BINARY };

static void test_notations(void **state)
{
    (void)state;
    struct rtc_registers decimal = {0x59, 0x40, 0x23, 0x31, 0x12, 0x26, 0x20, DECIMAL_24};
    struct rtc_registers binary = {59, 40, 23, 31, 12, 26, 20, BINARY_24};
    struct rtc_time time = decoded(decimal), same = decoded(binary);
    assert_memory_equal(&time, &same, sizeof(time));
    assert_int_equal(time.year, 2026);
    assert_int_equal(time.month, 12);
    assert_int_equal(time.day, 31);
    assert_int_equal(time.hour, 23);
    assert_int_equal(time.minute, 40);
    assert_int_equal(time.second, 59);
}

static void test_twelve_hours(void **state)
{
    static const uint8_t hours[] = {0x12, 0x01, 0x11, 0x92, 0x81, 0x91};
    static const unsigned wanted[] = {0, 1, 11, 12, 13, 23};
    (void)state;
    for (size_t i = 0; i < sizeof(hours); i++) {
        struct rtc_registers raw = {0, 0, hours[i], 1, 1, 0x26, 0x20, 0};
        assert_int_equal(decoded(raw).hour, wanted[i]);
    }
    struct rtc_registers binary = {0, 0, 0x8b, 1, 1, 26, 20, RTC_B_BINARY};
    assert_int_equal(decoded(binary).hour, 23);
}

static void test_centuries(void **state)
{
    static const struct {
        uint8_t century, year;
        unsigned wanted;
    } cases[] = {{0, 0x26, 2026},    {0, 0x69, 2069},    {0, 0x70, 1970},    {0x19, 0x99, 1999},
                 {0x20, 0x99, 2099}, {0x21, 0x00, 2100}, {0xff, 0x26, 2026}, {0x50, 0x26, 2026}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rtc_registers raw = {0, 0, 0, 1, 1, cases[i].year, cases[i].century, DECIMAL_24};
        assert_int_equal(decoded(raw).year, cases[i].wanted);
    }
}

static void test_nonsense(void **state)
{
    static const struct rtc_registers raws[] = {
        {0x5a, 0, 0, 1, 1, 0x26, 0x20, DECIMAL_24},
        {0x60, 0, 0, 1, 1, 0x26, 0x20, DECIMAL_24},
        {0, 0, 0x24, 1, 1, 0x26, 0x20, DECIMAL_24},
        {0, 0, 0x13, 1, 1, 0x26, 0x20, 0},
        {0, 0, 0x00, 1, 1, 0x26, 0x20, 0},
        {0, 0, 0, 0, 1, 0x26, 0x20, DECIMAL_24},
        {0, 0, 0, 1, 0, 0x26, 0x20, DECIMAL_24},
        {0, 0, 0, 0x30, 2, 0x26, 0x20, DECIMAL_24},
        {0, 0, 0, 1, 1, 100, 20, BINARY_24},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++) {
        struct rtc_time time = {.year = 1};
        assert_int_equal(rtc_decode(&raws[i], &time), -EIO);
        assert_int_equal(time.year, 1);
    }
}

static void test_rates(void **state)
{
    (void)state;
    assert_int_equal(rtc_encode_rate(8192), 3);
    assert_int_equal(rtc_encode_rate(1024), 6);
    assert_int_equal(rtc_encode_rate(2), 15);
    for (unsigned hz = 0; hz < 20000; hz++) {
        uint8_t rate = rtc_encode_rate(hz);
        if (rate != 0)
            assert_int_equal(32768u >> (rate - 1), hz);
    }
    assert_int_equal(rtc_encode_rate(0), 0);
    assert_int_equal(rtc_encode_rate(16384), 0);
}

/* ---- the driver ------------------------------------------------------------------------------ */

static struct model {
    bool absent, always_updating, torn;
    unsigned reads;
    uint8_t index, a, b, c, second;
    uint8_t d; /* but for the bit that says that the battery has held */
} model;

static irq_handler *handler;
static void *handler_dev;
static int request_result;
static unsigned ticks;

bool arch_may_have(enum arch_legacy device)
{
    assert_int_equal(device, ARCH_LEGACY_RTC);
    return !model.absent;
}

uint8_t arch_rtc_century_index(void)
{
    return 0x32;
}

void io_out8(uint16_t port, uint8_t value)
{
    if (port == 0x70) {
        assert_int_equal(value & 0x80, 0); /* NMIs are not held back */
        model.index = value;
    } else if (model.index == RTC_A) {
        model.a = value;
    } else {
        assert_int_equal(model.index, RTC_B);
        model.b = value;
    }
}

/* 2026-11-26 05:59:59, and then 06:00:00; a torn reading has the old hour with the new minute. */
uint8_t io_in8(uint16_t port)
{
    assert_int_equal(port, 0x71);
    model.reads++;
    if (model.torn && model.index == RTC_MINUTES)
        model.torn = false, model.second = 0;
    bool later = model.second == 0;
    switch (model.index) {
    case RTC_SECONDS:
        return later ? 0x00 : 0x59;
    case RTC_MINUTES:
        return later ? 0x00 : 0x59;
    case RTC_HOURS:
        return later ? 0x06 : 0x05;
    case RTC_DAY:
        return 0x26;
    case RTC_MONTH:
        return 0x11;
    case RTC_YEAR:
        return 0x26;
    case 0x32:
        return 0x20;
    case RTC_A:
        return model.a | (model.always_updating ? RTC_A_UPDATING : 0);
    case RTC_B:
        return model.b;
    case RTC_C: {
        uint8_t c = model.c;
        model.c = 0;
        return c;
    }
    default:
        assert_int_equal(model.index, RTC_D);
        return RTC_D_VALID | model.d;
    }
}

int irq_of_isa(uint8_t isa_irq)
{
    assert_int_equal(isa_irq, 8);
    return 8;
}

int request_irq(uint32_t irq, irq_handler *function, unsigned flags, const char *name, void *dev)
{
    (void)flags, (void)name;
    assert_int_equal(irq, 8);
    assert_int_equal(model.b & RTC_B_PERIODIC, 0);
    handler = request_result == 0 ? function : NULL;
    handler_dev = dev;
    return request_result;
}

int free_irq(uint32_t irq, void *dev)
{
    assert_int_equal(irq, 8);
    assert_ptr_equal(dev, handler_dev);
    assert_int_equal(model.b & RTC_B_PERIODIC, 0);
    handler = NULL;
    return 0;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    (void)level, (void)fmt;
}

void spin_lock(struct spinlock *lock)
{
    assert_false(lock->taken);
    lock->taken = true;
}

static void tick(uint8_t flags)
{
    assert_int_equal(flags, RTC_FLAG_IRQ | RTC_FLAG_PERIODIC);
    ticks++;
}

static const struct model fresh = {.a = 0x26, .b = DECIMAL_24 | RTC_B_ALARM, .second = 59};

static void test_absent_or_stuck(void **state)
{
    (void)state;
    model = fresh;
    model.absent = true;
    assert_int_equal(rtc_init(), -ENODEV);
    assert_null(rtc_registered());
    model = fresh;
    model.d = 0x7f; /* a bus without a device */
    assert_int_equal(rtc_init(), -ENODEV);
    assert_null(rtc_registered());
    model = fresh;
    model.always_updating = true;
    uint64_t before = fake_ticks;
    assert_int_equal(rtc_init(), -EIO);
    assert_true(fake_ticks - before < 100000000); /* ns */
}

static void test_reading(void **state)
{
    struct rtc_time time;
    (void)state;
    model = fresh;
    model.d = 31; /* the alarm's day, which chipsets keep there */
    assert_int_equal(rtc_init(), 0);
    assert_int_equal(model.b, DECIMAL_24); /* no interrupt but those that are asked for */
    assert_int_equal(wall_clock_ns() / 1000000000,
                     1795672799); /* date -d 2026-11-26T05:59:59Z +%s */
    model.torn = true;
    assert_int_equal(rtc_registered()->read(&time), 0);
    assert_int_equal(time.hour, 6); /* not 6:00:59, of two moments */
    assert_int_equal(time.minute, 0);
    assert_int_equal(time.second, 0);
}

static void test_ticks(void **state)
{
    const struct rtc *rtc = rtc_registered();
    (void)state;
    model = fresh;
    model.b = DECIMAL_24;
    assert_int_equal(rtc->set_rate(100, tick), -EINVAL);
    request_result = -EBUSY;
    assert_int_equal(rtc->set_rate(64, tick), -ENODEV);
    assert_int_equal(model.b & RTC_B_PERIODIC, 0);
    request_result = 0;
    model.c = 0xc0; /* an old one */
    assert_int_equal(rtc->set_rate(64, tick), 0);
    assert_int_equal(model.a & RTC_A_RATE, 10);
    assert_int_equal(model.a & 0x70, 0x20); /* the divider stays */
    assert_int_equal(model.b & RTC_B_PERIODIC, RTC_B_PERIODIC);
    assert_int_equal(model.c, 0);
    assert_int_equal(handler(8, handler_dev), IRQ_NONE);
    model.c = 0xc0;
    assert_int_equal(handler(8, handler_dev), IRQ_HANDLED);
    assert_int_equal(ticks, 1);
    assert_int_equal(rtc->set_rate(1024, tick), 0); /* while they come */
    assert_int_equal(model.a & RTC_A_RATE, 6);
    assert_int_equal(rtc->set_rate(0, NULL), 0);
    assert_null(handler);
    assert_int_equal(rtc->set_rate(0, NULL), 0); /* again is nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar),  cmocka_unit_test(test_no_dates),
        cmocka_unit_test(test_notations), cmocka_unit_test(test_twelve_hours),
        cmocka_unit_test(test_centuries), cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_rates),     cmocka_unit_test(test_absent_or_stuck),
        cmocka_unit_test(test_reading),   cmocka_unit_test(test_ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
