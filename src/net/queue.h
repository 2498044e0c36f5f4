// SPDX-License-Identifier: MIT
/*
 * The queues in which received frames wait for processes. Each process that has asked for frames
 * has one, with a copy of every frame that came since; what comes while it is full is dropped and
 * counted. All its memory is there from the beginning, so receiving never asks for any, and a
 * process that does not fetch its frames costs no more than one that does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_queue;

enum {
    NET_QUEUE_FRAMES = 128,
    NET_QUEUES_MAX = 64, /* a frame goes into all of them, in a softirq: so there is a bound */
};

/*
 * A queue for the process `owner` (its number, for reports). It gets what arrives from now on.
 * Returns: it, or NULL without memory, or with NET_QUEUES_MAX there. Context: thread. Locks: takes
 * net, heap.
 */
struct net_queue *net_queue_open(int owner);

/* End it; what waits in it is gone. NULL is passed over. Context: thread. Locks: takes net. */
void net_queue_close(struct net_queue *queue);

/*
 * Copy the oldest frame to the running program, and take it out; wait until there is one, at most
 * timeout_ns (0: not at all; -1: for ever). One thread at a time.
 * Returns: its length; -EAGAIN (there is none, and timeout_ns is 0), -ETIMEDOUT (none came); the
 * frame stays after -EMSGSIZE (it is longer than size) and -EFAULT. Context: thread. Sleeps: yes.
 */
long net_queue_take(struct net_queue *queue, uintptr_t buf, size_t size, int64_t timeout_ns);

/* What a queue has seen: for reports. */
struct net_queue_counters {
    int owner;
    unsigned waiting; /* frames in it now */
    uint64_t taken;   /* by its process */
    uint64_t dropped; /* came while it was full */
};

/*
 * The counters of the queue whose owner has the lowest number above `above`.
 * Returns: false if there is none. Context: thread. Locks: takes net.
 */
bool net_queue_counters(int above, struct net_queue_counters *counters);
