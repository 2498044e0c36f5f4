// SPDX-License-Identifier: MIT
/*
 * The inboxes. A push is a compare-and-exchange of the head by any core; a take is one exchange by
 * the owner, which then has a private list, newest first, and turns it round.
 *
 * A call that is waited for is marked done after its function has returned; one that is not, as
 * soon as the function is known, because its owner may want the memory back.
 *
 * Sender:                                 The core that is called (interrupts off):
 *   C1  look at the head                    A1  EOI, if an interrupt brought it here
 *   C2  put the call before what was there  A2  take the whole list, turn it round
 *   C3  ring, if nothing was there          and for each call
 *                                           A3  read function, argument and next call
 *                                           A4  not busy: the memory is the owner's again
 *                                           A5  run the function
 *                                           A6  done, if the call is waited for
 *
 * C2 succeeds only if the head is still what C1 saw (or it looks again), so what decides about the
 * ring is true in the moment of the push: of the calls that one A2 takes, one has rung. That a call
 * is taken, run and put in again between another sender's C1 and C2 does no harm: then the head is
 * that call, and what comes before it in the list is still right.
 *
 * models/inbox.pml goes through all interleavings of these steps.
 */
#include "smp/call.h"

#include "irq/irq.h"
#include "lib/debug.h"
#include "lib/delay.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "mm/heap.h"
#include "smp/cores.h"
#include "smp/wait.h"

enum { CALLS_MAX = 1 << 14 }; /* in one inbox, far above what MAX_CPUS cores have */

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
    delay_at(DELAY_C1);
    struct core_call *old = atomic_load_explicit(head, memory_order_relaxed); /* step C1 */
    do {
        call->next = old;
        delay_at(DELAY_C2);
        /* step C2; release: pairs with the exchange in call_answer() */
    } while (!atomic_compare_exchange_weak_explicit(head, &old, call, memory_order_release,
                                                    memory_order_relaxed));
    return old == NULL;
}

static void send(cpu_t cpu, struct core_call *call)
{
    ASSERT_NOT_NMI();
    atomic_store_explicit(&call->busy, true, memory_order_relaxed);
    if (!push(cpu, call))
        return;
    delay_at(DELAY_C3);
    if (arch_ipi_send(cpu, ARCH_VECTOR_CALL) != 0) /* step C3 */
        log_err("smp: core %u was not rung for a call: the ICR stays busy; the scan will", cpu);
}

/* The debug kernel sees a list that goes in a circle: nobody has so many calls under way. */
static void check_length(unsigned length)
{
    if (DEBUG_KERNEL && length > CALLS_MAX)
        panic("the calls in the inbox of core %u go in a circle", arch_cpu());
}

static struct core_call *reverse(struct core_call *list)
{
    struct core_call *reversed = NULL;
    for (unsigned length = 0; list != NULL; length++) {
        check_length(length);
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
    unsigned entered = DEBUG_KERNEL ? context_enter(CONTEXT_HARDIRQ) : 0;
    delay_at(DELAY_A2);
    /* step A2; acquire: pairs with push(): the calls are complete */
    struct core_call *list =
        reverse(atomic_exchange_explicit(this_cpu_ptr(inbox), NULL, memory_order_acquire));
    for (unsigned length = 0; list != NULL; length++) {
        struct core_call *call = list;
        check_length(length);
        delay_at(DELAY_A3);
        list = call->next; /* step A3 */
        void (*fn)(void *) = call->fn;
        void *arg = call->arg;
        delay_at(DELAY_A4);
        /* step A4; release: from here on the memory is its owner's again */
        atomic_store_explicit(&call->busy, false, memory_order_release);
        delay_at(DELAY_A5);
        fn(arg); /* step A5 */
    }
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_HARDIRQ, entered);
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

static void answer_while_spinning(void)
{
    call_answer();
}

void call_init(void)
{
    spin_wait_hook = answer_while_spinning;
    irq_call_hook = call_on;
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
    unsigned entered =
        DEBUG_KERNEL ? context_enter_function(CONTEXT_HARDIRQ, (uintptr_t)call->fn) : 0;
    call->fn(call->arg);
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_HARDIRQ, entered);
    delay_at(DELAY_A6);
    /* step A6; release: what fn wrote is seen by the caller; after this the memory is the caller's
     */
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
    unsigned entered = DEBUG_KERNEL ? context_enter_function(CONTEXT_HARDIRQ, (uintptr_t)fn) : 0;
    fn(arg);
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_HARDIRQ, entered);
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
