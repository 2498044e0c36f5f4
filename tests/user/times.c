// SPDX-License-Identifier: MIT
/* Clocks go on and never back; a sleep is as long as was asked for, or longer. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "report.h"

#define NS_PER_S INT64_C(1000000000)
enum { READINGS = 20000 };

static const struct clock {
    const char *name;
    clockid_t id;
} CLOCKS[] = {
    {"REALTIME", CLOCK_REALTIME},
    {"MONOTONIC", CLOCK_MONOTONIC},
    {"MONOTONIC_RAW", CLOCK_MONOTONIC_RAW},
    {"MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE},
    {"BOOTTIME", CLOCK_BOOTTIME},
    {"PROCESS_CPUTIME", CLOCK_PROCESS_CPUTIME_ID},
    {"THREAD_CPUTIME", CLOCK_THREAD_CPUTIME_ID},
};
enum { CLOCK_COUNT = sizeof(CLOCKS) / sizeof(CLOCKS[0]) };

static int64_t now(clockid_t clock)
{
    struct timespec time;
    MUST(clock_gettime(clock, &time));
    if (time.tv_nsec < 0 || time.tv_nsec >= NS_PER_S)
        report_broken("a time of more than a second's nanoseconds");
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

static void clocks(void)
{
    for (int i = 0; i < CLOCK_COUNT; i++) {
        struct timespec resolution;
        int64_t first = now(CLOCKS[i].id), last = first;
        bool back = false;
        for (int reading = 0; reading < READINGS || last == first; reading++) {
            int64_t next = now(CLOCKS[i].id);
            back |= next < last;
            last = next;
        }
        MUST(clock_getres(CLOCKS[i].id, &resolution));
        (void)printf("%s: %s, %s, resolution %s\n", CLOCKS[i].name,
                     last > first ? "goes on" : "STANDS", back ? "went BACK" : "never back",
                     resolution.tv_sec == 0 && resolution.tv_nsec > 0 ? "sane" : "INSANE");
    }
}

static void other_clocks(void)
{
    struct timeval of_day;
    int64_t before = now(CLOCK_REALTIME) / 1000;
    SHOW(syscall(SYS_gettimeofday, &of_day, NULL));
    int64_t between = of_day.tv_sec * INT64_C(1000000) + of_day.tv_usec;
    HOLDS(before <= between && between <= now(CLOCK_REALTIME) / 1000);
    SHOW(syscall(SYS_gettimeofday, NULL, NULL));
    SHOW(syscall(SYS_gettimeofday, NOWHERE, NULL));
    HOLDS(time(NULL) >= between / 1000000);
    HOLDS(clock() > 0);
}

static void span(int64_t ns)
{
    struct timespec wanted = {ns / NS_PER_S, ns % NS_PER_S};
    int64_t start = now(CLOCK_MONOTONIC);
    int result = nanosleep(&wanted, NULL);
    int64_t slept = now(CLOCK_MONOTONIC) - start;
    (void)printf("nanosleep of %ld ns: %d, %s\n", (long)ns, result,
                 slept < ns                  ? "TOO SHORT"
                 : slept > ns + 5 * NS_PER_S ? "FAR TOO LONG"
                                             : "long enough");
}

static void sleeping(void)
{
    span(0);
    span(1);
    span(50000);
    span(1000000);
    span(30000000);
    span(300000000);
    int64_t used = now(CLOCK_PROCESS_CPUTIME_ID);
    span(200000000);
    HOLDS(now(CLOCK_PROCESS_CPUTIME_ID) - used < 100000000); /* a sleeper uses no time */

    int64_t start = now(CLOCK_MONOTONIC), until = start + 20000000;
    struct timespec at = {until / NS_PER_S, until % NS_PER_S}, past = {0, 1};
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
    HOLDS(now(CLOCK_MONOTONIC) >= until);
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL));
    SHOW(usleep(1000));
    SHOW(sleep(0));
}

static void errors(void)
{
    struct timespec times[] = {{0, NS_PER_S}, {0, -1}, {-1, 0}};
    for (int i = 0; i < 3; i++) {
        SHOW(syscall(SYS_nanosleep, &times[i], NULL));
        SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &times[i], NULL));
    }
    times[0].tv_nsec = 1;
    SHOW(syscall(SYS_nanosleep, NOWHERE, NULL));
    SHOW(syscall(SYS_nanosleep, NULL, NULL));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, NOWHERE, NULL));
    SHOW(syscall(SYS_clock_nanosleep, 99, 0, &times[0], NULL));
    SHOW(syscall(SYS_clock_gettime, 99, &times[0]));
    SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, NOWHERE));
    SHOW(syscall(SYS_clock_getres, 99, NULL));
    SHOW(syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL));
    SHOW(syscall(SYS_clock_getres, CLOCK_MONOTONIC, NOWHERE));
}

int main(void)
{
    report_by_lines();
    clocks();
    other_clocks();
    sleeping();
    errors();
    return 23;
}
