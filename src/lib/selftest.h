// SPDX-License-Identifier: MIT
/*
 * Self-tests inside the kernel: `selftest` on the command line runs all of them in place of init,
 * `selftest=name` one; the results are KTAP lines on the console
 * (Linux Documentation/dev-tools/ktap.rst). A test stands beside the room that it tests, in
 * *_selftest.c, restores what it changed, and says what it expected and what it saw.
 */
#pragma once

#include <stdbool.h>

struct selftest {
    const char *name;
    bool on_request; /* runs only when named: it ends the machine */
    void (*run)(void);
};

/* The alignment is said, so that no compiler makes it larger and the section stays an array. */
#define SELFTEST_SECTION __attribute__((used, section(".selftests"), aligned(sizeof(void *))))

#define SELFTEST_ENTRY(test_name, function, only_on_request)                                       \
    SELFTEST_SECTION static const struct selftest selftest_##function = {                          \
        .name = (test_name), .on_request = (only_on_request), .run = (function)}

#define SELFTEST(test_name, function) SELFTEST_ENTRY(test_name, function, false)
#define SELFTEST_ON_REQUEST(test_name, function) SELFTEST_ENTRY(test_name, function, true)

/*
 * Note a failure of the running test if `ok` is false: the text says what was expected and seen.
 * Returns: ok. Context: thread, on the core that runs the tests.
 */
bool selftest_expect(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The running test cannot be run here, for `reason`; its function returns after this. A test that
 * also noted a failure counts as failed. Context: as selftest_expect.
 */
void selftest_skip(const char *reason);

/* A comment line, above the running test's result. Context: as selftest_expect. */
void selftest_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Run all tests (name NULL) or the one named. Returns: how many failed; a name that no test has
 * counts as one failure. Context: thread, interrupts on.
 */
int selftest_run(const char *name);
