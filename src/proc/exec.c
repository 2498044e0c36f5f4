// SPDX-License-Identifier: MIT
/*
 * How a program starts: in a new process (spawn), in a copy of the calling one (vfork), in place of
 * the running one (exec).
 *
 * The thread of a process runs run_programs(), which enters ring 3 and gets control back when a
 * system call drops what it was doing (arch_user_exit): because the process is to end, or because
 * the next program is ready. So nothing of the old program is left on the stack of the new one.
 */
#include "fs/device.h"
#include "fs/fd.h"
#include "fs/file.h"
#include "fs/memfs.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/text.h"
#include "mm/heap.h"
#include "net/queue.h"
#include "proc/process_internal.h"
#include "proc/tty.h"
#include "sched/claim.h"

enum { STANDARD_FDS = 3 };

static void set_name(struct process *process, const char *path)
{
    const char *last = path;
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == '/' && p[1] != '\0')
            last = p + 1;
    }
    (void)text_copy(process->name, last, sizeof(process->name));
}

/* ---- what a process's thread does ------------------------------------------------------------ */

/* The old program has been dropped: its space goes, the next one's comes. */
static void take_next(struct process *self)
{
    struct space *old = self->space;
    process_change_begin();
    self->space = self->program.space;
    process_change_end();
    self->has_next = false;
    claim_release_all(thread_current());
    net_queue_close(self->frames);
    self->frames = NULL;
    fd_close_on_exec(self->files);
    thread_use_space(&self->space->tlb);
    space_put(old);
    process_let_go(self);
}

static void run_programs(struct process *self)
{
    thread_use_space(&self->space->tlb);
    if (self->state != NULL)
        arch_user_continue(self->state);
    else
        arch_user_run(self->program.entry, self->program.stack);
    while (self->has_next) {
        take_next(self);
        arch_user_run(self->program.entry, self->program.stack);
    }
    thread_use_space(&tlb_kernel);
}

static void process_main(void *arg)
{
    struct process *self = arg;
    thread_current()->process = self;
    run_programs(self);
    process_finish();
}

/* Init begins on the boot core, for people who follow it there, and may go anywhere. */
static void init_main(void *arg)
{
    (void)thread_set_affinity(thread_current(), thread_any_core());
    process_main(arg);
}

/* ---- new processes --------------------------------------------------------------------------- */

/* A process without space, number and files; its thread has not started. */
static struct process *process_alloc(const char *name, void (*fn)(void *arg),
                                     const struct cpumask *affinity)
{
    struct process *process = heap_alloc(sizeof(*process), ALLOC_USER | ALLOC_ZERO);
    if (process == NULL)
        return NULL;
    process->slot = CPU_NONE;
    process->umask = PROCESS_UMASK;
    list_init(&process->children);
    wait_queue_init(&process->changed);
    (void)text_copy(process->name, name, sizeof(process->name));
    process->thread = thread_prepare(process->name, fn, process, affinity);
    if (process->thread != NULL && arch_thread_prepare_user(&process->thread->arch) != 0) {
        thread_discard(process->thread);
        process->thread = NULL;
    }
    if (process->thread == NULL) {
        heap_free(process);
        return NULL;
    }
    return process;
}

/* Free one that has not started. */
static void discard(struct process *process)
{
    if (process->state != NULL)
        arch_user_state_free(process->state);
    space_put(process->space);
    fd_table_put(process->files);
    memfs_node_put(process->cwd);
    thread_discard(process->thread);
    heap_free(process);
}

/* Give it descriptors 0..below-1, working directory and mask of the calling process. */
static int inherit(struct process *process, int below)
{
    const struct process *self = process_current();
    process->umask = self->umask;
    process->tty = self->tty;
    process->signals = self->signals;
    process->signals.pending = 0;
    process->cwd = memfs_node_get(self->cwd);
    process->files = fd_table_copy(self->files, below);
    return process->files != NULL ? 0 : -ENOMEM;
}

/* It is enlisted: load its program and let it run, or take all back. */
static long load_and_start(struct process *process, const struct process_start *start,
                           const struct elf_image *image)
{
    int error = inherit(process, STANDARD_FDS);
    if (error == 0)
        error = program_load(start->file, start->path, image, start->arguments, &process->program);
    if (error != 0) {
        process_delist(process);
        discard(process);
        return error;
    }
    process->space = process->program.space;
    long pid = process->pid;
    process_begin(process);
    return pid;
}

long process_spawn(const struct process_start *start)
{
    struct elf_image image;
    int error = program_check(start->file, start->path, &image);
    if (error != 0)
        return error;
    struct process *process = process_alloc(start->path, process_main, start->affinity);
    if (process == NULL)
        return -ENOMEM;
    process->detached = start->kind == PROCESS_DETACHED;
    process->slot = start->slot;
    set_name(process, start->path);
    error = process_enlist(process, process->detached ? NULL : process_current());
    if (error != 0) {
        discard(process);
        return error;
    }
    return load_and_start(process, start, &image);
}

/* ---- vfork ----------------------------------------------------------------------------------- */

static bool has_let_go(void *arg)
{
    const struct process *child = arg;
    /* acquire: pairs with process_let_go() */
    return atomic_load_explicit(&child->has_let_go, memory_order_acquire);
}

static struct process *vfork_child(uintptr_t stack)
{
    struct cpumask affinity;
    struct process *self = process_current();
    thread_get_affinity(thread_current(), &affinity);
    struct process *child = process_alloc(self->name, process_main, &affinity);
    if (child == NULL)
        return NULL;
    child->program = self->program;
    child->space = space_get(self->space);
    child->state = arch_user_state_save(0, stack);
    if (child->state == NULL || inherit(child, FD_MAX) != 0 || process_enlist(child, self) != 0) {
        discard(child);
        return NULL;
    }
    return child;
}

long process_vfork(uintptr_t stack)
{
    struct process *child = vfork_child(stack);
    if (child == NULL)
        return -ENOMEM;
    long pid = child->pid;
    child->borrowed_from = thread_current(); /* it works for its parent until it lets go */
    thread_give_slice(child->thread);
    process_begin(child);
    /* it stays until it is asked for by process_wait(), which only the caller can do */
    (void)wait_for(&child->changed, has_let_go, child, WAIT_FOR_EVER);
    return pid;
}

/* ---- exec ------------------------------------------------------------------------------------ */

int process_exec_prepare(struct file *file, const char *path, const struct arguments *arguments)
{
    struct elf_image image;
    struct program next;
    struct process *self = process_current();
    int error = program_check(file, path, &image);
    if (error == 0)
        error = program_load(file, path, &image, arguments, &next);
    if (error != 0)
        return error;
    process_change_begin();
    set_name(self, path);
    self->program = next;
    process_change_end();
    self->has_next = true;
    return 0;
}

void process_exec_commit(void)
{
    arch_user_exit();
}

/* ---- init ------------------------------------------------------------------------------------ */

static int give_console(struct process *init)
{
    struct file *console;
    init->cwd = memfs_root();
    init->tty = tty_of_console();
    init->files = fd_table_create();
    if (init->files == NULL)
        return -ENOMEM;
    int error = fs_open_device("console", O_RDWR, &console);
    if (error != 0)
        return error;
    for (int fd = 0; fd < STANDARD_FDS && error == 0; fd++) {
        if (fd_install(init->files, file_get(console), false) != fd) {
            file_put(console);
            error = -ENOMEM;
        }
    }
    file_put(console);
    return error;
}

static int open_init(const char *path, struct file **file)
{
    int error = memfs_open(NULL, path, O_RDONLY, 0, file);
    if (error != 0)
        log_err("%s: %s", path,
                error == -ENOENT    ? "no such file"
                : error == -ENOTDIR ? "a part of the path is not a directory"
                : error == -ELOOP   ? "too many symbolic links"
                : error == -ENOMEM  ? "not enough memory to open it"
                                    : "not a valid path");
    return error;
}

static int init_arguments(const char *path, const char *const *args, size_t argc,
                          struct arguments *arguments)
{
    int error = arguments_add(arguments, path);
    for (size_t i = 0; i < argc && error == 0; i++)
        error = arguments_add(arguments, args[i]);
    if (error != 0)
        log_err("%s: %s", path,
                error == -E2BIG ? "its arguments are too long"
                                : "not enough memory for its arguments");
    return error;
}

static int start_init(struct process *init, struct file *file, const char *path,
                      const struct arguments *arguments)
{
    struct elf_image image;
    int error = program_check(file, path, &image);
    if (error == 0)
        error = give_console(init);
    if (error == 0)
        error = program_load(file, path, &image, arguments, &init->program);
    if (error != 0)
        return error;
    init->space = init->program.space;
    set_name(init, path);
    error = process_enlist(init, NULL);
    if (error == 0)
        process_begin(init);
    return error;
}

int process_run_init(const char *path, const char *const *args, size_t argc,
                     struct process_end *end)
{
    struct arguments arguments = {0};
    struct file *file = NULL;
    struct cpumask here = {0};
    cpumask_set(&here, arch_cpu());
    struct process *init = process_alloc(path, init_main, &here);
    int error = init != NULL ? open_init(path, &file) : -ENOMEM;
    if (error == 0)
        error = init_arguments(path, args, argc, &arguments);
    if (error == 0)
        error = start_init(init, file, path, &arguments);
    arguments_free(&arguments);
    file_put(file);
    if (error == 0)
        process_wait_init(init, end);
    else if (init != NULL)
        discard(init);
    return error;
}

/* ---- for self-tests -------------------------------------------------------------------------- */

void process_run_loaded(struct process *process, uintptr_t entry, uintptr_t stack)
{
    struct thread *self = thread_current();
    self->process = process;
    thread_use_space(&process->space->tlb);
    arch_user_run(entry, stack);
    thread_use_space(&tlb_kernel);
    self->process = NULL;
}
