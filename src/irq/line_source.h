// SPDX-License-Identifier: MIT
/*
 * Devices that interrupt when they are told to: timers that nothing else here uses. The self-tests
 * of the irq room ask for one; the drivers of these devices register them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct line_source {
    const char *name;
    /* I: the I/O APIC inputs (GSIs below 32) at which it can interrupt, by edge and by level. */
    uint32_t edge_inputs;
    uint32_t level_inputs;
    uint64_t period_min_ns; /* I: */
    uint64_t period_max_ns; /* I: */

    /*
     * Interrupt at input `gsi` each `period_ns` from now, until stop(). By level, the line stays
     * asserted until take_back() is called after each interrupt; what falls due meanwhile folds.
     * Who starts it has it for himself, with the irq of that input, until he stops it.
     * Returns: 0, -EINVAL (not an input of its own, or a period that it cannot do), -EIO (it does
     * not take the period).
     * Context: thread. Sleeps: no. Locks: none.
     */
    int (*start)(struct line_source *self, uint32_t gsi, uint64_t period_ns, bool level);

    /*
     * In the handler of a level interrupt: let go of the line.
     * Returns: true if this device held it. By edge it does nothing and returns true.
     * Context: hardirq. Sleeps: no.
     */
    bool (*take_back)(struct line_source *self);

    /* No more interrupts, but for an edge that is on its way and one that stopping makes; a level
     * is let go of. Context: thread. Sleeps: no. */
    void (*stop)(struct line_source *self);

    struct line_source *next; /* I: */
};

/* Make one known, for good. Context: boot cpu only. */
void line_source_register(struct line_source *source);

/*
 * The first one at or behind `from` (NULL: of all) that can interrupt by level, or by edge; go on
 * with source->next. Returns: NULL if there is none. Context: thread.
 */
struct line_source *line_source_find(struct line_source *from, bool level);
