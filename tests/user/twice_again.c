// SPDX-License-Identifier: MIT
/*
 * Starts the program `mark` on core 1 until that has worked twice, and all of it ROUNDS times over
 * (the argument; 1000). While one is in the core's slot the next is refused with EBUSY. At the end
 * no descriptor and no memory may be missing.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/sysinfo.h>

#include "carillon_raw.h"
#include "report.h"

enum { CORE = 1, TIMES = 2, LOWEST_FREE = 3, WARM_UP = 20, TOLERANCE_KIB = 64 };

static long started, busy;

static void twice(void)
{
    for (int times = 0; times < TIMES;) {
        int fd = open("mark", O_RDONLY);
        if (fd != LOWEST_FREE)
            report_broken("a descriptor was left open");
        long result = raw_exec_ap(fd, CORE);
        if (result == -EBUSY) {
            busy++;
            (void)sched_yield();
        } else if (result == 0) {
            times++;
            started++;
        } else {
            errno = (int)-result;
            report_broken("exec_ap");
        }
    }
}

/* Free memory once the last one has ended: it holds the slot until then. */
static unsigned long free_kib(void)
{
    struct sysinfo info;
    (void)usleep(500000);
    MUST(sysinfo(&info));
    return info.freeram * info.mem_unit / 1024;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    report_by_lines();
    MUST(chdir("/bin"));
    for (int i = 0; i < WARM_UP; i++)
        twice();
    unsigned long before = free_kib();
    for (int i = 0; i < rounds; i++)
        twice();
    unsigned long after = free_kib();
    (void)printf("\n%ld started, %ld times the slot was taken\n", started, busy);
    (void)printf("free before %lu KiB, after %lu KiB\n", before, after);
    return after + TOLERANCE_KIB >= before ? 0 : 1;
}
