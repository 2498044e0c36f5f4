// SPDX-License-Identifier: MIT
/*
 * Processes: programs from their start to the moment when somebody has been told how they ended.
 * docs/processes.md is the page about them.
 *
 * A process is one thread, an address space, descriptors and a working directory. Its thread runs
 * process code in the kernel, on top of which ring 3 runs; a system call that ends the process or
 * replaces its program drops back there.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/list.h"
#include "proc/loader.h"
#include "proc/signals.h"
#include "sched/thread.h"
#include "vm/space.h"

struct fd_table;
struct file;
struct memfs_node;
struct net_queue;
struct tty;

enum {
    PROCESS_NAME_MAX = 16,
    PROCESS_INIT_PID = 1,
    PROCESSES_MAX = 4096,
    PROCESS_UMASK = 022, /* what the first one begins with */
};

/* How a program ended. */
struct process_end {
    bool by_signal;
    int value; /* the status 0..255, or the signal */
};

/* Who is told of its end, and what else depends on it. */
enum process_kind {
    PROCESS_CHILD,    /* its parent, by process_wait() */
    PROCESS_DETACHED, /* nobody; the machine's end waits for it for a while */
};

/* P: its own thread's alone. L: the lock of all processes (process.c). R: its own thread's, which
 * changes it with that lock, so that reports may look. */
struct process {
    int pid;                       /* I */
    unsigned umask;                /* P: permission bits that new files do not get */
    uint64_t mark;                 /* I: no other process ever has it */
    uint64_t started_ns;           /* I */
    char name[PROCESS_NAME_MAX];   /* R: the last part of its program's path, cut */
    struct thread *thread;         /* I: with a reference */
    struct fd_table *files;        /* P */
    struct memfs_node *cwd;        /* P: with a reference */
    struct tty *tty;               /* P: its terminal (proc/tty.h); NULL in self-tests */
    struct space *space;           /* R: with a reference; perhaps shared after vfork */
    struct program program;        /* R: what runs, or is to run next */
    struct arch_user_state *state; /* P: where a vfork child begins */
    struct signals signals;        /* P */
    struct net_queue *frames;      /* P: received frames; NULL: it asked for none */
    struct process_end end;        /* P, until has_ended */

    struct process *next;         /* L: in its chain, by number (process.c) */
    struct process *parent;       /* L: NULL: nobody asks how it ended */
    struct list_node children;    /* L */
    struct list_node sibling;     /* L: among its parent's children */
    bool has_started;             /* L: its thread can be found */
    bool has_ended;               /* L */
    bool detached;                /* L */
    bool has_next;                /* P: execve has put the next one into `program` */
    cpu_t slot;                   /* I: the core whose slot it has, or CPU_NONE */
    struct thread *borrowed_from; /* P: whose space and slice it has: its vfork parent's, or NULL */
    _Atomic bool has_let_go;      /* of them */
    struct wait_queue changed;    /* a child has ended; or it has let go */
};

/* The calling thread's process. Context: thread, in a system call. */
static inline struct process *process_current(void)
{
    return thread_current()->process;
}

/* ---- beginnings ------------------------------------------------------------------------------ */

/*
 * What a new program is to be run with. The affinity is that of its thread (NULL: any core).
 */
struct process_start {
    struct file *file; /* the program; stays the caller's */
    const char *path;  /* for its name and messages */
    const struct arguments *arguments;
    const struct cpumask *affinity;
    enum process_kind kind;
    cpu_t slot; /* the core whose slot it takes, or CPU_NONE */
};

/*
 * Start a program in a process of its own, which gets the caller's descriptors 0 to 2 and working
 * directory.
 * Returns: its number; as program_check(), program_load(); -EBUSY (the slot is taken), -ENOMEM.
 * Context: thread, in a system call. Sleeps: yes.
 */
long process_spawn(const struct process_start *start);

/*
 * Start a process that goes on from the calling one's system call, which returns 0 there, in the
 * same address space; return when it has let go of that (process_exec or its end). `stack`, unless
 * 0, is its stack pointer.
 * Returns: its number, -ENOMEM. Context: thread, in a system call. Sleeps: yes.
 */
long process_vfork(uintptr_t stack);

/*
 * Load the program that the calling process is to run in place of its own; process_exec_commit()
 * begins it, when the caller has given back what it holds: the system call that it is in never
 * ends. Returns: 0; after an error all is as before: as program_check(), program_load(). Context:
 * thread, in a system call. Sleeps: yes.
 */
int process_exec_prepare(struct file *file, const char *path, const struct arguments *arguments);
__attribute__((noreturn)) void process_exec_commit(void);

/* ---- ends ------------------------------------------------------------------------------------ */

/* End the calling process with a status (its low byte counts). Context: thread. Never returns. */
__attribute__((noreturn)) void process_exit(int status);

/* End it by a signal. Context: thread, in a system call or an exception. Never returns. */
__attribute__((noreturn)) void process_kill_self(int signal);

/*
 * Wait until a child has ended, and forget it. `pid`: its number, or -1: any child.
 * Returns: its number and *end; 0 if it has not ended and `no_hang`; -ECHILD (no such child).
 * Context: thread, in a system call. Sleeps: yes, unless no_hang.
 */
long process_wait(int pid, bool no_hang, struct process_end *end);

/* ---- others ---------------------------------------------------------------------------------- */

/* The thread of process `pid` (0: the calling one), with a reference. Returns: it, or NULL.
 * Context: thread. */
struct thread *process_thread(int pid);

/* The number of the calling process's parent; 1 if that has ended, 0 for init. Context: thread. */
int process_parent_pid(void);

/* How many processes there are, and how many have been started since the boot. Context: any. */
unsigned process_count(void);
uint64_t process_count_started(void);

/*
 * For reports. A process's mark is a number that no other process ever has.
 *
 * process_mark: that of `pid`, or 0 if there is no such process. process_next: the lowest pid from
 * `from` (0 or more) on that there is, or -1.
 * Context: thread. Sleeps: no. Locks: takes processes.
 */
uint64_t process_mark(int pid);

/* The number that was given last, whether or not that process has ended. Context: as above. */
int process_newest(void);
int process_next(int from);

struct process_report {
    int pid, parent;
    char name[PROCESS_NAME_MAX];
    bool has_ended; /* nobody has asked how yet; `thread` and `space` are NULL */
    uint64_t started_ns;
    struct thread *thread; /* with a reference */
    struct space *space;   /* with a reference */
    struct program program;
};

/*
 * How a process is now; process_report_put() gives the references back.
 * Returns: 0, -ESRCH. Context: thread. Locks: takes processes. Sleeps: no; put: yes.
 */
int process_report(int pid, struct process_report *report);
void process_report_put(struct process_report *report);

/* ---- the first one, and the end of all ------------------------------------------------------- */

/*
 * Run the first program to its end, or until shutdown_request() (proc/shutdown.h). argv[0] is the
 * path, then come `argc` further words. It begins on the calling core and may run on all.
 * Returns: 0 and *end; else nothing was run and the log says why: -ENOENT, -EISDIR, -EACCES,
 * -ENOEXEC, -ENOMEM, -E2BIG, or another error of opening a file. Context: thread. Sleeps: yes.
 */
int process_run_init(const char *path, const char *const *args, size_t argc,
                     struct process_end *end);

/*
 * Wait until all PROCESS_DETACHED ones have ended.
 * Returns: false if that takes longer. Context: thread. Sleeps: yes.
 */
bool process_wait_detached(uint64_t timeout_ns);

/*
 * For self-tests: run a process, of which `space` holds a program already, on the calling thread,
 * to process->end. The space stays the caller's. Context: thread, interrupts on, after
 * arch_thread_prepare_user().
 */
void process_run_loaded(struct process *process, uintptr_t entry, uintptr_t stack);
