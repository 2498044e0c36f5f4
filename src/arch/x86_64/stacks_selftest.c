// SPDX-License-Identifier: MIT
/*
 * Interrupt stacks, tested from inside: each core's first interrupt runs on that core's own stack,
 * one on top of it stays there, little of the stack is used, and its end is guarded.
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/cpu.h"
#include "lib/log.h"
#include "lib/selftest.h"
#include "smp/call.h"
#include "smp/cores.h"

enum {
    STACK_WORDS = INTERRUPT_STACK_BYTES / sizeof(uint64_t),
    PAINT_GAP_WORDS = 64, /* below the painter's frame: its own calls */
    DEEP_LINES = 20,
};
#define PAINT UINT64_C(0x5afe57ac6c0105e5)
#define WAIT_NS UINT64_C(2000000000)

/* What an interrupt saw of the stack that it ran on. */
struct view {
    struct core_call call;
    _Atomic bool seen;
    uintptr_t at; /* the address of its frame */
    int32_t depth;
    bool on_own_stack;
};

static struct view outer, nested;

static bool on_stack_of(cpu_t cpu, uintptr_t at)
{
    uintptr_t top = *percpu_of(cpu, percpu_irq_stack_top);
    return at < top && at >= top - INTERRUPT_STACK_BYTES;
}

static void look(struct view *view)
{
    view->at = (uintptr_t)__builtin_frame_address(0);
    view->depth = this_cpu(percpu_irq_depth);
    view->on_own_stack = on_stack_of(arch_cpu(), view->at);
    atomic_store_explicit(&view->seen, true, memory_order_release);
}

static bool wait_seen(struct view *view)
{
    uint64_t start = arch_clock_ns();
    while (!atomic_load_explicit(&view->seen, memory_order_acquire)) {
        if (arch_clock_ns() - start > WAIT_NS)
            return false;
        arch_relax();
    }
    return true;
}

static void look_nested(void *arg)
{
    look(arg);
}

/* As softirqs do: interrupts on, in what is still the first interrupt. */
static void look_and_let_in(void *arg)
{
    look(arg);
    atomic_store_explicit(&nested.seen, false, memory_order_relaxed);
    (void)call_on_async(&nested.call, arch_cpu());
    arch_irq_enable();
    (void)wait_seen(&nested);
    arch_irq_disable();
}

/* Interrupt core `cpu`, the caller's too, and wait until it has looked. */
static bool interrupt(cpu_t cpu, void (*fn)(void *))
{
    atomic_store_explicit(&outer.seen, false, memory_order_relaxed);
    outer.call.fn = fn;
    outer.call.arg = &outer;
    return call_on_async(&outer.call, cpu) == 0 && wait_seen(&outer);
}

static void test_switch(void)
{
    nested.call.fn = look_nested;
    nested.call.arg = &nested;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    selftest_expect(!arch_on_interrupt_stack() && !on_stack_of(arch_cpu(), here),
                    "a thread is on an interrupt stack, depth %d", this_cpu(percpu_irq_depth));
    cpumask_for_each (cpu, &smp_online) {
        if (!selftest_expect(interrupt(cpu, look_and_let_in), "core %u: no interrupt", cpu) ||
            !selftest_expect(wait_seen(&nested), "core %u: no interrupt on top of one", cpu))
            return;
        while (atomic_load_explicit(&nested.call.busy, memory_order_acquire))
            arch_relax();
        selftest_expect(outer.on_own_stack && outer.depth == 0,
                        "core %u: its interrupt ran at %#lx, depth %d, own stack ends at %#lx", cpu,
                        outer.at, outer.depth, *percpu_of(cpu, percpu_irq_stack_top));
        selftest_expect(nested.on_own_stack && nested.depth == 1 && nested.at < outer.at,
                        "core %u: one on top of %#lx ran at %#lx, depth %d", cpu, outer.at,
                        nested.at, nested.depth);
    }
    selftest_expect(!arch_on_interrupt_stack(), "depth %d afterwards", this_cpu(percpu_irq_depth));
}
SELFTEST("interrupt-stack", test_switch);

/* ---- how much of it is used ------------------------------------------------------------------ */

static volatile uint64_t *stack_of(cpu_t cpu)
{
    return (uint64_t *)*percpu_of(cpu, percpu_irq_stack_top) - STACK_WORDS;
}

static void paint(void *arg)
{
    volatile uint64_t *word = stack_of(arch_cpu());
    const volatile uint64_t *end = (uint64_t *)__builtin_frame_address(0) - PAINT_GAP_WORDS;
    while (word < end)
        *word++ = PAINT;
    look(arg);
}

/* As deep as a handler should go: it says something, and so does the one on top of it. */
static void say(void *arg)
{
    log_debug("an interrupt on core %u", arch_cpu());
    look(arg);
}

static void say_and_let_in(void *arg)
{
    for (int i = 0; i < DEEP_LINES; i++)
        log_debug("line %d of an interrupt on core %u, %#lx", i, arch_cpu(), (uintptr_t)arg);
    look_and_let_in(arg);
}

static size_t used_bytes(cpu_t cpu)
{
    const volatile uint64_t *stack = stack_of(cpu);
    size_t untouched = 0;
    while (untouched < STACK_WORDS && stack[untouched] == PAINT)
        untouched++;
    return (STACK_WORDS - untouched) * sizeof(uint64_t);
}

static void test_use(void)
{
    size_t most = 0;
    nested.call.fn = say;
    nested.call.arg = &nested;
    cpumask_for_each (cpu, &smp_online) {
        if (!selftest_expect(interrupt(cpu, paint) && interrupt(cpu, say_and_let_in) &&
                                 wait_seen(&nested),
                             "core %u: no interrupt", cpu))
            return;
        while (atomic_load_explicit(&nested.call.busy, memory_order_acquire))
            arch_relax();
        size_t used = used_bytes(cpu);
        selftest_expect(used > 0 && used <= INTERRUPT_STACK_BYTES / 2,
                        "core %u: %zu bytes of an interrupt stack are used", cpu, used);
        most = used > most ? used : most;
    }
    selftest_note("%zu of %d bytes used", most, INTERRUPT_STACK_BYTES);
}
SELFTEST("interrupt-stack-use", test_use);

/* ---- its end, only when named ---------------------------------------------------------------- */

/* Each call needs its frame, so that the stack really grows. */
__attribute__((noinline)) static int use_interrupt_stack(volatile int depth)
{
    volatile char frame[1024];
    frame[0] = (char)depth;
    return depth == 0 ? 0 : use_interrupt_stack(depth - 1) + frame[0];
}

static void overrun(void *arg)
{
    log_info("%d", use_interrupt_stack(1 << 20));
    look(arg);
}

static void test_overrun(void)
{
    selftest_expect(!interrupt(arch_cpu(), overrun), "the stack has no end");
}
SELFTEST_ON_REQUEST("interrupt-stack-overrun", test_overrun);
