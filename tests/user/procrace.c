// SPDX-License-Identifier: MIT
/*
 * Processes that come and go while others look at all of them: `procrace ROUNDS`. Four readers list
 * /proc and read every file of every process; meanwhile four starters each start ROUNDS children,
 * one after the other. Readers may be told that a process has gone (ENOENT, ESRCH), and nothing
 * else.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "report.h"

enum { PAIRS = 4, TEXT_MAX = 1 << 14 };

static char *program;

/* Returns: bytes read, or -1 if the process has gone. */
static long look_at(const char *pid, const char *name)
{
    static char path[512], text[TEXT_MAX];
    (void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0 && errno == ENOENT)
        return -1;
    if (fd < 0)
        report_broken(path);
    long bytes = read(fd, text, sizeof(text));
    if (bytes < 0 && errno != ESRCH)
        report_broken(path);
    if (bytes > 0 && strcmp(name, "stat") == 0 && atoi(text) != atoi(pid))
        report_broken("another process's stat");
    (void)close(fd);
    return bytes;
}

/* Until standard input ends. */
static int read_all_of_them(void)
{
    static const char *const names[] = {"stat", "status", "cmdline", "comm", "maps"};
    char byte;
    long looks = 0, gone = 0;
    if (fcntl(0, F_SETFL, O_NONBLOCK) != 0)
        report_broken("fcntl");
    while (read(0, &byte, 1) != 0) {
        DIR *dir = opendir("/proc");
        if (dir == NULL)
            report_broken("/proc");
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            for (size_t i = 0; isdigit((unsigned char)entry->d_name[0]) && i < 5; i++) {
                looks++;
                gone += look_at(entry->d_name, names[i]) < 0;
            }
        }
        (void)closedir(dir);
    }
    return looks > 0 && gone < looks ? 0 : 1;
}

static int start(const char *role, const char *rounds, int input)
{
    int pid;
    char role_word[16], rounds_word[16];
    char *const words[] = {program, role_word, rounds_word, NULL};
    posix_spawn_file_actions_t actions;
    (void)snprintf(role_word, sizeof(role_word), "%s", role);
    (void)snprintf(rounds_word, sizeof(rounds_word), "%s", rounds);
    (void)posix_spawn_file_actions_init(&actions);
    if (input >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, input, 0);
    errno = posix_spawn(&pid, program, &actions, NULL, words, NULL);
    if (errno != 0)
        report_broken("posix_spawn");
    return pid;
}

static int wait_for(int pid)
{
    int status;
    MUST(waitpid(pid, &status, 0));
    return status;
}

static int start_many(int rounds)
{
    int failed = 0;
    for (int i = 0; i < rounds; i++)
        failed += wait_for(start("child", "0", -1)) != 0;
    return failed == 0 ? 0 : 1;
}

static int run_pairs(const char *rounds)
{
    int readers[PAIRS], starters[PAIRS], ends[2], failed = 0;
    MUST(pipe(ends));
    MUST(fcntl(ends[1], F_SETFD, FD_CLOEXEC));
    for (int i = 0; i < PAIRS; i++)
        readers[i] = start("reader", "0", ends[0]);
    for (int i = 0; i < PAIRS; i++)
        starters[i] = start("starter", rounds, -1);
    for (int i = 0; i < PAIRS; i++)
        failed += wait_for(starters[i]) != 0;
    (void)close(ends[1]);
    for (int i = 0; i < PAIRS; i++)
        failed += wait_for(readers[i]) != 0;
    (void)printf("procrace: %d failed\n", failed);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 2)
        return run_pairs(argv[1]);
    if (argc == 3 && strcmp(argv[1], "reader") == 0)
        return read_all_of_them();
    if (argc == 3 && strcmp(argv[1], "starter") == 0)
        return start_many(atoi(argv[2]));
    return 0;
}
