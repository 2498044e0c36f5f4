// SPDX-License-Identifier: MIT
/*
 * Calls send_ipi with a long, repeatable row of random arguments and holds each result to a model
 * of the contract. The words are drawn so that some are wild, most are near the borders, and a few
 * hit a registered vector. Prints for each registered vector how many ICR writes its rings are
 * worth, `vector V: N writes`, then lets some timer interrupts pass.
 *
 * Arguments: cores=N, all of them online; calls=N.
 */
#include "test.h"

#include <stdbool.h>

enum { VECTOR_FIRST = 32, VECTOR_GATE = 128, VECTOR_LAST = 238, VECTOR_COUNT = 256 };
#define TIMER_TICKS UINT64_C(8000000000) /* some seconds, whatever the TSC's rate */

static const int registered[] = {32, 100, 127, 129, 238};
enum { REGISTERED = sizeof(registered) / sizeof(registered[0]) };

static long cores;
static long writes[VECTOR_COUNT];

/* xorshift64, always from the same seed */
static uint64_t next_random(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* One in eight is any int at all, the others lie between `low` and `high`. */
static int random_int(long low, long high)
{
    uint64_t word = next_random();
    if (word >> 61 == 0)
        return (int)(uint32_t)word;
    return (int)(low + (long)(word % (uint64_t)(high - low + 1)));
}

static bool is_registered(int vector)
{
    for (int i = 0; i < REGISTERED; i++) {
        if (registered[i] == vector)
            return true;
    }
    return false;
}

static long model(int core, int vector)
{
    if (vector < VECTOR_FIRST || vector > VECTOR_LAST || vector == VECTOR_GATE)
        return -EINVAL;
    if (core < -2 || core >= cores)
        return -EINVAL;
    if (core == -2 && cores == 1)
        return 0;
    if (!is_registered(vector))
        return -ENOENT;
    writes[vector]++;
    return core >= 0 ? 0 : core == -1 ? cores : cores - 1;
}

int main(int argc, char **argv)
{
    (void)argc;
    cores = option(argv, "cores");
    long calls = option(argv, "calls"), wrong = 0;
    for (int i = 0; i < REGISTERED; i++)
        (void)raw_register_ipi(registered[i]);
    for (long i = 0; i < calls; i++) {
        int core = random_int(-5, cores + 3), vector = random_int(-10, VECTOR_COUNT + 10);
        const uint64_t registers[7] = {317, next_random() << 32 | (uint32_t)core,
                                       next_random() << 32 | (uint32_t)vector};
        long wanted = model(core, vector), got = gate(registers);
        if (wanted != got && wrong++ < 10)
            say("case: send_ipi(%d, %d): expected %d, got %d", (long)core, (long)vector, wanted,
                got);
    }
    for (int i = 0; i < REGISTERED; i++) {
        long error = raw_unregister_ipi(registered[i]); /* all rings have been taken */
        if (error != 0)
            say("case: unregister_ipi: %d", error);
        say("vector %d: %d writes", (long)registered[i], writes[registered[i]]);
    }
    say("random: %d calls, %d wrong", calls, wrong);
    spin(TIMER_TICKS);
    return wrong == 0 ? 0 : 1;
}
