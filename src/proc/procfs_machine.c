// SPDX-License-Identifier: MIT
/*
 * The files of /proc about the machine as a whole.
 *
 * Source: Linux man-pages, proc(5), for the form of each file that Linux has as well
 */
#include "arch/arch.h"
#include "fs/procfs.h"
#include "irq/irq.h"
#include "lib/wall_clock.h"
#include "mm/page.h"
#include "proc/kmsg.h"
#include "proc/process.h"
#include "proc/procfs_files.h"
#include "proc/procfs_parts.h"
#include "proc/system_name.h"
#include "sched/thread.h"
#include "smp/cores.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_HUNDREDTH UINT64_C(10000000)
enum { KIB = 1024, HUNDRED = 100, THOUSAND = 1000, US_PER_S = 1000000 };

/* ---- cpuinfo --------------------------------------------------------------------------------- */

static void put_flag(const char *name, void *arg)
{
    procfs_printf(arg, " %s", name);
}

static void put_processor(struct procfs_text *text, cpu_t cpu, const struct arch_cpu_report *core)
{
    uint64_t khz = NS_PER_S * US_PER_S / arch_ticks_to_ns(NS_PER_S);
    unsigned id = arch_cpu_hardware_id(cpu);
    procfs_printf(text, "processor\t: %u\n", cpu);
    procfs_printf(text, "vendor_id\t: %s\n", core->vendor);
    procfs_printf(text, "cpu family\t: %u\n", core->family);
    procfs_printf(text, "model\t\t: %u\n", core->model);
    procfs_printf(text, "model name\t: %s\n", core->brand[0] != '\0' ? core->brand : "unknown");
    procfs_printf(text, "stepping\t: %u\n", core->stepping);
    procfs_printf(text, "cpu MHz\t\t: %llu.%03llu\n", (unsigned long long)khz / THOUSAND,
                  (unsigned long long)khz % THOUSAND);
    procfs_printf(text, "apicid\t\t: %u\n", id);
    procfs_printf(text, "flags\t\t:");
    arch_cpu_flags(put_flag, text);
    procfs_printf(text, "\nclflush size\t: %u\n", core->cache_line);
    procfs_printf(text, "address sizes\t: %u bits physical, %u bits virtual\n\n",
                  core->physical_bits, core->virtual_bits);
}

/* All cores are taken to be of the kind of the one that reads this. */
static int show_cpuinfo(struct procfs_text *text, void *data)
{
    (void)data;
    struct arch_cpu_report core;
    arch_cpu_report(&core);
    cpumask_for_each (cpu, &smp_online)
        put_processor(text, cpu, &core);
    return 0;
}

/* ---- cores ----------------------------------------------------------------------------------- */

static int show_cores(struct procfs_text *text, void *data)
{
    (void)data;
    procfs_puts(text, "core  apicid  state         ticks\n");
    for (cpu_t cpu = 0; cpu < arch_cpu_count(); cpu++)
        procfs_printf(text, "%4u  %6u  %-7s  %10llu\n", cpu, arch_cpu_hardware_id(cpu),
                      cpumask_test(&smp_online, cpu) ? "online" : "offline",
                      (unsigned long long)arch_counter_of(cpu, ARCH_COUNT_TIMER));
    return 0;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void put_kib(struct procfs_text *text, const char *name, uint64_t kib)
{
    procfs_printf(text, "%-16s%8llu kB\n", name, (unsigned long long)kib);
}

/* Files lie in memory and can go nowhere else, so none of it is a cache. */
static int show_meminfo(struct procfs_text *text, void *data)
{
    (void)data;
    uint64_t free = page_count_free() * (PAGE_SIZE / KIB);
    put_kib(text, "MemTotal:", arch_memory_usable() / KIB);
    put_kib(text, "MemFree:", free);
    put_kib(text, "MemAvailable:", free);
    put_kib(text, "Buffers:", 0);
    put_kib(text, "Cached:", 0);
    put_kib(text, "SwapCached:", 0);
    put_kib(text, "SwapTotal:", 0);
    put_kib(text, "SwapFree:", 0);
    return 0;
}

/* ---- time ------------------------------------------------------------------------------------ */

static void put_hundredths(struct procfs_text *text, uint64_t ns, char end)
{
    uint64_t hundredths = ns / NS_PER_HUNDREDTH;
    procfs_printf(text, "%llu.%02llu%c", (unsigned long long)hundredths / HUNDRED,
                  (unsigned long long)hundredths % HUNDRED, end);
}

static int show_uptime(struct procfs_text *text, void *data)
{
    (void)data;
    uint64_t idle_ns = 0;
    cpumask_for_each (cpu, &smp_online)
        idle_ns += sched_stats_of(cpu).idle_ns;
    put_hundredths(text, arch_clock_ns(), ' ');
    put_hundredths(text, idle_ns, '\n');
    return 0;
}

static uint32_t count_ready(void)
{
    uint32_t ready = 0;
    cpumask_for_each (cpu, &smp_online)
        ready += sched_stats_of(cpu).ready;
    return ready;
}

/* The averages are 0: nobody counts them. The last field is the newest process, ended or not. */
static int show_loadavg(struct procfs_text *text, void *data)
{
    (void)data;
    procfs_printf(text, "0.00 0.00 0.00 %u/%u %d\n", count_ready(), process_count(),
                  process_newest());
    return 0;
}

/* ---- stat ------------------------------------------------------------------------------------ */

/* user nice system idle iowait irq softirq steal guest guest_nice: of these, three are known. */
static void put_times(struct procfs_text *text, const struct sched_stats *stats)
{
    procfs_printf(text, "%llu 0 %llu %llu 0 0 0 0 0 0\n",
                  (unsigned long long)procfs_ticks(stats->program_ns),
                  (unsigned long long)procfs_ticks(stats->kernel_ns),
                  (unsigned long long)procfs_ticks(stats->idle_ns));
}

static struct sched_stats put_cores(struct procfs_text *text)
{
    struct sched_stats all = {0};
    cpumask_for_each (cpu, &smp_online) {
        struct sched_stats stats = sched_stats_of(cpu);
        all.switches += stats.switches;
        all.program_ns += stats.program_ns;
        all.kernel_ns += stats.kernel_ns;
        all.idle_ns += stats.idle_ns;
        all.ready += stats.ready;
    }
    procfs_puts(text, "cpu  ");
    put_times(text, &all);
    cpumask_for_each (cpu, &smp_online) {
        struct sched_stats stats = sched_stats_of(cpu);
        procfs_printf(text, "cpu%u ", cpu);
        put_times(text, &stats);
    }
    return all;
}

static uint64_t count_irq(uint32_t irq)
{
    uint64_t sum = 0;
    cpumask_for_each (cpu, &smp_online)
        sum += irq_stat_of(irq, cpu).interrupts;
    return sum;
}

/* All interrupts, those of the kernel's own vectors too, and then each irq's. */
static void put_interrupts(struct procfs_text *text)
{
    uint64_t all = 0;
    for (uint32_t irq = 0; irq < irq_limit(); irq++)
        all += count_irq(irq);
    cpumask_for_each (cpu, &smp_online) {
        for (int which = 0; which < ARCH_COUNTERS; which++)
            all += which != ARCH_COUNT_TLB ? arch_counter_of(cpu, which) : 0; /* a call's part */
    }
    procfs_printf(text, "intr %llu", (unsigned long long)all);
    for (uint32_t irq = 0; irq < irq_limit(); irq++)
        procfs_printf(text, " %llu", (unsigned long long)count_irq(irq));
    procfs_puts(text, "\n");
}

static int show_stat(struct procfs_text *text, void *data)
{
    (void)data;
    struct sched_stats all = put_cores(text);
    put_interrupts(text);
    procfs_printf(
        text, "ctxt %llu\nbtime %llu\nprocesses %llu\nprocs_running %u\nprocs_blocked 0\n",
        (unsigned long long)all.switches, (unsigned long long)(wall_clock_boot_ns() / NS_PER_S),
        (unsigned long long)process_count_started(), all.ready);
    return 0;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int show_version(struct procfs_text *text, void *data)
{
    (void)data;
    procfs_puts(text, SYSTEM_NAME " version " SYSTEM_RELEASE " (gcc " __VERSION__
                                  ") " SYSTEM_VERSION "\n");
    return 0;
}

static int show_line(struct procfs_text *text, void *line)
{
    procfs_puts(text, line);
    procfs_puts(text, "\n");
    return 0;
}

void procfs_fill_machine(const char *cmdline)
{
    static const struct procfs_ops cpuinfo = {.show = show_cpuinfo}, cores = {.show = show_cores},
                                   meminfo = {.show = show_meminfo}, uptime = {.show = show_uptime},
                                   loadavg = {.show = show_loadavg}, stat = {.show = show_stat},
                                   version = {.show = show_version}, line = {.show = show_line},
                                   kmsg = {.open = kmsg_open};
    (void)procfs_create("cpuinfo", &cpuinfo, NULL);
    (void)procfs_create("cores", &cores, NULL);
    (void)procfs_create("meminfo", &meminfo, NULL);
    (void)procfs_create("uptime", &uptime, NULL);
    (void)procfs_create("loadavg", &loadavg, NULL);
    (void)procfs_create("stat", &stat, NULL);
    (void)procfs_create("version", &version, NULL);
    (void)procfs_create("cmdline", &line, (void *)(uintptr_t)cmdline);
    (void)procfs_create("kmsg", &kmsg, NULL);
}

void procfs_fill(const char *cmdline)
{
    if (procfs_init() != 0)
        return; /* it has said so */
    procfs_fill_machine(cmdline);
    procfs_fill_processes();
    procfs_fill_irqs();
    procfs_fill_ipis();
}
