// SPDX-License-Identifier: MIT
/*
 * Each block of ChaCha20 begins with the key for the next one and only then has what is given out,
 * so that who finds the key later learns nothing of what was given before.
 *
 * Source: RFC 8439, "The ChaCha20 Block Function"
 */
#include "lib/random.h"

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "lib/spinlock.h"
#include "lib/text.h"

enum { KEY_WORDS = 8, BLOCK_WORDS = 16, DOUBLE_ROUNDS = 10, JITTER_SAMPLES = 256 };
enum { GIVEN_BYTES = (BLOCK_WORDS - KEY_WORDS) * sizeof(uint32_t) };

static struct spinlock random_lock = SPINLOCK(RANK_RANDOM, "random");
static uint32_t key[KEY_WORDS]; /* L: random_lock */
static bool seeded;             /* L: random_lock */

static uint32_t rotate(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void quarter_round(uint32_t *s, int a, int b, int c, int d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

static void block(uint32_t out[BLOCK_WORDS])
{
    uint32_t start[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(&start[4], key, sizeof(key)); /* the counter and the nonce stay 0: no key serves twice */
    memcpy(out, start, sizeof(start));
    for (int i = 0; i < DOUBLE_ROUNDS; i++) {
        for (int column = 0; column < 4; column++)
            quarter_round(out, column, column + 4, column + 8, column + 12);
        for (int column = 0; column < 4; column++)
            quarter_round(out, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4,
                          12 + (column + 3) % 4);
    }
    for (int i = 0; i < BLOCK_WORDS; i++)
        out[i] += start[i];
}

/* One block: a new key, and GIVEN_BYTES for the caller. */
static void next_block(uint32_t out[BLOCK_WORDS])
{
    block(out);
    memcpy(key, out, sizeof(key));
}

static void seed(void)
{
    uint32_t unused[BLOCK_WORDS];
    for (int i = 0; i < JITTER_SAMPLES; i++) {
        uint64_t word = 0;
        if (i < KEY_WORDS)
            (void)arch_random_u64(&word);
        word ^= arch_ticks();
        key[i % KEY_WORDS] ^= (uint32_t)word;
        key[(i + 1) % KEY_WORDS] ^= (uint32_t)(word >> 32);
        if (i % KEY_WORDS == KEY_WORDS - 1)
            next_block(unused);
    }
    seeded = true;
}

void random_bytes(void *bytes, size_t size)
{
    uint32_t words[BLOCK_WORDS];
    uint8_t *to = bytes;
    while (size > 0) {
        size_t piece = size < GIVEN_BYTES ? size : GIVEN_BYTES;
        uint64_t flags = spin_lock_irqsave(&random_lock);
        if (!seeded)
            seed();
        next_block(words);
        spin_unlock_irqrestore(&random_lock, flags);
        memcpy(to, &words[KEY_WORDS], piece);
        to += piece;
        size -= piece;
    }
}
