// SPDX-License-Identifier: MIT
/*
 * Network cards: what a driver offers, and what it may call.
 *
 * Receiving begins with an interrupt and goes on by polling. The driver's handler calls
 * net_poll_schedule(), which masks the card's receive interrupt and raises SOFTIRQ_NET_RX; the
 * softirq takes frames off the ring, NET_POLL_BUDGET at most in a turn, and unmasks the interrupt
 * only when a turn left the ring empty. So a lone frame costs one interrupt, and a flood costs
 * none: it is polled, by ksoftirqd in the end, and what programs do not fetch in time is dropped
 * from their queues and counted.
 *
 * Invariant: the receive interrupt is masked exactly while the card's poll is scheduled; both
 * change together under the poll's lock. docs/frames.md is the page about it.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/list.h"
#include "lib/spinlock.h"
#include "sched/wait.h"
#include "sched/workqueue.h"

enum {
    NET_ADDRESS_BYTES = 6,
    NET_FRAME_MIN = 14,    /* two addresses and a type */
    NET_FRAME_MAX = 1514,  /* and 1500 bytes; the checksum is the card's business */
    NET_FRAME_PADDED = 60, /* the least that goes onto the wire, without the checksum */
    NET_POLL_BUDGET = 64,  /* frames in a turn */
    NET_DEVICES_MAX = 8,
    NET_NAME_MAX = 8,
};

struct net_device;

/* What a driver does. None of them sleeps. */
struct net_device_ops {
    /*
     * Put a frame of NET_FRAME_PADDED..NET_FRAME_MAX bytes into the transmit ring, by copy.
     * Returns: 0; -ENOSPC: the ring is full, and net_transmit_room() will be called when it is not.
     * Context: thread, interrupts on or off.
     */
    int (*send)(struct net_device *dev, const void *frame, size_t length);

    /*
     * Take up to `budget` descriptors off the receive ring: each gives net_receive() or
     * net_drop(). Before a look that may find the ring empty it clears the card's receive cause,
     * so that a frame that comes after the look interrupts once that is unmasked.
     * Returns: how many descriptors it took; fewer than the budget: the ring is empty.
     * Context: softirq, one core at a time.
     */
    unsigned (*poll)(struct net_device *dev, unsigned budget);

    /* Mask or unmask the receive interrupt. Context: hardirq, under the poll's lock. */
    void (*mask)(struct net_device *dev, bool masked);

    /*
     * Read the link's state. Returns: is it up; then *megabits is its speed in Mbit/s.
     * Context: thread; calls may overlap.
     */
    bool (*link)(struct net_device *dev, unsigned *megabits);

    /*
     * Add what the card itself has counted since the last call (frames that it had to drop, or
     * that were damaged) by net_drop(). May be NULL. Context: thread; calls may overlap.
     */
    void (*collect)(struct net_device *dev);
};

/* Why a frame that came to the card did not get to a program. */
enum net_drop {
    NET_DROP_RUNT,    /* shorter than NET_FRAME_MIN, or a fragment to the card */
    NET_DROP_GIANT,   /* longer than NET_FRAME_MAX, or called oversized by the card */
    NET_DROP_BAD,     /* a wrong checksum, or a descriptor that makes no sense */
    NET_DROP_NO_ROOM, /* the receive ring was full: the card dropped it */
    NET_DROP_UNHEARD, /* no process has a queue */
    NET_DROP_REASONS,
};

/* How often what happened. P: the card's poll, unless it says otherwise. */
struct net_counters {
    uint64_t interrupts; /* L: poll_lock; that asked for a poll */
    uint64_t polls;      /* turns of the softirq */
    uint64_t full_polls; /* of these, turns that used up the budget */
    uint64_t frames;     /* received whole and handed to the queues, or unheard */
    uint64_t bytes;      /* in them */
    uint64_t queued;     /* copies that went into a process's queue */
    uint64_t overflowed; /* copies that a full queue refused: counted there as well */
    uint64_t sent;       /* atomic: frames that the ring took */
    uint64_t sent_bytes; /* atomic */
    uint64_t send_waits; /* atomic: times that a sender found the ring full */
    uint64_t dropped[NET_DROP_REASONS]; /* atomic */
    /* atomic: what the card calls undersized, below 64 bytes with the checksum; an emulated card
     * may pad such a frame and pass it on, so it is no count of drops */
    uint64_t undersized;
};

struct net_device {
    /* the driver's, set before net_device_register() */
    const struct net_device_ops *ops;
    const char *driver;
    uint8_t address[NET_ADDRESS_BYTES];

    /* net's own */
    char name[NET_NAME_MAX]; /* I: eth0, eth1, ... in the order of registration */
    _Atomic bool has_link;
    struct work link_work; /* looks at the link, after the card said that it changed */
    struct spinlock poll_lock;
    bool scheduled;         /* L: poll_lock: the poll is in a core's list, or runs */
    bool again;             /* L: poll_lock: a cause came meanwhile; poll once more */
    struct list_node node;  /* P: of the core that polls: its list */
    struct wait_queue room; /* who waits for the transmit ring */
    struct net_counters counters;
};

/* ---- for drivers ----------------------------------------------------------------------------- */

/*
 * Make a card known, without link; from here on the functions below may be called for it.
 * Returns: 0, -ENOSPC (NET_DEVICES_MAX are there). Context: thread. Locks: takes net.
 */
int net_device_register(struct net_device *dev);

/* Undo it, for a card that does not come up after all. Context: boot cpu only, before programs run.
 * Locks: takes net. */
void net_device_unregister(struct net_device *dev);

/* Look at the link; what is new is logged. Context: thread. Sleeps: no. */
void net_link_look(struct net_device *dev);

/* The link has changed, or may have: have a worker look. Context: hardirq. Locks: as work_queue. */
void net_link_changed(struct net_device *dev);

/*
 * The card has a receive cause: mask it and have its ring polled on this core, or once more if that
 * is under way. Context: hardirq. Sleeps: no. Locks: takes net poll.
 */
void net_poll_schedule(struct net_device *dev);

/*
 * A received frame of any length: into the queue of each process that has one, or dropped and
 * counted. The bytes stay the caller's. Context: softirq, in ops->poll. Locks: takes net, wait
 * queue.
 */
void net_receive(struct net_device *dev, const void *frame, size_t length);

/* Count dropped frames. Context: any. */
void net_drop(struct net_device *dev, enum net_drop why, uint64_t count);

/* Count frames that the card calls undersized. Context: any. */
void net_undersized(struct net_device *dev, uint64_t count);

/* The transmit ring has room again: wakes who waits for it. Context: hardirq. */
void net_transmit_room(struct net_device *dev);

/* ---- for the rooms above --------------------------------------------------------------------- */

/* Open the softirqs of this room. Requires: workqueue_start(), for what the cards' links ask for.
 * Context: boot cpu only, once. */
void net_init(void);

/* The card whose frames programs get and send: the first one. Returns: NULL without a card.
 * Context: any. */
struct net_device *net_device_first(void);

/* The card number `index`, or NULL. Context: any. */
struct net_device *net_device_at(unsigned index);

/* Its counters as they stand, with what the card itself has counted. Context: thread. Sleeps: yes.
 */
void net_device_counters(struct net_device *dev, struct net_counters *counters);

/*
 * Send a frame of NET_FRAME_MIN..NET_FRAME_MAX bytes; a short one is padded with zeros to
 * NET_FRAME_PADDED. `frame` has room for that. Waits for room in the ring, NET_SEND_WAIT_MS at
 * most. Returns: 0 when the ring has it; -EIO: there is no link, or the ring stayed full.
 * Context: thread. Sleeps: yes.
 */
enum { NET_SEND_WAIT_MS = 1000 };
int net_send(struct net_device *dev, uint8_t frame[NET_FRAME_MAX], size_t length);
