// SPDX-License-Identifier: MIT
/*
 * The machine as the host tests see it: this header stands before src/arch/arch.h on the include
 * path. Same names, same meanings; nothing to link.
 *
 * A per-CPU variable is an array with one element for each core, and the calling thread is core
 * `fake_cpu` (0 unless the test says otherwise), so this_cpu() and percpu_of() both work as in the
 * kernel. Per-CPU variables have no initialisers, here or there.
 *
 * Time stands still but for the reads: arch_ticks() gives `fake_ticks` and adds `fake_tick_step`,
 * so that every wait with a deadline ends. A tick is a nanosecond.
 *
 * arch_direct(), arch_direct_to_phys() and arch_map_device() are left to the test that needs them.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t cpu_t;
typedef uint64_t paddr_t;

enum {
    PAGE_SHIFT = 12,
    PAGE_SIZE = 1 << PAGE_SHIFT,
    MAX_CPUS = 256,
};

#define CPU_NONE ((cpu_t)-1)

enum { ARCH_VECTOR_COUNT = 256 };

/* Weak, so that every file of a test may hold the definition and none has to be linked for it. */
__attribute__((weak)) _Thread_local cpu_t fake_cpu;
__attribute__((weak)) _Thread_local bool fake_irqs_off;
__attribute__((weak)) _Atomic uint64_t fake_ticks;
__attribute__((weak)) _Atomic uint64_t fake_tick_step = 1000;

#define DEFINE_PERCPU(type, name) __typeof__(type) name[MAX_CPUS]
#define DECLARE_PERCPU(type, name) extern __typeof__(type) name[MAX_CPUS]

#define this_cpu(name) ((name)[fake_cpu])
#define this_cpu_ptr(name) (&(name)[fake_cpu])
#define percpu_of(cpu, name) (&(name)[cpu])

extern cpu_t cpu_count; /* of the test, or of cpus.c */

static inline cpu_t arch_cpu_count(void)
{
    return cpu_count;
}

static inline cpu_t arch_cpu(void)
{
    return fake_cpu;
}

static inline bool arch_irqs_enabled(void)
{
    return !fake_irqs_off;
}

static inline void arch_irq_enable(void)
{
    fake_irqs_off = false;
}

static inline void arch_irq_disable(void)
{
    fake_irqs_off = true;
}

static inline uint64_t arch_irq_save(void)
{
    uint64_t flags = fake_irqs_off ? 0 : 1;
    fake_irqs_off = true;
    return flags;
}

static inline void arch_irq_restore(uint64_t flags)
{
    fake_irqs_off = flags == 0;
}

static inline bool arch_flags_enable_irqs(uint64_t flags)
{
    return flags != 0;
}

/* What lib/context.h looks at: no handler runs here, and no softirq. */
__attribute__((weak)) int32_t percpu_irq_depth[MAX_CPUS], softirq_irq_depth[MAX_CPUS];
__attribute__((weak)) uint32_t softirq_off[MAX_CPUS];

__attribute__((weak)) _Thread_local bool fake_work_due;

static inline void arch_work_note(void)
{
    fake_work_due = true;
}

static inline bool arch_work_due(void)
{
    return fake_work_due;
}

static inline void arch_work_begin(void)
{
    fake_work_due = false;
}

static inline void arch_relax(void)
{
    __builtin_ia32_pause();
}

/* Nothing interrupts a test: a wait for it is a mistake of the test or of the code. */
static inline void arch_wait_for_interrupt(void)
{
    __builtin_abort();
}

__attribute__((noreturn)) static inline void arch_halt_forever(void)
{
    __builtin_abort();
}

static inline uint64_t arch_ticks(void)
{
    uint64_t step = atomic_load_explicit(&fake_tick_step, memory_order_relaxed);
    return atomic_fetch_add_explicit(&fake_ticks, step, memory_order_relaxed);
}

static inline uint64_t arch_boot_ticks(void)
{
    return 0;
}

static inline uint64_t arch_ticks_ordered(void)
{
    return arch_ticks();
}

static inline uint64_t arch_ticks_to_ns(uint64_t ticks)
{
    return ticks;
}

static inline uint64_t arch_clock_ns(void)
{
    return arch_ticks();
}

static inline void arch_udelay(uint32_t us)
{
    atomic_fetch_add_explicit(&fake_ticks, (uint64_t)us * 1000, memory_order_relaxed);
}

enum arch_prot {
    PROT_R = 0,
    PROT_W = 1 << 0,
    PROT_X = 1 << 1,
    PROT_USER = 1 << 2,
    PROT_DEVICE = 1 << 3,
};

enum arch_legacy { ARCH_LEGACY_8042, ARCH_LEGACY_RTC };

bool arch_may_have(enum arch_legacy device);
uint8_t arch_rtc_century_index(void);

struct arch_colour_field {
    uint8_t position;
    uint8_t bits;
};

enum arch_screen_kind { ARCH_SCREEN_PIXELS, ARCH_SCREEN_TEXT };

struct arch_screen {
    enum arch_screen_kind kind;
    volatile uint8_t *memory;
    uint32_t pitch, width, height;
    uint8_t pixel_bytes;
    struct arch_colour_field red, green, blue;
};

int arch_screen_map(bool look, struct arch_screen *screen);

/* What a struct thread holds of the machine's; no test switches threads. */
struct arch_thread {
    int nothing;
};

void *arch_direct(paddr_t pa);
paddr_t arch_direct_to_phys(const void *va);
void *arch_map_device(paddr_t pa, size_t bytes);

/* Interrupt lines; the functions are left to the test, too. */
struct arch_line {
    uint32_t gsi;
    bool level;
    bool active_low;
};
int arch_line_of_isa(uint8_t isa_irq, struct arch_line *line);
int arch_pci_line(uint8_t bus, uint8_t slot, uint8_t pin, struct arch_line *line);

static inline void arch_copy_words(void *dst, const void *src, size_t count)
{
    unsigned char *to = dst;
    const unsigned char *from = src;
    for (size_t i = 0; i < count * sizeof(uint64_t); i++)
        to[i] = from[i];
}

static inline void arch_fill_words(void *dst, uint64_t word, size_t count)
{
    unsigned char *to = dst;
    for (size_t i = 0; i < count * sizeof(word); i++)
        to[i] = (unsigned char)(word >> i % sizeof(word) * 8);
}
