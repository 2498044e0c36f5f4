// SPDX-License-Identifier: MIT
/*
 * What device.c and queue.c know of each other; nobody else includes this file.
 */
#pragma once

#include <stddef.h>

/* What became of one frame's copies. */
struct net_delivery {
    unsigned queued;     /* went into a process's queue */
    unsigned overflowed; /* found one full */
};

/* Copy a frame of NET_FRAME_MIN..NET_FRAME_MAX bytes into every queue, and wake who waits there.
 * Context: softirq. Locks: takes net, wait queue. */
struct net_delivery net_queues_put(const void *frame, size_t length);
