// SPDX-License-Identifier: MIT
/*
 * Programs that do what they must not, each in a child: the parent is told how it ended and goes
 * on. With the argument `leaks` all of it is done twice, and the memory that is free is compared.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "start.h"

enum { PAGE = 4096, MB = 1 << 20 };

/* ---- what the children do -------------------------------------------------------------------- */

static int divide(void)
{
    volatile int zero = 0, one = 1;
    return one / zero;
}

static int call_address(uintptr_t address)
{
    int (*function)(void);
    memcpy(&function, &address, sizeof(function));
    return function();
}

static int jump_to_kernel(void)
{
    return call_address(UINT64_C(0xffffffff80200000));
}

static int jump_to_data(void)
{
    static unsigned char returns[PAGE] __attribute__((aligned(4096))) = {0xc3};
    return call_address((uintptr_t)returns);
}

static int jump_to_null(void)
{
    return call_address(0);
}

static int halt(void)
{
    __asm__ volatile("hlt");
    return 0;
}

static int disable_interrupts(void)
{
    __asm__ volatile("cli");
    return 0;
}

static int write_port(void)
{
    __asm__ volatile("outb %%al, $0x80" : : "a"(0));
    return 0;
}

static int write_code(void)
{
    volatile unsigned char *code;
    uintptr_t address = (uintptr_t)write_code;
    memcpy(&code, &address, sizeof(address));
    *code = 0xc3;
    return 0;
}

static int read_kernel(void)
{
    volatile unsigned char *kernel = (volatile unsigned char *)UINT64_C(0xffffffff80200000);
    return *kernel;
}

static int write_unmapped(void)
{
    unsigned char *at =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile unsigned char *)at = 1;
    MUST(munmap(at, PAGE));
    *(volatile unsigned char *)at = 2;
    return 0;
}

static int write_protected(void)
{
    unsigned char *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile unsigned char *)at = 2;
    return 0;
}

__attribute__((noinline)) static unsigned deeper(unsigned depth)
{
    volatile unsigned char frame[512];
    frame[depth % sizeof(frame)] = 1;
    return depth == ~0u ? 0 : deeper(depth + 1) + frame[depth % sizeof(frame)];
}

static int overrun_stack(void)
{
    return (int)deeper(0);
}

/* Until nothing is left, or the limit of the test on Linux; then it is content with less. */
static int exhaust_memory(void)
{
    unsigned long got = 0;
    for (char *at; (at = malloc(MB)) != NULL; got++)
        memset(at, 1, MB);
    return got > 16 ? 0 : 1;
}

static int exhaust_descriptors(void)
{
    while (dup(0) >= 0) {
    }
    return errno == EMFILE ? 24 : 1;
}

static int exhaust_addresses(void)
{
    long count = 0;
    while (mmap(NULL, 64UL * MB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED &&
           count < 3000)
        count++;
    return 12;
}

/* Every other page, so that no two regions are one. */
static int exhaust_regions(void)
{
    enum { PAGES = 20000 };
    unsigned char *at =
        mmap(NULL, (size_t)PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return 1;
    for (int i = 0; i < PAGES; i += 2)
        MUST(mprotect(at + (size_t)i * PAGE, PAGE, PROT_READ | PROT_WRITE));
    for (int i = 0; i < PAGES; i += 64)
        at[(size_t)i * PAGE] = 1;
    return 13;
}

/* Leaves without tidying up: files open, pipes full, memory taken. */
static int leave_all_open(void)
{
    char block[PAGE] = "";
    int ends[2];
    for (int i = 0; i < 100; i++) {
        MUST(pipe2(ends, O_NONBLOCK));
        while (write(ends[1], block, sizeof(block)) > 0) {
        }
    }
    memset(malloc(10 * MB), 1, 10 * MB);
    return 14;
}

static int undefined(void)
{
    __builtin_trap();
}

static int breakpoint(void)
{
    __asm__ volatile("int3");
    return 0;
}

static int forbidden_interrupt(void)
{
    __asm__ volatile("int $0x42");
    return 0;
}

static int no_stack(void)
{
    __asm__ volatile("xor %%esp, %%esp\n\tpush %%rax" : : : "memory");
    return 0;
}

static const struct cruelty {
    const char *name;
    int (*function)(void);
    bool carillon_only; /* Linux would let it exhaust this machine */
} CRUELTIES[] = {
    {"divide", divide, false},
    {"jump-to-kernel", jump_to_kernel, false},
    {"jump-to-data", jump_to_data, false},
    {"jump-to-null", jump_to_null, false},
    {"halt", halt, false},
    {"disable-interrupts", disable_interrupts, false},
    {"write-port", write_port, false},
    {"write-code", write_code, false},
    {"read-kernel", read_kernel, false},
    {"write-unmapped", write_unmapped, false},
    {"write-protected", write_protected, false},
    {"overrun-stack", overrun_stack, false},
    {"exhaust-memory", exhaust_memory, true},
    {"exhaust-descriptors", exhaust_descriptors, false},
    {"exhaust-addresses", exhaust_addresses, false},
    {"exhaust-regions", exhaust_regions, false},
    {"leave-all-open", leave_all_open, false},
    {"undefined", undefined, false},
    {"breakpoint", breakpoint, false},
    {"forbidden-interrupt", forbidden_interrupt, false},
    {"no-stack", no_stack, false},
};
enum { CRUELTY_COUNT = sizeof(CRUELTIES) / sizeof(CRUELTIES[0]) };

/* ---- the parent ------------------------------------------------------------------------------ */

static void all(const char *self, bool with_carillon_only)
{
    for (int i = 0; i < CRUELTY_COUNT; i++) {
        if (!CRUELTIES[i].carillon_only || with_carillon_only)
            show_end(CRUELTIES[i].name, run_self(self, CRUELTIES[i].name, NULL));
    }
}

static unsigned long free_kib(void)
{
    struct sysinfo info;
    MUST(sysinfo(&info));
    return info.freeram * info.mem_unit / 1024;
}

/* What the kernel keeps for later use (slabs, tables) it has after the first round. */
static int leaks(const char *self)
{
    all(self, true);
    unsigned long before = free_kib();
    all(self, true);
    unsigned long after = free_kib();
    (void)printf("free before %lu KiB, after %lu KiB\n", before, after);
    return after + 64 >= before ? 0 : 1;
}

int main(int argc, char **argv)
{
    report_by_lines();
    for (int i = 0; argc > 1 && i < CRUELTY_COUNT; i++) {
        if (strcmp(argv[1], CRUELTIES[i].name) == 0)
            return CRUELTIES[i].function();
    }
    if (argc > 1 && strcmp(argv[1], "leaks") == 0)
        return leaks(argv[0]);
    all(argv[0], false);
    (void)printf("still here\n");
    return 25;
}
