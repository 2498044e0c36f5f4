// SPDX-License-Identifier: MIT
/*
 * The table of all processes, who is whose child, and how one ends.
 *
 * Each CHAIN_NUMBERS numbers share a chain, which has its processes by rising number. So to find
 * one, or the next one, is a few steps however many there are: a listing of /proc asks for each.
 *
 * A process that has ended stays in the table, without its memory and files, until its parent has
 * asked how; then the parent frees it. Without a parent it frees itself. A parent that ends leaves
 * its children without one.
 */
#include "proc/process.h"

#include "fs/fd.h"
#include "fs/memfs.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/signal.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "net/queue.h"
#include "proc/process_internal.h"
#include "proc/shutdown.h"
#include "sched/claim.h"

enum {
    PID_MAX = 32767,
    CHAIN_NUMBERS = 32,
    CHAINS = (PID_MAX + 1) / CHAIN_NUMBERS,
};

static struct spinlock processes_lock = SPINLOCK(RANK_PROCESSES, "processes");
static struct process *chains[CHAINS];            /* L: processes_lock */
static _Atomic unsigned count;                    /* L: for changes */
static unsigned detached_count;                   /* L */
static int last_pid;                              /* L */
static _Atomic uint64_t started;                  /* L: for changes: also the last mark */
static DEFINE_PERCPU(struct process *, slot);     /* L: what exec_ap started there */
static struct wait_queue ends = WAIT_QUEUE(ends); /* init or a detached one has ended, shutdown */
static _Atomic enum shutdown shutdown_wanted;

static struct process *child_at(struct list_node *node)
{
    return list_entry(node, struct process, sibling);
}

unsigned process_count(void)
{
    return atomic_load_explicit(&count, memory_order_relaxed);
}

/* ---- numbers: caller holds processes_lock ---------------------------------------------------- */

/* The link, in its chain, to the first process from `pid` (0..PID_MAX) on. */
static struct process **link_from(int pid)
{
    struct process **link = &chains[pid / CHAIN_NUMBERS];
    while (*link != NULL && (*link)->pid < pid)
        link = &(*link)->next;
    return link;
}

static struct process *find(int pid)
{
    if (pid < 0 || pid > PID_MAX)
        return NULL;
    struct process *process = *link_from(pid);
    return process != NULL && process->pid == pid ? process : NULL;
}

static int free_pid(void)
{
    do
        last_pid = last_pid % PID_MAX + 1;
    while (find(last_pid) != NULL); /* ends: there are fewer processes than numbers */
    return last_pid;
}

int process_enlist(struct process *process, struct process *parent)
{
    int error = 0;
    spin_lock(&processes_lock);
    struct process **slot_there = process->slot == CPU_NONE ? NULL : percpu_of(process->slot, slot);
    if (slot_there != NULL && *slot_there != NULL) {
        error = -EBUSY;
    } else if (process_count() >= PROCESSES_MAX) {
        error = -ENOMEM;
    } else {
        process->pid = free_pid();
        process->mark = atomic_fetch_add_explicit(&started, 1, memory_order_relaxed) + 1;
        process->started_ns = arch_clock_ns();
        struct process **link = link_from(process->pid);
        process->next = *link;
        *link = process;
        atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
        if (slot_there != NULL)
            *slot_there = process;
        if (process->detached)
            detached_count++;
        process->parent = parent;
        if (parent != NULL)
            list_push_back(&parent->children, &process->sibling);
    }
    spin_unlock(&processes_lock);
    return error;
}

void process_begin(struct process *process)
{
    spin_lock(&processes_lock);
    process->has_started = true;
    spin_unlock(&processes_lock);
    thread_start(process->thread);
}

/* Take it out of everything; nobody finds it any more. Locks: caller holds processes_lock. */
static void delist(struct process *process)
{
    if (process->parent != NULL)
        list_remove(&process->sibling);
    *link_from(process->pid) = process->next;
    atomic_fetch_sub_explicit(&count, 1, memory_order_relaxed);
}

static void end_duties(struct process *process)
{
    if (process->slot != CPU_NONE && *percpu_of(process->slot, slot) == process)
        *percpu_of(process->slot, slot) = NULL;
    if (process->detached)
        detached_count--;
}

void process_delist(struct process *process)
{
    spin_lock(&processes_lock);
    end_duties(process);
    delist(process);
    spin_unlock(&processes_lock);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void drop_own(struct process *process)
{
    net_queue_close(process->frames);
    fd_table_put(process->files);
    memfs_node_put(process->cwd);
    struct space *space = process->space;
    process_change_begin();
    process->space = NULL;
    process_change_end();
    space_put(space);
}

void process_let_go(struct process *process)
{
    if (process->borrowed_from != NULL)
        thread_give_slice(process->borrowed_from);
    process->borrowed_from = NULL;
    /* release: what it did to the memory that it shared is seen by its parent */
    atomic_store_explicit(&process->has_let_go, true, memory_order_release);
    wake_all(&process->changed);
}

/* Its children have no parent any more; those that have ended go to the list `ended`. */
static void leave_children(struct process *process, struct list_node *ended)
{
    while (!list_is_empty(&process->children)) {
        struct process *child = child_at(process->children.next);
        list_remove(&child->sibling);
        child->parent = NULL;
        if (!child->has_ended)
            continue;
        delist(child);
        list_push_back(ended, &child->sibling);
    }
}

/* Free one that has ended and that nobody finds any more. */
static void bury(struct process *process)
{
    thread_join(process->thread);
    heap_free(process);
}

__attribute__((noreturn)) void process_finish(void)
{
    struct process *self = process_current();
    struct list_node ended = LIST_INIT(ended);
    claim_release_all(thread_current());
    drop_own(self);
    process_let_go(self);
    thread_current()->process = NULL;

    spin_lock(&processes_lock);
    leave_children(self, &ended);
    end_duties(self);
    self->has_ended = true;
    bool is_init = self->pid == PROCESS_INIT_PID, alone = self->parent == NULL && !is_init;
    if (alone)
        delist(self);
    else if (!is_init)
        wake_all(&self->parent->changed);
    if (is_init || self->detached)
        wake_all(&ends);
    spin_unlock(&processes_lock); /* from here on its parent may free it, unless it is alone */

    while (!list_is_empty(&ended)) {
        struct process *child = child_at(ended.next);
        list_remove(&child->sibling);
        bury(child);
    }
    if (alone) {
        thread_put(self->thread);
        heap_free(self);
    }
    thread_exit();
}

__attribute__((noreturn)) static void end_process(struct process_end end)
{
    process_current()->end = end;
    arch_user_exit();
}

void process_exit(int status)
{
    end_process((struct process_end){.by_signal = false, .value = status & 0xff});
}

void process_kill_self(int signal)
{
    end_process((struct process_end){.by_signal = true, .value = signal});
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct child_wait {
    struct process *parent;
    int pid;               /* -1: any */
    struct process *found; /* has ended, and is nobody else's any more */
    bool has_none;
};

/* Has one of the children ended? It is taken out then. */
static bool child_has_ended(void *arg)
{
    struct child_wait *wait = arg;
    wait->has_none = true;
    spin_lock(&processes_lock);
    for (struct list_node *node = wait->parent->children.next; node != &wait->parent->children;
         node = node->next) {
        struct process *child = child_at(node);
        if (wait->pid != -1 && wait->pid != child->pid)
            continue;
        wait->has_none = false;
        if (!child->has_ended)
            continue;
        delist(child);
        wait->found = child;
        break;
    }
    spin_unlock(&processes_lock);
    return wait->found != NULL || wait->has_none;
}

long process_wait(int pid, bool no_hang, struct process_end *end)
{
    struct child_wait wait = {.parent = process_current(), .pid = pid};
    if (!wait_for(&wait.parent->changed, child_has_ended, &wait, no_hang ? 0 : WAIT_FOR_EVER))
        return 0;
    if (wait.found == NULL)
        return -ECHILD;
    long number = wait.found->pid;
    *end = wait.found->end;
    bury(wait.found);
    return number;
}

/* ---- others ---------------------------------------------------------------------------------- */

struct thread *process_thread(int pid)
{
    struct thread *thread = NULL;
    if (pid == 0)
        return thread_get(thread_current());
    spin_lock(&processes_lock);
    const struct process *process = find(pid);
    if (process != NULL && process->has_started && !process->has_ended)
        thread = thread_get(process->thread);
    spin_unlock(&processes_lock);
    return thread;
}

int process_parent_pid(void)
{
    const struct process *self = process_current();
    if (self->pid == PROCESS_INIT_PID)
        return 0;
    spin_lock(&processes_lock);
    int pid = self->parent != NULL ? self->parent->pid : PROCESS_INIT_PID;
    spin_unlock(&processes_lock);
    return pid;
}

/* ---- for reports ----------------------------------------------------------------------------- */

void process_change_begin(void)
{
    spin_lock(&processes_lock);
}

void process_change_end(void)
{
    spin_unlock(&processes_lock);
}

uint64_t process_count_started(void)
{
    return atomic_load_explicit(&started, memory_order_relaxed);
}

uint64_t process_mark(int pid)
{
    spin_lock(&processes_lock);
    const struct process *process = find(pid);
    uint64_t mark = process != NULL ? process->mark : 0;
    spin_unlock(&processes_lock);
    return mark;
}

int process_newest(void)
{
    spin_lock(&processes_lock);
    int pid = last_pid;
    spin_unlock(&processes_lock);
    return pid;
}

int process_next(int from)
{
    if (from > PID_MAX)
        return -1;
    spin_lock(&processes_lock);
    const struct process *process = *link_from(from);
    for (int chain = from / CHAIN_NUMBERS + 1; process == NULL && chain < CHAINS; chain++)
        process = chains[chain];
    int pid = process != NULL ? process->pid : -1;
    spin_unlock(&processes_lock);
    return pid;
}

/* Locks: caller holds processes_lock. */
static void fill_report(const struct process *process, struct process_report *report)
{
    bool runs = process->has_started && !process->has_ended && process->space != NULL;
    *report = (struct process_report){
        .pid = process->pid,
        .parent = process->parent != NULL            ? process->parent->pid
                  : process->pid == PROCESS_INIT_PID ? 0
                                                     : PROCESS_INIT_PID,
        .has_ended = process->has_ended,
        .started_ns = process->started_ns,
        .thread = runs ? thread_get(process->thread) : NULL,
        .space = runs ? space_get(process->space) : NULL,
        .program = process->program,
    };
    memcpy(report->name, process->name, sizeof(report->name));
}

int process_report(int pid, struct process_report *report)
{
    spin_lock(&processes_lock);
    const struct process *process = find(pid);
    if (process != NULL)
        fill_report(process, report);
    spin_unlock(&processes_lock);
    return process != NULL ? 0 : -ESRCH;
}

void process_report_put(struct process_report *report)
{
    if (report->thread != NULL)
        thread_put(report->thread);
    space_put(report->space);
}

/* ---- the machine's end ----------------------------------------------------------------------- */

enum shutdown shutdown_requested(void)
{
    return atomic_load_explicit(&shutdown_wanted, memory_order_relaxed);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

void shutdown_request(enum shutdown how)
{
    struct wait_queue for_ever = WAIT_QUEUE(for_ever);
    struct process *self = process_current();
    atomic_store_explicit(&shutdown_wanted, how, memory_order_relaxed);
    spin_lock(&processes_lock);
    if (self->detached)
        detached_count--; /* it does not end, but nobody is to wait for it */
    self->detached = false;
    spin_unlock(&processes_lock);
    wake_all(&ends);
    (void)wait_for(&for_ever, never, NULL, WAIT_FOR_EVER);
    panic("the machine's end did not come");
}

static bool is_over(void *arg)
{
    const struct process *init = arg;
    spin_lock(&processes_lock);
    bool over = init->has_ended || shutdown_requested() != SHUTDOWN_NONE;
    spin_unlock(&processes_lock);
    return over;
}

void process_wait_init(struct process *init, struct process_end *end)
{
    (void)wait_for(&ends, is_over, init, WAIT_FOR_EVER);
    if (init->has_ended)
        *end = init->end;
}

static bool no_detached(void *arg)
{
    (void)arg;
    spin_lock(&processes_lock);
    bool none = detached_count == 0;
    spin_unlock(&processes_lock);
    return none;
}

bool process_wait_detached(uint64_t timeout_ns)
{
    return wait_for(&ends, no_detached, NULL, timeout_ns);
}
