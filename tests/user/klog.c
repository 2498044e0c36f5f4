// SPDX-License-Identifier: MIT
/* Puts texts into the kernel log that the console must show in the form that the contract says. */
#include "test.h"

enum { LONGEST = 4096 };

static char longest[LONGEST];

static void put(const char *text, int length)
{
    long error = raw_klog(text, length);
    if (error != 0)
        say("klog: error %d", error);
}

#define PUT(text) put(text, (int)sizeof(text) - 1)

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    PUT("klog begins");
    PUT("plain");
    PUT("first\nsecond\n");
    PUT("above\n\nbelow");
    PUT("\n");
    PUT("");
    PUT("tab\there, bell\a, escape\x1b[31m, return\r, delete\x7f, nul\0end");
    PUT("\xc3\xa4 \xff \x80");
    PUT("100% %s %d %n");
    PUT("[    0.000000] not a stamp");
    for (int i = 0; i < LONGEST; i++)
        longest[i] = (char)('a' + i % 26);
    put(longest, LONGEST);
    for (int i = 0; i < LONGEST; i++)
        longest[i] = '\x01';
    put(longest, LONGEST);
    PUT("klog ends");
    return 0;
}
