// SPDX-License-Identifier: MIT
/*
 * Ring 3 in threads that take turns: some yield, some spin until their slice is over, and all are
 * pushed from core to core meanwhile. Each has registers and vectors of its own
 * (threads_selftest.asm), which must come back with it wherever it goes on.
 */
#include <stdatomic.h>

#include "lib/selftest.h"
#include "proc/process.h"
#include "sched/thread.h"
#include "smp/cores.h"

enum { RUNNERS = 6, SPINS = 100000, WORDS = 3 };
#define CODE UINT64_C(0x400000)
#define STACK UINT64_C(0x500000)
#define STACK_BYTES ((size_t)2 * PAGE_SIZE)
#define STACK_POINTER (STACK + STACK_BYTES - 64)

extern const uint8_t threads_program[], threads_program_end[]; /* threads_selftest.asm */

struct runner {
    struct process process;
    struct thread *thread;
    int error; /* of what comes before ring 3 */
    _Atomic bool has_ended;
};

static struct runner runners[RUNNERS];

static int load(struct space *space, size_t number)
{
    size_t bytes = (size_t)(threads_program_end - threads_program);
    const uint64_t words[WORDS] = {UINT64_C(0x0123456789abcdef) * (number + 1), number % 2, SPINS};
    int error = space_map(space, CODE, bytes, PROT_X);
    if (error == 0)
        error = space_write(space, CODE, threads_program, bytes);
    if (error == 0)
        error = space_map(space, STACK, STACK_BYTES, PROT_W);
    if (error == 0)
        error = space_write(space, STACK_POINTER, words, sizeof(words));
    return error;
}

static void run(void *arg)
{
    struct runner *runner = arg;
    runner->error = arch_thread_prepare_user(&thread_current()->arch);
    if (runner->error == 0)
        process_run_loaded(&runner->process, CODE, STACK_POINTER);
    atomic_store(&runner->has_ended, true);
}

static bool start(struct runner *runner, size_t number)
{
    *runner = (struct runner){.process = {.pid = (int)number + 1, .name = "threads"}};
    runner->process.space = space_create();
    if (runner->process.space == NULL)
        return false;
    if (load(runner->process.space, number) == 0)
        runner->thread = thread_create("ring 3", run, runner, NULL);
    return runner->thread != NULL;
}

/* Send them from core to core until all have ended. Returns: how often. */
static uint64_t push_about(void)
{
    uint64_t pushes = 0;
    for (size_t left = RUNNERS; left > 0;) {
        left = 0;
        for (size_t i = 0; i < RUNNERS; i++) {
            struct cpumask one = {0};
            cpumask_set(&one, (cpu_t)((pushes * 7 + i) % arch_cpu_count()));
            if (runners[i].thread == NULL || atomic_load(&runners[i].has_ended))
                continue;
            pushes += thread_set_affinity(runners[i].thread, &one) == 0;
            left++;
        }
        thread_sleep(UINT64_C(1000000));
    }
    return pushes;
}

static void test_ring3(void)
{
    uint64_t switches = 0;
    for (size_t i = 0; i < RUNNERS; i++)
        selftest_expect(start(&runners[i], i), "runner %zu could not be started", i);
    uint64_t pushes = push_about();
    for (size_t i = 0; i < RUNNERS; i++) {
        struct process_end end = runners[i].process.end;
        if (runners[i].thread != NULL)
            thread_join(runners[i].thread);
        space_put(runners[i].process.space);
        selftest_expect(runners[i].error == 0 && !end.by_signal && end.value == 0,
                        "runner %zu: error %d, %s %d", i, runners[i].error,
                        end.by_signal ? "signal" : "status", end.value);
    }
    cpumask_for_each (cpu, &smp_online)
        switches += sched_stats_of(cpu).switches;
    selftest_note("%llu pushes, %llu switches since the boot", (unsigned long long)pushes,
                  (unsigned long long)switches);
}
SELFTEST("threads-in-ring-3", test_ring3);
