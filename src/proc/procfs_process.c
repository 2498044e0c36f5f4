// SPDX-License-Identifier: MIT
/*
 * /proc/self and the directories of processes. What nobody counts is 0.
 *
 * Source: Linux man-pages, proc(5)
 */
#include "fs/procfs.h"
#include "lib/cpumask_text.h"
#include "lib/errno.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "proc/procfs_parts.h"
#include "sched/thread.h"
#include "vm/space.h"

enum { KIB = 1024, PIECE = 256, MAPS_NAME_COLUMN = 73 };

/* ---- what is common -------------------------------------------------------------------------- */

/* Make a text of a report. Returns: 0, -ESRCH. */
typedef void put_fn(struct procfs_text *text, const struct process_report *report);

static int with_report(struct procfs_text *text, void *data, put_fn *put)
{
    struct process_report report;
    int error = process_report((int)procfs_number(data), &report);
    if (error != 0)
        return error;
    put(text, &report);
    process_report_put(&report);
    return 0;
}

static struct thread_report thread_of(const struct process_report *report)
{
    return report->thread != NULL ? thread_report(report->thread)
                                  : (struct thread_report){.state = THREAD_DEAD};
}

static char state_of(const struct thread_report *thread)
{
    return thread->state == THREAD_READY ? 'R' : thread->state == THREAD_BLOCKED ? 'S' : 'Z';
}

/* Bytes of all regions. */
static uint64_t size_of(struct space *space)
{
    uint64_t bytes = 0;
    struct region region;
    for (uintptr_t at = 0; space != NULL && space_next_region(space, at, &region); at = region.end)
        bytes += region.kind != REGION_GUARD ? region.end - region.start : 0;
    return bytes;
}

static uint64_t pages_of(struct space *space)
{
    return space != NULL ? space_pages(space) : 0;
}

/* ---- stat ------------------------------------------------------------------------------------ */

static void put_zeros(struct procfs_text *text, int count)
{
    while (count-- > 0)
        procfs_puts(text, " 0");
}

/* The numbers are those of the fields in proc(5). */
static void put_stat(struct procfs_text *text, const struct process_report *report)
{
    struct thread_report thread = thread_of(report);
    procfs_printf(text, "%d (%s) %c %d", report->pid, report->name, state_of(&thread),
                  report->parent);
    put_zeros(text, 9);                                                            /* 5..13 */
    procfs_printf(text, " %llu", (unsigned long long)procfs_ticks(thread.ran_ns)); /* 14: utime */
    put_zeros(text, 3);                                                            /* 15..17 */
    procfs_printf(text, " 20 0 1 0 %llu",                                          /* 18..22 */
                  (unsigned long long)procfs_ticks(report->started_ns));
    procfs_printf(text, " %llu %llu", (unsigned long long)size_of(report->space), /* 23, 24 */
                  (unsigned long long)pages_of(report->space));
    put_zeros(text, 13);                       /* 25..37 */
    procfs_printf(text, " 17 %u", thread.cpu); /* 38, 39 */
    put_zeros(text, 8);                        /* 40..47 */
    bool known = report->space != NULL && report->program.space == report->space;
    uint64_t args = known ? report->program.arguments : 0;
    uint64_t env = known ? report->program.environment : 0;
    procfs_printf(text, " %llu %llu %llu %llu 0\n", (unsigned long long)args, /* 48..52 */
                  (unsigned long long)(args + (known ? report->program.argument_bytes : 0)),
                  (unsigned long long)env,
                  (unsigned long long)(env + (known ? report->program.environment_bytes : 0)));
}

static int show_stat(struct procfs_text *text, void *data)
{
    return with_report(text, data, put_stat);
}

/* ---- status ---------------------------------------------------------------------------------- */

static void put_cores(struct procfs_text *text, struct thread *thread)
{
    char hex[CPUMASK_HEX_MAX];
    struct cpumask mask = {0};
    char *list = heap_alloc(CPUMASK_LIST_MAX, ALLOC_USER);
    if (thread != NULL)
        thread_get_affinity(thread, &mask);
    cpumask_format_hex(&mask, arch_cpu_count(), hex);
    procfs_printf(text, "Cpus_allowed:\t%s\n", hex);
    if (list == NULL) {
        text->failed = true;
        return;
    }
    cpumask_format_list(&mask, arch_cpu_count(), list);
    procfs_puts(text, "Cpus_allowed_list:\t");
    procfs_puts(text, list);
    procfs_puts(text, "\n");
    heap_free(list);
}

static void put_status(struct procfs_text *text, const struct process_report *report)
{
    struct thread_report thread = thread_of(report);
    char state = state_of(&thread);
    procfs_printf(text, "Name:\t%s\nState:\t%c (%s)\n", report->name, state,
                  state == 'R'   ? "running"
                  : state == 'S' ? "sleeping"
                                 : "zombie");
    procfs_printf(text, "Tgid:\t%d\nPid:\t%d\nPPid:\t%d\n", report->pid, report->pid,
                  report->parent);
    procfs_puts(text, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
    procfs_printf(text, "VmSize:\t%8llu kB\nVmRSS:\t%8llu kB\nThreads:\t1\n",
                  (unsigned long long)(size_of(report->space) / KIB),
                  (unsigned long long)(pages_of(report->space) * (PAGE_SIZE / KIB)));
    put_cores(text, report->thread);
}

static int show_status(struct procfs_text *text, void *data)
{
    return with_report(text, data, put_status);
}

/* ---- cmdline, comm --------------------------------------------------------------------------- */

/* What the program made of its arguments' memory since is shown, as on Linux. */
static void put_cmdline(struct procfs_text *text, const struct process_report *report)
{
    char piece[PIECE];
    const struct program *program = &report->program;
    if (report->space == NULL || program->space != report->space)
        return; /* it has ended, or is just becoming another program */
    for (size_t done = 0; done < program->argument_bytes; done += sizeof(piece)) {
        size_t left = program->argument_bytes - done;
        size_t bytes = left < sizeof(piece) ? left : sizeof(piece);
        if (space_read(report->space, program->arguments + done, piece, bytes) != 0)
            return; /* it has unmapped its stack */
        procfs_append(text, piece, bytes);
    }
}

static int show_cmdline(struct procfs_text *text, void *data)
{
    return with_report(text, data, put_cmdline);
}

static void put_comm(struct procfs_text *text, const struct process_report *report)
{
    procfs_printf(text, "%s\n", report->name);
}

static int show_comm(struct procfs_text *text, void *data)
{
    return with_report(text, data, put_comm);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static const char *name_of(const struct region *region, const struct process_report *report)
{
    switch ((enum region_kind)region->kind) {
    case REGION_IMAGE:
        return report->name;
    case REGION_HEAP:
        return "[heap]";
    case REGION_STACK:
        return "[stack]";
    case REGION_ANONYMOUS:
    case REGION_GUARD:
        break;
    }
    return "";
}

static void put_region(struct procfs_text *text, const struct region *region, const char *name)
{
    char line[MAPS_NAME_COLUMN + 1];
    bool readable = (region->prot & PROT_NO_ACCESS) == 0;
    (void)snprintf(line, sizeof(line), "%08llx-%08llx %c%c%cp 00000000 00:00 0 ",
                   (unsigned long long)region->start, (unsigned long long)region->end,
                   readable ? 'r' : '-', readable && (region->prot & PROT_W) != 0 ? 'w' : '-',
                   readable && (region->prot & PROT_X) != 0 ? 'x' : '-');
    if (name[0] == '\0')
        procfs_printf(text, "%s\n", line);
    else
        procfs_printf(text, "%-*s%s\n", MAPS_NAME_COLUMN, line, name);
}

static void put_maps(struct procfs_text *text, const struct process_report *report)
{
    struct region region;
    struct space *space = report->space;
    for (uintptr_t at = 0; space != NULL && space_next_region(space, at, &region);
         at = region.end) {
        if (region.kind != REGION_GUARD)
            put_region(text, &region, name_of(&region, report));
    }
}

static int show_maps(struct procfs_text *text, void *data)
{
    return with_report(text, data, put_maps);
}

/* ---- the directories ------------------------------------------------------------------------- */

static uint64_t mark_of(uint32_t number)
{
    return number <= INT32_MAX ? process_mark((int)number) : 0;
}

static uint32_t next_pid(uint32_t from)
{
    int pid = from <= INT32_MAX ? process_next((int)from) : -1;
    return pid >= 0 ? (uint32_t)pid : PROCFS_NO_NUMBER;
}

static void put_self(void *data, char *buf, size_t size)
{
    (void)data;
    const struct process *self = process_current();
    (void)snprintf(buf, size, "%d", self != NULL ? self->pid : 0);
}

void procfs_fill_processes(void)
{
    static const struct procfs_ops stat = {.show = show_stat}, status = {.show = show_status},
                                   cmdline = {.show = show_cmdline}, comm = {.show = show_comm},
                                   maps = {.show = show_maps};
    static const struct procfs_entry entries[] = {
        {.name = "stat", .ops = &stat},       {.name = "status", .ops = &status},
        {.name = "cmdline", .ops = &cmdline}, {.name = "comm", .ops = &comm},
        {.name = "maps", .ops = &maps},       {0},
    };
    static const struct procfs_numbers processes = {
        .mark = mark_of, .next = next_pid, .entries = entries};
    (void)procfs_create_link("self", put_self, NULL);
    (void)procfs_create_numbers("", &processes);
}
