// SPDX-License-Identifier: MIT
/*
 * Numbers of processes, once around all that there are: some processes stay, the others end at
 * once. No number is given twice at a time, and who asks for the next one finds those that stay.
 */
#include "lib/selftest.h"
#include "proc/process_internal.h"

enum { NUMBERS = 32767, EVERY = 500, KEPT = NUMBERS / EVERY + 1, FURTHER = 2 * EVERY };

static struct process kept[KEPT], passing;
static int last; /* the number that was given before */

/* Returns: is the number the next one that is free? */
static bool enlist(struct process *process)
{
    *process = (struct process){.slot = CPU_NONE};
    if (process_enlist(process, NULL) != 0)
        return selftest_expect(false, "it found no number");
    int expected = last % NUMBERS + 1;
    for (size_t i = 0; i < KEPT; i++) {
        if (&kept[i] != process && kept[i].pid == expected)
            expected = expected % NUMBERS + 1;
    }
    last = process->pid;
    return selftest_expect(last == expected, "number %d, expected %d", last, expected);
}

static bool enlist_all(void)
{
    for (int i = 0; i < NUMBERS + FURTHER; i++) {
        bool stays = i < NUMBERS && i % EVERY == 0;
        if (!enlist(stays ? &kept[i / EVERY] : &passing))
            return false;
        if (!stays)
            process_delist(&passing);
    }
    return true;
}

/* Those that stay, and no others, in the order of their numbers. */
static void expect_kept(void)
{
    size_t found = 0;
    int pid = 0;
    while (found <= KEPT && (pid = process_next(pid + 1)) >= 0) {
        uint64_t mark = 0;
        for (size_t i = 0; i < KEPT; i++)
            mark = kept[i].pid == pid ? kept[i].mark : mark;
        selftest_expect(mark != 0 && process_mark(pid) == mark, "process %d: mark %llu, not %llu",
                        pid, (unsigned long long)process_mark(pid), (unsigned long long)mark);
        found++;
    }
    selftest_expect(found == KEPT, "%zu of %d processes", found, KEPT);
}

static void expect_none(int pid)
{
    selftest_expect(process_mark(pid) == 0, "there is a process %d", pid);
}

static void test_numbers(void)
{
    last = process_newest();
    if (enlist_all())
        expect_kept();
    for (size_t i = 0; i < KEPT; i++) {
        if (kept[i].pid == 0)
            continue;
        process_delist(&kept[i]);
        expect_none(kept[i].pid);
    }
    expect_none(-1);
    expect_none(0);
    expect_none(NUMBERS + 1);
    selftest_expect(process_next(0) == -1 && process_next(NUMBERS + 1) == -1, "one is left");
}
SELFTEST("process-numbers", test_numbers);
