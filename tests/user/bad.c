// SPDX-License-Identifier: MIT
/*
 * Gives wild pointers, lengths and numbers to every call of both gates: Linux's 0..511 and int
 * 0x80's 0..400, and to numbers that are none. Each number is tried by a child of its own, which
 * may come to grief; the program itself goes on, and says so at the end.
 *
 * For Carillon alone: on Linux some of these numbers would end or spoil the machine. Needs two
 * cores or more: who may run on one only could claim a vector and wait for ever.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "carillon_raw.h"
#include "start.h"

enum { PAGE = 4096, LINUX_NUMBERS = 512, OWN_NUMBERS = 401, TRIES = 300, VECTOR = 100 };

/* lib/gate.asm: rax, rbx, rcx, rdx, rsi, rdi and rbp, then int 0x80. */
long gate(const uint64_t registers[7]);

/* What is left out, and why: it would be right to do what it does. */
static const struct skipped {
    bool is_linux;
    int number;
} SKIPPED[] = {
    {true, 7},    {true, 23},  {true, 270}, {true, 271}, /* poll, select and such: they may wait */
    {true, 34},   {true, 130}, {true, 128}, /* pause, sigsuspend, sigtimedwait: so do they */
    {true, 202},  {true, 232}, {true, 281}, /* futex, epoll_wait, epoll_pwait: so do they */
    {true, 57},   {true, 58},               /* fork, vfork: they take no arguments */
    {true, 62},   {true, 200}, {true, 234}, /* kill, tkill, tgkill: they may end the parent */
    {false, 323},                           /* putc: nothing is wrong to it */
};

static bool is_skipped(bool is_linux, uint64_t number)
{
    for (size_t i = 0; i < sizeof(SKIPPED) / sizeof(SKIPPED[0]); i++) {
        if (SKIPPED[i].is_linux == is_linux && (uint64_t)SKIPPED[i].number == number)
            return true;
    }
    return false;
}

/* ---- the child ------------------------------------------------------------------------------- */

enum { WORDS_MAX = 40 };
static uint64_t words[WORDS_MAX];
static size_t word_count;

static void word(uint64_t value)
{
    words[word_count++] = value;
}

/* Numbers and addresses at which mistakes are likely. */
static void gather_words(void)
{
    /* a page of a path without an end, before a page where nothing is */
    char *edge = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(edge, 'a', 3 * PAGE);
    (void)munmap(edge + 3 * PAGE, PAGE);
    char *buffer = edge + PAGE;
    (void)strcpy(buffer, "victim");
    memset(buffer + 16, 0, 512); /* times, masks and structures of zeroes */

    static const uint64_t NUMBERS[] = {
        0, 0, 1, 2, 3, 7, 8, 16, 0x22, 0x32, VECTOR, PAGE - 1, PAGE, 1 << 20, 0x7fffffff,
        0x80000000, 0xffffffff, UINT64_C(1) << 32, UINT64_C(0xffffffff00000001),
        /* the last page of programs, the page that is never theirs, what no address is */
        0x7fffffffefff, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, UINT64_C(1) << 63,
        /* the kernel's: the direct map, its image, the last page */
        0xffff800000000000, 0xffffffff80200000, UINT64_MAX - PAGE + 1, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++)
        word(NUMBERS[i]);
    word((uintptr_t)buffer);
    word((uintptr_t)buffer);
    word((uintptr_t)buffer + 16);
    word((uintptr_t)buffer + 17);
    word((uintptr_t)edge + 3 * PAGE - 1);
    word((uintptr_t)edge + 3 * PAGE - 8);
    word((uintptr_t)edge + 3 * PAGE);
    word((uintptr_t)gather_words);                        /* code, which is read-only */
    word((uintptr_t)__builtin_frame_address(0) - 100000); /* a part of the stack not touched yet */
}

static uint64_t pick(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return words[(*state >> 33) % word_count];
}

static long linux_call(uint64_t number, const uint64_t args[6])
{
    register uint64_t r10 __asm__("r10") = args[3];
    register uint64_t r8 __asm__("r8") = args[4];
    register uint64_t r9 __asm__("r9") = args[5];
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return (long)number;
}

static long own_call(uint64_t number, const uint64_t args[6])
{
    const uint64_t registers[7] = {number, args[0], args[1], args[2], args[3], args[4], args[5]};
    return gate(registers);
}

/* Descriptors to be wrong with: 0 a file, 1 a directory, 2 a pipe that never lets wait. */
static void prepare_descriptors(void)
{
    int ends[2];
    (void)close(0);
    (void)close(1);
    (void)close(2);
    (void)open("victim-file", O_RDWR | O_CREAT, 0644);
    (void)open(".", O_RDONLY);
    (void)pipe2(ends, O_NONBLOCK);
}

static int try_number(bool is_linux, uint64_t number)
{
    uint64_t state = number * 2 + is_linux;
    int refused = 0;
    gather_words();
    prepare_descriptors();
    for (int i = 0; i < TRIES; i++) {
        uint64_t args[6];
        for (int arg = 0; arg < 6; arg++)
            args[arg] = pick(&state);
        refused += (is_linux ? linux_call : own_call)(number, args) < 0;
    }
    return refused == 0 ? 2 : refused == TRIES ? 0 : 1;
}

/* ---- the parent ------------------------------------------------------------------------------ */

static struct count {
    unsigned refused, some, all, killed;
} counts;

static void count(int status)
{
    counts.refused += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    counts.some += WIFEXITED(status) && WEXITSTATUS(status) == 1;
    counts.all += WIFEXITED(status) && WEXITSTATUS(status) > 1;
    counts.killed += WIFSIGNALED(status);
}

static void try_in_child(const char *self, bool is_linux, uint64_t number)
{
    char text[24];
    if (is_skipped(is_linux, number))
        return;
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    count(run_self(self, is_linux ? "linux" : "own", text));
}

static void try_gate(const char *self, bool is_linux, uint64_t end)
{
    static const uint64_t NONE[] = {512,
                                    100000,
                                    0x40000000,
                                    UINT64_C(1) << 32,
                                    UINT64_C(1) << 63,
                                    (UINT64_C(1) << 32) + 1,
                                    UINT64_MAX,
                                    UINT64_MAX - 511};
    const char *name = is_linux ? "syscall" : "int 0x80";
    counts = (struct count){0};
    for (uint64_t number = 0; number < end; number++) {
        if (number % 64 == 0)
            (void)printf("%s from %llu on\n", name, (unsigned long long)number);
        try_in_child(self, is_linux, number);
    }
    for (size_t i = 0; i < sizeof(NONE) / sizeof(NONE[0]); i++)
        try_in_child(self, is_linux, NONE[i]);
    (void)printf("%s: %u numbers refused all, %u some, %u nothing, %u ended the child\n", name,
                 counts.refused, counts.some, counts.all, counts.killed);
}

static unsigned long free_kib(void)
{
    struct sysinfo info;
    MUST(sysinfo(&info));
    return info.freeram * info.mem_unit / 1024;
}

static void clean_up(void)
{
    (void)unlink("victim");
    (void)rmdir("victim");
    (void)unlink("victim-file");
    (void)raw_unregister_ipi(VECTOR);
}

static void try_all(const char *self)
{
    try_gate(self, true, LINUX_NUMBERS);
    try_gate(self, false, OWN_NUMBERS);
    clean_up();
}

int main(int argc, char **argv)
{
    struct utsname name;
    report_by_lines();
    if (argc == 3)
        return try_number(strcmp(argv[1], "linux") == 0, strtoull(argv[2], NULL, 10));
    MUST(uname(&name));
    if (strcmp(name.sysname, "Carillon") != 0) {
        (void)printf("for Carillon alone\n");
        return REPORT_EXIT_BROKEN;
    }
    try_all(argv[0]); /* what grows once, such as tables, has grown then */
    unsigned long before = free_kib();
    try_all(argv[0]);
    unsigned long after = free_kib();
    (void)printf("free before %lu KiB, after %lu KiB\n", before, after);
    (void)printf("still here\n");
    return after + 64 >= before ? 0 : 1;
}
