// SPDX-License-Identifier: MIT
/*
 * What the debug kernel checks of spin locks: each core keeps a list of those that it holds. Only
 * spinlock.[ch] and panic reports call this; nothing here does anything on a core that panics.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

struct spinlock;

/*
 * `lock` is about to be waited for at `pc`. A panic if the order of lib/lock_rank.h, the interrupt
 * flag or the context forbids that, or this core holds it already. Context: any.
 */
void lock_debug_before(const struct spinlock *lock, uintptr_t pc);

/* `lock` has been taken at `pc`; a panic in an NMI, or if interrupts are not off where its rank
 * wants that. Context: any. */
void lock_debug_taken(const struct spinlock *lock, uintptr_t pc);

/* `lock` is about to be given back; a panic if this core does not hold it, or interrupts came on
 * meanwhile where its rank wants them off. Context: any. */
void lock_debug_released(const struct spinlock *lock);

/* How many locks this core holds. Context: any. */
unsigned lock_debug_count(void);

/* The lock that this core took last of those that it holds, and where. Returns: false if it holds
 * none. Context: any. */
bool lock_debug_last(const struct spinlock **lock, uintptr_t *pc);

/* A lock that this core holds and that wants interrupts off, or NULL. Context: any. */
const struct spinlock *lock_debug_irqs_off(void);

/* Panic if this core holds a lock where it does `what` ("halts"). Context: any. */
void lock_debug_none(const char *what);

/*
 * From now on locks that want interrupts on are held to it: until the boot core opens them for the
 * first time it has no other way. Context: boot cpu only.
 */
void lock_debug_irqs_open(void);

/* Log which core holds `lock`, if one is seen to; outdated at once. Context: any. */
void lock_debug_log_holder(const struct spinlock *lock);

/* Log the locks that core `cpu`, in a panic or stopped, holds. Context: any. */
void lock_debug_log(cpu_t cpu);
