// SPDX-License-Identifier: MIT
/*
 * The receive path and the queues, tested from inside with a card that is a number: so many frames
 * wait in its ring. Whoever adds one "interrupts" if the card's interrupt is open, as hardware
 * does. The card is taken away at the end.
 */
#include <stdatomic.h>

#include "irq/softirq.h"
#include "lib/errno.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "net/device.h"
#include "net/queue.h"
#include "sched/thread.h"
#include "smp/cores.h"

enum {
    FLOOD = 1000,
    ROUNDS = 400, /* of each core */
    FRAME_BYTES = 60,
    OVERFLOW = 10,
    GARBAGE = 0xa5,
    RACE_TURNS = 20000,
};

static struct card {
    struct net_device net;
    _Atomic unsigned ring;   /* frames that wait */
    _Atomic bool masked;     /* its receive interrupt */
    _Atomic bool cause;      /* the card wants to interrupt */
    _Atomic unsigned inside; /* cores in its poll */
    _Atomic unsigned overlaps;
    _Atomic int race;      /* 1: the next unmasking lets another core interrupt; 2: it may */
    bool link_comes;       /* while the next look at it lasts */
    unsigned late;         /* come while the poll is at work, just after its last look */
    _Atomic unsigned room; /* in the transmit ring */
    uint8_t sent[NET_FRAME_MAX];
    size_t sent_bytes;
} card;

/* What the hardware does: interrupt this core if the cause is set and not masked. Reading the cause
 * clears it. */
static void interrupt_if_open(void)
{
    uint64_t flags = arch_irq_save();
    if (!atomic_load(&card.masked) && atomic_exchange(&card.cause, false))
        net_poll_schedule(&card.net);
    arch_irq_restore(flags);
}

static void frames_come(unsigned count)
{
    atomic_fetch_add(&card.ring, count);
    atomic_store(&card.cause, true);
    interrupt_if_open();
}

/* ---- the driver ------------------------------------------------------------------------------ */

static bool take_one(void)
{
    static const uint8_t frame[FRAME_BYTES];
    unsigned there = atomic_load(&card.ring);
    if (there == 0)
        return false;
    atomic_fetch_sub(&card.ring, 1); /* nobody else takes: see overlaps */
    net_receive(&card.net, frame, sizeof(frame));
    return true;
}

static unsigned poll(struct net_device *net, unsigned budget)
{
    unsigned taken = 0;
    if (atomic_fetch_add(&card.inside, 1) != 0)
        atomic_fetch_add(&card.overlaps, 1);
    atomic_store(&card.cause, false);
    while (taken < budget && take_one())
        taken++;
    if (card.late > 0) { /* the handler of a shared line reads the cause, which is masked */
        atomic_fetch_add(&card.ring, card.late);
        card.late = 0;
        net_poll_schedule(net);
    }
    atomic_fetch_sub(&card.inside, 1);
    return taken;
}

static void mask(struct net_device *net, bool masked)
{
    (void)net;
    atomic_store(&card.masked, masked);
    if (masked || atomic_load(&card.race) != 1)
        return;
    atomic_store(&card.race, 2);
    for (int i = 0; i < RACE_TURNS; i++) /* it comes meanwhile, right behind the unmasking */
        arch_relax();
}

static int send(struct net_device *net, const void *frame, size_t length)
{
    (void)net;
    if (atomic_load(&card.room) == 0)
        return -ENOSPC;
    atomic_fetch_sub(&card.room, 1);
    memcpy(card.sent, frame, length);
    card.sent_bytes = length;
    return 0;
}

static bool link(struct net_device *net, unsigned *megabits)
{
    *megabits = 1000;
    if (!card.link_comes)
        return true;
    card.link_comes = false;
    net_link_look(net); /* as another core does, between this one's look and its note */
    return false;
}

static const struct net_device_ops ops = {.send = send, .poll = poll, .mask = mask, .link = link};

static bool begin(void)
{
    card = (struct card){.net = {.ops = &ops, .driver = "selftest"}};
    if (net_device_first() != NULL)
        selftest_skip("there is a network card");
    else if (selftest_expect(net_device_register(&card.net) == 0, "the card was not registered"))
        return true;
    return false;
}

static void end(void)
{
    net_device_unregister(&card.net);
}

/* Until the card is back to interrupts; what was left masked too long would be seen as a hang. */
static void wait_until_quiet(void)
{
    while (atomic_load(&card.masked) || atomic_load(&card.cause)) {
        interrupt_if_open();
        thread_yield();
    }
}

static void expect_count(const char *what, uint64_t expected, uint64_t seen)
{
    selftest_expect(seen == expected, "%s: %llu expected, %llu seen", what,
                    (unsigned long long)expected, (unsigned long long)seen);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* One interrupt, and as many turns as the budget asks for. */
static void test_budget(void)
{
    struct net_counters counters;
    if (!begin())
        return;
    frames_come(FLOOD);
    wait_until_quiet();
    net_device_counters(&card.net, &counters);
    expect_count("frames", FLOOD, counters.frames);
    expect_count("interrupts", 1, counters.interrupts);
    expect_count("polls", FLOOD / NET_POLL_BUDGET + 1, counters.polls);
    expect_count("full polls", FLOOD / NET_POLL_BUDGET, counters.full_polls);
    expect_count("unheard", FLOOD, counters.dropped[NET_DROP_UNHEARD]);
    end();
}
SELFTEST("net-budget", test_budget);

/* A cause that somebody else's interrupt found while the poll ran is not forgotten. */
static void test_cause_during_poll(void)
{
    if (!begin())
        return;
    card.late = 1;
    frames_come(1);
    wait_until_quiet();
    expect_count("left in the ring", 0, atomic_load(&card.ring));
    expect_count("frames", 2, card.net.counters.frames);
    end();
}
SELFTEST("net-cause-during-poll", test_cause_during_poll);

static void come_when_unmasked(void *arg)
{
    (void)arg;
    while (atomic_load(&card.race) != 2)
        arch_relax();
    frames_come(1);
}

static void race_once(void)
{
    enum { OTHER = 1 };
    struct thread *thread = thread_create_on(OTHER, "frames", come_when_unmasked, NULL);
    if (!selftest_expect(thread != NULL, "no thread"))
        return;
    atomic_store(&card.race, 1);
    frames_come(1);
    thread_join(thread);
    wait_until_quiet();
    expect_count("left in the ring", 0, atomic_load(&card.ring));
}

/* A frame that comes on another core between the unmasking and what the poll does behind it. */
static void test_unmask_race(void)
{
    enum { TRIES = 10 };
    if (smp_online_count() < 2) {
        selftest_skip("it takes two cores");
        return;
    }
    if (!begin())
        return;
    for (int i = 0; i < TRIES; i++)
        race_once();
    expect_count("frames", 2 * TRIES, card.net.counters.frames);
    end();
}
SELFTEST("net-unmask-race", test_unmask_race);

static void come_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        frames_come(1 + (unsigned)i % 3);
        thread_yield();
    }
}

/* Frames come on all cores at once: none is left, and two cores never poll at a time. */
static void test_all_cores(void)
{
    static struct thread *threads[MAX_CPUS];
    uint64_t expected = 0;
    if (!begin())
        return;
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        threads[cpu] = thread_create_on(cpu, "frames", come_often, NULL);
        for (int i = 0; threads[cpu] != NULL && i < ROUNDS; i++)
            expected += 1 + (unsigned)i % 3;
    }
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (threads[cpu] != NULL)
            thread_join(threads[cpu]);
    }
    wait_until_quiet();
    expect_count("left in the ring", 0, atomic_load(&card.ring));
    expect_count("frames", expected, card.net.counters.frames);
    expect_count("polls on two cores", 0, atomic_load(&card.overlaps));
    end();
}
SELFTEST("net-all-cores", test_all_cores);

/* ---- queues ---------------------------------------------------------------------------------- */

/* What does not fit is dropped from that queue and counted, on both sides. */
static void test_queue_overflow(void)
{
    struct net_queue_counters counters = {0};
    if (!begin())
        return;
    struct net_queue *queue = net_queue_open(1);
    if (selftest_expect(queue != NULL, "no memory for a queue")) {
        frames_come(NET_QUEUE_FRAMES + OVERFLOW);
        wait_until_quiet();
        selftest_expect(net_queue_counters(0, &counters), "the queue is not in the list");
        expect_count("waiting", NET_QUEUE_FRAMES, counters.waiting);
        expect_count("dropped", OVERFLOW, counters.dropped);
        expect_count("the card's overflowed", OVERFLOW, card.net.counters.overflowed);
        expect_count("the card's queued", NET_QUEUE_FRAMES, card.net.counters.queued);
        net_queue_close(queue);
        selftest_expect(!net_queue_counters(0, &counters), "the queue is still in the list");
    }
    end();
}

/* A frame's copies have a bound, and a list of the queues passes none over while others close. */
static void test_queues_max(void)
{
    struct net_queue *queues[NET_QUEUES_MAX + 1] = {0};
    struct net_queue_counters counters = {0};
    int count = 0, seen = 0;
    while (count <= NET_QUEUES_MAX && (queues[count] = net_queue_open(count + 1)) != NULL)
        count++;
    selftest_expect(count == NET_QUEUES_MAX, "%d queues, %d expected", count, NET_QUEUES_MAX);
    while (net_queue_counters(counters.owner, &counters)) {
        seen++;
        selftest_expect(counters.owner == seen, "queue %d is that of %d", seen, counters.owner);
        net_queue_close(queues[seen - 1]);
    }
    selftest_expect(seen == count, "%d of %d queues were seen", seen, count);
    while (seen < count)
        net_queue_close(queues[seen++]);
}
SELFTEST("net-queue-overflow", test_queue_overflow);
SELFTEST("net-queues-max", test_queues_max);

/* ---- sending --------------------------------------------------------------------------------- */

static void make_room(void *arg)
{
    (void)arg;
    while (__atomic_load_n(&card.net.counters.send_waits, __ATOMIC_RELAXED) == 0)
        thread_yield(); /* until the sender has found the ring full */
    atomic_store(&card.room, 1);
    net_transmit_room(&card.net);
}

/* A short frame is padded with zeros, whatever was in memory; no link is an error; a full ring is
 * waited for. */
static void test_send(void)
{
    uint8_t frame[NET_FRAME_MAX];
    if (!begin())
        return;
    memset(frame, GARBAGE, sizeof(frame));
    expect_count("without link", (uint64_t)-EIO,
                 (uint64_t)net_send(&card.net, frame, NET_FRAME_MIN));
    card.link_comes = true;
    net_link_look(&card.net);
    bool up = selftest_expect(atomic_load(&card.net.has_link), "the older look was noted last");
    struct thread *thread = up ? thread_create("room", make_room, NULL, NULL) : NULL;
    if (selftest_expect(thread != NULL, "no thread")) {
        int result = net_send(&card.net, frame, NET_FRAME_MIN);
        thread_join(thread);
        selftest_expect(result == 0, "0 expected, %d seen", result);
        expect_count("bytes", NET_FRAME_PADDED, card.sent_bytes);
        for (size_t i = 0; i < NET_FRAME_PADDED; i++)
            expect_count("byte", i < NET_FRAME_MIN ? GARBAGE : 0, card.sent[i]);
    }
    end();
}
SELFTEST("net-send", test_send);
