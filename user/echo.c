// SPDX-License-Identifier: MIT
/* echo WORD...: print the words, with blanks between them, as a line. */
#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf(i > 1 ? " %s" : "%s", argv[i]);
    putchar('\n');
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    perror("echo");
    return 1;
}
