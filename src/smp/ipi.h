// SPDX-License-Identifier: MIT
/*
 * Rings between cores: send_ipi, register_ipi, unregister_ipi.
 *
 * A ring is a doorbell with a count. The sender adds to the target core's count for the vector
 * before it sends the interrupt; the handler takes the whole count. So rings that the hardware
 * folds into one interrupt are all counted, and a lost interrupt loses none: a scan on the boot
 * core finds the count and rings again.
 *
 * Nothing on the way of a ring takes a lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "irq/doorbell.h"
#include "lib/cpumask.h"

enum {
    IPI_ALL = -1,    /* as a core: every core */
    IPI_OTHERS = -2, /* every core but the caller's */
};

/* Is it one that may be rung: 32..238 but 128? Context: any. */
bool ipi_is_user_vector(int vector);

/*
 * Ring `vector` on `core` (0.., IPI_ALL, IPI_OTHERS).
 *
 * Returns: to one core 0; to several how many online cores were rung, passing over those where
 * nobody registered the vector (IPI_OTHERS with no other core online: 0).
 *     -EINVAL  core or vector out of range
 *     -ENXIO   the core is not online
 *     -ENOENT  nobody registered the vector there (several: on none of them); nothing is sent
 *     -EIO     the ICR stayed busy (several: for any core; those rung stay rung). The count stands
 *              and goes with the next interrupt
 * With interrupts on, a ring to the caller's own core has been taken when this returns.
 * Context: hardirq (not NMI). Sleeps: no. Locks: none.
 */
long ipi_send(int core, int vector);

/*
 * Ring `vector` on every online core of `mask` on which it is registered.
 * Returns: how many were rung, -EINVAL (vector), -ENOENT (none), -EIO; as ipi_send() for several.
 * Context: as ipi_send().
 */
long ipi_send_mask(const struct cpumask *mask, int vector);

/*
 * Install the message handler for `vector` on every core, also on those that come online later. It
 * logs `Received IPI C`, or `Received IPI C (n rings)`.
 * Returns: the irq, or -EINVAL (no user's vector), -EBUSY (taken on some core), -ENOSPC (no irq).
 * Context: thread, interrupts on. Sleeps: no. Locks: ipi_control.
 */
int ipi_register(int vector);

/* The same with another handler, which gets each core's rings as a count. `name` and the handler
 * stay until ipi_unregister(). */
int ipi_register_handler(int vector, const char *name, doorbell_handler handler);

/*
 * Take the message handler away. Rings that succeeded are delivered first; a racing one may get
 * -ENOENT; none reaches the vector's next owner. Returns when no sender is between its check and
 * its ICR write and no core is in the handler.
 * Returns: 0, -EINVAL (no user's vector), -ENOENT (nobody has it), -EPERM (it is claimed).
 * Context: thread, interrupts on. Sleeps: no (spins). Locks: ipi_control.
 */
int ipi_unregister(int vector);

/*
 * Claim `vector` on one core: `handler` gets the rings of that core, and `cookie`. All claims of a
 * vector share one irq, and so one handler: it is the same function in all of them.
 * Returns: the irq, or -EINVAL (no user's vector, or no such core), -ENXIO (the core is not
 * online), -EBUSY (registered, or claimed on that core), -ENOSPC (no irq).
 * Context: thread, interrupts on. Sleeps: no. Locks: ipi_control.
 */
int ipi_claim(cpu_t cpu, int vector, doorbell_handler handler, void *cookie);

/*
 * End a claim, which is there, with the promises of ipi_unregister(): when this returns, nobody
 * uses `cookie` any more. Context: thread, interrupts on. Sleeps: no (spins). Locks: ipi_control.
 */
void ipi_release(cpu_t cpu, int vector);

/*
 * What became of the rings of a user's vector since the boot, whoever had it: a snapshot.
 * Interrupts that found no ring count nowhere here. Context: thread, interrupts on. Locks: takes
 * ipi_control.
 */
struct ipi_counts {
    uint64_t sent; /* by this core, to whatever core; each core of several counts */
    uint64_t
        refused; /* asked for on this core: the target was not online, or nobody had it there */
    uint64_t received; /* by this core: rings taken */
    uint64_t folded;   /* of these, rings that came without an interrupt of their own */
};
void ipi_counts_of(cpu_t cpu, unsigned vector, struct ipi_counts *counts);

/* Put a core that is ready into smp_online, with all registrations. Context: thread, interrupts on.
 * Locks: ipi_control. */
void ipi_core_online(cpu_t cpu);

/* Is any ring not yet taken anywhere? Context: any. */
bool ipi_any_pending(void);

/*
 * Wait until every ring so far has been taken and its handler has returned.
 * Returns: false if that takes longer than `timeout_ns`. Context: thread, interrupts on.
 */
bool ipi_wait_quiet(uint64_t timeout_ns);

/* Ring again for every count and every call that waits: at worst once too often. Context: hardirq.
 */
void ipi_kick_pending(void);

/*
 * Start the scan of the boot core's timer: a count that nobody takes is rung again within a second
 * of its ring. Context: boot cpu only.
 */
void ipi_scan_start(void);

/*
 * For self-tests: let the scan look for nothing, or go on. Without it a ring or a call that got no
 * interrupt stays where it is, and shows. Context: thread.
 */
void ipi_scan_pause(bool pause);

/*
 * For self-tests: add to a count without sending anything, as if the interrupt had been lost.
 * Context: thread.
 */
void ipi_lose_ring(cpu_t cpu, int vector);
