// SPDX-License-Identifier: MIT
/*
 * What the files of the irq room share: the descriptor and its chip. Included by them alone.
 *
 *     irq.c       the tables; which irq; reports
 *     chip.c      I/O APIC lines and messages
 *     flow.c      from the vector to the handlers
 *     doorbell.c  the flow of rings, which takes no lock
 *     manage.c    request, free, disable, threads
 *     affinity.c  vectors, cores, moves
 */
#pragma once

#include "irq/doorbell.h"
#include "irq/irq.h"
#include "lib/spinlock.h"

struct irq_desc;

/* How the interrupts of one kind of controller are steered. Called with the irq's lock held. */
struct irq_chip {
    const char *name;
    /* Hold it back at the source, or let it go. */
    void (*mask)(struct irq_desc *desc, bool masked);
    /* From now on it comes at `vector` on core `cpu`, with the trigger that the desc says. */
    void (*route)(struct irq_desc *desc, cpu_t cpu, uint8_t vector);
    /* Is one on its way to a Local APIC, or (level) not yet ended there? NULL: route() waits. */
    bool (*in_flight)(struct irq_desc *desc);
};

/* What is to be done with an interrupt; called by device_interrupt(), ends it at the Local APIC. */
typedef void irq_flow(struct irq_desc *desc);
irq_flow irq_flow_edge, irq_flow_fasteoi, irq_flow_level;

enum irq_desc_status {
    DESC_LEVEL = 1 << 0, /* else edge-triggered */
    DESC_ACTIVE_LOW = 1 << 1,
    DESC_MASKED = 1 << 2,       /* what the chip was told last */
    DESC_AFFINITY_SET = 1 << 3, /* somebody said where it may go */

    DESC_PENDING = 1 << 4, /* an edge came while its handlers could not be called */
    DESC_REPLAY = 1 << 5,  /* that edge was sent once more */
    DESC_HELD = 1 << 6,    /* level flow: masked while the handlers run */
    DESC_MOVING = 1 << 7,  /* level: masked while it changes cores */

    /* What threads say of an interrupt is known when they have run: irq_wake_thread() judges it,
     * for the next one. */
    DESC_WAKING = 1 << 14,   /* the handlers of this interrupt have woken one */
    DESC_WOKEN = 1 << 15,    /* those of an interrupt that is not judged yet have */
    DESC_ANSWERED = 1 << 16, /* somebody had something to do for it */

    /* Why the handlers cannot be called. */
    DESC_NO_HANDLER = 1 << 8,
    DESC_IN_PROGRESS = 1 << 9, /* they are being called */
    DESC_DISABLED = 1 << 10,   /* depth > 0 */
    DESC_CHANGING = 1 << 11,   /* the chain of handlers is about to change */
    DESC_IN_THREAD = 1 << 12,  /* an IRQF_ONESHOT thread function is not done */
    DESC_STUCK = 1 << 13,      /* nobody handled it */
    DESC_OBSTACLES = DESC_NO_HANDLER | DESC_IN_PROGRESS | DESC_DISABLED | DESC_CHANGING |
                     DESC_IN_THREAD | DESC_STUCK,
    /* Which of them mask a line: a level that is not answered would come again at once. An edge
     * that comes at a masked I/O APIC input is lost, so edges stay open and are noted. */
    DESC_MASKS_EDGE = DESC_NO_HANDLER | DESC_STUCK,
    DESC_MASKS_LEVEL =
        DESC_MASKS_EDGE | DESC_DISABLED | DESC_CHANGING | DESC_IN_THREAD | DESC_HELD | DESC_MOVING,
};

/* One handler of an irq. */
struct irq_action {
    struct irq_action *next; /* C */
    irq_handler *handler;    /* I */
    irq_handler *thread_fn;  /* I: NULL: it has no thread */
    void *dev;               /* I */
    const char *name;        /* I */
    unsigned flags;          /* I: enum irq_flags, with a trigger */
    struct irq_desc *desc;   /* I */

    struct irq_thread *thread; /* I */
    bool thread_owes;          /* L: woken, and not yet come back */
    bool thread_again;         /* L: woken since it began */
};

/*
 * L: its own lock. C: changed under irq_control and the lock, with an obstacle set and
 * DESC_IN_PROGRESS not, so that handlers can be called with the lock dropped. T: irq_table_lock.
 * A power of two in size: an index becomes an address by a shift.
 */
struct irq_desc {
    irq_flow *flow;             /* C: of a line or a message */
    doorbell_handler doorbell;  /* T: of a ring */
    struct irq_action *actions; /* C */
    struct spinlock lock;
    uint32_t status; /* L: enum irq_desc_status */
    unsigned depth;  /* L: how often it is disabled */

    const struct irq_chip *chip;   /* T: NULL: nothing is wired to it */
    const struct irq_msi_ops *msi; /* T */
    void *msi_data;                /* T */
    const char *name;              /* T: of a ring */
    uint32_t hwirq;                /* T */
    cpu_t cpu;                     /* L: where it goes, CPU_NONE without handlers */
    uint8_t vector;                /* L; of a ring: T */
    bool used;                     /* T: of a message or a ring */

    unsigned threads_owing;  /* L: how many thread functions are not done */
    unsigned oneshots_owing; /* L: and how many of these hold the irq back */

    uint32_t recent;           /* L: interrupts since the last judgement, */
    uint32_t recent_unhandled; /* L: and how many of them nobody handled */
    uint64_t unhandled;        /* L */
    uint64_t spurious;         /* L */
    struct cpumask affinity;   /* L; changed under irq_control */
} __attribute__((aligned(256)));
_Static_assert(sizeof(struct irq_desc) == 256, "an index becomes an address by a shift");

extern struct irq_desc *irq_descs; /* I: the array */
extern uint32_t irq_count;         /* I: its length */

/* Who has which irq and which vector changes under it; held with interrupts on, outermost. */
extern struct spinlock irq_control;
/* The numbers of messages and rings. */
extern struct spinlock irq_table_lock;

extern const struct irq_chip irq_chip_ioapic, irq_chip_msi;

static inline uint32_t irq_number(const struct irq_desc *desc)
{
    return (uint32_t)(desc - irq_descs);
}

/* What each core keeps for each irq: for a ring, all that its interrupt needs, in half a cache line
 * of the core's own. */
struct irq_row {
    struct irq_stat stat;      /* P */
    doorbell_handler doorbell; /* T: a copy of the irq_desc's */
    void *cookie;              /* of a ring; doorbell_set_cookie() */
};
_Static_assert(sizeof(struct irq_row) == 32, "an index becomes an address by a shift");
DECLARE_PERCPU(struct irq_row *, irq_rows); /* I: an array of irq_count */

/* The irq has a new owner: its rows begin anew, on all cores. Context: thread. */
void irq_clear_rows(uint32_t irq);

/* Say to the chip whether the irq is masked, if that has changed. Locks: caller holds desc->lock.
 */
void irq_update_mask(struct irq_desc *desc);

/* An obstacle has gone: open the irq, and send again what came meanwhile, if no other is left.
 * Locks: caller holds desc->lock. */
void irq_let_go(struct irq_desc *desc);

/* Nobody had something to do for an interrupt. Locks: caller holds desc->lock. */
void irq_note_unhandled(struct irq_desc *desc);

/* Wake the thread of `action`. Returns: false, having said so, if it has none. Context: hardirq. */
bool irq_wake_thread(struct irq_action *action);

/*
 * Give the irq, which has no handler, a vector on a core that it may go to, and route it there, or
 * take them away again. Returns: 0, -ENOSPC, -ENODEV. Locks: caller holds irq_control.
 */
int irq_take_vector(struct irq_desc *desc);
void irq_drop_vector(struct irq_desc *desc);

/* A wait for core `cpu` within this room: pauses, and says so once when it takes long. */
struct irq_wait {
    uint64_t since_ns;
    bool reported;
};
void irq_wait_turn(struct irq_wait *wait, const struct irq_desc *desc, cpu_t cpu, const char *what);
static inline struct irq_wait irq_wait_begin(void)
{
    return (struct irq_wait){.since_ns = arch_clock_ns()};
}
