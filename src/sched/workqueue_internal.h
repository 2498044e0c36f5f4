// SPDX-License-Identifier: MIT
/*
 * What workqueue.c tells sched.c; nobody else includes this file.
 */
#pragma once

struct worker;

/* The worker's thread is about to block inside a work, and has come back from that. Context:
 * thread. Locks: takes work pool, kthreadd, wait queue, run queue. */
void worker_blocks(struct worker *worker);
void worker_goes_on(struct worker *worker);
