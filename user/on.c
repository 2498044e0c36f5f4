// SPDX-License-Identifier: MIT
/* on CORE PROGRAM [ARGUMENTS]: run a program on one core alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "number.h"

enum { STATUS_NOT_RUN = 126, STATUS_NOT_FOUND = 127 }; /* as a shell has them */

static bool bind_to(int core)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(core, &only);
    return sched_setaffinity(0, sizeof(only), &only) == 0;
}

int main(int argc, char **argv)
{
    int core;
    if (argc < 3 || !read_number(argv[1], &core)) {
        fprintf(stderr, "usage: on CORE PROGRAM [ARGUMENTS]\n");
        return 2;
    }
    if (core < 0 || core >= CPU_SETSIZE || !bind_to(core)) {
        const char *why =
            errno == EINVAL || errno == 0 ? "no such core, or it is not online" : strerror(errno);
        fprintf(stderr, "on: core %d: %s\n", core, why);
        return 1;
    }
    execvp(argv[2], argv + 2);
    int status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
    fprintf(stderr, "on: %s: %s\n", argv[2], strerror(errno));
    return status;
}
