// SPDX-License-Identifier: MIT
/*
 * Rings as its arguments say, in their order, and prints `WORD = RESULT` for each:
 *
 *     +V      register vector V            V@C     ring V on core C (-1, -2: as send_ipi takes it)
 *     -V      unregister vector V          V@CxN   ring it N times, or until one fails
 *
 * unregister_ipi returns when all rings have been taken, so `V@C -V` leaves none on its way.
 */
#include "test.h"

static long ring(const char *at)
{
    int vector = (int)number(&at);
    at++; /* the '@' */
    int core = (int)number(&at);
    long times = 1, result = 0;
    if (*at++ == 'x')
        times = number(&at);
    for (long i = 0; i < times && result >= 0; i++)
        result = raw_send_ipi(core, vector);
    return result;
}

static long obey(const char *word)
{
    const char *at = word + 1;
    if (word[0] == '+')
        return raw_register_ipi((int)number(&at));
    if (word[0] == '-')
        return raw_unregister_ipi((int)number(&at));
    return ring(word);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        say("%s = %d", argv[i], obey(argv[i]));
    return 0;
}
