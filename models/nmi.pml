/* SPDX-License-Identifier: MIT */
/*
 * Questions by NMI.
 *
 * ASKERS cores ask one core ASKS times each where it is, and wait for an answer; from outside come
 * OUTSIDE NMIs more. The hardware keeps one NMI at most for a core that is in one: two are one
 * then. So an NMI that finds no question may be from outside, or its question was answered in an
 * NMI before it; that there is never one of the latter kind too many is what this is about.
 *
 * Properties
 *     each question is answered after it was asked, by one NMI or another;
 *     no NMI is taken for one from outside unless as many came.
 *
 * Steps
 *     N1  trap_ask_by_nmi   src/arch/x86_64/trap.c
 *     N2  trap_ask_by_nmi   src/arch/x86_64/trap.c
 *     N3  handle_nmi        src/arch/x86_64/trap.c
 *     N4  handle_nmi        src/arch/x86_64/trap.c
 *
 * Bugs
 *     BUG_SEND_FIRST   N2 comes before N1
 *     BUG_ALWAYS_SEND  N2 is done for a question that joins one under way, too
 *     BUG_CLEAR_LATE   N3 takes the question away after the answer, not with the look at it
 */
#define ASKERS  2
#define ASKS    2
#define OUTSIDE 2

bool asked; /* nmi_asked of the core */
byte answers;
byte flight;  /* NMIs on their way */
bool latched; /* one that the core has not begun to take */

/* what the properties speak of */
byte from_outside, counted, finished;

inline ask()
{
    d_step { was_asked = asked; asked = true } /* N1: one exchange */
}

inline send()
{
#if defined(BUG_ALWAYS_SEND)
    flight++ /* N2 */
#else
    if
    :: !was_asked -> flight++ /* N2 */
    :: else
    fi
#endif
}

active [ASKERS] proctype asker()
{
    byte i, before;
    bool was_asked;
    for (i : 1 .. ASKS) {
        before = answers;
#if defined(BUG_SEND_FIRST)
        was_asked = asked;
        send();
        ask();
#else
        ask();
        send();
#endif
        was_asked = false;
        answers != before
    }
    finished++
}

active proctype outside()
{
    byte i;
    for (i : 1 .. OUTSIDE) {
        d_step { from_outside++; flight++ }
    }
}

active proctype bus()
{
end:
    do
    :: d_step { flight > 0 -> flight--; latched = true }
    od
}

/* The core, NMI after NMI. */
active proctype core()
{
    bool question;
end:
    do
    :: d_step { latched -> latched = false };
#if defined(BUG_CLEAR_LATE)
        question = asked; /* N3 */
#else
        d_step { question = asked; asked = false } /* N3: one exchange */
#endif
        if
        :: question -> answers++
        :: else -> d_step { counted++; assert(counted <= from_outside) } /* N4 */
        fi;
#if defined(BUG_CLEAR_LATE)
        asked = false;
#endif
        question = false
    od
}

active proctype at_rest()
{
    timeout -> assert(finished == ASKERS)
}
