// SPDX-License-Identifier: MIT
/* The warp test with made-up counters: cores that take turns, each with an offset of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"

static int64_t offset[MAX_CPUS];
static uint64_t now;
static char logged[256];

/* A tick a look, shared by all, and what this core is off. */
static uint64_t made_up_counter(void)
{
    now += 1;
    return now + (uint64_t)offset[arch_cpu()];
}
#define arch_ticks_ordered made_up_counter

#include "smp/warp.c"

struct cpumask smp_online;

cpu_t smp_online_count(void)
{
    return cpumask_count(&smp_online);
}

/* One core after the other, as when one host core plays them all. */
cpu_t call_on_many(const struct cpumask *mask, void (*fn)(void *arg), void *arg)
{
    cpumask_for_each (cpu, mask) {
        fake_cpu = cpu;
        fn(arg);
    }
    fake_cpu = 0;
    return cpumask_count(mask);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    (void)level;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(logged, sizeof(logged), fmt, ap);
    va_end(ap);
}

/* Cores 0 to cores-1 in step. */
static void begin(cpu_t cores)
{
    memset(offset, 0, sizeof(offset));
    memset(&smp_online, 0, sizeof(smp_online));
    for (cpu_t cpu = 0; cpu < cores; cpu++)
        cpumask_set(&smp_online, cpu);
    now = 1000000000;
    logged[0] = '\0';
}

static void assert_warp(cpu_t cpu, uint64_t least, uint64_t most)
{
    struct warp warp = warp_measure();
    assert_int_equal(warp.cpu, cpu);
    assert_in_range(warp.ticks, least, most);
}

static void test_in_step(void **state)
{
    (void)state;
    for (cpu_t cores = 1; cores <= MAX_CPUS; cores *= 2) {
        begin(cores);
        assert_warp(CPU_NONE, 0, 0);
    }
}

static void test_behind(void **state)
{
    (void)state;
    for (cpu_t cpu = 0; cpu < 4; cpu++) {
        begin(4);
        offset[cpu] = -1000000;
        assert_warp(cpu, 1000000 - 4 * LOOKS_MAX, 1000000);
    }
}

/* Then all the others are behind: one of them is named, by the same amount. */
static void test_ahead(void **state)
{
    (void)state;
    for (cpu_t cpu = 0; cpu < 4; cpu++) {
        begin(4);
        offset[cpu] = 1000000;
        struct warp warp = warp_measure();
        assert_true(warp.cpu < 4 && warp.cpu != cpu);
        assert_in_range(warp.ticks, 1000000 - 4 * LOOKS_MAX, 1000000);
    }
}

/* The largest distance of any two, wherever the boot core is between them. */
static void test_spread(void **state)
{
    (void)state;
    begin(5);
    offset[1] = 3000000;
    offset[2] = -500000;
    offset[4] = -2000000;
    assert_warp(4, 5000000 - 5 * LOOKS_MAX, 5000000);
}

/* A second measurement does not remember the first. */
static void test_again(void **state)
{
    (void)state;
    begin(2);
    offset[1] = -1000000;
    assert_warp(1, 1, 1000000);
    offset[1] = 0;
    assert_warp(CPU_NONE, 0, 0);
}

static void test_words(void **state)
{
    (void)state;
    begin(1);
    warp_check();
    assert_string_equal(logged, "");
    begin(3);
    warp_check();
    assert_non_null(strstr(logged, "no warp between the counters of 3 cores"));
    offset[2] = -1000000;
    warp_check();
    assert_non_null(strstr(logged, "clock: core 2 is 99"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_step), cmocka_unit_test(test_behind), cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_spread),  cmocka_unit_test(test_again),  cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
