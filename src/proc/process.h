// SPDX-License-Identifier: MIT
/*
 * The process: one program from its file to its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sched/thread.h"
#include "vm/space.h"

enum { PROCESS_NAME_MAX = 16, PROCESS_INIT_PID = 1 };

/* How a program ended. */
struct process_end {
    bool by_signal;
    int value; /* the status 0..255, or the signal */
};

struct process {
    int pid;
    char name[PROCESS_NAME_MAX]; /* the last part of its path, cut */
    struct space *space;
    struct process_end end;
};

/*
 * Load the program at `path` and run it, as the calling thread, to its end. argv[0] is the path,
 * then come `argc` further words. Returns: 0 and *end; else nothing was run and the log says why:
 * -ENOENT, -EISDIR, -EACCES (not executable), -ENOEXEC, -ENOMEM, -E2BIG (arguments), or what
 * memfs_open() gives. Context: thread, interrupts on.
 */
int process_run(const char *path, const char *const *args, size_t argc, struct process_end *end);

/*
 * Run a process whose space holds a program already, on the calling thread, to process->end. The
 * space stays the caller's. Context: thread, interrupts on, after arch_thread_prepare_user().
 */
void process_run_loaded(struct process *process, uintptr_t entry, uintptr_t stack);

/* The calling thread's process. Context: thread, in a system call. */
static inline struct process *process_current(void)
{
    return thread_current()->process;
}

/* End the calling process with a status (its low byte counts). Context: thread. Never returns. */
__attribute__((noreturn)) void process_exit(int status);
