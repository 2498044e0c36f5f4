// SPDX-License-Identifier: MIT
/* unregister_ipi VECTOR: free a vector, whoever installed its message handler. */
#include <carillon.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

static const char *meaning(int error)
{
    switch (error) {
    case EINVAL:
        return "no such vector (32..238 but 128)";
    case ENOENT:
        return "nobody has registered it";
    case EPERM:
        return "another program has claimed it for itself";
    default:
        return strerror(error);
    }
}

int main(int argc, char **argv)
{
    int vector;
    if (argc != 2 || !read_number(argv[1], &vector)) {
        fprintf(stderr, "usage: unregister_ipi VECTOR\n");
        return 2;
    }
    if (unregister_ipi(vector) < 0) {
        fprintf(stderr, "unregister_ipi: vector %d: %s\n", vector, meaning(errno));
        return 1;
    }
    return 0;
}
