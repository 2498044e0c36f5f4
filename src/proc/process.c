// SPDX-License-Identifier: MIT
/*
 * One process for each thread that calls process_run(): ring 3 runs on top of that call and its end
 * returns there.
 */
#include "proc/process.h"

#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/signal.h"
#include "lib/text.h"
#include "proc/loader.h"
#include "sched/thread.h"

static const char *signal_name(int signal)
{
    switch (signal) {
    case SIGNAL_ILL:
        return "SIGILL";
    case SIGNAL_TRAP:
        return "SIGTRAP";
    case SIGNAL_BUS:
        return "SIGBUS";
    case SIGNAL_FPE:
        return "SIGFPE";
    case SIGNAL_KILL:
        return "SIGKILL";
    case SIGNAL_SEGV:
        return "SIGSEGV";
    default:
        return "signal";
    }
}

static void set_name(struct process *process, const char *path)
{
    const char *last = path;
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == '/' && p[1] != '\0')
            last = p + 1;
    }
    (void)text_copy(process->name, last, sizeof(process->name));
}

void process_run_loaded(struct process *process, uintptr_t entry, uintptr_t stack)
{
    struct thread *self = thread_current();
    self->process = process;
    thread_use_space(&process->space->tlb);
    arch_user_run(entry, stack);
    thread_use_space(&tlb_kernel);
    self->process = NULL;
}

int process_run(const char *path, const char *const *args, size_t argc, struct process_end *end)
{
    ASSERT_THREAD();
    struct process process = {.pid = PROCESS_INIT_PID};
    struct loaded_program program;
    set_name(&process, path);
    process.space = space_create();
    if (process.space == NULL) {
        log_err("%s: not enough memory for its address space", path);
        return -ENOMEM;
    }
    int error = arch_thread_prepare_user();
    if (error == 0)
        error = program_load(path, args, argc, process.space, &program);
    if (error == 0) {
        process_run_loaded(&process, program.entry, program.stack);
        *end = process.end;
    }
    space_put(process.space);
    return error;
}

__attribute__((noreturn)) static void end_process(struct process_end end)
{
    process_current()->end = end;
    arch_user_exit();
}

void process_exit(int status)
{
    end_process((struct process_end){.by_signal = false, .value = status & 0xff});
}

void proc_user_fault(const struct user_fault *fault)
{
    const struct process *process = process_current();
    char where[96] = "";
    if (fault->has_address)
        (void)snprintf(where, sizeof(where), ": %s 0x%llx, %s", fault->access,
                       (unsigned long long)fault->address, fault->cause);
    else if (fault->error != 0)
        (void)snprintf(where, sizeof(where), ": error code 0x%llx",
                       (unsigned long long)fault->error);
    log_err("%s[%d]: killed by %s on core %u: %s %s at rip 0x%llx%s", process->name, process->pid,
            signal_name(fault->signal), arch_cpu(), fault->mnemonic, fault->name,
            (unsigned long long)fault->pc, where);
    end_process((struct process_end){.by_signal = true, .value = fault->signal});
}
