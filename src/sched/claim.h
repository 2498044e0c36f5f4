// SPDX-License-Identifier: MIT
/*
 * Claims: a thread that is bound to one core takes a vector of that core by waiting (ipi_wait).
 * docs/ring.md is the page about it.
 *
 * A claim belongs to its thread and its core. While a thread has one, its affinity stays as it is.
 * A claim ends with its thread, at execve, or by claim_unregister(); a new thread inherits none.
 */
#pragma once

#include <stdint.h>

struct thread;

/*
 * Wait for rings of `vector` on the caller's core. The first call claims the vector there, and the
 * count starts at zero. `timeout_ns`: 0 only asks, -1 waits for ever.
 * Returns: the rings since the last call (0 only if timeout_ns is 0), or
 *     -EINVAL     vector out of range, timeout_ns below -1, the caller may run on several cores
 *     -ENXIO      the core is not online
 *     -EBUSY      another thread has claimed the vector on this core, or somebody registered it
 *     -ENOMEM, -ENOSPC (no irq)
 *     -ETIMEDOUT  timeout_ns have passed without a ring; the claim stays
 * After an error of the first call but -ETIMEDOUT there is no claim.
 * Context: thread, interrupts on, no lock held. Sleeps: yes. Locks: takes ipi_control, run queue,
 * wait queue, heap.
 */
long ipi_wait(int vector, int64_t timeout_ns);

/*
 * unregister_ipi: free the caller's own claim of `vector`, or else the message handler, whoever
 * registered it. Rings that succeeded before are delivered (to the claim that goes: nobody asks for
 * their count any more), none reaches the vector's next owner.
 * Returns: 0, -EINVAL (no user's vector), -ENOENT (nobody has it), -EPERM (claims of others alone).
 * Context: as ipi_wait. Sleeps: no (spins).
 */
long claim_unregister(int vector);

/*
 * End all claims of a thread: the calling one, at execve and when it ends (thread_exit() does it).
 * Context: as ipi_wait. Sleeps: no (spins).
 */
void claim_release_all(struct thread *thread);
