// SPDX-License-Identifier: MIT
/*
 * echo WORD...: print the words, with blanks between them, as a line. It is one write, since a file
 * of /proc takes each write for a command of its own.
 */
#include <stdio.h>

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOFBF, BUFSIZ); /* else the newline is a piece of its own */
    for (int i = 1; i < argc; i++)
        printf(i > 1 ? " %s" : "%s", argv[i]);
    putchar('\n');
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    perror("echo");
    return 1;
}
