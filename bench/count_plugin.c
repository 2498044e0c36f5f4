// SPDX-License-Identifier: MIT
/*
 * A TCG plugin for QEMU: which instructions were executed between two addresses, and by which core.
 *
 *     -plugin count_plugin.so,out=FILE,at=32,fault=ENTRY,mark=FROM:TO,mark=FROM:TO...
 *
 * When a core comes to FROM, counting begins, on all cores; when a core, that one or another, comes
 * to TO, it ends. FROM itself is counted, TO is not. FILE gets, for each mark and each time it was
 * passed,
 *
 *     pass MARK TIME COUNT COUNT ...        the instructions of each core
 *
 * and for the pass number `at` also a line for each instruction in the order of execution,
 *
 *     step MARK CORE ADDRESS
 *
 * A page fault is taken before its instruction has done anything, and the instruction is executed
 * again behind it; QEMU tells of both. With the kernel's ENTRY for page faults given, the first is
 * taken off the counts, as QEMU's clock does not count it either. The steps have both.
 *
 * It is a witness that the guest does not control. Debian ships no header for plugins, so what is
 * used of the interface (QEMU, "QEMU TCG Plugins", version 1) is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t id,
                                                      struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            void (*cb)(unsigned core, void *data),
                                            enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
                                    void (*cb)(qemu_plugin_id_t id, void *data), void *data);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                               char **argv);

enum { MARKS_MAX = 32, CORES_MAX = 256, STEPS_MAX = 1 << 20 };

struct mark {
    uint64_t from, to;
    unsigned passes;
};

static struct mark marks[MARKS_MAX];
static unsigned mark_count;
static unsigned detailed_pass;
static uint64_t fault_entry;
static FILE *out;

static int running = -1; /* the mark that is being counted */
static uint64_t counts[CORES_MAX];
static unsigned cores_seen;
static struct {
    unsigned core;
    uint64_t address;
} steps[STEPS_MAX];
static unsigned step_count;

static void begin(unsigned mark)
{
    running = (int)mark;
    memset(counts, 0, sizeof(counts));
    step_count = 0;
}

static void end(void)
{
    struct mark *mark = &marks[running];
    fprintf(out, "pass %d %u", running, mark->passes);
    for (unsigned core = 0; core < cores_seen; core++)
        fprintf(out, " %" PRIu64, counts[core]);
    fputc('\n', out);
    for (unsigned i = 0; mark->passes == detailed_pass && i < step_count; i++)
        fprintf(out, "step %d %u %#" PRIx64 "\n", running, steps[i].core, steps[i].address);
    mark->passes++;
    running = -1;
}

static void executed(unsigned core, void *data)
{
    uint64_t address = (uint64_t)(uintptr_t)data;
    if (core >= cores_seen)
        cores_seen = core + 1;
    if (running >= 0 && address == marks[running].to)
        end();
    for (unsigned i = 0; running < 0 && i < mark_count; i++) {
        if (address == marks[i].from)
            begin(i);
    }
    if (running < 0)
        return;
    if (address != fault_entry) /* else this one for that one */
        counts[core]++;
    if (step_count < STEPS_MAX) {
        steps[step_count].core = core;
        steps[step_count++].address = address;
    }
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        void *address = (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, QEMU_PLUGIN_CB_NO_REGS, address);
    }
}

static void close_output(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    fclose(out);
}

/* Returns: false if the argument makes no sense. */
static bool take_argument(const char *argument)
{
    struct mark *mark = &marks[mark_count];
    if (sscanf(argument, "fault=%" SCNx64, &fault_entry) == 1)
        return true;
    if (strncmp(argument, "out=", 4) == 0)
        return (out = fopen(argument + 4, "w")) != NULL;
    if (sscanf(argument, "at=%u", &detailed_pass) == 1)
        return true;
    if (mark_count == MARKS_MAX ||
        sscanf(argument, "mark=%" SCNx64 ":%" SCNx64, &mark->from, &mark->to) != 2)
        return false;
    mark_count++;
    return true;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!take_argument(argv[i])) {
            fprintf(stderr, "count_plugin: cannot use '%s'\n", argv[i]);
            return -1;
        }
    }
    if (out == NULL) {
        fprintf(stderr, "count_plugin: out= is missing\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, close_output, NULL);
    return 0;
}
