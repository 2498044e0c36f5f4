// SPDX-License-Identifier: MIT
/*
 * Processes: how they begin, end and are waited for, and what a program started by another gets
 * from it. The program starts itself; its first argument is then the name of a role.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "scratch.h"
#include "start.h"

static char *self;

/* ---- roles ----------------------------------------------------------------------------------- */

static int role_status(const char *word)
{
    return atoi(word);
}

static int role_abort(const char *word)
{
    (void)word;
    abort();
}

static int role_divide(const char *word)
{
    volatile int zero = word == NULL ? 0 : 0, one = 1;
    return one / zero;
}

static int role_null(const char *word)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = word == NULL;
    return 0;
}

static int role_trap(const char *word)
{
    (void)word;
    __asm__ volatile("int3");
    return 0;
}

static int role_undefined(const char *word)
{
    (void)word;
    __builtin_trap();
}

static int role_signal(const char *word)
{
    (void)kill(getpid(), atoi(word));
    return 0;
}

/* Blocked, it waits; then it takes effect. SIGKILL waits for nobody. */
static int role_blocked(const char *word)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    (void)raise(atoi(word));
    (void)printf("raised, and still here\n");
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
    (void)printf("unblocked, and still here\n");
    return 0;
}

static int role_broken_pipe(const char *word)
{
    int ends[2];
    (void)word;
    MUST(pipe(ends));
    (void)close(ends[0]);
    return (int)write(ends[1], "x", 1);
}

/* Ends when its standard input does. */
static int role_wait_for_end(const char *word)
{
    char c;
    while (read(0, &c, 1) > 0) {
    }
    return atoi(word);
}

static int role_is_parent(const char *word)
{
    return getppid() == atoi(word) ? 0 : 1;
}

static int role_pid(const char *word)
{
    (void)word;
    (void)!write(1, "", 0);
    return getpid() & 0xff;
}

static int role_descriptors(const char *word)
{
    (void)word;
    for (int fd = 3; fd < 8; fd++)
        (void)printf("descriptor %d: %s\n", fd,
                     fcntl(fd, F_GETFD) == -1 ? strerror(errno) : "open");
    return 0;
}

static int role_surroundings(const char *word)
{
    struct sigaction action;
    sigset_t blocked;
    (void)printf("umask %03o, %s is %s\n", (unsigned)umask(0), word,
                 access(word, F_OK) == 0 ? "there" : "not there");
    MUST(sigaction(SIGPIPE, NULL, &action));
    MUST(sigprocmask(SIG_BLOCK, NULL, &blocked));
    (void)printf("SIGPIPE is %signored, SIGUSR1 %sblocked\n",
                 action.sa_handler == SIG_IGN ? "" : "not ",
                 sigismember(&blocked, SIGUSR1) ? "" : "not ");
    return 0;
}

/* Writes without an end of line: exit() brings it out, _exit() does not. */
static int role_unflushed(const char *word)
{
    (void)setvbuf(stdout, NULL, _IOFBF, 100);
    (void)printf("unflushed\n");
    if (strcmp(word, "_exit") == 0)
        _exit(3);
    exit(4);
}

static int role_copy(const char *word)
{
    char buf[64];
    (void)word;
    for (ssize_t got; (got = read(0, buf, sizeof(buf))) > 0;)
        (void)!write(1, buf, (size_t)got);
    return 5;
}

static const struct role {
    const char *name;
    int (*function)(const char *word);
} ROLES[] = {
    {"status", role_status},
    {"abort", role_abort},
    {"divide", role_divide},
    {"null", role_null},
    {"trap", role_trap},
    {"undefined", role_undefined},
    {"signal", role_signal},
    {"blocked", role_blocked},
    {"broken-pipe", role_broken_pipe},
    {"wait-for-end", role_wait_for_end},
    {"is-parent", role_is_parent},
    {"pid", role_pid},
    {"descriptors", role_descriptors},
    {"surroundings", role_surroundings},
    {"unflushed", role_unflushed},
    {"copy", role_copy},
};

/* Arguments and environment: the long ones by length and sum. */
static void show_word(const char *kind, const char *word)
{
    unsigned sum = 0;
    for (const char *at = word; *at != '\0'; at++)
        sum = sum * 31 + (unsigned char)*at;
    if (strlen(word) < 40)
        (void)printf("%s '%s'\n", kind, word);
    else
        (void)printf("%s of %zu bytes, sum %08x\n", kind, strlen(word), sum);
}

static int show_words(int argc, char **argv, char **envp)
{
    int count = 0;
    for (int i = argc > 1; i < argc && i < 12; i++) /* argv[0] is another one on each system */
        show_word("argument", argv[i]);
    for (; envp[count] != NULL; count++)
        show_word("environment", envp[count]);
    (void)printf("%d arguments, %d of the environment, the end is %s\n", argc, count,
                 argv[argc] == NULL ? "NULL" : "not NULL");
    return 0;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void run(const char *role, const char *word)
{
    char what[64];
    (void)snprintf(what, sizeof(what), "%s %s", role, word == NULL ? "" : word);
    show_end(what, run_self(self, role, word));
}

static void ends(void)
{
    static const char *const STATUSES[] = {"0",   "1",   "2",   "77",  "127",
                                           "128", "254", "255", "256", "-1"};
    for (size_t i = 0; i < sizeof(STATUSES) / sizeof(STATUSES[0]); i++)
        run("status", STATUSES[i]);
    run("abort", NULL);
    run("divide", NULL);
    run("null", NULL);
    run("trap", NULL);
    run("undefined", NULL);
    run("signal", "15");
    run("signal", "9");
    run("signal", "10");
    run("signal", "17"); /* SIGCHLD has no effect */
    run("signal", "0");
    run("blocked", "15");
    run("blocked", "9");
    run("blocked", "17");
    run("broken-pipe", NULL);
    run("unflushed", "exit");
    run("unflushed", "_exit");
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Children that live until the end of *hold is closed. */
static pid_t start_waiting(const char *word, int *hold)
{
    int ends_of[2];
    MUST(pipe2(ends_of, O_CLOEXEC));
    char *const argv[] = {self, "wait-for-end", (char *)word, NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        (void)dup2(ends_of[0], 0);
        (void)execve(self, argv, environ);
        _exit(EXIT_NOT_STARTED);
    }
    (void)close(ends_of[0]);
    *hold = ends_of[1];
    return MUST(pid);
}

static void waiting(void)
{
    int status = 0, hold[3];
    pid_t pid[3];
    struct rusage usage;
    SHOW(wait(&status));
    SHOW(waitpid(-1, &status, WNOHANG));
    SHOW(waitpid(getpid(), &status, 0));
    SHOW(waitpid(1, &status, 0));
    for (int i = 0; i < 3; i++)
        pid[i] = start_waiting(i == 0 ? "10" : i == 1 ? "11" : "12", &hold[i]);
    SHOW(waitpid(-1, &status, WNOHANG));
    SHOW(waitpid(pid[1], &status, WNOHANG));
    SHOW(waitpid(pid[1], &status, 1 << 20));
    (void)close(hold[1]);
    SHOW(waitpid(pid[1], &status, 0) == pid[1]);
    show_end("the second", status);
    SHOW(waitpid(pid[1], &status, 0));
    SHOW(kill(pid[1], 0));
    SHOW(kill(pid[0], 0));
    SHOW(waitpid(-1, &status, WNOHANG));
    (void)close(hold[0]);
    SHOW(wait4(-1, &status, 0, &usage) == pid[0]);
    show_end("the first", status);
    (void)close(hold[2]);
    SHOW(wait4(pid[2], NOWHERE, 0, NULL));
    SHOW(wait(NULL));
}

/* Several ended before anybody asked: each is told once. */
static void ended_before(void)
{
    enum { CHILDREN = 20 };
    unsigned sum = 0, told = 0;
    int status;
    for (int i = 0; i < CHILDREN; i++) {
        char word[8];
        (void)snprintf(word, sizeof(word), "%d", i);
        (void)start_self(self, "status", word);
    }
    (void)usleep(50000);
    while (wait(&status) > 0) {
        sum += (unsigned)WEXITSTATUS(status);
        told++;
    }
    (void)printf("%u were told, the sum of their statuses is %u\n", told, sum);
}

/* ---- vfork ----------------------------------------------------------------------------------- */

static void shared_memory(void)
{
    volatile int seen = 0;
    int status = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        seen = 7; /* the child has the parent's memory */
        (void)close(0);
        _exit(9);
    }
    SHOW(seen);
    SHOW(waitpid(pid, &status, 0) == pid);
    show_end("without execve", status);
    SHOW(fcntl(0, F_GETFD)); /* and descriptors of its own */
}

static void numbers(void)
{
    char word[16];
    int status;
    HOLDS(getpid() > 0);
    HOLDS(getpid() == syscall(SYS_gettid));
    HOLDS(getppid() != getpid());
    (void)snprintf(word, sizeof(word), "%d", getpid());
    show_end("the child's parent is this one", run_self(self, "is-parent", word));
    pid_t pid = start_self(self, "pid", NULL);
    MUST(waitpid(pid, &status, 0));
    HOLDS(WEXITSTATUS(status) == (pid & 0xff));
    SHOW(kill(getpid(), 0));
    SHOW(kill(0x3fffffff, 0));
    SHOW(kill(getpid(), 65));
    SHOW(kill(getpid(), -1));
    SHOW(syscall(SYS_tkill, 0, 0));
    SHOW(syscall(SYS_tkill, getpid(), 0));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), 0));
    SHOW(syscall(SYS_tgkill, 0, getpid(), 0));
}

/* ---- execve ---------------------------------------------------------------------------------- */

enum { LONG_WORD = 100000 };
static char long_word[LONG_WORD + 1];

static void arguments(void)
{
    char *many[300], *none[] = {NULL};
    char *words[] = {self, "words", "", "two words", "\"quotes\" \\ and \t", long_word, NULL};
    char *environment[] = {"A=1", "EMPTY=", "no equals sign", "", NULL};
    int status;
    memset(long_word, 'w', LONG_WORD);
    pid_t pid = vfork();
    if (pid == 0) {
        (void)execve(self, words, environment);
        _exit(EXIT_NOT_STARTED);
    }
    MUST(waitpid(pid, &status, 0));
    show_end("words", status);

    for (int i = 0; i < 299; i++)
        many[i] = "argument";
    many[0] = self;
    many[1] = "words";
    many[299] = NULL;
    pid = vfork();
    if (pid == 0) {
        (void)execve(self, many, none);
        _exit(EXIT_NOT_STARTED);
    }
    MUST(waitpid(pid, &status, 0));
    show_end("many words", status);

    pid = vfork();
    if (pid == 0) {
        (void)execve(self, none, none);
        _exit(EXIT_NOT_STARTED);
    }
    MUST(waitpid(pid, &status, 0));
    show_end("no words", status);
}

static void file_of(const char *name, const char *text, size_t bytes, mode_t mode)
{
    int fd = MUST(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    if (write(fd, text, bytes) != (ssize_t)bytes)
        report_broken(name);
    MUST(fchmod(fd, mode));
    (void)close(fd);
}

static void refused(void)
{
    static char header[64];
    static char *large[401];
    char *argv[] = {self, NULL}, *bad[] = {self, NOWHERE, NULL};
    int fd = MUST(open(self, O_RDONLY));
    (void)!read(fd, header, sizeof(header));
    (void)close(fd);
    for (int i = 0; i < 400; i++)
        large[i] = long_word;
    file_of("not-executable", "text", 4, 0644);
    file_of("text", "just a text\n", 12, 0755);
    file_of("empty", "", 0, 0755);
    file_of("header-only", header, sizeof(header), 0755);
    header[18] = 3; /* its machine is an i386 */
    file_of("other-machine", header, sizeof(header), 0755);
    MUST(mkdir("directory", 0755));
    MUST(symlink("round", "round"));
    SHOW_OK(execve("none", argv, environ));
    SHOW_OK(execve("", argv, environ));
    SHOW_OK(execve("not-executable", argv, environ));
    SHOW_OK(execve("directory", argv, environ));
    SHOW_OK(execve("text", argv, environ));
    SHOW_OK(execve("text/below", argv, environ));
    SHOW_OK(execve("empty", argv, environ));
    SHOW_OK(execve("other-machine", argv, environ));
    SHOW_OK(execve("round", argv, environ));
    SHOW_OK(execve(self, large, environ));
    SHOW_OK(execve(self, bad, environ));
    SHOW_OK(execve(self, NOWHERE, environ));
    SHOW_OK(execve(self, argv, bad));
    SHOW_OK(execve(NOWHERE, argv, environ));
}

/* ---- what is passed on ----------------------------------------------------------------------- */

static void passed_on(void)
{
    int status;
    SHOW(open("text", O_RDONLY | O_CLOEXEC));
    SHOW(open("text", O_RDONLY));
    SHOW(fcntl(4, F_DUPFD_CLOEXEC, 5));
    SHOW(dup(3));
    run("descriptors", NULL);
    run("surroundings", "text");
    SHOW(umask(0157));
    SHOW_OK(signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0);
    sigset_t one;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGUSR1);
    SHOW(sigprocmask(SIG_BLOCK, &one, NULL));
    char *const argv[] = {self, "surroundings", "text", NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        (void)chdir("directory"); /* the child's alone */
        (void)execve(self, argv, environ);
        _exit(EXIT_NOT_STARTED);
    }
    MUST(waitpid(pid, &status, 0));
    show_end("surroundings", status);
    SHOW(access("text", F_OK));
    SHOW(umask(022));
    for (int fd = 3; fd < 8; fd++)
        (void)close(fd);
}

static void spawning(void)
{
    int status = 0, through[2];
    char text[64] = "";
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *const argv[] = {self, "copy", NULL};
    file_of("input", "through a file and a pipe", 25, 0644);
    MUST(pipe2(through, O_CLOEXEC));
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 0, "input", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, through[1], 1);
    SHOW(posix_spawn(&pid, self, &actions, NULL, argv, environ));
    (void)close(through[1]);
    while (read(through[0], text + strlen(text), 10) > 0) {
    }
    (void)close(through[0]);
    (void)printf("read '%s'\n", text);
    SHOW(waitpid(pid, &status, 0) == pid);
    show_end("copy", status);
    (void)posix_spawn_file_actions_destroy(&actions);
    SHOW(posix_spawn(&pid, "none", NULL, NULL, argv, environ) == ENOENT);
    SHOW(posix_spawn(&pid, "text", NULL, NULL, argv, environ) == ENOEXEC);
    SHOW(wait(&status));
}

/* ---- signals to oneself ---------------------------------------------------------------------- */

static void signals(void)
{
    sigset_t one, old;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGUSR2);
    SHOW_OK(signal(SIGTERM, SIG_IGN) == SIG_ERR ? -1 : 0);
    SHOW(raise(SIGTERM));
    SHOW_OK(signal(SIGTERM, SIG_DFL) == SIG_ERR ? -1 : 0);
    SHOW_OK(signal(SIGKILL, SIG_IGN) == SIG_ERR ? -1 : 0);
    SHOW_OK(signal(SIGSTOP, SIG_IGN) == SIG_ERR ? -1 : 0);
    SHOW_OK(signal(65, SIG_IGN) == SIG_ERR ? -1 : 0);
    SHOW(sigprocmask(SIG_BLOCK, &one, &old));
    SHOW(sigismember(&old, SIGUSR2));
    SHOW(raise(SIGUSR2));
    SHOW_OK(signal(SIGUSR2, SIG_IGN) == SIG_ERR ? -1 : 0); /* what waited is gone */
    SHOW_OK(signal(SIGUSR2, SIG_DFL) == SIG_ERR ? -1 : 0);
    SHOW(sigprocmask(SIG_SETMASK, &old, &one));
    SHOW(sigismember(&one, SIGUSR2));
    SHOW(syscall(SYS_rt_sigprocmask, 99, &one, NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &one, NULL, 4));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NOWHERE, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NOWHERE, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
}

static void usage(void)
{
    struct rusage before, after;
    SHOW(getrusage(RUSAGE_SELF, &before));
    do {
        MUST(getrusage(RUSAGE_SELF, &after));
    } while (after.ru_utime.tv_sec == before.ru_utime.tv_sec &&
             after.ru_utime.tv_usec == before.ru_utime.tv_usec);
    HOLDS(after.ru_maxrss > 0);
    SHOW(getrusage(RUSAGE_CHILDREN, &after));
    SHOW(getrusage(99, &after));
    SHOW(getrusage(RUSAGE_SELF, NOWHERE));
    HOLDS(getuid() == geteuid() && getgid() == getegid());
}

int main(int argc, char **argv, char **envp)
{
    report_by_lines();
    if (argc == 1 && argv[0][0] == '\0')
        return show_words(argc, argv, envp);
    if (argc > 1 && strcmp(argv[1], "words") == 0)
        return show_words(argc, argv, envp);
    for (size_t i = 0; argc > 1 && i < sizeof(ROLES) / sizeof(ROLES[0]); i++) {
        if (strcmp(argv[1], ROLES[i].name) == 0)
            return ROLES[i].function(argv[2]);
    }
    self = argv[0];
    scratch_enter(argc, argv);
    ends();
    waiting();
    ended_before();
    shared_memory();
    numbers();
    arguments();
    refused();
    passed_on();
    spawning();
    signals();
    usage();
    return 21;
}
