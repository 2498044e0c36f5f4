// SPDX-License-Identifier: MIT
/*
 * twice: start the program `puta` of this directory twice on core 1. A core has one slot for
 * programs started so, and exec_ap does not wait: while the first one is in the slot it says EBUSY,
 * and is asked again.
 */
#include <carillon.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

enum { CORE = 1, TIMES = 2 };

int main(void)
{
    for (int started = 0; started < TIMES;) {
        int fd = open("puta", O_RDONLY);
        if (fd < 0) {
            perror("twice: puta");
            return 1;
        }
        if (exec_ap(fd, CORE) == 0) { /* it closes fd, whatever the result */
            started++;
        } else if (errno == EBUSY) {
            sched_yield();
        } else {
            perror("twice: exec_ap on core 1");
            return 1;
        }
    }
    return 0;
}
