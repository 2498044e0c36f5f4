// SPDX-License-Identifier: MIT
/* Descriptors and pipes: dup, fcntl, close-on-exec, flags of open files, ends of pipes. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "scratch.h"

enum { DESCRIPTORS = 1024 }; /* as many as a process may have, by the tests' limit on Linux */

static void duplicates(void)
{
    char buf[8] = "";
    int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));
    SHOW(fd);
    SHOW(write(fd, "abcdef", 6));
    SHOW(dup(fd));
    SHOW(lseek(4, 2, SEEK_SET)); /* the place is one for both */
    SHOW(read(fd, buf, 2));
    (void)printf("read '%s'\n", buf);
    SHOW_OK(close(fd));
    SHOW(read(4, buf, 2));
    SHOW(dup(4)); /* the lowest free one */
    SHOW(dup2(4, 9));
    SHOW(dup2(9, 9));
    SHOW(dup2(4, 9));
    SHOW(dup2(77, 77));
    SHOW(dup2(77, 9));
    SHOW(read(9, buf, 0));
    SHOW(dup2(4, -1));
    SHOW(dup2(4, DESCRIPTORS));
    SHOW(dup2(4, DESCRIPTORS - 1));
    SHOW(syscall(SYS_dup3, 4, 10, O_CLOEXEC));
    SHOW(syscall(SYS_dup3, 4, 4, 0));
    SHOW(syscall(SYS_dup3, 4, 11, O_APPEND));
    SHOW(syscall(SYS_dup3, 77, 11, 0));
    SHOW(dup(-1));
    SHOW(fcntl(9, F_GETFD));
    SHOW(fcntl(10, F_GETFD));
    SHOW(close(DESCRIPTORS - 1));
    for (int i = 3; i < 12; i++)
        (void)close(i);
}

static void flags_of_descriptors(void)
{
    int fd = MUST(open("f", O_RDWR | O_CLOEXEC));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_SETFD, 0));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, 20));
    SHOW(fcntl(20, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, 20));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 30));
    SHOW(fcntl(30, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, -1));
    SHOW(fcntl(fd, F_DUPFD, DESCRIPTORS));
    SHOW(fcntl(77, F_DUPFD, 20));
    SHOW(fcntl(77, F_GETFD));
    SHOW(fcntl(77, F_SETFD, 0));
    SHOW(fcntl(77, F_GETFL));
    SHOW(fcntl(77, F_SETFL, 0));
    SHOW(fcntl(fd, 9999));
    SHOW(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
    SHOW(fcntl(fd, F_SETFL, O_APPEND | O_WRONLY | O_CREAT));
    SHOW((fcntl(20, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_APPEND));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(write(fd, "x", 1));
    SHOW(lseek(fd, 0, SEEK_CUR)); /* at the end: it was appended */
    for (int i = 3; i < 40; i++)
        (void)close(i);
}

/* All descriptors are taken, and all are free again. */
static void all_of_them(void)
{
    int count = 0, fd, ends[2];
    while ((fd = open("f", O_RDONLY)) >= 0)
        count++;
    (void)printf("%d opened, then: %s\n", count, strerror(errno));
    SHOW(dup(0));
    SHOW(fcntl(0, F_DUPFD, 3));
    SHOW(pipe(ends));
    SHOW_OK(open("must-not-be-made", O_RDWR | O_CREAT, 0644));
    SHOW_OK(access("must-not-be-made", F_OK));
    SHOW(close(500));
    SHOW(pipe(ends));
    SHOW_OK(open("f", O_RDONLY));
    for (int i = 3; i < DESCRIPTORS; i++)
        MUST(close(i));
    SHOW(open("f", O_RDONLY));
    SHOW(close(3));
}

/* ---- pipes ----------------------------------------------------------------------------------- */

static void pipes(void)
{
    char buf[16] = "";
    int ends[2];
    struct stat st;
    SHOW(pipe(ends));
    (void)printf("ends %d and %d\n", ends[0], ends[1]);
    SHOW(write(ends[1], "hello", 5));
    SHOW(write(ends[1], " you", 4));
    SHOW(read(ends[0], buf, 3));
    SHOW(read(ends[0], buf + 3, 12));
    (void)printf("read '%s'\n", buf);
    SHOW(read(ends[1], buf, 1));
    SHOW(write(ends[0], buf, 1));
    SHOW(lseek(ends[0], 0, SEEK_CUR));
    SHOW(pread(ends[0], buf, 1, 0));
    SHOW(pwrite(ends[1], buf, 1, 0));
    SHOW(ftruncate(ends[1], 0));
    SHOW(fchdir(ends[0]));
    SHOW(fstat(ends[0], &st));
    SHOW(S_ISFIFO(st.st_mode));
    SHOW(write(ends[1], "rest", 4));
    SHOW(close(ends[1]));
    SHOW(read(ends[0], buf, 16));
    SHOW(read(ends[0], buf, 16));
    SHOW(close(ends[0]));
    SHOW(syscall(SYS_pipe, NOWHERE));
    SHOW(syscall(SYS_pipe2, ends, O_APPEND));
    SHOW(syscall(SYS_pipe, ends));
    SHOW(write(ends[1], NOWHERE, 1));
    SHOW(write(ends[1], "x", 1));
    SHOW(read(ends[0], NOWHERE, 1));
    SHOW(close(ends[0]));
    SHOW(close(ends[1]));
}

static void without_readers(void)
{
    int ends[2];
    struct sigaction old;
    SHOW_OK(signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0);
    SHOW(pipe(ends));
    int second = dup(ends[0]);
    SHOW(close(ends[0]));
    SHOW(write(ends[1], "x", 1)); /* the other reader is still there */
    SHOW(close(second));
    SHOW(write(ends[1], "x", 1));
    SHOW(write(ends[1], "x", 0));
    SHOW(close(ends[1]));
    SHOW(sigaction(SIGPIPE, NULL, &old));
    SHOW(old.sa_handler == SIG_IGN);
    SHOW_OK(signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0);
}

/* A pipe takes 64 KiB before it is full; a write that does not fit whole and is small waits. */
static void without_waiting(void)
{
    static char block[PIPE_BUF], much[100000];
    int ends[2];
    long filled = 0, got;
    SHOW(syscall(SYS_pipe2, ends, O_NONBLOCK | O_CLOEXEC));
    SHOW(fcntl(ends[0], F_GETFD));
    SHOW(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
    SHOW(read(ends[0], block, 1));
    while ((got = write(ends[1], block, sizeof(block))) > 0)
        filled += got;
    (void)printf("%ld bytes, then: %s\n", filled, strerror(errno));
    SHOW(write(ends[1], block, 1));
    SHOW(read(ends[0], block, PIPE_BUF));
    SHOW(write(ends[1], block, PIPE_BUF));
    SHOW(fcntl(ends[0], F_SETFL, 0));
    SHOW(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    for (filled = 0; filled < 65536 && (got = read(ends[0], much, sizeof(much))) > 0;)
        filled += got;
    SHOW(filled);
    SHOW(write(ends[1], much, sizeof(much))); /* a part of it */
    SHOW(close(ends[1]));
    for (filled = 0; (got = read(ends[0], much, sizeof(much))) > 0;)
        filled += got;
    SHOW(filled);
    SHOW(close(ends[0]));
}

/* Each byte comes out as it went in, whatever the sizes are. */
static void bytes_through_a_pipe(void)
{
    static unsigned char out[8000], in[8000];
    unsigned long written = 0, seen = 0, wrong = 0;
    int ends[2];
    MUST(pipe(ends));
    for (int round = 1; round < 400; round++) {
        size_t size = (size_t)round * 37 % sizeof(out) + 1;
        for (size_t i = 0; i < size; i++)
            out[i] = (unsigned char)(written + i);
        written += (unsigned long)write(ends[1], out, size);
        while (seen < written) {
            ssize_t got = read(ends[0], in, (size_t)round * 53 % sizeof(in) + 1);
            for (ssize_t i = 0; i < got; i++)
                wrong += in[i] != (unsigned char)seen++;
        }
    }
    SHOW(written);
    SHOW(wrong);
    SHOW(close(ends[0]));
    SHOW(close(ends[1]));
}

static void not_a_terminal(void)
{
    struct winsize size;
    int fd = MUST(open("f", O_RDONLY));
    SHOW(ioctl(fd, TIOCGWINSZ, &size));
    SHOW(ioctl(-1, TIOCGWINSZ, &size));
    SHOW(isatty(fd));
    SHOW(close(fd));
}

int main(int argc, char **argv)
{
    report_by_lines();
    scratch_enter(argc, argv);
    duplicates();
    flags_of_descriptors();
    all_of_them();
    pipes();
    without_readers();
    without_waiting();
    bytes_through_a_pipe();
    not_a_terminal();
    return 19;
}
