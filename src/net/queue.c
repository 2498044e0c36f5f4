// SPDX-License-Identifier: MIT
/*
 * A queue is a ring of slots with two running counts, frames put in and frames taken out; their
 * difference is what waits.
 *
 * The softirq of any core fills slots, under the lock of all queues, which also keeps a queue from
 * going away meanwhile. The process empties them: the oldest slot stays as it is until its thread
 * has moved the count of frames taken, so it is copied to the program without a lock.
 */
#include "net/queue.h"

#include <stdatomic.h>

#include "irq/softirq.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "net/device.h"
#include "net/net_internal.h"
#include "sched/wait.h"
#include "vm/user_copy.h"

struct slot {
    uint16_t length;
    uint8_t bytes[NET_FRAME_MAX];
};

struct net_queue {
    struct list_node node;      /* L: queues_lock */
    int owner;                  /* I */
    uint64_t dropped;           /* L: queues_lock */
    _Atomic uint64_t put;       /* frames in all; changed under queues_lock */
    _Atomic uint64_t taken;     /* frames in all; changed by the owner's thread */
    struct wait_queue arrivals; /* the owner's thread waits for a frame */
    struct slot slots[NET_QUEUE_FRAMES];
};

static struct spinlock queues_lock = SPINLOCK(RANK_NET, "net queues");
static struct list_node queues = LIST_INIT(queues); /* L: queues_lock */
static unsigned queue_count;                        /* L: queues_lock */

static struct net_queue *queue_of(struct list_node *node)
{
    return list_entry(node, struct net_queue, node);
}

/* Acquire, release: pair with each other: who sees a count sees the slot as its mover left it. */
static unsigned waiting(struct net_queue *queue)
{
    return (unsigned)(atomic_load_explicit(&queue->put, memory_order_acquire) -
                      atomic_load_explicit(&queue->taken, memory_order_acquire));
}

/* ---- a queue's life -------------------------------------------------------------------------- */

struct net_queue *net_queue_open(int owner)
{
    struct net_queue *queue = heap_alloc(sizeof(*queue), ALLOC_USER);
    if (queue == NULL)
        return NULL;
    queue->owner = owner;
    queue->dropped = 0;
    atomic_init(&queue->put, 0);
    atomic_init(&queue->taken, 0);
    wait_queue_init(&queue->arrivals);
    spin_lock_bh(&queues_lock);
    bool fits = queue_count < NET_QUEUES_MAX;
    if (fits) {
        list_push_back(&queues, &queue->node);
        queue_count++;
    }
    spin_unlock_bh(&queues_lock);
    if (fits)
        return queue;
    heap_free(queue);
    return NULL;
}

void net_queue_close(struct net_queue *queue)
{
    if (queue == NULL)
        return;
    spin_lock_bh(&queues_lock);
    list_remove(&queue->node);
    queue_count--;
    spin_unlock_bh(&queues_lock);
    heap_free(queue);
}

/* ---- frames in ------------------------------------------------------------------------------- */

/* L: queues_lock. Returns: false if it is full. */
static bool put(struct net_queue *queue, const void *frame, size_t length)
{
    if (waiting(queue) == NET_QUEUE_FRAMES) {
        queue->dropped++;
        return false;
    }
    uint64_t number = atomic_load_explicit(&queue->put, memory_order_relaxed);
    struct slot *slot = &queue->slots[number % NET_QUEUE_FRAMES];
    slot->length = (uint16_t)length;
    memcpy(slot->bytes, frame, length);
    atomic_store_explicit(&queue->put, number + 1, memory_order_release);
    wake_one(&queue->arrivals);
    return true;
}

struct net_delivery net_queues_put(const void *frame, size_t length)
{
    struct net_delivery delivery = {0};
    spin_lock_bh(&queues_lock);
    for (struct list_node *node = queues.next; node != &queues; node = node->next) {
        if (put(queue_of(node), frame, length))
            delivery.queued++;
        else
            delivery.overflowed++;
    }
    spin_unlock_bh(&queues_lock);
    return delivery;
}

/* ---- frames out ------------------------------------------------------------------------------ */

static bool has_frame(void *arg)
{
    return waiting(arg) > 0;
}

long net_queue_take(struct net_queue *queue, uintptr_t buf, size_t size, int64_t timeout_ns)
{
    uint64_t wait_ns = timeout_ns < 0 ? WAIT_FOR_EVER : (uint64_t)timeout_ns;
    if (!wait_for(&queue->arrivals, has_frame, queue, wait_ns))
        return timeout_ns == 0 ? -EAGAIN : -ETIMEDOUT;
    uint64_t number = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    const struct slot *slot = &queue->slots[number % NET_QUEUE_FRAMES];
    if (slot->length > size)
        return -EMSGSIZE;
    if (copy_to_user(buf, slot->bytes, slot->length) != 0)
        return -EFAULT;
    long length = slot->length;
    atomic_store_explicit(&queue->taken, number + 1, memory_order_release);
    return length;
}

/* ---- reports --------------------------------------------------------------------------------- */

bool net_queue_counters(int above, struct net_queue_counters *counters)
{
    struct net_queue *lowest = NULL;
    spin_lock_bh(&queues_lock);
    for (struct list_node *node = queues.next; node != &queues; node = node->next) {
        struct net_queue *queue = queue_of(node);
        if (queue->owner > above && (lowest == NULL || queue->owner < lowest->owner))
            lowest = queue;
    }
    if (lowest != NULL) {
        *counters = (struct net_queue_counters){
            .owner = lowest->owner,
            .waiting = waiting(lowest),
            .taken = atomic_load_explicit(&lowest->taken, memory_order_relaxed),
            .dropped = lowest->dropped,
        };
    }
    spin_unlock_bh(&queues_lock);
    return lowest != NULL;
}
