// SPDX-License-Identifier: MIT
/*
 * Spinners that may run on any core: does each get its share?
 *
 *     shares [SPINNERS [SECONDS]]     (100 for 20 s)
 *
 * They are started, sleep until all are there, spin until a common end, and tell how long they ran,
 * how many slices they used up (ru_nivcsw), where they were, and how often they were moved.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "start.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_US 1000
enum { IN = 3, OUT = 4, ROUNDS = 500, SPINNERS_MAX = 500 };
#define ALL_ARE_ASLEEP_NS (5 * NS_PER_S) /* by then; looked at again, below */

struct window {
    int64_t start, end; /* ns of the monotonic clock */
};

/* What a spinner tells. */
struct report {
    int number;
    unsigned core, moves;
    int64_t used_us, elapsed_us, slices;
};

static int64_t now_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

static unsigned core_now(void)
{
    unsigned core = 0;
    (void)syscall(SYS_getcpu, &core, NULL, NULL);
    return core;
}

static int64_t used_us(const struct rusage *usage)
{
    return usage->ru_utime.tv_sec * INT64_C(1000000) + usage->ru_utime.tv_usec;
}

/* ---- a spinner ------------------------------------------------------------------------------- */

static void sleep_until(int64_t ns)
{
    struct timespec at = {ns / NS_PER_S, ns % NS_PER_S};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static int spinner(int number)
{
    struct window window;
    struct rusage before, after;
    if (read(IN, &window, sizeof(window)) != sizeof(window))
        return 1;
    sleep_until(window.start);
    struct report report = {.number = number, .core = core_now()};
    int64_t start = now_ns(), now;
    MUST(getrusage(RUSAGE_SELF, &before));
    do {
        for (volatile int i = 0; i < ROUNDS; i++) {
        }
        unsigned core = core_now();
        report.moves += core != report.core;
        report.core = core;
        now = now_ns();
    } while (now < window.end);
    MUST(getrusage(RUSAGE_SELF, &after));
    report.elapsed_us = (now - start) / NS_PER_US;
    report.used_us = used_us(&after) - used_us(&before);
    report.slices = after.ru_nivcsw - before.ru_nivcsw;
    return write(OUT, &report, sizeof(report)) == sizeof(report) ? 0 : 1;
}

/* ---- the parent ------------------------------------------------------------------------------ */

/* Returns: the descriptor from which the reports come; *gate is where the windows go in. */
static int start_all(const char *self, int spinners, int *gate)
{
    int in[2], out[2];
    MUST(pipe(in));  /* 3 and 4 */
    MUST(pipe(out)); /* 5 and 6 */
    *gate = MUST(fcntl(in[1], F_DUPFD_CLOEXEC, 10));
    int reports = MUST(fcntl(out[0], F_DUPFD_CLOEXEC, 10));
    MUST(dup2(out[1], OUT));
    (void)close(out[0]);
    (void)close(out[1]);
    for (int i = 0; i < spinners; i++) {
        char word[16];
        (void)snprintf(word, sizeof(word), "%d", i);
        (void)start_self(self, "spinner", word);
    }
    (void)close(IN);
    (void)close(OUT);
    return reports;
}

static void show(const struct report *report)
{
    (void)printf("spinner %d: ran %lld us of %lld us, %lld slices, core %u, %u moves\n",
                 report->number, (long long)report->used_us, (long long)report->elapsed_us,
                 (long long)report->slices, report->core, report->moves);
}

int main(int argc, char **argv)
{
    report_by_lines();
    if (argc == 3 && strcmp(argv[1], "spinner") == 0)
        return spinner(atoi(argv[2]));
    int spinners = argc > 1 ? atoi(argv[1]) : 100;
    int seconds = argc > 2 ? atoi(argv[2]) : 20;
    if (spinners < 1 || spinners > SPINNERS_MAX)
        report_broken("SPINNERS");
    int gate, reports = start_all(argv[0], spinners, &gate);
    int64_t start = now_ns() + ALL_ARE_ASLEEP_NS;
    struct window window = {start, start + seconds * NS_PER_S};
    for (int i = 0; i < spinners; i++)
        MUST(write(gate, &window, sizeof(window)));
    if (now_ns() >= window.start)
        report_broken("they could not all be told in time");
    struct report report;
    int told = 0, failed = 0, status;
    for (; read(reports, &report, sizeof(report)) == sizeof(report); told++)
        show(&report);
    while (wait(&status) > 0)
        failed += status != 0;
    (void)printf("%d of %d told, %d failed\n", told, spinners, failed);
    return told == spinners && failed == 0 ? 0 : 1;
}
