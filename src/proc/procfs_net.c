// SPDX-License-Identifier: MIT
/*
 * What /proc/net says. A card's file has a line for each fact, `NAME VALUE`, for programs as much
 * as for people: `address` is where user/ethernet.h finds the card's one. docs/frames.md explains
 * the counters.
 */
#include "proc/procfs_net.h"

#include "fs/procfs.h"
#include "lib/text.h"
#include "net/device.h"
#include "net/queue.h"

static void show_count(struct procfs_text *text, const char *name, uint64_t count)
{
    procfs_printf(text, "%s %llu\n", name, (unsigned long long)count);
}

static int show_device(struct procfs_text *text, void *data)
{
    static const char *const reasons[NET_DROP_REASONS] = {
        [NET_DROP_RUNT] = "runts",      [NET_DROP_GIANT] = "giants",    [NET_DROP_BAD] = "bad",
        [NET_DROP_NO_ROOM] = "no_room", [NET_DROP_UNHEARD] = "unheard",
    };
    struct net_device *dev = data;
    const uint8_t *a = dev->address;
    struct net_counters counters;
    net_device_counters(dev, &counters);
    procfs_printf(text, "address %02x:%02x:%02x:%02x:%02x:%02x\n", a[0], a[1], a[2], a[3], a[4],
                  a[5]);
    procfs_printf(text, "driver %s\n", dev->driver);
    procfs_printf(text, "link %s\n", atomic_load(&dev->has_link) ? "up" : "down");
    show_count(text, "interrupts", counters.interrupts);
    show_count(text, "polls", counters.polls);
    show_count(text, "full_polls", counters.full_polls);
    show_count(text, "frames", counters.frames);
    show_count(text, "bytes", counters.bytes);
    show_count(text, "queued", counters.queued);
    show_count(text, "overflowed", counters.overflowed);
    for (unsigned why = 0; why < NET_DROP_REASONS; why++)
        show_count(text, reasons[why], counters.dropped[why]);
    show_count(text, "undersized", counters.undersized);
    show_count(text, "sent", counters.sent);
    show_count(text, "sent_bytes", counters.sent_bytes);
    show_count(text, "send_waits", counters.send_waits);
    return 0;
}

static int show_queues(struct procfs_text *text, void *data)
{
    struct net_queue_counters counters;
    (void)data;
    procfs_puts(text, "pid waiting taken dropped\n");
    for (int above = 0; net_queue_counters(above, &counters); above = counters.owner)
        procfs_printf(text, "%d %u %llu %llu\n", counters.owner, counters.waiting,
                      (unsigned long long)counters.taken, (unsigned long long)counters.dropped);
    return 0;
}

void procfs_net_create(void)
{
    static const struct procfs_ops device_ops = {.show = show_device};
    static const struct procfs_ops queues_ops = {.show = show_queues};
    struct net_device *dev;
    for (unsigned i = 0; (dev = net_device_at(i)) != NULL; i++) {
        char path[sizeof("net/") + NET_NAME_MAX];
        snprintf(path, sizeof(path), "net/%s", dev->name);
        (void)procfs_create(path, &device_ops, dev);
    }
    (void)procfs_create("net/queues", &queues_ops, NULL);
}
