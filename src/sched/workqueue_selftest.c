// SPDX-License-Identifier: MIT
/*
 * Workqueues, tested from inside: what is queued runs once, never beside itself, and is over when
 * flush or cancel say so, whoever queues from wherever meanwhile.
 */
#include "sched/workqueue.h"

#include <stdatomic.h>

#include "lib/context.h"
#include "lib/selftest.h"
#include "mm/page.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include "smp/cores.h"

enum {
    WORKS = 32,      /* of each core */
    CHECKED = 24,    /* likewise, in its percpu memory */
    TICK_US = 20,    /* between two interrupts of a core that queue */
    QUEUEINGS = 300, /* by each core */
    SOAK_QUEUEINGS = 1000000,
    CANCELS = 60,
    FLUSHES = 15,
    SLEEP_EVERY = 16,
    SLEEPERS = 5,
    SELF_QUEUEINGS = 50,
    STACKS_MAX = 1024, /* that are kept for new threads */
    WITHOUT_MEMORY = 3,
    LIVES = 3,
};
#define US UINT64_C(1000)
#define MS (1000 * US)
#define GIVE_UP_NS (10000 * MS)

static bool expect_count(const _Atomic uint64_t *counter, uint64_t wanted, const char *what)
{
    return selftest_expect(atomic_load(counter) == wanted, "%s: %llu expected, %llu seen", what,
                           (unsigned long long)wanted, (unsigned long long)atomic_load(counter));
}

static bool wait_for_count(const _Atomic uint64_t *counter, uint64_t wanted, const char *what)
{
    uint64_t begin = arch_clock_ns();
    while (atomic_load(counter) < wanted && arch_clock_ns() - begin < GIVE_UP_NS)
        thread_sleep(100 * US);
    return expect_count(counter, wanted, what);
}

static _Atomic uint64_t accepted; /* queueings that were not one with an earlier one */
static _Atomic uint64_t ran;
static _Atomic uint64_t wrong;
static _Atomic uint64_t turns;

static void begin(void)
{
    atomic_store(&accepted, 0);
    atomic_store(&ran, 0);
    atomic_store(&wrong, 0);
}

/* A work that knows whether it runs beside itself. */
struct checked_work {
    struct work work;
    _Atomic uint32_t inside;
};

static void run_checked(struct work *work)
{
    struct checked_work *checked = list_entry(work, struct checked_work, work);
    bool right =
        atomic_exchange(&checked->inside, 1) == 0 && !in_interrupt() && arch_irqs_enabled();
    atomic_fetch_add(&wrong, !right);
    if (atomic_fetch_add(&turns, 1) % SLEEP_EVERY == 0)
        thread_sleep(10 * US); /* so that another worker comes, and it is queued meanwhile */
    atomic_store(&checked->inside, 0);
    atomic_fetch_add(&ran, 1);
}

static void expect_all_ran(void)
{
    (void)wait_for_count(&ran, atomic_load(&accepted), "works run");
    (void)expect_count(&wrong, 0, "wrong");
}

/* ---- from handlers --------------------------------------------------------------------------- */

/* A core's timer, which queues works of its own and of its neighbour until it has done so often
 * enough. */
struct ticker {
    struct timer timer;
    struct workqueue *wq;
    uint64_t left, next;
    _Atomic bool done;
};
static DEFINE_PERCPU(struct ticker, ticker);
static DEFINE_PERCPU(struct checked_work, checked_works[CHECKED]);

static cpu_t neighbour(cpu_t cpu)
{
    cpu_t next = cpumask_next(&smp_online, cpu + 1);
    return next != CPU_NONE ? next : cpumask_next(&smp_online, 0);
}

static void tick(struct timer *timer)
{
    enum { AT_ONCE = 8 };
    struct ticker *self = list_entry(timer, struct ticker, timer);
    atomic_fetch_add(&wrong, !in_hardirq());
    for (int i = 0; i < AT_ONCE && self->left > 0; i++) {
        uint64_t n = self->next++;
        cpu_t of = n % 4 == 0 ? neighbour(arch_cpu()) : arch_cpu();
        struct checked_work *work = &(*percpu_of(of, checked_works))[n % CHECKED];
        if (work_queue(self->wq, &work->work)) {
            atomic_fetch_add(&accepted, 1);
            self->left--;
        }
    }
    if (self->left > 0)
        timer_start(timer, TICK_US * US);
    else
        atomic_store(&self->done, true);
}

static void start_ticker(void *wq)
{
    struct ticker *self = this_cpu_ptr(ticker);
    self->wq = wq;
    timer_start(&self->timer, TICK_US * US);
}

/* Each core's interrupts queue so many; *wq is given to start_ticker(). */
static void queue_from_handlers(struct workqueue *wq, uint64_t each)
{
    cpumask_for_each (cpu, &smp_online) {
        struct ticker *of = percpu_of(cpu, ticker);
        for (size_t i = 0; i < CHECKED; i++)
            work_init(&(*percpu_of(cpu, checked_works))[i].work, run_checked);
        *of = (struct ticker){.timer = TIMER(tick), .left = each};
    }
    cpumask_for_each (cpu, &smp_online) {
        struct thread *thread = thread_create_on(cpu, "start ticker", start_ticker, wq);
        if (selftest_expect(thread != NULL, "no thread on core %u", cpu))
            thread_join(thread);
    }
}

static void wait_for_tickers(void)
{
    cpumask_for_each (cpu, &smp_online) {
        while (!atomic_load(&percpu_of(cpu, ticker)->done))
            thread_sleep(100 * US);
    }
}

static uint64_t works_on_all_cores(void)
{
    uint64_t sum = 0;
    cpumask_for_each (cpu, &smp_online)
        sum += work_count_of(cpu);
    return sum;
}

static void test_once(void)
{
    struct workqueue *const queues[] = {system_wq, system_unbound_wq};
    for (size_t i = 0; i < 2; i++) {
        uint64_t before = works_on_all_cores();
        begin();
        queue_from_handlers(queues[i], QUEUEINGS);
        wait_for_tickers();
        workqueue_flush(queues[i]);
        (void)expect_count(&ran, atomic_load(&accepted), "works run when the flush is over");
        (void)expect_count(&ran, (uint64_t)QUEUEINGS * smp_online_count(), "works run");
        (void)expect_count(&wrong, 0, "wrong");
        uint64_t counted = works_on_all_cores() - before;
        selftest_expect(counted >= atomic_load(&ran), "%llu counted", (unsigned long long)counted);
    }
}
SELFTEST("work-once", test_once);

static void soak(void)
{
    begin();
    queue_from_handlers(system_wq, SOAK_QUEUEINGS / smp_online_count());
    wait_for_tickers();
    expect_all_ran();
    selftest_note("%llu works, queued by handlers of %u cores, have run",
                  (unsigned long long)atomic_load(&ran), smp_online_count());
}
SELFTEST_ON_REQUEST("work-million", soak);

/* ---- order, and works that sleep ------------------------------------------------------------- */

static struct wait_queue gate = WAIT_QUEUE(gate);
static _Atomic bool is_open;
static _Atomic uint64_t waiting;

static bool ask_gate(void *arg)
{
    (void)arg;
    return atomic_load(&is_open);
}

static void wait_at_gate(struct work *work)
{
    (void)work;
    atomic_fetch_add(&waiting, 1);
    atomic_fetch_add(&wrong, !wait_for(&gate, ask_gate, NULL, GIVE_UP_NS));
    atomic_fetch_add(&ran, 1);
}

static void open_gate(struct work *work)
{
    (void)work;
    atomic_store(&is_open, true);
    wake_all(&gate);
}

/* The last one ends the waiting of those before it, all on one core. */
static void test_sleepers(void)
{
    static struct work sleepers[SLEEPERS];
    static struct work opener = WORK(open_gate);
    begin();
    atomic_store(&is_open, false);
    atomic_store(&waiting, 0);
    for (int i = 0; i < SLEEPERS; i++) {
        work_init(&sleepers[i], wait_at_gate);
        (void)work_queue(system_wq, &sleepers[i]);
    }
    (void)wait_for_count(&waiting, SLEEPERS, "works asleep at once on one core");
    (void)work_queue(system_wq, &opener);
    for (int i = 0; i < SLEEPERS; i++)
        (void)work_flush(&sleepers[i]);
    (void)expect_count(&ran, SLEEPERS, "works that slept, flushed");
    (void)expect_count(&wrong, 0, "waited in vain");
    (void)work_flush(&opener);
}
SELFTEST("work-sleeps", test_sleepers);

struct block {
    struct block *next;
    unsigned order;
};

/* All that a thread could be made of. */
struct all_memory {
    struct block *blocks;
    size_t stacks;
    struct thread *with_stack[STACKS_MAX];
};

static void never(void *arg)
{
    (void)arg;
}

static void take_all(struct all_memory *memory)
{
    *memory = (struct all_memory){0};
    for (int order = PAGE_MAX_ORDER; order >= 0; order--) {
        for (paddr_t pa; (pa = page_alloc((unsigned)order, ALLOC_KERNEL)) != PADDR_NONE;) {
            struct block *block = arch_direct(pa);
            *block = (struct block){memory->blocks, (unsigned)order};
            memory->blocks = block;
        }
    }
    struct thread *thread;
    while (memory->stacks < STACKS_MAX &&
           (thread = thread_prepare("stack", never, NULL, NULL)) != NULL)
        memory->with_stack[memory->stacks++] = thread;
}

static void give_all_back(struct all_memory *memory)
{
    while (memory->stacks > 0)
        thread_discard(memory->with_stack[--memory->stacks]);
    while (memory->blocks != NULL) {
        struct block *block = memory->blocks;
        memory->blocks = block->next;
        page_free(arch_direct_to_phys(block), block->order);
    }
}

/* One worker sleeps in its work and a second one cannot be made; when it has woken, the first one
 * does all that comes, though the second is still to be made. */
static void test_no_memory(void)
{
    static struct all_memory memory;
    static struct work sleeper = WORK(wait_at_gate);
    static struct checked_work next;
    struct workqueue *wq = workqueue_create("starved", WORKQUEUE_PER_CORE);
    if (!selftest_expect(wq != NULL, "no memory for a queue"))
        return;
    begin();
    work_init(&next.work, run_checked);
    atomic_store(&is_open, false);
    atomic_store(&waiting, 0);
    (void)work_queue_on(0, wq, &sleeper);
    (void)wait_for_count(&waiting, 1, "a work asleep");
    take_all(&memory);
    (void)work_queue_on(0, wq, &next.work);
    thread_sleep(MS); /* kthreadd tries */
    open_gate(NULL);
    for (uint64_t i = 0; i < WITHOUT_MEMORY; i++) {
        if (!wait_for_count(&ran, 2 + i, "works run without memory"))
            break;
        thread_sleep(MS); /* the worker finds nothing more to do */
        (void)work_queue_on(0, wq, &next.work);
    }
    give_all_back(&memory);
    workqueue_destroy(wq);
    (void)expect_count(&ran, 2 + WITHOUT_MEMORY, "works run");
    (void)expect_count(&wrong, 0, "wrong");
}
SELFTEST("work-without-memory", test_no_memory);

static uint64_t last_number;

struct numbered_work {
    struct work work;
    uint64_t number;
};

static void note_number(struct work *work)
{
    const struct numbered_work *numbered = list_entry(work, struct numbered_work, work);
    atomic_fetch_add(&wrong, numbered->number != last_number + 1 || arch_cpu() != 0);
    last_number = numbered->number;
    atomic_fetch_add(&ran, 1);
}

static void test_order(void)
{
    static struct numbered_work works[WORKS];
    begin();
    last_number = 0;
    for (uint64_t i = 0; i < WORKS; i++) {
        works[i] = (struct numbered_work){.work = WORK(note_number), .number = i + 1};
        (void)work_queue_on(0, system_wq, &works[i].work);
    }
    selftest_expect(work_flush(&works[WORKS - 1].work), "the last work was over at once");
    (void)expect_count(&ran, WORKS, "works run");
    (void)expect_count(&wrong, 0, "out of order");
    selftest_expect(!work_flush(&works[0].work), "a flush waited for nothing");
}
SELFTEST("work-order", test_order);

static void spin_at_gate(struct work *work)
{
    (void)work;
    uint64_t begin_ns = arch_clock_ns();
    while (!atomic_load(&is_open) && arch_clock_ns() - begin_ns < GIVE_UP_NS)
        arch_relax();
    atomic_fetch_add(&wrong, !atomic_load(&is_open));
    atomic_fetch_add(&ran, 1);
}

/* One waits for the other without sleeping: they run at the same time, if there are two cores. */
static void test_unbound(void)
{
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    static struct work one, two;
    begin();
    atomic_store(&is_open, false);
    work_init(&one, spin_at_gate);
    work_init(&two, open_gate);
    (void)work_queue(system_unbound_wq, &one);
    (void)work_queue(system_unbound_wq, &two);
    (void)work_flush(&one);
    (void)work_flush(&two);
    (void)expect_count(&ran, 1, "works run");
    (void)expect_count(&wrong, 0, "waited in vain");
}
SELFTEST("work-unbound", test_unbound);

/* ---- itself ---------------------------------------------------------------------------------- */

static void queue_itself(struct work *work)
{
    if (atomic_fetch_add(&ran, 1) + 1 < SELF_QUEUEINGS)
        atomic_fetch_add(&wrong, !work_queue(system_wq, work));
}

static void queue_for_ever(struct work *work)
{
    atomic_fetch_add(&ran, 1);
    (void)work_queue(system_wq, work);
}

static void test_itself(void)
{
    static struct work work = WORK(queue_itself), endless = WORK(queue_for_ever);
    begin();
    (void)work_queue(system_wq, &work);
    (void)wait_for_count(&ran, SELF_QUEUEINGS, "runs of a work that queues itself");
    (void)expect_count(&wrong, 0, "not queued");
    begin();
    (void)work_queue(system_wq, &endless);
    selftest_expect(work_flush(&endless), "nothing to flush"); /* for the first run alone */
    (void)work_cancel_sync(&endless);
    uint64_t before = atomic_load(&ran);
    selftest_expect(before > 0 && !work_is_busy(&endless), "it is still there");
    thread_sleep(MS);
    (void)expect_count(&ran, before, "runs after the cancel");
}
SELFTEST("work-itself", test_itself);

/* ---- cancel and flush under fire ------------------------------------------------------------- */

static struct checked_work target;
static _Atomic bool stop;

static void hit_target(struct timer *timer)
{
    atomic_fetch_add(&accepted, work_queue(system_wq, &target.work));
    if (!atomic_load(&stop))
        timer_start(timer, 5 * US);
}

static DEFINE_PERCPU(struct timer, hitter);

static void start_hitter(void *arg)
{
    (void)arg;
    *this_cpu_ptr(hitter) = (struct timer)TIMER(hit_target);
    timer_start(this_cpu_ptr(hitter), 5 * US);
}

static void start_hitters(void)
{
    work_init(&target.work, run_checked);
    atomic_store(&stop, false);
    cpumask_for_each (cpu, &smp_online) {
        struct thread *thread = thread_create_on(cpu, "start hitter", start_hitter, NULL);
        if (selftest_expect(thread != NULL, "no thread on core %u", cpu))
            thread_join(thread);
    }
}

static void stop_hitters(void)
{
    atomic_store(&stop, true);
    cpumask_for_each (cpu, &smp_online) {
        while (percpu_of(cpu, hitter)->queued)
            thread_sleep(10 * US);
        (void)timer_cancel(percpu_of(cpu, hitter)); /* waits for its function */
    }
}

static void test_cancel(void)
{
    uint64_t kept = 0;
    begin();
    start_hitters();
    for (int i = 0; i < CANCELS; i++) {
        kept += work_cancel_sync(&target.work);
        selftest_expect(atomic_load(&target.inside) == 0 || work_is_busy(&target.work),
                        "it runs after the cancel");
        thread_sleep((uint64_t)(i % 4) * 10 * US);
    }
    stop_hitters();
    kept += work_cancel_sync(&target.work);
    selftest_expect(!work_is_busy(&target.work), "it is busy after the cancel");
    (void)expect_count(&ran, atomic_load(&accepted) - kept, "works run, less those cancelled");
    (void)expect_count(&wrong, 0, "wrong");
    selftest_expect(work_queue(system_wq, &target.work), "it cannot be queued after the cancel");
    (void)work_flush(&target.work);
}
SELFTEST("work-cancel", test_cancel);

static void test_flush(void)
{
    static struct checked_work own;
    begin();
    start_hitters();
    work_init(&own.work, run_checked);
    for (int i = 0; i < FLUSHES; i++) {
        uint64_t before = own.work.queueings;
        (void)work_queue(system_wq, &own.work);
        if (i % 2 == 0)
            workqueue_flush(system_wq); /* while others queue without end */
        else
            (void)work_flush(&own.work);
        selftest_expect(!work_is_busy(&own.work) && own.work.runs_for == before + 1,
                        "it has not run when the flush is over");
        (void)work_flush(&target.work);
    }
    stop_hitters();
    workqueue_flush(system_wq);
    (void)expect_count(&ran, atomic_load(&accepted) + FLUSHES, "works run");
    (void)expect_count(&wrong, 0, "wrong");
}
SELFTEST("work-flush", test_flush);

/* ---- later ----------------------------------------------------------------------------------- */

static struct delayed_work later;
static uint64_t due_ns;

static void note_delayed(struct work *work)
{
    atomic_fetch_add(&wrong, work != &later.work || arch_clock_ns() < due_ns);
    atomic_fetch_add(&ran, 1);
}

static void test_delayed(void)
{
    begin();
    delayed_work_init(&later, note_delayed);
    due_ns = arch_clock_ns() + 2 * MS;
    selftest_expect(delayed_work_queue(system_wq, &later, 2 * MS), "it was not queued");
    selftest_expect(!delayed_work_queue(system_wq, &later, 0), "it was queued twice");
    selftest_expect(!work_queue(system_wq, &later.work), "it was queued beside its timer");
    (void)wait_for_count(&ran, 1, "delayed works run");
    selftest_expect(delayed_work_queue(system_wq, &later, 1000 * MS), "it was not queued anew");
    selftest_expect(delayed_work_cancel_sync(&later), "its timer was not taken back");
    due_ns = 0;
    selftest_expect(delayed_work_queue(system_wq, &later, 0), "it was not queued after that");
    (void)work_flush(&later.work);
    (void)expect_count(&ran, 2, "delayed works run");
    uint64_t kept = 0;
    for (uint64_t i = 0; i < CANCELS; i++) { /* about when its time comes */
        (void)delayed_work_queue(system_wq, &later, 20 * US);
        arch_udelay((uint32_t)(i % 20 * 20));
        kept += delayed_work_cancel_sync(&later);
        selftest_expect(!work_is_busy(&later.work), "it is busy after the cancel");
    }
    (void)expect_count(&ran, 2 + CANCELS - kept, "delayed works run, less those cancelled");
    (void)expect_count(&wrong, 0, "too early");
}
SELFTEST("work-delayed", test_delayed);

/* ---- queues come and go ---------------------------------------------------------------------- */

static void live_once(enum workqueue_kind kind)
{
    struct workqueue *wq = workqueue_create("life", kind);
    if (!selftest_expect(wq != NULL, "no memory for a queue"))
        return;
    begin();
    queue_from_handlers(wq, WORKS);
    wait_for_tickers();
    workqueue_destroy(wq); /* what is queued runs before its end */
    (void)expect_count(&ran, (uint64_t)WORKS * smp_online_count(), "works run");
    (void)expect_count(&wrong, 0, "wrong");
}

static void test_life(void)
{
    live_once(WORKQUEUE_PER_CORE); /* stacks and slabs that are kept are there from now on */
    live_once(WORKQUEUE_UNBOUND);
    uint64_t before = page_count_free();
    for (int i = 0; i < LIVES; i++) {
        live_once(WORKQUEUE_PER_CORE);
        live_once(WORKQUEUE_UNBOUND);
    }
    thread_sleep(10 * MS); /* the last workers may still be on their stacks */
    uint64_t after = page_count_free(), stacks = 4 * (uint64_t)smp_online_count();
    selftest_expect(after + stacks >= before, "%llu frames free before, %llu after",
                    (unsigned long long)before, (unsigned long long)after);
}
SELFTEST("workqueue-life", test_life);
