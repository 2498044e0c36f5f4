// SPDX-License-Identifier: MIT
/*
 * /proc as a file system: reading at any place, seeking, writing where one may not, names that
 * nobody may make or take away, paths with ".", ".." and links, and the directories of processes
 * from their beginning to their end.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "scratch.h"

enum { TEXT_MAX = 1 << 16 };

static char *program;

/* A file's whole text, read by `piece` bytes at a time. Returns: its length. */
static size_t read_all(const char *path, char *buf, size_t piece)
{
    size_t length = 0;
    int fd = MUST(open(path, O_RDONLY));
    for (ssize_t got; length + piece <= TEXT_MAX; length += (size_t)got) {
        got = read(fd, buf + length, piece);
        if (got < 0)
            report_broken(path);
        if (got == 0)
            break;
    }
    (void)close(fd);
    buf[length < TEXT_MAX ? length : TEXT_MAX - 1] = '\0';
    return length;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void pieces(void)
{
    static char whole[TEXT_MAX], byte_by_byte[TEXT_MAX];
    size_t length = read_all("/proc/version", whole, TEXT_MAX);
    HOLDS(length > 10 && whole[length - 1] == '\n');
    HOLDS(read_all("/proc/version", byte_by_byte, 1) == length);
    HOLDS(memcmp(whole, byte_by_byte, length) == 0);
    HOLDS(read_all("/proc/version", byte_by_byte, 7) == length);
    HOLDS(memcmp(whole, byte_by_byte, length) == 0);

    int fd = MUST(open("/proc/version", O_RDONLY));
    char buf[8];
    SHOW(pread(fd, buf, 5, 3));
    HOLDS(memcmp(buf, whole + 3, 5) == 0);
    SHOW(pread(fd, buf, 5, 1000000));
    SHOW(lseek(fd, 4, SEEK_SET));
    SHOW(read(fd, buf, 2));
    HOLDS(memcmp(buf, whole + 4, 2) == 0);
    SHOW(lseek(fd, 2, SEEK_CUR));
    SHOW(lseek(fd, -100, SEEK_CUR));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(lseek(fd, 1L << 40, SEEK_SET));
    SHOW(read(fd, buf, 1));
    SHOW(lseek(fd, 0, 77));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, buf, 0));
    SHOW(read(fd, NOWHERE, 4));
    struct iovec two[] = {{buf, 3}, {buf + 3, 4}};
    SHOW(readv(fd, two, 2));
    HOLDS(memcmp(buf, whole, 7) == 0);
    SHOW(ioctl(fd, TIOCGWINSZ, buf));
    SHOW(write(fd, buf, 1));
    SHOW(close(fd));
}

/* A read from the start makes the text anew; one that goes on gets the rest of the old one. */
static void snapshots(void)
{
    char old[64] = "", new[64] = "";
    int fd = MUST(open("/proc/uptime", O_RDONLY));
    SHOW(read(fd, old, 2));
    SHOW(usleep(30000));
    HOLDS(read(fd, old + 2, sizeof(old) - 3) > 2);
    SHOW(lseek(fd, 0, SEEK_SET));
    HOLDS(read(fd, new, sizeof(new) - 1) > 4);
    HOLDS(strtod(new, NULL) - strtod(old, NULL) > 0.019); /* hundredths are cut off */
    SHOW(close(fd));
}

/* ---- writing --------------------------------------------------------------------------------- */

static void writing(void)
{
    struct stat st;
    int fd = SHOW_OK(open("/proc/uptime", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600));
    SHOW(write(fd, "1\n", 2));
    SHOW(read(fd, &st, 1));
    SHOW(ftruncate(fd, 5));
    SHOW(fstat(fd, &st));
    HOLDS(st.st_size == 0 && st.st_mode == (S_IFREG | 0444) && st.st_nlink == 1);
    SHOW(close(fd));
    SHOW(truncate("/proc/uptime", 0));
    SHOW(open("/proc/uptime", O_RDONLY | O_CREAT | O_EXCL, 0600));
    SHOW(open("/proc", O_WRONLY));
    SHOW(open("/proc/uptime", O_RDONLY | O_DIRECTORY));
}

/* ---- names ----------------------------------------------------------------------------------- */

static void making_and_removing(void)
{
    SHOW(mkdir("/proc/new", 0755));
    SHOW(open("/proc/new", O_WRONLY | O_CREAT, 0644));
    SHOW(open("/proc/self/new", O_WRONLY | O_CREAT, 0644));
    SHOW(symlink("x", "/proc/new"));
    SHOW(mkdir("/proc/self", 0755));
    SHOW(mkdir("/proc/uptime", 0755));
    SHOW(unlink("/proc/uptime"));
    SHOW(unlink("/proc/self"));
    SHOW(unlink("/proc/new"));
    SHOW(rmdir("/proc/self"));
    SHOW(rmdir("/proc/uptime"));
    SHOW(rename("/proc/uptime", "/proc/new"));
    SHOW(rename("/proc/uptime", "/proc/stat"));
    SHOW(rename("/proc/new", "/proc/stat"));
    SHOW(rename("/proc/uptime", "out"));
    SHOW(link("/proc/uptime", "out"));
    SHOW(link("/proc/uptime", "/proc/new"));
    (void)close(MUST(open("own", O_WRONLY | O_CREAT, 0644)));
    SHOW(rename("own", "/proc/new"));
    SHOW(link("own", "/proc/new"));
    SHOW(rmdir("/proc"));
    SHOW(unlink("own"));
}

static void paths(void)
{
    struct stat a, b;
    char text[PATH_MAX] = "", number[16];
    (void)snprintf(number, sizeof(number), "%d", getpid());
    HOLDS(readlink("/proc/self", text, sizeof(text)) == (long)strlen(number));
    HOLDS(strcmp(text, number) == 0);
    SHOW(lstat("/proc/self", &a));
    HOLDS(S_ISLNK(a.st_mode) && a.st_size == 0);
    SHOW(stat("/proc/self/", &a));
    SHOW(stat("/proc/self/../self/./../self", &b));
    HOLDS(S_ISDIR(a.st_mode) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    SHOW(stat("/", &b));
    HOLDS(a.st_dev != b.st_dev);
    SHOW(stat("/proc/uptime/", &a));
    SHOW(stat("/proc/uptime/x", &a));
    SHOW(stat("/proc/0", &a));
    SHOW(stat("/proc/01", &a));
    SHOW(stat("/proc/4294967297", &a));
    SHOW(stat("/proc/self/self", &a));
    SHOW(chdir("/proc/self"));
    HOLDS(getcwd(text, sizeof(text)) != NULL && strncmp(text, "/proc/", 6) == 0);
    HOLDS(strcmp(text + 6, number) == 0);
    SHOW(access("stat", R_OK));
    SHOW(access("../uptime", R_OK));
    SHOW(access("../../proc/uptime", R_OK));
    SHOW(chdir(".."));
    SHOW(chdir("self/stat"));
    SHOW(chdir("/"));
}

/* ---- listing --------------------------------------------------------------------------------- */

/* How often a directory has the entry, with that type. */
static int count_in(const char *path, const char *name, int type)
{
    int count = 0;
    DIR *dir = opendir(path);
    if (dir == NULL)
        report_broken(path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strcmp(entry->d_name, name) == 0 && entry->d_type == type;
    (void)closedir(dir);
    return count;
}

static void listing(void)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", getpid());
    SHOW(count_in("/proc", ".", DT_DIR));
    SHOW(count_in("/proc", "..", DT_DIR));
    SHOW(count_in("/proc", "self", DT_LNK));
    SHOW(count_in("/proc", number, DT_DIR));
    SHOW(count_in("/proc", "uptime", DT_REG));
    SHOW(count_in("/proc", "interrupts", DT_REG));
    SHOW(count_in("/proc", "irq", DT_DIR));
    SHOW(count_in("/proc/self", "stat", DT_REG));
    SHOW(count_in("/proc/self", "cmdline", DT_REG));
}

/* ---- processes ------------------------------------------------------------------------------- */

static void own_files(void)
{
    static char text[TEXT_MAX], expected[TEXT_MAX];
    (void)snprintf(expected, sizeof(expected), "%d (procfs) R %d ", getpid(), getppid());
    read_all("/proc/self/stat", text, TEXT_MAX);
    HOLDS(strncmp(text, expected, strlen(expected)) == 0);
    int fields = 1;
    for (const char *at = text; *at != '\0'; at++)
        fields += *at == ' ';
    SHOW(fields);
    size_t length = read_all("/proc/self/cmdline", text, TEXT_MAX);
    HOLDS(length > strlen(program) && strcmp(text, program) == 0 && text[length - 1] == '\0');
    read_all("/proc/self/comm", text, TEXT_MAX);
    HOLDS(strcmp(text, "procfs\n") == 0);
    read_all("/proc/self/status", text, TEXT_MAX);
    (void)snprintf(expected, sizeof(expected), "\nPid:\t%d\nPPid:\t%d\n", getpid(), getppid());
    HOLDS(strncmp(text, "Name:\tprocfs\n", 13) == 0);
    HOLDS(strstr(text, "\nState:\tR (running)\n") != NULL);
    HOLDS(strstr(text, expected) != NULL);
    HOLDS(strstr(text, "\nThreads:\t1\n") != NULL);
}

/* There is no memory behind such a text: a mapping of zeros would be none of it. */
static void mapping(void)
{
    int fd = MUST(open("/proc/self/stat", O_RDONLY));
    SHOW_OK(mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0));
    SHOW(close(fd));
}

/* The line of /proc/self/maps that an address is in. Returns: its rights, or "". */
static const char *rights_of(const void *address, const char **name)
{
    static char text[TEXT_MAX], rights[8], last[256];
    read_all("/proc/self/maps", text, TEXT_MAX);
    *name = last;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned long start, end;
        last[0] = '\0';
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, rights, last) < 3)
            report_broken("a line of maps");
        if ((unsigned long)address >= start && (unsigned long)address < end)
            return rights;
    }
    return "";
}

static void own_maps(void)
{
    static int data = 1;
    int local = 0;
    const char *name;
    HOLDS(strcmp(rights_of((const void *)(unsigned long)own_maps, &name), "r-xp") == 0);
    HOLDS(strcmp(rights_of(&data, &name), "rw-p") == 0);
    HOLDS(strcmp(rights_of(&local, &name), "rw-p") == 0 && strcmp(name, "[stack]") == 0);
    HOLDS(rights_of(NOWHERE, &name)[0] == '\0');
}

/* A child that waits for the end of its standard input. */
static int start_child(int *input)
{
    int ends[2], pid;
    char word[] = "child";
    char *const words[] = {program, word, NULL};
    posix_spawn_file_actions_t actions;
    MUST(pipe(ends));
    MUST(fcntl(ends[1], F_SETFD, FD_CLOEXEC));
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
    errno = posix_spawn(&pid, program, &actions, NULL, words, NULL);
    if (errno != 0)
        report_broken("posix_spawn");
    (void)close(ends[0]);
    *input = ends[1];
    return pid;
}

/* Wait until the process has the state, which it will come to. */
static void wait_for_state(const char *path, char state)
{
    static char text[TEXT_MAX];
    do
        read_all(path, text, TEXT_MAX);
    while (strchr(text, ')')[2] != state);
}

static void life_of_a_child(void)
{
    static char text[TEXT_MAX];
    char dir[32], stat[40], cmdline[40], buf[16];
    int input, pid = start_child(&input);
    (void)snprintf(dir, sizeof(dir), "/proc/%d", pid);
    (void)snprintf(stat, sizeof(stat), "%s/stat", dir);
    (void)snprintf(cmdline, sizeof(cmdline), "%s/cmdline", dir);
    wait_for_state(stat, 'S');
    SHOW(access(dir, F_OK));
    size_t length = read_all(cmdline, text, TEXT_MAX);
    HOLDS(length == strlen(program) + 1 + sizeof("child"));
    HOLDS(strcmp(text + strlen(program) + 1, "child") == 0);
    int open_stat = MUST(open(stat, O_RDONLY));
    HOLDS(read(open_stat, buf, 1) == 1);
    SHOW(close(input));
    wait_for_state(stat, 'Z'); /* it has ended, and nobody has asked how */
    HOLDS(read_all(cmdline, text, TEXT_MAX) == 0);
    HOLDS(count_in("/proc", dir + 6, DT_DIR) == 1);
    HOLDS(waitpid(pid, NULL, 0) == pid);
    SHOW(access(dir, F_OK));
    SHOW(access(stat, F_OK));
    HOLDS(count_in("/proc", dir + 6, DT_DIR) == 0);
    SHOW(lseek(open_stat, 0, SEEK_SET));
    SHOW(read(open_stat, buf, 1));
    SHOW(close(open_stat));
}

int main(int argc, char **argv)
{
    char byte;
    if (argc == 2 && strcmp(argv[1], "child") == 0)
        return (int)read(0, &byte, 1);
    program = argv[0];
    scratch_enter(argc, argv);
    pieces();
    snapshots();
    writing();
    making_and_removing();
    paths();
    listing();
    own_files();
    mapping();
    own_maps();
    life_of_a_child();
    return 0;
}
