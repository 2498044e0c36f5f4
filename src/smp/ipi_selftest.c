// SPDX-License-Identifier: MIT
/*
 * Rings, tested from inside: every count exact, every result as the contract names it.
 *
 * The console shows warnings only while messages come by the hundred thousand; the log takes them
 * all the same.
 */
#include <stdatomic.h>

#include "irq/doorbell.h"
#include "irq/irq.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "smp/cores.h"
#include "smp/ipi.h"
#include "smp/where.h"

enum {
    VECTOR_A = 100,
    VECTOR_B = 101,
    MILLION = 1000000,
    TO_NEXT_RINGS = 10000,
    TO_NEXT_RINGS_MANY = 1000, /* with more cores than: */
    TO_NEXT_FEW = 8,
    TO_NEXT_PACES = 10,
    FIRE_ROUNDS = 400,
    FIRE_TURNS = 500,
    RANDOM_CALLS = 20000,
};
#define NS_PER_MS UINT64_C(1000000)
#define TAKEN_WAIT_NS (UINT64_C(20000) * NS_PER_MS)

static DEFINE_PERCPU(_Atomic uint64_t, taken); /* by the counting handler */

static void counting_handler(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)cookie;
    atomic_fetch_add_explicit(this_cpu_ptr(taken), count, memory_order_relaxed);
}

static uint64_t taken_by(cpu_t cpu)
{
    return atomic_load_explicit(percpu_of(cpu, taken), memory_order_acquire);
}

static void clear_taken(void)
{
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (cpumask_test(&smp_online, cpu))
            atomic_store_explicit(percpu_of(cpu, taken), 0, memory_order_relaxed);
    }
}

static uint64_t taken_by_all(void)
{
    uint64_t sum = 0;
    cpumask_for_each (cpu, &smp_online)
        sum += taken_by(cpu);
    return sum;
}

static bool is_user_vector(int vector)
{
    return vector >= ARCH_VECTOR_USER_FIRST && vector <= ARCH_VECTOR_USER_LAST &&
           vector != ARCH_VECTOR_GATE;
}

static void wait_for_jobs(void)
{
    cpumask_for_each (cpu, &smp_online) {
        while (!core_job_done(cpu))
            arch_relax();
    }
}

/* ---- all vectors at once --------------------------------------------------------------------- */

static int irq_of[ARCH_VECTOR_COUNT];

/* Count the lines `Received IPI C` (one ring each) from `from` on, by core. */
static void count_messages(struct log_cursor from, uint32_t lines[MAX_CPUS])
{
    static char line[LOG_FORMATTED_MAX];
    static const char text[] = "Received IPI ";
    long bytes;
    while ((bytes = log_read(&from, line, sizeof(line) - 1)) > 0) {
        line[bytes - 1] = '\0'; /* the newline */
        const char *at = strchr(line, ']');
        uint64_t cpu;
        if (at != NULL && text_starts_with(at + 2, text) &&
            text_parse_u64(at + 2 + sizeof(text) - 1, &cpu) == 0 && cpu < MAX_CPUS)
            lines[cpu]++;
    }
}

static void check_vector(cpu_t cpu, int vector)
{
    struct irq_stat stat = irq_stat_of((uint32_t)irq_of[vector], cpu);
    selftest_expect(stat.rings == 1 && stat.interrupts == 1,
                    "vector %d on core %u: 1 ring in 1 interrupt expected, %llu in %llu seen",
                    vector, cpu, (unsigned long long)stat.rings,
                    (unsigned long long)stat.interrupts);
}

static void ring_all_vectors(cpu_t cpu)
{
    for (int vector = 0; vector < ARCH_VECTOR_COUNT; vector++) {
        if (!is_user_vector(vector))
            continue;
        long result = ipi_send((int)cpu, vector);
        selftest_expect(result == 0, "send_ipi(%u, %d): 0 expected, %ld seen", cpu, vector, result);
    }
}

static void test_all_vectors(void)
{
    static uint32_t lines[MAX_CPUS];
    const uint32_t user_vectors = ARCH_VECTOR_USER_LAST - ARCH_VECTOR_USER_FIRST; /* but the gate */
    int level = log_console_level();
    log_set_console_level(LOG_WARNING);
    for (int vector = 0; vector < ARCH_VECTOR_COUNT; vector++) {
        if (is_user_vector(vector)) {
            irq_of[vector] = ipi_register(vector);
            selftest_expect(irq_of[vector] >= (int)irq_first_message(),
                            "register_ipi(%d): an irq from %u up expected, %d seen", vector,
                            irq_first_message(), irq_of[vector]);
        }
    }
    cpumask_for_each (cpu, &smp_online) {
        /* one core at a time: the log must still hold all messages when they are counted */
        struct log_cursor before = log_end();
        memset(lines, 0, sizeof(lines));
        ring_all_vectors(cpu);
        selftest_expect(ipi_wait_quiet(TAKEN_WAIT_NS), "core %u does not take its rings", cpu);
        for (int vector = 0; vector < ARCH_VECTOR_COUNT; vector++) {
            if (is_user_vector(vector))
                check_vector(cpu, vector);
        }
        count_messages(before, lines);
        selftest_expect(lines[cpu] == user_vectors, "core %u: %u message lines expected, %u seen",
                        cpu, user_vectors, lines[cpu]);
    }
    for (int vector = 0; vector < ARCH_VECTOR_COUNT; vector++) {
        if (is_user_vector(vector))
            selftest_expect(ipi_unregister(vector) == 0, "unregister_ipi(%d) failed", vector);
    }
    log_set_console_level(level);
}
SELFTEST("ipi-all-vectors", test_all_vectors);

/* ---- a million rings, all pairs -------------------------------------------------------------- */

static _Atomic uint64_t failed_sends;

/* Ring every core in turn, `rings` times each; runs on every core at once. */
static void ring_everyone(void *arg)
{
    uint64_t rings = *(const uint64_t *)arg;
    for (uint64_t i = 0; i < rings; i++) {
        cpumask_for_each (cpu, &smp_online) {
            if (ipi_send((int)cpu, VECTOR_A) != 0)
                atomic_fetch_add_explicit(&failed_sends, 1, memory_order_relaxed);
        }
    }
}

static void run_on_all(void (*fn)(void *), void *arg)
{
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != arch_cpu()) {
            int error = core_job_start(cpu, fn, arg);
            selftest_expect(error == 0, "core_job_start(%u): 0 expected, %d seen", cpu, error);
        }
    }
    fn(arg);
    wait_for_jobs();
}

static void test_million(void)
{
    uint64_t cores = smp_online_count();
    uint64_t rings = (MILLION + cores * cores - 1) / (cores * cores); /* for each pair */
    clear_taken();
    atomic_store_explicit(&failed_sends, 0, memory_order_relaxed);
    int irq = ipi_register_handler(VECTOR_A, "selftest", counting_handler);
    if (!selftest_expect(irq >= 0, "register: an irq expected, %d seen", irq))
        return;
    run_on_all(ring_everyone, &rings);
    selftest_expect(ipi_unregister(VECTOR_A) == 0, "unregister_ipi failed");
    selftest_expect(atomic_load(&failed_sends) == 0, "%llu sends failed",
                    (unsigned long long)atomic_load(&failed_sends));
    uint64_t interrupts = 0;
    cpumask_for_each (cpu, &smp_online) {
        selftest_expect(taken_by(cpu) == rings * cores, "core %u: %llu rings expected, %llu seen",
                        cpu, (unsigned long long)(rings * cores),
                        (unsigned long long)taken_by(cpu));
        interrupts += irq_stat_of((uint32_t)irq, cpu).interrupts;
    }
    selftest_note("%llu rings in %llu interrupts", (unsigned long long)(rings * cores * cores),
                  (unsigned long long)interrupts);
}
SELFTEST("ipi-million", test_million);

/* ---- results and errors ---------------------------------------------------------------------- */

static void expect_result(const char *what, long got, long expected)
{
    selftest_expect(got == expected, "%s: %ld expected, %ld seen", what, expected, got);
}

static void test_results(void)
{
    int cores = (int)arch_cpu_count();
    long online = smp_online_count();
    expect_result("vector 31", ipi_send(0, 31), -EINVAL);
    expect_result("vector 128", ipi_send(0, 128), -EINVAL);
    expect_result("vector 239", ipi_send(0, 239), -EINVAL);
    expect_result("vector -1", ipi_send(0, -1), -EINVAL);
    expect_result("core -3", ipi_send(-3, VECTOR_A), -EINVAL);
    expect_result("core ncores", ipi_send(cores, VECTOR_A), -EINVAL);
    expect_result("one, nobody registered", ipi_send(0, VECTOR_A), -ENOENT);
    expect_result("all, nobody registered", ipi_send(IPI_ALL, VECTOR_A), -ENOENT);
    expect_result("others, nobody registered", ipi_send(IPI_OTHERS, VECTOR_A),
                  online == 1 ? 0 : -ENOENT);
    expect_result("unregister, nobody has it", ipi_unregister(VECTOR_A), -ENOENT);
    expect_result("register 128", ipi_register(128), -EINVAL);
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (!cpumask_test(&smp_online, cpu))
            expect_result("a core that is not online", ipi_send((int)cpu, VECTOR_A), -ENXIO);
    }

    int irq = ipi_register_handler(VECTOR_A, "selftest", counting_handler);
    clear_taken();
    selftest_expect(irq >= (int)irq_first_message(), "an irq from %u up expected, %d seen",
                    irq_first_message(), irq);
    expect_result("register twice", ipi_register(VECTOR_A), -EBUSY);
    expect_result("oneself", ipi_send((int)arch_cpu(), VECTOR_A), 0);
    expect_result("oneself: taken when it returns", (long)taken_by(arch_cpu()), 1);
    expect_result("all", ipi_send(IPI_ALL, VECTOR_A), online);
    expect_result("others", ipi_send(IPI_OTHERS, VECTOR_A), online - 1);
    struct cpumask self = {0};
    cpumask_set(&self, arch_cpu());
    expect_result("a mask of one", ipi_send_mask(&self, VECTOR_A), 1);
    expect_result("an empty mask", ipi_send_mask(&(struct cpumask){0}, VECTOR_A), -ENOENT);
    expect_result("unregister", ipi_unregister(VECTOR_A), 0);
    expect_result("rings taken", (long)taken_by_all(), 1 + online + (online - 1) + 1);
}
SELFTEST("ipi-results", test_results);

/* ---- every core to its next ------------------------------------------------------------------ */

static uint32_t takes_of(cpu_t cpu)
{
    return atomic_load_explicit(&irq_slot(cpu, VECTOR_A)->takes, memory_order_relaxed);
}

/* Interrupts of the vector on all cores, those included that found no ring. */
static uint32_t takes_of_all(void)
{
    uint32_t sum = 0;
    cpumask_for_each (cpu, &smp_online)
        sum += takes_of(cpu);
    return sum;
}

static void wait_for_take(cpu_t cpu, uint32_t before)
{
    uint64_t start = arch_clock_ns();
    while (takes_of(cpu) == before && arch_clock_ns() - start < TAKEN_WAIT_NS)
        arch_relax();
}

/*
 * One ring to each core in turn: it interrupts that core, once, and no other. The rings' counts
 * alone would not tell: an interrupt that strays finds no count where it ends, and the scan would
 * help the ring that it left behind.
 */
static void check_no_stray(void)
{
    cpumask_for_each (cpu, &smp_online) {
        uint32_t before = takes_of(cpu), before_all = takes_of_all();
        expect_result("one ring", ipi_send((int)cpu, VECTOR_A), 0);
        wait_for_take(cpu, before);
        uint32_t own = takes_of(cpu) - before, all = takes_of_all() - before_all;
        selftest_expect(own == 1 && all == 1,
                        "a ring to core %u: 1 interrupt expected, %u there and %u in all seen", cpu,
                        own, all);
    }
}

/* In paces, with a wait for an interrupt after each: else most rings would fold into one. */
static void ring_next(void *arg)
{
    uint64_t rings = *(const uint64_t *)arg;
    cpu_t next = cpumask_next(&smp_online, arch_cpu() + 1);
    if (next == CPU_NONE)
        next = 0;
    for (uint64_t i = 0; i < rings; i++) {
        uint32_t before = takes_of(next);
        if (ipi_send((int)next, VECTOR_A) != 0)
            atomic_fetch_add_explicit(&failed_sends, 1, memory_order_relaxed);
        if (i % (rings / TO_NEXT_PACES) == 0)
            wait_for_take(next, before);
    }
}

/* Every core took `rings`, by the handler's count and by its irq's. Returns: interrupts in all. */
static uint64_t check_each_took(uint32_t irq, uint64_t rings)
{
    uint64_t interrupts = 0;
    cpumask_for_each (cpu, &smp_online) {
        struct irq_stat stat = irq_stat_of(irq, cpu);
        selftest_expect(taken_by(cpu) == rings && stat.rings == rings,
                        "core %u: %llu rings expected, %llu taken, %llu counted", cpu,
                        (unsigned long long)rings, (unsigned long long)taken_by(cpu),
                        (unsigned long long)stat.rings);
        interrupts += stat.interrupts;
    }
    return interrupts;
}

/* All cores ring at once, each the next one that is online, the last one the first. */
static void test_to_next(void)
{
    uint64_t cores = smp_online_count();
    uint64_t rings = cores > TO_NEXT_FEW ? TO_NEXT_RINGS_MANY : TO_NEXT_RINGS;
    clear_taken();
    atomic_store_explicit(&failed_sends, 0, memory_order_relaxed);
    int irq = ipi_register_handler(VECTOR_A, "selftest", counting_handler);
    if (!selftest_expect(irq >= 0, "register: an irq expected, %d seen", irq))
        return;
    check_no_stray();
    run_on_all(ring_next, &rings);
    expect_result("unregister", ipi_unregister(VECTOR_A), 0);
    expect_result("sends that failed", (long)atomic_load(&failed_sends), 0);
    uint64_t interrupts = check_each_took((uint32_t)irq, rings + 1);
    selftest_note("%llu cores, %llu rings each, %llu interrupts", (unsigned long long)cores,
                  (unsigned long long)rings + 1, (unsigned long long)interrupts);
}
SELFTEST("ipi-to-next", test_to_next);

/* ---- a busy ICR, a lost interrupt ------------------------------------------------------------ */

static void test_busy(void)
{
    long online = smp_online_count();
    cpu_t last = arch_cpu_count() - 1;
    if (!cpumask_test(&smp_online, last))
        last = 0;
    if (!arch_ipi_hold(true)) {
        selftest_skip("this Local APIC's command register is never busy");
        return;
    }
    clear_taken();
    (void)ipi_register_handler(VECTOR_A, "selftest", counting_handler);
    expect_result("one, ICR held busy", ipi_send((int)last, VECTOR_A), -EIO);
    expect_result("all, ICR held busy", ipi_send(IPI_ALL, VECTOR_A), -EIO);
    expect_result("rings taken meanwhile", (long)taken_by_all(), 0);
    (void)arch_ipi_hold(false);
    expect_result("all, next try", ipi_send(IPI_ALL, VECTOR_A), online);
    expect_result("unregister", ipi_unregister(VECTOR_A), 0);
    expect_result("rings taken, those of the failed tries too", (long)taken_by_all(),
                  1 + 2 * online);
}
SELFTEST("ipi-busy-icr", test_busy);

static void test_lost(void)
{
    (void)ipi_register_handler(VECTOR_A, "selftest", counting_handler);
    cpumask_for_each (cpu, &smp_online) {
        clear_taken();
        uint64_t start = arch_clock_ns();
        ipi_lose_ring(cpu, VECTOR_A);
        while (taken_by(cpu) == 0 && arch_clock_ns() - start < TAKEN_WAIT_NS)
            arch_relax();
        selftest_expect(taken_by(cpu) == 1, "core %u: the lost ring was not found again", cpu);
        selftest_note("core %u: found after %llu ms", cpu,
                      (unsigned long long)((arch_clock_ns() - start) / NS_PER_MS));
    }
    expect_result("unregister", ipi_unregister(VECTOR_A), 0);
}
SELFTEST("ipi-lost-interrupt", test_lost);

/* ---- removal under fire ---------------------------------------------------------------------- */

static _Atomic bool cease_fire;
static _Atomic uint64_t fired; /* sends that returned 0 */
static _Atomic uint64_t refused;

static void fire(void *arg)
{
    uint64_t hit = 0, missed = 0, other = 0;
    (void)arg;
    while (!atomic_load_explicit(&cease_fire, memory_order_relaxed)) {
        cpumask_for_each (cpu, &smp_online) {
            long result = ipi_send((int)cpu, VECTOR_A);
            hit += result == 0;
            missed += result == -ENOENT;
            other += result != 0 && result != -ENOENT;
        }
    }
    atomic_fetch_add_explicit(&fired, hit, memory_order_relaxed);
    atomic_fetch_add_explicit(&refused, missed, memory_order_relaxed);
    atomic_fetch_add_explicit(&failed_sends, other, memory_order_relaxed);
}

static _Atomic uint64_t generation; /* which owner has the vector; 0: nobody */
static _Atomic uint64_t strays;     /* rings that came while nobody had it */

static void owner_handler(uint32_t irq, uint64_t count, void *cookie)
{
    counting_handler(irq, count, cookie);
    if (atomic_load_explicit(&generation, memory_order_acquire) == 0)
        atomic_fetch_add_explicit(&strays, count, memory_order_relaxed);
}

static void test_removal(void)
{
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    clear_taken();
    atomic_store(&cease_fire, false);
    atomic_store(&fired, 0);
    atomic_store(&refused, 0);
    atomic_store(&failed_sends, 0);
    atomic_store(&strays, 0);
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != arch_cpu())
            (void)core_job_start(cpu, fire, NULL);
    }
    for (uint64_t round = 1; round <= FIRE_ROUNDS; round++) {
        atomic_store_explicit(&generation, round, memory_order_release);
        int irq = ipi_register_handler(VECTOR_A, "selftest", owner_handler);
        for (int turn = 0; turn < FIRE_TURNS; turn++)
            arch_relax(); /* the others get some rings through */
        int error = ipi_unregister(VECTOR_A);
        atomic_store_explicit(&generation, 0, memory_order_release);
        if (!selftest_expect(irq >= 0 && error == 0, "round %llu: irq %d, unregister %d",
                             (unsigned long long)round, irq, error))
            break;
    }
    atomic_store(&cease_fire, true);
    wait_for_jobs();
    selftest_expect(ipi_wait_quiet(TAKEN_WAIT_NS), "rings are still on their way");
    selftest_expect(atomic_load(&strays) == 0, "%llu rings came while nobody had the vector",
                    (unsigned long long)atomic_load(&strays));
    selftest_expect(taken_by_all() == atomic_load(&fired), "%llu rings succeeded, %llu were taken",
                    (unsigned long long)atomic_load(&fired), (unsigned long long)taken_by_all());
    selftest_expect(atomic_load(&failed_sends) == 0, "%llu sends failed otherwise",
                    (unsigned long long)atomic_load(&failed_sends));
    selftest_note("%llu rings taken, %llu refused", (unsigned long long)atomic_load(&fired),
                  (unsigned long long)atomic_load(&refused));
}
SELFTEST("ipi-removal-under-fire", test_removal);

/* ---- random arguments ------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static void test_random(void)
{
    uint64_t seed = 1;
    uint64_t expected = 0;
    clear_taken();
    (void)ipi_register_handler(VECTOR_B, "selftest", counting_handler);
    for (int i = 0; i < RANDOM_CALLS; i++) {
        int core = (int)(next_random(&seed) % 300) - 10;
        int vector = (int)(next_random(&seed) % 600) - 100;
        long result = ipi_send(core, vector);
        if (vector != VECTOR_B) {
            bool none_but_self = core == IPI_OTHERS && smp_online_count() == 1;
            selftest_expect(result < 0 || (result == 0 && none_but_self && is_user_vector(vector)),
                            "send_ipi(%d, %d): an error expected, %ld seen", core, vector, result);
        } else if (result >= 0) {
            expected += core >= 0 ? 1 : (uint64_t)result;
        }
    }
    expect_result("unregister", ipi_unregister(VECTOR_B), 0);
    expect_result("rings taken", (long)taken_by_all(), (long)expected);
}
SELFTEST("ipi-random", test_random);

/* ---- NMI ------------------------------------------------------------------------------------- */

static _Atomic bool deaf_end, deaf_ready;

static void be_deaf(void *arg)
{
    (void)arg;
    uint64_t flags = arch_irq_save();
    atomic_store(&deaf_ready, true);
    while (!atomic_load(&deaf_end))
        arch_relax();
    arch_irq_restore(flags);
}

static void expect_nmi(cpu_t cpu, const char *what)
{
    uint64_t before = arch_nmi_count(cpu);
    uint64_t start = arch_clock_ns();
    selftest_expect(arch_ipi_send_nmi(cpu) == 0, "the NMI to core %u was not sent", cpu);
    while (arch_nmi_count(cpu) == before && arch_clock_ns() - start < TAKEN_WAIT_NS)
        arch_relax();
    selftest_expect(arch_nmi_count(cpu) == before + 1, "core %u, %s: 1 NMI expected, %llu seen",
                    cpu, what, (unsigned long long)(arch_nmi_count(cpu) - before));
}

/* In place of the report of an NMI that nobody asked for. */
static void count_only(void)
{
}

static void test_nmi(void)
{
    where_set_nmi_hook(count_only);
    cpumask_for_each (cpu, &smp_online) {
        expect_nmi(cpu, "interrupts on");
        if (cpu == arch_cpu())
            continue;
        atomic_store(&deaf_end, false);
        atomic_store(&deaf_ready, false);
        (void)core_job_start(cpu, be_deaf, NULL);
        while (!atomic_load(&deaf_ready))
            arch_relax();
        expect_nmi(cpu, "interrupts off");
        atomic_store(&deaf_end, true);
        wait_for_jobs();
    }
    where_set_nmi_hook(NULL);
    selftest_expect(!where_report_core(arch_cpu()), "a core was asked where it is by itself");
}
SELFTEST("ipi-nmi", test_nmi);
