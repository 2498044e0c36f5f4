// SPDX-License-Identifier: MIT
/*
 * The order of all spin locks, outermost first: who holds one takes only such as stand below it.
 * docs/locking.md says what each guards.
 */
#pragma once

enum lock_rank {
    /* Held with interrupts on: taken in threads alone, never by a handler. */
    RANK_PROCESSES = 1,
    RANK_IPI_CONTROL,
    RANK_IRQ_CONTROL,
    RANK_SYSLOG,
    RANK_CONSOLE,
    RANK_SPACE, /* a page fault takes it, also that of a user copy under the locks above */

    /* Held with softirqs off, interrupts on or off: threads and softirqs take them, no handler. */
    RANK_BH_OFF,
    RANK_NET = RANK_BH_OFF,

    /* Held with interrupts off. */
    RANK_IRQS_OFF,
    RANK_KEYBOARD = RANK_IRQS_OFF,
    RANK_RTC,
    RANK_TTY_INPUT,
    RANK_WORK, /* handlers queue works, so what they hold stands above */
    RANK_WORK_POOL,
    RANK_KTHREADD,
    RANK_NET_POLL,
    RANK_NET_SEND,
    RANK_WAIT_QUEUE,
    RANK_RUN_QUEUE,
    RANK_TIMERS,
    RANK_RANDOM,
    RANK_IRQ_DESC,
    RANK_IRQ,
    RANK_IOAPIC,
    RANK_TASKLET,
    RANK_PCI_CONFIG,
    RANK_STACKS,
    RANK_KVA,
    RANK_HEAP,
    RANK_PAGE,
    RANK_UART, /* the innermost: a core that waits for a lock may print that it does */
};
