/* SPDX-License-Identifier: MIT */
/*
 * The inbox of calls.
 *
 * SENDERS cores put calls into one core's inbox, each CALLS times with the same struct core_call:
 * sender 0 waits until its call has returned (call_on), the others only until the memory is theirs
 * again (call_on_async). The core answers when it is interrupted and, SPINS times, because it
 * spins for something with interrupts off. The hardware is as in ring.pml: a message on its way,
 * a bit in the IRR, a bit in the ISR; LOSSES messages get lost.
 *
 * Properties
 *     each call runs exactly once, with the argument that belongs to it;
 *     who waited for a call goes on after it has run, not before;
 *     no call has to wait for the scan unless the hardware lost a message;
 *     at rest the inbox is empty and all calls have run.
 *
 * Steps
 *     C1  push              src/smp/call.c
 *     C2  push              src/smp/call.c
 *     C3  send              src/smp/call.c
 *     A1  handle_kernel_interrupt  src/arch/x86_64/trap.c
 *     A2  call_answer       src/smp/call.c
 *     A3  call_answer       src/smp/call.c
 *     A4  call_answer       src/smp/call.c
 *     A5  call_answer       src/smp/call.c
 *     A6  run_and_finish    src/smp/call.c
 *
 * Bugs
 *     BUG_TEST_BEFORE_PUSH  whether the inbox is empty is looked at before C1, apart from C2
 *     BUG_RING_FIRST        C3 comes before C2
 *     BUG_PUSH_IN_TWO       C2 stores the head whatever it is by now
 *     BUG_TAKE_IN_TWO       A2 loads the list and then stores NULL, not in one step
 *     BUG_BUSY_FIRST        A4 comes before A3
 *     BUG_DONE_FIRST        A6 comes before A5
 *
 * Variants
 *     EOI_LAST  A1 comes after A5: a message that arrives meanwhile waits in the IRR, so no call is
 *               lost by it; it only keeps the core's other vectors of that class waiting
 */
#define SENDERS 2
#define CALLS   2
#define LOSSES  1
#define SPINS   1

#define NONE 0 /* calls are named by their sender, from 1 */

byte head; /* of the inbox */
byte flight;
bit irr, isr;

/* struct core_call, and a waited call's `done` */
byte next[SENDERS + 1];
byte argument[SENDERS + 1];
bool busy[SENDERS + 1];
bool done[SENDERS + 1];

/* what the properties speak of */
byte sent[SENDERS + 1], ran[SENDERS + 1];
byte lost;

#define IS_WAITED(call) ((call) == 1)

active [SENDERS] proctype sender()
{
    byte i, old;
    byte me = _pid + 1;
    for (i : 1 .. CALLS) {
        d_step {
            busy[me] = true;
            done[me] = false;
            argument[me] = i;
            sent[me]++
        }
#if defined(BUG_TEST_BEFORE_PUSH)
        bool was_empty = (head == NONE);
#endif
        old = head; /* C1 */
#if defined(BUG_RING_FIRST)
        if
        :: old == NONE -> flight++ /* C3 */
        :: else
        fi;
#endif
        do
        :: next[me] = old;
#if defined(BUG_PUSH_IN_TWO)
            head = me; /* C2 */
            break
#else
            if
            :: d_step { head == old -> head = me }; break /* C2: compare and exchange */
            :: d_step { head != old -> old = head }
            fi
#endif
        od;
#if defined(BUG_TEST_BEFORE_PUSH)
        if
        :: was_empty -> flight++ /* C3 */
        :: else
        fi;
#elif !defined(BUG_RING_FIRST)
        if
        :: old == NONE -> flight++ /* C3 */
        :: else
        fi;
#endif
        old = NONE;
        if
        :: IS_WAITED(me) -> done[me]; assert(ran[me] == i)
        :: else -> !busy[me]
        fi
    }
}

active proctype bus()
{
end:
    do
    :: d_step { flight > 0 -> flight--; irr = 1 }
    :: d_step { flight > 0 && lost < LOSSES -> flight--; lost++ }
    od
}

/* The list is the core's own now; its calls come newest first. */
inline reverse()
{
    d_step {
        reversed = NONE;
        do
        :: list != NONE -> after = next[list]; next[list] = reversed; reversed = list; list = after
        :: else -> break
        od;
        list = reversed; reversed = NONE; after = NONE
    }
}

inline run_call(call)
{
    d_step { assert(arg == ran[call] + 1); ran[call]++ }
}

inline answer()
{
#if defined(BUG_TAKE_IN_TWO)
    list = head;
    head = NONE; /* A2 */
#else
    d_step { list = head; head = NONE } /* A2: one exchange */
#endif
    reverse();
    do
    :: list != NONE ->
        call = list;
#if defined(BUG_BUSY_FIRST)
        busy[call] = false;                                /* A4 */
        d_step { list = next[call]; arg = argument[call] } /* A3 */
#else
        d_step { list = next[call]; arg = argument[call] } /* A3 */
        busy[call] = false;                                /* A4 */
#endif
#if defined(BUG_DONE_FIRST)
        done[call] = true; /* A6 */
        run_call(call);         /* A5 */
#else
        run_call(call);         /* A5 */
        done[call] = true; /* A6 */
#endif
        call = NONE; arg = 0
    :: list == NONE -> break
    od
}

active proctype core()
{
    byte list, reversed, after, call, arg, spins;
end:
    do
    :: d_step { irr == 1 && isr == 0 -> irr = 0; isr = 1 } /* the CPU takes the vector */
#if defined(EOI_LAST)
        answer();
        isr = 0 /* A1 */
#else
        isr = 0; /* A1: EOI */
        answer()
#endif
    :: spins < SPINS ->
        spins++;
        answer()
    od
}

active proctype scan()
{
    do
    :: timeout -> /* nothing else can happen any more */
        if
        :: head == NONE -> break
        :: head != NONE -> assert(lost > 0); flight++
        fi
    od;
    assert(ran[1] == sent[1] && ran[2] == sent[2])
}
