// SPDX-License-Identifier: MIT
/* Calls of Carillon's own gate against what they should give; only what is wrong is printed. */
#pragma once

#include "report.h"

static unsigned expect_cases, expect_failed;

/* A call of the gate: its raw result, -errno for an error. */
#define EXPECT(call, expected) expect_result(#call, __LINE__, (call), (expected))

static inline void expect_result(const char *text, int line, long got, long expected)
{
    expect_cases++;
    if (got == expected)
        return;
    expect_failed++;
    (void)printf("case: line %d: %s: expected %ld, got %ld\n", line, text, expected, got);
}

/* libc's functions give -1 and errno. */
static inline long expect_errno(long result)
{
    return result == -1 ? -errno : result;
}

/* The last line. Returns: the exit status. */
static inline int expect_end(const char *name)
{
    (void)printf("%s: %u cases, %u failed\n", name, expect_cases, expect_failed);
    return expect_failed == 0 ? 0 : 1;
}
