// SPDX-License-Identifier: MIT
/*
 * The protocols of models/ with delays at their steps: what the models say of all interleavings is
 * seen here of many, in the C code itself. The scan is off meanwhile, so that a ring or a call that
 * nobody was told of is not found again but stays, and fails the test. So that each test can end
 * when a protocol is broken, all its waits give up after a time.
 */
#include "smp/delay_selftest.h"

#include <stdatomic.h>

#include "irq/doorbell.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/selftest.h"
#include "smp/call.h"
#include "smp/cores.h"
#include "smp/ipi.h"

enum {
    VECTOR = 102,
    RING_ROUNDS = 300,
    RINGS_EACH = 3, /* by each core in a round */
    OWNERS = 200,
    OWNERS_SLOWLY = 60,
    SHORT_US = 300, /* how long at most an owner has the vector, and nobody afterwards */
    CALL_ROUNDS = 300,
    CALLS_AT_ONCE = 3,
    WAITED_ROUNDS = 100,
};
#define US UINT64_C(1000) /* in ns */
#define AT(step) (UINT64_C(1) << (step))
#define AT_STEPS(first, last)                                                                      \
    (&(struct delays){.steps = DELAY_RANGE(first, last), .one_in = 2, .longest_ns = 200 * US})
#define GIVE_UP_NS (5000000 * US)

bool delay_test_begin(const struct delays *delays)
{
    if (!DEBUG_KERNEL) {
        selftest_skip("needs the debug kernel");
        return false;
    }
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return false;
    }
    uint64_t seed = arch_ticks();
    selftest_note("delays of up to %llu us, seed %llu",
                  (unsigned long long)(delays->longest_ns / US), (unsigned long long)seed);
    ipi_scan_pause(true);
    delay_begin(delays, seed);
    return true;
}

void delay_test_end(void)
{
    delay_end();
    ipi_scan_pause(false);
}

static _Atomic bool stop;       /* a test is over, or has failed: everybody goes home */
static _Atomic uint64_t errors; /* results that were not to be */

static bool stopped(void)
{
    return atomic_load_explicit(&stop, memory_order_relaxed);
}

static void start_everywhere_else(void (*fn)(void *))
{
    atomic_store(&stop, false);
    atomic_store(&errors, 0);
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != arch_cpu())
            (void)core_job_start(cpu, fn, NULL);
    }
}

static void wait_for_jobs(void)
{
    cpumask_for_each (cpu, &smp_online) {
        while (!core_job_done(cpu))
            arch_relax();
    }
}

/* Wait until *sum is at least `wanted`. Returns: false, and stops everybody, if it stays below. */
static bool wait_for(const _Atomic uint64_t *sum, uint64_t wanted)
{
    uint64_t start = arch_clock_ns();
    while (atomic_load_explicit(sum, memory_order_acquire) < wanted) {
        if (stopped())
            return false;
        if (arch_clock_ns() - start > GIVE_UP_NS) {
            atomic_store(&stop, true);
            return false;
        }
        arch_relax();
    }
    return true;
}

/* The n-th online core, counted round and round. */
static cpu_t nth_core(uint64_t n)
{
    cpu_t cpu = cpumask_next(&smp_online, 0);
    for (n %= smp_online_count(); n > 0; n--)
        cpu = cpumask_next(&smp_online, cpu + 1);
    return cpu;
}

/* ---- models/ring.pml ------------------------------------------------------------------------- */

static _Atomic uint64_t taken; /* rings, by all cores */

static void counting_handler(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)cookie;
    atomic_fetch_add_explicit(&taken, count, memory_order_release);
}

/* All cores ring the same core, a few times each, then wait until all that was taken; then the
 * next core. So the last ring of each round has none behind it that would make up for it. */
static void ring_in_rounds(void *arg)
{
    (void)arg;
    uint64_t in_round = (uint64_t)smp_online_count() * RINGS_EACH;
    for (uint64_t round = 0; round < RING_ROUNDS; round++) {
        for (int i = 0; i < RINGS_EACH; i++) {
            if (ipi_send((int)nth_core(round), VECTOR) != 0)
                atomic_fetch_add(&errors, 1);
        }
        if (!wait_for(&taken, (round + 1) * in_round))
            return;
    }
}

static void test_ring(void)
{
    if (!delay_test_begin(AT_STEPS(DELAY_S1, DELAY_H6)))
        return;
    atomic_store(&taken, 0);
    (void)ipi_register_handler(VECTOR, "delay test", counting_handler);
    start_everywhere_else(ring_in_rounds);
    ring_in_rounds(NULL);
    wait_for_jobs();
    uint64_t rings = (uint64_t)RING_ROUNDS * RINGS_EACH * smp_online_count();
    selftest_expect(atomic_load(&errors) == 0, "%llu rings failed",
                    (unsigned long long)atomic_load(&errors));
    selftest_expect(!atomic_load(&stop) && atomic_load(&taken) == rings,
                    "%llu rings to be taken, %llu were", (unsigned long long)rings,
                    (unsigned long long)atomic_load(&taken));

    delay_test_end(); /* the scan is on again: this ring has nobody else to find it */
    uint64_t before = atomic_load(&taken);
    ipi_lose_ring(nth_core(1), VECTOR);
    atomic_store(&stop, false);
    if (!selftest_expect(wait_for(&taken, before + 1),
                         "a ring that got no interrupt was not found"))
        (void)ipi_send((int)nth_core(1), VECTOR); /* else the removal waits for it, too */
    selftest_expect(ipi_unregister(VECTOR) == 0, "unregister_ipi failed");
}
SELFTEST("delay-ring", test_ring);

/* ---- models/removal.pml ---------------------------------------------------------------------- */

static _Atomic uint64_t owner;    /* who has the vector, from 1; 0: nobody */
static _Atomic uint64_t strays;   /* rings that came to a handler whose time is over */
static _Atomic uint64_t accepted; /* rings that succeeded */

static void owner_took(uint64_t count, bool is_his)
{
    atomic_fetch_add_explicit(is_his ? &taken : &strays, count, memory_order_release);
}

static void odd_owner(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)cookie;
    owner_took(count, atomic_load(&owner) % 2 == 1);
}

static void even_owner(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)cookie;
    owner_took(count, atomic_load(&owner) != 0 && atomic_load(&owner) % 2 == 0);
}

/* Has the irq that the last owner had: nothing may come to it. */
static void heir_of_the_irq(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)cookie;
    owner_took(count, false);
}

static void ring_all_the_time(void *arg)
{
    (void)arg;
    for (uint64_t n = 0; !stopped(); n++) {
        long result = ipi_send((int)nth_core(n), VECTOR);
        if (result == 0)
            atomic_fetch_add(&accepted, 1);
        else if (result != -ENOENT)
            atomic_fetch_add(&errors, 1);
    }
}

/* Interrupts behind which there is no ring, as those are whose ring an earlier one took. */
static void interrupt_all_the_time(void *arg)
{
    (void)arg;
    while (!stopped()) {
        (void)arch_ipi_send(nth_core(1), VECTOR);
        arch_udelay(SHORT_US);
    }
}

/* Rings that lie in some core's table, where nobody takes them. */
static uint64_t left_behind(void)
{
    uint64_t sum = 0;
    cpumask_for_each (cpu, &smp_online)
        sum += atomic_load_explicit(&irq_slot(cpu, VECTOR)->pending, memory_order_relaxed);
    return sum;
}

static bool expect_nothing_left(uint64_t round, const char *when)
{
    uint64_t left = left_behind();
    return selftest_expect(left == 0, "owner %llu: %llu rings were left behind %s",
                           (unsigned long long)round, (unsigned long long)left, when);
}

/* Every other two owners claim the vector, on one core; the others register it. */
static bool is_claim(uint64_t round)
{
    return round / 2 % 2 == 1;
}

static int take_vector(uint64_t round)
{
    doorbell_handler handler = round % 2 == 1 ? odd_owner : even_owner;
    return is_claim(round) ? ipi_claim(nth_core(1), VECTOR, handler, NULL)
                           : ipi_register_handler(VECTOR, "delay test", handler);
}

static bool give_vector_back(uint64_t round)
{
    if (!is_claim(round))
        return ipi_unregister(VECTOR) == 0;
    ipi_release(nth_core(1), VECTOR);
    return true;
}

/* One owner's time, and a while in which nobody has the vector. *heir is the irq of the owner
 * before, on its way in, and this one's on its way out. Returns: false if something went wrong. */
static bool own_for_a_while(uint64_t round, int *heir)
{
    atomic_store(&owner, round);
    int irq = take_vector(round);
    if (ipi_send((int)nth_core(1), VECTOR) == 0)
        atomic_fetch_add(&accepted, 1);
    arch_udelay((uint32_t)(arch_ticks() / 16 % SHORT_US));
    bool removed = give_vector_back(round);
    atomic_store(&owner, 0);
    bool fine = selftest_expect(irq >= 0 && removed, "owner %llu: irq %d, removed %d",
                                (unsigned long long)round, irq, removed);
    int old_heir = *heir;
    *heir = doorbell_alloc("delay test", VECTOR, heir_of_the_irq); /* the lowest free one: `irq` */
    fine = selftest_expect(*heir == irq, "irq %d was not free again", irq) && fine;
    if (old_heir >= 0)
        doorbell_free((uint32_t)old_heir);
    fine = expect_nothing_left(round, "by the removal") && fine;
    if (round % 2 == 0) { /* every other time the next owner comes at once */
        arch_udelay(SHORT_US);
        fine = expect_nothing_left(round, "after it") && fine;
    }
    return fine && atomic_load(&strays) == 0;
}

/* `owners` have the vector, one after the other, while all other cores do `fire`. Returns: false if
 * there is no use in going on. */
static bool change_owners(const struct delays *delays, uint64_t owners, void (*fire)(void *))
{
    if (!delay_test_begin(delays))
        return false;
    atomic_store(&taken, 0);
    atomic_store(&accepted, 0);
    atomic_store(&strays, 0);
    start_everywhere_else(fire);
    int heir = -1;
    uint64_t round = 1;
    while (round <= owners && own_for_a_while(round, &heir))
        round++;
    atomic_store(&stop, true);
    delay_test_end(); /* what was left behind is found by the scan now */
    wait_for_jobs();
    if (heir >= 0)
        doorbell_free((uint32_t)heir);
    selftest_expect(atomic_load(&errors) == 0, "%llu rings failed in another way",
                    (unsigned long long)atomic_load(&errors));
    selftest_expect(atomic_load(&strays) == 0, "%llu rings came to a handler whose time is over",
                    (unsigned long long)atomic_load(&strays));
    selftest_expect(atomic_load(&taken) + atomic_load(&strays) == atomic_load(&accepted),
                    "%llu rings succeeded, %llu were taken",
                    (unsigned long long)atomic_load(&accepted),
                    (unsigned long long)atomic_load(&taken));
    selftest_note("%llu rings succeeded", (unsigned long long)atomic_load(&accepted));
    return round > owners;
}

static void test_removal(void)
{
    /* a sender has looked and not yet rung */
    static const struct delays of_senders = {
        .steps = AT(DELAY_S3) | AT(DELAY_H1), .one_in = 2, .longest_ns = 10000 * US};
    /* a handler has looked and not yet taken the count, while a whole removal goes by and the next
     * owner gets his first ring */
    static const struct delays of_handlers = {.steps = AT(DELAY_H1) | AT(DELAY_H3) | AT(DELAY_R4) |
                                                       AT(DELAY_R5),
                                              .one_in = 1,
                                              .longest_ns = 100000 * US};
    (void)(change_owners(AT_STEPS(DELAY_S1, DELAY_R6), OWNERS, ring_all_the_time) &&
           change_owners(&of_senders, OWNERS_SLOWLY, ring_all_the_time) &&
           change_owners(&of_handlers, OWNERS_SLOWLY, interrupt_all_the_time));
}
SELFTEST("delay-removal", test_removal);

/* ---- models/inbox.pml ------------------------------------------------------------------------ */

static DEFINE_PERCPU(struct core_call, calls_of[CALLS_AT_ONCE]);
static _Atomic uint64_t runs, run_numbers; /* how many calls have run; the sum of their numbers */

/* The call's number is its argument. */
static void note_run(void *arg)
{
    atomic_fetch_add_explicit(&run_numbers, (uintptr_t)arg, memory_order_relaxed);
    atomic_fetch_add_explicit(&runs, 1, memory_order_release);
}

/* Returns: false, and stops everybody, if the call's memory does not come back. */
static bool wait_until_free(const struct core_call *call)
{
    uint64_t start = arch_clock_ns();
    while (atomic_load_explicit(&call->busy, memory_order_acquire)) {
        if (stopped() || arch_clock_ns() - start > GIVE_UP_NS) {
            atomic_store(&stop, true);
            return false;
        }
        arch_relax();
    }
    return true;
}

/* Calls another core with the same few structs again and again, each as soon as it is free. */
static void call_in_rounds(void *arg)
{
    (void)arg;
    struct core_call *calls = *this_cpu_ptr(calls_of);
    for (uint64_t round = 0; round < CALL_ROUNDS; round++) {
        cpu_t target = nth_core(round);
        if (target == arch_cpu())
            target = nth_core(round + 1);
        for (int i = 0; i < CALLS_AT_ONCE; i++) {
            if (!wait_until_free(&calls[i]))
                return;
            calls[i].fn = note_run;
            calls[i].arg = (void *)(uintptr_t)round; /* NOLINT(performance-no-int-to-ptr) */
            if (call_on_async(&calls[i], target) != 0)
                atomic_fetch_add(&errors, 1);
        }
    }
}

static void expect_runs(void)
{
    uint64_t each = (uint64_t)CALLS_AT_ONCE * smp_online_count(); /* of the calls with one number */
    uint64_t wanted = CALL_ROUNDS * each;
    uint64_t numbers = (uint64_t)CALL_ROUNDS * (CALL_ROUNDS - 1) / 2 * each;
    (void)wait_for(&runs, wanted);
    selftest_expect(atomic_load(&errors) == 0, "%llu calls failed",
                    (unsigned long long)atomic_load(&errors));
    selftest_expect(!stopped() && atomic_load(&runs) == wanted, "%llu calls to be run, %llu were",
                    (unsigned long long)wanted, (unsigned long long)atomic_load(&runs));
    selftest_expect(stopped() || atomic_load(&run_numbers) == numbers,
                    "the numbers of the calls add up to %llu, %llu expected",
                    (unsigned long long)atomic_load(&run_numbers), (unsigned long long)numbers);
}

static DEFINE_PERCPU(_Atomic bool, was_run);

static void set_flag(void *arg)
{
    atomic_store_explicit((_Atomic bool *)arg, true, memory_order_relaxed);
}

/* Calls that are waited for: whoever goes on finds them run. */
static void call_and_wait(void *arg)
{
    (void)arg;
    for (uint64_t round = 0; round < WAITED_ROUNDS; round++) {
        _Atomic bool *flag = this_cpu_ptr(was_run);
        atomic_store_explicit(flag, false, memory_order_relaxed);
        if (call_on(nth_core(round), set_flag, flag) != 0 || !atomic_load(flag))
            atomic_fetch_add(&errors, 1);
    }
}

static void test_inbox(void)
{
    if (!delay_test_begin(AT_STEPS(DELAY_C1, DELAY_A6)))
        return;
    atomic_store(&runs, 0);
    atomic_store(&run_numbers, 0);
    start_everywhere_else(call_in_rounds);
    call_in_rounds(NULL);
    wait_for_jobs();
    expect_runs();
    if (!stopped()) {
        start_everywhere_else(call_and_wait);
        call_and_wait(NULL);
        wait_for_jobs();
        selftest_expect(atomic_load(&errors) == 0, "%llu calls had not run when they were done",
                        (unsigned long long)atomic_load(&errors));
    }
    delay_test_end();
}
SELFTEST("delay-inbox", test_inbox);
