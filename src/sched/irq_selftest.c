// SPDX-License-Identifier: MIT
/*
 * The rules of request_irq() and its companions, tested from inside with a device that is a data
 * structure: it has the address and the value of a message, as an MSI capability has, and "sends"
 * by interrupting the core that they name. So the way from the Local APIC to the handlers is the
 * real one, and the device does what the test wants. Lines of real devices: line_selftest.c.
 *
 * Nothing is waited for by time: the counts of interrupts taken tell when one has been.
 */
#include <stdatomic.h>

#include "irq/doorbell.h"
#include "irq/irq.h"
#include "irq/timer.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/selftest.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "smp/delay_selftest.h"

#define PATIENCE_NS UINT64_C(5000000000)
#define WHILE_NS UINT64_C(10000000)

enum { MOVES = 100, APIC_ID_SHIFT = 12, APIC_ID_MASK = 0xff, SPREAD = 3 };

/* ---- the device ------------------------------------------------------------------------------ */

struct device {
    struct spinlock lock;
    uint64_t address; /* L */
    uint32_t value;   /* L */
    bool masked;      /* L */
    bool pending;     /* L: what it would have sent */
    bool loses;       /* I: what comes while it is masked, as an input of the I/O APIC does */
    uint32_t irq;     /* I */
};

/* Locks: caller holds device->lock. */
static void send(const struct device *device)
{
    uint32_t id = (uint32_t)(device->address >> APIC_ID_SHIFT) & APIC_ID_MASK;
    cpumask_for_each (cpu, &smp_online) {
        if (arch_cpu_hardware_id(cpu) == id)
            (void)arch_ipi_send(cpu, (uint8_t)device->value);
    }
}

static void device_raise(struct device *device)
{
    uint64_t flags = spin_lock_irqsave(&device->lock);
    if (device->masked)
        device->pending = !device->loses;
    else
        send(device);
    spin_unlock_irqrestore(&device->lock, flags);
}

static void device_write(void *data, uint64_t address, uint32_t value)
{
    struct device *device = data;
    spin_lock(&device->lock);
    device->address = address;
    device->value = value;
    spin_unlock(&device->lock);
}

static void device_mask(void *data, bool masked)
{
    struct device *device = data;
    spin_lock(&device->lock);
    device->masked = masked;
    if (!masked && device->pending)
        send(device);
    device->pending = device->pending && masked;
    spin_unlock(&device->lock);
}

static const struct irq_msi_ops device_ops = {.write = device_write, .mask = device_mask};

static bool device_init(struct device *device)
{
    *device = (struct device){.lock = SPINLOCK(RANK_PAGE, "test device"), .masked = true};
    int irq = irq_alloc_msi(&device_ops, device, 0);
    device->irq = (uint32_t)irq;
    return selftest_expect(irq >= 0, "no irq for the test's device: %d", irq);
}

static uint64_t taken(uint32_t irq)
{
    uint64_t sum = 0;
    cpumask_for_each (cpu, &smp_online)
        sum += irq_stat_of(irq, cpu).interrupts;
    return sum;
}

/* Wait until value(arg) is at least `wanted`. */
static bool wait_for_value(uint64_t (*value)(const void *arg), const void *arg, uint64_t wanted)
{
    uint64_t start = arch_clock_ns();
    while (value(arg) < wanted) {
        if (arch_clock_ns() - start > PATIENCE_NS)
            return false;
        arch_relax();
    }
    return true;
}

static uint64_t taken_of(const void *arg)
{
    return taken(((const struct device *)arg)->irq);
}

/* `times` interrupts, each taken before the next one is sent. */
static bool raise_and_wait(struct device *device, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        uint64_t before = taken(device->irq);
        device_raise(device);
        if (!selftest_expect(wait_for_value(taken_of, device, before + 1),
                             "an interrupt of irq %u did not come", device->irq))
            return false;
    }
    return true;
}

/* ---- a handler ------------------------------------------------------------------------------- */

struct listener {
    enum irq_result answer;
    _Atomic uint32_t calls;
    _Atomic uint32_t inside;   /* cores in the handler */
    _Atomic uint32_t overlaps; /* times that there were two */
    _Atomic bool stay;         /* the handler does not return while it is set */
    uint32_t longest_us;       /* it stays so long, or a part of it */
    _Atomic uint32_t ends;     /* handlers that have come to their end */

    _Atomic uint32_t thread_calls;
    _Atomic uint32_t thread_ends;
    _Atomic bool hold; /* the thread function waits while it is set */
    bool thread_none;  /* it says IRQ_NONE */
    cpu_t last_cpu;
};

static enum irq_result listen(uint32_t irq, void *dev)
{
    struct listener *listener = dev;
    (void)irq;
    bool first = atomic_fetch_add(&listener->inside, 1) == 0;
    if (!first)
        atomic_fetch_add(&listener->overlaps, 1);
    listener->last_cpu = arch_cpu();
    atomic_fetch_add(&listener->calls, 1);
    while (first && atomic_load(&listener->stay))
        arch_relax();
    if (listener->longest_us != 0)
        arch_udelay((uint32_t)(arch_ticks() / 16 % listener->longest_us));
    atomic_fetch_add(&listener->ends, 1);
    atomic_fetch_sub(&listener->inside, 1);
    return listener->answer;
}

static enum irq_result listen_in_thread(uint32_t irq, void *dev)
{
    struct listener *listener = dev;
    (void)irq;
    atomic_fetch_add(&listener->thread_calls, 1);
    while (atomic_load(&listener->hold))
        thread_yield();
    atomic_fetch_add(&listener->thread_ends, 1);
    return listener->thread_none ? IRQ_NONE : IRQ_HANDLED;
}

static uint64_t calls_of(const void *arg)
{
    return atomic_load(&((const struct listener *)arg)->calls);
}

/* Wait, letting others run, until so many thread functions have begun and ended. */
static bool wait_for_thread(const struct listener *listener, uint32_t begun, uint32_t ended)
{
    uint64_t start = arch_clock_ns();
    while (atomic_load(&listener->thread_calls) < begun ||
           atomic_load(&listener->thread_ends) < ended) {
        if (arch_clock_ns() - start > PATIENCE_NS)
            return selftest_expect(false, "%u thread functions begun and %u ended expected", begun,
                                   ended);
        thread_yield();
    }
    return true;
}

static void expect_calls(const char *when, const struct listener *listener, uint32_t wanted)
{
    uint32_t seen = atomic_load(&listener->calls);
    selftest_expect(seen == wanted, "%s: %u calls of the handler expected, %u seen", when, wanted,
                    seen);
}

static bool expect_result(const char *what, int seen, int wanted)
{
    return selftest_expect(seen == wanted, "%s: %d expected, %d seen", what, wanted, seen);
}

static struct irq_info info_of(uint32_t irq)
{
    static struct irq_info info;
    (void)irq_get_info(irq, &info);
    return info;
}

/* Was a line that ends in `end` put into the log since `cursor`? */
static bool was_logged(struct log_cursor cursor, const char *end)
{
    static char line[LOG_FORMATTED_MAX];
    long bytes;
    while ((bytes = log_read(&cursor, line, sizeof(line))) > 0) {
        size_t length = (size_t)bytes - 1, wanted = strlen(end);
        if (length >= wanted && memcmp(line + length - wanted, end, wanted) == 0)
            return true;
    }
    return false;
}

/* ---- sharing --------------------------------------------------------------------------------- */

static void expect_refusals(uint32_t irq, struct listener *first)
{
    static struct listener other;
    char message[96];
    struct log_cursor before = log_end();
    expect_result("not shared", request_irq(irq, listen, 0, "lone", &other), -EBUSY);
    (void)snprintf(message, sizeof(message),
                   "irq %u: flags mismatch, 00000000 (lone) against 00000080 (first)", irq);
    selftest_expect(was_logged(before, message), "not in the log: %s", message);
    expect_result("shared without dev", request_irq(irq, listen, IRQF_SHARED, "none", NULL),
                  -EINVAL);
    expect_result("the same dev", request_irq(irq, listen, IRQF_SHARED, "twice", first), -EBUSY);
    expect_result("another trigger",
                  request_irq(irq, listen, IRQF_SHARED | IRQF_TRIGGER_FALLING, "falling", &other),
                  -EBUSY);
    expect_result("a level message",
                  request_irq(irq, listen, IRQF_SHARED | IRQF_TRIGGER_LOW, "level", &other),
                  -EINVAL);
    expect_result("one-shot or not",
                  request_threaded_irq(irq, listen, listen_in_thread, IRQF_SHARED | IRQF_ONESHOT,
                                       "oneshot", &other),
                  -EBUSY);
    expect_result("no handler", request_irq(irq, NULL, IRQF_SHARED, "nobody", &other), -EINVAL);
    expect_result("free another", free_irq(irq, &other), -ENOENT);
    expect_result("no such irq", request_irq(irq_limit(), listen, 0, "far", NULL), -EINVAL);
}

static void test_shared(void)
{
    static struct device device;
    static struct listener first, second;
    first = (struct listener){.answer = IRQ_NONE};
    second = (struct listener){.answer = IRQ_HANDLED};
    if (!device_init(&device))
        return;
    expect_result("the first", request_irq(device.irq, listen, IRQF_SHARED, "first", &first), 0);
    expect_refusals(device.irq, &first);
    expect_result("the second", request_irq(device.irq, listen, IRQF_SHARED, "second", &second), 0);
    selftest_expect(strcmp(info_of(device.irq).names, "first, second") == 0,
                    "names \"first, second\" expected, \"%s\" seen", info_of(device.irq).names);
    raise_and_wait(&device, 2);
    expect_calls("shared", &first, 2);
    expect_calls("shared", &second, 2);
    expect_result("free the first", free_irq(device.irq, &first), 0);
    raise_and_wait(&device, 1);
    expect_calls("after its end", &first, 2);
    expect_calls("alone", &second, 3);
    selftest_expect(info_of(device.irq).unhandled == 0, "somebody handled each, %llu not",
                    (unsigned long long)info_of(device.irq).unhandled);
    expect_result("free the second", free_irq(device.irq, &second), 0);
    expect_result("free it again", free_irq(device.irq, &second), -ENOENT);
    irq_free_msi(device.irq);
}
SELFTEST("irq-shared", test_shared);

/* ---- nobody handles it ----------------------------------------------------------------------- */

/* A rule for one irq is none for others, such as the console's. */
static void expect_usual_rule(void)
{
    static struct device bystander;
    static struct listener listener;
    listener = (struct listener){.answer = IRQ_NONE};
    if (!device_init(&bystander))
        return;
    expect_result("request", request_irq(bystander.irq, listen, 0, "bystander", &listener), 0);
    raise_and_wait(&bystander, 101);
    selftest_expect(!info_of(bystander.irq).stuck, "another irq's rule switched it off");
    expect_result("free", free_irq(bystander.irq, &listener), 0);
    irq_free_msi(bystander.irq);
}

/* It is switched off; a handler more may be the one that it needs. */
static void expect_another_chance(struct device *device)
{
    static struct listener helper;
    helper = (struct listener){.answer = IRQ_HANDLED};
    expect_result("share", request_irq(device->irq, listen, IRQF_SHARED, "helper", &helper), 0);
    selftest_expect(!info_of(device->irq).stuck && !device->masked, "it stays off");
    raise_and_wait(device, 1);
    expect_calls("on a line that was off", &helper, 1);
    expect_result("free the helper", free_irq(device->irq, &helper), 0);
}

static void test_stuck(void)
{
    static struct device device;
    static struct listener listener;
    listener = (struct listener){.answer = IRQ_NONE};
    if (!device_init(&device))
        return;
    struct irq_stuck_rule rule =
        irq_set_stuck_rule(device.irq, (struct irq_stuck_rule){.window = 100, .limit = 90});
    expect_usual_rule();
    expect_result("request", request_irq(device.irq, listen, IRQF_SHARED, "deaf", &listener), 0);
    raise_and_wait(&device, 90);
    listener.answer = IRQ_HANDLED;
    raise_and_wait(&device, 10);
    selftest_expect(!info_of(device.irq).stuck, "90 of 100 unhandled: it is off");
    listener.answer = IRQ_NONE;
    struct log_cursor before = log_end();
    raise_and_wait(&device, 99);
    selftest_expect(!info_of(device.irq).stuck, "it is off before the 100th");
    raise_and_wait(&device, 1);
    selftest_expect(info_of(device.irq).stuck, "100 of 100 unhandled: it is still on");
    selftest_expect(was_logged(before, "listen() is the handler of deaf"), "no handler is named");
    selftest_expect(info_of(device.irq).unhandled == 190, "190 unhandled expected, %llu seen",
                    (unsigned long long)info_of(device.irq).unhandled);
    selftest_expect(device.masked, "the device may still send");
    (void)irq_set_stuck_rule(device.irq, rule);
    expect_another_chance(&device);
    expect_result("free", free_irq(device.irq, &listener), 0);
    device.pending = false;
    expect_result("again", request_irq(device.irq, listen, 0, "deaf", &listener), 0);
    raise_and_wait(&device, 1);
    expect_calls("after a new request", &listener, 202);
    expect_result("free", free_irq(device.irq, &listener), 0);
    irq_free_msi(device.irq);
}
SELFTEST("irq-stuck", test_stuck);

/* ---- holding back ---------------------------------------------------------------------------- */

static void test_disable(void)
{
    static struct device device;
    static struct listener listener;
    char message[64];
    listener = (struct listener){.answer = IRQ_HANDLED};
    if (!device_init(&device))
        return;
    expect_result("request", request_irq(device.irq, listen, 0, "held", &listener), 0);
    disable_irq(device.irq);
    disable_irq_nosync(device.irq);
    raise_and_wait(&device, 3);
    expect_calls("disabled twice", &listener, 0);
    enable_irq(device.irq);
    selftest_expect(info_of(device.irq).depth == 1, "depth 1 expected, %u seen",
                    info_of(device.irq).depth);
    expect_calls("disabled once", &listener, 0);
    enable_irq(device.irq);
    selftest_expect(wait_for_value(calls_of, &listener, 1), "what came meanwhile is lost");
    selftest_expect(wait_for_value(taken_of, &device, 4), "it did not come again");
    struct log_cursor before = log_end();
    enable_irq(device.irq);
    (void)snprintf(message, sizeof(message), "irq %u: enabled once more than it was disabled",
                   device.irq);
    selftest_expect(was_logged(before, message), "not in the log: %s", message);
    raise_and_wait(&device, 1);
    selftest_expect(wait_for_value(calls_of, &listener, 2), "it does not work any more");
    expect_calls("3 while disabled are one, and one", &listener, 2);
    disable_irq(device.irq); /* and nothing comes */
    enable_irq(device.irq);
    selftest_expect(taken(device.irq) == 5, "5 interrupts expected, %llu seen",
                    (unsigned long long)taken(device.irq));
    expect_result("free", free_irq(device.irq, &listener), 0);
    irq_free_msi(device.irq);
}
SELFTEST("irq-disable", test_disable);

/* The edge that waits cannot be sent when the irq is let go; the scan does it later. */
static void test_late_edge(void)
{
    static struct device device;
    static struct listener listener;
    listener = (struct listener){.answer = IRQ_HANDLED};
    if (!arch_ipi_hold(false)) {
        selftest_skip("needs a command register that can be busy");
        return;
    }
    if (!device_init(&device))
        return;
    expect_result("request", request_irq(device.irq, listen, 0, "late", &listener), 0);
    disable_irq(device.irq);
    raise_and_wait(&device, 1);
    (void)arch_ipi_hold(true);
    enable_irq(device.irq);
    (void)arch_ipi_hold(false);
    uint64_t flags = arch_irq_save();
    irq_kick_pending();
    arch_irq_restore(flags);
    selftest_expect(wait_for_value(calls_of, &listener, 1), "what could not be sent is lost");
    expect_result("free", free_irq(device.irq, &listener), 0);
    irq_free_msi(device.irq);
}
SELFTEST("irq-late-edge", test_late_edge);

/* ---- threads --------------------------------------------------------------------------------- */

/* Its thread function does not return before the test wants it. */
static void test_oneshot(void)
{
    static struct device device;
    static struct listener listener;
    listener = (struct listener){.answer = IRQ_WAKE_THREAD, .hold = true};
    if (!device_init(&device))
        return;
    expect_result("no handler and no one-shot",
                  request_threaded_irq(device.irq, NULL, listen_in_thread, 0, "test", &listener),
                  -EINVAL);
    expect_result("request",
                  request_threaded_irq(device.irq, listen, listen_in_thread, IRQF_ONESHOT,
                                       "threaded", &listener),
                  0);
    raise_and_wait(&device, 1);
    wait_for_thread(&listener, 1, 0);
    raise_and_wait(&device, 2);
    expect_calls("before the thread is done", &listener, 1);
    atomic_store(&listener.hold, false);
    wait_for_thread(&listener, 2, 2);
    expect_calls("2 while it was held are one", &listener, 2);
    expect_result("free", free_irq(device.irq, &listener), 0);
    irq_free_msi(device.irq);
}
SELFTEST("irq-oneshot", test_oneshot);

/* Lets the thread function go on, a while after the test began to wait for it. */
static void end_hold(void *arg)
{
    struct listener *listener = arg;
    thread_sleep(WHILE_NS);
    atomic_store(&listener->hold, false);
}

/* Wait by `how` for a thread function that a helper lets end only later. */
static void expect_to_wait(const char *what, struct device *device, struct listener *listener,
                           uint32_t ended, void (*how)(struct device *, struct listener *))
{
    struct thread *helper = thread_create("end hold", end_hold, listener, NULL);
    if (!selftest_expect(helper != NULL, "no thread"))
        return;
    how(device, listener);
    uint32_t seen = atomic_load(&listener->thread_ends);
    selftest_expect(seen == ended, "%s: %u thread functions ended expected, %u seen", what, ended,
                    seen);
    thread_join(helper);
}

static void by_disabling(struct device *device, struct listener *listener)
{
    (void)listener;
    disable_irq(device->irq);
    enable_irq(device->irq);
}

static void by_freeing(struct device *device, struct listener *listener)
{
    expect_result("free", free_irq(device->irq, listener), 0);
}

static void test_thread(void)
{
    static struct device device;
    static struct listener listener;
    listener = (struct listener){.answer = IRQ_WAKE_THREAD, .hold = true};
    if (!device_init(&device))
        return;
    expect_result(
        "request",
        request_threaded_irq(device.irq, listen, listen_in_thread, 0, "threaded", &listener), 0);
    raise_and_wait(&device, 1);
    wait_for_thread(&listener, 1, 0);
    raise_and_wait(&device, 3); /* nothing holds back the handler: three wakes are one */
    expect_calls("beside the thread", &listener, 4);
    expect_to_wait("disable_irq", &device, &listener, 2, by_disabling);
    atomic_store(&listener.hold, true);
    raise_and_wait(&device, 1);
    wait_for_thread(&listener, 3, 2);
    raise_and_wait(&device, 1);
    expect_to_wait("free_irq", &device, &listener, 4, by_freeing);
    irq_free_msi(device.irq);
}
SELFTEST("irq-thread", test_thread);

/* Interrupts of a line that two have, each when the threads of the one before have come back.
 * Returns: how many of them nobody handled, but for the last, which is judged later. */
static uint64_t unhandled_of(struct device *device, const struct listener *first,
                             const struct listener *second)
{
    enum { TIMES = 10 };
    uint64_t before = info_of(device->irq).unhandled;
    for (unsigned i = 0; i < TIMES; i++) {
        uint32_t ends[] = {atomic_load(&first->thread_ends) + 1,
                           atomic_load(&second->thread_ends) +
                               (second->answer == IRQ_WAKE_THREAD ? 1 : 0)};
        if (!raise_and_wait(device, 1) || !wait_for_thread(first, ends[0], ends[0]) ||
            !wait_for_thread(second, ends[1], ends[1]))
            break;
    }
    return info_of(device->irq).unhandled - before;
}

static void expect_unhandled(const char *when, uint64_t seen, uint64_t wanted)
{
    selftest_expect(seen == wanted, "%s: %llu unhandled expected, %llu seen", when,
                    (unsigned long long)wanted, (unsigned long long)seen);
}

/* An interrupt is handled if one of all had something to do, be it a thread or not. */
static void test_thread_none(void)
{
    static struct device device;
    static struct listener first, second;
    const unsigned flags = IRQF_SHARED | IRQF_ONESHOT;
    first = (struct listener){.answer = IRQ_WAKE_THREAD, .thread_none = true};
    second = (struct listener){.answer = IRQ_WAKE_THREAD};
    if (!device_init(&device))
        return;
    expect_result(
        "the first",
        request_threaded_irq(device.irq, listen, listen_in_thread, flags, "first", &first), 0);
    expect_result(
        "the second",
        request_threaded_irq(device.irq, listen, listen_in_thread, flags, "second", &second), 0);
    expect_unhandled("one thread of two", unhandled_of(&device, &first, &second), 0);
    second.thread_none = true;
    expect_unhandled("no thread of two", unhandled_of(&device, &first, &second), 9);
    expect_result("free the second", free_irq(device.irq, &second), 0);

    second = (struct listener){.answer = IRQ_HANDLED};
    expect_result("without a thread", request_irq(device.irq, listen, flags, "second", &second), 0);
    expect_unhandled("a handler beside a thread", unhandled_of(&device, &first, &second), 1);
    expect_result("free the second", free_irq(device.irq, &second), 0);
    expect_result("free the first", free_irq(device.irq, &first), 0);

    first.answer = IRQ_WAKE_THREAD;
    expect_result("a mistaken one", request_irq(device.irq, listen, 0, "mistaken", &first), 0);
    uint64_t before = info_of(device.irq).unhandled;
    raise_and_wait(&device, 1);
    expect_unhandled("no thread at all", info_of(device.irq).unhandled - before, 1);
    expect_result("free it", free_irq(device.irq, &first), 0);
    irq_free_msi(device.irq);
}
SELFTEST("irq-thread-none", test_thread_none);

/* The test in place of an irq's thread, so that it runs when the test wants it. */
static void (*thread_run)(void *arg);
static void *thread_arg;
static _Atomic uint64_t thread_wakes;

static struct irq_thread *take_thread(const char *name, void (*run)(void *arg), void *arg)
{
    static char somewhere;
    (void)name;
    thread_run = run;
    thread_arg = arg;
    return (struct irq_thread *)(void *)&somewhere;
}

static void count_wake(struct irq_thread *thread)
{
    (void)thread;
    atomic_fetch_add(&thread_wakes, 1);
}

static uint64_t wakes_of(const void *arg)
{
    (void)arg;
    return atomic_load(&thread_wakes);
}

static void no_stop(struct irq_thread *thread)
{
    (void)thread;
}

/* A second wake comes after the thread was called for the first, and before it begins: one call of
 * the thread function is for both, and then nothing is left that disable_irq() did not wait for. */
static void test_late_wake(void)
{
    static const struct irq_thread_hooks by_hand = {
        .start = take_thread, .wake = count_wake, .stop = no_stop};
    static struct device device;
    static struct listener listener;
    const struct irq_thread_hooks *hooks = irq_thread_hooks;
    listener = (struct listener){.answer = IRQ_WAKE_THREAD};
    if (!device_init(&device))
        return;
    atomic_store(&thread_wakes, 0);
    irq_thread_hooks = &by_hand;
    expect_result(
        "request",
        request_threaded_irq(device.irq, listen, listen_in_thread, 0, "by hand", &listener), 0);
    raise_and_wait(&device, 2);
    selftest_expect(wait_for_value(wakes_of, NULL, 2), "the thread was not woken twice");
    thread_run(thread_arg);
    thread_run(thread_arg);
    selftest_expect(atomic_load(&listener.thread_calls) == 1,
                    "1 call of the thread function expected, %u seen",
                    atomic_load(&listener.thread_calls));
    expect_result("free", free_irq(device.irq, &listener), 0);
    irq_thread_hooks = hooks;
    irq_free_msi(device.irq);
}
SELFTEST("irq-late-wake", test_late_wake);

/* ---- cores ----------------------------------------------------------------------------------- */

static cpu_t last_online(void)
{
    cpu_t last = 0;
    cpumask_for_each (cpu, &smp_online)
        last = cpu;
    return last;
}

static int send_to(uint32_t irq, cpu_t cpu)
{
    struct cpumask mask = {0};
    cpumask_set(&mask, cpu);
    return irq_set_affinity(irq, &mask);
}

/* A handler on the last core, which stays there until listener->stay is false. */
static bool start_staying(struct device *device, struct listener *listener)
{
    *listener = (struct listener){.answer = IRQ_HANDLED, .stay = true};
    if (last_online() == arch_cpu()) {
        selftest_skip("needs a second core");
        return false;
    }
    if (!device_init(device))
        return false;
    expect_result("the last core", send_to(device->irq, last_online()), 0);
    expect_result("request", request_irq(device->irq, listen, IRQF_SHARED, "slow", listener), 0);
    device_raise(device);
    selftest_expect(wait_for_value(calls_of, listener, 1), "the handler is not called");
    selftest_expect(listener->last_cpu == last_online(), "core %u expected, %u seen", last_online(),
                    listener->last_cpu);
    return true;
}

static struct listener *staying;

static void end_stay(struct timer *timer)
{
    (void)timer;
    atomic_store(&staying->stay, false);
}

/* Free `listener` while a core is in it. What ends that is a timer of this core: a thread might be
 * put on the core that stays. */
static void free_running(struct device *device, struct listener *listener)
{
    static struct timer timer = TIMER(end_stay);
    staying = listener;
    timer_start(&timer, WHILE_NS);
    expect_result("free", free_irq(device->irq, listener), 0);
    selftest_expect(atomic_load(&listener->ends) == atomic_load(&listener->calls),
                    "it was freed while a core was in it");
    (void)timer_cancel(&timer);
}

static void test_free_running(void)
{
    static struct device device;
    static struct listener listener, other;
    other = (struct listener){.answer = IRQ_HANDLED};
    if (!start_staying(&device, &listener))
        return;
    free_running(&device, &listener); /* the last one on its line */
    irq_free_msi(device.irq);

    if (!start_staying(&device, &listener))
        return;
    atomic_store(&listener.stay, false);
    expect_result("share", request_irq(device.irq, listen, IRQF_SHARED, "other", &other), 0);
    atomic_store(&listener.stay, true);
    device_raise(&device);
    selftest_expect(wait_for_value(calls_of, &listener, 2), "it is not called again");
    free_running(&device, &listener); /* one is left */
    raise_and_wait(&device, 1);
    selftest_expect(wait_for_value(calls_of, &other, 2), "the other does not work any more");
    expect_calls("after its end", &listener, 2);
    expect_result("free the other", free_irq(device.irq, &other), 0);
    irq_free_msi(device.irq);
}
SELFTEST("irq-free-running", test_free_running);

/* While one core is in the handler another takes an edge: it is handled, by the first. */
static void test_one_core(void)
{
    static struct device device;
    static struct listener listener;
    if (!start_staying(&device, &listener))
        return;
    struct irq_info info = info_of(device.irq);
    cpu_t other = arch_cpu();
    irq_bind(other, info.vector, device.irq); /* as while it moves */
    selftest_expect(arch_ipi_send(other, info.vector) == 0, "the second edge cannot be sent");
    selftest_expect(wait_for_value(taken_of, &device, 2), "the second edge did not come");
    expect_calls("a core is in the handler", &listener, 1);
    atomic_store(&listener.stay, false);
    selftest_expect(wait_for_value(calls_of, &listener, 2), "the second edge is lost");
    selftest_expect(atomic_load(&listener.overlaps) == 0 && listener.last_cpu == last_online(),
                    "the second edge was handled beside the first");
    irq_bind(other, info.vector, IRQ_FREE);
    expect_result("free", free_irq(device.irq, &listener), 0);
    irq_free_msi(device.irq);
}
SELFTEST("irq-one-core", test_one_core);

enum { VECTORS = ARCH_VECTOR_DEVICE_LAST - ARCH_VECTOR_DEVICE_FIRST + 1 };

static unsigned vectors_taken(cpu_t cpu)
{
    unsigned count = 0;
    for (unsigned v = ARCH_VECTOR_DEVICE_FIRST; v <= ARCH_VECTOR_DEVICE_LAST; v++)
        count += atomic_load(&irq_slot(cpu, v)->irq) != IRQ_FREE;
    return count;
}

static void test_no_vector(void)
{
    static struct device devices[VECTORS + 1];
    static struct listener listener;
    cpu_t cpu = last_online();
    unsigned before = vectors_taken(cpu), got = 0;
    int error = 0;
    listener = (struct listener){.answer = IRQ_HANDLED};
    for (unsigned i = 0; i <= VECTORS; i++) {
        if (!device_init(&devices[i]))
            return;
        expect_result("affinity", send_to(devices[i].irq, cpu), 0);
    }
    while (got <= VECTORS &&
           (error = request_irq(devices[got].irq, listen, 0, "filler", &listener)) == 0)
        got++;
    selftest_expect(got == VECTORS - before && error == -ENOSPC,
                    "%u vectors and then %d expected, %u and %d seen", VECTORS - before, -ENOSPC,
                    got, error);
    if (cpu != 0) { /* what is elsewhere cannot come, and stays where it is */
        expect_result("to core 0", send_to(devices[VECTORS].irq, 0), 0);
        expect_result("request", request_irq(devices[VECTORS].irq, listen, 0, "late", &listener),
                      0);
        expect_result("a move", send_to(devices[VECTORS].irq, cpu), -ENOSPC);
        raise_and_wait(&devices[VECTORS], 1);
        selftest_expect(wait_for_value(calls_of, &listener, 1), "it does not work any more");
        expect_result("free", free_irq(devices[VECTORS].irq, &listener), 0);
    }
    for (unsigned i = 0; i < got; i++)
        expect_result("free", free_irq(devices[i].irq, &listener), 0);
    for (unsigned i = 0; i <= VECTORS; i++)
        irq_free_msi(devices[i].irq);
    selftest_expect(vectors_taken(cpu) == before, "%u vectors were not given back",
                    vectors_taken(cpu) - before);
}
SELFTEST("irq-no-vector", test_no_vector);

static unsigned unevenness(void)
{
    unsigned most = 0, fewest = VECTORS;
    cpumask_for_each (cpu, &smp_online) {
        unsigned count = vectors_taken(cpu);
        most = count > most ? count : most;
        fewest = count < fewest ? count : fewest;
    }
    return most - fewest;
}

static void test_spread(void)
{
    static struct device devices[SPREAD];
    static struct listener listener;
    listener = (struct listener){.answer = IRQ_HANDLED};
    for (unsigned i = 0; i < SPREAD; i++) {
        if (!device_init(&devices[i]))
            return;
        expect_result("request", request_irq(devices[i].irq, listen, 0, "spread", &listener), 0);
    }
    unsigned before = unevenness();
    for (unsigned i = 0; i < SPREAD; i++) {
        expect_result("all to core 0", send_to(devices[i].irq, 0), 0);
        expect_result("any core", irq_set_affinity(devices[i].irq, thread_any_core()), 0);
    }
    irq_spread();
    selftest_expect(unevenness() <= before,
                    "some cores have %u more than others, after %u at the requests", unevenness(),
                    before);
    for (unsigned i = 0; i < SPREAD; i++) {
        raise_and_wait(&devices[i], 1);
        expect_result("free", free_irq(devices[i].irq, &listener), 0);
        irq_free_msi(devices[i].irq);
    }
}
SELFTEST("irq-spread", test_spread);

/* ---- moves under load ------------------------------------------------------------------------ */

static struct device moving;
static struct listener watcher;
static _Atomic bool stop;
static _Atomic uint32_t raised;
static _Atomic bool lost;

/* One interrupt after the other, each awaited: none may be lost, none may come twice. */
static void raise_one_by_one(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        uint32_t wanted = atomic_fetch_add(&raised, 1) + 1;
        device_raise(&moving);
        if (!wait_for_value(calls_of, &watcher, wanted)) {
            atomic_store(&lost, true);
            return;
        }
    }
}

static void raise_without_end(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        device_raise(&moving);
        arch_relax();
    }
}

/* To core `cpu`, every other time at another vector. */
static bool move_to(unsigned i, cpu_t cpu)
{
    uint8_t vector = info_of(moving.irq).vector;
    bool bar = i % 2 == 1 && atomic_load(&irq_slot(cpu, vector)->irq) == IRQ_FREE;
    if (bar)
        irq_bind(cpu, vector, moving.irq);
    bool moved = expect_result("a move", send_to(moving.irq, cpu), 0);
    if (bar)
        irq_bind(cpu, vector, IRQ_FREE);
    return moved &&
           selftest_expect(info_of(moving.irq).cpu == cpu, "move %u: core %u expected, %u seen", i,
                           cpu, info_of(moving.irq).cpu);
}

/* Move it from core to core, and now and then hold it back. */
static void move_about(void)
{
    cpu_t cpu = 0;
    for (unsigned i = 0; i < MOVES; i++) {
        cpu = cpumask_next(&smp_online, cpu + 1);
        if (cpu == CPU_NONE)
            cpu = 0;
        if (!move_to(i, cpu))
            return;
        if (i % 10 == 0) {
            disable_irq(moving.irq);
            enable_irq(moving.irq);
        }
    }
}

static bool start_moving(void (*load)(void *), bool on_all)
{
    watcher = (struct listener){.answer = IRQ_HANDLED};
    atomic_store(&stop, false);
    atomic_store(&raised, 0);
    atomic_store(&lost, false);
    if (!device_init(&moving))
        return false;
    if (!expect_result("request", request_irq(moving.irq, listen, 0, "moving", &watcher), 0))
        return false;
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != arch_cpu() && core_job_start(cpu, load, NULL) == 0 && !on_all)
            break;
    }
    return true;
}

static void end_moving(void)
{
    atomic_store(&stop, true);
    cpumask_for_each (cpu, &smp_online) {
        while (!core_job_done(cpu))
            arch_relax();
    }
}

static void test_move(void)
{
    if (last_online() == 0) {
        selftest_skip("needs a second core");
        return;
    }
    if (!start_moving(raise_one_by_one, false))
        return;
    move_about();
    end_moving();
    selftest_expect(!atomic_load(&lost), "interrupt %u was lost", atomic_load(&raised));
    expect_calls("one for each interrupt", &watcher, atomic_load(&raised));
    selftest_expect(atomic_load(&watcher.overlaps) == 0, "two cores were in the handler at once");
    selftest_note("%u interrupts during %d moves", atomic_load(&raised), MOVES);
    expect_result("free", free_irq(moving.irq, &watcher), 0);
    irq_free_msi(moving.irq);
}
SELFTEST("irq-move", test_move);

static uint64_t strays(void)
{
    uint64_t sum = 0;
    cpumask_for_each (cpu, &smp_online)
        sum += arch_counter_of(cpu, ARCH_COUNT_MISSED);
    return sum;
}

static void test_move_flood(void)
{
    if (last_online() == 0) {
        selftest_skip("needs a second core");
        return;
    }
    uint64_t strays_before = strays();
    if (!start_moving(raise_without_end, true))
        return;
    move_about();
    end_moving();
    uint32_t before = atomic_load(&watcher.calls);
    device_raise(&moving);
    selftest_expect(wait_for_value(calls_of, &watcher, before + 1), "it does not work any more");
    selftest_expect(atomic_load(&watcher.overlaps) == 0,
                    "two cores were in the handler at once, %u times",
                    atomic_load(&watcher.overlaps));
    selftest_expect(strays() == strays_before, "%llu interrupts came to where they meant nothing",
                    (unsigned long long)(strays() - strays_before));
    expect_result("free", free_irq(moving.irq, &watcher), 0);
    irq_free_msi(moving.irq);
}
SELFTEST("irq-move-flood", test_move_flood);

/* ---- with delays at the steps of models/move.pml --------------------------------------------- */

static const struct delays move_delays = {
    .steps = DELAY_RANGE(DELAY_M1, DELAY_M4), .one_in = 2, .longest_ns = 200000};

/* One move after the other, with interrupts as `load` sends them. */
static void move_slowly(void (*load)(void *), bool on_all)
{
    uint64_t strays_before = strays();
    if (!start_moving(load, on_all))
        return;
    moving.loses = true;
    watcher.longest_us = 200;
    move_about();
    end_moving();
    selftest_expect(!atomic_load(&lost), "an interrupt was lost");
    selftest_expect(atomic_load(&watcher.overlaps) == 0, "two cores were in the handler at once");
    selftest_expect(strays() == strays_before, "%llu interrupts came to where they meant nothing",
                    (unsigned long long)(strays() - strays_before));
    expect_result("free", free_irq(moving.irq, &watcher), 0);
    irq_free_msi(moving.irq);
}

static void test_delay_move(void)
{
    if (!delay_test_begin(&move_delays))
        return;
    move_slowly(raise_one_by_one, false);
    move_slowly(raise_without_end, true);
    delay_test_end();
}
SELFTEST("delay-move", test_delay_move);

static void test_affinity_refused(void)
{
    static struct device device;
    struct cpumask none = {0}, absent = {0};
    if (!device_init(&device))
        return;
    cpumask_set(&absent, MAX_CPUS - 1);
    expect_result("no core", irq_set_affinity(device.irq, &none), -EINVAL);
    expect_result("no such core", irq_set_affinity(device.irq, &absent), -EINVAL);
    expect_result("no such irq", irq_set_affinity(irq_limit(), thread_any_core()), -EINVAL);
    irq_free_msi(device.irq);
    expect_result("nobody's", irq_set_affinity(device.irq, thread_any_core()), -EINVAL);
    expect_result("a gsi too far", irq_of_gsi(arch_gsi_count(), true, true),
                  arch_gsi_count() == 0 ? -ENODEV : -EINVAL);
    expect_result("ISA irq 16", irq_of_isa(16), -EINVAL);
}
SELFTEST("irq-affinity-refused", test_affinity_refused);
