/* SPDX-License-Identifier: MIT */
/*
 * A device's interrupt that moves from core 0 to core 1 while edges come.
 *
 * The device raises EDGES edges; the I/O APIC makes a message of each, to the vector and the core that
 * its entry names at that moment, and sends it later (delivery status). A Local APIC keeps one request
 * for each vector, so that edges fold. A core that takes one looks into its vector table, which nothing
 * else of that core comes in between of: a core that is called answers before or after. The irq has
 * vector OLD on core 0; on core 1 that number is another's, so it also changes to NEW.
 *
 * Properties
 *     every edge is seen by a handler that begins after it;
 *     no interrupt comes to a vector that does not mean the irq on its core;
 *     two cores are never in the handler at once.
 *
 * Steps
 *     M1  move_edge  src/irq/affinity.c
 *     M2  move_edge  src/irq/affinity.c
 *     M3  move_edge  src/irq/affinity.c
 *     M4  unbind     src/irq/affinity.c
 *
 * Bugs
 *     BUG_MASKED              the entry is masked while it is written
 *     BUG_NO_M1_OLD           NEW is bound on core 1 alone
 *     BUG_DESTINATION_FIRST   M2: the destination is written before the vector
 *     BUG_NO_M3               the old core's entries are freed at once
 *     BUG_NO_PENDING          an edge that finds a core in the handler is not kept
 *     BUG_NO_IN_PROGRESS      a core does not look whether another one is in the handler
 */
#define EDGES 3
#define OLD 0
#define NEW 1
#define SLOT(core, vector) ((core) * 2 + (vector))

bool bound[4] = { true, false, false, false }; /* the vector tables: SLOT(0, OLD) at first */
byte entry_vector = OLD, entry_core;
bool masked;
bool on_way;             /* a message that the I/O APIC has not sent yet, */
byte way_slot;           /* and where it goes */
bool irr[4];
bool looking[2];         /* the core is between its Local APIC and its vector table */
bool in_progress, pending;

byte raised, seen, inside; /* edges that came; of which a handler knows; cores in the handler */
bool moved;

active proctype device()
{
    do
    :: raised < EDGES ->
        d_step {
            !on_way -> raised++;
            if
            :: masked /* an edge at a masked input is lost */
            :: else -> on_way = true; way_slot = SLOT(entry_core, entry_vector)
            fi
        };
    :: raised == EDGES -> break
    od
}

active proctype ioapic()
{
end:
    do
    :: d_step { on_way -> irr[way_slot] = true; on_way = false; way_slot = 0 }
    od
}

inline handle()
{
    do
    :: true ->
        d_step { inside++; knows = raised; assert(inside == 1) };
        d_step { inside--; if :: knows > seen -> seen = knows :: else fi; knows = 0 };
        if
        :: d_step { pending -> pending = false }
        :: d_step { !pending -> in_progress = false }; break
        fi
    od
}

inline take(vector)
{
    d_step { irr[SLOT(me, vector)] -> irr[SLOT(me, vector)] = false; looking[me] = true };
    assert(bound[SLOT(me, vector)]);
    looking[me] = false;
#if defined(BUG_NO_IN_PROGRESS)
    handle()
#else
    if
#if defined(BUG_NO_PENDING)
    :: in_progress
#else
    :: d_step { in_progress -> pending = true }
#endif
    :: d_step { !in_progress -> in_progress = true }; handle()
    fi
#endif
}

active [2] proctype core()
{
    byte me = _pid - 2, knows; /* behind device and ioapic */
end:
    do
    :: irr[SLOT(me, OLD)] -> take(OLD)
    :: irr[SLOT(me, NEW)] -> take(NEW)
    od
}

/* The old core, asked by a call for its IRR. */
inline unbind(vector)
{
#if !defined(BUG_NO_M3)
    !looking[0] && !irr[SLOT(0, vector)];
#endif
    bound[SLOT(0, vector)] = false /* M4 */
}

active proctype mover()
{
    bound[SLOT(1, NEW)] = true; /* M1 */
#if !defined(BUG_NO_M1_OLD)
    bound[SLOT(0, NEW)] = true; /* M1 */
#endif
#if defined(BUG_MASKED)
    masked = true;
#endif
#if defined(BUG_DESTINATION_FIRST)
    entry_core = 1; /* M2 */
    entry_vector = NEW; /* M2 */
#else
    entry_vector = NEW; /* M2 */
    entry_core = 1; /* M2 */
#endif
#if defined(BUG_MASKED)
    masked = false;
#endif
#if !defined(BUG_NO_M3)
    !on_way; /* M3 */
#endif
    unbind(OLD);
    unbind(NEW);
    moved = true
}

active proctype rest()
{
    timeout -> /* nothing else can happen any more */
    assert(moved && seen == EDGES)
}
