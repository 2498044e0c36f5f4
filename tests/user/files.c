// SPDX-License-Identifier: MIT
/* Opening, reading, writing, seeking, cutting and looking at files, with each call's errors. */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "scratch.h"

enum { PAGE = 4096 };

static void make(const char *name, const char *text)
{
    int fd = MUST(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        report_broken(name);
    (void)close(fd);
}

/* What is in a file: zeroes as dots, the rest as it is. */
static void show_content(const char *name)
{
    char text[64];
    int fd = MUST(open(name, O_RDONLY));
    ssize_t got = read(fd, text, sizeof(text));
    for (ssize_t i = 0; i < got; i++)
        text[i] = text[i] == '\0' ? '.' : text[i];
    (void)printf("%s has '%.*s'\n", name, (int)got, text);
    (void)close(fd);
}

/* ---- open ------------------------------------------------------------------------------------ */

static void opening(void)
{
    char name[NAME_MAX + 2];
    memset(name, 'n', sizeof(name) - 1);
    name[NAME_MAX + 1] = '\0';

    SHOW_OK(open("none", O_RDONLY));
    SHOW_OK(open("", O_RDONLY));
    SHOW_OK(open("", O_RDWR | O_CREAT, 0644));
    SHOW_OK(open("none/below", O_RDWR | O_CREAT, 0644));
    SHOW_OK(open("new", O_RDWR | O_CREAT | O_EXCL, 0644));
    SHOW_OK(open("new", O_RDWR | O_CREAT | O_EXCL, 0644));
    SHOW_OK(open("new", O_RDWR | O_CREAT, 0600));
    SHOW_OK(open("new/", O_RDONLY));
    SHOW_OK(open("new/below", O_RDONLY));
    SHOW_OK(open("other/", O_RDWR | O_CREAT, 0644));
    SHOW_OK(open("new", O_RDONLY | O_DIRECTORY));
    SHOW_OK(open(".", O_RDONLY | O_DIRECTORY));
    SHOW_OK(open(".", O_RDONLY));
    SHOW_OK(open(".", O_WRONLY));
    SHOW_OK(open(".", O_RDWR));
    SHOW_OK(open(".", O_RDONLY | O_CREAT, 0644));
    SHOW_OK(open("////////new" + 8, O_RDONLY));
    SHOW_OK(open(".//./new", O_RDONLY));
    SHOW_OK(open(name, O_RDWR | O_CREAT, 0644));
    name[NAME_MAX] = '\0';
    SHOW_OK(open(name, O_RDWR | O_CREAT, 0644));
    SHOW_OK(unlink(name));
    SHOW_OK(open(NOWHERE, O_RDONLY));
    SHOW_OK(syscall(SYS_creat, "created", 0640));
    SHOW_OK(syscall(SYS_creat, "created/", 0640));
    for (int fd = 3; fd < 64; fd++)
        (void)close(fd);
}

static void long_paths(void)
{
    static char path[2 * PATH_MAX];
    memset(path, '/', sizeof(path) - 1);
    path[0] = '.';
    SHOW_OK(open(path, O_RDONLY));
    path[PATH_MAX - 1] = '\0'; /* the terminator counts */
    int fd = SHOW_OK(open(path, O_RDONLY));
    (void)close(fd);
    path[PATH_MAX - 1] = '/';
    path[PATH_MAX] = '\0';
    SHOW_OK(open(path, O_RDONLY));
}

/* ---- read and write -------------------------------------------------------------------------- */

static void reading(void)
{
    char buf[16] = "";
    make("ten", "0123456789");
    int fd = MUST(open("ten", O_RDONLY));
    SHOW(read(fd, buf, 4));
    SHOW(read(fd, buf + 4, 0));
    SHOW(read(fd, buf + 4, 12));
    (void)printf("read '%s'\n", buf);
    SHOW(read(fd, buf, 12));
    SHOW(pread(fd, buf, 3, 5));
    (void)printf("read '%.3s'\n", buf);
    SHOW(pread(fd, buf, 3, 10));
    SHOW(pread(fd, buf, 3, 1000000));
    SHOW(pread(fd, buf, 3, -1));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(write(fd, buf, 3));
    SHOW(write(fd, buf, 0));
    SHOW(pwrite(fd, buf, 3, 0));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, NOWHERE, 3));
    SHOW(read(fd, (void *)(UINT64_MAX - PAGE), 3));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW_OK(close(fd));
    SHOW_OK(close(fd));
    SHOW(read(fd, buf, 1));
    SHOW(read(-1, buf, 1));
    SHOW(read(INT_MAX, buf, 1));
    SHOW(write(-1, buf, 1));
    SHOW(pread(fd, buf, 1, 0));
    SHOW(pwrite(fd, buf, 1, 0));
    SHOW(lseek(fd, 0, SEEK_SET));
    fd = MUST(open(".", O_RDONLY));
    SHOW(read(fd, buf, 1));
    SHOW(pread(fd, buf, 1, 0));
    (void)close(fd);
}

static void writing(void)
{
    char buf[16] = "";
    int fd = MUST(open("w", O_WRONLY | O_CREAT, 0644));
    SHOW(read(fd, buf, 1));
    SHOW(pread(fd, buf, 1, 0));
    SHOW(write(fd, "abcdef", 6));
    SHOW(lseek(fd, 2, SEEK_SET));
    SHOW(write(fd, "XY", 2));
    SHOW(pwrite(fd, "Z", 1, 5));
    SHOW(pwrite(fd, "!", 1, 8));
    SHOW(pwrite(fd, "!", 1, -1));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(write(fd, NOWHERE, 3));
    SHOW(lseek(fd, 0, SEEK_END));
    (void)close(fd);
    show_content("w");

    fd = MUST(open("w", O_WRONLY | O_APPEND));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(write(fd, "end", 3));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(write(fd, "+", 1));
    (void)close(fd);
    show_content("w");

    fd = MUST(open("w", O_RDWR | O_TRUNC));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(read(fd, buf, 1));
    (void)close(fd);
    show_content("w");
}

/* Two opens have a place each; each sees at once what the other wrote. */
static void two_opens(void)
{
    char buf[8] = "";
    int a = MUST(open("both", O_RDWR | O_CREAT, 0644));
    int b = MUST(open("both", O_RDWR));
    SHOW(write(a, "one", 3));
    SHOW(read(b, buf, sizeof(buf)));
    SHOW(write(b, "two", 3));
    SHOW(read(a, buf, sizeof(buf)));
    (void)printf("read '%.3s'\n", buf);
    SHOW_OK(unlink("both"));
    SHOW_OK(open("both", O_RDONLY));
    SHOW(pread(a, buf, 6, 0));
    (void)printf("read '%.6s' of a file without a name\n", buf);
    struct stat st;
    SHOW_OK(fstat(a, &st));
    SHOW(st.st_nlink);
    SHOW(st.st_size);
    (void)close(a);
    (void)close(b);
}

static void pieces(void)
{
    char a[4] = "", b[4] = "", c[4] = "";
    struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cde", 3}, {"f", 1}};
    struct iovec in[] = {{a, 1}, {b, 3}, {c, 3}};
    struct iovec bad[] = {{"gh", 2}, {NOWHERE, 2}};
    struct iovec huge[] = {{a, SIZE_MAX}};
    int fd = MUST(open("v", O_RDWR | O_CREAT | O_TRUNC, 0644));
    SHOW(writev(fd, out, 4));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(readv(fd, in, 3));
    (void)printf("read '%s' '%s' '%s'\n", a, b, c);
    SHOW(readv(fd, in, 3));
    SHOW(writev(fd, out, 0));
    SHOW(writev(fd, out, -1));
    SHOW(writev(fd, out, IOV_MAX + 1));
    SHOW(writev(fd, NOWHERE, 2));
    SHOW(writev(fd, huge, 1));
    SHOW(readv(fd, huge, 1));
    SHOW(writev(-1, out, 4));
    SHOW(readv(-1, in, 3));
    SHOW(writev(fd, bad, 2)); /* what came before the bad piece counts */
    SHOW(lseek(fd, 0, SEEK_END));
    (void)close(fd);
    show_content("v");
}

/* ---- seek and truncate ----------------------------------------------------------------------- */

static void seeking(void)
{
    int fd = MUST(open("s", O_RDWR | O_CREAT | O_TRUNC, 0644));
    SHOW(write(fd, "start", 5));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, -6, SEEK_CUR));
    SHOW(lseek(fd, -5, SEEK_CUR));
    SHOW(lseek(fd, -6, SEEK_END));
    SHOW(lseek(fd, -5, SEEK_END));
    SHOW(lseek(fd, 7, SEEK_END));
    SHOW(lseek(fd, 0, 99));
    SHOW(lseek(fd, 0, -1));
    SHOW(lseek(fd, INT64_MAX, SEEK_CUR));
    SHOW(lseek(fd, 0, SEEK_END)); /* a place beyond the end does not lengthen */
    SHOW(lseek(fd, 12, SEEK_SET));
    SHOW(write(fd, "x", 1)); /* a write there does */
    (void)close(fd);
    show_content("s");
}

/* A megabyte that is a hole but for its ends. */
static void holes(void)
{
    static char block[PAGE];
    long zeroes = 0, bytes = 0;
    int fd = MUST(open("hole", O_RDWR | O_CREAT | O_TRUNC, 0644));
    SHOW(write(fd, "a", 1));
    SHOW(pwrite(fd, "z", 1, (1 << 20) - 1));
    SHOW(lseek(fd, 0, SEEK_SET));
    for (ssize_t got; (got = read(fd, block, sizeof(block))) > 0; bytes += got) {
        for (ssize_t i = 0; i < got; i++)
            zeroes += block[i] == '\0';
    }
    SHOW(bytes);
    SHOW(zeroes);
    (void)close(fd);
}

static void cutting(void)
{
    make("t", "0123456789");
    int fd = MUST(open("t", O_RDWR));
    SHOW_OK(ftruncate(fd, 4));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW_OK(ftruncate(fd, 8)); /* what was cut off does not come back */
    show_content("t");
    SHOW_OK(ftruncate(fd, -1));
    SHOW_OK(ftruncate(-1, 0));
    (void)close(fd);
    fd = MUST(open("t", O_RDONLY));
    SHOW_OK(ftruncate(fd, 0));
    (void)close(fd);
    fd = MUST(open(".", O_RDONLY));
    SHOW_OK(ftruncate(fd, 0));
    (void)close(fd);
    SHOW_OK(truncate("t", 2));
    show_content("t");
    SHOW_OK(truncate("t", 5000));
    SHOW_OK(truncate("t", 3));
    show_content("t");
    SHOW_OK(truncate("t", -1));
    SHOW_OK(truncate("none", 0));
    SHOW_OK(truncate(".", 0));
    SHOW_OK(truncate("t/x", 0));
    SHOW_OK(truncate(NOWHERE, 0));
}

/* ---- state ----------------------------------------------------------------------------------- */

static void show_stat(const char *name, const struct stat *st)
{
    (void)printf("%s: mode %06o, size %ld, links %ld, owner %s\n", name, (unsigned)st->st_mode,
                 S_ISDIR(st->st_mode) ? 0 : (long)st->st_size, (long)st->st_nlink,
                 st->st_uid == getuid() && st->st_gid == getgid() ? "oneself" : "another");
}

static void stat_of(const char *name)
{
    struct stat st;
    if (SHOW_OK(lstat(name, &st)) == 0)
        show_stat(name, &st);
    if (SHOW_OK(stat(name, &st)) == 0)
        show_stat(name, &st);
}

static void looking(void)
{
    struct stat a, b;
    make("f", "contents");
    MUST(mkdir("d", 0700));
    MUST(mkdir("d/below", 0755));
    MUST(symlink("f", "l"));
    MUST(symlink("none", "dangling"));
    stat_of("f");
    stat_of("d");
    stat_of("l");
    stat_of("dangling");
    stat_of("f/x");
    stat_of("none");
    SHOW_OK(syscall(SYS_stat, "f", &a));
    SHOW_OK(syscall(SYS_lstat, "l", &b));
    HOLDS(a.st_ino != b.st_ino);
    SHOW_OK(syscall(SYS_stat, "l", &b));
    HOLDS(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    int fd = MUST(open("l", O_RDONLY));
    SHOW_OK(fstat(fd, &b));
    HOLDS(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    HOLDS(a.st_blksize >= 512);
    (void)close(fd);
    SHOW_OK(fstat(fd, &b));
    SHOW_OK(syscall(SYS_stat, "f", NOWHERE));
    SHOW_OK(syscall(SYS_stat, NOWHERE, &a));
    fd = MUST(open(".", O_RDONLY));
    SHOW_OK(fsync(fd));
    SHOW_OK(fdatasync(fd));
    (void)close(fd);
    SHOW_OK(fsync(fd));
    SHOW_OK(fdatasync(fd));
}

/* A write makes the time of change later, or leaves it where the clock is coarse. */
static void times_of_files(void)
{
    struct stat before, after;
    make("clock", "a");
    MUST(stat("clock", &before));
    (void)usleep(30000);
    make("clock", "b");
    MUST(stat("clock", &after));
    HOLDS(after.st_mtim.tv_sec > before.st_mtim.tv_sec ||
          (after.st_mtim.tv_sec == before.st_mtim.tv_sec &&
           after.st_mtim.tv_nsec > before.st_mtim.tv_nsec));
}

/* ---- much ------------------------------------------------------------------------------------ */

/* Four megabytes in odd pieces, through libc's streams, read back. */
static void streams(void)
{
    enum { WORDS = 500000 };
    unsigned long sum = 0, back = 0;
    FILE *file = fopen("stream", "w");
    if (file == NULL)
        report_broken("stream");
    for (unsigned long i = 0; i < WORDS; i++) {
        sum += i * i;
        (void)fprintf(file, "%lx ", i * i);
    }
    SHOW(ferror(file));
    SHOW(fclose(file));
    file = fopen("stream", "r");
    for (unsigned long word; fscanf(file, "%lx", &word) == 1;)
        back += word;
    HOLDS(sum == back);
    SHOW(feof(file) != 0);
    (void)fseek(file, 0, SEEK_END);
    SHOW(ftell(file));
    SHOW(fclose(file));
}

int main(int argc, char **argv)
{
    report_by_lines();
    scratch_enter(argc, argv);
    opening();
    long_paths();
    reading();
    writing();
    two_opens();
    pieces();
    seeking();
    holes();
    cutting();
    looking();
    times_of_files();
    streams();
    return 17;
}
