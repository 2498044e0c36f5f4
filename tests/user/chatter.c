// SPDX-License-Identifier: MIT
/*
 * Writes to the console while the kernel's log lines come from all cores: for each of `rounds`
 * rounds it rings every core, then writes one block, a single line of BLOCK bytes that begins with
 * `<N` and ends with `N>`, in one call; at last a line in three pieces with rings between them.
 */
#include "test.h"

enum { VECTOR = 100, BLOCK = 5000, ALL = -1, NUMBER_DIGITS = 3 };

static char block[BLOCK + 1];

static void put_number(char *at, long value)
{
    for (int i = NUMBER_DIGITS - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
}

static void write_block(long round)
{
    for (int i = 0; i < BLOCK; i++)
        block[i] = '-';
    block[0] = '<';
    put_number(&block[1], round);
    put_number(&block[BLOCK - 1 - NUMBER_DIGITS], round);
    block[BLOCK - 1] = '>';
    block[BLOCK] = '\n';
    if (raw_write(STDOUT, block, sizeof(block)) != sizeof(block))
        say("chatter: a write was cut");
}

int main(int argc, char **argv)
{
    (void)argc;
    long rounds = option(argv, "rounds");
    (void)raw_register_ipi(VECTOR);
    for (long round = 0; round < rounds; round++) {
        for (int i = 0; i < 5; i++)
            (void)raw_send_ipi(ALL, VECTOR);
        write_block(round);
    }
    (void)raw_unregister_ipi(VECTOR);

    (void)raw_register_ipi(VECTOR);
    static const char *const pieces[] = {"{one", "|two", "|three}\n"};
    for (int i = 0; i < 3; i++) {
        size_t length = 0;
        while (pieces[i][length] != '\0')
            length++;
        (void)raw_write(STDOUT, pieces[i], length);
        (void)raw_send_ipi(0, VECTOR); /* taken, and in the log, when it returns */
    }
    (void)raw_unregister_ipi(VECTOR);
    say("chatter: done");
    return 0;
}
