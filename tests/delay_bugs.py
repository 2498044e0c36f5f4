# SPDX-License-Identifier: MIT
"""The bugs of the models in models/, as changes of the C source.

Where a bug makes one step two, the delay point of that step comes between them. A store that stays
in a store buffer while a later load overtakes it is written as what comes of it: the store after the
load. A walk of the page tables that the CPU may do ahead of time is written as a copy.
"""

from dataclasses import dataclass


@dataclass
class Bug:
    """A bug of a model, put back into the kernel, and what the delay test says then."""

    model: str
    name: str  # without BUG_
    changes: tuple  # of (file, text before, text after)
    says: str  # regular expression for one of its comment lines
    every_time: bool = False  # in `make test`, one of each model; the others in the long run


IPI, IRQ, CALL, LOG = "src/smp/ipi.c", "src/irq/doorbell.c", "src/smp/call.c", "src/lib/log.c"
SCHED, THREAD, WAIT = "src/sched/sched.c", "src/sched/thread.c", "src/sched/wait.c"
TLB, SPACE = "src/smp/tlb.c", "src/vm/space.c"

ADD = """    delay_at(DELAY_S3);
    /* step S3; release: what the caller wrote before the ring is seen by the handler (doorbell.c,
     * deliver) */
    atomic_fetch_add_explicit(&slot->pending, 1, memory_order_release);
"""
ICR = """        delay_at(DELAY_S4);
        result = arch_ipi_send_irqs_off(cpu, (uint8_t)vector); /* step S4 */
"""
TAKE = "count = atomic_exchange_explicit(&slot->pending, 0, memory_order_acquire);\n"
SENDING = "    this_cpu_inc(ipi_sending); /* step S1; seq_cst: see the head of this file */\n"
SEES_IRQ = """    uint32_t irq = atomic_load_explicit(&slot->irq, memory_order_seq_cst); /* step S2 */
"""
HANDLING = """    /* step H1; seq_cst: either the remover sees us inside, or we see that it took the entry away */
    this_cpu_inc(irq_handling);
"""
H2 = """    uint32_t irq = atomic_load_explicit(&slot->irq, memory_order_acquire); /* step H2 */
"""

R1 = """    cpumask_for_each (cpu, mask) /* step R1 */
        atomic_store_explicit(&irq_slot(cpu, vector)->irq, uses[vector].irq | IRQ_REMOVING,
                              memory_order_seq_cst);
"""
R2 = """    cpumask_for_each (cpu, &smp_online) /* step R2 */
        wait_until_even(cpu, percpu_of(cpu, ipi_sending), "finish a ring");
"""
R3 = """    cpumask_for_each (cpu, mask) /* step R3 */
        wait_until_taken(cpu, vector);
"""
R4 = """    cpumask_for_each (cpu, mask) /* step R4 */
        atomic_store_explicit(&irq_slot(cpu, vector)->irq, IRQ_FREE, memory_order_seq_cst);
"""
R5 = """    cpumask_for_each (cpu, mask) /* step R5 */
        wait_until_even(cpu, percpu_of(cpu, irq_handling), "leave a handler");
"""


WAITS = "static void wait_until_taken("
UNUSED = "__attribute__((unused)) "


def between(step):
    return f"    delay_at(DELAY_{step});\n"


NOT_TAKEN = r"# delay-ring: \d+ rings to be taken, \d+ were"
RING = [
    Bug("ring", "ICR_FIRST", ((IPI, ADD, ""), (IPI, ICR, ICR + between("S3") + """
        atomic_fetch_add_explicit(&irq_slot(cpu, vector)->pending, 1, memory_order_release);
""")), NOT_TAKEN, every_time=True),
    Bug("ring", "ADD_IN_TWO", ((IPI, ADD, """
    uint64_t seen = atomic_load_explicit(&slot->pending, memory_order_relaxed);
    delay_at(DELAY_S3);
    atomic_store_explicit(&slot->pending, seen + 1, memory_order_release);
"""),), NOT_TAKEN),
    Bug("ring", "LOAD_THEN_CLEAR", ((IRQ, TAKE, """
        count = atomic_load_explicit(&slot->pending, memory_order_acquire);
        delay_at(DELAY_H3);
        atomic_store_explicit(&slot->pending, 0, memory_order_relaxed);
"""),), NOT_TAKEN),
    Bug("ring", "TAKE_ONE", ((IRQ, TAKE, """
        count = atomic_load_explicit(&slot->pending, memory_order_acquire) != 0;
        atomic_fetch_sub_explicit(&slot->pending, count, memory_order_acquire);
"""),), NOT_TAKEN),
    Bug("ring", "NO_SCAN", (("src/smp/scan.c", "        ipi_kick_pending();\n", "        (void)0;\n"),),
        "# delay-ring: a ring that got no interrupt was not found"),
]

# Who gets a ring that a removal left behind: nobody, or an owner to come.
LEFT = (r"# delay-removal: (owner \d+: \d+ rings were left behind (by the removal|after it)"
        r"|\d+ rings succeeded, \d+ were taken)")
STRAY = r"# delay-removal: \d+ rings came to a handler whose time is over"
REMOVAL = [
    Bug("removal", "NO_R1", ((IPI, R1, ""),), LEFT),
    Bug("removal", "NO_R2", ((IPI, R2, ""),), LEFT, every_time=True),
    Bug("removal", "NO_R3", ((IPI, R3, ""), (IPI, WAITS, UNUSED + WAITS)), LEFT),
    Bug("removal", "NO_R5", ((IPI, R5, ""),), STRAY),
    Bug("removal", "R3_BEFORE_R2", ((IPI, R3, R2), (IPI, R2, R3)), LEFT),
    Bug("removal", "S1_PLAIN", ((IPI, SENDING, ""), (IPI, SEES_IRQ, SEES_IRQ + between("S1") + SENDING)),
        LEFT),
    Bug("removal", "R1_PLAIN", ((IPI, R1, R2), (IPI, R2, R1)), LEFT),
    Bug("removal", "H1_PLAIN", ((IRQ, HANDLING, ""), (IRQ, H2, H2 + between("H1") + HANDLING)), STRAY),
    Bug("removal", "R4_PLAIN", ((IPI, R4, R5), (IPI, R5, R4)), STRAY),
]

RING_IF_EMPTY = """    return old == NULL;
"""
CAS = """    } while (!atomic_compare_exchange_weak_explicit(head, &old, call, memory_order_release,
                                                    memory_order_relaxed));
"""
A3 = """        delay_at(DELAY_A3);
        list = call->next; /* step A3 */
        void (*fn)(void *) = call->fn;
        void *arg = call->arg;
"""
A4 = """        delay_at(DELAY_A4);
        /* step A4; release: from here on the memory is its owner's again */
        atomic_store_explicit(&call->busy, false, memory_order_release);
"""
NOT_RUN = r"# delay-inbox: (\d+ calls to be run, \d+ were|the numbers of the calls add up to .*)"
CIRCLE = r"panic: core \d+: the calls in the inbox of core \d+ go in a circle"
INBOX = [
    Bug("inbox", "TEST_BEFORE_PUSH", (
        (CALL, "    delay_at(DELAY_C1);\n", "    bool empty = atomic_load(head) == NULL;\n"
         "    delay_at(DELAY_C1);\n"),
        (CALL, RING_IF_EMPTY, "    return empty;\n")), NOT_RUN),
    Bug("inbox", "RING_FIRST", (
        (CALL, "    do {\n        call->next = old;\n", "    if (old == NULL)\n"
         "        (void)arch_ipi_send(cpu, ARCH_VECTOR_CALL);\n    do {\n        call->next = old;\n"),
        (CALL, RING_IF_EMPTY, "    return false;\n")), NOT_RUN),
    Bug("inbox", "PUSH_IN_TWO", ((CALL, CAS, """
        atomic_store_explicit(head, call, memory_order_release);
    } while (false);
"""),), f"{NOT_RUN}|{CIRCLE}"),
    Bug("inbox", "TAKE_IN_TWO", ((CALL, """
        reverse(atomic_exchange_explicit(this_cpu_ptr(inbox), NULL, memory_order_acquire));
""", """
        atomic_load_explicit(this_cpu_ptr(inbox), memory_order_acquire);
    delay_at(DELAY_A2);
    atomic_store_explicit(this_cpu_ptr(inbox), NULL, memory_order_relaxed);
    list = reverse(list);
"""),), NOT_RUN),
    Bug("inbox", "BUSY_FIRST", ((CALL, A3, A4), (CALL, A4, A3)), f"{NOT_RUN}|{CIRCLE}"),
    Bug("inbox", "DONE_FIRST", (
        (CALL, "    call->fn(call->arg);\n", "    void (*fn)(void *) = call->fn;\n"
         "    void *argument = call->arg;\n"),
        (CALL, "    atomic_store_explicit(&call->done, true, memory_order_release);\n",
         "    atomic_store_explicit(&call->done, true, memory_order_release);\n"
         "    delay_at(DELAY_A5);\n    fn(argument);\n")),
        r"# delay-inbox: \d+ calls had not run when they were done", every_time=True),
]

MARKS = "static void mark_skipped("
END = r"# delay-log: the log cannot be read to its end"
TORN = r"# delay-log: (a torn line: .*|core \d+: line \d+ came after line \d+)"
SHORT = r"# delay-log: \d+ lines written, \d+ read, \d+ missed"
LOGS = [
    Bug("log", "CLAIM_IN_TWO", ((LOG, """
    } while (!atomic_compare_exchange_weak_explicit(&log_head, &claim, claim + ONE_LINE + count,
                                                    memory_order_relaxed, memory_order_relaxed));
""", """
        delay_at(DELAY_LOG_W1);
        atomic_store_explicit(&log_head, claim + ONE_LINE + count, memory_order_relaxed);
    } while (false);
"""),), SHORT),
    Bug("log", "TAKE_BUSY", ((LOG, "        if ((seen & STAGE_MASK) == STAGE_BUSY) {\n",
                              "        if (false) {\n"),), f"{TORN}|{END}"),
    Bug("log", "NO_SKIP_MARK", ((LOG, "            mark_skipped(slot, position);\n", ""),
                                (LOG, MARKS, UNUSED + MARKS)),
        END),
    Bug("log", "PUBLISH_FIRST", ((LOG, "        fill_slot(slot, &fragment);\n",
                                  "        publish(slot, position);\n"
                                  "        fill_slot(slot, &fragment);\n"),), f"{TORN}|{SHORT}"),
    Bug("log", "FIRST_SLOT_FIRST", ((LOG, """
        if (i == 0)
            first_taken = true;
        else
            publish(slot, position);
""", """
        publish(slot, position);
"""),), SHORT, every_time=True),
    Bug("log", "NO_R4", ((LOG, """
    return atomic_load_explicit(&slot->state, memory_order_relaxed) ==
           state_of(position, STAGE_DONE);
""", """
    return true;
"""),), TORN),
]

SET_BIT = """    delay_at(DELAY_I2);
    cpumask_set(&idle_cores, arch_cpu()); /* step I2 */
"""
LOOK = """    if (waiting_in(this_cpu_ptr(run_queue)) == 0 && !steal()) { /* step I3 */
"""
SET_AFTER_LOOK = ((SCHED, SET_BIT, ""), (SCHED, LOOK, """
    bool found = waiting_in(this_cpu_ptr(run_queue)) != 0 || steal();
    delay_at(DELAY_I3); /* between the two, as where they belong */
""" + SET_BIT + """
    if (!found) {
"""))
HELP = """        notify(helper); /* step P4 */
"""
NOT_ALL_RUN = r"# delay-idle: round \d+: \d+ threads made ready, \d+ run"
IDLE = [
    Bug("idle", "LOOK_FIRST", SET_AFTER_LOOK, NOT_ALL_RUN, every_time=True),
    Bug("idle", "NO_FENCE", SET_AFTER_LOOK, NOT_ALL_RUN),
    Bug("idle", "NO_HELPER", ((SCHED, HELP, "        (void)helper;\n"),), NOT_ALL_RUN),
]

LEAVE_FOR = """    if (queue_of(thread) != queue)
        leave_for(thread, cpu);
"""
LOCK_NEW = """    ASSERT(thread->state == THREAD_READY && queue->current != thread);
"""
LEAVING = "static void leave_for("
LOOK_AGAIN = """        if (queue_of(thread) == queue) /* step L3 */
"""
FIRST_CORE = """    atomic_init(&thread->cpu, arch_cpu());
"""
SETTLED = """        if (thread->state != THREAD_READY || thread->queued || queue->current == thread)
"""
OFF_CORE = """    bool off_core = blocked && queue->current != thread;
"""
JOIN = """        join_queue(queue, &waiter);
"""
ASK = """        done = ready(arg); /* step B2 */
"""
BROKEN = r"panic: core \d+: src/sched/sched\.c:\d+: broken invariant: "
NOT_ALONE = BROKEN + (r"((thread->state == THREAD_READY && queue|left)->current != thread"
                      r"|!thread->queued)")
NOT_HERE = BROKEN + r"thread->queued && queue_of\(thread\) == queue"
QUEUE = [
    Bug("queue", "OTHER_LOCK", (
        (SCHED, LEAVE_FOR, ""), (SCHED, LEAVING, UNUSED + LEAVING),
        (SCHED, LOCK_NEW, "    atomic_store_explicit(&thread->cpu, cpu, memory_order_relaxed);\n"
         + LOCK_NEW)), f"{NOT_HERE}|{NOT_ALONE}", every_time=True),
    Bug("queue", "NO_L3", ((SCHED, LOOK_AGAIN, "        if (true)\n"),), f"{NOT_HERE}|{NOT_ALONE}"),
    Bug("queue", "START", (
        (THREAD, FIRST_CORE, ""),
        (THREAD, "    sched_place(thread);\n", FIRST_CORE + "    sched_place(thread);\n")), NOT_HERE),
    Bug("queue", "UNSETTLED", ((SCHED, SETTLED, "        if (true)\n"),),
        BROKEN + r"cpumask_test\(&affinity, cpu\)"),
    Bug("queue", "NOT_OFF_CORE", ((SCHED, OFF_CORE, "    bool off_core = blocked;\n"),), NOT_ALONE),
    Bug("queue", "LOOK_FIRST", ((WAIT, JOIN, ""), (WAIT, ASK, ASK + JOIN)),
        r"# delay-queue: of \d+ wake-ups, \d+ were seen"),
]

SET_CORE = """    if (to != &tlb_kernel)
        cpumask_set(&to->cores, arch_cpu()); /* step U1 */
"""
LOAD = """    load(to); /* step U2 */
"""
CLEAR_CORE = """    delay_at(DELAY_U3);
    if (from != &tlb_kernel)
        cpumask_clear(&from->cores, arch_cpu()); /* step U3 */
"""
WALK = """    char byte;
    (void)arch_copy_user(&byte, (const void *)0x10000000, 1);
"""
TAKE_PAGES = """    delay_at(DELAY_F1);
    /* step F1 */
    size_t count = arch_pages_take(space->tlb.root, va, end, frames, FRAMES_AT_ONCE);
"""
FLUSH = """    if (count > 0)
        tlb_flush(&space->tlb, start, *va);
"""
LOOK_AT_CORES = """    struct tlb_space seen = {.root = space->tlb.root};
    cpumask_copy(&seen.cores, &space->tlb.cores);
"""
FREE_FRAMES = """    delay_at(DELAY_F5);
    for (size_t i = 0; i < count; i++)
        page_free(frames[i], 0); /* step F5 */
"""
SELF = """    if (cpumask_test_and_clear(&others, arch_cpu())) /* step F4 */
        flush_here(&flush);
"""
CALL_OTHERS = """    if (cpumask_next(&others, 0) != CPU_NONE)
        (void)call_on_many(&others, flush_as_asked, &flush);
"""
WAIT_UNUSED = """        while (cpumask_test(&space->cores, cpu))
            core_wait_turn(&wait, cpu, "leave an address space");
"""
FREE_FRAME = r"# delay-shootdown: \d+ reads of a frame that was free"
STILL_USED = r"panic: core \d+: core \d+ still uses the address space that is to be freed"
OWN = r"# delay-shootdown: who took the page away can still read it"
BIT_AFTER_WALK = ((TLB, SET_CORE, ""), (TLB, LOAD, LOAD + WALK + between("U1") + SET_CORE))
SHOOTDOWN = [
    Bug("shootdown", "U1_LATE", BIT_AFTER_WALK, FREE_FRAME),
    Bug("shootdown", "U1_PLAIN", BIT_AFTER_WALK, FREE_FRAME),
    Bug("shootdown", "U3_FIRST", ((TLB, CLEAR_CORE, ""), (TLB, between("U2") + LOAD,
                                                          CLEAR_CORE + between("U2") + LOAD)),
        STILL_USED),
    Bug("shootdown", "NO_F2", ((SPACE, TAKE_PAGES, LOOK_AT_CORES + TAKE_PAGES),
                               (SPACE, FLUSH, FLUSH.replace("space->tlb", "seen"))), FREE_FRAME),
    Bug("shootdown", "NO_SELF", ((TLB, SELF, "    (void)cpumask_test_and_clear(&others, arch_cpu());\n"),),
        OWN),
    Bug("shootdown", "NO_CALL", ((TLB, CALL_OTHERS, "    (void)flush_as_asked;\n"),), FREE_FRAME,
        every_time=True),
    Bug("shootdown", "F5_FIRST", ((SPACE, FLUSH, FREE_FRAMES), (SPACE, FREE_FRAMES, FLUSH)),
        FREE_FRAME),
    Bug("shootdown", "NO_E1", ((TLB, WAIT_UNUSED, "        (void)wait;\n"),), STILL_USED),
]

FLOW, AFFINITY = "src/irq/flow.c", "src/irq/affinity.c"
M1_OLD = """    bind(desc, between); /* step M1 */
"""
M2_VECTOR = """        route(desc, between); /* step M2 */
"""
M2_CORE = """    route(desc, to); /* step M2 */
"""
M3_LANDED = """     * finds the vector free, and is counted as missed */
    if (!wait_until_landed(desc))
"""
M3_IRR = """    while (waits_at(at))
"""
KEPT = """        desc->status |= DESC_PENDING;
"""
IN_PROGRESS = """    desc->status = (desc->status & ~(uint32_t)DESC_PENDING) | DESC_IN_PROGRESS;
"""
EDGE_LOST = "# delay-move: an interrupt was lost"
NO_MEANING = r"# delay-move: \d+ interrupts came to where they meant nothing"
MOVE = [
    Bug("move", "MASKED", ((AFFINITY, M2_VECTOR, "        desc->chip->route(desc, to.cpu, to.vector);\n"
                            "    desc->chip->mask(desc, true);\n"),
                           (AFFINITY, M2_CORE, M2_CORE + "    desc->chip->mask(desc, false);\n")),
        EDGE_LOST),
    Bug("move", "NO_M1_OLD", ((AFFINITY, M1_OLD, ""),), NO_MEANING),
    Bug("move", "DESTINATION_FIRST", (
        (AFFINITY, M2_VECTOR, "        route(desc, (struct place){to.cpu, from.vector});\n"),),
        NO_MEANING),
    Bug("move", "NO_M3", ((AFFINITY, M3_LANDED, M3_LANDED.replace("!wait_until_landed(desc)", "false")),
                          (AFFINITY, M3_IRR, "    while (false && waits_at(at))\n")), NO_MEANING,
        every_time=True),
    Bug("move", "NO_PENDING", ((FLOW, KEPT, ""),), EDGE_LOST),
    Bug("move", "NO_IN_PROGRESS", ((FLOW, IN_PROGRESS, """
    desc->status &= ~(uint32_t)DESC_PENDING;
"""),), "# delay-move: two cores were in the handler at once"),
]

TRAP = "src/arch/x86_64/trap.c"
N1 = """    delay_at(DELAY_N1);
    /* step N1 */
    if (atomic_exchange_explicit(percpu_of(cpu, nmi_asked), fn, memory_order_release) != NULL)
        return 0;
"""
N2 = """    delay_at(DELAY_N2);
    int error = arch_ipi_send_nmi(cpu); /* step N2 */
"""
N3 = """        atomic_exchange_explicit(this_cpu_ptr(nmi_asked), NULL, memory_order_acquire);
"""
ANSWER = """        asked(frame);
        return;
"""
FROM_OUTSIDE = r"# delay-nmi: \d+ NMIs were taken for such from outside"
NMI = [
    Bug("nmi", "SEND_FIRST", ((TRAP, N1, ""), (TRAP, N2, N2 + N1.replace(
        "return 0", "return error"))), FROM_OUTSIDE),
    Bug("nmi", "ALWAYS_SEND", ((TRAP, "release) != NULL)\n        return 0;\n", "release) != NULL)\n"
                                "        return arch_ipi_send_nmi(cpu);\n"),), FROM_OUTSIDE),
    Bug("nmi", "CLEAR_LATE", (
        (TRAP, N3, "        atomic_load_explicit(this_cpu_ptr(nmi_asked), memory_order_acquire);\n"),
        (TRAP, ANSWER, "        asked(frame);\n        atomic_store_explicit("
                       "this_cpu_ptr(nmi_asked), NULL, memory_order_relaxed);\n        return;\n")),
        "# delay-nmi: a question was not answered", every_time=True),
]

BUGS = [*RING, *REMOVAL, *INBOX, *LOGS, *IDLE, *QUEUE, *SHOOTDOWN, *MOVE, *NMI]
