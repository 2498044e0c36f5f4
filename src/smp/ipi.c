// SPDX-License-Identifier: MIT
/*
 * The ring protocol.
 *
 * Sender (interrupts off):               Receiver (hardirq):
 *   S1  sending: even -> odd               H1  handling: even -> odd
 *   S2  read the vector's irq              H2  read the vector's irq
 *   S3  pending += 1                       H3  n = exchange(pending, 0)
 *   S4  write the ICR                      H4  handler(n) if n > 0
 *   S5  sending: odd -> even               H5  handling: odd -> even
 *                                          H6  EOI
 *
 * Remover (holds ipi_control), on the cores from which the vector is taken: all of them for a
 * registration, one for a claim:
 *   R1  irq |= IRQ_REMOVING on these cores: later S2 fail, H2 still find the handler
 *   R2  wait until every core's `sending` has been even: no S2 before R1 is still before its S4
 *   R3  wait until these cores' `pending` is 0: every ring that succeeded was taken
 *   R4  irq = IRQ_FREE on these cores
 *   R5  wait until these cores' `handling` has been even: no handler runs on old data
 *   R6  the irq is free, unless other cores' claims share it; the cookie is its owner's again
 *
 * What the remover does to one core's table has nothing to do with what it does to another's (but
 * that anybody may ring it: R2), so a removal from one core is the same protocol.
 *
 * S1 against R1/R2 and H1 against R4/R5 are the store-then-load pattern of Dekker: both sides are
 * sequentially consistent, so that at least one sees the other.
 *
 * S3 before S4 is what makes folding harmless: whichever interrupt is taken after S4 finds the
 * count. If it found it early, the later interrupt finds zero and is ended and ignored.
 *
 * The net below it (smp/scan.c): K1 a count that stays, K2 its interrupt is sent again. At worst
 * the count is taken in between, and the interrupt finds zero.
 *
 * models/ring.pml and models/removal.pml go through all interleavings of these steps.
 */
#include "smp/ipi.h"

#include <stdatomic.h>

#include "irq/doorbell.h"
#include "irq/irq.h"
#include "lib/cpumask.h"
#include "lib/debug.h"
#include "lib/delay.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/spinlock.h"
#include "smp/call.h"
#include "smp/cores.h"
#include "smp/wait.h"

#define SELF_WAIT_NS UINT64_C(100000000)

/* Registrations and what is online change under it; held with interrupts on, never in hardirq. */
static struct spinlock ipi_control = SPINLOCK(RANK_IPI_CONTROL, "ipi control");

/* Who has a vector. Claims share one irq, since it keeps its counts and cookies by core: so the
 * irqs for messages (irq.c) cannot run out for want of some for claims, however many cores there
 * are. */
struct vector_use {
    uint32_t irq; /* 0: nobody; a message's irq is never 0 */
    cpu_t claims; /* cores on which it is claimed; 0: it is registered, on all of them */
};
static struct vector_use uses[ARCH_VECTOR_COUNT]; /* L: ipi_control */

/* Odd while this core is between its check of a vector and its ICR write. */
static DEFINE_PERCPU(_Atomic uint32_t, ipi_sending);

enum { USER_VECTORS = ARCH_VECTOR_USER_LAST - ARCH_VECTOR_USER_FIRST + 1 };

/* P: rings that this core sent; what it was refused. */
static DEFINE_PERCPU(uint64_t, rings_sent[USER_VECTORS]);
static DEFINE_PERCPU(uint64_t, rings_refused[USER_VECTORS]);

/* L: ipi_control: what a vector's former owners received on this core (irq_stat is the present
 * one's). */
static DEFINE_PERCPU(struct irq_stat, rings_before[USER_VECTORS]);

bool ipi_is_user_vector(int vector)
{
    return vector >= ARCH_VECTOR_USER_FIRST && vector <= ARCH_VECTOR_USER_LAST &&
           vector != ARCH_VECTOR_GATE;
}

static void message_handler(uint32_t irq, uint64_t count, void *cookie)
{
    (void)irq;
    (void)cookie;
    if (count == 1)
        log_info("Received IPI %u", arch_cpu());
    else
        log_info("Received IPI %u (%llu rings)", arch_cpu(), (unsigned long long)count);
}

/* ---- sending --------------------------------------------------------------------------------- */

static uint64_t send_begin(void)
{
    uint64_t flags = arch_irq_save();
    delay_at(DELAY_S1);
    this_cpu_inc(ipi_sending); /* step S1; seq_cst: see the head of this file */
    return flags;
}

static void send_end(uint64_t flags)
{
    delay_at(DELAY_S5);
    this_cpu_inc(ipi_sending); /* step S5; a release: who sees it even finds the ICR written */
    arch_irq_restore(flags);
}

/* Steps S2 and S3. Returns: false if nobody has the vector there. */
static bool add_ring(cpu_t cpu, unsigned vector)
{
    struct vector_slot *slot = irq_slot(cpu, vector);
    delay_at(DELAY_S2);
    uint32_t irq = atomic_load_explicit(&slot->irq, memory_order_seq_cst); /* step S2 */
    if ((irq & IRQ_REMOVING) != 0) /* IRQ_FREE has that bit too */
        return false;
    delay_at(DELAY_S3);
    /* step S3; release: what the caller wrote before the ring is seen by the handler (doorbell.c,
     * deliver) */
    atomic_fetch_add_explicit(&slot->pending, 1, memory_order_release);
    this_cpu(rings_sent[vector - ARCH_VECTOR_USER_FIRST])++; /* interrupts are off */
    return true;
}

/* Returns: error. Interrupts are off. */
static long refuse(unsigned vector, long error)
{
    this_cpu(rings_refused[vector - ARCH_VECTOR_USER_FIRST])++;
    return error;
}

static uint32_t own_takes(unsigned vector)
{
    /* an interrupt of this core's changes it while wait_for_own() looks */
    return atomic_load_explicit(&irq_slot(arch_cpu(), vector)->takes, memory_order_relaxed);
}

/*
 * A ring to oneself is taken as soon as interrupts are on; hardware may need a moment. `before` is
 * own_takes() from between the ring and that moment: other cores' rings may keep the count above
 * zero, so it cannot tell. Returns: 0, or -EIO if the interrupt does not come.
 */
static long wait_for_own(unsigned vector, uint32_t before)
{
    uint64_t start = arch_clock_ns();
    while (own_takes(vector) == before) {
        if (arch_clock_ns() - start > SELF_WAIT_NS)
            return own_takes(vector) == before ? -EIO : 0;
        arch_relax();
    }
    return 0;
}

/* The rest of a ring to this core, begun with `flags`. */
__attribute__((noinline)) static long ring_own(unsigned vector, uint64_t flags)
{
    cpu_t self = arch_cpu();
    long result;
    if (add_ring(self, vector)) {
        delay_at(DELAY_S4);
        result = arch_ipi_send_irqs_off(self, (uint8_t)vector); /* step S4 */
    } else {
        result = refuse(vector, -ENOENT);
    }
    uint32_t takes = own_takes(vector);
    send_end(flags);
    return result == 0 && arch_irqs_enabled() ? wait_for_own(vector, takes) : result;
}

/*
 * A core that is not online has nothing in its vector table (ipi_core_online), so that add_ring()
 * answers for both; only its failure asks which it was.
 */
static long ring_one(cpu_t cpu, unsigned vector)
{
    uint64_t flags = send_begin();
    if (cpu == arch_cpu())
        return ring_own(vector, flags);
    long result;
    if (add_ring(cpu, vector)) {
        delay_at(DELAY_S4);
        result = arch_ipi_send_irqs_off(cpu, (uint8_t)vector); /* step S4 */
    } else {
        result = refuse(vector, cpumask_test(&smp_online, cpu) ? -ENOENT : -ENXIO);
    }
    send_end(flags);
    return result;
}

/* Step S4 for several cores. A shorthand reaches every Local APIC there is, so it serves only when
 * each of them is online and was rung. */
static long send_to_many(const struct cpumask *rung, cpu_t count, unsigned vector)
{
    cpu_t listed = arch_cpu_listed();
    bool all_online = smp_online_count() == listed;
    delay_at(DELAY_S4);
    if (all_online && count == listed)
        return arch_ipi_send_all((uint8_t)vector);
    if (all_online && count == listed - 1 && !cpumask_test(rung, arch_cpu()))
        return arch_ipi_send_others((uint8_t)vector);
    long error = 0;
    for (cpu_t cpu = cpumask_next(rung, 0); cpu != CPU_NONE && error == 0;
         cpu = cpumask_next(rung, cpu + 1))
        /* busy for one, busy for all: no more waits */
        error = arch_ipi_send_irqs_off(cpu, (uint8_t)vector);
    return error;
}

/* Steps S2 and S3 for several cores. Returns: how many were rung; *rung says which. */
static cpu_t add_rings(const struct cpumask *mask, unsigned vector, struct cpumask *rung)
{
    cpu_t count = 0;
    cpumask_for_each (cpu, mask) {
        if (cpumask_test(&smp_online, cpu) && add_ring(cpu, vector)) {
            cpumask_set(rung, cpu);
            count++;
        }
    }
    return count;
}

static long ring_many(const struct cpumask *mask, unsigned vector)
{
    struct cpumask rung = {0};
    long error;
    uint64_t flags = send_begin();
    bool to_self = false;
    cpu_t count = add_rings(mask, vector, &rung);
    if (count > 0) {
        error = send_to_many(&rung, count, vector);
        to_self = cpumask_test(&rung, arch_cpu());
    } else {
        error = refuse(vector, -ENOENT);
    }
    uint32_t takes = own_takes(vector);
    send_end(flags);

    if (error == 0 && to_self && arch_irqs_enabled())
        error = wait_for_own(vector, takes);
    return error == 0 ? (long)count : error;
}

long ipi_send_mask(const struct cpumask *mask, int vector)
{
    ASSERT_NOT_NMI();
    return ipi_is_user_vector(vector) ? ring_many(mask, (unsigned)vector) : -EINVAL;
}

static long ring_others(unsigned vector)
{
    struct cpumask others;
    if (smp_online_count() == 1)
        return 0; /* whatever is registered */
    cpumask_copy(&others, &smp_online);
    cpumask_clear(&others, arch_cpu());
    return ring_many(&others, vector);
}

/* Apart from ipi_send(), so that a ring to one core has no room for masks on its stack. */
__attribute__((noinline)) static long ring_set(int core, unsigned vector)
{
    if (core == IPI_ALL)
        return ring_many(&smp_online, vector);
    return core == IPI_OTHERS ? ring_others(vector) : -EINVAL;
}

long ipi_send(int core, int vector)
{
    ASSERT_NOT_NMI();
    if (!ipi_is_user_vector(vector))
        return -EINVAL;
    if ((cpu_t)core < arch_cpu_count()) /* not so for the negative ones */
        return ring_one((cpu_t)core, (unsigned)vector);
    return ring_set(core, (unsigned)vector);
}

/* ---- registering and removing ---------------------------------------------------------------- */

int ipi_register_handler(int vector, const char *name, doorbell_handler handler)
{
    if (!ipi_is_user_vector(vector))
        return -EINVAL;
    ASSERT(arch_irqs_enabled());
    ASSERT_THREAD();
    int irq = -EBUSY;
    spin_lock(&ipi_control);
    if (uses[vector].irq == 0)
        irq = doorbell_alloc(name, (uint8_t)vector, handler);
    if (irq >= 0) {
        uses[vector] = (struct vector_use){.irq = (uint32_t)irq};
        cpumask_for_each (cpu, &smp_online)
            irq_bind(cpu, (unsigned)vector, (uint32_t)irq);
    }
    spin_unlock(&ipi_control);
    return irq;
}

int ipi_register(int vector)
{
    return ipi_register_handler(vector, "ipi message", message_handler);
}

/* Wait until `counter` (odd while busy) has been even since now. */
static void wait_until_even(cpu_t cpu, const _Atomic uint32_t *counter, const char *what)
{
    uint32_t seen = atomic_load_explicit(counter, memory_order_seq_cst);
    struct core_wait wait = core_wait_begin();
    while ((seen & 1) != 0 && atomic_load_explicit(counter, memory_order_acquire) == seen)
        core_wait_turn(&wait, cpu, what);
}

static void wait_until_taken(cpu_t cpu, unsigned vector)
{
    const struct vector_slot *slot = irq_slot(cpu, vector);
    struct core_wait wait = core_wait_begin();
    while (atomic_load_explicit(&slot->pending, memory_order_acquire) != 0)
        core_wait_turn(&wait, cpu, "take its rings");
}

/* Steps R1 to R5 on the cores of `mask`. Locks: caller holds ipi_control. */
static void remove_from(const struct cpumask *mask, unsigned vector)
{
    delay_at(DELAY_R1);
    cpumask_for_each (cpu, mask) /* step R1 */
        atomic_store_explicit(&irq_slot(cpu, vector)->irq, uses[vector].irq | IRQ_REMOVING,
                              memory_order_seq_cst);
    delay_at(DELAY_R2);
    cpumask_for_each (cpu, &smp_online) /* step R2 */
        wait_until_even(cpu, percpu_of(cpu, ipi_sending), "finish a ring");
    delay_at(DELAY_R3);
    cpumask_for_each (cpu, mask) /* step R3 */
        wait_until_taken(cpu, vector);
    delay_at(DELAY_R4);
    cpumask_for_each (cpu, mask) /* step R4 */
        atomic_store_explicit(&irq_slot(cpu, vector)->irq, IRQ_FREE, memory_order_seq_cst);
    delay_at(DELAY_R5);
    cpumask_for_each (cpu, mask) /* step R5 */
        wait_until_even(cpu, percpu_of(cpu, irq_handling), "leave a handler");
}

/* Nobody has the vector any more. Locks: caller holds ipi_control. */
static void free_vector(unsigned vector)
{
    uint32_t irq = uses[vector].irq;
    cpumask_for_each (cpu, &smp_online) { /* the irq's next owner begins at zero */
        struct irq_stat *before = &(*percpu_of(cpu, rings_before))[vector - ARCH_VECTOR_USER_FIRST];
        struct irq_stat stat = irq_stat_of(irq, cpu);
        before->interrupts += stat.interrupts;
        before->rings += stat.rings;
    }
    uses[vector] = (struct vector_use){0};
    delay_at(DELAY_R6);
    doorbell_free(irq); /* step R6 */
}

int ipi_unregister(int vector)
{
    if (!ipi_is_user_vector(vector))
        return -EINVAL;
    ASSERT(arch_irqs_enabled()); /* else its own core's rings would never be taken */
    ASSERT_THREAD();
    int result = 0;
    spin_lock(&ipi_control);
    const struct vector_use *use = &uses[vector];
    if (use->irq == 0) {
        result = -ENOENT;
    } else if (use->claims != 0) {
        result = -EPERM;
    } else {
        remove_from(&smp_online, (unsigned)vector);
        free_vector((unsigned)vector);
    }
    spin_unlock(&ipi_control);
    return result;
}

/* ---- claims ---------------------------------------------------------------------------------- */

static bool is_claimed_on(cpu_t cpu, unsigned vector)
{
    return atomic_load_explicit(&irq_slot(cpu, vector)->irq, memory_order_relaxed) != IRQ_FREE;
}

/* Locks: caller holds ipi_control. Returns: the irq of the vector's claims, or why there is none.
 */
static int claim_locked(cpu_t cpu, unsigned vector, doorbell_handler handler, void *cookie)
{
    struct vector_use *use = &uses[vector];
    if (!cpumask_test(&smp_online, cpu))
        return -ENXIO;
    if (use->irq != 0 && (use->claims == 0 || is_claimed_on(cpu, vector)))
        return -EBUSY;
    if (use->irq == 0) {
        int irq = doorbell_alloc("ipi claim", (uint8_t)vector, handler);
        if (irq < 0)
            return irq;
        use->irq = (uint32_t)irq;
    }
    use->claims++;
    doorbell_set_cookie(use->irq, cpu, cookie);
    irq_bind(cpu, vector, use->irq); /* from here on it may be rung */
    return (int)use->irq;
}

int ipi_claim(cpu_t cpu, int vector, doorbell_handler handler, void *cookie)
{
    if (!ipi_is_user_vector(vector) || cpu >= arch_cpu_count())
        return -EINVAL;
    ASSERT(arch_irqs_enabled());
    ASSERT_THREAD();
    spin_lock(&ipi_control);
    int irq = claim_locked(cpu, (unsigned)vector, handler, cookie);
    spin_unlock(&ipi_control);
    return irq;
}

void ipi_release(cpu_t cpu, int vector)
{
    struct cpumask one = {0};
    ASSERT(arch_irqs_enabled()); /* as in ipi_unregister() */
    ASSERT_THREAD();
    cpumask_set(&one, cpu);
    spin_lock(&ipi_control);
    struct vector_use *use = &uses[vector];
    ASSERT(use->claims != 0 && is_claimed_on(cpu, (unsigned)vector));
    remove_from(&one, (unsigned)vector);
    use->claims--;
    if (use->claims == 0)
        free_vector((unsigned)vector);
    spin_unlock(&ipi_control);
}

/* ---- for reports ----------------------------------------------------------------------------- */

void ipi_counts_of(cpu_t cpu, unsigned vector, struct ipi_counts *counts)
{
    unsigned index = vector - ARCH_VECTOR_USER_FIRST;
    spin_lock(&ipi_control);
    struct irq_stat stat = (*percpu_of(cpu, rings_before))[index];
    if (uses[vector].irq != 0) {
        struct irq_stat now = irq_stat_of(uses[vector].irq, cpu);
        stat.interrupts += now.interrupts;
        stat.rings += now.rings;
    }
    spin_unlock(&ipi_control);
    *counts = (struct ipi_counts){
        .sent = (*percpu_of(cpu, rings_sent))[index],
        .refused = (*percpu_of(cpu, rings_refused))[index],
        .received = stat.rings,
        .folded = stat.rings > stat.interrupts ? stat.rings - stat.interrupts : 0,
    };
}

/* ---- cores that come online ------------------------------------------------------------------ */

void ipi_core_online(cpu_t cpu)
{
    spin_lock(&ipi_control);
    for (unsigned vector = ARCH_VECTOR_USER_FIRST; vector <= ARCH_VECTOR_USER_LAST; vector++) {
        const struct vector_use *use = &uses[vector];
        bool registered = use->irq != 0 && use->claims == 0;
        irq_bind(cpu, vector, registered ? use->irq : IRQ_FREE);
    }
    smp_set_online(cpu);
    spin_unlock(&ipi_control);
}

/* ---- the scan -------------------------------------------------------------------------------- */

bool ipi_any_pending(void)
{
    cpumask_for_each (cpu, &smp_online) {
        for (unsigned v = ARCH_VECTOR_USER_FIRST; v <= ARCH_VECTOR_USER_LAST; v++) {
            if (atomic_load_explicit(&irq_slot(cpu, v)->pending, memory_order_relaxed) != 0)
                return true;
        }
    }
    return false;
}

bool ipi_wait_quiet(uint64_t timeout_ns)
{
    uint64_t start = arch_clock_ns();
    while (ipi_any_pending()) {
        if (arch_clock_ns() - start > timeout_ns)
            return false;
        arch_relax();
    }
    cpumask_for_each (cpu, &smp_online) { /* a count is taken before its handler's work is done */
        const _Atomic uint32_t *handling = percpu_of(cpu, irq_handling);
        uint32_t seen = atomic_load_explicit(handling, memory_order_seq_cst);
        while ((seen & 1) != 0 && atomic_load_explicit(handling, memory_order_acquire) == seen) {
            if (arch_clock_ns() - start > timeout_ns)
                return false;
            arch_relax();
        }
    }
    return true;
}

void ipi_kick_pending(void)
{
    cpumask_for_each (cpu, &smp_online) {
        for (unsigned v = ARCH_VECTOR_USER_FIRST; v <= ARCH_VECTOR_USER_LAST; v++) {
            /* steps K1 and K2 */
            if (atomic_load_explicit(&irq_slot(cpu, v)->pending, memory_order_relaxed) != 0 &&
                arch_ipi_send(cpu, (uint8_t)v) != 0)
                return; /* a busy ICR is tried again by the next scan, not 200 times by this one */
        }
        call_kick(cpu);
    }
}

void ipi_lose_ring(cpu_t cpu, int vector)
{
    atomic_fetch_add_explicit(&irq_slot(cpu, (unsigned)vector)->pending, 1, memory_order_release);
}
