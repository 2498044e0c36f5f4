// SPDX-License-Identifier: MIT
/*
 * Claims, on top of the ring protocol (smp/ipi.c).
 *
 * The vector's handler adds the rings that it was given to the claim's count, and then wakes; the
 * waiter takes the whole count by one exchange. It is the doorbell once more, so that no ring is
 * lost or taken twice (S3 and H3 there, models/ring.pml), and the order "first the count, then the
 * wake-up" is what sched/wait.c asks for, so that no wake-up is lost.
 *
 * A claim is memory of its thread's: only the thread makes and frees it, and ipi_release() comes
 * back when no handler uses it any more. It names its core, and the thread cannot leave that core
 * meanwhile (thread_hold_core).
 */
#include "sched/claim.h"

#include <stdatomic.h>

#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/panic.h"
#include "mm/heap.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include "smp/ipi.h"

struct claim {
    struct claim *next;       /* P: its thread: the next of the same thread's */
    int vector;               /* I */
    cpu_t core;               /* I */
    _Atomic uint64_t count;   /* rings that the thread has not asked for yet */
    struct wait_queue waiter; /* the thread, or nobody */
};

static void claim_handler(uint32_t irq, uint64_t count, void *cookie)
{
    struct claim *claim = cookie;
    (void)irq;
    /* release: what the sender wrote before its ring is seen by the waiter (take_count) */
    atomic_fetch_add_explicit(&claim->count, count, memory_order_release);
    wake_one(&claim->waiter);
}

/* ---- the claims of a thread ------------------------------------------------------------------ */

/* The pointer to the thread's claim of the vector; to NULL if it has none. */
static struct claim **find_claim(struct thread *thread, int vector)
{
    struct claim **link = &thread->claims;
    while (*link != NULL && (*link)->vector != vector)
        link = &(*link)->next;
    return link;
}

/* Claim the vector for the calling thread. Returns: 0, or what ipi_wait() returns then. */
static int claim_vector(int vector, struct claim **result)
{
    struct thread *self = thread_current();
    cpu_t core;
    if (!thread_hold_core(&core))
        return -EINVAL;
    struct claim *claim = heap_alloc(sizeof(*claim), ALLOC_USER | ALLOC_ZERO);
    int error = -ENOMEM;
    if (claim != NULL) {
        claim->vector = vector;
        claim->core = core;
        wait_queue_init(&claim->waiter);
        error = ipi_claim(core, vector, claim_handler, claim);
    }
    if (error < 0) {
        heap_free(claim);
        thread_unhold_core(self);
        return error;
    }
    claim->next = self->claims;
    self->claims = claim;
    *result = claim;
    return 0;
}

/* End the claim at *link. */
static void release(struct thread *thread, struct claim **link)
{
    struct claim *claim = *link;
    ipi_release(claim->core, claim->vector);
    *link = claim->next;
    heap_free(claim);
    thread_unhold_core(thread);
}

void claim_release_all(struct thread *thread)
{
    ASSERT_THREAD();
    while (thread->claims != NULL)
        release(thread, &thread->claims);
}

long claim_unregister(int vector)
{
    struct thread *self = thread_current();
    struct claim **link = find_claim(self, vector);
    if (*link == NULL)
        return ipi_unregister(vector);
    release(self, link);
    return 0;
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct wait {
    struct claim *claim;
    uint64_t taken;
};

static bool take_count(void *arg)
{
    struct wait *wait = arg;
    /* acquire: pairs with claim_handler() */
    wait->taken = atomic_exchange_explicit(&wait->claim->count, 0, memory_order_acquire);
    return wait->taken != 0;
}

long ipi_wait(int vector, int64_t timeout_ns)
{
    ASSERT_THREAD();
    if (!ipi_is_user_vector(vector) || timeout_ns < -1)
        return -EINVAL;
    struct wait wait = {.claim = *find_claim(thread_current(), vector)};
    int error = wait.claim == NULL ? claim_vector(vector, &wait.claim) : 0;
    if (error != 0)
        return error;
    uint64_t timeout = timeout_ns == -1 ? WAIT_FOR_EVER : (uint64_t)timeout_ns;
    if (!wait_for(&wait.claim->waiter, take_count, &wait, timeout) && timeout != 0)
        return -ETIMEDOUT;
    return (long)wait.taken;
}
