// SPDX-License-Identifier: MIT
/*
 * models/queue.pml in the C code, with delays: threads that block all the time are woken by several
 * others at once, while their affinity sends them from core to core; and threads that have not
 * started yet get another affinity. What goes wrong is a panic of sched.c's, or a wake-up that is
 * lost.
 */
#include <stdatomic.h>

#include "lib/selftest.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "smp/delay_selftest.h"

enum { WAKERS = 2, MOVED = WAKERS + 3, ROUNDS = 200 };
#define NS_PER_MS UINT64_C(1000000)
#define GIVE_UP_NS (UINT64_C(5000) * NS_PER_MS)

/* One that is woken and moved. */
struct moved {
    struct thread *thread;
    struct wait_queue changed;
    _Atomic uint64_t given, taken; /* wake-ups, and those that it has seen */
};

static struct moved moved[MOVED];
static struct thread *wakers[WAKERS];
static _Atomic(struct thread *) young; /* has not started, or just so; with a reference */
static _Atomic uint64_t lost;          /* a wake-up was, or a thread could not be made */
static _Atomic unsigned waking;        /* wakers at work */
static _Atomic bool stop_moving;
static cpu_t pusher; /* the core of the test itself */

/* Some time below `below` us; a power of two. */
static void pass_time(uint32_t below)
{
    arch_udelay((uint32_t)(arch_ticks() / 16 % below));
}

static bool has_seen_all(const struct moved *who)
{
    return atomic_load(&who->taken) == atomic_load(&who->given);
}

/* Takes a while from the look to the answer. */
static bool has_news(void *arg)
{
    const struct moved *self = arg;
    bool news = !has_seen_all(self) || atomic_load(&stop_moving);
    pass_time(32);
    return news;
}

static void see(struct moved *self)
{
    atomic_store(&self->taken, atomic_load(&self->given));
    thread_yield();
}

/* One that a single waker wakes, through its queue. */
static void wait_and_see(void *arg)
{
    struct moved *self = arg;
    while (!atomic_load(&stop_moving)) {
        (void)wait_for(&self->changed, has_news, self, WAIT_FOR_EVER);
        see(self);
    }
}

/* One that all wakers wake, several at once: it sleeps as in thread_sleep(). */
static void sleep_and_see(void *arg)
{
    struct moved *self = arg;
    while (!atomic_load(&stop_moving)) {
        thread_prepare_block();
        if (!has_news(self))
            thread_block();
        thread_cancel_block();
        see(self);
    }
}

static void wake(struct moved *who)
{
    atomic_fetch_add(&who->given, 1);
    wake_all(&who->changed);
    (void)thread_wake(who->thread);
}

/* Wait until moved[first..last] have seen all. Returns: false if a wake-up stays unseen. */
static bool wait_until_seen(size_t first, size_t last)
{
    uint64_t start = arch_clock_ns();
    for (size_t i = first; i <= last; i++) {
        while (!has_seen_all(&moved[i]) && atomic_load(&lost) == 0) {
            if (arch_clock_ns() - start > GIVE_UP_NS)
                return false;
            thread_yield();
        }
    }
    return true;
}

static void end_at_once(void *arg)
{
    (void)arg;
}

/* For a while: then who has found it waits for its start. */
static void wait_until_found(const struct thread *thread)
{
    uint64_t start = arch_clock_ns();
    while (atomic_load(&young) == thread && arch_clock_ns() - start < 5 * NS_PER_MS)
        arch_relax();
    pass_time(64);
}

/* A thread that others find before it starts, as they find a process. Returns: false if none could
 * be made. */
static bool start_a_young_one(void)
{
    struct thread *thread = thread_prepare("young", end_at_once, NULL, NULL), *nobody = NULL;
    if (thread == NULL)
        return false;
    if (!atomic_compare_exchange_strong(&young, &nobody, thread_get(thread)))
        thread_put(thread); /* the last one was not noticed yet */
    else if (arch_cpu() != pusher)
        wait_until_found(thread);
    thread_start(thread);
    thread_put(thread);
    return true;
}

/* Waker number `arg`: the first ones of `moved` have one each. */
static void wake_in_rounds(void *arg)
{
    size_t own = (size_t)arg;
    for (int round = 0; round < ROUNDS && atomic_load(&lost) == 0; round++) {
        for (size_t i = WAKERS; i < MOVED; i++)
            wake(&moved[i]);
        pass_time(64);
        atomic_fetch_add(&moved[own].given, 1);
        wake_all(&moved[own].changed);
        bool seen = wait_until_seen(own, own);
        if (round % 4 == 0)
            seen = seen && wait_until_seen(WAKERS, MOVED - 1) && start_a_young_one();
        if (!seen)
            atomic_fetch_add(&lost, 1);
        thread_yield();
    }
    atomic_fetch_sub(&waking, 1);
}

/* Bind the thread to one core, another one each time; or to none. */
static void push(struct thread *thread, uint64_t turn)
{
    static cpu_t cpu;
    struct cpumask one = {0};
    cpu = cpumask_next(&smp_online, cpu + 1);
    if (cpu == CPU_NONE)
        cpu = cpumask_next(&smp_online, 0);
    cpumask_set(&one, cpu);
    int error = thread_set_affinity(thread, turn % 5 == 0 ? thread_any_core() : &one);
    selftest_expect(error == 0, "affinity for core %u: %d", cpu, error);
}

static void push_in_turn(void)
{
    for (uint64_t turn = 0; atomic_load(&waking) > 0; turn++) {
        struct thread *found = atomic_exchange(&young, NULL);
        push(found != NULL ? found : moved[turn % MOVED].thread, turn);
        if (found != NULL)
            thread_put(found);
        thread_yield();
    }
    struct thread *last = atomic_exchange(&young, NULL);
    if (last != NULL)
        thread_put(last);
}

static bool start_all(void)
{
    bool made = true;
    atomic_store(&stop_moving, false);
    pusher = arch_cpu();
    atomic_store(&lost, 0);
    for (size_t i = 0; i < MOVED; i++) {
        atomic_store(&moved[i].given, 0);
        atomic_store(&moved[i].taken, 0);
        wait_queue_init(&moved[i].changed);
        moved[i].thread =
            thread_create("moved", i < WAKERS ? wait_and_see : sleep_and_see, &moved[i], NULL);
        made = made && moved[i].thread != NULL;
    }
    atomic_store(&waking, made ? WAKERS : 0);
    for (size_t i = 0; i < WAKERS; i++) {
        wakers[i] = made ? thread_create("waker", wake_in_rounds, (void *)i, NULL) : NULL;
        if (made && wakers[i] == NULL)
            atomic_fetch_sub(&waking, 1);
    }
    return made && wakers[0] != NULL;
}

/* Whoever missed a wake-up gets another one. */
static void end_all(void)
{
    atomic_store(&stop_moving, true);
    for (size_t i = 0; i < WAKERS; i++) {
        if (wakers[i] != NULL)
            thread_join(wakers[i]);
    }
    for (size_t i = 0; i < MOVED; i++) {
        if (moved[i].thread == NULL)
            continue;
        wake(&moved[i]);
        thread_join(moved[i].thread);
    }
}

static void test_delayed_queues(void)
{
    static const struct delays delays = {.steps = DELAY_RANGE(DELAY_P2, DELAY_P2) |
                                                  DELAY_RANGE(DELAY_L2, DELAY_L4),
                                         .one_in = 4,
                                         .longest_ns = 100 * NS_PER_MS / 1000};
    if (!delay_test_begin(&delays))
        return;
    if (selftest_expect(start_all(), "not all threads could be made"))
        push_in_turn();
    uint64_t given = 0, taken = 0;
    for (size_t i = 0; i < MOVED; i++) {
        given += atomic_load(&moved[i].given);
        taken += atomic_load(&moved[i].taken);
    }
    selftest_expect(atomic_load(&lost) == 0, "of %llu wake-ups, %llu were seen",
                    (unsigned long long)given, (unsigned long long)taken);
    delay_test_end();
    end_all();
}
SELFTEST("delay-queue", test_delayed_queues);
