// SPDX-License-Identifier: MIT
/*
 * The list of cards, the receive path's two halves, and sending.
 *
 * A card's poll is in the list of one core at a time, of the core that took the interrupt; it stays
 * there until a turn has left the ring empty. The list is that core's alone, with interrupts off.
 */
#include "net/device.h"

#include "irq/softirq.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/text.h"
#include "net/net_internal.h"

#define NS_PER_MS UINT64_C(1000000)

static struct spinlock net_lock = SPINLOCK(RANK_NET, "net");
static struct net_device *_Atomic devices[NET_DEVICES_MAX]; /* L: net_lock, for changes */
static DEFINE_PERCPU(struct list_node, scheduled);          /* P: devices to be polled */

static struct net_device *device_of(struct list_node *node)
{
    return list_entry(node, struct net_device, node);
}

static uint64_t count_of(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add(uint64_t *counter, uint64_t more)
{
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

/* ---- the list of cards ----------------------------------------------------------------------- */

struct net_device *net_device_at(unsigned index)
{
    /* acquire: pairs with the release in net_device_register() */
    return index < NET_DEVICES_MAX ? atomic_load_explicit(&devices[index], memory_order_acquire)
                                   : NULL;
}

struct net_device *net_device_first(void)
{
    return net_device_at(0);
}

static void link_work(struct work *work);

static void prepare(struct net_device *dev)
{
    dev->poll_lock = (struct spinlock)SPINLOCK(RANK_NET_POLL, "net poll");
    dev->scheduled = dev->again = false;
    dev->counters = (struct net_counters){0};
    atomic_init(&dev->has_link, false);
    work_init(&dev->link_work, link_work);
    wait_queue_init(&dev->room);
}

int net_device_register(struct net_device *dev)
{
    unsigned index = 0;
    prepare(dev);
    spin_lock_bh(&net_lock);
    while (index < NET_DEVICES_MAX && net_device_at(index) != NULL)
        index++;
    if (index < NET_DEVICES_MAX) {
        snprintf(dev->name, sizeof(dev->name), "eth%u", index);
        /* release: the device is complete for who finds it (net_device_at) */
        atomic_store_explicit(&devices[index], dev, memory_order_release);
    }
    spin_unlock_bh(&net_lock);
    return index < NET_DEVICES_MAX ? 0 : -ENOSPC;
}

void net_device_unregister(struct net_device *dev)
{
    spin_lock_bh(&net_lock);
    for (unsigned index = 0; index < NET_DEVICES_MAX; index++) {
        if (net_device_at(index) == dev)
            atomic_store_explicit(&devices[index], NULL, memory_order_relaxed);
    }
    spin_unlock_bh(&net_lock);
}

/* ---- links ----------------------------------------------------------------------------------- */

void net_link_look(struct net_device *dev)
{
    unsigned megabits = 0;
    bool up;
    do { /* again if it has changed: of two that look at once, the one that saw less may note last
          */
        up = dev->ops->link(dev, &megabits);
        if (atomic_exchange_explicit(&dev->has_link, up, memory_order_seq_cst) == up)
            continue;
        if (up)
            log_info("%s: link up, %u Mbit/s", dev->name, megabits);
        else
            log_info("%s: link down", dev->name);
    } while (dev->ops->link(dev, &megabits) != up);
}

/* In a worker: nobody waits for it, and the PHY of a real card may take its time. */
static void link_work(struct work *work)
{
    net_link_look(list_entry(work, struct net_device, link_work));
}

void net_link_changed(struct net_device *dev)
{
    (void)work_queue(system_wq, &dev->link_work); /* queued already: then it looks once for both */
}

/* ---- receiving: the top half ----------------------------------------------------------------- */

/* Into this core's list. Context: interrupts off. */
static void enlist(struct net_device *dev)
{
    struct list_node *list = this_cpu_ptr(scheduled);
    if (list->next == NULL) /* this core's first */
        list_init(list);
    list_push_back(list, &dev->node);
    softirq_raise(SOFTIRQ_NET_RX);
}

void net_poll_schedule(struct net_device *dev)
{
    uint64_t flags = spin_lock_irqsave(&dev->poll_lock);
    dev->counters.interrupts++;
    if (dev->scheduled) {
        dev->again = true; /* it came after the poll's look, perhaps */
    } else {
        dev->scheduled = true;
        dev->ops->mask(dev, true);
        enlist(dev);
    }
    spin_unlock_irqrestore(&dev->poll_lock, flags);
}

/* ---- receiving: the softirq ------------------------------------------------------------------ */

/* The ring was empty: back to interrupts, unless one came meanwhile. Context: interrupts off. */
static void complete(struct net_device *dev)
{
    spin_lock(&dev->poll_lock);
    if (dev->again) {
        enlist(dev);
    } else {
        dev->scheduled = false;
        dev->ops->mask(dev, false);
    }
    dev->again = false;
    spin_unlock(&dev->poll_lock);
}

/* One turn of one card, which is in no list meanwhile. */
static void poll(struct net_device *dev)
{
    unsigned taken = dev->ops->poll(dev, NET_POLL_BUDGET);
    dev->counters.polls++;
    if (taken >= NET_POLL_BUDGET)
        dev->counters.full_polls++;
    uint64_t flags = arch_irq_save();
    if (taken < NET_POLL_BUDGET)
        complete(dev);
    else
        enlist(dev);
    arch_irq_restore(flags);
}

/* One turn for each card that is in the list now; what is put back has raised the softirq anew. */
static void receive_action(void)
{
    struct list_node turn = LIST_INIT(turn);
    struct list_node *list = this_cpu_ptr(scheduled);
    uint64_t flags = arch_irq_save();
    while (list->next != NULL && !list_is_empty(list)) {
        struct list_node *node = list->next;
        list_remove(node);
        list_push_back(&turn, node);
    }
    arch_irq_restore(flags);
    while (!list_is_empty(&turn)) {
        struct net_device *dev = device_of(turn.next);
        list_remove(&dev->node);
        poll(dev);
    }
}

void net_receive(struct net_device *dev, const void *frame, size_t length)
{
    struct net_counters *counters = &dev->counters;
    if (length < NET_FRAME_MIN || length > NET_FRAME_MAX) {
        net_drop(dev, length < NET_FRAME_MIN ? NET_DROP_RUNT : NET_DROP_GIANT, 1);
        return;
    }
    counters->frames++;
    counters->bytes += length;
    struct net_delivery delivery = {0};
    if (dev == net_device_first())
        delivery = net_queues_put(frame, length);
    counters->queued += delivery.queued;
    counters->overflowed += delivery.overflowed;
    if (delivery.queued + delivery.overflowed == 0)
        net_drop(dev, NET_DROP_UNHEARD, 1);
}

void net_drop(struct net_device *dev, enum net_drop why, uint64_t count)
{
    add(&dev->counters.dropped[why], count);
}

void net_undersized(struct net_device *dev, uint64_t count)
{
    add(&dev->counters.undersized, count);
}

/* ---- sending --------------------------------------------------------------------------------- */

struct sending {
    struct net_device *dev;
    const uint8_t *frame;
    size_t length;
    bool waited;
};

static bool ring_took_it(void *arg)
{
    struct sending *sending = arg;
    struct net_device *dev = sending->dev;
    if (dev->ops->send(dev, sending->frame, sending->length) == 0)
        return true;
    if (!sending->waited)
        add(&dev->counters.send_waits, 1);
    sending->waited = true;
    return false;
}

int net_send(struct net_device *dev, uint8_t frame[NET_FRAME_MAX], size_t length)
{
    if (!atomic_load_explicit(&dev->has_link, memory_order_relaxed))
        return -EIO;
    if (length < NET_FRAME_PADDED) {
        memset(frame + length, 0, NET_FRAME_PADDED - length);
        length = NET_FRAME_PADDED;
    }
    struct sending sending = {.dev = dev, .frame = frame, .length = length};
    if (!wait_for(&dev->room, ring_took_it, &sending, NET_SEND_WAIT_MS * NS_PER_MS))
        return -EIO;
    add(&dev->counters.sent, 1);
    add(&dev->counters.sent_bytes, length);
    return 0;
}

void net_transmit_room(struct net_device *dev)
{
    wake_all(&dev->room);
}

/* ---- reports, set-up ------------------------------------------------------------------------- */

void net_device_counters(struct net_device *dev, struct net_counters *counters)
{
    if (dev->ops->collect != NULL)
        dev->ops->collect(dev);
    const uint64_t *from = (const uint64_t *)&dev->counters;
    uint64_t *to = (uint64_t *)counters;
    for (size_t i = 0; i < sizeof(*counters) / sizeof(*to); i++)
        to[i] = count_of(&from[i]);
}

void net_init(void)
{
    ASSERT(system_wq != NULL); /* a card that is up may call net_link_changed() at once */
    softirq_open(SOFTIRQ_NET_RX, receive_action);
}
