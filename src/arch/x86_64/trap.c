// SPDX-License-Identifier: MIT
/*
 * The IDT and what is behind it: exceptions become a user_fault or a panic, the kernel's own
 * vectors go to their handlers. All others go to irq_dispatch() (stubs.asm).
 *
 * Source: Intel SDM vol 3A, "Interrupt and Exception Handling", "64-Bit IDT Gate Descriptors".
 */
#include "arch/x86_64/trap.h"

#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/exceptions.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/stop.h"
#include "arch/x86_64/vectors.h"
#include "lib/debug.h"
#include "lib/delay.h"
#include "lib/lock_debug.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/signal.h"

enum {
    SYSRET_BASE = SEL_USER_DATA - 8, /* data at + 8, 64-bit code at + 16 */
    /* TF, IF, DF, NT and AC: the kernel starts with none of them */
    FLAGS_CLEARED_BY_SYSCALL = 1 << 8 | 1 << 9 | 1 << 10 | 1 << 14 | 1 << 18,

    GATE_INTERRUPT = 0x8e, /* present, interrupt gate: IF is cleared */
    GATE_RING3 = 0x60,     /* or'ed in: ring 3 may use it */

    PF_PRESENT = 1 << 0, /* Intel SDM vol 3A, "Page-Fault Error Code" */
    PF_WRITE = 1 << 1,
    PF_USER = 1 << 2,
    PF_RESERVED = 1 << 3,
    PF_FETCH = 1 << 4,
};

/* What arch.h tells the generic rooms of the vectors is what vectors.h cuts. */
_Static_assert((int)ARCH_VECTOR_COUNT == (int)VECTOR_COUNT, "vectors.h");
_Static_assert((int)ARCH_VECTOR_USER_FIRST == (int)VECTOR_USER_FIRST, "vectors.h");
_Static_assert((int)ARCH_VECTOR_USER_LAST == (int)VECTOR_USER_LAST, "vectors.h");
_Static_assert((int)ARCH_VECTOR_GATE == (int)VECTOR_INT80, "vectors.h");
_Static_assert((int)ARCH_VECTOR_CALL == (int)VECTOR_CALL, "vectors.h");
_Static_assert((int)ARCH_VECTOR_DEVICE_FIRST == (int)VECTOR_DEVICE_FIRST &&
                   (int)ARCH_VECTOR_DEVICE_LAST == (int)VECTOR_KERNEL_FIRST - 1,
               "vectors.h");
_Static_assert((int)ARCH_VECTOR_RESCHEDULE == (int)VECTOR_RESCHEDULE, "vectors.h");
_Static_assert((int)ARCH_VECTOR_TIMER == (int)VECTOR_TIMER, "vectors.h");

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "the CPU's format");

struct extable_entry {
    uint64_t fault, fixup;
};
extern const struct extable_entry extable_start[], extable_end[];

extern char syscall_entry[];
extern char trap_stubs[], int80_entry[], nmi_entry[], double_fault_entry[], machine_check_entry[];
extern char debug_entry[];

static struct gate idt[VECTOR_COUNT] __attribute__((aligned(16))); /* I: one for all cores */
static DEFINE_PERCPU(_Atomic uint64_t, nmi_count);
static DEFINE_PERCPU(_Atomic(nmi_function), nmi_asked); /* what the next NMI is to do */
static DEFINE_PERCPU(const struct trap_frame *, nmi_frame);

/* ---- the table ------------------------------------------------------------------------------- */

static void set_gate(unsigned vector, const char *entry, unsigned ist, unsigned type)
{
    uint64_t at = (uint64_t)entry;
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)at,
        .selector = SEL_KERNEL_CODE,
        .ist = (uint8_t)ist,
        .type = (uint8_t)type,
        .offset_middle = (uint16_t)(at >> 16),
        .offset_high = (uint32_t)(at >> 32),
    };
}

void idt_init(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        set_gate(vector, trap_stubs + (size_t)vector * TRAP_STUB_SIZE, IST_NONE, GATE_INTERRUPT);
    set_gate(TRAP_BP, trap_stubs + (size_t)TRAP_BP * TRAP_STUB_SIZE, IST_NONE,
             GATE_INTERRUPT | GATE_RING3);
    set_gate(VECTOR_INT80, int80_entry, IST_NONE, GATE_INTERRUPT | GATE_RING3);
    set_gate(TRAP_NMI, nmi_entry, IST_NONE, GATE_INTERRUPT);
    set_gate(TRAP_DF, double_fault_entry, IST_NONE, GATE_INTERRUPT);
    set_gate(TRAP_MC, machine_check_entry, IST_NONE, GATE_INTERRUPT);
    set_gate(TRAP_DB, debug_entry, IST_NONE, GATE_INTERRUPT);
}

void idt_use_stacks(void)
{
    set_gate(TRAP_NMI, nmi_entry, IST_NMI, GATE_INTERRUPT);
    set_gate(TRAP_DF, double_fault_entry, IST_LAST, GATE_INTERRUPT);
    set_gate(TRAP_MC, machine_check_entry, IST_LAST, GATE_INTERRUPT);
    set_gate(TRAP_DB, debug_entry, IST_LAST, GATE_INTERRUPT);
}

void idt_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

/* ---- exceptions ------------------------------------------------------------------------------ */

static const char *page_fault_access(uint64_t error)
{
    if ((error & PF_FETCH) != 0)
        return "execution of";
    return (error & PF_WRITE) != 0 ? "write to" : "read of";
}

static const char *forbidden_cause(uint64_t error)
{
    if ((error & PF_FETCH) != 0)
        return "the page is not executable";
    return (error & PF_WRITE) != 0 ? "the page is read-only" : "the page may not be read";
}

static const char *page_fault_cause(uint64_t error, uint64_t address)
{
    if ((error & PF_RESERVED) != 0)
        return "a reserved bit is set in the page tables";
    if ((error & PF_USER) != 0 && address >= ARCH_USER_END)
        return "it belongs to the kernel";
    if ((error & PF_PRESENT) == 0)
        return "no page is mapped there";
    return forbidden_cause(error);
}

/* The same of a fault that vm has judged: a page without a frame is not present, whatever its
 * program may do with it. */
static const char *judged_cause(uint64_t error, uint64_t address, enum vm_fault judgement)
{
    switch (judgement) {
    case VM_FAULT_NO_ACCESS:
        return forbidden_cause(error);
    case VM_FAULT_GUARD:
        return "the guard below the stack: the stack has overrun";
    case VM_FAULT_NO_MEMORY:
        return "memory ran out";
    default:
        return page_fault_cause(error, address);
    }
}

/* Where a user copy wants to go on that cannot do the access at `rip`; 0 if none is there. */
static uint64_t find_fixup(uint64_t rip)
{
    for (const struct extable_entry *entry = extable_start; entry < extable_end; entry++) {
        if (entry->fault == rip)
            return entry->fixup;
    }
    return 0;
}

__attribute__((noreturn)) static void user_exception(const struct trap_frame *frame,
                                                     uint64_t address, enum vm_fault judgement)
{
    const struct exception *exception = &exceptions[frame->vector];
    struct user_fault fault = {
        .mnemonic = exception->mnemonic,
        .name = exception->name,
        .signal = exception->signal,
        .pc = frame->rip,
        .error = frame->error,
    };
    if (frame->vector == TRAP_PF) {
        fault.has_address = true;
        fault.address = address;
        fault.access = page_fault_access(frame->error);
        fault.cause = judged_cause(frame->error, address, judgement);
        if (judgement == VM_FAULT_NO_MEMORY)
            fault.signal = SIGNAL_KILL;
    }
    arch_irq_enable();
    proc_user_fault(&fault);
}

/* Whose guard page is at `address`. */
static const char *overrun_stack(uintptr_t address)
{
    uintptr_t end = this_cpu(percpu_irq_stack_top) - INTERRUPT_STACK_BYTES;
    return address < end && address >= end - PAGE_SIZE ? "interrupt" : "kernel";
}

__attribute__((noreturn)) static void kernel_exception(const struct trap_frame *frame,
                                                       uint64_t address)
{
    const struct exception *exception = &exceptions[frame->vector];
    stop_note_frame(frame);
    /* the push that met the guard page is a #PF, which then finds no stack: a #DF */
    if (frame->vector == TRAP_DF && paging_is_guard(read_cr2()))
        panic("%s stack overrun at 0x%llx: #DF double fault at the guard page below it",
              overrun_stack(read_cr2()), (unsigned long long)frame->rip);
    if (frame->vector == TRAP_PF)
        panic("%s %s at 0x%llx: %s 0x%llx, %s", exception->mnemonic, exception->name,
              (unsigned long long)frame->rip, page_fault_access(frame->error),
              (unsigned long long)address,
              paging_is_guard(address) ? "the guard page below a stack"
                                       : page_fault_cause(frame->error, address));
    panic("%s %s (%s %llu, error code 0x%llx) in %s at 0x%llx", exception->mnemonic,
          exception->name, exception_class_name(exception->class),
          (unsigned long long)frame->vector, (unsigned long long)frame->error,
          trap_from_user(frame) ? "ring 3" : "the kernel", (unsigned long long)frame->rip);
}

static void handle_nmi(const struct trap_frame *frame)
{
    if (stop_requested()) {
        stop_note_frame(frame); /* unless it came to grief before */
        stop_here();
    }
    delay_at(DELAY_N3);
    /* step N3; acquire: pairs with step N1: what the asker wrote before is seen */
    nmi_function asked =
        atomic_exchange_explicit(this_cpu_ptr(nmi_asked), NULL, memory_order_acquire);
    if (asked != NULL) {
        asked(frame);
        return;
    }
    delay_at(DELAY_N4);
    atomic_fetch_add_explicit(this_cpu_ptr(nmi_count), 1, memory_order_relaxed); /* step N4 */
    nmi_from_outside();
}

/* models/nmi.pml goes through all interleavings of the steps N1 to N4. */
int trap_ask_by_nmi(cpu_t cpu, nmi_function fn)
{
    delay_at(DELAY_N1);
    /* step N1 */
    if (atomic_exchange_explicit(percpu_of(cpu, nmi_asked), fn, memory_order_release) != NULL)
        return 0;
    delay_at(DELAY_N2);
    int error = arch_ipi_send_nmi(cpu); /* step N2 */
    if (error != 0)                     /* the next one who asks shall try again */
        atomic_store_explicit(percpu_of(cpu, nmi_asked), NULL, memory_order_relaxed);
    return error;
}

const struct trap_frame *trap_nmi_frame(void)
{
    return this_cpu(nmi_frame);
}

uint64_t arch_nmi_count(cpu_t cpu)
{
    return atomic_load_explicit(percpu_of(cpu, nmi_count), memory_order_relaxed);
}

/*
 * An NMI that comes between the sti and the hlt of arch_wait_for_interrupt(), when an interrupt is
 * held off for that one instruction, ends the hold by its iretq: the interrupt comes before the
 * hlt, and the core would halt on the work that it brought. So the hlt is skipped; who waits looks
 * again.
 */
static void skip_halt(struct trap_frame *frame)
{
    enum { STI = 0xfb, HLT = 0xf4 };
    const uint8_t *next = (const uint8_t *)frame->rip; /* NOLINT(performance-no-int-to-ptr) */
    if (!trap_from_user(frame) && next[0] == HLT && next[-1] == STI)
        frame->rip++;
}

static void take_nmi(struct trap_frame *frame)
{
    unsigned entered = DEBUG_KERNEL ? context_enter(CONTEXT_NMI) : 0;
    skip_halt(frame);
    arch_count(ARCH_COUNT_NMI);
    this_cpu(nmi_frame) = frame; /* NMIs do not nest */
    handle_nmi(frame);
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_NMI, entered);
}

/* Let vm look at a fault at a program's address. Interrupts are off before and after. */
static enum vm_fault ask_vm(uint64_t error, uint64_t address)
{
    unsigned access = (error & PF_WRITE) != 0 ? PROT_W : PROT_R;
    arch_irq_enable();
    enum vm_fault judgement = vm_page_fault(address, (error & PF_FETCH) != 0 ? PROT_X : access);
    arch_irq_disable();
    return judgement;
}

/*
 * A program, or a user copy, touched a page that is not there, or not for that. A copy that was
 * made with interrupts off may hold a lock that vm would take, and ends here.
 */
static void page_fault(struct trap_frame *frame)
{
    uint64_t address = read_cr2();
    bool from_user = trap_from_user(frame);
    /* beyond, it is the kernel's side of the copy: a bug, not an error */
    uint64_t fixup = from_user || address >= ARCH_USER_END ? 0 : find_fixup(frame->rip);
    if (!from_user && fixup == 0)
        kernel_exception(frame, address);
    enum vm_fault judgement = VM_FAULT_UNMAPPED;
    if (address < ARCH_USER_END && (frame->error & PF_RESERVED) == 0 &&
        (frame->rflags & X86_FLAGS_IF) != 0)
        judgement = ask_vm(frame->error, address);
    if (from_user && judgement != VM_FAULT_DONE)
        user_exception(frame, address, judgement);
    if (from_user)
        trap_return_work(frame); /* interrupts were on: the thread's slice may have ended */
    else if (judgement != VM_FAULT_DONE)
        frame->rip = fixup;
}

void trap_dispatch(struct trap_frame *frame)
{
    if (frame->vector == TRAP_NMI)
        take_nmi(frame);
    else if (frame->vector == TRAP_PF)
        page_fault(frame);
    else if (trap_from_user(frame) && exceptions[frame->vector].signal != 0)
        user_exception(frame, 0, VM_FAULT_UNMAPPED);
    else
        kernel_exception(frame, 0);
}

/* ---- interrupts ------------------------------------------------------------------------------ */

void interrupt_without_work(uint32_t vector)
{
    arch_count(ARCH_COUNT_MISSED);
    if (lapic_in_service((uint8_t)vector))
        lapic_eoi();
}

uint64_t arch_counter_of(cpu_t cpu, enum arch_counter which)
{
    return (*percpu_of(cpu, percpu_counters))[which];
}

struct arch_counter_row arch_counter_row(enum arch_counter which)
{
    static const struct arch_counter_row rows[ARCH_COUNTERS] = {
        [ARCH_COUNT_NMI] = {"NMI", "Non-maskable interrupts"},
        [ARCH_COUNT_TIMER] = {"LOC", "Local timer interrupts"},
        [ARCH_COUNT_RESCHEDULE] = {"RES", "Rescheduling interrupts"},
        [ARCH_COUNT_CALL] = {"CAL", "Function call interrupts"},
        [ARCH_COUNT_TLB] = {"TLB", "TLB shootdowns"},
        [ARCH_COUNT_ERROR] = {"ERR", "Local APIC errors"},
        [ARCH_COUNT_MISSED] = {"MIS", "Interrupts that found nothing to do"},
        [ARCH_COUNT_SPURIOUS] = {"SPU", "Spurious interrupts"},
    };
    return rows[which];
}

static void handle_kernel_interrupt(uint32_t vector)
{
    switch (vector) {
    case VECTOR_TIMER:
        arch_count(ARCH_COUNT_TIMER);
        lapic_eoi();
        watchdog_timer_interrupt();
        timer_interrupt();
        break;
    case VECTOR_CALL:
        arch_count(ARCH_COUNT_CALL);
        delay_at(DELAY_A1);
        lapic_eoi(); /* step A1; first, so that others of this class do not wait for the calls */
        smp_call_interrupt();
        break;
    case VECTOR_RESCHEDULE:
        arch_count(ARCH_COUNT_RESCHEDULE);
        lapic_eoi();
        reschedule_interrupt();
        break;
    case VECTOR_LAPIC_ERROR:
        arch_count(ARCH_COUNT_ERROR);
        lapic_error_interrupt();
        lapic_eoi();
        break;
    case VECTOR_SPURIOUS:
        arch_count(ARCH_COUNT_SPURIOUS);
        break; /* no EOI: Intel SDM vol 3A, "Spurious Interrupt" */
    default:
        interrupt_without_work(vector);
        break;
    }
}

void kernel_interrupt(uint32_t vector)
{
    unsigned entered = DEBUG_KERNEL ? context_enter_interrupt() : 0;
    handle_kernel_interrupt(vector);
    if (DEBUG_KERNEL)
        context_leave(CONTEXT_HARDIRQ, entered);
}

void gate_check(void)
{
    ASSERT_IRQS_ON();
    ASSERT_THREAD();
    ASSERT((uintptr_t)__builtin_frame_address(0) % 16 == 0); /* C may rely on it */
    lock_debug_none("goes to ring 3");
}

void trap_return_work(struct trap_frame *frame)
{
    (void)frame; /* nobody changes it yet */
    while (arch_work_due()) {
        arch_work_begin();
        arch_irq_enable();
        user_return_work();
        arch_irq_disable();
        if (!user_return_is_urgent())
            break;
    }
}

/* Intel SDM vol 3A, "Fast System Calls in 64-Bit Mode". sysret's selectors follow from its base. */
void syscall_gate_init(void)
{
    wrmsr(MSR_STAR, (uint64_t)SYSRET_BASE << 48 | (uint64_t)SEL_KERNEL_CODE << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_FMASK, FLAGS_CLEARED_BY_SYSCALL);
}
