// SPDX-License-Identifier: MIT
/* send_ipi CORE VECTOR: ring a vector on a core; -1 is every core, -2 every core but this one. */
#include <carillon.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

static const char *meaning(int error)
{
    switch (error) {
    case EINVAL:
        return "no such core (0..ncores-1, -1 all, -2 all others) or vector (32..238 but 128)";
    case ENXIO:
        return "that core is not online";
    case ENOENT:
        return "nobody has registered the vector there";
    default:
        return strerror(error);
    }
}

int main(int argc, char **argv)
{
    int core;
    int vector;
    if (argc != 3 || !read_number(argv[1], &core) || !read_number(argv[2], &vector)) {
        fprintf(stderr, "usage: send_ipi CORE VECTOR\n");
        return 2;
    }
    int rung = send_ipi(core, vector);
    if (rung < 0) {
        fprintf(stderr, "send_ipi: core %d, vector %d: %s\n", core, vector, meaning(errno));
        return 1;
    }
    if (core < 0)
        printf("%d cores rung\n", rung);
    return 0;
}
