// SPDX-License-Identifier: MIT
/*
 * init: the demonstration, and then the shell. It registers a vector, rings every online core one
 * by one, then all at once, shows what the log has to say about it, and unregisters what it
 * registered. `init demo` ends there, with status 1 if something failed.
 *
 * Each further terminal at which somebody can type gets a shell of its own, which is started again
 * when it ends (`init terminal /dev/NAME` does that); the machine ends with the console's.
 */
#include <carillon.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VECTOR = 100, ALL_CORES = -1, WAIT_TURNS = 1000000 };
enum { SYSLOG_READ = 2, SYSLOG_SIZE_UNREAD = 9 };

static int failures;

static void failed(const char *what)
{
    printf("demo: %s: %s\n", what, strerror(errno));
    failures++;
}

static int unread(void)
{
    return klogctl(SYSLOG_SIZE_UNREAD, NULL, 0);
}

/* Read the log's new lines, and print them or not. */
static void read_new_lines(FILE *out)
{
    static char lines[65536];
    int bytes;
    while (unread() > 0 && (bytes = klogctl(SYSLOG_READ, lines, sizeof(lines))) > 0) {
        if (out != NULL)
            fwrite(lines, 1, (size_t)bytes, out);
    }
}

/* Ring each core and wait for its message, so that no two rings fold. One that is not online is no
 * failure. */
static void ring_each(void)
{
    for (int core = 0; core < ncores(); core++) {
        int before = unread();
        if (send_ipi(core, VECTOR) == 0) {
            for (int turn = 0; turn < WAIT_TURNS && unread() <= before; turn++)
                sched_yield();
        } else if (errno == ENXIO) {
            printf("demo: not online: core %d\n", core);
        } else {
            failed("send_ipi");
        }
    }
}

static void demonstrate(void)
{
    read_new_lines(NULL);
    int irq = register_ipi(VECTOR);
    if (irq < 0) {
        failed("register_ipi");
        return;
    }
    printf("demo: vector %d is irq %d\n", VECTOR, irq);
    ring_each();
    int rung = send_ipi(ALL_CORES, VECTOR);
    if (rung < 0) {
        failed("send_ipi to all");
    } else if (rung != ncores_online()) {
        printf("demo: ringing all gave %d of %d cores\n", rung, ncores_online());
        failures++;
    }
    if (unregister_ipi(VECTOR) != 0) /* it returns when all rings have been taken */
        failed("unregister_ipi");
    puts("demo: the kernel log since then:");
    read_new_lines(stdout);
}

/* Run a program with one or two arguments, in its own process. Returns: its number, or -1. */
static pid_t run(const char *path, const char *name, const char *mode, const char *argument)
{
    pid_t child = vfork(); /* NOLINT: the child does nothing but its execve */
    if (child == 0) {
        execl(path, name, mode, argument, (char *)NULL);
        _exit(127);
    }
    return child;
}

/* `init terminal PATH`: a shell at that terminal, again and again. Ends only if there is none. */
static int keep_shell(const char *path)
{
    int fd = open(path, O_RDWR);
    if (fd < 0)
        return 1;
    for (int standard = 0; standard <= 2; standard++)
        (void)dup2(fd, standard);
    (void)close(fd);
    (void)ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    for (int status = 0; !WIFEXITED(status) || WEXITSTATUS(status) != 127;) {
        printf("This is a small shell at %s.\n", path);
        pid_t child = run("/bin/sh", "sh", NULL, NULL);
        if (child < 0 || waitpid(child, &status, 0) < 0)
            break;
    }
    return 1;
}

/* Is it another terminal than the console, and can somebody type there? */
static int is_further_terminal(const char *path)
{
    unsigned console, device;
    int waiting, fd = open(path, O_RDWR);
    if (fd < 0)
        return 0;
    int is = ioctl(STDIN_FILENO, TIOCGDEV, &console) == 0 && ioctl(fd, TIOCGDEV, &device) == 0 &&
             console != device && ioctl(fd, FIONREAD, &waiting) == 0;
    (void)close(fd);
    return is;
}

static void start_shells(void)
{
    static const char *const paths[] = {"/dev/tty0", "/dev/ttyS0", "/dev/ttyS1"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (is_further_terminal(paths[i]) && run("/init", "init", "terminal", paths[i]) < 0)
            perror(paths[i]);
    }
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "terminal") == 0)
        return keep_shell(argv[2]);

    setvbuf(stdout, NULL, _IOLBF,
            0); /* a line is one write, also where the output is no terminal */
    demonstrate();
    if (argc > 1 && strcmp(argv[1], "demo") == 0)
        return failures == 0 ? 0 : 1;
    start_shells();
    puts("This is a small shell: `ls /bin` shows the programs, `poweroff` or ^D ends it.");
    execl("/bin/sh", "sh", NULL);
    perror("init: /bin/sh");
    return 1;
}
