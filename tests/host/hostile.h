// SPDX-License-Identifier: MIT
/*
 * What the tests of the parsers share: buffers that end where the data ends, so that the address
 * sanitizer sees the first byte read beyond them, and damage that repeats from run to run.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A copy on the heap of exactly `length` bytes; the caller frees it. */
static inline uint8_t *exact_copy(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length);
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

/* Marsaglia's xorshift: the same numbers in every run. `*state` is never 0. */
static inline uint32_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

/* 0..limit-1 */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return random_next(state) % limit;
}

/* Damage one to eight places: a bit, a byte, or a 32-bit number that parsers dislike. */
static inline void damage(uint8_t *bytes, size_t length, uint64_t *state)
{
    static const uint32_t bad[] = {0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};

    for (uint32_t n = 1 + random_below(state, 8); n > 0 && length > 0; n--) {
        size_t at = random_below(state, (uint32_t)length);
        switch (random_below(state, 3)) {
        case 0:
            bytes[at] ^= (uint8_t)(1U << random_below(state, 8));
            break;
        case 1:
            bytes[at] = (uint8_t)random_next(state);
            break;
        default:
            if (length - at >= sizeof(bad[0]))
                memcpy(bytes + at, &bad[random_below(state, 8)], sizeof(bad[0]));
            break;
        }
    }
}

/* A sum over bytes, so that the sanitizer sees every one of them read. */
static inline unsigned touch(const void *bytes, size_t length)
{
    unsigned sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += ((const volatile uint8_t *)bytes)[i];
    return sum;
}
