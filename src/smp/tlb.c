// SPDX-License-Identifier: MIT
/*
 * TLB shootdown. A core keeps translations of the pages of a space from its first access under
 * that space's CR3 until it loads another CR3 (no global pages, no PCID), and may fetch them ahead
 * of any access. So the space's mask names a core from before that load until after the next one,
 * and who changes entries looks at the mask after the change.
 *
 *   A core that goes from one space       Who takes pages away
 *   to another (interrupts off)
 *     U1  set its bit in the new one        F1  change the page table entries
 *         full fence                        F2  full fence
 *     U2  load CR3                          F3  look at the mask
 *     U3  clear its bit in the old one      F4  flush on each core in it; wait until all have
 *                                           F5  free the frames
 *
 *   Who frees the tables of a space that nobody will use again
 *     E1  wait until the mask is empty
 *     E2  free them
 *
 * Either F3 sees the bit, or the bit was set after it; then the core's page walks, which come after
 * the fence behind U1, find the entries as F1 left them. A core whose bit F3 sees may have left, or
 * may not have arrived yet: then it is called for nothing, which does no harm.
 *
 * models/shootdown.pml goes through all interleavings of these steps.
 */
#include "smp/tlb.h"

#include "lib/debug.h"
#include "lib/delay.h"
#include "lib/panic.h"
#include "smp/call.h"
#include "smp/wait.h"

enum { FLUSH_PAGES_MAX = 32 }; /* of more pages than that all are flushed, by one load of CR3 */

struct tlb_space tlb_kernel;

/* What each core has in its CR3, for the debug kernel's check of E1. */
static DEFINE_PERCPU(_Atomic(const struct tlb_space *), tlb_loaded);

/* Step U2. */
static void load(const struct tlb_space *to)
{
    arch_space_use(to == &tlb_kernel ? arch_kernel_space() : to->root);
    if (DEBUG_KERNEL) /* release: pairs with check_unused() */
        atomic_store_explicit(this_cpu_ptr(tlb_loaded), to, memory_order_release);
}

void tlb_switch(struct tlb_space *from, struct tlb_space *to)
{
    ASSERT_IRQS_OFF();
    if (from == to)
        return;
    delay_at(DELAY_U1);
    if (to != &tlb_kernel)
        cpumask_set(&to->cores, arch_cpu()); /* step U1 */
    /* seq_cst: pairs with step F2 */
    atomic_thread_fence(memory_order_seq_cst);
    delay_at(DELAY_U2);
    load(to); /* step U2 */
    delay_at(DELAY_U3);
    if (from != &tlb_kernel)
        cpumask_clear(&from->cores, arch_cpu()); /* step U3 */
}

/* ---- flushing -------------------------------------------------------------------------------- */

struct flush {
    uintptr_t start, end;
};

static void flush_here(void *arg)
{
    const struct flush *flush = arg;
    if ((flush->end - flush->start) / PAGE_SIZE > FLUSH_PAGES_MAX) {
        arch_tlb_flush_all();
        return;
    }
    for (uintptr_t va = flush->start; va < flush->end; va += PAGE_SIZE)
        arch_tlb_flush_page(va);
}

/* The same, asked by another core. */
static void flush_as_asked(void *arg)
{
    arch_count(ARCH_COUNT_TLB);
    flush_here(arg);
}

void tlb_flush(const struct tlb_space *space, uintptr_t start, uintptr_t end)
{
    ASSERT_THREAD();
    ASSERT_IRQS_ON();
    struct flush flush = {start, end};
    struct cpumask others;
    delay_at(DELAY_F2);
    atomic_thread_fence(memory_order_seq_cst); /* step F2; pairs with the fence behind step U1 */
    delay_at(DELAY_F3);
    cpumask_copy(&others, &space->cores); /* step F3 */
    delay_at(DELAY_F4);
    if (cpumask_test_and_clear(&others, arch_cpu())) /* step F4 */
        flush_here(&flush);
    if (cpumask_next(&others, 0) != CPU_NONE)
        (void)call_on_many(&others, flush_as_asked, &flush);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* The debug kernel looks whether the mask, found empty, was right. */
static void check_unused(const struct tlb_space *space)
{
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        if (atomic_load_explicit(percpu_of(cpu, tlb_loaded), memory_order_acquire) == space)
            panic("core %u still uses the address space that is to be freed", cpu);
    }
}

void tlb_wait_unused(const struct tlb_space *space)
{
    ASSERT_THREAD();
    if (cpumask_test(&space->cores, arch_cpu()))
        panic("an address space is to be freed by a thread that runs in it");
    delay_at(DELAY_E1);
    cpumask_for_each (cpu, &space->cores) { /* step E1 */
        struct core_wait wait = core_wait_begin();
        while (cpumask_test(&space->cores, cpu))
            core_wait_turn(&wait, cpu, "leave an address space");
    }
    if (DEBUG_KERNEL)
        check_unused(space);
}
