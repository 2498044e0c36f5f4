// SPDX-License-Identifier: MIT
/* Prints its arguments, one `argv[N]=TEXT` a line, and exits with their number. */
#include "test.h"

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        say("argv[%d]=%s", (long)i, argv[i]);
    if (argv[argc] != NULL)
        say("argv has no end");
    return argc;
}
