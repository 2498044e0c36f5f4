// SPDX-License-Identifier: MIT
/*
 * The inboxes. A push is a compare-and-exchange of the head by any core; a take is one exchange by
 * the owner, which then has a private list, newest first, and turns it round.
 *
 * A call that is waited for is marked done after its function has returned; one that is not, as
 * soon as the function is known, because its owner may want the memory back.
 */
#include "smp/call.h"

#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "mm/heap.h"
#include "smp/cores.h"
#include "smp/wait.h"

/* A call that is waited for. */
struct waited_call {
    struct core_call call;
    void (*fn)(void *arg);
    void *arg;
    _Atomic bool done;
};

static DEFINE_PERCPU(_Atomic(struct core_call *), inbox);

/* Put a call in. Returns: was the inbox empty? */
static bool push(cpu_t cpu, struct core_call *call)
{
    _Atomic(struct core_call *) *head = percpu_of(cpu, inbox);
    struct core_call *old = atomic_load_explicit(head, memory_order_relaxed);
    do {
        call->next = old;
        /* release: pairs with the exchange in call_answer() */
    } while (!atomic_compare_exchange_weak_explicit(head, &old, call, memory_order_release,
                                                    memory_order_relaxed));
    return old == NULL;
}

static void send(cpu_t cpu, struct core_call *call)
{
    ASSERT_NOT_NMI();
    atomic_store_explicit(&call->busy, true, memory_order_relaxed);
    if (push(cpu, call) && arch_ipi_send(cpu, ARCH_VECTOR_CALL) != 0)
        log_err("smp: core %u was not rung for a call: the ICR stays busy; the scan will", cpu);
}

static struct core_call *reverse(struct core_call *list)
{
    struct core_call *reversed = NULL;
    while (list != NULL) {
        struct core_call *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

void call_answer(void)
{
    ASSERT_IRQS_OFF();
    /* acquire: pairs with push(): the calls are complete */
    struct core_call *list =
        reverse(atomic_exchange_explicit(this_cpu_ptr(inbox), NULL, memory_order_acquire));
    while (list != NULL) {
        struct core_call *call = list;
        list = call->next;
        void (*fn)(void *) = call->fn;
        void *arg = call->arg;
        /* release: from here on the memory is its owner's again */
        atomic_store_explicit(&call->busy, false, memory_order_release);
        fn(arg);
    }
}

void smp_call_interrupt(void)
{
    call_answer();
}

void call_kick(cpu_t cpu)
{
    if (atomic_load_explicit(percpu_of(cpu, inbox), memory_order_relaxed) != NULL)
        (void)arch_ipi_send(cpu, ARCH_VECTOR_CALL); /* a failure is met by the next scan */
}

bool call_any_waiting(void)
{
    cpumask_for_each (cpu, &smp_online) {
        if (atomic_load_explicit(percpu_of(cpu, inbox), memory_order_relaxed) != NULL)
            return true;
    }
    return false;
}

static void spin_turn(void)
{
    call_answer();
}

void call_init(void)
{
    spin_wait_hook = spin_turn;
}

int call_on_async(struct core_call *call, cpu_t cpu)
{
    if (cpu >= arch_cpu_count() || !cpumask_test(&smp_online, cpu))
        return -ENXIO;
    if (atomic_load_explicit(&call->busy, memory_order_acquire))
        return -EBUSY;
    send(cpu, call);
    return 0;
}

/* ---- waited for ------------------------------------------------------------------------------ */

static void run_and_finish(void *arg)
{
    struct waited_call *call = arg;
    call->fn(call->arg);
    /* release: what fn wrote is seen by the caller; after this the memory is the caller's */
    atomic_store_explicit(&call->done, true, memory_order_release);
}

static void start(struct waited_call *call, cpu_t cpu, void (*fn)(void *), void *arg)
{
    call->fn = fn;
    call->arg = arg;
    atomic_init(&call->done, false);
    call->call.fn = run_and_finish;
    call->call.arg = call;
    send(cpu, &call->call);
}

static void finish(struct waited_call *call, cpu_t cpu)
{
    struct core_wait wait = core_wait_begin();
    /* acquire: pairs with run_and_finish() */
    while (!atomic_load_explicit(&call->done, memory_order_acquire))
        core_wait_turn(&wait, cpu, "answer a call");
}

static void run_here(void (*fn)(void *), void *arg)
{
    uint64_t flags = arch_irq_save();
    fn(arg);
    arch_irq_restore(flags);
}

int call_on(cpu_t cpu, void (*fn)(void *arg), void *arg)
{
    if (cpu >= arch_cpu_count() || !cpumask_test(&smp_online, cpu))
        return -ENXIO;
    if (cpu == arch_cpu()) {
        run_here(fn, arg);
        return 0;
    }
    struct waited_call call;
    start(&call, cpu, fn, arg);
    finish(&call, cpu);
    return 0;
}

cpu_t call_on_many(const struct cpumask *mask, void (*fn)(void *arg), void *arg)
{
    struct cpumask targets;
    cpumask_copy(&targets, mask);
    for (cpu_t cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (cpumask_test(&targets, cpu) && !cpumask_test(&smp_online, cpu))
            cpumask_clear(&targets, cpu);
    }
    cpu_t count = cpumask_count(&targets);
    struct waited_call *calls = heap_alloc((size_t)(count + 1) * sizeof(*calls), ALLOC_ATOMIC);
    if (calls == NULL) { /* no memory: one after the other does it too */
        cpumask_for_each (cpu, &targets)
            (void)call_on(cpu, fn, arg);
        return count;
    }
    struct waited_call *next = calls;
    cpumask_for_each (cpu, &targets) {
        if (cpu != arch_cpu())
            start(next++, cpu, fn, arg);
    }
    if (cpumask_test(&targets, arch_cpu()))
        run_here(fn, arg);
    next = calls;
    cpumask_for_each (cpu, &targets) {
        if (cpu != arch_cpu())
            finish(next++, cpu);
    }
    heap_free(calls);
    return count;
}
