// SPDX-License-Identifier: MIT
/*
 * What the test programs with a libc share: they tell what calls gave, a line each, so that the
 * same program's output on Linux and on Carillon can be compared. What may differ (process numbers,
 * addresses, times) is not printed as it is, but as what holds of it.
 */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The call as it is written, and the number that it gave, or the error. */
#define SHOW(call) report_result(#call, (long)(call))

/* The same of a call whose number means nothing, such as a descriptor: `ok`, or the error. */
#define SHOW_OK(call) report_ok(#call, (long)(call))

/* What should hold, and whether it does. */
#define HOLDS(condition) (void)printf("%s: %s\n", #condition, (condition) ? "yes" : "NO")

enum { REPORT_EXIT_BROKEN = 99 };

/* An address at which no program has anything; the compiler does not know it. */
#define NOWHERE report_nowhere
__attribute__((unused)) static void *volatile report_nowhere = (void *)16;

/* Lines go out whole, one by one, in their order among those of other processes. */
static inline void report_by_lines(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
}

static inline long report_result(const char *text, long result)
{
    int error = errno; /* printf may change it */
    if (result == -1)
        (void)printf("%s: %s\n", text, strerror(error));
    else
        (void)printf("%s = %ld\n", text, result);
    return result;
}

static inline int report_ok(const char *text, long result)
{
    int error = errno;
    (void)printf("%s: %s\n", text, result == -1 ? strerror(error) : "ok");
    return (int)result;
}

/* End the program in words: without this call the rest means nothing. */
__attribute__((noreturn)) static inline void report_broken(const char *what)
{
    (void)printf("broken: %s: %s\n", what, strerror(errno));
    (void)fflush(stdout);
    _exit(REPORT_EXIT_BROKEN);
}

#define MUST(call) report_must(#call, (long)(call))
static inline int report_must(const char *text, long result)
{
    if (result == -1)
        report_broken(text);
    return (int)result;
}
