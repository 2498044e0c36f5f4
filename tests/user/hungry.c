// SPDX-License-Identifier: MIT
/*
 * Touches more memory than a machine of 256 MiB can give a program (docs/memory.md, "The reserve"),
 * though less than it has.
 */
#include "test.h"

enum { BYTES = 257600 << 10, PAGE = 4096 };

static volatile char memory[BYTES];

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (long i = 0; i < BYTES; i += PAGE)
        memory[i] = 1;
    say("hungry: there was enough");
    return 1;
}
