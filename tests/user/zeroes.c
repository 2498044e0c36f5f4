// SPDX-License-Identifier: MIT
/* Counts the bytes of its uninitialised memory that are not 0. */
#include "test.h"

enum { BYTES = 28 << 20 };

static volatile char memory[BYTES];

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    long others = 0;
    for (long i = 0; i < BYTES; i++)
        others += memory[i] != 0;
    say("zeroes: %d bytes, %d others", (long)BYTES, others);
    return others == 0 ? 0 : 1;
}
