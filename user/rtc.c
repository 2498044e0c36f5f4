// SPDX-License-Identifier: MIT
/*
 * rtc [HZ [SECONDS]]: the date of the real-time clock, and how many of its periodic interrupts, HZ
 * (64) times a second, come in SECONDS (2). It runs on Linux, too. Interrupts that stay away for
 * 2 s, as where the clock's line is not connected, are an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "number.h"
#include "output.h"

/* linux/rtc.h, which musl does not bring. */
struct rtc_time {
    int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
};
#define RTC_PIE_ON _IO('p', 0x05)
#define RTC_PIE_OFF _IO('p', 0x06)
#define RTC_RD_TIME _IOR('p', 0x09, struct rtc_time)
#define RTC_IRQP_SET _IOW('p', 0x0c, unsigned long)

enum { NS_PER_S = 1000000000, COUNT_SHIFT = 8, PATIENCE_S = 2, LOOK_NS = 1000000 };

static long long now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int fail(const char *what)
{
    fprintf(stderr, "rtc: %s: %s\n", what, strerror(errno));
    return 1;
}

static int show_time(int clock)
{
    struct rtc_time t;
    if (ioctl(clock, RTC_RD_TIME, &t) != 0)
        return fail("reading the time");
    printf("%04d-%02d-%02d %02d:%02d:%02d UTC\n", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
           t.tm_hour, t.tm_min, t.tm_sec);
    fflush(stdout);
    return 0;
}

/* Take what has come since the last read, or wait for one. The file does not block, since nobody
 * else would end the wait for a line that is dead. Returns: false with errno. */
static bool wait_ticks(int clock, unsigned long *value)
{
    long long deadline = now_ns() + (long long)PATIENCE_S * NS_PER_S;
    while (read(clock, value, sizeof(*value)) != sizeof(*value)) {
        if (errno != EAGAIN)
            return false;
        errno = ETIMEDOUT;
        if (now_ns() > deadline)
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return true;
}

/* One read tells of all interrupts since the one before. */
static int count_ticks(int clock, int hz, int seconds)
{
    unsigned long long count = 0, reads = 0;
    unsigned long value;
    if (ioctl(clock, RTC_IRQP_SET, (unsigned long)hz) != 0)
        return fail("setting the rate");
    if (ioctl(clock, RTC_PIE_ON) != 0)
        return fail("starting the interrupts");
    if (!wait_ticks(clock, &value)) /* begin at one */
        return fail("waiting for the first interrupt");
    long long begin = now_ns(), end = begin;
    while (end - begin < (long long)seconds * NS_PER_S) {
        if (!wait_ticks(clock, &value))
            return fail("waiting for an interrupt");
        count += value >> COUNT_SHIFT;
        reads++;
        end = now_ns();
    }
    (void)ioctl(clock, RTC_PIE_OFF);
    long long ms = (end - begin) / 1000000;
    printf("%d Hz: %llu interrupts in %lld.%03lld s, %llu reads\n", hz, count, ms / 1000, ms % 1000,
           reads);
    return 0;
}

int main(int argc, char **argv)
{
    int hz = 64, seconds = 2;
    if (argc > 3 || (argc > 1 && !read_number(argv[1], &hz)) ||
        (argc > 2 && !read_number(argv[2], &seconds)) || seconds < 0) {
        fprintf(stderr, "usage: rtc [HZ [SECONDS]]\n");
        return 2;
    }
    int clock = open("/dev/rtc", O_RDONLY | O_NONBLOCK);
    if (clock < 0)
        return fail("/dev/rtc");
    bool good = show_time(clock) == 0 && count_ticks(clock, hz, seconds) == 0;
    return bring_output_out("rtc") && good ? 0 : 1;
}
