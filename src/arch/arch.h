// SPDX-License-Identifier: MIT
/*
 * arch.h: all that generic code may ask of the machine, and the doors through which the machine
 * calls generic code.
 *
 * Generic rooms include this header and never one under arch/x86_64/. Number spaces, never mixed:
 *
 *     cpu      dense index 0..cpu_count()-1, ours; 0 is the boot core
 *     apic_id  the hardware's id, sparse; known to arch/x86_64 alone
 *     vector   0..255, index into the IDT
 *     gsi      an I/O APIC input, numbered across all I/O APICs
 *     irq      index of an irq_desc, what drivers see
 *
 * Context words used above every prototype of the tree:
 *     Context: any | hardirq | softirq | thread | boot cpu only | cpu being started
 *     ("any" includes NMI; "hardirq" includes every milder context.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t cpu_t;
typedef uint64_t paddr_t;

enum {
    PAGE_SHIFT = 12,
    PAGE_SIZE = 1 << PAGE_SHIFT,
    MAX_CPUS = 256, /* indices that the masks can hold; tables are sized by the cores found */
};

#define CPU_NONE ((cpu_t)-1)

/*
 * What each core counts of the interrupts that belong to no irq: the rows NMI, LOC, RES ... of
 * /proc/interrupts (arch_counter_row). arch_count() adds, arch_counter_of() reads.
 */
enum arch_counter {
    ARCH_COUNT_NMI,        /* NMIs, whoever sent them */
    ARCH_COUNT_TIMER,      /* this core's own timer */
    ARCH_COUNT_RESCHEDULE, /* look at your run queue */
    ARCH_COUNT_CALL,       /* answer the calls in your inbox */
    ARCH_COUNT_TLB,        /* translations forgotten because another core asked, by such a call */
    ARCH_COUNT_ERROR,      /* the Local APIC met an error */
    ARCH_COUNT_MISSED,     /* an interrupt that found nothing to do: no handler, or a count of 0 */
    ARCH_COUNT_SPURIOUS,   /* the spurious vector: the request had gone */
    ARCH_COUNTERS,
};

/*
 * This core's own data. A room declares its variables with DEFINE_PERCPU(type, name); the section
 * is a template of which each core has its copy. this_cpu(name) is an lvalue in this core's copy
 * (one GS-relative access, so a scalar is read or written whole without disabling anything);
 * this_cpu_inc(name) adds 1 to a 32-bit counter there, sequentially consistent;
 * this_cpu_add(name, n) and this_cpu_or(name, bits) change a 32-bit word that only this core writes
 * so that no interrupt comes in between, and keep the compiler's order of accesses around them;
 * this_cpu_ptr(name) is its ordinary address, valid while the caller stays on this core;
 * percpu_of(cpu, name) is another core's copy, and the only way to it.
 */
#define DEFINE_PERCPU(type, name) __attribute__((section(".percpu"))) __typeof__(type) name
#define DECLARE_PERCPU(type, name) extern __attribute__((section(".percpu"))) __typeof__(type) name

#include "arch/x86_64/inline.h" /* the verbs that must cost one instruction */

/* ---- this core: inline in arch/x86_64/inline.h ------------------------------------------------
 * cpu_t    arch_cpu(void)               index of the calling core           Context: any
 * cpu_t    arch_cpu_count(void)         how many core indices there are (1..MAX_CPUS), from the
 *                                       firmware's enabled entries          Context: any
 * bool     arch_irqs_enabled(void)      maskable interrupts open here?      Context: any
 * void     arch_irq_enable/disable(void)                                    Context: any
 * uint64_t arch_irq_save(void)          disable, return the flags before    Context: any
 * void     arch_irq_restore(uint64_t)   put those flags back                Context: any
 * bool     arch_flags_enable_irqs(uint64_t) would that turn them on?        Context: any
 * void     arch_relax(void)             one step of a spin (pause)          Context: any
 * void     arch_wait_for_interrupt(void) enable and halt in one step; returns with interrupts on
 *                                                                           Context: thread
 * void     arch_count(enum arch_counter) one more of these on this core, in one instruction
 *                                                                           Context: any
 * bool     arch_on_interrupt_stack(void) in an interrupt, or in what runs at its end on its stack
 *                                                                           Context: any
 * bool     arch_in_interrupt(cpu_t)     is that core in one, as it looks from here? Context: any
 * void     arch_work_note(void)         this core owes work: its idle loop, or its way to ring 3,
 *                                       will do it                          Context: any
 * bool     arch_work_due(void)          was it told so since the last begin? Context: any
 * void     arch_work_begin(void)        forget it: the caller does it next  Context: thread
 * void     arch_tlb_flush_page(uintptr_t) forget this core's translation of one page  Context: any
 * void     arch_tlb_flush_all(void)     forget those of all programs' pages  Context: any
 * uint64_t arch_ticks(void)             this core's cycle counter           Context: any
 * uint64_t arch_ticks_ordered(void)     the same, after all earlier loads   Context: any
 * void     arch_copy_words(void *dst, const void *src, size_t count)
 *                                       copy words of 8 bytes upward        Context: any
 * void     arch_fill_words(void *dst, uint64_t word, size_t count)
 *                                       fill with them                      Context: any
 */

/* ---- set-up: the machine's part of main.c's list, in this order, boot core only -------------- */

/* Know the CPU, catch exceptions, put the control registers into the kernel's state. */
void arch_init_cpu(void);

/* Hand the RAM over to mm. Panics if there is too little of it. */
void arch_init_memory(void);

/* Read the firmware's tables; quiet the 8259s; find Local APIC, I/O APICs and cores. */
struct params;
void arch_init_platform(const struct params *params);

/* Learn the clock's rate and the timer's; `wanted` as clock= says. */
void arch_init_clock(const struct params *params);

/* ---- what the boot loader brought ------------------------------------------------------------ */

/* The command line, which stays. Context: any. */
const char *arch_boot_cmdline(void);

/* Was the command line longer than the kernel keeps? The word that was cut is gone. Context: any.
 */
bool arch_boot_cmdline_cut(void);

/* How many boot modules there are. Context: any. */
size_t arch_boot_module_count(void);

/* The contents of a boot module, mapped as long as it is not released. Context: thread. */
const void *arch_boot_module(size_t index, size_t *size);

/* Give its memory to mm. Context: thread. */
void arch_boot_module_release(size_t index);

/*
 * RAM that the firmware's map calls usable, in bytes; whole pages only. What mm manages is less:
 * the first MiB and the kernel's image stay out. Context: any, after arch_init_memory.
 */
uint64_t arch_memory_usable(void);

/* ---- devices that the firmware tells of ------------------------------------------------------ */

/* What every PC once had, and what of it this one has by the firmware's word: FADT, "IA-PC Boot
 * Architecture Flags". Without such a word all of it may be there. Context: any. */
enum arch_legacy {
    ARCH_LEGACY_8042, /* the keyboard controller */
    ARCH_LEGACY_RTC,
};
bool arch_may_have(enum arch_legacy device);

/* Index of the century in the RTC's memory, by the FADT; 0: there is none. Context: any. */
uint8_t arch_rtc_century_index(void);

/* The HPET's registers (IA-PC HPET specification, "Register Model"), its counter running and no
 * timer in the place of the PIT or the RTC; NULL without one. Context: thread. */
volatile void *arch_hpet_registers(void);

/*
 * The screen as the boot loader left it: pixels of red, green and blue, or the text mode of a VGA,
 * two bytes a character. The memory is mapped so that writes are gathered; reading it is slow.
 */
enum arch_screen_kind { ARCH_SCREEN_PIXELS, ARCH_SCREEN_TEXT };
struct arch_colour_field {
    uint8_t position; /* of its lowest bit in a pixel */
    uint8_t bits;     /* 1..16 */
};
struct arch_screen {
    enum arch_screen_kind kind;
    volatile uint8_t *memory;
    uint32_t pitch;      /* bytes from one line to the next */
    uint32_t width;      /* pixels, or characters */
    uint32_t height;     /* the same */
    uint8_t pixel_bytes; /* 2, 3 or 4; 2 for text */
    struct arch_colour_field red, green, blue;
};

/*
 * Map it. If the loader could have named a screen and did not, or with `look` in any case, see
 * whether a VGA shows text all the same. A screen that the loader described but that cannot be used
 * is refused in the log. Returns: 0, -ENODEV (none), -EINVAL (refused), -ENOMEM. Context: thread.
 */
int arch_screen_map(bool look, struct arch_screen *screen);

/* ---- ends ------------------------------------------------------------------------------------ */

/* Stop this core for good: interrupts off, halted. Context: any. Sleeps: no. Never returns. */
__attribute__((noreturn)) void arch_halt_forever(void);

/* ---- memory ---------------------------------------------------------------------------------- */

enum arch_prot {
    PROT_R = 0,
    PROT_W = 1 << 0,
    PROT_X = 1 << 1,
    PROT_USER = 1 << 2,
    PROT_DEVICE = 1 << 3,    /* uncached: registers */
    PROT_NO_ACCESS = 1 << 4, /* a program's page that is kept, but may not even be read */
    PROT_COMBINE = 1 << 5,   /* uncached, writes gathered: pixels */
};

/* Address in the direct map of a byte of RAM. Context: any. */
void *arch_direct(paddr_t pa);
/* The opposite, for an address that arch_direct gave. Context: any. */
paddr_t arch_direct_to_phys(const void *va);

/*
 * Map a device's registers, `bytes` at `pa` (any alignment), uncached, for good.
 * Returns: the address of the byte at pa, or NULL (usable RAM lies there, an address that the
 * processor has not got, no memory, no room). Context: thread. Sleeps: no. Locks: kva.
 */
void *arch_map_device(paddr_t pa, size_t bytes);

/* ---- time ------------------------------------------------------------------------------------ */

/* Nanoseconds since the kernel's entry; never runs back on one core. Between cores it is as good as
 * their counters agree (smp/warp.h). Context: any. */
uint64_t arch_clock_ns(void);
/* Convert a difference of arch_ticks() to nanoseconds. Context: any. */
uint64_t arch_ticks_to_ns(uint64_t ticks);
/* arch_ticks() at the kernel's entry. Context: any. */
uint64_t arch_boot_ticks(void);
/* A random number of the processor's own (RDRAND). Returns: false if it has none. Context: any. */
bool arch_random_u64(uint64_t *number);
/* Spin for at least `us` microseconds. Context: any. */
void arch_udelay(uint32_t us);

/* ---- address spaces -------------------------------------------------------------------------- */

/* Programs live in [ARCH_USER_START, ARCH_USER_END). */
#define ARCH_USER_START UINT64_C(0x0000000000010000)
#define ARCH_USER_END UINT64_C(0x00007ffffffff000)

/*
 * An address space is named by the physical address of its top-level table. A new one holds the
 * kernel's half and no program pages.
 * Returns: the name, or PADDR_NONE (mm/page.h) without memory.
 * Context: thread. Sleeps: no. Locks: none.
 */
paddr_t arch_space_create(void);

/*
 * Free a space that no core uses: each frame mapped in it, which came from page_alloc(0, ...), and
 * the tables. between() is called after each table, with its 512 frames at most. Context: thread.
 */
void arch_space_destroy(paddr_t root, void (*between)(void));

/* Make it this core's, which forgets all translations of programs' pages. Context: thread. */
void arch_space_use(paddr_t root);

/* The kernel's own space, for a core that runs no program. Context: any. */
paddr_t arch_kernel_space(void);

/* What the page tables say of one page; only the functions here look into it. */
typedef uint64_t arch_page_entry_t;

/*
 * The place in a space's tables where the frame of the page `va` of a program is written; tables
 * that are missing are made. Returns: it, good until the space ends, or NULL without memory.
 * Context: thread; the caller serialises changes of one space, and what it reads of them.
 */
arch_page_entry_t *arch_page_entry(paddr_t root, uintptr_t va);

/* The frame there, PROT_NO_ACCESS included, or PADDR_NONE. Context: as arch_page_entry. */
paddr_t arch_page_frame(const arch_page_entry_t *entry);

/* Map the frame `pa` with PROT_* (PROT_USER is implied) where none is. Context: as
 * arch_page_entry. */
void arch_page_map(arch_page_entry_t *entry, paddr_t pa, unsigned prot);

/* The frame of the page `va`, or PADDR_NONE; nothing is made. Context: as arch_page_entry. */
paddr_t arch_page_lookup(paddr_t root, uintptr_t va);

/*
 * Take away the pages of [*va, end), in the tables alone: no TLB is flushed. Stops after `max`
 * frames; *va is then where to go on, and `end` when there are no more.
 * Returns: how many frames are in `frames`. Context: as arch_page_entry.
 */
size_t arch_pages_take(paddr_t root, uintptr_t *va, uintptr_t end, paddr_t *frames, size_t max);

/*
 * Give those pages of [start, end) that have a frame the protection `prot`, in the tables alone.
 * Returns: was anything narrowed, so that TLBs have to be flushed? Context: as arch_page_entry.
 */
bool arch_pages_protect(paddr_t root, uintptr_t start, uintptr_t end, unsigned prot);

/*
 * A stack of `bytes` (whole pages) with an unmapped guard page below it, in the kernel's mapping
 * area. Returns: its upper end, or NULL without memory. Context: thread.
 */
void *arch_stack_alloc(size_t bytes);

/*
 * Copy between kernel and user memory. A fault on the user side goes to vm_page_fault(), if
 * interrupts are on, and ends the copy unless that made the page accessible. The caller has checked
 * that the user side lies in the programs' range.
 * Returns: how many bytes were not copied. Context: thread.
 */
size_t arch_copy_user(void *dst, const void *src, size_t n);

/* ---- programs -------------------------------------------------------------------------------- */

/*
 * Run ring 3 from `entry` with the stack pointer `stack`, all other registers and the vector state
 * clean. Comes back when the thread calls arch_user_exit().
 * Context: thread, interrupts on; the thread was prepared for it (arch_thread_prepare_user).
 */
void arch_user_run(uintptr_t entry, uintptr_t stack);

/* Drop the trap that the thread is in and return from its arch_user_run(). Context: thread. */
__attribute__((noreturn)) void arch_user_exit(void);

/*
 * What ring 3 would go on with if the system call that the calling thread is in returned `result`:
 * registers, flags, vector state, TLS base, for another thread to go on from. `stack`, unless 0, in
 * place of its stack pointer.
 * Returns: the state, or NULL without memory. Context: thread, in a system call. Sleeps: no.
 */
struct arch_user_state;
struct arch_user_state *arch_user_state_save(long result, uintptr_t stack);
void arch_user_state_free(struct arch_user_state *state);

/* As arch_user_run(), but go on from `state`, which is freed. */
void arch_user_continue(struct arch_user_state *state);

/* The number by which the calling thread's program called a gate. Context: thread, in a system
 * call. */
uint64_t arch_user_call_number(void);

/* Was that the gate of Linux's calls (syscall), not int 0x80? Context: as there. */
bool arch_user_call_is_linux(void);

/*
 * The base of the calling thread's FS segment in ring 3: where its thread-local storage is.
 * Setting: false for an address that is not in the programs' range. Context: thread.
 */
bool arch_user_set_tls(uintptr_t base);
uintptr_t arch_user_tls(void);

/* Processor features for AT_HWCAP: CPUID leaf 1, EDX. Context: any. */
uint32_t arch_user_hwcap(void);

/* ---- threads --------------------------------------------------------------------------------- */

/* What the machine keeps of a thread while another one runs on its core. */
struct arch_thread {
    uint64_t rsp;       /* its kernel stack, the callee-saved registers on top */
    uint64_t entry_rsp; /* in arch_user_run(): where entries from ring 3 begin on that stack */
    uint64_t fs_base;   /* ring 3's, where its thread-local storage is */
    void *fpu;          /* x87 and vector state; NULL of a thread that never ran ring 3 */
};

/*
 * Let the first switch to `thread` enter entry(), interrupts off, on the stack that ends at
 * stack_top; entry never returns. Context: thread.
 */
void arch_thread_init(struct arch_thread *thread, void *stack_top, void (*entry)(void));

/* What runs on this core now is `thread`. Context: boot cpu only, cpu being started. */
void arch_thread_adopt(struct arch_thread *thread);

/*
 * Save the running thread in `from` and go on with `to`; returns when somebody switches back to
 * `from`, perhaps on another core. Context: thread, interrupts off.
 */
void arch_thread_switch(struct arch_thread *from, struct arch_thread *to);

/*
 * Let a thread use arch_user_run(): the calling one, or one that has not started.
 * Returns: 0, -ENOMEM. Context: thread.
 */
int arch_thread_prepare_user(struct arch_thread *thread);

/* Free what arch_thread_prepare_user() gave to a thread that has ended. Context: hardirq. */
void arch_thread_destroy(struct arch_thread *thread);

/* ---- cores ----------------------------------------------------------------------------------- */

/* The steps of a core's start, in their order. */
enum cpu_step {
    CPU_STEP_IDLE,       /* nothing was sent */
    CPU_STEP_SENT,       /* INIT and STARTUP were sent to it */
    CPU_STEP_TRAMPOLINE, /* it runs the trampoline, in protected mode */
    CPU_STEP_LONG_MODE,  /* it runs in long mode */
    CPU_STEP_READY,      /* its own machinery is set up; it is idle */
    CPU_STEP_GIVEN_UP,   /* the boot core stopped waiting: should it wake, it halts */
};

/* How many cores the firmware lists as enabled; more than arch_cpu_count() if MAX_CPUS cut them. */
uint32_t arch_cpu_listed(void);

/* The hardware's id of a core, for messages. Context: any. */
uint32_t arch_cpu_hardware_id(cpu_t cpu);

/* What the calling core says of itself, for people. Context: any. */
struct arch_cpu_report {
    char vendor[13]; /* "GenuineIntel" */
    char brand[49];  /* "" if it has none */
    unsigned family, model, stepping;
    unsigned physical_bits, virtual_bits; /* of addresses */
    unsigned cache_line;                  /* bytes */
};
void arch_cpu_report(struct arch_cpu_report *report);

/* Call each(name, arg) for each feature that it has, by the names of Linux. Context: any. */
void arch_cpu_flags(void (*each)(const char *name, void *arg), void *arg);

/*
 * Prepare for starting other cores. Returns: 0, -ENOMEM, or -ENODEV (no memory below 1 MiB, no
 * Local APIC). Context: boot cpu only.
 */
int arch_cpu_start_init(void);

/*
 * Give core `cpu` its memory and its start arguments. A `dead` core gets arguments that no core
 * looks for: it halts in the trampoline without a sign of life (ap_dead=).
 * Returns: 0, -ENOMEM. Context: boot cpu only.
 */
int arch_cpu_prepare(cpu_t cpu, bool dead);

/*
 * Send INIT to a core, which may be before it is prepared: it then waits for a STARTUP.
 * Returns: 0, -EIO (the command could not be sent), -ENODEV (its id cannot be addressed).
 * Context: boot cpu only.
 */
int arch_cpu_send_init(cpu_t cpu);

/* Send STARTUP to a prepared core. Returns: 0 or -EIO. Context: boot cpu only. */
int arch_cpu_send_startup(cpu_t cpu);

/* The step that a prepared core has reached. Context: boot cpu only. */
enum cpu_step arch_cpu_step(cpu_t cpu);

/*
 * Stop waiting for a core unless it became ready just now. Returns: true if it is given up for
 * good. Context: boot cpu only.
 */
bool arch_cpu_give_up(cpu_t cpu);

/* ---- interrupts between cores ---------------------------------------------------------------- */

/* Vectors that the generic rooms use (arch/x86_64/vectors.h cuts all ranges). */
enum {
    ARCH_VECTOR_COUNT = 256,
    ARCH_VECTOR_USER_FIRST = 32,
    ARCH_VECTOR_USER_LAST = 238,
    ARCH_VECTOR_GATE = 128, /* within the users' range, but not theirs */
    ARCH_VECTOR_DEVICE_FIRST = 239,
    ARCH_VECTOR_DEVICE_LAST = 248,
    ARCH_VECTOR_CALL = 251,
    ARCH_VECTOR_RESCHEDULE = 252,
    ARCH_VECTOR_TIMER = 254,
};

/*
 * Send a fixed interrupt. Returns when the interrupt command register is idle again (xAPIC).
 * Returns: 0, or -EIO: the register stayed busy for 10 ms before the write (nothing was sent) or
 * after it (the message has not left).
 * Context: hardirq. Sleeps: no. Locks: none; interrupts are off in between.
 * Source: Intel SDM vol 3A, "Interrupt Command Register (ICR)".
 */
int arch_ipi_send(cpu_t cpu, uint8_t vector);

/* The same for a caller that has interrupts off already. */
int arch_ipi_send_irqs_off(cpu_t cpu, uint8_t vector);

/* The same by shorthand, one write: to all Local APICs, or to all but this core's. */
int arch_ipi_send_all(uint8_t vector);
int arch_ipi_send_others(uint8_t vector);

/*
 * For self-tests: from now on every send finds the command register busy (hold), or works again.
 * Returns: false where there is no such thing as a busy register (x2APIC). Context: thread.
 */
bool arch_ipi_hold(bool hold);

/* Send an NMI to a core. Returns: as arch_ipi_send. Context: any. */
int arch_ipi_send_nmi(cpu_t cpu);

/* As arch_ipi_send(), also from an NMI: one that the NMI interrupted still goes where it was to.
 * Context: any. */
int arch_ipi_send_from_nmi(cpu_t cpu, uint8_t vector);

/* How many NMIs a core has taken that no core had asked for. Context: any. */
uint64_t arch_nmi_count(cpu_t cpu);

/*
 * Stop all other cores by NMI, for good: each notes where it was and halts. Waits at most 100 ms.
 * Context: any. Returns: false if some core did not answer.
 */
bool arch_stop_others(void);

/*
 * For the report of a panic: unless an exception led to it, note where the function with this
 * frame, __builtin_frame_address(0), was called from, and that the flags were `flags` there.
 * Context: any, interrupts off.
 */
void arch_note_caller(const void *frame, uint64_t flags);

/* Log the registers of the exception that led to the panic; without one, those that are known of
 * panic()'s caller. Context: any. */
void arch_print_registers(void);

enum { BACKTRACE_CALLS = 24 }; /* so many are shown of a backtrace */

/* One of the calls that led to where a core is. */
enum arch_call_kind {
    ARCH_CALL_HERE,   /* the core was about to execute the instruction at pc */
    ARCH_CALL_RETURN, /* the instruction before pc called something, which returns to pc */
    ARCH_CALL_USER,   /* as ARCH_CALL_HERE, in ring 3; nothing is known beyond */
};
struct arch_call {
    uintptr_t pc;
    enum arch_call_kind kind;
};

/*
 * The calls that led to where core `cpu` stopped, or, for the calling core, to the place that the
 * panic has noted; innermost first, through interrupts and exceptions. Never faults.
 * Returns: how many (0: nothing is known of that core); max means that there may be more.
 * Context: any. Sleeps: no. Locks: none.
 */
size_t arch_backtrace(cpu_t cpu, struct arch_call *calls, size_t max);

/* Where a running core was when it was asked. */
enum { ARCH_WHERE_CALLS = BACKTRACE_CALLS + 1 };
struct arch_where {
    uintptr_t pc;
    bool in_user, irqs_on;
    size_t count; /* of calls, as arch_backtrace() gives them */
    struct arch_call calls[ARCH_WHERE_CALLS];
};

/*
 * Ask a core by NMI where it is. The answer is there when arch_where_answers() has moved; a second
 * question before that is the same question. Returns: as arch_ipi_send. Context: any.
 */
int arch_ask_where(cpu_t cpu);
uint32_t arch_where_answers(cpu_t cpu);
const struct arch_where *arch_where(cpu_t cpu);

/* The calling core is in an NMI: note where that found it, as if it had been asked. Context: NMI.
 */
void arch_note_where(void);

/* Where a stopped core was. Returns: false if it did not stop. Context: any. */
bool arch_stopped_at(cpu_t cpu, uint64_t *pc, bool *in_user);

/* ---- what a core has counted ----------------------------------------------------------------- */

/* How often core `cpu` has counted `which`; a snapshot; 0 of a core that was never prepared.
 * Context: any. */
uint64_t arch_counter_of(cpu_t cpu, enum arch_counter which);

/* A counter's row in /proc/interrupts: "NMI", "Non-maskable interrupts". Context: any. */
struct arch_counter_row {
    const char *label; /* three letters, Linux's where it has the row */
    const char *what;
};
struct arch_counter_row arch_counter_row(enum arch_counter which);

/* ---- interrupt lines ------------------------------------------------------------------------- */

/* I/O APIC inputs of this machine, all together (0 without an I/O APIC). Context: any. */
uint32_t arch_gsi_count(void);

/* An input and how it asks. */
struct arch_line {
    uint32_t gsi;
    bool level;      /* else edge-triggered */
    bool active_low; /* else active high */
};

/*
 * The line of the ISA interrupt `isa_irq` (0..15), through the firmware's overrides.
 * Returns: 0, -EINVAL (isa_irq), -ENODEV (no I/O APIC has that input; *line says which it would
 * be). Context: any.
 */
int arch_line_of_isa(uint8_t isa_irq, struct arch_line *line);

/* Is there an input `gsi`, and is it not the firmware's own (an SMI)? Context: any. */
bool arch_line_exists(uint32_t gsi);

/*
 * What `pin` (1..4: INTA#..INTD#) of a slot of PCI is wired to, as the MP table says.
 * Returns: 0; -ENOENT (it names other pins of that bus, but not this one); -ENODEV (no pin of that
 * bus, or there is no table). Context: any.
 * Source: Intel MultiProcessor Specification 1.4, "I/O Interrupt Assignment Entries"
 */
int arch_pci_line(uint8_t bus, uint8_t slot, uint8_t pin, struct arch_line *line);

/*
 * Send the line, which exists, to `vector` on core `cpu`; masked or open as it is. The vector is
 * written first, then the destination, each in one write and only if it changes: in between the
 * entry names the new vector and the old core.
 * Context: hardirq. Locks: takes ioapic. Source: Intel 82093AA data sheet, "I/O Redirection Table
 * Registers"
 */
void arch_line_route(const struct arch_line *line, cpu_t cpu, uint8_t vector);

/* Mask the line, or open it. An edge that comes at a masked input is lost. Context: as there. */
void arch_line_mask(uint32_t gsi, bool masked);

/* Is an interrupt of the line on its way to a Local APIC, or, of a level, not ended there yet?
 * Context: as there. */
bool arch_line_in_flight(uint32_t gsi);

/* ---- interrupts of devices ------------------------------------------------------------------- */

/* Can devices address this core? Not with an APIC id over 254: there is no remapping. Context: any.
 */
bool arch_irq_targetable(cpu_t cpu);

/*
 * What a device writes where to interrupt core `cpu` with `vector`. Context: any.
 * Source: Intel SDM vol 3A, "Message Signalled Interrupts"
 */
struct arch_message {
    uint64_t address;
    uint32_t value;
};
struct arch_message arch_message(cpu_t cpu, uint8_t vector);

/* End the interrupt in service on this core. Context: hardirq. */
void arch_irq_eoi(void);

/* End an interrupt that found nothing at its vector, if it is one at all. Context: hardirq. */
void arch_irq_eoi_stray(uint8_t vector);

/* Has this core's Local APIC accepted `vector` and not begun it? Context: any. */
bool arch_irq_waits(uint8_t vector);

/* ---- timer ----------------------------------------------------------------------------------- */

/* This core's one-shot timer: timer_interrupt() in `ns` from now, or a little later; a new call
 * replaces the old. Spans beyond the hardware's end early. Context: hardirq. */
void arch_timer_arm(uint64_t ns);

/* ---- the end --------------------------------------------------------------------------------- */

/* Leave QEMU with this status if the isa-debug-exit device is there; else return. Context: any. */
void arch_debug_exit(uint8_t status);

/* Power off by ACPI S5. Returns only if that failed: -ENODEV (no S5), -EIO. Context: any. */
int arch_power_off(void);

/* Reset the machine by every way there is. Context: any. Never returns. */
__attribute__((noreturn)) void arch_reset(void);

/* ---- doors: what the machine calls in generic code ------------------------------------------- */

/* kmain (main.c): the boot core's list, entered once boot information and GS are there. */
__attribute__((noreturn)) void kmain(const char *cmdline);

/* irq: an interrupt came in at a user's `vector`. Returns: false if it found nothing to do.
 * Context: hardirq. */
bool irq_dispatch(uint32_t vector);

/* irq: one came in at a device's `vector`; it has been ended when this returns. Context: hardirq.
 */
void device_interrupt(uint32_t vector);

/*
 * irq: an interrupt that came while softirqs wait on this core is over, the EOI was sent; asked at
 * the end of each, when softirq_pending is not 0. Turns interrupts on meanwhile, and off again.
 * Context: interrupts off, in no handler.
 */
void softirq_interrupt(void);

/* smp: the call-on-core interrupt. Context: hardirq. */
void smp_call_interrupt(void);

/* smp: an NMI that no core asked for. Context: NMI. Sleeps: no. Locks: none may be taken. */
void nmi_from_outside(void);

/* irq: this core's timer fired. Context: hardirq. */
void timer_interrupt(void);

/* smp: the same, for the watchdog; called before it. Context: hardirq. */
void watchdog_timer_interrupt(void);

/* sched: another core asks this one to look at its run queue. Context: hardirq. */
void reschedule_interrupt(void);

/* smp: a started core is ready; runs on it, never returns. Context: cpu being started. */
__attribute__((noreturn)) void smp_core_main(void);

/*
 * vm: a program, or a user copy, cannot touch the page at `address` of the running thread's space
 * (below ARCH_USER_END). `access` is PROT_R, PROT_W or PROT_X. Context: thread, interrupts on.
 * Sleeps: no. Locks: takes space, heap, frames.
 */
enum vm_fault {
    VM_FAULT_DONE,      /* it can now: do the instruction again */
    VM_FAULT_UNMAPPED,  /* nothing is mapped there */
    VM_FAULT_NO_ACCESS, /* what is there may not be touched so */
    VM_FAULT_GUARD,     /* it is in the guard below the stack */
    VM_FAULT_NO_MEMORY,
};
enum vm_fault vm_page_fault(uintptr_t address, unsigned access);

/* proc: a program did what ends it. Context: thread, interrupts on. Never returns. */
struct user_fault {
    const char *mnemonic, *name; /* "#PF", "page fault" */
    int signal;
    uint64_t pc;
    uint64_t error;
    bool has_address;   /* page fault: the fields below hold */
    uint64_t address;   /* what it tried to reach */
    const char *access; /* "read of", "write to", "execution of" */
    const char *cause;  /* "no page there", "page is not writable", ... */
};
__attribute__((noreturn)) void proc_user_fault(const struct user_fault *fault);

/*
 * syscall: the two gates' tables of functions (syscall/table.asm), which the gates alone use: one
 * entry for each number below ARCH_GATE_CALLS, a power of two. A function gets up to six arguments
 * as C passes them and returns what the program shall find in rax. Context: thread, interrupts on.
 */
enum { ARCH_GATE_CALLS = 512 };

/* syscall: do the work that arch_work_note() told of, before ring 3 goes on. Context: thread,
 * interrupts on. */
void user_return_work(void);

/* syscall: must what was noted meanwhile be done before ring 3 goes on, too? What need not will be
 * done within a millisecond. Context: thread, interrupts off. */
bool user_return_is_urgent(void);
