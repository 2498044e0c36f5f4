// SPDX-License-Identifier: MIT
/* register_ipi VECTOR: install the message handler for a vector on every core. */
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
    case EBUSY:
        return "it is taken already, on some core at least";
    case ENOSPC:
        return "no IRQ number is left";
    default:
        return strerror(error);
    }
}

int main(int argc, char **argv)
{
    int vector;
    if (argc != 2 || !read_number(argv[1], &vector)) {
        fprintf(stderr, "usage: register_ipi VECTOR\n");
        return 2;
    }
    int irq = register_ipi(vector);
    if (irq < 0) {
        fprintf(stderr, "register_ipi: vector %d: %s\n", vector, meaning(errno));
        return 1;
    }
    printf("vector %d is irq %d\n", vector, irq);
    return 0;
}
