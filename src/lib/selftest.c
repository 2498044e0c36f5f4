// SPDX-License-Identifier: MIT
/*
 * Runs the self-tests, one after the other on one core, and prints KTAP version 1
 * (Linux Documentation/dev-tools/ktap.rst, "KTAP format"). What a test has to say comes before its
 * result line, so that it is there when the test never ends.
 */
#include "lib/selftest.h"

#include <stdarg.h>
#include <stddef.h>

#include "lib/console.h"
#include "lib/text.h"

enum { SELFTEST_TEXT_MAX = 384 }; /* fits into a console line with the test's name */

/* The section's borders, from linker.ld. */
extern const struct selftest selftests_start[], selftests_end[];

/* The running test's state; only the core that runs the tests touches it. */
static const struct selftest *current;
static unsigned failures; /* noted by the running test */
static const char *skip_reason;

bool selftest_expect(bool ok, const char *fmt, ...)
{
    if (ok)
        return true;
    char text[SELFTEST_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    console_line("# %s: %s", current->name, text);
    failures++;
    return false;
}

void selftest_skip(const char *reason)
{
    skip_reason = reason;
}

void selftest_note(const char *fmt, ...)
{
    char text[SELFTEST_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    console_line("# %s", text);
}

static bool is_selected(const struct selftest *test, const char *name)
{
    return name != NULL ? strcmp(test->name, name) == 0 : !test->on_request;
}

static unsigned count_selected(const char *name)
{
    unsigned count = 0;
    for (const struct selftest *test = selftests_start; test < selftests_end; test++)
        count += is_selected(test, name);
    return count;
}

static void list_names(const char *unknown)
{
    console_line("# no test is named %s; there are:", unknown);
    for (const struct selftest *test = selftests_start; test < selftests_end; test++)
        console_line("#   %s%s", test->name, test->on_request ? " (runs only when named)" : "");
}

struct totals {
    unsigned pass, fail, skip;
};

static void run_one(const struct selftest *test, unsigned number, struct totals *totals)
{
    current = test;
    failures = 0;
    skip_reason = NULL;
    test->run();
    if (failures > 0) {
        console_line("not ok %u %s", number, test->name);
        totals->fail++;
    } else if (skip_reason != NULL) {
        console_line("ok %u %s # SKIP %s", number, test->name, skip_reason);
        totals->skip++;
    } else {
        console_line("ok %u %s", number, test->name);
        totals->pass++;
    }
}

int selftest_run(const char *name)
{
    struct totals totals = {0};
    unsigned count = count_selected(name), number = 0;
    console_line("KTAP version 1");
    if (name != NULL && count == 0) {
        list_names(name);
        console_line("1..1");
        console_line("not ok 1 %s", name);
        totals.fail++;
    } else {
        console_line("1..%u", count);
    }
    for (const struct selftest *test = selftests_start; test < selftests_end; test++) {
        if (is_selected(test, name))
            run_one(test, ++number, &totals);
    }
    console_line("# Totals: pass:%u fail:%u skip:%u error:0", totals.pass, totals.fail,
                 totals.skip);
    return (int)totals.fail;
}
