// SPDX-License-Identifier: MIT
/*
 * Many programs at once, on all cores: each makes and removes files, maps and unmaps memory, starts
 * children and sends them data through pipes, and checks all that it gets back. With the argument
 * `leaks` all of it is done twice, and the memory that is free is compared.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "scratch.h"
#include "start.h"

enum { WORKERS = 12, ROUNDS = 15, PAGE = 4096, SENT_BYTES = 300000, EXIT_WRONG = 3 };

static const char *self;

/* A worker that finds something wrong says so and ends. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)printf("wrong in line %d: %s (%s)\n", __LINE__, #condition, strerror(errno));    \
            exit(EXIT_WRONG);                                                                      \
        }                                                                                          \
    } while (0)

static unsigned char byte_of(int worker, size_t place)
{
    return (unsigned char)((size_t)worker * 31 + place * 7 + place / 251);
}

/* ---- what a worker does ---------------------------------------------------------------------- */

static void files(int worker, int round)
{
    char name[64], other[64], buf[3000];
    size_t size = (size_t)(worker * 977 + round * 131) % sizeof(buf) + 1;
    (void)snprintf(name, sizeof(name), "crowd/d%d", worker);
    CHECK(mkdir(name, 0755) == 0);
    (void)snprintf(name, sizeof(name), "crowd/d%d/f", worker);
    (void)snprintf(other, sizeof(other), "crowd/shared-%d", worker);
    for (size_t i = 0; i < size; i++)
        buf[i] = (char)byte_of(worker, i);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 0);
    for (int i = 0; i < 20; i++)
        CHECK(write(fd, buf, size) == (ssize_t)size);
    CHECK(rename(name, other) == 0);
    CHECK(pread(fd, buf, size, (off_t)(19 * size)) == (ssize_t)size);
    for (size_t i = 0; i < size; i++)
        CHECK((unsigned char)buf[i] == byte_of(worker, i));
    CHECK(unlink(other) == 0);
    CHECK(lseek(fd, 0, SEEK_END) == (off_t)(20 * size));
    CHECK(close(fd) == 0);
    (void)snprintf(name, sizeof(name), "crowd/d%d", worker);
    CHECK(rmdir(name) == 0);
}

static void memory(int worker, int round)
{
    size_t pages = (size_t)(worker * 13 + round * 29) % 200 + 3;
    unsigned char *at =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    for (size_t i = 0; i < pages * PAGE; i += 509)
        at[i] = byte_of(worker, i);
    CHECK(munmap(at + PAGE, PAGE) == 0);
    CHECK(mprotect(at + 2 * PAGE, (pages - 2) * PAGE, PROT_READ) == 0);
    for (size_t i = 0; i < pages * PAGE; i += 509)
        CHECK(i / PAGE == 1 || at[i] == byte_of(worker, i));
    CHECK(munmap(at, pages * PAGE) == 0);
}

/* The child sums what comes through its standard input, and ends with that. */
static void send_to_child(int worker)
{
    static unsigned char bytes[SENT_BYTES];
    int ends[2], status = -1;
    uint8_t sum = 0;
    for (size_t i = 0; i < SENT_BYTES; i++) {
        bytes[i] = byte_of(worker, i);
        sum = (uint8_t)(sum + bytes[i]);
    }
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    char *const argv[] = {(char *)self, "sum", NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        (void)dup2(ends[0], 0);
        (void)execve(self, argv, environ);
        _exit(EXIT_NOT_STARTED);
    }
    CHECK(pid > 0 && close(ends[0]) == 0);
    CHECK(write(ends[1], bytes, SENT_BYTES) == SENT_BYTES); /* waits for room many times */
    CHECK(close(ends[1]) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == sum);
}

static void end_badly(void)
{
    int status = run_self(self, "fault", NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == 11);
}

static int work(int worker)
{
    for (int round = 0; round < ROUNDS; round++) {
        files(worker, round);
        memory(worker, round);
        send_to_child(worker);
        if (round % 4 == 0)
            end_badly();
    }
    return 0;
}

static int sum_input(void)
{
    unsigned char buf[1000];
    uint8_t sum = 0;
    for (ssize_t got; (got = read(0, buf, sizeof(buf))) > 0;) {
        for (ssize_t i = 0; i < got; i++)
            sum = (uint8_t)(sum + buf[i]);
    }
    return sum;
}

static int fault(void)
{
    volatile int *volatile nowhere = NULL;
    return *nowhere;
}

/* ---- the parent ------------------------------------------------------------------------------ */

static int all_at_once(void)
{
    int failed = 0, status;
    MUST(mkdir("crowd", 0755));
    for (int i = 0; i < WORKERS; i++) {
        char word[16];
        (void)snprintf(word, sizeof(word), "%d", i);
        (void)start_self(self, "worker", word);
    }
    while (wait(&status) > 0)
        failed += status != 0;
    MUST(rmdir("crowd"));
    (void)printf("%d at once, %d failed\n", WORKERS, failed);
    return failed;
}

static unsigned long free_kib(void)
{
    struct sysinfo info;
    MUST(sysinfo(&info));
    return info.freeram * info.mem_unit / 1024;
}

static int leaks(void)
{
    int failed = all_at_once();
    unsigned long before = free_kib();
    failed += all_at_once();
    unsigned long after = free_kib();
    (void)printf("free before %lu KiB, after %lu KiB\n", before, after);
    return failed == 0 && after + 64 >= before ? 0 : 1;
}

int main(int argc, char **argv)
{
    report_by_lines();
    self = argv[0];
    if (argc > 2 && strcmp(argv[1], "worker") == 0)
        return work(atoi(argv[2]));
    if (argc > 1 && strcmp(argv[1], "sum") == 0)
        return sum_input();
    if (argc > 1 && strcmp(argv[1], "fault") == 0)
        return fault();
    if (argc > 1 && strcmp(argv[1], "leaks") == 0)
        return leaks();
    scratch_enter(argc, argv);
    return all_at_once() == 0 ? 26 : 1;
}
