// SPDX-License-Identifier: MIT
/*
 * The threads of threaded interrupt handlers: irq/irq.h's request_threaded_irq() with what only
 * this room has.
 */
#pragma once

/* Let the irq room have threads. Context: boot cpu only, once. */
void irq_thread_init(void);
