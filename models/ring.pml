/* SPDX-License-Identifier: MIT */
/*
 * The ring's count against folding interrupts.
 *
 * Senders on several cores ring one vector of one core. The hardware is two bits, as in a Local
 * APIC: a message that arrives sets the vector's bit in the IRR, whether or not it is set already
 * (so rings fold); the core moves it to the ISR when it takes the interrupt, and EOI clears it
 * there. Messages take a while to arrive, and LOSSES of them get lost on the way; a busy ICR that
 * sent nothing is the same as that.
 *
 * Properties
 *     no ring is lost, none is taken twice: when all is at rest, rings taken = rings added;
 *     no ring has to wait for the scan unless the hardware lost a message.
 *
 * Steps
 *     S3  add_ring          src/smp/ipi.c
 *     S4  ring_one          src/smp/ipi.c
 *     H3  deliver           src/irq/doorbell.c
 *     H4  deliver           src/irq/doorbell.c
 *     H6  lapic_eoi         src/arch/x86_64/lapic.c
 *     K1  ipi_kick_pending  src/smp/ipi.c
 *     K2  ipi_kick_pending  src/smp/ipi.c
 *
 * Bugs
 *     BUG_ICR_FIRST        S4 comes before S3
 *     BUG_ADD_IN_TWO       S3 loads, adds and stores, not in one step
 *     BUG_LOAD_THEN_CLEAR  H3 loads the count and then stores 0, not in one step
 *     BUG_TAKE_ONE         H3 takes one ring for each interrupt, not the whole count
 *     BUG_NO_SCAN          nobody looks for counts that stay
 */
#define SENDERS 2
#define RINGS   2
#define LOSSES  1
#define KICKS   1 /* of the scan while others are at work: at worst once too often */

byte pending; /* the count in the core's vector table */
byte flight;  /* messages that have left an ICR and not arrived */
bit irr, isr;

byte added, taken, lost, kicks; /* what the properties speak of */

active [SENDERS] proctype sender()
{
    byte i, seen;
    for (i : 1 .. RINGS) {
#if defined(BUG_ICR_FIRST)
        flight++;                          /* S4 */
        d_step { pending++; added++ }      /* S3 */
#elif defined(BUG_ADD_IN_TWO)
        seen = pending;
        d_step { pending = seen + 1; added++; seen = 0 } /* S3 */
        flight++                                         /* S4 */
#else
        d_step { pending++; added++ } /* S3: one locked add */
        flight++                      /* S4 */
#endif
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

active proctype core()
{
    byte n;
end:
    do
    :: d_step { irr == 1 && isr == 0 -> irr = 0; isr = 1 } /* the CPU takes the vector */
#if defined(BUG_LOAD_THEN_CLEAR)
        n = pending;
        pending = 0; /* H3 */
#elif defined(BUG_TAKE_ONE)
        d_step { n = (pending > 0 -> 1 : 0); pending = pending - n } /* H3 */
#else
        d_step { n = pending; pending = 0 } /* H3: one exchange */
#endif
        d_step { taken = taken + n; n = 0; assert(taken <= added) } /* H4; nothing if it is 0 */
        isr = 0 /* H6: EOI */
    od
}

active proctype scan()
{
    do
    :: pending != 0 && kicks < KICKS -> /* K1 */
        kicks++;
        flight++ /* K2: the count may have been taken meanwhile */
    :: timeout -> /* nothing else can happen any more */
        if
        :: pending == 0 -> break
#if !defined(BUG_NO_SCAN)
        :: pending != 0 -> /* K1 */
            assert(lost > 0);
            flight++ /* K2 */
#else
        :: pending != 0 -> break
#endif
        fi
    od;
    assert(taken == added)
}
