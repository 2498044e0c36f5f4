/* SPDX-License-Identifier: MIT */
/*
 * Taking a vector away from its owner and giving it to the next one, while others ring.
 *
 * SENDERS cores ring one vector of one core; a remover takes it from owner 1 and registers it for
 * owner 2. One target stands for all: what the remover does to one core's table has nothing to do
 * with what it does to another's. So a claim, which one table holds, is removed as a registration
 * is, which all of them hold. How interrupts fold and get lost is in ring.pml; here an ICR write
 * sets the IRR bit.
 *
 * x86 keeps a core's plain stores back in a store buffer, and later loads overtake them; a locked
 * instruction and xchg wait until the buffer is empty. The sequentially consistent steps S1, R1,
 * H1 and R4 are locked or xchg, and go to memory at once here. The bugs *_PLAIN make them plain
 * stores: they wait in a buffer until the process `buffers` or a locked instruction lets them out.
 *
 * Properties
 *     a handler runs only while its owner's irq is in use (between registration and R6);
 *     it gets no ring that was sent to another owner;
 *     when the removal has returned, all rings of that owner that succeeded were taken;
 *     the removal returns, and at rest all rings of the next owner were taken, too.
 *
 * Steps
 *     S1  send_begin         src/smp/ipi.c
 *     S2  add_ring           src/smp/ipi.c
 *     S3  add_ring           src/smp/ipi.c
 *     S4  ring_one           src/smp/ipi.c
 *     S5  send_end           src/smp/ipi.c
 *     H1  irq_dispatch       src/irq/doorbell.c
 *     H2  irq_dispatch       src/irq/doorbell.c
 *     H3  deliver            src/irq/doorbell.c
 *     H4  deliver            src/irq/doorbell.c
 *     H5  irq_dispatch       src/irq/doorbell.c
 *     R1  remove_from        src/smp/ipi.c
 *     R2  remove_from        src/smp/ipi.c
 *     R3  remove_from        src/smp/ipi.c
 *     R4  remove_from        src/smp/ipi.c
 *     R5  remove_from        src/smp/ipi.c
 *     R6  free_vector        src/smp/ipi.c
 *
 * Bugs
 *     BUG_NO_R1         the vector is not marked before the waits
 *     BUG_NO_R2         nobody waits for senders between S1 and S5
 *     BUG_NO_R3         nobody waits until the rings are taken
 *     BUG_NO_R5         nobody waits for handlers between H1 and H5
 *     BUG_R3_BEFORE_R2  the rings are waited for first, then the senders
 *     BUG_S1_PLAIN      S1 may stay in the store buffer while S2 loads
 *     BUG_R1_PLAIN      R1 may stay in the store buffer while R2 loads
 *     BUG_H1_PLAIN      H1 may stay in the store buffer while H2 loads
 *     BUG_R4_PLAIN      R4 may stay in the store buffer while R5 loads
 */
#define SENDERS 2
#define TRIES   2

#define FREE     0 /* `irq`: FREE or the owner, */
#define REMOVING 4 /* perhaps with this */
#define OWNER(irq) ((irq) & 3)

byte irq = 1;
byte pending;
bit irr;
byte sending[SENDERS]; /* odd: between S1 and S5 */
byte handling;         /* odd: between H1 and H5 */

/* store buffers: each holds at most the one store that a bug leaves there */
bit s1_waits[SENDERS];
bit h1_waits;
bit irq_waits;
byte irq_later;

/* what the properties speak of, by owner */
bool freed[3]; /* R6 has been done */
byte rings_of[3]; /* whose rings are in `pending` */
byte accepted[3], taken[3];
bool removed;

active [SENDERS] proctype sender()
{
    byte i, seen;
    for (i : 1 .. TRIES) {
#if defined(BUG_S1_PLAIN)
        s1_waits[_pid] = 1; /* S1 */
#else
        sending[_pid]++; /* S1 */
#endif
        seen = irq; /* S2 */
        if
        :: seen != FREE && (seen & REMOVING) == 0 ->
            /* S3: a locked add, so the buffer is empty first */
            d_step {
                s1_waits[_pid] == 0 ->
                pending++;
                rings_of[OWNER(seen)]++;
                accepted[OWNER(seen)]++
            }
            irr = 1 /* S4 */
        :: else /* -ENOENT */
        fi;
        d_step { s1_waits[_pid] == 0 -> sending[_pid]++; seen = 0 } /* S5 */
    }
}

active proctype core()
{
    byte seen, n, n1, n2;
end:
    do
    :: d_step { irr == 1 -> irr = 0 } /* the CPU takes the vector */
#if defined(BUG_H1_PLAIN)
        h1_waits = 1; /* H1 */
#else
        handling++; /* H1 */
#endif
        seen = OWNER(irq); /* H2 */
        if
        :: seen == FREE
        :: else ->
            /* H3: xchg, so the buffer is empty first */
            d_step {
                h1_waits == 0 ->
                n = pending; n1 = rings_of[1]; n2 = rings_of[2];
                pending = 0; rings_of[1] = 0; rings_of[2] = 0
            }
            if
            :: n == 0
            :: else -> /* H4, which takes its time */
                assert(!freed[seen]);
                d_step {
                    assert(!freed[seen]);
                    assert(seen == 1 -> n2 == 0 : n1 == 0);
                    taken[seen] = taken[seen] + n
                }
            fi
        fi;
        d_step { h1_waits == 0 -> handling++; seen = 0; n = 0; n1 = 0; n2 = 0 } /* H5 */
    od
}

/* Wait until `counter` has been even since now. */
inline wait_until_even(counter)
{
    seen = counter;
    (seen % 2 == 0 || counter != seen);
    seen = 0
}

inline wait_until_taken()
{
    pending == 0
}

inline wait_for_senders()
{
    for (i : 0 .. SENDERS - 1) {
        wait_until_even(sending[i])
    }
}

active proctype remover()
{
    byte i, seen;
#if defined(BUG_R1_PLAIN)
    d_step { irq_waits = 1; irq_later = 1 | REMOVING } /* R1 */
#elif !defined(BUG_NO_R1)
    irq = 1 | REMOVING; /* R1 */
#endif
#if defined(BUG_R3_BEFORE_R2)
    wait_until_taken(); /* R3 */
    wait_for_senders(); /* R2 */
#else
#if !defined(BUG_NO_R2)
    wait_for_senders(); /* R2 */
#endif
#if !defined(BUG_NO_R3)
    wait_until_taken(); /* R3 */
#endif
#endif
    irq_waits == 0;
#if defined(BUG_R4_PLAIN)
    d_step { irq_waits = 1; irq_later = FREE } /* R4 */
#else
    irq = FREE; /* R4 */
#endif
#if !defined(BUG_NO_R5)
    wait_until_even(handling); /* R5 */
#endif
    d_step { irq_waits == 0 -> freed[1] = true } /* R6: doorbell_free() takes a lock, by xchg */
    assert(taken[1] == accepted[1]); /* ipi_unregister() returns */
    irq = 2; /* ipi_register() for the next owner */
    removed = true
}

#if defined(BUG_S1_PLAIN) || defined(BUG_R1_PLAIN) || defined(BUG_H1_PLAIN) || defined(BUG_R4_PLAIN)
active proctype buffers()
{
end:
    do
    :: d_step { s1_waits[0] == 1 -> s1_waits[0] = 0; sending[0]++ }
    :: d_step { s1_waits[1] == 1 -> s1_waits[1] = 0; sending[1]++ }
    :: d_step { h1_waits == 1 -> h1_waits = 0; handling++ }
    :: d_step { irq_waits == 1 -> irq_waits = 0; irq = irq_later }
    od
}
#endif

active proctype rest()
{
    timeout; /* nothing else can happen any more */
    assert(removed);
    assert(pending == 0);
    assert(taken[1] == accepted[1] && taken[2] == accepted[2])
}
