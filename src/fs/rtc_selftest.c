// SPDX-License-Identifier: MIT
/* The real-time clock: its date agrees with the wall clock, and it interrupts as often as asked. */
#include <stdatomic.h>
#include <stddef.h>

#include "arch/arch.h"
#include "lib/errno.h"
#include "lib/rtc.h"
#include "lib/selftest.h"
#include "lib/wall_clock.h"

enum {
    RATE = 512, /* Hz */
    WANTED = 16,
    WAIT_MS = 1000,
    QUIET_US = 4 * 1000000 / RATE,
};
#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

static _Atomic unsigned ticks;
static _Atomic unsigned odd; /* ticks without the flag of one */

static void tick(uint8_t flags)
{
    bool good = (flags & RTC_FLAG_IRQ) != 0 && (flags & RTC_FLAG_PERIODIC) != 0;
    atomic_fetch_add_explicit(good ? &ticks : &odd, 1, memory_order_relaxed);
}

static unsigned count(void)
{
    return atomic_load_explicit(&ticks, memory_order_relaxed);
}

/* The wall clock was set by a reading that was up to a second old. */
static void check_date(const struct rtc *rtc)
{
    struct rtc_time now;
    int error = rtc->read(&now);
    if (!selftest_expect(error == 0, "the clock cannot be read: %d", error))
        return;
    int64_t away = (int64_t)(wall_clock_ns() / NS_PER_S) - (int64_t)rtc_time_to_seconds(&now);
    selftest_expect(away >= -2 && away <= 2,
                    "expected the wall clock within 2 s of the real-time clock, saw %lld s",
                    (long long)away);
}

static void check_rate(const struct rtc *rtc)
{
    int error = rtc->set_rate(RATE, tick);
    uint64_t start = arch_clock_ns();
    while (error == 0 && count() < WANTED && arch_clock_ns() - start < WAIT_MS * NS_PER_MS)
        arch_relax();
    uint64_t ns = arch_clock_ns() - start;
    (void)rtc->set_rate(0, NULL);
    unsigned stopped = count();
    arch_udelay(QUIET_US);
    selftest_expect(error == 0, "the interrupts cannot be started: %d", error);
    selftest_expect(stopped >= WANTED, "expected %d ticks within %d ms, saw %u", WANTED, WAIT_MS,
                    stopped);
    selftest_expect(ns >= (WANTED - 2) * NS_PER_S / RATE,
                    "%d ticks of a %d-th of a second took %llu ns", WANTED, RATE,
                    (unsigned long long)ns);
    selftest_expect(count() == stopped, "ticks after the stop: %u", count() - stopped);
    selftest_expect(atomic_load_explicit(&odd, memory_order_relaxed) == 0, "ticks without a flag");
}

static void test_rtc(void)
{
    const struct rtc *rtc = rtc_registered();
    if (rtc == NULL) {
        selftest_skip("no real-time clock");
        return;
    }
    check_date(rtc);
    selftest_expect(rtc->set_rate(3, tick) == -EINVAL && rtc->set_rate(16384, tick) == -EINVAL,
                    "a rate is taken that there is not");
    check_rate(rtc);
}
SELFTEST("rtc", test_rtc);
