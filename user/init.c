// SPDX-License-Identifier: MIT
/*
 * init: the demonstration, and then the shell. It registers a vector, rings every online core one
 * by one, then all at once, shows what the log has to say about it, and unregisters what it
 * registered. `init demo` ends there, with status 1 if something failed.
 */
#include <carillon.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
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

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF,
            0); /* a line is one write, also where the output is no terminal */
    demonstrate();
    if (argc > 1 && strcmp(argv[1], "demo") == 0)
        return failures == 0 ? 0 : 1;
    puts("This is a small shell: `ls /bin` shows the programs, `poweroff` or ^D ends it.");
    execl("/bin/sh", "sh", NULL);
    perror("init: /bin/sh");
    return 1;
}
