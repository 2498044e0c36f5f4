// SPDX-License-Identifier: MIT
/* Exits with the number in its first argument, all 32 bits of it. */
#include "test.h"

int main(int argc, char **argv)
{
    const char *at = argc > 1 ? argv[1] : "0";
    return (int)number(&at);
}
