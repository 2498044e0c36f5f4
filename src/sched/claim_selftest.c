// SPDX-License-Identifier: MIT
/*
 * Claims, tested from inside: who may have a vector, every count exact, and nothing left behind.
 * The tests run on the boot core, in a thread that is bound to it, which claims vectors itself.
 */
#include <stdatomic.h>

#include "irq/doorbell.h"
#include "irq/irq.h"
#include "lib/errno.h"
#include "lib/selftest.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/claim.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "smp/ipi.h"

enum {
    VECTOR = 100,
    OTHER_VECTOR = 101,
    RINGS_OF_ALL = 400000, /* under fire, over all pairs of cores */
    LONE_RINGS = 2000,
    OWNERS = 150,
    OWNED_TURNS = 500,
    LIVES = 50,
    LIFE_VECTORS = 4,
};
#define NS_PER_MS UINT64_C(1000000)
#define SHORT_NS INT64_C(3000000)
#define PATIENCE_NS INT64_C(20000000000) /* a ring that is to come comes sooner */
#define EVER INT64_C(-1)

static void expect_result(const char *what, long got, long expected)
{
    selftest_expect(got == expected, "%s: %ld expected, %ld seen", what, expected, got);
}

/* Run fn(arg) in a thread on core `cpu`, to its end. */
static void run_on(cpu_t cpu, void (*fn)(void *), void *arg)
{
    struct thread *thread = thread_create_on(cpu, "claimant", fn, arg);
    if (selftest_expect(thread != NULL, "core %u: no thread", cpu))
        thread_join(thread);
}

static cpu_t last_core(void)
{
    cpu_t last = 0;
    cpumask_for_each (cpu, &smp_online)
        last = cpu;
    return last;
}

/* ---- results and errors ---------------------------------------------------------------------- */

static void test_arguments(void)
{
    static const int vectors[] = {-1, 0, 31, 128, 239, 255, 256, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        expect_result("ipi_wait, no user's vector", ipi_wait(vectors[i], 0), -EINVAL);
        expect_result("unregister, no user's vector", claim_unregister(vectors[i]), -EINVAL);
    }
    expect_result("timeout -2", ipi_wait(VECTOR, -2), -EINVAL);
    expect_result("timeout INT64_MIN", ipi_wait(VECTOR, INT64_MIN), -EINVAL);
    expect_result("nobody has it", claim_unregister(VECTOR), -ENOENT);

    struct cpumask two = {0};
    struct cpumask one = {0};
    cpumask_set(&one, arch_cpu());
    cpumask_set(&two, arch_cpu());
    cpumask_set(&two, arch_cpu() + 1); /* whether or not there is such a core */
    expect_result("two cores", thread_set_affinity(thread_current(), &two), 0);
    expect_result("ipi_wait by a thread of two cores", ipi_wait(VECTOR, 0), -EINVAL);
    expect_result("nothing was claimed by it", claim_unregister(VECTOR), -ENOENT);
    expect_result("one core", thread_set_affinity(thread_current(), &one), 0);
}
SELFTEST("claim-arguments", test_arguments);

static void test_counts(void)
{
    int self = (int)arch_cpu();
    expect_result("a ring before the claim", ipi_send(self, VECTOR), -ENOENT);
    expect_result("the first call", ipi_wait(VECTOR, 0), 0);
    expect_result("one ring", ipi_send(self, VECTOR), 0);
    expect_result("taken for ever", ipi_wait(VECTOR, EVER), 1);
    expect_result("taken already", ipi_wait(VECTOR, 0), 0);
    for (int i = 0; i < 3; i++)
        expect_result("three rings", ipi_send(self, VECTOR), 0);
    expect_result("three taken", ipi_wait(VECTOR, SHORT_NS), 3);
    expect_result("to all that have it", ipi_send(IPI_ALL, VECTOR), 1);
    expect_result("one of them", ipi_wait(VECTOR, 0), 1);

    uint64_t start = arch_clock_ns();
    expect_result("no ring", ipi_wait(VECTOR, SHORT_NS), -ETIMEDOUT);
    uint64_t waited = arch_clock_ns() - start;
    selftest_expect(waited >= (uint64_t)SHORT_NS, "3 ms asked for, %llu ns waited",
                    (unsigned long long)waited);
    expect_result("the claim is still there", ipi_send(self, VECTOR), 0);
    expect_result("its owner ends it", claim_unregister(VECTOR), 0);
    expect_result("a ring behind the claim", ipi_send(self, VECTOR), -ENOENT);
    expect_result("ended twice", claim_unregister(VECTOR), -ENOENT);
    expect_result("claimed anew: from zero", ipi_wait(VECTOR, 0), 0);
    expect_result("and ended", claim_unregister(VECTOR), 0);
}
SELFTEST("claim-counts", test_counts);

/* What a thread finds that has to do with somebody else's claim. */
struct visitor {
    long wait, unregister, ring;
};

static void visit(void *arg)
{
    struct visitor *found = arg;
    found->ring = ipi_send((int)arch_cpu(), VECTOR);
    found->wait = ipi_wait(VECTOR, 0);
    found->unregister = claim_unregister(VECTOR);
}

static void test_against_each_other(void)
{
    struct visitor here, there;
    cpu_t last = last_core();
    int irq = ipi_register(VECTOR);
    selftest_expect(irq >= 0, "register: an irq expected, %d seen", irq);
    expect_result("claim under the message handler", ipi_wait(VECTOR, 0), -EBUSY);
    expect_result("the message handler, whoever registered it", claim_unregister(VECTOR), 0);

    expect_result("claim", ipi_wait(VECTOR, 0), 0);
    expect_result("register under a claim", ipi_register(VECTOR), -EBUSY);
    run_on(arch_cpu(), visit, &here);
    expect_result("same core, another thread: ring", here.ring, 0);
    expect_result("same core, another thread: claim", here.wait, -EBUSY);
    expect_result("same core, another thread: free", here.unregister, -EPERM);
    if (last != arch_cpu()) {
        run_on(last, visit, &there);
        expect_result("another core: ring", there.ring, -ENOENT);
        expect_result("another core: claim", there.wait, 0);
        expect_result("another core: free its own", there.unregister, 0);
        expect_result("register still under a claim", ipi_register(VECTOR), -EBUSY);
    }
    expect_result("the visitor's ring", ipi_wait(VECTOR, 0), 1);
    expect_result("another vector of the same thread", ipi_wait(OTHER_VECTOR, 0), 0);
    expect_result("free one", claim_unregister(VECTOR), 0);
    expect_result("the other stays", ipi_send((int)arch_cpu(), OTHER_VECTOR), 0);
    expect_result("with its count", ipi_wait(OTHER_VECTOR, 0), 1);
    expect_result("free it", claim_unregister(OTHER_VECTOR), 0);
    irq = ipi_register(VECTOR);
    selftest_expect(irq >= 0, "register afterwards: an irq expected, %d seen", irq);
    expect_result("and away", claim_unregister(VECTOR), 0);
}
SELFTEST("claim-against-each-other", test_against_each_other);

static void test_affinity(void)
{
    struct thread *self = thread_current();
    struct cpumask own = {0}, wider = {0}, nowhere = {0};
    cpumask_set(&own, arch_cpu());
    cpumask_set(&wider, arch_cpu());
    cpumask_set(&wider, arch_cpu() + 1);
    expect_result("two claims", ipi_wait(VECTOR, 0) | ipi_wait(OTHER_VECTOR, 0), 0);
    expect_result("the same mask", thread_set_affinity(self, &own), 0);
    expect_result("another mask", thread_set_affinity(self, &wider), -EBUSY);
    expect_result("no core", thread_set_affinity(self, &nowhere), -EINVAL);
    expect_result("free one", claim_unregister(VECTOR), 0);
    expect_result("another mask, one claim", thread_set_affinity(self, &wider), -EBUSY);
    expect_result("free the other", claim_unregister(OTHER_VECTOR), 0);
    expect_result("another mask, no claim", thread_set_affinity(self, &wider), 0);
    expect_result("back", thread_set_affinity(self, &own), 0);
}
SELFTEST("claim-affinity", test_affinity);

/* ---- room ------------------------------------------------------------------------------------ */

static void never_rung(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)count;
    (void)cookie;
}

static void test_no_irq(void)
{
    int *fillers = heap_alloc(irq_limit() * sizeof(*fillers), ALLOC_KERNEL);
    uint32_t taken = 0; /* of what devices and rings left, not in one row */
    struct cpumask own = {0}, wider = {0};
    selftest_expect(fillers != NULL, "memory expected, none seen");
    if (fillers == NULL)
        return;
    while ((fillers[taken] = doorbell_alloc("filler", VECTOR, never_rung)) >= 0)
        taken++;
    expect_result("no irq is left", ipi_wait(VECTOR, 0), -ENOSPC);
    cpumask_set(&own, arch_cpu());
    cpumask_set(&wider, arch_cpu());
    cpumask_set(&wider, arch_cpu() + 1);
    expect_result("not held to the core", thread_set_affinity(thread_current(), &wider), 0);
    expect_result("back", thread_set_affinity(thread_current(), &own), 0);
    while (taken > 0)
        doorbell_free((uint32_t)fillers[--taken]);
    heap_free(fillers);
    expect_result("irqs again", ipi_wait(VECTOR, 0), 0);
    expect_result("free", claim_unregister(VECTOR), 0);
}
SELFTEST("claim-no-irq", test_no_irq);

/* ---- all cores to all cores ------------------------------------------------------------------ */

static _Atomic uint64_t failed, wanted_by_each, sleeps;
static _Atomic uint32_t ready;

/* Take rings until as many have come as there shall, and some time more. */
static void take_all(void *arg)
{
    uint64_t *sum = arg;
    long got = ipi_wait(VECTOR, 0);
    atomic_fetch_add(&ready, 1);
    while (got >= 0 && *sum < atomic_load(&wanted_by_each)) {
        got = ipi_wait(VECTOR, PATIENCE_NS);
        *sum += got > 0 ? (uint64_t)got : 0;
        atomic_fetch_add(&sleeps, 1);
    }
    if (got >= 0)
        got = ipi_wait(VECTOR, SHORT_NS); /* one too many would come now */
    if (got != -ETIMEDOUT)
        atomic_fetch_add(&failed, 1);
}

static void fire_at_all(void *arg)
{
    uint64_t rings = *(const uint64_t *)arg;
    while (atomic_load(&ready) < smp_online_count())
        thread_yield();
    for (uint64_t i = 0; i < rings; i++) {
        cpumask_for_each (cpu, &smp_online) {
            if (ipi_send((int)cpu, VECTOR) != 0)
                atomic_fetch_add(&failed, 1);
        }
        thread_point();
    }
}

static void test_under_fire(void)
{
    static struct thread *takers[MAX_CPUS], *firers[MAX_CPUS];
    static uint64_t sums[MAX_CPUS];
    uint64_t cores = smp_online_count(), rings = RINGS_OF_ALL / (cores * cores);
    atomic_store(&failed, 0);
    atomic_store(&sleeps, 0);
    atomic_store(&ready, 0);
    atomic_store(&wanted_by_each, rings * cores);
    cpumask_for_each (cpu, &smp_online) {
        sums[cpu] = 0;
        takers[cpu] = thread_create_on(cpu, "taker", take_all, &sums[cpu]);
        firers[cpu] = thread_create_on(cpu, "firer", fire_at_all, &rings);
        if (!selftest_expect(takers[cpu] != NULL && firers[cpu] != NULL, "core %u: no thread", cpu))
            return;
    }
    cpumask_for_each (cpu, &smp_online) {
        thread_join(firers[cpu]);
        thread_join(takers[cpu]);
        selftest_expect(sums[cpu] == rings * cores, "core %u: %llu rings expected, %llu seen", cpu,
                        (unsigned long long)(rings * cores), (unsigned long long)sums[cpu]);
    }
    expect_result("sends and waits that failed", (long)atomic_load(&failed), 0);
    expect_result("the claims ended with their threads", claim_unregister(VECTOR), -ENOENT);
    selftest_note("%llu rings in %llu waits", (unsigned long long)(rings * cores * cores),
                  (unsigned long long)atomic_load(&sleeps));
}
SELFTEST("claim-under-fire", test_under_fire);

/* ---- one ring, one wake-up ------------------------------------------------------------------- */

static _Atomic uint64_t answered;

/* Answer each ring of VECTOR by one of OTHER_VECTOR to core 0. */
static void answer(void *arg)
{
    (void)arg;
    long got = ipi_wait(VECTOR, 0);
    atomic_fetch_add(&ready, 1);
    for (int i = 0; i < LONE_RINGS && got >= 0; i++) {
        got = ipi_wait(VECTOR, PATIENCE_NS);
        if (got == 1 && ipi_send(0, OTHER_VECTOR) == 0)
            atomic_fetch_add(&answered, 1);
    }
}

/* No ring comes behind another one here: a wake-up that got lost would be missed. */
static void test_ping_pong(void)
{
    cpu_t last = last_core();
    uint64_t pongs = 0;
    atomic_store(&answered, 0);
    atomic_store(&ready, 0);
    ipi_scan_pause(true);
    struct thread *other = thread_create_on(last, "answer", answer, NULL);
    expect_result("claim", ipi_wait(OTHER_VECTOR, 0), 0);
    while (other != NULL && atomic_load(&ready) == 0)
        thread_yield();
    for (int i = 0; i < LONE_RINGS; i++) {
        if (ipi_send((int)last, VECTOR) != 0 || ipi_wait(OTHER_VECTOR, PATIENCE_NS) != 1)
            break;
        pongs++;
    }
    ipi_scan_pause(false);
    expect_result("rings answered", (long)pongs, LONE_RINGS);
    if (other != NULL)
        thread_join(other);
    expect_result("free", claim_unregister(OTHER_VECTOR), 0);
}
SELFTEST("claim-ping-pong", test_ping_pong);

/* ---- the end of a thread --------------------------------------------------------------------- */

static void claim_and_end(void *arg)
{
    (void)arg;
    for (int vector = VECTOR; vector < VECTOR + LIFE_VECTORS; vector++) {
        if (ipi_wait(vector, 0) != 0 || ipi_send((int)arch_cpu(), vector) != 0)
            atomic_fetch_add(&failed, 1);
    }
}

static void live_and_die(void)
{
    cpumask_for_each (cpu, &smp_online)
        run_on(cpu, claim_and_end, NULL);
}

static void test_thread_end(void)
{
    atomic_store(&failed, 0);
    live_and_die(); /* stacks and slabs that are kept are there from now on */
    uint64_t before = page_count_free();
    for (int i = 0; i < LIVES; i++)
        live_and_die();
    expect_result("claims and rings that failed", (long)atomic_load(&failed), 0);
    for (int vector = VECTOR; vector < VECTOR + LIFE_VECTORS; vector++) {
        expect_result("nobody has it", claim_unregister(vector), -ENOENT);
        int irq = ipi_register(vector);
        selftest_expect(irq >= 0, "register: an irq expected, %d seen", irq);
        expect_result("unregister", claim_unregister(vector), 0);
    }
    thread_sleep(10 * NS_PER_MS); /* the last to end may still be on their stacks */
    uint64_t after = page_count_free();
    selftest_expect(after + LIVES >= before, "%llu frames free before, %llu after",
                    (unsigned long long)before, (unsigned long long)after);
}
SELFTEST("claim-thread-end", test_thread_end);

/* ---- removal under fire ---------------------------------------------------------------------- */

static _Atomic bool cease_fire;
static _Atomic uint64_t hits[2];   /* rings that succeeded: to the core that changes hands, to 0 */
static _Atomic uint64_t taken[2];  /* by their handler */
static _Atomic uint64_t strays;    /* rings that came to somebody whose time is over */
static _Atomic uintptr_t owner_is; /* the cookie of the time; 0: nobody's */

/* All claims of a vector have one handler; cookie 0 is that of the claim that stays, on core 0. */
static void owner_handler(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    if (cookie == NULL)
        atomic_fetch_add(&taken[1], count);
    else if ((uintptr_t)cookie == atomic_load(&owner_is))
        atomic_fetch_add(&taken[0], count);
    else
        atomic_fetch_add(&strays, count);
}

static void fire_at_two(void *arg)
{
    const cpu_t targets[] = {last_core(), 0};
    (void)arg;
    while (!atomic_load(&cease_fire)) {
        for (int i = 0; i < 2; i++) {
            long result = ipi_send((int)targets[i], VECTOR);
            if (result == 0)
                atomic_fetch_add(&hits[i], 1);
            else if (result != -ENOENT)
                atomic_fetch_add(&failed, 1);
        }
        thread_point();
    }
}

/* The owner's time. Returns: false if something went wrong. */
static bool own_for_a_while(uintptr_t owner)
{
    atomic_store(&owner_is, owner);
    void *cookie = (void *)owner; /* NOLINT(performance-no-int-to-ptr) */
    int irq = ipi_claim(last_core(), VECTOR, owner_handler, cookie);
    bool fine = selftest_expect(irq >= 0, "owner %llu: an irq expected, %d seen",
                                (unsigned long long)owner, irq);
    for (int turn = 0; turn < OWNED_TURNS; turn++)
        arch_relax(); /* the others get some rings through */
    if (fine)
        ipi_release(last_core(), VECTOR);
    atomic_store(&owner_is, 0);
    return fine;
}

static void test_removal(void)
{
    static struct thread *firers[MAX_CPUS];
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    for (int i = 0; i < 2; i++) {
        atomic_store(&hits[i], 0);
        atomic_store(&taken[i], 0);
    }
    atomic_store(&strays, 0);
    atomic_store(&failed, 0);
    atomic_store(&cease_fire, false);
    int stays = ipi_claim(0, VECTOR, owner_handler, NULL); /* so that the irq stays the same */
    selftest_expect(stays >= 0, "claim on core 0: an irq expected, %d seen", stays);
    cpumask_for_each (cpu, &smp_online)
        firers[cpu] = cpu != 0 ? thread_create_on(cpu, "firer", fire_at_two, NULL) : NULL;
    uintptr_t owner = 1;
    while (owner <= OWNERS && own_for_a_while(owner))
        owner++;
    atomic_store(&cease_fire, true);
    cpumask_for_each (cpu, &smp_online) {
        if (firers[cpu] != NULL)
            thread_join(firers[cpu]);
    }
    ipi_release(0, VECTOR);
    expect_result("strays", (long)atomic_load(&strays), 0);
    expect_result("sends that failed otherwise", (long)atomic_load(&failed), 0);
    for (int i = 0; i < 2; i++)
        expect_result("rings taken", (long)atomic_load(&taken[i]), (long)atomic_load(&hits[i]));
    selftest_expect(atomic_load(&hits[0]) != 0 && atomic_load(&hits[1]) != 0,
                    "no ring got through");
    selftest_note("%llu rings to %d owners", (unsigned long long)atomic_load(&hits[0]), OWNERS);
}
SELFTEST("claim-removal-under-fire", test_removal);
