/* SPDX-License-Identifier: MIT */
/*
 * Taking a page away from an address space that other cores use, and then freeing the space.
 *
 * CORES cores come into the space and leave it, TURNS times each, and touch its one page meanwhile.
 * One more core, which is in it as well, takes the page away, sees to it that all cores forget it,
 * and frees its frame; when nobody will come into the space any more, it frees the tables.
 *
 * The hardware: as long as a core's CR3 names the space (root), it may walk the tables at any moment,
 * whether a program asks for it or not, and keep what it finds in its TLB until the TLB is flushed
 * or CR3 loaded. A call on another core is one step, flush and answer, that the called core takes
 * when its interrupts are on (inbox.pml has the rest). Plain stores wait in a store buffer, so F1
 * does; U1 and U3 are locked instructions. The bug U1_PLAIN makes U1 wait as well.
 *
 * Properties
 *     nobody touches a frame that has been freed;
 *     no core walks tables that have been freed;
 *     the page is taken away, and the tables are freed, at last.
 *
 * Steps
 *     U1  tlb_switch       src/smp/tlb.c
 *     U2  tlb_switch       src/smp/tlb.c
 *     U3  tlb_switch       src/smp/tlb.c
 *     F1  unmap_some       src/vm/space.c
 *     F2  tlb_flush        src/smp/tlb.c
 *     F3  tlb_flush        src/smp/tlb.c
 *     F4  tlb_flush        src/smp/tlb.c
 *     F5  unmap_some       src/vm/space.c
 *     E1  tlb_wait_unused  src/smp/tlb.c
 *     E2  free_space       src/vm/space.c
 *
 * Bugs
 *     BUG_U1_LATE   U1 comes after U2
 *     BUG_U1_PLAIN  U1 may stay in the store buffer while the CPU walks
 *     BUG_U3_FIRST  U3 comes before U2
 *     BUG_NO_F2     F1 may stay in the store buffer while F3 loads
 *     BUG_NO_SELF   F4 leaves out the core that takes the page away
 *     BUG_NO_CALL   F4 leaves out the others
 *     BUG_F5_FIRST  F5 comes before F4
 *     BUG_NO_E1     nobody waits until all cores have left
 */
#define CORES 2
#define TURNS 2

bit entry = 1;        /* the page table entry: present */
bit mask[CORES];      /* tlb_space.cores, without the core that is always in */
bit called[CORES];    /* a call to flush is under way */
byte to_leave = CORES; /* cores that may come into the space again */

/* store buffers: each holds at most the one store that is modelled */
bit entry_waits;
bit mask_waits[CORES];

/* the other cores, and the one that takes the page away */
bit root[CORES], tlb[CORES], irqs_off[CORES];
bit own_tlb;

/* what the properties speak of */
bool frame_free, tables_free;

/* A program, or a user copy, touches the page: it does, or it faults. */
inline touch(cached)
{
    d_step {
        if
        :: cached == 0 && entry == 1 -> cached = 1
        :: else
        fi;
        assert(cached == 0 || !frame_free)
    }
}

inline set_bit(me)
{
#if defined(BUG_U1_PLAIN)
    mask_waits[me] = 1 /* U1 */
#else
    mask[me] = 1 /* U1 */
#endif
}

inline clear_bit(me)
{
    d_step { mask_waits[me] == 0 -> mask[me] = 0 } /* U3: locked, so the buffer is empty first */
}

inline load(me, space)
{
    d_step { root[me] = space; tlb[me] = 0 } /* U2 */
}

inline come_in(me)
{
    irqs_off[me] = 1;
#if defined(BUG_U1_LATE)
    load(me, 1);
    set_bit(me);
#else
    set_bit(me);
    load(me, 1);
#endif
    irqs_off[me] = 0
}

inline leave(me)
{
    irqs_off[me] = 1;
#if defined(BUG_U3_FIRST)
    clear_bit(me);
    load(me, 0);
#else
    load(me, 0);
    clear_bit(me);
#endif
    irqs_off[me] = 0
}

active [CORES] proctype core()
{
    byte turn;
    for (turn : 1 .. TURNS) {
        come_in(_pid);
        touch(tlb[_pid]);
        touch(tlb[_pid]);
        if
        :: turn == TURNS -> to_leave--
        :: else
        fi;
        leave(_pid)
    }
}

/* What a core's hardware does by itself. */
active [CORES] proctype hardware()
{
    byte me = _pid - CORES;
end:
    do
    :: d_step {
            root[me] == 1 ->
            assert(!tables_free);
            if
            :: entry == 1 -> tlb[me] = 1
            :: else
            fi
        }
    :: d_step { called[me] == 1 && irqs_off[me] == 0 -> tlb[me] = 0; called[me] = 0 }
    od
}

active proctype buffers()
{
end:
    do
    :: d_step { entry_waits == 1 -> entry_waits = 0; entry = 0 }
#if defined(BUG_U1_PLAIN)
    :: d_step { mask_waits[0] == 1 -> mask_waits[0] = 0; mask[0] = 1 }
    :: d_step { mask_waits[1] == 1 -> mask_waits[1] = 0; mask[1] = 1 }
#endif
    od
}

inline flush()
{
    /* F4 */
#if !defined(BUG_NO_SELF)
    own_tlb = 0;
#endif
#if !defined(BUG_NO_CALL)
    for (i : 0 .. CORES - 1) {
        called[i] = seen[i]
    }
    for (i : 0 .. CORES - 1) {
        called[i] == 0
    }
#endif
    skip
}

active proctype taker()
{
    byte i;
    bit seen[CORES];
    touch(own_tlb);
    entry_waits = 1; /* F1 */
#if !defined(BUG_NO_F2)
    entry_waits == 0; /* F2 */
#endif
    for (i : 0 .. CORES - 1) {
        seen[i] = mask[i] /* F3 */
    }
#if defined(BUG_F5_FIRST)
    frame_free = true; /* F5 */
    flush();
#else
    flush();
    frame_free = true; /* F5 */
#endif
    touch(own_tlb);
    to_leave == 0;
#if !defined(BUG_NO_E1)
    for (i : 0 .. CORES - 1) {
        mask[i] == 0 /* E1 */
    }
#endif
    tables_free = true /* E2 */
}

active proctype rest()
{
    timeout; /* nothing else can happen any more */
    assert(frame_free && tables_free && entry == 0)
}
