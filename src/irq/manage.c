// SPDX-License-Identifier: MIT
/*
 * Handlers come and go; irqs are held back and let go.
 *
 * Interrupts walk the chain of an irq's handlers with no lock. So it is changed only while none
 * does: the changer sets DESC_CHANGING, which keeps interrupts from the handlers as disable_irq()
 * does, waits until DESC_IN_PROGRESS is gone, changes it under the irq's lock, which reports hold,
 * and lets the irq go. irq_control makes sure that there is one changer.
 */
#include "irq/irq_internal.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/text.h"
#include "mm/heap.h"

enum { THREAD_NAME_MAX = 24 };
#define REPORT_NS UINT64_C(1000000000)

const struct irq_thread_hooks *irq_thread_hooks;

/* The irq of a line or a message; NULL: it is another's, or nobody's. */
static struct irq_desc *device_desc(uint32_t irq)
{
    return irq < irq_count && irq_descs[irq].chip != NULL ? &irq_descs[irq] : NULL;
}

/* ---- waiting for handlers -------------------------------------------------------------------- */

void irq_wait_turn(struct irq_wait *wait, const struct irq_desc *desc, cpu_t cpu, const char *what)
{
    spin_turn();
    if (wait->reported || arch_clock_ns() - wait->since_ns < REPORT_NS)
        return;
    wait->reported = true;
    log_warn("irq %u: core %u has waited 1 s for core %u to %s", irq_number(desc), arch_cpu(), cpu,
             what);
}

static bool is_in_progress(struct irq_desc *desc)
{
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    bool in_progress = (desc->status & DESC_IN_PROGRESS) != 0;
    spin_unlock_irqrestore(&desc->lock, flags);
    return in_progress;
}

/* Wait until no core is in the handlers, which an obstacle keeps from being called anew. */
static void wait_for_handlers(struct irq_desc *desc)
{
    struct irq_wait wait = irq_wait_begin();
    while (is_in_progress(desc))
        irq_wait_turn(&wait, desc, desc->cpu, "leave a handler"); /* or the core before that one */
}

static bool threads_are_done(void *arg)
{
    struct irq_desc *desc = arg;
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    bool done = desc->threads_owing == 0;
    spin_unlock_irqrestore(&desc->lock, flags);
    return done;
}

static void set_obstacle(struct irq_desc *desc, enum irq_desc_status obstacle)
{
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    desc->status |= obstacle;
    irq_update_mask(desc);
    spin_unlock_irqrestore(&desc->lock, flags);
}

static void clear_obstacle(struct irq_desc *desc, enum irq_desc_status obstacle)
{
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    desc->status &= ~(uint32_t)obstacle;
    irq_let_go(desc);
    spin_unlock_irqrestore(&desc->lock, flags);
}

/* Change a link of the chain, which no interrupt walks now; a report may. */
static void set_link(struct irq_desc *desc, struct irq_action **link, struct irq_action *action)
{
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    *link = action;
    spin_unlock_irqrestore(&desc->lock, flags);
}

/* ---- threads --------------------------------------------------------------------------------- */

/*
 * An interrupt wakes its first thread. By now the threads have said what they had to do for the one
 * before: nobody handled it if all of them said IRQ_NONE, and no handler IRQ_HANDLED. One that does
 * not wait for its threads may come before they have said it; such are too few to count
 * (STUCK_LIMIT). Locks: caller holds desc->lock.
 */
static void judge_last_wake(struct irq_desc *desc)
{
    if ((desc->status & DESC_WAKING) != 0)
        return; /* it has woken one already */
    if ((desc->status & (DESC_WOKEN | DESC_ANSWERED)) == DESC_WOKEN)
        irq_note_unhandled(desc);
    desc->status &= ~(uint32_t)DESC_ANSWERED;
    desc->status |= DESC_WAKING | DESC_WOKEN;
}

bool irq_wake_thread(struct irq_action *action)
{
    struct irq_desc *desc = action->desc;
    if (action->thread == NULL) {
        log_warn("irq %u: the handler of %s wants a thread that it has not got", irq_number(desc),
                 action->name);
        return false;
    }
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    judge_last_wake(desc);
    action->thread_again = true;
    if (!action->thread_owes) {
        action->thread_owes = true;
        desc->threads_owing++;
        if ((action->flags & IRQF_ONESHOT) != 0) {
            desc->oneshots_owing++;
            desc->status |= DESC_IN_THREAD;
        }
    }
    spin_unlock_irqrestore(&desc->lock, flags);
    irq_thread_hooks->wake(action->thread);
    return true;
}

/* The thread owes nothing more. Locks: caller holds desc->lock. */
static void settle(struct irq_action *action)
{
    struct irq_desc *desc = action->desc;
    if (!action->thread_owes)
        return;
    action->thread_owes = false;
    desc->threads_owing--;
    if ((action->flags & IRQF_ONESHOT) == 0 || --desc->oneshots_owing != 0)
        return;
    desc->status &= ~(uint32_t)DESC_IN_THREAD;
    irq_let_go(desc);
}

/*
 * What an irq's thread calls for its wakes. A wake may be late: the thread, called by the one
 * before it, has done its work too. Then nothing is owed, and disable_irq() may have returned.
 */
static void run_thread_fn(void *arg)
{
    struct irq_action *action = arg;
    struct irq_desc *desc = action->desc;
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    bool owes = action->thread_owes;
    action->thread_again = false;
    spin_unlock_irqrestore(&desc->lock, flags);
    if (!owes)
        return;

    enum irq_result result = action->thread_fn(irq_number(desc), action->dev);
    if (DEBUG_KERNEL)
        context_check_thread((uintptr_t)action->thread_fn);

    flags = spin_lock_irqsave(&desc->lock);
    if (result != IRQ_NONE)
        desc->status |= DESC_ANSWERED;
    if (!action->thread_again)
        settle(action);
    spin_unlock_irqrestore(&desc->lock, flags);
}

static enum irq_result wake_only(uint32_t irq, void *dev)
{
    (void)irq;
    (void)dev;
    return IRQ_WAKE_THREAD;
}

static int start_thread(struct irq_action *action)
{
    char name[THREAD_NAME_MAX];
    if (irq_thread_hooks == NULL)
        return -ENODEV;
    (void)snprintf(name, sizeof(name), "irq/%u-%s", irq_number(action->desc), action->name);
    action->thread = irq_thread_hooks->start(name, run_thread_fn, action);
    return action->thread == NULL ? -ENOMEM : 0;
}

/* Its handler is not called any more. Returns when its thread is gone. */
static void stop_thread(struct irq_action *action)
{
    if (action->thread == NULL)
        return;
    irq_thread_hooks->stop(action->thread);
    uint64_t flags = spin_lock_irqsave(&action->desc->lock);
    settle(action);
    spin_unlock_irqrestore(&action->desc->lock, flags);
}

/* ---- requests -------------------------------------------------------------------------------- */

static uint32_t trigger_of(const struct irq_desc *desc)
{
    bool low = (desc->status & DESC_ACTIVE_LOW) != 0;
    if ((desc->status & DESC_LEVEL) != 0)
        return low ? IRQF_TRIGGER_LOW : IRQF_TRIGGER_HIGH;
    return low ? IRQF_TRIGGER_FALLING : IRQF_TRIGGER_RISING;
}

static bool is_one_trigger(unsigned trigger)
{
    return (trigger & (trigger - 1)) == 0;
}

/* What is wrong with a request, whoever has the irq. */
static int check_request(const struct irq_desc *desc, const struct irq_action *action,
                         const char *name)
{
    unsigned trigger = action->flags & IRQF_TRIGGER_MASK;
    bool level = (trigger & (IRQF_TRIGGER_HIGH | IRQF_TRIGGER_LOW)) != 0;
    if (name == NULL || !is_one_trigger(trigger))
        return -EINVAL;
    if (action->handler == NULL &&
        (action->thread_fn == NULL || (action->flags & IRQF_ONESHOT) == 0))
        return -EINVAL;
    if ((action->flags & IRQF_SHARED) != 0 && action->dev == NULL)
        return -EINVAL;
    return level && desc->chip == &irq_chip_msi ? -EINVAL : 0;
}

/* May `action` have the irq together with those that have it already? */
static int check_sharing(const struct irq_desc *desc, const struct irq_action *action)
{
    const struct irq_action *owner = desc->actions;
    unsigned trigger = action->flags & IRQF_TRIGGER_MASK;
    if ((action->flags & owner->flags & IRQF_SHARED) == 0 ||
        ((action->flags ^ owner->flags) & IRQF_ONESHOT) != 0 ||
        (trigger != 0 && trigger != trigger_of(desc))) {
        log_err("irq %u: flags mismatch, %08x (%s) against %08x (%s)", irq_number(desc),
                action->flags, action->name, owner->flags, owner->name);
        return -EBUSY;
    }
    for (; owner != NULL; owner = owner->next) {
        if (owner->dev == action->dev)
            return -EBUSY;
    }
    return 0;
}

static irq_flow *flow_for(const struct irq_desc *desc, const struct irq_action *action)
{
    if ((desc->status & DESC_LEVEL) == 0)
        return irq_flow_edge;
    return (action->flags & IRQF_ONESHOT) != 0 ? irq_flow_level : irq_flow_fasteoi;
}

static void set_trigger(struct irq_desc *desc, unsigned trigger)
{
    if (trigger == 0)
        return;
    desc->status &= ~(uint32_t)(DESC_LEVEL | DESC_ACTIVE_LOW);
    if ((trigger & (IRQF_TRIGGER_HIGH | IRQF_TRIGGER_LOW)) != 0)
        desc->status |= DESC_LEVEL;
    if ((trigger & (IRQF_TRIGGER_FALLING | IRQF_TRIGGER_LOW)) != 0)
        desc->status |= DESC_ACTIVE_LOW;
}

/* Locks: caller holds irq_control. */
static int install_first(struct irq_desc *desc, struct irq_action *action)
{
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    unsigned trigger_before = trigger_of(desc);
    set_trigger(desc, action->flags & IRQF_TRIGGER_MASK);
    desc->flow = flow_for(desc, action);
    spin_unlock_irqrestore(&desc->lock, flags);
    int error = irq_take_vector(desc);
    flags = spin_lock_irqsave(&desc->lock);
    if (error == 0) {
        desc->actions = action;
        desc->depth = 0;
        desc->recent = 0;
        desc->recent_unhandled = 0;
        desc->status &=
            ~(uint32_t)(DESC_NO_HANDLER | DESC_DISABLED | DESC_STUCK | DESC_PENDING | DESC_WOKEN);
        irq_let_go(desc);
    } else {
        /* not the whole status: the thread of a handler that is being freed may have changed it */
        set_trigger(desc, trigger_before);
    }
    spin_unlock_irqrestore(&desc->lock, flags);
    return error;
}

/* Put it behind the others. If the line was switched off since nobody handled it, this may be who
 * does: it gets another chance. Locks: caller holds irq_control. */
static void install_behind(struct irq_desc *desc, struct irq_action *action)
{
    struct irq_action *last = desc->actions;
    while (last->next != NULL)
        last = last->next;
    set_obstacle(desc, DESC_CHANGING);
    wait_for_handlers(desc);
    set_link(desc, &last->next, action);
    clear_obstacle(desc, DESC_CHANGING | DESC_STUCK);
}

static int install(struct irq_desc *desc, struct irq_action *action)
{
    int error = 0;
    spin_lock(&irq_control);
    if (desc->actions == NULL) {
        error = install_first(desc, action);
    } else {
        error = check_sharing(desc, action);
        if (error == 0)
            install_behind(desc, action);
    }
    spin_unlock(&irq_control);
    return error;
}

/* Returns: a copy of `action` that is installed, or NULL and *error. */
static int add_action(const struct irq_action *wanted)
{
    struct irq_action *action = heap_alloc(sizeof(*action), ALLOC_KERNEL);
    if (action == NULL)
        return -ENOMEM;
    *action = *wanted;
    if (action->handler == NULL)
        action->handler = wake_only;
    int error = action->thread_fn != NULL ? start_thread(action) : 0;
    if (error != 0)
        goto out_free;
    error = install(action->desc, action);
    if (error == 0)
        return 0;
    stop_thread(action);
out_free:
    heap_free(action);
    return error;
}

int request_threaded_irq(uint32_t irq, irq_handler *handler, irq_handler *thread_fn, unsigned flags,
                         const char *name, void *dev)
{
    ASSERT_THREAD();
    ASSERT_IRQS_ON();
    if (thread_fn != NULL)
        might_sleep();
    if (irq >= irq_count || irq_descs[irq].doorbell != NULL)
        return -EINVAL;
    struct irq_desc *desc = device_desc(irq);
    if (desc == NULL)
        return -ENODEV;
    struct irq_action action = {.handler = handler,
                                .thread_fn = thread_fn,
                                .dev = dev,
                                .name = name,
                                .flags = flags,
                                .desc = desc};
    int error = check_request(desc, &action, name);
    return error == 0 ? add_action(&action) : error;
}

int request_irq(uint32_t irq, irq_handler *handler, unsigned flags, const char *name, void *dev)
{
    return request_threaded_irq(irq, handler, NULL, flags, name, dev);
}

/* ---- and their end --------------------------------------------------------------------------- */

/* Take the action of `dev` out of the chain. Locks: caller holds irq_control. */
static struct irq_action *uninstall(struct irq_desc *desc, const void *dev)
{
    struct irq_action **place = &desc->actions;
    while (*place != NULL && (*place)->dev != dev)
        place = &(*place)->next;
    struct irq_action *action = *place;
    if (action == NULL)
        return NULL;
    bool last = desc->actions == action && action->next == NULL;
    set_obstacle(desc, last ? DESC_NO_HANDLER : DESC_CHANGING);
    wait_for_handlers(desc);
    set_link(desc, place, action->next);
    if (last)
        irq_drop_vector(desc);
    else
        clear_obstacle(desc, DESC_CHANGING);
    return action;
}

int free_irq(uint32_t irq, void *dev)
{
    ASSERT_THREAD();
    ASSERT_IRQS_ON();
    struct irq_desc *desc = device_desc(irq);
    if (desc == NULL)
        return -EINVAL;
    spin_lock(&irq_control);
    struct irq_action *action = uninstall(desc, dev);
    spin_unlock(&irq_control);
    if (action == NULL)
        return -ENOENT;
    stop_thread(action);
    heap_free(action);
    return 0;
}

/* ---- holding back ---------------------------------------------------------------------------- */

void disable_irq_nosync(uint32_t irq)
{
    struct irq_desc *desc = device_desc(irq);
    if (desc == NULL)
        return;
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    desc->depth++;
    desc->status |= DESC_DISABLED;
    irq_update_mask(desc);
    spin_unlock_irqrestore(&desc->lock, flags);
}

void disable_irq(uint32_t irq)
{
    ASSERT_THREAD();
    struct irq_desc *desc = device_desc(irq);
    disable_irq_nosync(irq);
    if (desc == NULL)
        return;
    wait_for_handlers(desc);
    if (!threads_are_done(desc))
        irq_thread_hooks->wait(threads_are_done, desc);
}

void enable_irq(uint32_t irq)
{
    struct irq_desc *desc = device_desc(irq);
    if (desc == NULL)
        return;
    uint64_t flags = spin_lock_irqsave(&desc->lock);
    if (desc->depth == 0) {
        log_warn("irq %u: enabled once more than it was disabled", irq);
    } else if (--desc->depth == 0) {
        desc->status &= ~(uint32_t)DESC_DISABLED;
        irq_let_go(desc);
    }
    spin_unlock_irqrestore(&desc->lock, flags);
}
