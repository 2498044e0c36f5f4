// SPDX-License-Identifier: MIT
/*
 * Starting the other cores: the machine's half. Which core is started when, and how long it is
 * waited for, is decided in smp/cores.c.
 *
 * Source: Intel SDM vol 3A, "MP Initialization Protocol Algorithm for MP Systems".
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/x86_64/ap_boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpus.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/memory.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/page.h"

enum {
    SLOT_PAGES = (MAX_CPUS * sizeof(struct ap_slot) + PAGE_SIZE - 1) / PAGE_SIZE,
    TABLE_PAGES = 4,
    KERNEL_STACK_BYTES = 16 << 10,
};

extern char ap_trampoline_start[], ap_trampoline_end[], ap_trampoline_args[];

static paddr_t trampoline = PADDR_NONE; /* I: its code page; the slots and tables follow */
static struct ap_slot *slots;           /* I: through the direct map, by core index */

static void fill_trampoline(void)
{
    char *code = arch_direct(trampoline);
    memcpy(code, ap_trampoline_start, (size_t)(ap_trampoline_end - ap_trampoline_start));
    struct ap_trampoline_args args;
    char *place = code + (ap_trampoline_args - ap_trampoline_start);
    memcpy(&args, place, sizeof(args));
    args.cr3 = (uint32_t)paging_trampoline_root(trampoline + (1 + SLOT_PAGES) * PAGE_SIZE,
                                                trampoline, 1 + SLOT_PAGES);
    args.efer = cpu_features.nx ? (uint32_t)EFER_NXE : 0;
    args.slot_count = arch_cpu_count();
    args.gdt_base += (uint32_t)trampoline;
    args.protected_mode += (uint32_t)trampoline;
    args.long_mode += (uint32_t)trampoline;
    memcpy(place, &args, sizeof(args));
}

int arch_cpu_start_init(void)
{
    trampoline = memory_take_low(1 + SLOT_PAGES + TABLE_PAGES);
    if (trampoline == PADDR_NONE)
        return -ENODEV;
    slots = arch_direct(trampoline + PAGE_SIZE);
    for (cpu_t cpu = 0; cpu < MAX_CPUS; cpu++) {
        slots[cpu].apic_id = AP_SLOT_NOBODY;
        slots[cpu].cpu = cpu;
        atomic_init(&slots[cpu].step, CPU_STEP_IDLE);
    }
    fill_trampoline();
    return 0;
}

int arch_cpu_prepare(cpu_t cpu, bool dead)
{
    void *stack = arch_stack_alloc(KERNEL_STACK_BYTES);
    if (stack == NULL || cpu_area_alloc(cpu) != 0)
        return -ENOMEM;
    struct ap_slot *slot = &slots[cpu];
    slot->stack_top = (uint64_t)stack;
    slot->apic_id = dead ? AP_SLOT_NOBODY : cpus_apic_id(cpu);
    /* release: the core reads the rest of its slot after it has seen this step */
    atomic_store_explicit(&slot->step, CPU_STEP_SENT, memory_order_release);
    return 0;
}

int arch_cpu_send_init(cpu_t cpu)
{
    if (cpus_apic_id(cpu) > lapic_id_max())
        return -ENODEV;
    return lapic_send_init(cpus_apic_id(cpu));
}

int arch_cpu_send_startup(cpu_t cpu)
{
    return lapic_send_startup(cpus_apic_id(cpu), (uint8_t)(trampoline >> PAGE_SHIFT));
}

enum cpu_step arch_cpu_step(cpu_t cpu)
{
    if (slots == NULL)
        return CPU_STEP_IDLE;
    /* acquire: pairs with the core's own advance to CPU_STEP_READY */
    return atomic_load_explicit(&slots[cpu].step, memory_order_acquire);
}

bool arch_cpu_give_up(cpu_t cpu)
{
    uint32_t step = atomic_load_explicit(&slots[cpu].step, memory_order_acquire);
    /* the core advances the same word: whoever is first decides, and the other sees it */
    while (step != CPU_STEP_READY) {
        if (atomic_compare_exchange_weak_explicit(&slots[cpu].step, &step, CPU_STEP_GIVEN_UP,
                                                  memory_order_acq_rel, memory_order_acquire))
            return true;
    }
    return false;
}

void ap_entry(struct ap_slot *slot)
{
    write_cr3(paging_kernel_root());
    /* the identity mapping is gone: from here on the slot is reached through the direct map */
    slot = arch_direct((paddr_t)slot);
    cpu_area_use(slot->cpu);
    if (!cpu_control_init() || lapic_init_cpu() != 0)
        arch_halt_forever(); /* the boot core says that it did not come online */
    page_cpu_init();
    uint32_t step = CPU_STEP_LONG_MODE;
    if (!atomic_compare_exchange_strong_explicit(&slot->step, &step, CPU_STEP_READY,
                                                 memory_order_acq_rel, memory_order_acquire))
        arch_halt_forever();
    smp_core_main();
}
