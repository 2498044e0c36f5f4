// SPDX-License-Identifier: MIT
/*
 * What programs with a libc are measured by, as init of Carillon and of Linux: one static binary
 * for both. With an argument, which only Carillon's init gets, the rings between programs follow.
 * It prints the lines that bench/guest/series.inc describes, and starts `child` and itself:
 *
 *     programs yielder        yields to the one that measures, on the same core
 *     programs receiver FD    waits for rings on core 1; writes to FD when it went on
 *
 * An operation stands between the labels op_NAME and op_NAME_end, for the plugin and bench/where.
 * What the program itself executes between the two is counted; bench/where tells it apart.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SAMPLES = 64,
    SETTLE_TURNS = 64,
    YIELDS = 4 * SAMPLES, /* of the yielder: longer than all samples take */
    PAGE = 4096,

    VECTOR = 100,
    OWN_VECTOR = 101, /* claimed by the one that measures, on its own core */
    HERE = 0,
    THERE = 1,

    /* Carillon's calls at int 0x80, see docs/system-calls.md */
    SEND_IPI = 317,
    IPI_WAIT = 321,
    NCORES_ONLINE = 331,
    FOR_EVER = -1,
};

/* The clock on both sides of an operation; 32 bits are enough for a difference. */
static uint32_t before, after;
static uint32_t samples[SAMPLES];
static char *self; /* the path of this program */
static char child[] = "/child", yielder_role[] = "yielder", receiver_role[] = "receiver";

extern char **environ;

/* The labels are in the text of the asm: nothing but the operation, as the compiler made it, and
   one mov stand between the two rdtsc. */
#define BEGIN(name)                                                                                \
    __asm__ volatile("rdtsc\n\tmov %%eax, %0\n.globl op_" #name "\nop_" #name ":"                  \
                     : "=m"(before)                                                                \
                     :                                                                             \
                     : "eax", "edx", "memory")
#define END(name)                                                                                  \
    __asm__ volatile(".globl op_" #name "_end\nop_" #name "_end:\n\trdtsc\n\tmov %%eax, %0"        \
                     : "=m"(after)                                                                 \
                     :                                                                             \
                     : "eax", "edx", "memory")

static long int80(long number, long first, long second)
{
    long result = number;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(first), "c"(second) : "memory");
    return result;
}

/* Give other cores the time to finish what the last turn has left them, and to halt. */
static void settle(void)
{
    for (int i = 0; i < SETTLE_TURNS; i++)
        __builtin_ia32_pause();
}

/* Linux panics when init ends, with what its console has not sent yet: wait for that. */
static _Noreturn void leave(int status)
{
    fflush(stdout);
    ioctl(STDOUT_FILENO, TCSBRK, 1);
    _exit(status);
}

static void need(int holds, const char *what)
{
    if (holds)
        return;
    printf("bench: %s: that result was not due\n", what);
    leave(EXIT_FAILURE);
}

static void print_series(const char *name, const char *kind)
{
    printf("bench: %s%s", name, kind);
    for (int i = 0; i < SAMPLES; i++)
        printf(" %u", samples[i]);
    printf("\n");
    fflush(stdout);
}

/* The two rdtsc and the mov alone. */
static void print_pair(const char *name)
{
    for (int i = 0; i < SAMPLES; i++) {
        uint32_t one, other;
        __asm__ volatile("rdtsc\n\tmov %%eax, %0\n\trdtsc\n\tmov %%eax, %1"
                         : "=m"(one), "=m"(other)
                         :
                         : "eax", "edx");
        samples[i] = other - one;
    }
    print_series(name, " pair");
}

/* series_NAME() measures `operation`; `prepare` is done before each turn, and after it `check` must
   hold. */
#define SERIES(name, prepare, operation, check)                                                    \
    static __attribute__((noinline, noclone)) void series_##name(void)                             \
    {                                                                                              \
        print_pair(#name);                                                                         \
        for (int turn = 0; turn < SAMPLES; turn++) {                                               \
            prepare;                                                                               \
            settle();                                                                              \
            BEGIN(name);                                                                           \
            operation;                                                                             \
            END(name);                                                                             \
            samples[turn] = after - before;                                                        \
            need(check, #name);                                                                    \
        }                                                                                          \
        print_series(#name, "");                                                                   \
    }

static void bind_to(int core)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(core, &only);
    need(sched_setaffinity(0, sizeof(only), &only) == 0, "sched_setaffinity");
}

/* Returns: the number of a new process that runs the program argv[0]. */
static pid_t start(char **argv)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execve(argv[0], argv, environ);
        _exit(127);
    }
    need(pid > 0, "vfork");
    return pid;
}

/* Returns: did it end with status 0? */
static int ended_well(pid_t pid)
{
    int status = -1;
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static volatile char *pages;
static int unmapped;

static char *map(size_t count)
{
    void *at = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(at != MAP_FAILED, "mmap");
    return at;
}

static __attribute__((noinline)) int map_touch_unmap(size_t count)
{
    char *at = map(count);
    for (size_t i = 0; i < count; i++)
        *(volatile char *)&at[i * PAGE] = 1;
    return munmap(at, count * PAGE) == 0;
}

SERIES(page_fault, , pages[turn * PAGE] = 1, pages[turn * PAGE] == 1)
SERIES(map_1, , unmapped = map_touch_unmap(1), unmapped)
SERIES(map_16, , unmapped = map_touch_unmap(16), unmapped)

/* ---- processes ------------------------------------------------------------------------------- */

static int child_ended;
static pid_t yielder;

static __attribute__((noinline)) int run_child(void)
{
    return ended_well(start((char *[]){child, NULL}));
}

static void yield(int times)
{
    for (int i = 0; i < times; i++)
        sched_yield();
}

/* It gets to its own first yield in the first of these. */
static void start_yielder(void)
{
    yielder = start((char *[]){self, yielder_role, NULL});
    yield(SAMPLES);
}

/* It is there throughout the samples, and ends after as many yields as are its own: so the two took
   turns. */
static int took_turns(int is_last)
{
    if (waitpid(yielder, NULL, WNOHANG) != 0)
        return 0;
    if (!is_last)
        return 1;
    yield(2 * SAMPLES + 1);
    int status = -1;
    return waitpid(yielder, &status, WNOHANG) == yielder && status == 0;
}

/* Linux's fair scheduler goes on with the caller of sched_yield for as long as that is fair; with
   SCHED_FIFO the other one of the same priority comes next. */
static void ask_linux_for_turns(void)
{
    struct sched_param lowest = {.sched_priority = 1};
    need(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &lowest) == 0, "sched_setscheduler");
}

SERIES(run_program, , child_ended = run_child(), child_ended)
SERIES(switch_and_back, if (turn == 0) start_yielder(), sched_yield(),
       took_turns(turn == SAMPLES - 1))

/* ---- rings ----------------------------------------------------------------------------------- */

static long result;
static int from_receiver; /* a pipe */

SERIES(send_claimed, , result = int80(SEND_IPI, HERE, OWN_VECTOR),
       result == 0 && int80(IPI_WAIT, OWN_VECTOR, 0) == 1)
SERIES(wait_ready, int80(SEND_IPI, HERE, OWN_VECTOR),
       result = int80(IPI_WAIT, OWN_VECTOR, FOR_EVER), result == 1)

/* Both series end where the receiver goes on, which says by the pipe when that was. */
#define RING_SERIES(name, until_begin, from_begin)                                                 \
    static __attribute__((noinline, noclone)) void series_##name(void)                             \
    {                                                                                              \
        print_pair(#name);                                                                         \
        for (int turn = 0; turn < SAMPLES; turn++) {                                               \
            settle();                                                                              \
            until_begin;                                                                           \
            BEGIN(name);                                                                           \
            from_begin;                                                                            \
            settle();                                                                              \
            need(read(from_receiver, &after, sizeof(after)) == sizeof(after), #name);              \
            samples[turn] = after - before;                                                        \
        }                                                                                          \
        print_series(#name, "");                                                                   \
    }

RING_SERIES(ring_program, , int80(SEND_IPI, THERE, VECTOR))
RING_SERIES(wait_wake, int80(SEND_IPI, THERE, VECTOR), )

static void tell(int fd)
{
    need(write(fd, &after, sizeof(after)) == sizeof(after), "write");
}

static __attribute__((noinline, noclone)) void receive(int fd)
{
    bind_to(THERE);
    need(int80(IPI_WAIT, VECTOR, 0) == 0, "ipi_wait");
    tell(fd);
    for (int i = 0; i < 2 * SAMPLES; i++) {
        long rings = int80(IPI_WAIT, VECTOR, FOR_EVER);
        __asm__ volatile(".globl op_wait_wake_end\nop_wait_wake_end:" : : : "memory");
        END(ring_program);
        need(rings == 1, "ipi_wait");
        tell(fd);
    }
}

static void rings_between_programs(void)
{
    int ends[2];
    char fd[16];
    need(pipe(ends) == 0, "pipe");
    snprintf(fd, sizeof(fd), "%d", ends[1]);
    pid_t receiver = start((char *[]){self, receiver_role, fd, NULL});
    from_receiver = ends[0];
    need(read(from_receiver, &after, sizeof(after)) == sizeof(after), "the receiver");
    series_ring_program();
    series_wait_wake();
    need(ended_well(receiver), "the receiver");
}

static void rings(void)
{
    need(int80(IPI_WAIT, OWN_VECTOR, 0) == 0, "ipi_wait");
    series_send_claimed();
    series_wait_ready();
    if (int80(NCORES_ONLINE, 0, 0) > 1)
        rings_between_programs();
}

/* ---------------------------------------------------------------------------------------------- */

static void measure(int is_linux)
{
    bind_to(HERE);
    pages = map(SAMPLES);
    series_page_fault();
    series_map_1();
    series_map_16();
    series_run_program();
    if (is_linux)
        ask_linux_for_turns();
    series_switch_and_back();
    if (!is_linux)
        rings();
    printf("bench: done\n");
    leave(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
    const char *role = argc > 1 ? argv[1] : "";
    self = argv[0];
    if (strcmp(role, yielder_role) == 0)
        yield(YIELDS);
    else if (strcmp(role, receiver_role) == 0)
        receive(atoi(argv[2]));
    else
        measure(argc == 1);
    return EXIT_SUCCESS;
}
