// SPDX-License-Identifier: MIT
/*
 * The file of the real-time clock. Its interrupts are counted in one word, which a read takes
 * whole.
 */
#include "fs/rtc_device.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/device.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/rtc.h"
#include "sched/mutex.h"
#include "sched/wait.h"
#include "vm/user_copy.h"

enum {
    RTC_MAJOR = 10,
    RTC_MINOR = 135,
    RATE_FIRST = 64, /* Hz, until somebody sets another one */
    COUNT_SHIFT = 8,
    YEAR_BASE = 1900,
};

/* linux/rtc.h */
#define RTC_PIE_ON 0x7005u
#define RTC_PIE_OFF 0x7006u
#define RTC_RD_TIME 0x80247009u
#define RTC_IRQP_READ 0x8008700bu
#define RTC_IRQP_SET 0x4008700cu

struct linux_rtc_time {
    int32_t sec, min, hour, mday, mon, year, wday, yday, isdst;
};
_Static_assert(sizeof(struct linux_rtc_time) == 0x24, "as RTC_RD_TIME says");

static struct mutex rtc_mutex = MUTEX(rtc_mutex);
static bool is_open;               /* L: rtc_mutex, as the two below */
static bool is_on;                 /* its interrupts come */
static unsigned rate = RATE_FIRST; /* Hz */
static _Atomic uint64_t count;     /* interrupts that no read has told of */
static struct wait_queue readers = WAIT_QUEUE(readers);

/* Context: hardirq. */
static void tick(uint8_t flags)
{
    (void)flags; /* periodic interrupts are the only ones that are on */
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    wake_all(&readers);
}

static bool take_count(void *taken)
{
    *(uint64_t *)taken = atomic_exchange_explicit(&count, 0, memory_order_relaxed);
    return *(uint64_t *)taken != 0;
}

static long rtc_read(struct file *file, uint64_t *position, uintptr_t buf, size_t size)
{
    bool waits = (file_flags(file) & O_NONBLOCK) == 0;
    uint64_t taken;
    (void)position;
    if (size < sizeof(uint32_t))
        return -EINVAL;
    if (!wait_for(&readers, take_count, &taken, waits ? WAIT_FOR_EVER : 0))
        return -EAGAIN;
    uint64_t value = taken << COUNT_SHIFT | RTC_FLAG_IRQ | RTC_FLAG_PERIODIC;
    size_t bytes = size < sizeof(value) ? sizeof(uint32_t) : sizeof(value);
    if (copy_to_user(buf, &value, bytes) == 0)
        return (long)bytes;
    atomic_fetch_add_explicit(&count, taken, memory_order_relaxed);
    return -EFAULT;
}

static long tell_time(uintptr_t arg)
{
    struct rtc_time now;
    int error = rtc_registered()->read(&now);
    if (error != 0)
        return error;
    const struct linux_rtc_time told = {
        .sec = (int32_t)now.second,
        .min = (int32_t)now.minute,
        .hour = (int32_t)now.hour,
        .mday = (int32_t)now.day,
        .mon = (int32_t)now.month - 1,
        .year = (int32_t)now.year - YEAR_BASE,
        .wday = (int32_t)rtc_time_weekday(&now),
        .yday = (int32_t)rtc_time_yearday(&now),
    };
    return copy_to_user(arg, &told, sizeof(told));
}

/* Locks: caller holds rtc_mutex, here and below. */
static int switch_on(bool on)
{
    int error = rtc_registered()->set_rate(on ? rate : 0, tick);
    if (error == 0)
        is_on = on;
    return error;
}

static int change_rate(uintptr_t hz)
{
    if (hz < RTC_RATE_MIN || hz > RTC_RATE_MAX || (hz & (hz - 1)) != 0)
        return -EINVAL;
    rate = (unsigned)hz;
    return is_on ? switch_on(true) : 0;
}

static long do_ioctl(unsigned command, uintptr_t arg)
{
    const uint64_t hz = rate;
    switch (command) {
    case RTC_RD_TIME:
        return tell_time(arg);
    case RTC_IRQP_READ:
        return copy_to_user(arg, &hz, sizeof(hz));
    case RTC_IRQP_SET:
        return change_rate(arg);
    case RTC_PIE_ON:
    case RTC_PIE_OFF:
        return switch_on(command == RTC_PIE_ON);
    default:
        return -ENOTTY;
    }
}

static long rtc_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
    (void)file;
    mutex_lock(&rtc_mutex);
    long result = do_ioctl(command, arg);
    mutex_unlock(&rtc_mutex);
    return result;
}

static void rtc_release(struct file *file)
{
    (void)file;
    mutex_lock(&rtc_mutex);
    (void)switch_on(false);
    rate = RATE_FIRST;
    atomic_store_explicit(&count, 0, memory_order_relaxed);
    is_open = false;
    mutex_unlock(&rtc_mutex);
}

static int rtc_open(void *data, unsigned flags, struct file **file)
{
    static const struct file_ops ops = {
        .read = rtc_read, .ioctl = rtc_ioctl, .release = rtc_release};
    (void)data;
    mutex_lock(&rtc_mutex);
    int error = is_open ? -EBUSY : 0;
    is_open = true;
    mutex_unlock(&rtc_mutex);
    if (error != 0)
        return error;
    *file = file_create(&ops, NULL, flags);
    if (*file != NULL)
        return 0;
    mutex_lock(&rtc_mutex);
    is_open = false;
    mutex_unlock(&rtc_mutex);
    return -ENOMEM;
}

int rtc_device_init(void)
{
    if (rtc_registered() == NULL)
        return -ENODEV;
    return fs_register_device("rtc", RTC_MAJOR, RTC_MINOR, rtc_open, NULL);
}
