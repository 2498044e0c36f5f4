// SPDX-License-Identifier: MIT
/*
 * Two locks. That of a work guards its state, from being queued to the end of its function; that of
 * a pool its list of works and its workers. The work's is taken first. So each question, "is it
 * queued? does it run? where?", has one answer at a time, whoever asks from wherever.
 *
 * A work that was taken out of its pool's list and has not begun is in a worker's hand: `pending`,
 * and `listed` no more. Who cancels it then waits until it has run.
 *
 * Workers. `busy` counts those of a pool that run a work and are not blocked in it. As long as
 * works wait and fewer are busy than the pool may use cores, another one is called: an idle one, or
 * a new one, which kthreadd makes. The scheduler tells when a worker blocks, which is what makes
 * room for the next: a work that sleeps holds up nobody.
 *
 * Flushing a queue. Each queueing has the colour that its pool had then, and the pool counts by
 * colour. Who flushes changes the colour of each pool and waits until nothing is left of the old
 * one; works that come meanwhile have the new one, and hold nobody up.
 */
#include "sched/workqueue.h"

#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "sched/kthreadd.h"
#include "sched/mutex.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include "sched/workqueue_internal.h"
#include "smp/cores.h"

enum { COLOURS = 2 };

struct work_pool {
    struct spinlock lock;
    unsigned may_use;           /* I: how many workers are to be busy at a time */
    struct list_node works;     /* L: lock; the first was queued first */
    unsigned workers;           /* L: all, the one that is being made included */
    unsigned idle;              /* L: those that wait to be called */
    unsigned called;            /* L: of these, those that were called and have not noticed */
    unsigned busy;              /* L: those that are neither idle nor blocked in a work */
    bool making;                /* L: kthreadd was asked for one more */
    bool ends;                  /* L: the workers are to end */
    unsigned colour;            /* L: of what is queued now */
    unsigned counts[COLOURS];   /* L: works queued or running, by colour */
    struct wait_queue calls;    /* idle workers */
    struct wait_queue finished; /* who waits for the end of works, or of workers */
    struct kthread_wish wish;
} __attribute__((aligned(64)));

struct workqueue {
    const char *name;
    enum workqueue_kind kind;
    size_t pool_count;       /* I */
    struct mutex flush;      /* one flush at a time */
    struct work_pool *pools; /* I: by core, or one */
};

/* One worker, on its thread's stack. P: its thread. */
struct worker {
    struct work_pool *pool;
    struct work *work; /* whose function it is in, or NULL */
};

struct workqueue *system_wq;
struct workqueue *system_unbound_wq;

static DEFINE_PERCPU(uint64_t, works_done);

/* ---- workers are called ---------------------------------------------------------------------- */

/* See to it that enough workers are busy. Locks: caller holds the pool's. */
static void call_workers(struct work_pool *pool)
{
    if (list_is_empty(&pool->works) || pool->busy + pool->called >= pool->may_use)
        return;
    /* one that is being made is not waited for: there may be no memory for it */
    if (pool->idle > pool->called) {
        pool->called++;
        wake_one(&pool->calls);
    } else if (pool->workers < WORKERS_MAX && !pool->making) {
        pool->making = true;
        pool->workers++;
        kthreadd_ask(&pool->wish);
    }
}

void worker_blocks(struct worker *worker)
{
    struct work_pool *pool = worker->pool;
    if (worker->work == NULL)
        return; /* it waits for work */
    uint64_t flags = spin_lock_irqsave(&pool->lock);
    pool->busy--;
    call_workers(pool);
    spin_unlock_irqrestore(&pool->lock, flags);
}

void worker_goes_on(struct worker *worker)
{
    struct work_pool *pool = worker->pool;
    if (worker->work == NULL)
        return;
    uint64_t flags = spin_lock_irqsave(&pool->lock);
    pool->busy++;
    spin_unlock_irqrestore(&pool->lock, flags);
}

/* ---- what a worker does ---------------------------------------------------------------------- */

/* Locks: caller holds the pool's. */
static void enlist(struct work_pool *pool, struct work *work)
{
    list_push_back(&pool->works, &work->node);
    work->listed = true;
}

/* Returns: the next work, which is in the caller's hand now, or NULL. Locks: caller holds the
 * pool's. */
static struct work *take_work(struct work_pool *pool)
{
    if (list_is_empty(&pool->works) || pool->busy > pool->may_use)
        return NULL; /* busier than it is to be: those that were blocked have come back */
    struct work *work = list_entry(pool->works.next, struct work, node);
    list_remove(&work->node);
    work->listed = false;
    call_workers(pool); /* for the next one */
    return work;
}

/* Returns: the colour of the queueing for which it runs. */
static unsigned begin_work(struct work *work)
{
    uint64_t flags = spin_lock_irqsave(&work->lock);
    unsigned colour = work->colour;
    work->pending = false;
    work->running = true;
    work->runs_for = work->queueings;
    spin_unlock_irqrestore(&work->lock, flags);
    return colour;
}

/* From here on the work is its owner's, unless it was queued again. */
static void end_work(struct work_pool *pool, struct work *work, unsigned colour)
{
    uint64_t flags = spin_lock_irqsave(&work->lock);
    work->running = false;
    spin_lock(&pool->lock);
    pool->counts[colour]--;
    if (work->pending)
        enlist(pool, work);
    spin_unlock(&pool->lock);
    this_cpu(works_done) += 1;
    spin_unlock_irqrestore(&work->lock, flags);
    wake_all(&pool->finished);
}

static void run_work(struct worker *self, struct work *work)
{
    unsigned colour = begin_work(work);
    self->work = work;
    work->fn(work);
    if (DEBUG_KERNEL)
        context_check_thread((uintptr_t)work->fn);
    self->work = NULL;
    end_work(self->pool, work, colour);
}

/* wait_for()'s question. */
static bool is_called(void *arg)
{
    struct work_pool *pool = arg;
    uint64_t flags = spin_lock_irqsave(&pool->lock);
    bool called = pool->called > 0 || pool->ends;
    if (called) {
        pool->called -= pool->called > 0;
        pool->idle--;
        pool->busy++;
    }
    spin_unlock_irqrestore(&pool->lock, flags);
    return called;
}

/* Returns: work, or NULL: the worker is to end, and counts no more. */
static struct work *wait_for_work(struct work_pool *pool)
{
    for (;;) {
        uint64_t flags = spin_lock_irqsave(&pool->lock);
        struct work *work = take_work(pool);
        bool ends = work == NULL && pool->ends;
        if (work == NULL)
            pool->busy--;
        if (ends) {
            pool->workers--;
            wake_all(&pool->finished); /* the last act here: without the lock, the pool may go */
        } else if (work == NULL) {
            pool->idle++;
        }
        spin_unlock_irqrestore(&pool->lock, flags);
        if (work != NULL || ends)
            return work;
        (void)wait_for(&pool->calls, is_called, pool, WAIT_FOR_EVER);
    }
}

static void worker_main(void *arg)
{
    struct work_pool *pool = arg;
    struct worker self = {.pool = pool};
    struct work *work;
    uint64_t flags = spin_lock_irqsave(&pool->lock);
    pool->making = false;
    pool->busy++;
    spin_unlock_irqrestore(&pool->lock, flags);
    thread_current()->worker = &self;
    while ((work = wait_for_work(pool)) != NULL) {
        run_work(&self, work);
        thread_point();
    }
    thread_current()->worker = NULL;
}

/* ---- queueing -------------------------------------------------------------------------------- */

void work_init(struct work *work, void (*fn)(struct work *work))
{
    *work = (struct work)WORK(fn);
}

void delayed_work_init(struct delayed_work *delayed, void (*fn)(struct work *work))
{
    *delayed = (struct delayed_work)DELAYED_WORK(fn);
}

static struct work_pool *pool_of(struct workqueue *wq, cpu_t cpu)
{
    return &wq->pools[wq->kind == WORKQUEUE_PER_CORE ? cpu : 0];
}

/* May it be queued? Locks: caller holds the work's. */
static bool is_free(const struct work *work)
{
    return !work->pending && !work->delayed && work->cancellers == 0;
}

/* Locks: caller holds the work's; interrupts are off. */
static void put_into(struct work_pool *pool, struct work *work)
{
    if (work->running)
        pool = work->pool;
    work->pool = pool;
    work->pending = true;
    work->queueings++;
    spin_lock(&pool->lock);
    ASSERT(!pool->ends);
    work->colour = pool->colour;
    pool->counts[work->colour]++;
    if (!work->running) { /* else its worker does it, at the end */
        enlist(pool, work);
        call_workers(pool);
    }
    spin_unlock(&pool->lock);
}

bool work_queue_on(cpu_t cpu, struct workqueue *wq, struct work *work)
{
    ASSERT_NOT_NMI();
    ASSERT(cpumask_test(&smp_online, cpu));
    uint64_t flags = spin_lock_irqsave(&work->lock);
    bool news = is_free(work);
    if (news)
        put_into(pool_of(wq, cpu), work);
    spin_unlock_irqrestore(&work->lock, flags);
    return news;
}

bool work_queue(struct workqueue *wq, struct work *work)
{
    return work_queue_on(arch_cpu(), wq, work);
}

void delayed_work_due(struct timer *timer)
{
    struct delayed_work *delayed = list_entry(timer, struct delayed_work, timer);
    struct work *work = &delayed->work;
    uint64_t flags = spin_lock_irqsave(&work->lock);
    if (work->delayed) { /* else it has just been cancelled */
        work->delayed = false;
        put_into(pool_of(delayed->wq, arch_cpu()), work);
    }
    spin_unlock_irqrestore(&work->lock, flags);
}

bool delayed_work_queue(struct workqueue *wq, struct delayed_work *delayed, uint64_t ns)
{
    ASSERT_NOT_NMI();
    struct work *work = &delayed->work;
    uint64_t flags = spin_lock_irqsave(&work->lock);
    bool news = is_free(work);
    if (news && ns == 0) {
        put_into(pool_of(wq, arch_cpu()), work);
    } else if (news) {
        work->delayed = true;
        delayed->wq = wq;
        timer_start(&delayed->timer, ns);
    }
    spin_unlock_irqrestore(&work->lock, flags);
    return news;
}

bool work_is_busy(struct work *work)
{
    uint64_t flags = spin_lock_irqsave(&work->lock);
    bool busy = work->pending || work->delayed || work->running;
    spin_unlock_irqrestore(&work->lock, flags);
    return busy;
}

/* ---- waiting for a work, cancelling it ------------------------------------------------------- */

/* What somebody waits for: that the work has run for all queueings up to `last`. */
struct flush {
    struct work *work;
    uint64_t last;
};

static bool has_run(void *arg)
{
    const struct flush *flush = arg;
    struct work *work = flush->work;
    uint64_t flags = spin_lock_irqsave(&work->lock);
    bool waits = work->pending && work->queueings <= flush->last;
    bool runs = work->running && work->runs_for <= flush->last;
    spin_unlock_irqrestore(&work->lock, flags);
    return !waits && !runs;
}

/* Is the calling thread in the function of this very work? */
static bool is_inside(const struct work *work)
{
    const struct worker *worker = thread_current()->worker;
    return worker != NULL && worker->work == work;
}

bool work_flush(struct work *work)
{
    might_sleep();
    ASSERT(!is_inside(work));
    uint64_t flags = spin_lock_irqsave(&work->lock);
    struct work_pool *pool = work->pool;
    struct flush flush = {.work = work, .last = work->queueings};
    bool busy = work->pending || work->running;
    spin_unlock_irqrestore(&work->lock, flags);
    if (busy)
        (void)wait_for(&pool->finished, has_run, &flush, WAIT_FOR_EVER);
    return busy;
}

/* Take back the queueing that waits, unless a worker has it in hand. Returns: was there one?
 * Locks: caller holds the work's; interrupts are off. */
static bool take_back(struct work *work)
{
    struct work_pool *pool = work->pool;
    if (!work->pending)
        return false;
    spin_lock(&pool->lock);
    bool in_hand = !work->listed && !work->running;
    if (work->listed)
        list_remove(&work->node);
    if (!in_hand) {
        work->listed = false;
        work->pending = false;
        pool->counts[work->colour]--;
    }
    spin_unlock(&pool->lock);
    return !in_hand;
}

static bool has_ended(void *arg)
{
    struct work *work = arg;
    uint64_t flags = spin_lock_irqsave(&work->lock);
    bool ended = !work->pending && !work->running;
    spin_unlock_irqrestore(&work->lock, flags);
    return ended;
}

/* `timer`: of a delayed work, or NULL. */
static bool cancel(struct work *work, struct timer *timer)
{
    ASSERT(!is_inside(work));
    uint64_t flags = spin_lock_irqsave(&work->lock);
    struct work_pool *pool = work->pool;
    bool delayed = work->delayed, taken = take_back(work);
    bool busy = work->pending || work->running;
    work->delayed = false;
    work->cancellers++;
    spin_unlock_irqrestore(&work->lock, flags);
    ASSERT(timer != NULL || !delayed); /* else delayed_work_cancel_sync() was to be called */
    if (timer != NULL) /* though another canceller was first: its function may still be at it */
        (void)timer_cancel(timer); /* should it run now, it finds nothing to do */
    if (taken)
        wake_all(&pool->finished);
    if (busy)
        (void)wait_for(&pool->finished, has_ended, work, WAIT_FOR_EVER);
    flags = spin_lock_irqsave(&work->lock);
    work->cancellers--;
    spin_unlock_irqrestore(&work->lock, flags);
    return delayed || taken;
}

bool work_cancel_sync(struct work *work)
{
    might_sleep();
    return cancel(work, NULL);
}

bool delayed_work_cancel_sync(struct delayed_work *delayed)
{
    might_sleep();
    return cancel(&delayed->work, &delayed->timer);
}

/* ---- whole queues ---------------------------------------------------------------------------- */

static void init_pool(struct work_pool *pool, struct workqueue *wq, cpu_t cpu)
{
    pool->lock = (struct spinlock)SPINLOCK(RANK_WORK_POOL, "work pool");
    pool->may_use = 1;
    if (cpu == CPU_NONE)
        pool->may_use = smp_online_count() < WORKERS_MAX ? smp_online_count() : WORKERS_MAX;
    list_init(&pool->works);
    wait_queue_init(&pool->calls);
    wait_queue_init(&pool->finished);
    pool->wish = (struct kthread_wish){.fn = worker_main, .arg = pool, .cpu = cpu};
    if (cpu == CPU_NONE)
        (void)text_copy(pool->wish.name, wq->name, sizeof(pool->wish.name));
    else
        (void)snprintf(pool->wish.name, sizeof(pool->wish.name), "%s/%u", wq->name, cpu);
}

struct workqueue *workqueue_create(const char *name, enum workqueue_kind kind)
{
    size_t count = kind == WORKQUEUE_PER_CORE ? arch_cpu_count() : 1;
    struct workqueue *wq = heap_alloc(sizeof(*wq), ALLOC_KERNEL | ALLOC_ZERO);
    struct work_pool *pools = heap_alloc(count * sizeof(*pools), ALLOC_KERNEL | ALLOC_ZERO);
    if (wq == NULL || pools == NULL) {
        heap_free(wq);
        heap_free(pools);
        return NULL;
    }
    wq->name = name;
    wq->kind = kind;
    wq->pool_count = count;
    wq->pools = pools;
    mutex_init(&wq->flush);
    for (size_t i = 0; i < count; i++)
        init_pool(&pools[i], wq, kind == WORKQUEUE_PER_CORE ? (cpu_t)i : CPU_NONE);
    return wq;
}

struct pool_flush {
    struct work_pool *pool;
    unsigned colour;
};

static bool none_left(void *arg)
{
    const struct pool_flush *flush = arg;
    uint64_t flags = spin_lock_irqsave(&flush->pool->lock);
    bool none = flush->pool->counts[flush->colour] == 0;
    spin_unlock_irqrestore(&flush->pool->lock, flags);
    return none;
}

/* Returns: the colour that the pool had. */
static unsigned change_colour(struct work_pool *pool)
{
    uint64_t flags = spin_lock_irqsave(&pool->lock);
    unsigned colour = pool->colour;
    pool->colour = (colour + 1) % COLOURS;
    spin_unlock_irqrestore(&pool->lock, flags);
    return colour;
}

void workqueue_flush(struct workqueue *wq)
{
    might_sleep();
    const struct worker *worker = thread_current()->worker;
    ASSERT(worker == NULL || worker->pool < wq->pools ||
           worker->pool >= wq->pools + wq->pool_count);
    mutex_lock(&wq->flush);
    unsigned colour = 0;
    for (size_t i = 0; i < wq->pool_count; i++)
        colour = change_colour(&wq->pools[i]); /* the same for all: they change together */
    for (size_t i = 0; i < wq->pool_count; i++) {
        struct pool_flush flush = {.pool = &wq->pools[i], .colour = colour};
        (void)wait_for(&wq->pools[i].finished, none_left, &flush, WAIT_FOR_EVER);
    }
    mutex_unlock(&wq->flush);
}

static bool is_empty(const struct workqueue *wq)
{
    for (size_t i = 0; i < wq->pool_count; i++) {
        for (unsigned colour = 0; colour < COLOURS; colour++) {
            struct pool_flush flush = {.pool = &wq->pools[i], .colour = colour};
            if (!none_left(&flush))
                return false;
        }
    }
    return true;
}

static bool has_no_workers(void *arg)
{
    struct work_pool *pool = arg;
    uint64_t flags = spin_lock_irqsave(&pool->lock);
    bool none = pool->workers == 0;
    spin_unlock_irqrestore(&pool->lock, flags);
    return none;
}

static void end_workers(struct work_pool *pool)
{
    uint64_t flags = spin_lock_irqsave(&pool->lock);
    pool->ends = true;
    spin_unlock_irqrestore(&pool->lock, flags);
    wake_all(&pool->calls);
    (void)wait_for(&pool->finished, has_no_workers, pool, WAIT_FOR_EVER);
}

void workqueue_destroy(struct workqueue *wq)
{
    do {
        workqueue_flush(wq);
    } while (!is_empty(wq));
    for (size_t i = 0; i < wq->pool_count; i++)
        end_workers(&wq->pools[i]);
    heap_free(wq->pools);
    heap_free(wq);
}

int workqueue_start(void)
{
    system_wq = workqueue_create("work", WORKQUEUE_PER_CORE);
    system_unbound_wq = workqueue_create("work", WORKQUEUE_UNBOUND);
    return system_wq != NULL && system_unbound_wq != NULL ? 0 : -ENOMEM;
}

uint64_t work_count_of(cpu_t cpu)
{
    return *percpu_of(cpu, works_done);
}
