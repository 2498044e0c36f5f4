// SPDX-License-Identifier: MIT
/*
 * The debug kernel, `make DEBUG=1`: the same sources with the kernel's own rules checked while it
 * runs. A broken rule is a panic that names the places.
 *
 * What only the debug kernel does stands behind `if (DEBUG_KERNEL)`: both kernels compile it, the
 * plain one drops it.
 */
#pragma once

#include <stdbool.h>

#include "arch/arch.h"
#include "lib/panic.h"

enum { DEBUG_KERNEL = CARILLON_DEBUG };

/*
 * Contexts, as the prototypes of the tree name them. The debug kernel keeps account of them; the
 * plain one does not know.
 */
enum context { CONTEXT_THREAD, CONTEXT_SOFTIRQ, CONTEXT_HARDIRQ, CONTEXT_NMI };

/*
 * A handler of kind `context` (not THREAD) begins. Returns: what context_leave() wants back.
 * Context: any, interrupts off; debug kernel only.
 */
unsigned context_enter(enum context context);

/* The same, and messages name `fn`, the function that runs from here on. */
unsigned context_enter_function(enum context context, uintptr_t fn);

/* The same for an interrupt: a panic if a lock is held that wants them off. */
unsigned context_enter_interrupt(void);

/*
 * The handler ends. One that keeps a lock, or changed the interrupt flag or the depth of
 * local_bh_disable(), is a panic.
 * Context: any; debug kernel only.
 */
void context_leave(enum context context, unsigned entered);

/*
 * A rule is broken: panic with this text, which names the place. Returns only on a core that
 * panics already, and in a self-test that has called context_catch(): the next broken rule is then
 * kept for context_caught(), which returns its text or NULL, and what the same mistake breaks
 * besides is passed over until it does. Context: any; the two: thread; debug kernel only.
 */
void context_broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void context_catch(void);
const char *context_caught(void);

/* What this core is doing. Context: any; debug kernel only. */
enum context context_now(void);

/* The name of a context, for a message. Context: any. */
const char *context_name(enum context context);

/* ---- what may be done where; debug kernel only ------------------------------------------------
 * Each is a panic that names the place from which the function was called that asks.
 */

/* Interrupts come on here: not in a handler, nor under a lock that wants them off. Context: any. */
void context_check_irq_enable(void);

/* local_bh_enable() is called: with interrupts on, and as often as local_bh_disable() before it.
 * Context: any. */
void context_check_bh_enable(void);

/* `what` may sleep, and was called at `pc`: in a thread, interrupts and softirqs on, no spin lock
 * held. Context: any. */
void context_check_sleep(const char *what, uintptr_t pc);

/* `fn`, which may sleep, has come back: nothing is off, and no spin lock held. Context: any. */
void context_check_thread(uintptr_t fn);

/* `what` touches a program's memory, and was called at `pc`: in a thread, softirqs on. Context:
 * any.
 */
void context_check_user_copy(const char *what, uintptr_t pc);

/* `what` was asked for memory at `pc`: in a handler or a softirq it has to be `atomic`. Context:
 * any.
 */
void context_check_alloc(const char *what, bool atomic, uintptr_t pc);

/* At the head of every function that may sleep: tell who called it where it must not. */
#define might_sleep()                                                                              \
    do {                                                                                           \
        if (DEBUG_KERNEL)                                                                          \
            context_check_sleep(__func__, (uintptr_t)__builtin_return_address(0));                 \
    } while (0)

/* What a function's prototype says of its context: the debug kernel panics where it is broken. */
#define ASSERT_CONTEXT(cond)                                                                       \
    do {                                                                                           \
        if (DEBUG_KERNEL && !(cond))                                                               \
            panic("%s:%d: %s called in %s, interrupts %s", __FILE__, __LINE__, __func__,           \
                  context_name(context_now()), arch_irqs_enabled() ? "on" : "off");                \
    } while (0)
#define ASSERT_THREAD() ASSERT_CONTEXT(context_now() == CONTEXT_THREAD)
#define ASSERT_NOT_NMI() ASSERT_CONTEXT(context_now() != CONTEXT_NMI)
#define ASSERT_IRQS_ON() ASSERT_CONTEXT(arch_irqs_enabled())
#define ASSERT_IRQS_OFF() ASSERT_CONTEXT(!arch_irqs_enabled())
