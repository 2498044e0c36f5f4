// SPDX-License-Identifier: MIT
/*
 * From a device's vector to its handlers.
 *
 * The vector table of the core that took the interrupt says which irq it is; the irq's flow knows
 * how interrupts of its kind are to be ended and held back. All flows keep two promises:
 *
 *   - the handlers of one irq are called on one core at a time (DESC_IN_PROGRESS), with the irq's
 *     lock dropped, and not at all while there is an obstacle;
 *   - an edge that comes when they cannot be called is kept (DESC_PENDING) and delivered later: by
 *     the core that is in the handlers, or by irq_let_go(), which sends the vector once more. A
 *     level needs none of that: it asks until it is answered.
 *
 * Each kind ends the interrupt (EOI) where its hardware wants it:
 *
 *     edge     at once: the next edge may then come while the handlers run, and is noted
 *     fasteoi  last: the I/O APIC sends a level again only after the EOI (Intel 82093AA data sheet,
 *              "I/O Redirection Table Registers", Remote IRR), so that nothing has to be masked
 *     level    at once, with the line masked until the handlers, and a one-shot thread, are done
 *
 * Everything is under the lock, so there is no order to think about beyond its own.
 */
#include "irq/irq_internal.h"
#include "lib/backtrace.h"
#include "lib/debug.h"
#include "lib/log.h"

/* The way of an interrupt with a handler is laid out straight; all else jumps. */
#define EXPECTED(condition) __builtin_expect((condition), true)

enum {
    STUCK_WINDOW = 100000,
    STUCK_LIMIT = 99900,
};

static const struct irq_stuck_rule usual_rule = {.window = STUCK_WINDOW, .limit = STUCK_LIMIT};
/* The same, but while a self-test has another one for an irq of its own. */
static struct irq_stuck_rule stuck_rule = {.window = STUCK_WINDOW, .limit = STUCK_LIMIT};
static uint32_t stuck_rule_irq;

/* ---- masks and pending edges ----------------------------------------------------------------- */

void irq_update_mask(struct irq_desc *desc)
{
    uint32_t masking = (desc->status & DESC_LEVEL) != 0 ? DESC_MASKS_LEVEL : DESC_MASKS_EDGE;
    bool masked = (desc->status & masking) != 0;
    if (masked == ((desc->status & DESC_MASKED) != 0))
        return;
    desc->status ^= DESC_MASKED;
    desc->chip->mask(desc, masked);
}

static bool may_run(const struct irq_desc *desc)
{
    return EXPECTED((desc->status & DESC_OBSTACLES) == 0);
}

/*
 * Deliver an edge that was kept: through the Local APIC, since whoever calls this is in some other
 * context than the handlers'. If the ICR stays busy the edge stays kept, for the next interrupt or
 * irq_kick_pending(), whichever is first.
 */
static void send_again(struct irq_desc *desc)
{
    if (arch_ipi_send(desc->cpu, desc->vector) != 0)
        return;
    desc->status &= ~(uint32_t)DESC_PENDING;
    desc->status |= DESC_REPLAY;
}

void irq_let_go(struct irq_desc *desc)
{
    irq_update_mask(desc);
    if ((desc->status & DESC_PENDING) != 0 && may_run(desc))
        send_again(desc);
}

void irq_kick_pending(void)
{
    for (uint32_t irq = 0; irq < irq_count; irq++) {
        struct irq_desc *desc = &irq_descs[irq];
        spin_lock(&desc->lock);
        irq_let_go(desc);
        spin_unlock(&desc->lock);
    }
}

/* ---- lines that nobody handles --------------------------------------------------------------- */

static void log_handlers(const struct irq_desc *desc)
{
    for (const struct irq_action *action = desc->actions; action != NULL; action = action->next) {
        irq_handler *function = action->thread_fn != NULL ? action->thread_fn : action->handler;
        struct symbol_place place = {.name = "?"};
        (void)backtrace_symbol((uintptr_t)function, &place);
        log_err("irq %u: %s() is the handler of %s", irq_number(desc), place.name, action->name);
    }
}

static void switch_off(struct irq_desc *desc)
{
    log_err("irq %u: nobody cared for %u of the last %u interrupts: it is switched off",
            irq_number(desc), desc->recent_unhandled, desc->recent);
    log_handlers(desc);
    desc->status |= DESC_STUCK;
    irq_update_mask(desc);
}

static void judge(struct irq_desc *desc)
{
    const struct irq_stuck_rule *rule =
        irq_number(desc) == stuck_rule_irq ? &stuck_rule : &usual_rule;
    if (desc->recent < rule->window)
        return; /* a self-test's window is over, and it is not for this irq */
    if (desc->recent_unhandled > rule->limit)
        switch_off(desc);
    desc->recent = 0;
    desc->recent_unhandled = 0;
}

struct irq_stuck_rule irq_set_stuck_rule(uint32_t irq, struct irq_stuck_rule rule)
{
    struct irq_stuck_rule before = stuck_rule;
    stuck_rule_irq = irq;
    stuck_rule = rule;
    return before;
}

void irq_note_unhandled(struct irq_desc *desc)
{
    desc->unhandled++;
    desc->recent_unhandled++;
}

/* ---- the handlers ---------------------------------------------------------------------------- */

static enum irq_result call(struct irq_action *action, uint32_t irq)
{
    unsigned entered =
        DEBUG_KERNEL ? context_enter_function(CONTEXT_HARDIRQ, (uintptr_t)action->handler) : 0;
    enum irq_result result = action->handler(irq, action->dev);
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_HARDIRQ, entered);
    if (!EXPECTED(result != IRQ_WAKE_THREAD) && !irq_wake_thread(action))
        return IRQ_NONE;
    return result;
}

/* Call them all; each is asked, since several devices may want something at once. Returns: their
 * answers, or'ed. The chain stays as it is: DESC_IN_PROGRESS. */
static unsigned call_all(const struct irq_desc *desc)
{
    uint32_t irq = irq_number(desc);
    unsigned answers = IRQ_NONE;
    for (struct irq_action *action = desc->actions; action != NULL; action = action->next)
        answers |= call(action, irq);
    return answers;
}

/* Nobody handled it, or threads have a say in it. Locks: caller holds desc->lock. */
static void note_answers(struct irq_desc *desc, unsigned answers)
{
    desc->status &= ~(uint32_t)DESC_WAKING;
    if (answers == IRQ_NONE)
        irq_note_unhandled(desc);
    else if ((answers & IRQ_HANDLED) != 0)
        desc->status |= DESC_ANSWERED;
}

/* Locks: caller holds desc->lock, which is dropped meanwhile. */
static inline void handle(struct irq_desc *desc)
{
    desc->status = (desc->status & ~(uint32_t)DESC_PENDING) | DESC_IN_PROGRESS;
    spin_unlock(&desc->lock);
    unsigned answers = call_all(desc);
    spin_lock(&desc->lock);
    if (!EXPECTED(answers == IRQ_HANDLED))
        note_answers(desc, answers);
    desc->status &= ~(uint32_t)DESC_IN_PROGRESS;
    if (!EXPECTED(++desc->recent < stuck_rule.window))
        judge(desc);
}

/* ---- the flows ------------------------------------------------------------------------------- */

static void note_spurious(struct irq_desc *desc)
{
    if ((desc->status & DESC_NO_HANDLER) != 0)
        desc->spurious++;
}

void irq_flow_edge(struct irq_desc *desc)
{
    spin_lock(&desc->lock);
    arch_irq_eoi();
    desc->status &= ~(uint32_t)DESC_REPLAY;
    if (may_run(desc)) {
        do
            handle(desc);
        while (!EXPECTED((desc->status & DESC_PENDING) == 0) && may_run(desc));
    } else {
        desc->status |= DESC_PENDING;
        note_spurious(desc);
    }
    spin_unlock(&desc->lock);
}

void irq_flow_fasteoi(struct irq_desc *desc)
{
    spin_lock(&desc->lock);
    if (may_run(desc))
        handle(desc);
    else
        note_spurious(desc);
    arch_irq_eoi();
    spin_unlock(&desc->lock);
}

void irq_flow_level(struct irq_desc *desc)
{
    spin_lock(&desc->lock);
    if (may_run(desc)) {
        desc->status |= DESC_HELD;
        irq_update_mask(desc);
        arch_irq_eoi();
        handle(desc);
        desc->status &= ~(uint32_t)DESC_HELD;
        irq_update_mask(desc);
    } else {
        arch_irq_eoi();
        note_spurious(desc);
    }
    spin_unlock(&desc->lock);
}

/* ---- the door -------------------------------------------------------------------------------- */

/* The vector means nothing here. */
__attribute__((noinline)) static void take_stray(uint32_t vector)
{
    arch_count(ARCH_COUNT_MISSED);
    arch_irq_eoi_stray((uint8_t)vector);
}

void device_interrupt(uint32_t vector)
{
    unsigned entered = DEBUG_KERNEL ? context_enter_interrupt() : 0;
    const struct vector_slot *slot = &(*this_cpu_ptr(vector_table))[vector];
    /* acquire: pairs with irq_bind() */
    uint32_t irq = atomic_load_explicit(&slot->irq, memory_order_acquire);
    if (EXPECTED(irq != IRQ_FREE)) {
        this_cpu(irq_rows)[irq].stat.interrupts++;
        irq_descs[irq].flow(&irq_descs[irq]);
    } else {
        take_stray(vector);
    }
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_HARDIRQ, entered);
}
