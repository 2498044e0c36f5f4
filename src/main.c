// SPDX-License-Identifier: MIT
/*
 * The kernel's life, read aloud: the boot core's list, the other cores' list, and the end.
 */
#include "arch/arch.h"
#include "drivers/e1000.h"
#include "drivers/hpet.h"
#include "drivers/i8042.h"
#include "drivers/pci.h"
#include "drivers/pit.h"
#include "drivers/rtc.h"
#include "drivers/screen.h"
#include "drivers/serial.h"
#include "fs/device.h"
#include "fs/memfs.h"
#include "fs/rtc_device.h"
#include "irq/irq.h"
#include "irq/tasklet.h"
#include "irq/timer.h"
#include "lib/backtrace.h"
#include "lib/console.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/lock_debug.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/params.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "mm/page.h"
#include "net/device.h"
#include "proc/process.h"
#include "proc/procfs_files.h"
#include "proc/procfs_net.h"
#include "proc/shutdown.h"
#include "proc/tty.h"
#include "sched/irq_thread.h"
#include "sched/ksoftirqd.h"
#include "sched/kthreadd.h"
#include "sched/thread.h"
#include "sched/workqueue.h"
#include "smp/call.h"
#include "smp/cores.h"
#include "smp/ipi.h"
#include "smp/warp.h"
#include "smp/watchdog.h"

enum {
    EXIT_STATUS_MAX = 120, /* what debugexit can tell of a program's status */
    EXIT_SIGNAL = 121,
    EXIT_PANIC = 122,
    END_WAIT_MS = 5000,
    KIB = 1024,
};
#define NS_PER_MS UINT64_C(1000000)

static struct params params;

/* ---- a panic's second half ------------------------------------------------------------------- */

static void stop_for_panic(void)
{
    (void)arch_stop_others(); /* the report says which did not */
}

static void report_panic(void)
{
    arch_print_registers();
    backtrace_log(arch_cpu());
    if (DEBUG_KERNEL)
        lock_debug_log(arch_cpu());
    log_flush_in_panic();
    bool all = arch_stop_others();
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++) {
        uint64_t pc;
        bool in_user;
        if (cpu == arch_cpu() || !cpumask_test(&smp_online, cpu))
            continue;
        if (arch_stopped_at(cpu, &pc, &in_user))
            log_line(LOG_EMERG, "core %u was at %#llx, in %s", cpu, (unsigned long long)pc,
                     in_user ? "ring 3" : "the kernel");
        else
            log_line(LOG_EMERG, "core %u did not stop", cpu);
        backtrace_log(cpu);
        if (DEBUG_KERNEL)
            lock_debug_log(cpu);
        log_flush_in_panic(); /* many cores' backtraces are more than the ring holds */
    }
    log_show_hidden_in_panic();
    log_line(LOG_EMERG, "panic: end of report%s", all ? "" : "; not all cores have stopped");
}

static const char *power_off_trouble(int error)
{
    return error == -ENODEV ? "this machine offers no ACPI S5" : "ACPI S5 has no effect";
}

/* Returns only if it failed; then it has said so. */
static void power_off(void)
{
    int error = arch_power_off();
    console_line("power off: %s; all cores halt", power_off_trouble(error));
    console_flush();
}

__attribute__((noreturn)) static void end_panic(void)
{
    console_flush();
    if (params.debugexit)
        arch_debug_exit(EXIT_PANIC);
    if (params.panic == PARAM_PANIC_REBOOT)
        arch_reset();
    if (params.panic == PARAM_PANIC_OFF)
        power_off();
    arch_halt_forever();
}

/* ---- parts of the list ----------------------------------------------------------------------- */

static void report_parameters(void)
{
    size_t listed =
        params.problem_count < PARAMS_PROBLEMS_MAX ? params.problem_count : PARAMS_PROBLEMS_MAX;
    for (size_t i = 0; i < listed; i++)
        log_warn("parameters: %s %s: passed over",
                 params.problems[i].what == PARAM_UNKNOWN ? "unknown" : "bad value in",
                 params.problems[i].word);
    if (params.problem_count > listed)
        log_warn("parameters: %zu more words passed over", params.problem_count - listed);
    if (params.cut || arch_boot_cmdline_cut())
        log_warn("parameters: the command line is too long; what is behind byte %d was cut",
                 PARAMS_TEXT_MAX - 1);
    if (params.init_args_cut)
        log_warn("parameters: more than %d arguments for init: the rest was cut", PARAMS_ARGS_MAX);
}

static void start_consoles(void)
{
    for (size_t i = 0; i < params.console_count; i++)
        console_select(params_console_name(params.consoles[i]));
    for (unsigned port = 0; port < SERIAL_PORTS; port++)
        (void)serial_init(port, params.console_baud[PARAM_CONSOLE_TTYS0 + port]);
}

static bool is_named(enum param_console console)
{
    bool named = false;
    for (size_t i = 0; i < params.console_count; i++)
        named = named || params.consoles[i] == console;
    return named;
}

/* What the command line names and the machine has not got. */
static void report_consoles(void)
{
    for (size_t i = 0; i < params.console_count; i++) {
        const char *name = params_console_name(params.consoles[i]);
        if (console_find(name) == NULL)
            log_warn("console: there is no %s", name);
    }
    console_selection_ends();
}

static void start_interrupts(void)
{
    if (irq_init() != 0 || irq_cpu_prepare(0) != 0)
        panic("not enough memory for the interrupt tables");
    timer_open_softirq();
    tasklet_start();
    smp_init();
    call_init();
    sched_core_init();
    irq_thread_init();
    arch_irq_enable();
    if (DEBUG_KERNEL)
        lock_debug_irqs_open();
    ipi_scan_start();
}

static void report_unpacking(const struct memfs_unpack_report *report)
{
    for (size_t i = 0; i < report->skip_kinds; i++) {
        const struct memfs_skip *skip = &report->skips[i];
        log_warn("initrd: %llu entries passed over: %s (first: \"%s\" at offset %zu)",
                 (unsigned long long)skip->count, skip->why, skip->name, skip->offset);
    }
    if (report->error != NULL)
        log_err("initrd: %s at offset %zu: what came before it is used", report->error,
                report->error_offset);
    log_info("initrd: %llu entries, %llu bytes", (unsigned long long)report->files,
             (unsigned long long)report->bytes);
}

static void unpack_initrd(void)
{
    static struct memfs_unpack_report report;
    if (memfs_init() != 0)
        panic("not enough memory for the file system's root");
    if (arch_boot_module_count() == 0) {
        log_err("initrd: the boot loader brought no module: the file system is empty");
        return;
    }
    if (arch_boot_module_count() > 1)
        log_warn("initrd: only the first of %zu modules is used", arch_boot_module_count());
    size_t size;
    const void *data = arch_boot_module(0, &size);
    (void)memfs_unpack_tar(data, size, &report);
    report_unpacking(&report);
    for (size_t i = 0; i < arch_boot_module_count(); i++)
        arch_boot_module_release(i);
}

/* All that is not free counts as taken, whoever has it (docs/memory.md lists them). */
static void report_memory(void)
{
    uint64_t total = arch_memory_usable() / KIB;
    uint64_t free = page_count_free() * (PAGE_SIZE / KIB);
    log_info("memory: total %llu KiB, taken %llu KiB, free %llu KiB", (unsigned long long)total,
             (unsigned long long)(total - free), (unsigned long long)free);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Say how it ended, leave QEMU if asked to, else power off. */
__attribute__((noreturn)) static void shut_down(const char *what, struct process_end end)
{
    if (end.by_signal)
        console_line("%s: killed by signal %d", what, end.value);
    else
        console_line("%s: exited with status %d", what, end.value);
    console_flush();
    if (params.debugexit && end.by_signal)
        arch_debug_exit(EXIT_SIGNAL);
    else if (params.debugexit)
        arch_debug_exit((uint8_t)(end.value < EXIT_STATUS_MAX ? end.value : EXIT_STATUS_MAX));

    power_off();
    (void)arch_stop_others();
    arch_halt_forever();
}

__attribute__((noreturn)) static void run_selftests(void *arg)
{
    (void)arg;
    int failed = selftest_run(params.selftest_name[0] == '\0' ? NULL : params.selftest_name);
    shut_down("selftest", (struct process_end){.value = failed == 0 ? 0 : 1});
}

/* What a program asked for in place of init's end. */
__attribute__((noreturn)) static void obey(enum shutdown how)
{
    console_line("%s", how == SHUTDOWN_RESTART ? "restart"
                       : how == SHUTDOWN_HALT  ? "halt"
                                               : "power off");
    console_flush();
    if (how == SHUTDOWN_RESTART)
        arch_reset();
    if (params.debugexit)
        arch_debug_exit(0);
    if (how == SHUTDOWN_POWER_OFF)
        power_off();
    (void)arch_stop_others();
    arch_halt_forever();
}

static void prepare_files(void)
{
    unpack_initrd(); /* needs: the boot modules */
    if (tty_init() != 0)
        panic("not enough memory for the terminal");
    (void)rtc_device_init();      /* needs: the clock registered */
    if (fs_create_devices() != 0) /* needs: the archive unpacked, the devices registered */
        log_err("initrd: some of /dev could not be made");
    procfs_fill(arch_boot_cmdline()); /* needs: the archive unpacked */
    procfs_net_create();              /* needs: /proc, the cards */
    report_memory();
    log_settle(); /* the boot's lines stand before the program's */
}

__attribute__((noreturn)) static void run_init(void *arg)
{
    struct process_end end = {0};
    (void)arg;
    prepare_files();
    if (process_run_init(params.init, params.init_args, params.init_arg_count, &end) != 0)
        panic("no init: %s could not be started", params.init);
    if (!process_wait_detached(END_WAIT_MS * NS_PER_MS))
        log_err("some programs have not ended within %d ms", END_WAIT_MS);
    if (!ipi_wait_quiet(END_WAIT_MS * NS_PER_MS))
        log_err("ipi: some rings were not taken within %d ms", END_WAIT_MS);
    if (!tty_close_output(END_WAIT_MS * NS_PER_MS))
        log_err("some programs' output has not ended within %d ms", END_WAIT_MS);
    if (shutdown_requested() != SHUTDOWN_NONE)
        obey(shutdown_requested());
    shut_down("init", end);
}

/* ---- the lists ------------------------------------------------------------------------------- */

static void idle_work(void)
{
    while (core_job_run())
        continue;
    log_drain();
}

/* What every core but the boot core does, once it is online. */
__attribute__((noreturn)) static void core_main(void)
{
    sched_core_init();
    sched_idle(idle_work);
}

/* Threads for what handlers leave undone. */
static void start_kernel_threads(void)
{
    if (kthreadd_start() != 0 || workqueue_start() != 0)
        panic("not enough memory for the kernel's own threads");
    ksoftirqd_start();
}

/* The first thread: on the boot core, since self-tests count on that and a program may as well. */
static void start_first_thread(void)
{
    void (*fn)(void *) = params.selftest ? run_selftests : run_init;
    struct thread *first = thread_create_on(0, params.selftest ? "selftest" : "init", fn, NULL);
    if (first == NULL)
        panic("not enough memory for the first thread");
    thread_put(first);
}

static const struct panic_hooks panic_hooks = {
    .stop = stop_for_panic,
    .report = report_panic,
    .end = end_panic,
};

void kmain(const char *cmdline)
{
    params_parse(cmdline, &params);
    panic_set_hooks(&panic_hooks);
    log_set_console_level((int)params.loglevel);
    log_info("Carillon");
    if (DEBUG_KERNEL)
        log_info("debug: the kernel's own rules are checked while it runs");
    start_consoles();
    /* can print */

    report_parameters();
    arch_init_cpu();    /* exceptions are reported from here on */
    arch_init_memory(); /* needs: the loader's memory map */
    /* can allocate */

    (void)screen_init(is_named(PARAM_CONSOLE_TTY0)); /* needs: mappings, the heap */

    arch_init_platform(&params); /* needs: mappings */
    arch_init_clock(&params);    /* needs: ACPI's tables */
    start_interrupts();          /* needs: the number of cores and of interrupt lines */
    /* can take interrupts */

    report_consoles();
    for (unsigned port = 0; port < SERIAL_PORTS; port++)
        (void)serial_start(port);       /* needs: the irqs, timers */
    (void)i8042_init(screen_console()); /* needs: the irqs */
    (void)rtc_init();                   /* needs: the firmware's tables */
    (void)pit_init();                   /* needs: the lines of the I/O APICs */
    (void)hpet_init();                  /* needs: the same */
    (void)pci_scan();                   /* needs: that no other core uses a device */
    smp_start_cores(&(struct smp_params){.maxcpus = params.maxcpus,
                                         .init_udelay_us = params.init_udelay_us,
                                         .ap_dead = &params.ap_dead},
                    core_main); /* needs: the clock, interrupts */
    sched_wait_for_cores();
    watchdog_start(params.watchdog_s, sched_is_idle); /* needs: all cores that will be online */
    irq_spread();                                     /* needs: all cores that will be online */
    /* other cores run */

    warp_check();           /* needs: all cores that will be online */
    start_kernel_threads(); /* needs: cores that run threads */
    net_init();             /* needs: the softirqs */
    e1000_register();       /* before pci_probe(), which comes here */
    pci_probe(); /* needs: cores for the devices' interrupts, workqueues for their works */
    log_drain();
    start_first_thread(); /* needs: everything */
    sched_idle(idle_work);
}
