// SPDX-License-Identifier: MIT
/*
 * Mutexes, wait queues and thread_point() of a host test with one thread (link
 * tests/host/fake/threads.c). A mutex that is taken twice, or given back by nobody, aborts. A wait
 * that would sleep calls fake_sleep, once for each time; if that does not make it ready, or there
 * is none, the test would sleep for ever and aborts.
 */
#pragma once

#include <stdbool.h>

extern void (*fake_sleep)(void);
extern unsigned fake_sleeps; /* how often something slept */
extern unsigned fake_locks;  /* mutexes held now */
