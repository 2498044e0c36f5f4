// SPDX-License-Identifier: MIT
/*
 * Linux's clocks. They count from the kernel's entry, but for the wall clock, which has its date
 * from the machine's real-time clock.
 *
 * Context: thread, interrupts on, for all of this file. Sleeps: where the call says so.
 */
#include "arch/arch.h"
#include "lib/errno.h"
#include "lib/wall_clock.h"
#include "sched/thread.h"
#include "syscall/linux.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_US UINT64_C(1000)
#define US_PER_S UINT64_C(1000000)

enum { /* linux/time.h */
       CLOCK_REALTIME = 0,
       CLOCK_MONOTONIC = 1,
       CLOCK_PROCESS_CPUTIME_ID = 2,
       CLOCK_THREAD_CPUTIME_ID = 3,
       CLOCK_MONOTONIC_RAW = 4,
       CLOCK_REALTIME_COARSE = 5,
       CLOCK_MONOTONIC_COARSE = 6,
       CLOCK_BOOTTIME = 7,
       TIMER_ABSTIME = 1,
};

static struct linux_timespec timespec_of(uint64_t ns)
{
    return (struct linux_timespec){.tv_sec = (int64_t)(ns / (uint64_t)NS_PER_S),
                                   .tv_nsec = (int64_t)(ns % (uint64_t)NS_PER_S)};
}

/* Returns: 0 and *ns; -EINVAL if there is no such clock. */
static int read_clock(int clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *ns = wall_clock_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *ns = arch_clock_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID: /* a process has one thread */
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = thread_usage().ran_ns;
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_clock_gettime(int clock, uintptr_t time)
{
    uint64_t ns;
    int error = read_clock(clock, &ns);
    if (error != 0)
        return error;
    struct linux_timespec now = timespec_of(ns);
    return copy_to_user(time, &now, sizeof(now));
}

long sys_clock_getres(int clock, uintptr_t resolution)
{
    uint64_t ns;
    int error = read_clock(clock, &ns);
    const struct linux_timespec one_ns = {.tv_nsec = 1};
    if (error != 0 || resolution == 0)
        return error;
    return copy_to_user(resolution, &one_ns, sizeof(one_ns));
}

long sys_gettimeofday(uintptr_t time, uintptr_t zone)
{
    static const int32_t utc[2];
    uint64_t us = wall_clock_ns() / NS_PER_US;
    const struct linux_timeval now = {.tv_sec = (int64_t)(us / US_PER_S),
                                      .tv_usec = (int64_t)(us % US_PER_S)};
    int error = time != 0 ? copy_to_user(time, &now, sizeof(now)) : 0;
    if (error == 0 && zone != 0)
        error = copy_to_user(zone, utc, sizeof(utc));
    return error;
}

/* Returns: 0 and *ns, which is as large as it gets where the time does not fit; -EFAULT, -EINVAL.
 */
static int get_span(uintptr_t from, uint64_t *ns)
{
    struct linux_timespec time;
    if (copy_from_user(&time, from, sizeof(time)) != 0)
        return -EFAULT;
    if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= NS_PER_S)
        return -EINVAL;
    if (time.tv_sec >= INT64_MAX / NS_PER_S)
        *ns = INT64_MAX;
    else
        *ns = (uint64_t)(time.tv_sec * NS_PER_S + time.tv_nsec);
    return 0;
}

/* Nothing interrupts a sleep, so what would remain is never written. */
long sys_nanosleep(uintptr_t span, uintptr_t remaining)
{
    (void)remaining;
    uint64_t ns;
    int error = get_span(span, &ns);
    if (error == 0)
        thread_sleep(ns);
    return error;
}

long sys_clock_nanosleep(int clock, int flags, uintptr_t span, uintptr_t remaining)
{
    (void)remaining;
    uint64_t now, ns;
    int error = read_clock(clock, &now);
    if (error != 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL; /* who sleeps uses up no time of these two */
    error = get_span(span, &ns);
    if (error != 0)
        return error;
    if ((flags & TIMER_ABSTIME) != 0)
        ns = ns > now ? ns - now : 0;
    if (ns > 0)
        thread_sleep(ns);
    return 0;
}
