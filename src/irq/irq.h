// SPDX-License-Identifier: MIT
/*
 * Interrupts of devices: what a driver asks for.
 *
 * A driver knows its interrupt by an irq, the index of an irq_desc:
 *
 *     irq      0..nr_gsi-1 are the I/O APICs' inputs (gsi); those of messages and of rings come
 *              after, from max(16, nr_gsi) up
 *     vector   what the CPU delivers, 239..248 for devices, on each core; taken at request_irq()
 * and no business of the driver's: it changes when the irq moves to another core
 *
 * A handler runs in hardirq context, interrupts off, on whatever core the irq is routed to, and on
 * one core at a time. It may take locks that everybody else takes with spin_lock_irqsave().
 *
 * Rings between cores, which have an irq as well, are irq/doorbell.h's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/cpumask.h"

enum irq_result {
    IRQ_NONE = 0,        /* it was not my device */
    IRQ_HANDLED = 1,     /* it was, and it is done */
    IRQ_WAKE_THREAD = 2, /* the rest is for the thread function, which may still say IRQ_NONE */
};

/* Context: hardirq, interrupts off; as thread_fn: thread. */
typedef enum irq_result irq_handler(uint32_t irq, void *dev);

/* For request_irq(); the numbers are Linux's. */
enum irq_flags {
    IRQF_TRIGGER_RISING = 0x1,
    IRQF_TRIGGER_FALLING = 0x2,
    IRQF_TRIGGER_HIGH = 0x4,
    IRQF_TRIGGER_LOW = 0x8, /* none of the four: as the firmware's tables say */
    IRQF_TRIGGER_MASK = 0xf,
    IRQF_SHARED = 0x80,    /* others may have the line too, if they say so as well */
    IRQF_ONESHOT = 0x2000, /* held back until the thread function has returned */
};

/* ---- which irq ------------------------------------------------------------------------------- */

/*
 * The irq of ISA interrupt `isa_irq` (0..15), through the firmware's overrides, with their trigger
 * and polarity. Returns: the irq, -EINVAL (isa_irq), -ENODEV (no I/O APIC has it; poll), -EBUSY (in
 * use with another trigger or polarity). Context: thread. Locks: takes irq_control.
 */
int irq_of_isa(uint8_t isa_irq);

/*
 * The irq of an I/O APIC input with this trigger and polarity, which stay for all who share it.
 * Returns: the irq, -EINVAL (beyond the last input), -ENODEV (no I/O APIC has it, or the firmware
 * keeps it), -EBUSY (in use with another trigger or polarity). Context: thread. Locks: takes
 * irq_control.
 */
int irq_of_gsi(uint32_t gsi, bool level, bool active_low);

/*
 * What a device that sends its interrupts as messages (MSI, MSI-X) lets the core do with one of
 * them. Context of both: hardirq, the irq's lock held (so they take locks that rank below
 * RANK_IRQ_DESC only). Sleeps: no.
 */
struct irq_msi_ops {
    /*
     * From now on write the 32 bits of `value` to `address` to interrupt. Each call changes the
     * address, or the value, never both, unless the irq has no handler (the device may then send
     * nothing, or it does not matter): what the device sends in between is one of the two. When it
     * returns, no message of the old kind is on its way (read a register back: PCI Local Bus
     * Specification, "Transaction Ordering").
     */
    void (*write)(void *data, uint64_t address, uint32_t value);
    /* Hold messages back, without losing one, or let them go. NULL: there is no such bit. */
    void (*mask)(void *data, bool masked);
};

/*
 * An irq for a message: edge-triggered, with `ops` called with `data`; `hwirq` is the device's
 * number for it, for /proc. The vector comes at request_irq(), which calls ops->write.
 * Returns: the irq, -ENOSPC (no number left), -ENODEV (no Local APIC that could be addressed).
 * Context: thread. Sleeps: no. Locks: takes irq.
 */
int irq_alloc_msi(const struct irq_msi_ops *ops, void *data, uint32_t hwirq);

/* Give it back; it has no handler. Context: thread. Locks: takes irq. */
void irq_free_msi(uint32_t irq);

/* ---- handlers -------------------------------------------------------------------------------- */

/*
 * Have handler(irq, dev) called for each interrupt; it may come before this returns. The first
 * request takes a vector on the core, of those that the irq may go to, that has the fewest, routes
 * the irq there and opens it. `name` stays until free_irq(). On a shared line `dev` says who is
 * who.
 *
 * Returns: 0, or
 *     -EINVAL  no such irq, a ring's, no handler, IRQF_SHARED with dev NULL, or a trigger that a
 *              message cannot have
 *     -ENODEV  nothing is wired to this number, or no core can be reached by interrupts
 *     -EBUSY   taken, and not by all with IRQF_SHARED, or with another trigger (both are logged:
 *              "irq 16: flags mismatch, 00000000 (newcomer) against 00000080 (owner)"); or `dev`
 *              has the line already
 *     -ENOSPC  no vector is left on any core that the irq may go to
 *     -ENOMEM
 * Context: thread, interrupts on. Sleeps: no (spins while a sharer's handler runs).
 * Locks: takes irq_control, irq_desc, heap.
 */
int request_irq(uint32_t irq, irq_handler *handler, unsigned flags, const char *name, void *dev);

/*
 * The same with a thread of its own: whenever `handler` returns IRQ_WAKE_THREAD, thread_fn(irq,
 * dev) is called there, once for all wakes that came before it begins. handler NULL: it always
 * does, and IRQF_ONESHOT is needed (-EINVAL else). With IRQF_ONESHOT the irq is held back from the
 * handler until thread_fn has returned; all sharers say so, or none (-EBUSY).
 * Returns: as request_irq(); -ENODEV while there are no threads.
 * Context: as request_irq(). Sleeps: yes, with a thread_fn: a refused one's thread is waited for.
 * Locks: takes irq_control, irq_desc, heap.
 */
int request_threaded_irq(uint32_t irq, irq_handler *handler, irq_handler *thread_fn, unsigned flags,
                         const char *name, void *dev);

/*
 * Take the handler of `dev` away. When this returns no core is in it, nor is its thread function
 * running, and neither will be called. The last one's goodbye closes the irq and frees the vector.
 * Returns: 0, -EINVAL (no such irq), -ENOENT (`dev` has no handler there).
 * Context: thread, interrupts on; not the irq's own thread. Sleeps: if the handler has a thread.
 * Locks: takes irq_control, irq_desc.
 */
int free_irq(uint32_t irq, void *dev);

/*
 * Hold the irq back until as many enable_irq(). What comes meanwhile is not lost: a level line
 * still asks then, and of edges and messages one is delivered for all that came. The irq has a
 * handler. disable_irq() returns when neither the handlers nor their thread functions run. Context:
 * disable_irq: thread, interrupts on, holding no lock that a handler takes; Sleeps: if a handler
 * has a thread. The others: hardirq. Locks: takes irq_desc.
 */
void disable_irq(uint32_t irq);
void disable_irq_nosync(uint32_t irq);

/* Undo one disable. One too many is logged and changes nothing. */
void enable_irq(uint32_t irq);

/* ---- on which core --------------------------------------------------------------------------- */

/*
 * Let the irq go to the cores of `mask` alone. It moves at once if it is elsewhere, also under
 * load: no interrupt is lost and none comes twice. It stays so over free_irq() and request_irq(). A
 * mask with all cores takes back what was set before: irq_spread() may move the irq again.
 *
 * Returns: 0, or, with nothing changed,
 *     -EINVAL     no such irq, or no core of `mask` is online
 *     -EPERM      a ring's: it belongs to its cores
 *     -ENOSPC     no core of `mask` has a vector left (for an edge or a message: one that is also
 *                 free on the core that it leaves)
 *     -ETIMEDOUT  a level line whose interrupt stayed unanswered for 1 s
 * Cores whose APIC id is over 254 are passed over: devices cannot address them.
 * Context: thread, interrupts on. Sleeps: no (spins). Locks: takes irq_control, irq_desc.
 */
int irq_set_affinity(uint32_t irq, const struct cpumask *mask);

/*
 * Spread the irqs that are in use over the cores that are online, but those whose affinity was set.
 * Context: thread, interrupts on. Locks: as irq_set_affinity.
 */
void irq_spread(void);

/* ---- what there is, for reports -------------------------------------------------------------- */

/*
 * A line nobody handles is switched off: when of `window` interrupts more than `limit` were
 * unhandled; 99,900 of 100,000, as on Linux. The next request for it switches it on again. For
 * self-tests: make it smaller for one irq.
 * Returns: what it was. Context: thread.
 */
struct irq_stuck_rule {
    uint32_t window, limit;
};
struct irq_stuck_rule irq_set_stuck_rule(uint32_t irq, struct irq_stuck_rule rule);

/* One more than the highest irq. Context: any. */
uint32_t irq_limit(void);

enum { IRQ_NAMES_MAX = 96 };

struct irq_info {
    const char *chip;          /* "IO-APIC", "PCI-MSI", "IPI" */
    uint32_t hwirq;            /* IO-APIC: the gsi; PCI-MSI: the device's number; IPI: the vector */
    bool level, active_low;    /* else edge, active high */
    unsigned handlers;         /* how many; a ring has one */
    char names[IRQ_NAMES_MAX]; /* of the handlers, "a, b", perhaps cut */
    unsigned depth;            /* how often it is disabled */
    bool stuck;                /* switched off, since nobody handled it */
    cpu_t cpu;                 /* where it goes now, or CPU_NONE: nowhere, or (IPI) to many */
    uint8_t vector;            /* its vector there, or 0 */
    struct cpumask affinity;   /* where it may go */
    uint64_t unhandled;        /* interrupts of which every handler said IRQ_NONE */
    uint64_t spurious;         /* interrupts that found no handler */
};

/*
 * A snapshot. Returns: 0, -EINVAL (irq >= irq_limit()), -ENOENT (nobody uses it, nor could: an
 * input without handlers is 0 with handlers == 0). Context: hardirq. Locks: takes irq_desc.
 */
int irq_get_info(uint32_t irq, struct irq_info *info);

/* What one core has taken for one irq. */
struct irq_stat {
    uint64_t interrupts; /* P */
    uint64_t rings;      /* P: of a ring's irq: the sum of all counts */
};

/* A snapshot; zeros for a core that was never started. Context: any. */
struct irq_stat irq_stat_of(uint32_t irq, cpu_t cpu);

/* ---- set-up ---------------------------------------------------------------------------------- */

/* Make the tables, with this machine's I/O APIC inputs. Returns: 0, -ENOMEM. Context: boot cpu
 * only. */
int irq_init(void);

/* Give core `cpu` its counts. Returns: 0, -ENOMEM. Context: boot cpu only, before it runs. */
int irq_cpu_prepare(cpu_t cpu);

/* From now on device interrupts may go to core `cpu`. Context: thread. */
void irq_cpu_online(cpu_t cpu);

/*
 * Send again the edges that wait with nothing in their way: the command register was busy when they
 * were let go. For the scan (smp/scan.c). Context: hardirq. Locks: takes irq_desc.
 */
void irq_kick_pending(void);

/* The first irq that is not an I/O APIC input's. Context: any. */
uint32_t irq_first_message(void);

/*
 * What the irq room needs of the rooms above it; set once each, before other cores run and before
 * the first threaded handler.
 */

/* Run fn(arg) on core `cpu`, interrupts off there, and wait for it (smp/call.c). */
extern int (*irq_call_hook)(cpu_t cpu, void (*fn)(void *arg), void *arg);

struct irq_thread;
struct irq_thread_hooks {
    /* A thread that calls run(arg) once for all wakes since the last call began. NULL: no memory.
     */
    struct irq_thread *(*start)(const char *name, void (*run)(void *arg), void *arg);
    /* Context: hardirq, no lock of the irq room held. */
    void (*wake)(struct irq_thread *thread);
    /* Let it end what it does, and be gone: run(arg) is not called any more. Context: thread.
     * Sleeps: yes. */
    void (*stop)(struct irq_thread *thread);
    /* Sleep until ready(arg); asked again whenever a thread has come back from its run(). Context:
     * thread. */
    void (*wait)(bool (*ready)(void *arg), void *arg);
};
extern const struct irq_thread_hooks *irq_thread_hooks; /* NULL: there are no threads yet */
