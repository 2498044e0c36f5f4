// SPDX-License-Identifier: MIT
/*
 * The verbs of arch.h that must cost one instruction. Only arch.h includes this file.
 *
 * GS base holds "address of this core's percpu copy" minus "address of the template", so that
 * `%gs:name` reaches this core's copy of `name`. Until cpu_area_use() the boot core's GS base is 0
 * and the template itself is its copy.
 */
#pragma once

#define this_cpu(name) (*(__typeof__(name) __seg_gs *)(uintptr_t) & (name))

DECLARE_PERCPU(cpu_t, percpu_cpu);         /* I: this core's index */
DECLARE_PERCPU(uintptr_t, percpu_offset);  /* I: this core's GS base */
extern uintptr_t percpu_offsets[MAX_CPUS]; /* I: the GS base of every core, by index */

#define this_cpu_ptr(name) ((__typeof__(name) *)((uintptr_t) & (name) + this_cpu(percpu_offset)))
#define percpu_of(cpu, name) ((__typeof__(name) *)((uintptr_t) & (name) + percpu_offsets[cpu]))

DECLARE_PERCPU(uint32_t, percpu_work_due); /* P: not 0: arch_work_note() was called */

/*
 * How many interrupts this core is in, less one: -1 is none. stubs.asm counts, and has the first
 * one (0) switch to the core's interrupt stack, on which the others then begin. What runs at the
 * end of the first one, with interrupts on (softirqs), still finds 0 there. NMIs and exceptions do
 * not count. P: written by this core alone.
 */
DECLARE_PERCPU(int32_t, percpu_irq_depth);
DECLARE_PERCPU(uintptr_t, percpu_irq_stack_top); /* I: the upper end of that stack */

DECLARE_PERCPU(uint64_t, percpu_counters[ARCH_COUNTERS]); /* P: written by this core alone */

#define arch_count(which) __asm__ volatile("incq %%gs:%0" : "+m"(percpu_counters[which]) : : "cc")

/*
 * Add 1 to a 32-bit counter of this core, by one locked instruction: sequentially consistent, and
 * no interrupt can come between finding the counter and adding to it.
 */
#define this_cpu_inc(name) __asm__ volatile("lock incl %%gs:%0" : "+m"(name) : : "memory", "cc")

/* Change a 32-bit word of this core by one instruction, which no interrupt can cut in two; for what
 * other cores do not write. */
#define this_cpu_add(name, n)                                                                      \
    __asm__ volatile("addl %1, %%gs:%0" : "+m"(name) : "ir"((uint32_t)(n)) : "memory", "cc")
#define this_cpu_or(name, bits)                                                                    \
    __asm__ volatile("orl %1, %%gs:%0" : "+m"(name) : "ir"((uint32_t)(bits)) : "memory", "cc")

/* Add 1 to a counter that this core alone writes, wherever it lies; by one instruction, too. */
static inline void arch_own_inc(_Atomic uint32_t *counter)
{
    __asm__ volatile("incl %0" : "+m"(*counter) : : "cc");
}

enum { X86_FLAGS_IF = 1 << 9 };

extern cpu_t cpu_count; /* I: cpus.c */

static inline cpu_t arch_cpu_count(void)
{
    return cpu_count;
}

static inline cpu_t arch_cpu(void)
{
    return this_cpu(percpu_cpu);
}

static inline uint64_t arch_flags(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
    return flags;
}

/* Would arch_irq_restore() of these flags turn interrupts on? */
static inline bool arch_flags_enable_irqs(uint64_t flags)
{
    return (flags & X86_FLAGS_IF) != 0;
}

static inline bool arch_irqs_enabled(void)
{
    return arch_flags_enable_irqs(arch_flags());
}

static inline void arch_irq_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void arch_irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline uint64_t arch_irq_save(void)
{
    uint64_t flags = arch_flags();
    arch_irq_disable();
    return flags;
}

static inline void arch_irq_restore(uint64_t flags)
{
    if (arch_flags_enable_irqs(flags))
        arch_irq_enable();
    else
        arch_irq_disable();
}

static inline bool arch_on_interrupt_stack(void)
{
    return this_cpu(percpu_irq_depth) >= 0;
}

static inline bool arch_in_interrupt(cpu_t cpu)
{
    return *(volatile int32_t *)percpu_of(cpu, percpu_irq_depth) >= 0;
}

/* One store, so that an NMI may come anywhere. Written by this core alone. */
static inline void arch_work_note(void)
{
    this_cpu(percpu_work_due) = 1;
}

static inline bool arch_work_due(void)
{
    return this_cpu(percpu_work_due) != 0;
}

static inline void arch_work_begin(void)
{
    this_cpu(percpu_work_due) = 0;
    __asm__ volatile("" : : : "memory"); /* first: what is noted from here on is not forgotten */
}

/* Intel SDM vol 3A, "Operations that Invalidate TLBs and Paging-Structure Caches". */
static inline void arch_tlb_flush_page(uintptr_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* A load of CR3 leaves the global pages alone: they are the kernel's. */
static inline void arch_tlb_flush_all(void)
{
    uint64_t cr3;
    __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
}

static inline void arch_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* sti opens interrupts only after the next instruction, so none can slip in before the hlt (Intel
 * SDM vol 2B, "STI"). An NMI can, and sees to it itself: trap.c, skip_halt(). */
static inline void arch_wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

static inline uint64_t arch_ticks(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* The same, but not before all earlier loads are done (Intel SDM vol 2B, "RDTSC"). */
static inline uint64_t arch_ticks_ordered(void)
{
    __asm__ volatile("lfence" : : : "memory");
    return arch_ticks();
}

/* Copy `count` words upward; fill with them. Both at any alignment. Intel SDM vol 2B, "REP". */
static inline void arch_copy_words(void *dst, const void *src, size_t count)
{
    __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(count) : : "memory");
}

static inline void arch_fill_words(void *dst, uint64_t word, size_t count)
{
    __asm__ volatile("rep stosq" : "+D"(dst), "+c"(count) : "a"(word) : "memory");
}
