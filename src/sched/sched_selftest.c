// SPDX-License-Identifier: MIT
/*
 * Threads, tested from inside: each runs where it may and nowhere else, wakes when it is woken, and
 * leaves nothing behind. They run on the boot core, in a thread that is bound to it.
 */
#include <stdatomic.h>

#include "lib/errno.h"
#include "lib/selftest.h"
#include "mm/page.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "smp/delay_selftest.h"

enum {
    GENERATION = 40, /* threads at once */
    GENERATIONS = 25,
    ROUND_TRIPS = 1000,
    MUTEX_THREADS = 8,
    MUTEX_TURNS = 2000,
    AFFINITY_TURNS = 300,
    SLEEPERS = 20,
    YIELDERS = 10,
    YIELDS = 500,
    CROWD = 3, /* for each core */
    DELAYED_ROUNDS = 2000,
    DELAYED_THREADS = 3,
};
#define NS_PER_MS UINT64_C(1000000)
#define ARRIVAL_NS (UINT64_C(20000) * NS_PER_MS)

static _Atomic uint64_t turns;
static _Atomic uint64_t wrong;

static void begin(void)
{
    atomic_store(&turns, 0);
    atomic_store(&wrong, 0);
}

static void expect_turns(uint64_t expected)
{
    selftest_expect(atomic_load(&turns) == expected, "%llu turns expected, %llu seen",
                    (unsigned long long)expected, (unsigned long long)atomic_load(&turns));
    selftest_expect(atomic_load(&wrong) == 0, "%llu of them went wrong",
                    (unsigned long long)atomic_load(&wrong));
}

static void take_turn(bool right)
{
    atomic_fetch_add(&turns, 1);
    atomic_fetch_add(&wrong, right ? 0 : 1);
}

/* Start `count` threads of one kind and wait for their end. */
static void run_crowd(size_t count, void (*fn)(void *), const struct cpumask *affinity)
{
    static struct thread *crowd[CROWD * MAX_CPUS];
    for (size_t i = 0; i < count; i++)
        crowd[i] = thread_create("crowd", fn, (void *)i, affinity);
    for (size_t i = 0; i < count; i++) {
        if (selftest_expect(crowd[i] != NULL, "thread %zu could not be made", i))
            thread_join(crowd[i]);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static void one_turn(void *arg)
{
    (void)arg;
    take_turn(true);
}

static void test_life(void)
{
    begin();
    run_crowd(GENERATION, one_turn,
              NULL); /* stacks and slabs that are kept are there from now on */
    uint64_t before = page_count_free();
    for (int i = 1; i < GENERATIONS; i++)
        run_crowd(GENERATION, one_turn, NULL);
    expect_turns(GENERATION * GENERATIONS);
    thread_sleep(10 * NS_PER_MS); /* the last to end may still be on their stacks */
    uint64_t after = page_count_free();
    selftest_expect(after + GENERATION >= before, "%llu frames free before, %llu after",
                    (unsigned long long)before, (unsigned long long)after);
    struct cpumask nowhere = {0};
    selftest_expect(thread_create("nowhere", one_turn, NULL, &nowhere) == NULL,
                    "a thread for no core was made");
}
SELFTEST("thread-life", test_life);

/* ---- yielding, sleeping ---------------------------------------------------------------------- */

static void yield_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < YIELDS; i++) {
        thread_yield();
        take_turn(true);
    }
}

static void test_yield(void)
{
    struct cpumask here = {0};
    cpumask_set(&here, arch_cpu());
    begin();
    run_crowd(YIELDERS, yield_often, &here);
    expect_turns(YIELDERS * YIELDS);
}
SELFTEST("thread-yield", test_yield);

static void sleep_a_while(void *arg)
{
    uint64_t ns = ((uint64_t)arg % 7 + 1) * NS_PER_MS;
    uint64_t start = arch_clock_ns();
    thread_sleep(ns);
    take_turn(arch_clock_ns() - start >= ns);
}

static void test_sleep(void)
{
    begin();
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        struct cpumask one = {0};
        cpumask_set(&one, cpu); /* one clock: those of two cores may differ */
        if (cpumask_test(&smp_online, cpu))
            run_crowd(SLEEPERS, sleep_a_while, &one);
    }
    expect_turns((uint64_t)SLEEPERS * smp_online_count());
}
SELFTEST("thread-sleep", test_sleep);

/* ---- wake-ups -------------------------------------------------------------------------------- */

/* A ball between two threads; each waits until it is on its side. */
static struct wait_queue ball_moved = WAIT_QUEUE(ball_moved);
static _Atomic uint64_t ball;

static bool ball_is_odd(void *arg)
{
    (void)arg;
    return atomic_load(&ball) % 2 == 1;
}

static bool ball_is_even(void *arg)
{
    (void)arg;
    return atomic_load(&ball) % 2 == 0;
}

static void return_ball(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUND_TRIPS; i++) {
        take_turn(wait_for(&ball_moved, ball_is_odd, NULL, WAIT_FOR_EVER));
        atomic_fetch_add(&ball, 1);
        wake_all(&ball_moved);
    }
}

static void play_with(cpu_t cpu)
{
    struct thread *other = thread_create_on(cpu, "ball", return_ball, NULL);
    if (!selftest_expect(other != NULL, "core %u: no thread", cpu))
        return;
    for (int i = 0; i < ROUND_TRIPS; i++) {
        atomic_fetch_add(&ball, 1);
        wake_all(&ball_moved);
        take_turn(wait_for(&ball_moved, ball_is_even, NULL, WAIT_FOR_EVER));
    }
    thread_join(other);
}

static void test_wake(void)
{
    cpu_t last = arch_cpu_count() - 1;
    begin();
    play_with(arch_cpu());
    if (cpumask_test(&smp_online, last))
        play_with(last);
    expect_turns((cpumask_test(&smp_online, last) ? 4 : 2) * (uint64_t)ROUND_TRIPS);
}
SELFTEST("wait-and-wake", test_wake);

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void test_timeout(void)
{
    static struct wait_queue queue = WAIT_QUEUE(queue);
    uint64_t start = arch_clock_ns();
    selftest_expect(!wait_for(&queue, never, NULL, 0), "asked only: true");
    selftest_expect(!wait_for(&queue, never, NULL, 3 * NS_PER_MS), "waited 3 ms: true");
    uint64_t waited = arch_clock_ns() - start;
    selftest_expect(waited >= 3 * NS_PER_MS, "3 ms asked for, %llu ns waited",
                    (unsigned long long)waited);
    selftest_expect(list_is_empty(&queue.waiters), "the waiter is still in the queue");
}
SELFTEST("wait-timeout", test_timeout);

/* ---- mutex ----------------------------------------------------------------------------------- */

static struct mutex mutex = MUTEX(mutex);
static uint64_t guarded; /* L: mutex */

static void add_under_mutex(void *arg)
{
    (void)arg;
    for (int i = 0; i < MUTEX_TURNS; i++) {
        mutex_lock(&mutex);
        volatile uint64_t *sum = &guarded;
        uint64_t seen = *sum;
        if (i % 16 == 0)
            thread_yield(); /* held while others run */
        *sum = seen + 1;
        mutex_unlock(&mutex);
    }
}

static void test_mutex(void)
{
    guarded = 0;
    run_crowd(MUTEX_THREADS, add_under_mutex, NULL);
    selftest_expect(guarded == MUTEX_THREADS * MUTEX_TURNS, "%u additions expected, %llu seen",
                    MUTEX_THREADS * MUTEX_TURNS, (unsigned long long)guarded);
}
SELFTEST("mutex", test_mutex);

/* ---- where ----------------------------------------------------------------------------------- */

/* Bind oneself to each core in turn and see that one is there. */
static void wander(void *arg)
{
    cpu_t cpu = (cpu_t)(uintptr_t)arg;
    for (int i = 0; i < AFFINITY_TURNS; i++) {
        do
            cpu = (cpu + 1) % arch_cpu_count();
        while (!cpumask_test(&smp_online, cpu));
        struct cpumask one = {0};
        cpumask_set(&one, cpu);
        bool ok = thread_set_affinity(thread_current(), &one) == 0 && arch_cpu() == cpu;
        if (i % 3 == 0)
            thread_yield();
        take_turn(ok && arch_cpu() == cpu);
    }
}

static void test_affinity(void)
{
    struct cpumask nowhere = {0};
    begin();
    run_crowd(smp_online_count() < 8 ? 2 * smp_online_count() : 8, wander, NULL);
    expect_turns((smp_online_count() < 8 ? 2 * smp_online_count() : 8) * (uint64_t)AFFINITY_TURNS);
    int error = thread_set_affinity(thread_current(), &nowhere);
    selftest_expect(error == -EINVAL, "no core: -EINVAL expected, %d seen", error);
}
SELFTEST("thread-affinity", test_affinity);

/* Push others about while they run, wait and sleep: each arrives where it was sent last. */
enum { PUSHED = 4, PUSHES = 2000 };
static _Atomic bool stop_pushing;
static _Atomic cpu_t seen_on[PUSHED];

static void be_pushed(void *arg)
{
    size_t self = (size_t)arg;
    for (uint64_t i = self; !atomic_load(&stop_pushing); i++) {
        if (i % 5 == 0)
            thread_sleep(NS_PER_MS / 10);
        else
            thread_yield();
        atomic_store(&seen_on[self], arch_cpu());
        take_turn(true);
    }
}

static bool arrives_at(size_t who, cpu_t cpu)
{
    uint64_t start = arch_clock_ns();
    while (atomic_load(&seen_on[who]) != cpu && arch_clock_ns() - start < ARRIVAL_NS)
        thread_yield();
    return atomic_load(&seen_on[who]) == cpu;
}

static void test_pushed(void)
{
    struct thread *pushed[PUSHED];
    begin();
    atomic_store(&stop_pushing, false);
    for (size_t i = 0; i < PUSHED; i++)
        pushed[i] = thread_create("pushed", be_pushed, (void *)i, NULL);
    for (uint64_t i = 0; i < PUSHES; i++) {
        struct cpumask one = {0};
        cpu_t cpu = (cpu_t)(i * 7 % arch_cpu_count());
        bool online = cpumask_test(&smp_online, cpu);
        cpumask_set(&one, cpu);
        int error = thread_set_affinity(pushed[i % PUSHED], &one);
        selftest_expect(error == (online ? 0 : -EINVAL), "affinity for core %u: %d", cpu, error);
        if (online && i % 100 == 99)
            selftest_expect(arrives_at(i % PUSHED, cpu), "push %llu: not seen on core %u",
                            (unsigned long long)i, cpu);
        thread_yield();
    }
    atomic_store(&stop_pushing, true);
    for (size_t i = 0; i < PUSHED; i++)
        thread_join(pushed[i]);
    selftest_note("%llu turns between %d pushes", (unsigned long long)atomic_load(&turns), PUSHES);
}
SELFTEST("thread-pushed-about", test_pushed);

/* ---- idle cores take work -------------------------------------------------------------------- */

static _Atomic uint32_t arrived;
static _Atomic bool all_arrived;

/* Hold a core until every core is held. */
static void hold_a_core(void *arg)
{
    (void)arg;
    atomic_fetch_add(&arrived, 1);
    while (!atomic_load(&all_arrived))
        arch_relax();
    take_turn(true);
}

static void test_spread(void)
{
    /* this core is taken by this thread, which does not give way: the others must take all */
    static struct thread *threads[MAX_CPUS];
    cpu_t others = smp_online_count() - 1;
    if (others == 0) {
        selftest_skip("needs a second core");
        return;
    }
    begin();
    atomic_store(&arrived, 0);
    atomic_store(&all_arrived, false);
    for (cpu_t i = 0; i < others; i++)
        threads[i] = thread_create("hold", hold_a_core, NULL, NULL);
    uint64_t start = arch_clock_ns();
    while (atomic_load(&arrived) < others && arch_clock_ns() - start < ARRIVAL_NS)
        arch_relax();
    selftest_expect(atomic_load(&arrived) == others, "%u idle cores, %u took work", others,
                    atomic_load(&arrived));
    atomic_store(&all_arrived, true);
    for (cpu_t i = 0; i < others; i++)
        thread_join(threads[i]);
    expect_turns(others);
}
SELFTEST("idle-cores-take-work", test_spread);

/* ---- models/idle.pml ------------------------------------------------------------------------- */

/* Work of 0 to 60 us: the core is busy for some of what comes, and idle for the rest. */
static void short_work(void *arg)
{
    uint64_t number = (uint64_t)arg;
    arch_udelay((uint32_t)(number * 37 % 61));
    take_turn(true);
}

/* Nobody helps from here: this thread keeps its core, and the scan does not look for threads. */
static bool all_taken(uint64_t expected)
{
    uint64_t start = arch_clock_ns();
    while (atomic_load(&turns) < expected && arch_clock_ns() - start < ARRIVAL_NS / 4)
        arch_relax();
    return atomic_load(&turns) == expected;
}

static void test_delayed_idle(void)
{
    static const struct delays delays = {.steps = DELAY_RANGE(DELAY_I1, DELAY_Q2),
                                         .one_in = 3,
                                         .longest_ns = 200 * NS_PER_MS / 1000};
    struct thread *threads[DELAYED_THREADS];
    struct cpumask two = {0}; /* this core, which is taken, and one that has to do it all */
    cpumask_set(&two, arch_cpu());
    if (!delay_test_begin(&delays))
        return;
    begin();
    cpumask_set(&two, cpumask_next(&smp_online, arch_cpu() + 1));
    for (uint64_t round = 1; round <= DELAYED_ROUNDS; round++) {
        for (int i = 0; i < DELAYED_THREADS; i++) {
            threads[i] = thread_create("short", short_work, (void *)(round + (size_t)i), &two);
            arch_udelay((uint32_t)((round * 7 + (uint64_t)i * 13) % 31));
        }
        bool taken = selftest_expect(
            all_taken(round * DELAYED_THREADS), "round %llu: %llu threads made ready, %llu run",
            (unsigned long long)round, (unsigned long long)round * DELAYED_THREADS,
            (unsigned long long)atomic_load(&turns));
        for (int i = 0; i < DELAYED_THREADS; i++) {
            if (threads[i] != NULL)
                thread_join(threads[i]);
        }
        if (!taken)
            break;
    }
    delay_test_end();
}
SELFTEST("delay-idle", test_delayed_idle);

/* ---- slices ---------------------------------------------------------------------------------- */

static _Atomic bool spin_on;

static void spin(void *arg)
{
    _Atomic uint64_t *counter = arg;
    while (atomic_load_explicit(&spin_on, memory_order_relaxed)) {
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
        thread_point();
    }
}

/* Those who never sleep take turns; one who sleeps is served in between. */
static void test_slices(void)
{
    enum { SPINNERS = 3, NAPS = 20 };
    static _Atomic uint64_t counters[SPINNERS];
    struct thread *threads[SPINNERS];
    uint64_t before = sched_stats_of(arch_cpu()).slices;
    atomic_store(&spin_on, true);
    for (int i = 0; i < SPINNERS; i++) {
        atomic_store(&counters[i], 0);
        threads[i] = thread_create_on(arch_cpu(), "spin", spin, &counters[i]);
    }
    for (int i = 0; i < NAPS; i++)
        thread_sleep(5 * NS_PER_MS);
    atomic_store(&spin_on, false);
    for (int i = 0; i < SPINNERS; i++) {
        thread_join(threads[i]);
        selftest_expect(atomic_load(&counters[i]) > 0, "spinner %d never ran", i);
    }
    selftest_expect(sched_stats_of(arch_cpu()).slices > before, "no slice was used up");
}
SELFTEST("thread-slices", test_slices);
