// SPDX-License-Identifier: MIT
/*
 * The machine's part, tested from inside: no page is both writable and executable, a TSC that is
 * off is noticed, and the ends of the machine work (these only when named). Its interrupt lines:
 * line_selftest.c.
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/vectors.h"
#include "irq/timer.h"
#include "lib/debug.h"
#include "lib/panic.h"
#include "lib/selftest.h"
#include "lib/spinlock.h"
#include "smp/call.h"
#include "smp/cores.h"
#include "smp/warp.h"
#include "smp/where.h"

#define HALT_NS UINT64_C(20000000)

/* ---- W^X ------------------------------------------------------------------------------------- */

static void test_wx(void)
{
    struct paging_census census = paging_count_pages();
    selftest_expect(census.writable_executable == 0, "%llu pages are writable and executable",
                    (unsigned long long)census.writable_executable);
    selftest_expect(census.user == 0, "%llu pages of the kernel are open to ring 3",
                    (unsigned long long)census.user);
    selftest_expect(census.executable > 0 && census.writable > 0, "the walk found no pages");
    selftest_note("%llu leaf entries, %llu executable, %llu writable",
                  (unsigned long long)census.leaves, (unsigned long long)census.executable,
                  (unsigned long long)census.writable);
}
SELFTEST("paging-w^x", test_wx);

/* ---- an NMI between sti and hlt -------------------------------------------------------------- */

static uint64_t nmi_rip;

static void note_rip(void)
{
    nmi_rip = trap_nmi_frame()->rip;
}

static void do_nothing(struct timer *timer)
{
    (void)timer;
}

/* Enter the NMI's handler as if one had come between the two. Returns: the address of the hlt. */
static uint64_t nmi_before_halt(void)
{
    uint64_t halt;
    __asm__ volatile("lea 1f(%%rip), %0\n"
                     "mov %%rsp, %%rax\n"
                     "and $-16, %%rsp\n"
                     "pushq %1\n"
                     "push %%rax\n"
                     "pushfq\n"
                     "pushq %2\n"
                     "push %0\n"
                     "cli\n"
                     "jmp nmi_entry\n"
                     "sti\n"
                     "1: hlt\n"
                     : "=&r"(halt)
                     : "i"(SEL_KERNEL_DATA), "i"(SEL_KERNEL_CODE)
                     : "rax", "memory", "cc");
    return halt;
}

static void test_nmi_before_halt(void)
{
    static struct timer timer = TIMER(do_nothing); /* ends the halt, should it come to that */
    where_set_nmi_hook(note_rip);
    timer_start(&timer, HALT_NS);
    uint64_t halt = nmi_before_halt();
    (void)timer_cancel(&timer);
    where_set_nmi_hook(NULL);
    selftest_expect(nmi_rip == halt + 1, "it goes on at %#llx, the hlt is at %#llx",
                    (unsigned long long)nmi_rip, (unsigned long long)halt);
}
SELFTEST("nmi-before-halt", test_nmi_before_halt);

/* ---- the kernel's own vectors, counted ------------------------------------------------------- */

#define COUNT_WAIT_NS UINT64_C(1000000000)

/* Ring `vector` on core `cpu`. Returns: by how much that moved the counter. */
static uint64_t count_one(cpu_t cpu, uint8_t vector, enum arch_counter counter)
{
    uint64_t before = arch_counter_of(cpu, counter), start = arch_clock_ns();
    (void)arch_ipi_send(cpu, vector);
    while (arch_counter_of(cpu, counter) == before && arch_clock_ns() - start < COUNT_WAIT_NS)
        arch_relax();
    return arch_counter_of(cpu, counter) - before;
}

static void test_counters(void)
{
    static const struct {
        enum arch_counter counter;
        uint8_t vector;
        bool others_count; /* it moves by itself, too */
    } rows[] = {
        {ARCH_COUNT_CALL, VECTOR_CALL, false},
        {ARCH_COUNT_RESCHEDULE, VECTOR_RESCHEDULE, false},
        {ARCH_COUNT_MISSED, VECTOR_KERNEL_FIRST, false},     /* nobody has it */
        {ARCH_COUNT_MISSED, VECTOR_KERNEL_FIRST - 1, false}, /* nor that, by the other entry */
        {ARCH_COUNT_TIMER, VECTOR_TIMER, true},
    };
    cpumask_for_each (cpu, &smp_online) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            uint64_t more = count_one(cpu, rows[i].vector, rows[i].counter);
            selftest_expect(more == 1 || (more > 1 && rows[i].others_count),
                            "core %u, vector %u: %s was to move by 1, and moved by %llu", cpu,
                            rows[i].vector, arch_counter_row(rows[i].counter).label,
                            (unsigned long long)more);
        }
    }
}
SELFTEST("kernel-counters", test_counters);

/* ---- a TSC that is off ----------------------------------------------------------------------- */

#define TSC_SHIFT_NS UINT64_C(10000000)

/*
 * Move this core's TSC by *arg ticks, but for the few that pass between the read and the write.
 * Source: Intel SDM vol 3B, "Time-Stamp Counter" (writes to IA32_TIME_STAMP_COUNTER)
 */
static void shift_tsc(void *arg)
{
    wrmsr(MSR_TSC, rdmsr(MSR_TSC) + *(uint64_t *)arg);
}

static void read_tsc(void *arg)
{
    *(uint64_t *)arg = arch_ticks_ordered();
}

/* Set a core's TSC back by 10 ms. Returns: by how many ticks, and at most *more besides; 0 if the
 * TSC cannot be written. */
static uint64_t set_tsc_back(cpu_t cpu, uint64_t *more)
{
    uint64_t before, after, shift = clock_ns_to_ticks(TSC_SHIFT_NS), back = -shift;
    (void)call_on(cpu, read_tsc, &before);
    uint64_t start = arch_ticks_ordered();
    (void)call_on(cpu, shift_tsc, &back);
    *more = arch_ticks_ordered() - start;
    (void)call_on(cpu, read_tsc, &after);
    return after < before ? shift : 0;
}

static void test_warp(void)
{
    struct warp warp = warp_measure();
    selftest_expect(warp.ticks == 0, "core %u is behind by %llu ticks", warp.cpu,
                    (unsigned long long)warp.ticks);
    cpu_t last = arch_cpu_count() - 1;
    if (last == 0 || !cpumask_test(&smp_online, last)) {
        selftest_skip("needs a second core");
        return;
    }
    uint64_t more, shift = set_tsc_back(last, &more);
    if (shift == 0) {
        selftest_skip("this TSC cannot be written");
        return;
    }
    warp = warp_measure();
    (void)call_on(last, shift_tsc, &shift);
    selftest_expect(warp.cpu == last && warp.ticks > shift / 2 && warp.ticks <= shift + more,
                    "core %u set back by %llu ticks: seen is core %u, behind by %llu", last,
                    (unsigned long long)shift, warp.cpu, (unsigned long long)warp.ticks);
    selftest_note("set back by %llu ticks, %llu seen", (unsigned long long)shift,
                  (unsigned long long)warp.ticks);
}
SELFTEST("clock-warp", test_warp);

/* ---- ends, only when named ------------------------------------------------------------------- */

static void test_reset(void)
{
    selftest_note("resetting");
    arch_reset();
}
SELFTEST_ON_REQUEST("reset", test_reset);

static void test_panic(void)
{
    panic("asked for by selftest=panic");
}
SELFTEST_ON_REQUEST("panic", test_panic);

static void panic_job(void *arg)
{
    (void)arg;
    panic("asked for on another core");
}

static void test_panic_elsewhere(void)
{
    cpu_t last = arch_cpu_count() - 1;
    if (core_job_start(last, panic_job, NULL) != 0) {
        selftest_skip("needs a second core");
        return;
    }
    for (;;)
        arch_relax();
}
SELFTEST_ON_REQUEST("panic-elsewhere", test_panic_elsewhere);

static _Atomic bool job_spins;

/* What the last core does when it is interrupted for the tests below. */
static void spin_job(void *arg)
{
    (void)arg;
    atomic_store_explicit(&job_spins, true, memory_order_relaxed);
    for (;;)
        arch_relax();
}

/* Have the last core spin. Returns: its index, or CPU_NONE if it cannot. */
static cpu_t spinning_core(void)
{
    cpu_t last = arch_cpu_count() - 1;
    if (core_job_start(last, spin_job, NULL) != 0) {
        selftest_skip("needs a second core");
        return CPU_NONE;
    }
    while (!atomic_load_explicit(&job_spins, memory_order_relaxed))
        arch_relax();
    return last;
}

static void panic_call(void *arg)
{
    (void)arg;
    panic("asked for in an interrupt handler");
}

static void test_panic_hardirq(void)
{
    cpu_t cpu = spinning_core();
    if (cpu != CPU_NONE)
        (void)call_on(cpu, panic_call, NULL);
}
SELFTEST_ON_REQUEST("panic-hardirq", test_panic_hardirq);

static void panic_in_nmi(const struct trap_frame *frame)
{
    (void)frame;
    panic("asked for in an NMI");
}

static void test_panic_nmi(void)
{
    cpu_t cpu = spinning_core();
    if (cpu == CPU_NONE)
        return;
    (void)trap_ask_by_nmi(cpu, panic_in_nmi);
    for (;;)
        arch_relax();
}
SELFTEST_ON_REQUEST("panic-nmi", test_panic_nmi);

static struct spinlock nmi_lock = SPINLOCK(RANK_PAGE, "in an NMI");

static void lock_in_nmi(const struct trap_frame *frame)
{
    (void)frame;
    (void)spin_trylock(&nmi_lock);
}

static void test_lock_in_nmi(void)
{
    if (!DEBUG_KERNEL) {
        selftest_skip("needs the debug kernel");
        return;
    }
    (void)trap_ask_by_nmi(arch_cpu(), lock_in_nmi);
    for (;;)
        arch_relax();
}
SELFTEST_ON_REQUEST("debug-lock-in-nmi", test_lock_in_nmi);

static void test_null_call(void)
{
    void (*nowhere)(void) = NULL;
    __asm__("" : "+r"(nowhere)); /* the compiler must not see that it is null */
    nowhere();
    selftest_note("came back");
}
SELFTEST_ON_REQUEST("null-call", test_null_call);

static void test_null_pointer(void)
{
    volatile int *nowhere = NULL;
    __asm__("" : "+r"(nowhere)); /* the compiler must not see that it is null */
    *nowhere = 1;
}
SELFTEST_ON_REQUEST("null-pointer", test_null_pointer);

static void test_write_text(void)
{
    volatile char *text = (volatile char *)(uintptr_t)test_null_pointer;
    *text = 0;
}
SELFTEST_ON_REQUEST("write-text", test_write_text);

/* Each call needs its frame, so that the stack really grows. */
__attribute__((noinline)) static int use_stack(volatile int depth)
{
    volatile char frame[1024];
    frame[0] = (char)depth;
    return depth == 0 ? 0 : use_stack(depth - 1) + frame[0];
}

static void test_stack_overrun(void)
{
    selftest_note("%d", use_stack(1 << 20));
}
SELFTEST_ON_REQUEST("stack-overrun", test_stack_overrun);
