// SPDX-License-Identifier: MIT
/* A program's memory: malloc, brk, mmap and what it refuses, a deep stack. Needs a machine of 512
 * MB. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "scratch.h"

enum { PAGE = 4096, MB = 1 << 20 };

static bool is_filled(const unsigned char *at, size_t bytes, unsigned char with)
{
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != with)
            return false;
    }
    return true;
}

/* ---- malloc ---------------------------------------------------------------------------------- */

enum { PIECES_MAX = 40000, TOTAL = 100 * MB };

static struct piece {
    unsigned char *at;
    size_t bytes;
} pieces[PIECES_MAX];

/* Sizes from one byte to 3 MB, most of them small; the same ones in every run. */
static size_t next_size(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    unsigned one = *state >> 28, other = *state >> 24 & 15; /* 0..15 */
    unsigned bits = one < other ? one : other;
    size_t size = 1 + (*state >> 8) % (64u << bits);
    return size < 3 * MB ? size : 3 * MB;
}

static unsigned char pattern(size_t index)
{
    return (unsigned char)(index * 7 + 1);
}

static size_t count_wrong(size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].at != NULL)
            wrong += !is_filled(pieces[i].at, pieces[i].bytes, pattern(i));
    }
    return wrong;
}

static void hundred_megabytes(void)
{
    uint32_t state = 1;
    size_t total = 0, count = 0;
    for (; total < TOTAL && count < PIECES_MAX; count++) {
        size_t bytes = next_size(&state);
        pieces[count] = (struct piece){malloc(bytes), bytes};
        if (pieces[count].at == NULL)
            report_broken("malloc");
        memset(pieces[count].at, pattern(count), bytes);
        total += bytes;
    }
    (void)printf("%zu pieces, %zu bytes\n", count, total);
    SHOW(count_wrong(count));
    for (size_t i = 0; i < count; i += 2) {
        free(pieces[i].at);
        pieces[i].at = NULL;
    }
    SHOW(count_wrong(count));
    for (size_t i = 0; i < count; i += 2) {
        pieces[i].at = malloc(pieces[i].bytes);
        memset(pieces[i].at, pattern(i), pieces[i].bytes);
    }
    SHOW(count_wrong(count));
    for (size_t i = 0; i < count; i++)
        free(pieces[i].at);
    unsigned char *zeroes = calloc(5, MB);
    HOLDS(zeroes != NULL && is_filled(zeroes, 5UL * MB, 0));
    zeroes[4 * MB] = 9;
    zeroes = realloc(zeroes, 9UL * MB);
    HOLDS(zeroes != NULL && zeroes[4 * MB] == 9);
    free(zeroes);
    volatile size_t too_much = (size_t)1 << 62;
    SHOW_OK(malloc(too_much) == NULL ? -1 : 0);
}

/* ---- brk ------------------------------------------------------------------------------------- */

static uintptr_t set_brk(uintptr_t to)
{
    return (uintptr_t)syscall(SYS_brk, to);
}

static void moving_brk(void)
{
    uintptr_t start = set_brk(0);
    HOLDS(start > 0);
    uintptr_t page = (start + PAGE - 1) / PAGE * PAGE;
    HOLDS(set_brk(page + 10 * PAGE + 5) == page + 10 * PAGE + 5);
    unsigned char *heap = (unsigned char *)page;
    HOLDS(is_filled(heap, 10 * PAGE + 5, 0));
    memset(heap, 0xa5, 10 * PAGE + 5);
    HOLDS(set_brk(page + 2 * PAGE) == page + 2 * PAGE);
    HOLDS(set_brk(page + 12 * PAGE) == page + 12 * PAGE);
    HOLDS(is_filled(heap, 2 * PAGE, 0xa5));          /* what stayed is as it was */
    HOLDS(is_filled(heap + 2 * PAGE, 10 * PAGE, 0)); /* what came back is new */
    HOLDS(set_brk(1) == page + 12 * PAGE);
    HOLDS(set_brk(UINTPTR_MAX - PAGE) == page + 12 * PAGE);
    HOLDS(set_brk((uintptr_t)1 << 60) == page + 12 * PAGE);
    HOLDS(set_brk(start) == start);
}

/* ---- mmap ------------------------------------------------------------------------------------ */

enum { RW = PROT_READ | PROT_WRITE, ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS };

static unsigned char *map(size_t bytes, int prot)
{
    void *at = mmap(NULL, bytes, prot, ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        report_broken("mmap");
    return at;
}

/* Whether the kernel can read that byte: it says EFAULT where the program would be killed. */
static bool is_readable(const void *at)
{
    int ends[2];
    MUST(pipe(ends));
    bool readable = write(ends[1], at, 1) == 1;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return readable;
}

static bool is_writable(void *at)
{
    int ends[2];
    MUST(pipe(ends));
    (void)!write(ends[1], "w", 1);
    bool writable = read(ends[0], at, 1) == 1;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return writable;
}

static void mapping(void)
{
    unsigned char *at = map(10 * PAGE + 1, RW);
    HOLDS((uintptr_t)at % PAGE == 0);
    HOLDS(is_filled(at, 11 * PAGE, 0)); /* whole pages */
    memset(at, 1, 11 * PAGE);
    SHOW_OK(munmap(at + 3 * PAGE, 2 * PAGE));
    HOLDS(is_readable(at + 3 * PAGE - 1));
    HOLDS(!is_readable(at + 3 * PAGE));
    HOLDS(!is_readable(at + 5 * PAGE - 1));
    HOLDS(is_readable(at + 5 * PAGE));
    SHOW_OK(munmap(at + 3 * PAGE, 2 * PAGE)); /* nothing is there: no error */
    HOLDS(mmap(at + 3 * PAGE, PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0) == at + 3 * PAGE);
    HOLDS(is_filled(at + 3 * PAGE, PAGE, 0));
    HOLDS(mmap(at + 5 * PAGE, 2 * PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0) == at + 5 * PAGE);
    HOLDS(is_filled(at + 5 * PAGE, 2 * PAGE, 0)); /* in place of what was there */
    HOLDS(is_filled(at + 7 * PAGE, 4 * PAGE, 1));
    SHOW_OK(mmap(at, PAGE, RW, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1 : 0);
    HOLDS(mmap(at + 4 * PAGE, PAGE, RW, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at + 4 * PAGE);
    SHOW_OK(munmap(at, 11 * PAGE));
    HOLDS(!is_readable(at));
    HOLDS(mmap(at, 4 * PAGE, RW, ANONYMOUS, -1, 0) == at); /* a hint that can be followed */
    SHOW_OK(munmap(at, 4 * PAGE));
}

static void protecting(void)
{
    unsigned char *at = map(8 * PAGE, RW);
    memset(at, 2, 8 * PAGE);
    SHOW_OK(mprotect(at + 2 * PAGE, 2 * PAGE, PROT_READ));
    SHOW_OK(mprotect(at + 4 * PAGE, 2 * PAGE, PROT_NONE));
    HOLDS(is_writable(at + 2 * PAGE - 1));
    HOLDS(!is_writable(at + 2 * PAGE) && is_readable(at + 2 * PAGE));
    HOLDS(!is_readable(at + 4 * PAGE) && !is_readable(at + 6 * PAGE - 1));
    HOLDS(is_writable(at + 6 * PAGE));
    SHOW_OK(mprotect(at, 8 * PAGE, RW));
    HOLDS(is_filled(at + 2 * PAGE, 4 * PAGE, 2)); /* what was in them stayed */
    SHOW_OK(munmap(at + 5 * PAGE, PAGE));
    SHOW_OK(mprotect(at, 8 * PAGE, PROT_READ));
    SHOW_OK(syscall(SYS_mprotect, at + 1, PAGE, PROT_READ)); /* libc would round it */
    SHOW_OK(mprotect(at, 0, PROT_READ));
    SHOW_OK(mprotect(at, PAGE, 1 << 20));
    SHOW_OK(munmap(at, 8 * PAGE));
    at = map(3 * PAGE, PROT_NONE);
    HOLDS(!is_readable(at));
    SHOW_OK(mprotect(at + PAGE, PAGE, RW));
    HOLDS(is_filled(at + PAGE, PAGE, 0));
    SHOW_OK(munmap(at, 3 * PAGE));
}

/* mmap itself: libc's refuses some of these before the kernel sees them. */
static long raw_map(uintptr_t at, size_t bytes, int prot, int flags, int fd, long offset)
{
    return syscall(SYS_mmap, at, bytes, prot, flags, fd, offset) == -1 ? -1 : 0;
}

static void refused(void)
{
    int fd = MUST(open(".", O_RDONLY)), ends[2];
    MUST(pipe(ends));
    SHOW_OK(raw_map(0, 0, RW, ANONYMOUS, -1, 0));
    SHOW_OK(raw_map(0, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    SHOW_OK(raw_map(0, PAGE, RW, ANONYMOUS, -1, 1));
    SHOW_OK(raw_map(PAGE + 1, PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0));
    SHOW_OK(raw_map((uintptr_t)1 << 47, PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0));
    SHOW_OK(raw_map(0, (size_t)1 << 60, RW, ANONYMOUS, -1, 0));
    SHOW_OK(raw_map(0, SIZE_MAX, RW, ANONYMOUS, -1, 0));
    SHOW_OK(raw_map(0, PAGE, RW, MAP_PRIVATE, -1, 0));
    SHOW_OK(raw_map(0, PAGE, RW, MAP_PRIVATE, 77, 0));
    SHOW_OK(raw_map(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    SHOW_OK(raw_map(0, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0));
    SHOW_OK(munmap((void *)1, PAGE));
    SHOW_OK(munmap((void *)PAGE, 0));
    SHOW_OK(munmap((void *)(UINTPTR_MAX - PAGE + 1), PAGE));
    SHOW_OK(madvise(NULL, 0, MADV_NORMAL));
    SHOW_OK(madvise((void *)1, PAGE, MADV_NORMAL));
    SHOW_OK(madvise((void *)PAGE, 0, 9999));
}

static void mapping_files(void)
{
    int fd = MUST(open("mapped", O_RDWR | O_CREAT | O_EXCL, 0644));
    for (int i = 0; i < 3 * PAGE; i += 16)
        (void)dprintf(fd, "%015d\n", i);
    SHOW_OK(ftruncate(fd, 3 * PAGE - 100));
    char *at = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 0);
    HOLDS(at != MAP_FAILED);
    (void)printf("at 4096: %.15s\n", at + 4096);
    HOLDS(is_filled((unsigned char *)at + 3 * PAGE - 100, 100, 0));
    memcpy(at, "changed", 7);
    char back[16] = "";
    SHOW(pread(fd, back, 15, 0)); /* the file is as it was */
    (void)printf("the file has %s\n", back);
    char *later = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    SHOW_OK(close(fd));
    (void)printf("from 4096 on: %.15s\n", later);
    HOLDS(!is_writable(later));
    SHOW_OK(munmap(at, 3 * PAGE));
    SHOW_OK(munmap(later, PAGE));
    fd = MUST(open("mapped", O_WRONLY));
    SHOW_OK(raw_map(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    (void)close(fd);
}

/* Code that comes at run time: written, then made executable. */
static void made_code(void)
{
    static const unsigned char returns_42[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
    unsigned char *at = map(PAGE, RW);
    memcpy(at, returns_42, sizeof(returns_42));
    SHOW_OK(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
    int (*function)(void);
    memcpy(&function, &at, sizeof(function));
    SHOW(function());
    HOLDS(!is_writable(at));
    SHOW_OK(munmap(at, PAGE));
}

/* A quarter of a gigabyte of addresses, of which one page in sixteen is touched. */
static void sparse(void)
{
    enum { BYTES = 256 * MB, STEP = 16 * PAGE };
    unsigned char *at = map(BYTES, RW);
    unsigned long wrong = 0;
    for (size_t i = 0; i < BYTES; i += STEP)
        at[i] = (unsigned char)(i / STEP);
    for (size_t i = 0; i < BYTES; i += STEP)
        wrong += at[i] != (unsigned char)(i / STEP) || at[i + 1] != 0;
    SHOW(wrong);
    SHOW_OK(munmap(at, BYTES));
}

/* ---- the stack ------------------------------------------------------------------------------- */

/* A kilobyte or so a call. */
__attribute__((noinline)) static unsigned long deep(unsigned depth)
{
    volatile unsigned char frame[1024];
    memset((void *)frame, (int)depth, sizeof(frame));
    unsigned long below = depth > 0 ? deep(depth - 1) : 0;
    return below + frame[depth % sizeof(frame)];
}

int main(int argc, char **argv)
{
    report_by_lines();
    scratch_enter(argc, argv);
    moving_brk();
    hundred_megabytes();
    mapping();
    protecting();
    refused();
    mapping_files();
    made_code();
    sparse();
    SHOW(deep(4096));
    return 20;
}
