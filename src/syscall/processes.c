// SPDX-License-Identifier: MIT
/*
 * The calls that begin, end and look after processes, and that say where they run.
 *
 * Context: thread, interrupts on, for all of this file. Sleeps: where the call says so.
 */
#include "arch/arch.h"
#include "fs/fd.h"
#include "fs/file.h"
#include "fs/memfs.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/signal.h"
#include "proc/process.h"
#include "sched/thread.h"
#include "smp/cores.h"
#include "syscall/linux.h"
#include "syscall/path.h"
#include "syscall_proto.h"
#include "vm/user_copy.h"

/* ---- who ------------------------------------------------------------------------------------- */

long sys_getpid(void)
{
    return process_current()->pid;
}

long sys_getppid(void)
{
    return process_parent_pid();
}

/* A process has one thread, which has its number. */
long sys_gettid(void)
{
    return process_current()->pid;
}

/* Nobody clears the word at `at` when the thread ends: no other thread could wait for that. */
long sys_set_tid_address(uintptr_t at)
{
    (void)at;
    return process_current()->pid;
}

/* Everybody is root. */
long sys_getuid(void)
{
    return LINUX_ROOT;
}

enum { /* asm/prctl.h */
       ARCH_SET_FS = 0x1002,
       ARCH_GET_FS = 0x1003,
};

long sys_arch_prctl(int code, uintptr_t address)
{
    uintptr_t base = arch_user_tls();
    switch (code) {
    case ARCH_SET_FS:
        return arch_user_set_tls(address) ? 0 : -EPERM;
    case ARCH_GET_FS:
        return copy_to_user(address, &base, sizeof(base));
    default:
        return -EINVAL;
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

long sys_exit(int status)
{
    process_exit(status);
}

enum { /* bits/waitflags.h */
       WNOHANG = 1,
       WAIT_OPTIONS = 1 | 2 | 8, /* no hang, stopped ones too, continued ones too: nothing stops */
       STATUS_SHIFT = 8,
       EXIT_BY_SIGNAL = 128, /* what a shell adds to the signal */
};

long sys_wait4(int pid, uintptr_t status_at, int options, uintptr_t usage_at)
{
    static const struct linux_rusage no_usage;
    struct process_end end;
    if ((options & ~WAIT_OPTIONS) != 0)
        return -EINVAL;
    /* 0 and less than -1 mean process groups: there is one */
    long child = process_wait(pid > 0 ? pid : -1, (options & WNOHANG) != 0, &end);
    if (child <= 0)
        return child;
    int32_t status = end.by_signal ? end.value : end.value << STATUS_SHIFT;
    if (status_at != 0 && copy_to_user(status_at, &status, sizeof(status)) != 0)
        return -EFAULT;
    if (usage_at != 0 && copy_to_user(usage_at, &no_usage, sizeof(no_usage)) != 0)
        return -EFAULT;
    return child;
}

/* ---- beginnings ------------------------------------------------------------------------------ */

long sys_vfork(void)
{
    return process_vfork(0);
}

enum { /* linux/sched.h */
       CLONE_VM = 0x100,
       CLONE_VFORK = 0x4000,
};

/* What posix_spawn() asks for is a vfork with a stack of its own. */
long sys_clone(uint64_t flags, uintptr_t stack, uintptr_t parent_tid, uintptr_t child_tid,
               uintptr_t tls)
{
    (void)parent_tid, (void)child_tid, (void)tls;
    if (flags != (CLONE_VM | CLONE_VFORK | SIGNAL_CHLD))
        return -ENOSYS;
    return process_vfork(stack);
}

static int get_arguments(struct arguments *arguments, uintptr_t argv, uintptr_t envp)
{
    int error = arguments_add_user(arguments, argv);
    if (error == 0 && arguments->argc == 0)
        error = arguments_add(arguments, ""); /* as on Linux: argv[0] is always there */
    return error == 0 ? arguments_add_user_environment(arguments, envp) : error;
}

static int exec_prepare(const struct user_path *path, uintptr_t argv, uintptr_t envp)
{
    struct arguments arguments = {0};
    struct file *file;
    int error = memfs_open(path->dir, path->text, O_RDONLY, 0, &file);
    if (error != 0)
        return error;
    error = get_arguments(&arguments, argv, envp);
    if (error == 0)
        error = process_exec_prepare(file, path->text, &arguments);
    arguments_free(&arguments);
    file_put(file);
    return error;
}

long sys_execve(uintptr_t path, uintptr_t argv, uintptr_t envp)
{
    struct user_path at;
    int error = user_path_begin(&at, AT_FDCWD, path);
    if (error != 0)
        return error;
    error = exec_prepare(&at, argv, envp);
    user_path_end(&at);
    if (error == 0)
        process_exec_commit();
    return error == -EISDIR ? -EACCES : error;
}

/*
 * Start the program that a descriptor stands for, as the int 0x80 gate's calls do: argv[0] is the
 * path by which it was opened. The descriptor is closed, whatever comes of it.
 */
static long start_fd(int fd, const struct cpumask *affinity, enum process_kind kind, cpu_t slot)
{
    struct process *self = process_current();
    struct arguments arguments = {0};
    struct file *file;
    long result = fd_get(self->files, fd, &file);
    if (result != 0)
        return result;
    (void)fd_close(self->files, fd);
    struct process_start start = {
        .file = file,
        .path = file->path != NULL ? file->path : "",
        .arguments = &arguments,
        .affinity = affinity,
        .kind = kind,
        .slot = slot,
    };
    result = arguments_add(&arguments, start.path);
    if (result == 0)
        result = arguments_add_environment_block(&arguments, self->program.environment,
                                                 self->program.environment_bytes);
    if (result == 0)
        result = process_spawn(&start);
    arguments_free(&arguments);
    file_put(file);
    return result == -EISDIR ? -EACCES : result;
}

long sys_exec(int fd)
{
    struct cpumask affinity;
    struct process_end end;
    thread_get_affinity(thread_current(), &affinity);
    long pid = start_fd(fd, &affinity, PROCESS_CHILD, CPU_NONE);
    if (pid < 0)
        return pid;
    pid = process_wait((int)pid, false, &end);
    if (pid < 0)
        return pid;
    return end.by_signal ? EXIT_BY_SIGNAL + end.value : end.value;
}

long sys_enq_task(int fd)
{
    struct cpumask affinity;
    thread_get_affinity(thread_current(), &affinity);
    long pid = start_fd(fd, &affinity, PROCESS_DETACHED, CPU_NONE);
    return pid < 0 ? pid : 0;
}

/* The order of errors is the contract's: the arguments' form, the core, then the file. */
long sys_exec_ap(int fd, int core)
{
    struct cpumask one = {0};
    struct fd_table *files = process_current()->files;
    long error = core < 0 || (cpu_t)core >= arch_cpu_count() ? -EINVAL : 0;
    if (error == 0 && fd_get_cloexec(files, fd) < 0)
        error = -EBADF;
    if (error == 0 && !cpumask_test(&smp_online, (cpu_t)core))
        error = -ENXIO;
    if (error != 0) {
        (void)fd_close(files, fd);
        return error;
    }
    cpumask_set(&one, (cpu_t)core);
    long pid = start_fd(fd, &one, PROCESS_DETACHED, (cpu_t)core);
    return pid < 0 ? pid : 0;
}

/* ---- signals --------------------------------------------------------------------------------- */

enum { /* asm-generic/signal-defs.h, asm/signal.h */
       SIG_BLOCK = 0,
       SIG_UNBLOCK = 1,
       SIG_SETMASK = 2,
};

/* Of what Linux has there the kernel looks at the handler alone. */
struct linux_sigaction {
    uint64_t handler; /* 0: the default, 1: ignore, else a function */
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

long sys_rt_sigaction(int signal, uintptr_t action_at, uintptr_t old_at, size_t set_bytes)
{
    struct linux_sigaction action = {0}, old = {0};
    if (set_bytes != sizeof(uint64_t) || signal < 1 || signal > SIGNAL_MAX)
        return -EINVAL;
    if (action_at != 0 && copy_from_user(&action, action_at, sizeof(action)) != 0)
        return -EFAULT;
    if (action.handler > 1)
        return sys_none(); /* there are no handlers yet */
    old.handler = process_current()->signals.ignored >> (signal - 1) & 1;
    int error = action_at != 0 ? signal_ignore(signal, action.handler == 1) : 0;
    if (error == 0 && old_at != 0)
        error = copy_to_user(old_at, &old, sizeof(old));
    return error;
}

long sys_rt_sigprocmask(int how, uintptr_t set_at, uintptr_t old_at, size_t set_bytes)
{
    uint64_t set, old = process_current()->signals.blocked;
    if (set_bytes != sizeof(set) || (set_at != 0 && (how < SIG_BLOCK || how > SIG_SETMASK)))
        return -EINVAL;
    if (set_at != 0 && copy_from_user(&set, set_at, sizeof(set)) != 0)
        return -EFAULT;
    if (old_at != 0 && copy_to_user(old_at, &old, sizeof(old)) != 0)
        return -EFAULT;
    if (set_at == 0)
        return 0;
    signals_block(how == SIG_BLOCK ? old | set : how == SIG_UNBLOCK ? old & ~set : set);
    return 0;
}

/* Only to itself: for others a signal would have to find them in the middle of something. */
long sys_kill(int pid, int signal)
{
    if (signal < 0 || signal > SIGNAL_MAX)
        return -EINVAL;
    struct thread *thread = pid < 0 ? NULL : process_thread(pid);
    if (thread == NULL)
        return -ESRCH;
    bool is_self = thread == thread_current();
    thread_put(thread);
    if (signal == 0)
        return 0;
    return is_self ? signal_self(signal) : sys_none();
}

long sys_tkill(int tid, int signal)
{
    return tid <= 0 ? -EINVAL : sys_kill(tid, signal);
}

long sys_tgkill(int pid, int tid, int signal)
{
    return pid <= 0 || pid != tid ? -EINVAL : sys_tkill(tid, signal);
}

/* ---- where ----------------------------------------------------------------------------------- */

long sys_sched_yield(void)
{
    thread_yield();
    return 0;
}

long sys_getcpu(uintptr_t cpu_at, uintptr_t node_at, uintptr_t unused)
{
    (void)unused;
    uint32_t cpu = arch_cpu(), node = 0;
    if (cpu_at != 0 && copy_to_user(cpu_at, &cpu, sizeof(cpu)) != 0)
        return -EFAULT;
    if (node_at != 0 && copy_to_user(node_at, &node, sizeof(node)) != 0)
        return -EFAULT;
    return 0;
}

/* Bytes of a mask of all cores: whole words. */
static size_t mask_bytes(void)
{
    return (arch_cpu_count() + 63) / 64 * sizeof(uint64_t);
}

long sys_sched_setaffinity(int pid, size_t size, uintptr_t mask_at)
{
    struct cpumask mask = {0};
    uint64_t words[CPUMASK_WORDS] = {0};
    size_t bytes = size < mask_bytes() ? size : mask_bytes();
    if (copy_from_user(words, mask_at, bytes) != 0)
        return -EFAULT;
    cpumask_for_each (cpu, &smp_online) {
        if ((words[cpu / 64] >> (cpu % 64) & 1) != 0)
            cpumask_set(&mask, cpu);
    }
    if (pid < 0)
        return -EINVAL;
    struct thread *thread = process_thread(pid);
    if (thread == NULL)
        return -ESRCH;
    int error = thread_set_affinity(thread, &mask); /* none of them online: -EINVAL */
    thread_put(thread);
    return error;
}

long sys_sched_getaffinity(int pid, size_t size, uintptr_t mask_at)
{
    struct cpumask mask;
    uint64_t words[CPUMASK_WORDS] = {0};
    if (size < mask_bytes() || size % sizeof(uint64_t) != 0 || pid < 0)
        return -EINVAL;
    struct thread *thread = process_thread(pid);
    if (thread == NULL)
        return -ESRCH;
    thread_get_affinity(thread, &mask);
    thread_put(thread);
    cpumask_for_each (cpu, &mask) {
        if (cpumask_test(&smp_online, cpu))
            words[cpu / 64] |= UINT64_C(1) << (cpu % 64);
    }
    if (copy_to_user(mask_at, words, mask_bytes()) != 0)
        return -EFAULT;
    return (long)mask_bytes();
}

enum { RUSAGE_SELF = 0, RUSAGE_CHILDREN = -1, RUSAGE_THREAD = 1 }; /* linux/resource.h */
#define NS_PER_US INT64_C(1000)
#define US_PER_S INT64_C(1000000)

/* Time in the kernel is not told from time in the program; slices used up are switches that nobody
 * asked for. */
long sys_getrusage(int who, uintptr_t usage_at)
{
    struct linux_rusage usage = {0};
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
        return -EINVAL;
    if (who != RUSAGE_CHILDREN) {
        struct thread_usage used = thread_usage();
        int64_t us = (int64_t)used.ran_ns / NS_PER_US;
        usage.ru_utime = (struct linux_timeval){us / US_PER_S, us % US_PER_S};
        usage.ru_maxrss = (int64_t)(space_pages(process_current()->space) * (PAGE_SIZE / 1024));
        usage.ru_nivcsw = (int64_t)used.slices;
    }
    return copy_to_user(usage_at, &usage, sizeof(usage));
}
