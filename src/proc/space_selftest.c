// SPDX-License-Identifier: MIT
/*
 * One address space, in which ring 3 runs on all cores but the test's: pages are taken away from
 * under it (tests/test_shootdown.py counts the interrupts that this takes), and at last the page
 * that all of them read (space_selftest.asm), whose frame is written to at once by its next owner.
 */
#include <stdatomic.h>

#include "lib/selftest.h"
#include "lib/signal.h"
#include "lib/text.h"
#include "mm/page.h"
#include "proc/process.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "vm/user_copy.h"

enum { ROUNDS = 5, PAGES_A_ROUND = 20, MINE = 0x60, NEXT_OWNERS = 0xba, WORDS = 3, TURNS = 2 };
#define CODE UINT64_C(0x400000)
#define READ_BY_ALL UINT64_C(0x500000)
#define OTHERS UINT64_C(0x600000)
#define STACKS UINT64_C(0x700000) /* a page for each runner */
#define WORDS_AT (PAGE_SIZE - 64) /* in the page */

extern const uint8_t space_program[], space_program_end[]; /* space_selftest.asm */

struct runner {
    struct process process;
    struct thread *thread;
    int error; /* of what comes before ring 3 */
    uintptr_t stack;
    const _Atomic uint64_t *words;
};

static struct runner runners[MAX_CPUS];
static size_t runner_count;

static void run(void *arg)
{
    struct runner *runner = arg;
    runner->error = arch_thread_prepare_user(&thread_current()->arch);
    if (runner->error == 0)
        process_run_loaded(&runner->process, CODE, runner->stack);
}

static int load(struct space *space)
{
    const uint8_t byte = MINE;
    size_t bytes = (size_t)(space_program_end - space_program);
    int error = space_map(space, CODE, bytes, PROT_X);
    if (error == 0)
        error = space_write(space, CODE, space_program, bytes);
    if (error == 0)
        error = space_map(space, READ_BY_ALL, PAGE_SIZE, PROT_W);
    if (error == 0)
        error = space_map(space, STACKS, (size_t)MAX_CPUS * PAGE_SIZE, PROT_W);
    return error == 0 ? space_write(space, READ_BY_ALL, &byte, sizeof(byte)) : error;
}

static bool start_on(cpu_t cpu, struct space *space)
{
    const uint64_t words[WORDS] = {READ_BY_ALL, MINE, 0};
    struct runner *runner = &runners[runner_count];
    *runner = (struct runner){.process = {.pid = (int)runner_count + 1, .name = "space"},
                              .stack = STACKS + runner_count * PAGE_SIZE + WORDS_AT};
    runner->process.space = space;
    void *at;
    if (space_write(space, runner->stack, words, sizeof(words)) != 0 ||
        space_at(space, runner->stack, 0, &at) != 0)
        return false;
    runner->words = at;
    runner->thread = thread_create_on(cpu, "ring 3", run, runner);
    runner_count += runner->thread != NULL;
    return runner->thread != NULL;
}

static void wait_until_all_read(void)
{
    for (size_t i = 0; i < runner_count; i++) {
        while (runners[i].error == 0 && atomic_load(&runners[i].words[TURNS]) == 0)
            thread_point();
    }
}

/* Pages that the runners do not read: who takes one away cannot know. */
static void take_others_away(struct space *space)
{
    const uint8_t byte = MINE;
    for (int i = 0; i < PAGES_A_ROUND; i++) {
        long at = space_mmap(space, OTHERS, PAGE_SIZE, PROT_W, SPACE_FIXED);
        selftest_expect(at == (long)OTHERS && copy_to_user(OTHERS, &byte, 1) == 0 &&
                            space_munmap(space, OTHERS, PAGE_SIZE) == 0 &&
                            copy_to_user(OTHERS, &byte, 1) != 0,
                        "a page did not come or go");
    }
}

static void use_frame_again(void)
{
    void *frame = page_alloc_one(ALLOC_USER);
    if (frame != NULL)
        memset(frame, NEXT_OWNERS, PAGE_SIZE);
    page_free_one(frame);
}

static void run_round(struct space *space)
{
    runner_count = 0;
    int error = load(space);
    selftest_expect(error == 0, "loading: %d", error);
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != arch_cpu())
            selftest_expect(start_on(cpu, space), "nothing started on core %u", cpu);
    }
    wait_until_all_read();
    thread_use_space(&space->tlb);
    take_others_away(space);
    error = space_munmap(space, READ_BY_ALL, PAGE_SIZE);
    use_frame_again();
    thread_use_space(&tlb_kernel);
    selftest_expect(error == 0, "munmap: %d", error);
    for (size_t i = 0; i < runner_count; i++) {
        struct process_end end;
        thread_join(runners[i].thread);
        end = runners[i].process.end;
        selftest_expect(runners[i].error == 0 && end.by_signal && end.value == SIGNAL_SEGV,
                        "runner %zu: error %d, %s %d", i, runners[i].error,
                        end.by_signal ? "signal" : "status", end.value);
    }
}

static void test_ring3(void)
{
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct space *space = space_create();
        if (!selftest_expect(space != NULL, "no memory"))
            return;
        run_round(space);
        space_put(space);
    }
    selftest_note("%d pages taken away from under %zu cores", ROUNDS * (PAGES_A_ROUND + 1),
                  runner_count);
}
SELFTEST("space-in-ring-3", test_ring3);
