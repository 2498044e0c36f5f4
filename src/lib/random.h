// SPDX-License-Identifier: MIT
/*
 * Random bytes for programs: the ChaCha20 stream, its key replaced after each use.
 */
#pragma once

#include <stddef.h>

/*
 * Fill `size` bytes. The first key is made of the processor's random numbers where it has them
 * (RDRAND), and of the jitter of its cycle counter; without RDRAND take none of this for a secret.
 * Context: hardirq. Sleeps: no. Locks: random.
 */
void random_bytes(void *bytes, size_t size);
